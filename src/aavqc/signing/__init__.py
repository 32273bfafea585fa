"""Signatures over a batch: who signs and what time it is are hooks, for the library knows neither.

A signature covers the head of the audit trail, and with it every file that the trail names, and the
hashes of the evaluations of lots. It binds a printed name, a time and a meaning to them. That the name is
that of the person who holds the key, somebody else must know: nobody is authenticated here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pydantic import Field

from aavqc.documents import Document, canonical
from aavqc.errors import VerificationError
from aavqc.signing.ed25519 import ALGORITHM, verify_ed25519

__all__ = ["SignatureDocument", "Signer", "Statement", "TimeStamper", "Trust", "checked", "make_signature"]


class Signer(Protocol):
    """What signs: a key in a file, a card, a service.

    ``algorithm`` and ``public_key`` are text that a verifier of this algorithm understands.
    """

    @property
    def algorithm(self) -> str:
        """Such as ``ed25519``."""

    @property
    def public_key(self) -> str:
        """Of ed25519: 32 bytes, in hex."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature of some bytes."""


class TimeStamper(Protocol):
    """Who vouches for the time: an authority after RFC 3161, reached in any way."""

    def stamp(self, digest: bytes) -> bytes:
        """Return a token for a SHA-256 digest."""


Verifier = Callable[[bytes, bytes, str], bool]
"""Of data, signature and public key: is the signature one of the key over the data?"""

TokenVerifier = Callable[[bytes, bytes], str]
"""Of token and digest: the time that the token vouches for; raises VerificationError."""


@dataclass(frozen=True)
class Trust:
    """What a verification takes as known.

    Attributes
    ----------
    keys : frozenset of str or None
        Public keys of the people who may sign; None: any key, and only that the bytes are as they were
        signed is shown.
    token : callable or None
        Checks time stamps; None: they are not checked.
    verifiers : mapping of algorithm to callable
    """

    keys: frozenset[str] | None = None
    token: TokenVerifier | None = None
    verifiers: Mapping[str, Verifier] = field(default_factory=lambda: {ALGORITHM: verify_ed25519})


class SignedFile(Document):
    """An evaluation of a lot, by its file below OUT."""

    file: str
    sha256: str
    lot: str | None
    overall: str


class Statement(Document):
    """What is signed: the state of OUT, and who signs it when and in what sense."""

    chain: str = Field(description="hash of the first entry of the audit trail: which trail it is")
    length: int = Field(ge=1, description="entries of the trail that are signed")
    head: str = Field(description="hash of the last of them")
    lots: list[SignedFile]
    name: str = Field(min_length=1, description="of the signer, as printed")
    meaning: str = Field(min_length=1, description="such as review, approval, responsibility")
    time: str = Field(description="UTC, by the clock of the computer that signed")


class SignatureDocument(Document):
    """A signature beside what it signs (``aavqc.signature/1``).

    Signed are the canonical bytes of the document without ``signature`` and ``token``; the token is one
    after RFC 3161 for the SHA-256 of the signature.
    """

    schema_: Literal["aavqc.signature/1"] = Field("aavqc.signature/1", alias="schema")
    statement: Statement
    algorithm: str
    public_key: str
    signature: str = Field(description="base64")
    token: str | None = Field(None, description="time stamp, base64 of its DER")

    @property
    def signed_bytes(self) -> bytes:
        """The bytes that the signature is of."""
        return canonical(self.model_dump(mode="json", by_alias=True, exclude={"signature", "token"}))


def make_signature(
    statement: Statement, signer: Signer, stamper: TimeStamper | None = None
) -> SignatureDocument:
    """Sign a statement, and have the signature stamped with the time.

    Parameters
    ----------
    statement : Statement
    signer : Signer
    stamper : TimeStamper, optional

    Returns
    -------
    SignatureDocument
    """
    document = SignatureDocument(
        schema="aavqc.signature/1",
        statement=statement,
        algorithm=signer.algorithm,
        public_key=signer.public_key,
        signature="",
    )
    signature = signer.sign(document.signed_bytes)
    token = None if stamper is None else stamper.stamp(hashlib.sha256(signature).digest())
    return document.model_copy(
        update={"signature": _text(signature), "token": None if token is None else _text(token)}
    )


def checked(document: SignatureDocument, trust: Trust) -> str:
    """Check signature and time stamp of a document; say what was shown.

    Raises
    ------
    VerificationError
        The signature or the time stamp is none of these bytes, or of nobody who is trusted.
    """
    verifier = trust.verifiers.get(document.algorithm)
    if verifier is None:
        raise VerificationError(
            "no way to check the signature",
            expected=", ".join(sorted(trust.verifiers)),
            found=document.algorithm,
        )
    signature = _bytes(document.signature)
    if not verifier(document.signed_bytes, signature, document.public_key):
        raise VerificationError("altered bytes: the signature is none of what it stands under")
    if trust.keys is not None and document.public_key not in trust.keys:
        raise VerificationError(
            "signed with a key that is not trusted",
            expected=f"one of {len(trust.keys)} trusted",
            found=f"{document.public_key[:16]}…",
        )
    whose = "of a trusted key" if trust.keys is not None else "of a key that nobody vouches for"
    if document.token is None:
        return f"{whose}; no time stamp"
    if trust.token is None:
        return f"{whose}; the time stamp is not checked, for no authority is trusted"
    at = trust.token(_bytes(document.token), hashlib.sha256(signature).digest())
    return f"{whose}; stamped {at}"


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise VerificationError("altered bytes: no base64", found=repr(text[:40])) from None
