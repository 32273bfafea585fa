"""Time stamps after RFC 3161: a command brings the request to an authority; its root certificate checks.

The library opens no connection. ``curl -s -H 'Content-Type: application/timestamp-query'
--data-binary @- URL`` is such a command.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.errors import UsageError, VerificationError
from aavqc.signing import TokenVerifier, Trust
from aavqc.signing.ed25519 import missing
from aavqc.textfiles import read_bytes

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SECONDS = 60

_REQUEST = bytes.fromhex("3039 020101 3031 300d 0609608648016503040201 0500 0420"), bytes.fromhex("0101ff")
"""DER of a TimeStampReq, version 1, before and after a SHA-256 digest; it asks for the certificate."""


class CommandTimeStamper:
    """Has digests stamped by a command: the request goes to its stdin, the response comes from its stdout.

    Parameters
    ----------
    command : str
        Split as a shell does, but no shell runs it.

    Raises
    ------
    UsageError
        The text is no command.
    """

    def __init__(self, command: str) -> None:
        try:
            self._command = shlex.split(command)
        except ValueError:
            self._command = []
        if not self._command:
            raise UsageError("no usable command", found=repr(command[:80]))

    def stamp(self, digest: bytes) -> bytes:
        """Return the response of the authority, DER of a TimeStampResp.

        Raises
        ------
        UsageError
            The command fails, or gives no time stamp of this digest.
        """
        request = _REQUEST[0] + digest + _REQUEST[1]
        try:
            done = subprocess.run(
                self._command, input=request, capture_output=True, timeout=SECONDS, check=True
            )
            if _imprint(done.stdout) != digest:
                raise ValueError("a time stamp of something else")
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise UsageError(f"no time stamp from {self._command[0]!r}", found=str(error)[:80]) from error
        return done.stdout


def load_trust(paths: Sequence[str | Path]) -> Trust:
    """Read what is trusted from PEM files: public keys of signers, root certificates of authorities.

    Raises
    ------
    UsageError
        A file holds neither; cryptography is not installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
        from cryptography.x509 import load_pem_x509_certificates
    except ImportError:
        raise missing() from None
    keys: set[str] = set()
    roots: list[Certificate] = []
    for path in paths:
        data = read_bytes(Path(path))
        try:
            if b"BEGIN CERTIFICATE" in data:
                roots += load_pem_x509_certificates(data)
                continue
            key = load_pem_public_key(data)
        except ValueError as error:
            raise UsageError(
                "nothing to trust", file=str(path), expected="a public key or certificate, PEM"
            ) from error
        if not isinstance(key, Ed25519PublicKey):
            raise UsageError("another kind of key", file=str(path), expected="an Ed25519 public key")
        keys.add(key.public_bytes_raw().hex())
    return Trust(keys=frozenset(keys) or None, token=_verifier(roots) if roots else None)


def _verifier(roots: list[Certificate]) -> TokenVerifier:
    def verify(token: bytes, digest: bytes) -> str:
        import rfc3161_client as rfc3161

        builder = rfc3161.VerifierBuilder(roots=roots)
        try:
            response = rfc3161.decode_timestamp_response(token)
            builder.build().verify(response, digest)
        except (rfc3161.VerificationError, ValueError) as error:
            raise VerificationError(
                "altered bytes: the time stamp is none of this signature by a trusted authority",
                found=str(error)[:80],
            ) from error
        return response.tst_info.gen_time.isoformat(timespec="seconds")

    return verify


def _imprint(response: bytes) -> bytes:
    """Return the digest that a response is of; ValueError where it is none."""
    try:
        import rfc3161_client as rfc3161
    except ImportError:
        raise missing() from None
    return rfc3161.decode_timestamp_response(response).tst_info.message_imprint.message
