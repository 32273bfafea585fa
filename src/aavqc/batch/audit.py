"""The audit trail: JSON lines that are only ever appended, each bound to the one before by its hash.

Each entry's ``hash`` is the SHA-256 of its canonical bytes without ``hash``; ``previous`` is the
hash of the entry before, or 64 zeros. A line is exactly the canonical bytes of its entry, so that
no byte can change unnoticed; that the end was cut off shows in the length and head that the store
keeps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError

from aavqc.documents import Document, canonical, digest
from aavqc.errors import InputError, UsageError, VerificationError

if TYPE_CHECKING:
    from aavqc.store import Anchor

FILE = "audit.jsonl"
ORIGIN = "0" * 64

ENDS = ("run_ended", "signed")
"""Events after which no run is under way."""

Event = Literal["run_begun", "recovered", "written", "run_ended", "signed"]


class AuditEntry(Document):
    """One line of the audit trail (``aavqc.audit/1``)."""

    schema_: Literal["aavqc.audit/1"] = Field("aavqc.audit/1", alias="schema")
    seq: int = Field(ge=1, description="counted from 1, without a gap")
    time: str = Field(description="UTC, by the clock of the computer that wrote it")
    run: str
    event: Event
    actor: str | None = None
    reason: str | None = None
    file: str | None = Field(None, description="below OUT")
    sha256: str | None = Field(None, description="of the whole file")
    details: dict[str, Any] = Field(default_factory=dict)
    previous: str
    hash: str


@dataclass(frozen=True)
class Trail:
    """An audit trail as read.

    Attributes
    ----------
    entries : tuple of AuditEntry
    size : int
        Bytes that they take; what follows in the file is a line that was begun and never ended.
    torn : bytes
        That line.
    """

    entries: tuple[AuditEntry, ...]
    size: int
    torn: bytes = b""

    @property
    def head(self) -> str:
        """Hash of the last entry."""
        return self.entries[-1].hash if self.entries else ORIGIN

    @property
    def ended(self) -> bool:
        """Whether the last run came to its end; what was signed since changes nothing of that."""
        return not self.torn and bool(self.entries) and self.entries[-1].event in ENDS

    @property
    def chain(self) -> str:
        """Hash of the first entry: the identity of the trail."""
        return self.entries[0].hash if self.entries else ORIGIN

    @property
    def files(self) -> dict[str, str]:
        """The SHA-256 of every file of OUT as it was last written."""
        return {e.file: e.sha256 for e in self.entries if e.file is not None and e.sha256 is not None}


def read_trail(path: Path) -> Trail:
    """Read and check an audit trail; a file that is not there is an empty one.

    Raises
    ------
    VerificationError
        A line is not what was written; says which.
    InputError
        The file can't be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Trail((), 0)
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", file=path.name) from error
    whole, newline, torn = data.rpartition(b"\n")
    entries = tuple(_checked(whole.split(b"\n"))) if newline else ()
    return Trail(entries, len(whole) + len(newline), torn)


def _checked(lines: list[bytes]) -> Iterator[AuditEntry]:
    previous = ORIGIN
    for n, line in enumerate(lines, start=1):
        try:
            entry = AuditEntry.model_validate(json.loads(line))
            intact = canonical(entry) == line and _hash(entry) == entry.hash
        except (ValueError, RecursionError, ValidationError):
            intact = False
        if not intact:
            raise VerificationError(
                "altered bytes: the line is not what its hash says", file=FILE, line=n, found=_shown(line)
            )
        if (entry.seq, entry.previous) != (n, previous):
            raise VerificationError(
                "altered bytes: an entry was removed, added or moved",
                file=FILE,
                line=n,
                expected=f"entry {n} after {previous[:16]}…",
                found=f"entry {entry.seq} after {entry.previous[:16]}…",
            )
        previous = entry.hash
        yield entry


def append(
    path: Path, after: AuditEntry | None, size: int, *contents: Mapping[str, Any]
) -> tuple[AuditEntry, int]:
    """Append entries to a trail; return the last, and the trail's new size.

    Parameters
    ----------
    path : Path
    after : AuditEntry or None
        The last entry.
    size : int
        Bytes that the trail has: another size means that another run appends to it as well.
    *contents : mapping
        One or more: ``run``, ``event`` and what else the entry says.

    Raises
    ------
    UsageError
        The place can't be written to, or another run writes to it.
    """
    entries = list(_chained(after, contents))
    lines = b"".join(canonical(entry) + b"\n" for entry in entries)
    try:
        with open(path, "ab") as stream:
            if stream.tell() != size:
                raise UsageError("another run writes to this output folder", file=path.name)
            stream.write(lines)
    except OSError as error:
        raise UsageError(f"can't be written ({error.strerror})", file=path.name) from error
    return entries[-1], size + len(lines)


def _chained(after: AuditEntry | None, contents: Iterable[Mapping[str, Any]]) -> Iterator[AuditEntry]:
    for content in contents:
        entry = AuditEntry(
            schema="aavqc.audit/1",
            seq=after.seq + 1 if after else 1,
            time=now(),
            previous=after.hash if after else ORIGIN,
            hash="",
            **content,
        )
        after = entry.model_copy(update={"hash": _hash(entry)})
        yield after


def anchored(trail: Trail, anchors: Sequence[Anchor], *, own: bool) -> Anchor | None:
    """Return the head that the store keeps of a trail, after a check that the trail leads there.

    Parameters
    ----------
    trail : Trail
    anchors : sequence of Anchor
        Those of the store.
    own : bool
        The store is that of this one OUT: it knows no other trail.

    Raises
    ------
    VerificationError
        The trail's end was cut off or rewritten, or it is another one.
    """
    anchor = next((a for a in anchors if a.chain == trail.chain), None)
    if anchor is None:
        if own and anchors:
            raise VerificationError(
                "altered bytes: not the audit trail that the store knows",
                file=FILE,
                expected=f"{anchors[0].length} entries that begin with {anchors[0].chain[:16]}…",
                found=f"{len(trail.entries)} that begin with {trail.chain[:16]}…",
            )
        return None
    if len(trail.entries) < anchor.length or trail.entries[anchor.length - 1].hash != anchor.head:
        raise VerificationError(
            "altered bytes: the end was cut off or rewritten",
            file=FILE,
            expected=f"{anchor.length} entries up to {anchor.head[:16]}…",
            found=f"{len(trail.entries)} up to {trail.head[:16]}…",
        )
    return anchor


def now() -> str:
    """Return the time, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _hash(entry: AuditEntry) -> str:
    content = entry.model_dump(mode="json", by_alias=True)
    del content["hash"]
    return digest(content)


def _shown(line: bytes) -> str:
    return repr(line[:40])[1:]
