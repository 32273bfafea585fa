"""An example of a signer: an Ed25519 key (RFC 8032) in a file, PEM without a password."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.errors import UsageError
from aavqc.textfiles import read_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ALGORITHM = "ed25519"


class Ed25519Signer:
    """Signs with a private key; made by :meth:`load`.

    ``openssl genpkey -algorithm ed25519 -out key.pem`` makes one, ``openssl pkey -in key.pem -pubout``
    its public key. A file is no safe place for the key of a release: write a Signer for yours.
    """

    algorithm = ALGORITHM

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def load(cls, path: str | Path) -> Ed25519Signer:
        """Read a private key.

        Raises
        ------
        UsageError
            The file holds none, or one with a password; cryptography is not installed.
        InputError
            It can't be read.
        """
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError:
            raise missing() from None
        data = read_bytes(Path(path))
        try:
            key = load_pem_private_key(data, password=None)
        except (ValueError, TypeError) as error:
            raise UsageError(
                "no usable key", file=str(path), expected="PEM without a password", found=str(error)[:60]
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise UsageError("another kind of key", file=str(path), expected="an Ed25519 private key")
        return cls(key)

    @property
    def public_key(self) -> str:
        """The public key's 32 bytes, in hex."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes: the same for the same data."""
        return self._key.sign(data)


def verify_ed25519(data: bytes, signature: bytes, public_key: str) -> bool:
    """Tell whether a signature is one of a public key (in hex) over some data."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        raise missing() from None
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def missing() -> UsageError:
    """Return the error for a package that is not installed."""
    return UsageError("signatures need cryptography", hint="pip install 'aavqc[signing]'")
