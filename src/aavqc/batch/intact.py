"""Whether an output folder is as its audit trail says, and the trail as the store says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.batch.audit import FILE, Trail, anchored, read_trail
from aavqc.batch.mirror import altered_store
from aavqc.batch.recorder import STORE, file_hash
from aavqc.errors import InputError, VerificationError

if TYPE_CHECKING:
    from aavqc.store import Store

FOLDERS = ("arrays", "lots", "results", "signatures")


def whole_trail(out: Path, url: str | None) -> tuple[Trail, Store]:
    """Return the trail and the store of an output folder whose last run has ended.

    Raises
    ------
    VerificationError
        The trail is not what was written, unfinished, or its end is not the one that the store keeps.
    InputError
        A store named by URL can't be reached.
    """
    from aavqc.store import Store

    trail = read_trail(out / FILE)
    if not trail.entries:
        raise VerificationError("missing: the audit trail", file=FILE)
    if url is None and not (out / STORE).is_file():
        raise VerificationError(
            "missing: the store", file=STORE, hint="where the batch had a --store, name it here too"
        )
    try:
        store = Store(url or out / STORE)
        anchors = store.anchors()
    except InputError as error:
        if url is not None:  # a server that is down is no alteration
            raise
        raise altered_store(error) from error
    anchor = anchored(trail, anchors, own=url is None)
    if not trail.ended:
        raise VerificationError(
            "unfinished: the last run was interrupted",
            file=FILE,
            line=len(trail.entries),
            hint="run the same batch again: it resumes",
        )
    if anchor is None or anchor.length < len(trail.entries):
        raise VerificationError(
            "altered bytes: the store does not keep the head of this audit trail",
            file=FILE,
            expected=f"{anchor.length if anchor else 'no'} entries, as in the store",
            found=str(len(trail.entries)),
        )
    return trail, store


def altered_files(out: Path, trail: Trail) -> list[VerificationError]:
    """Check every file that the trail names, and that there are no others; each finding names its file."""
    findings = []
    for name, sha256 in sorted(trail.files.items(), key=lambda item: (item[0] != "manifest.json", item[0])):
        found = file_hash(out / name)
        if found != sha256:
            kind = "altered bytes: not the file that was written" if found else "missing: a file of OUT"
            findings.append(other_bytes(kind, name, sha256, found))
    present = [p.relative_to(out).as_posix() for f in FOLDERS for p in (out / f).glob("*") if p.is_file()]
    for name in sorted(set(present) - trail.files.keys()):
        if not name.rpartition("/")[2].startswith("."):  # a temporary file of a run that was killed
            findings.append(VerificationError("added: a file that no run wrote", file=name))
    return findings


def other_bytes(kind: str, name: str, expected: str, found: str) -> VerificationError:
    """Return the finding of a file whose hash is another than expected."""
    return VerificationError(
        kind, file=name, expected=f"sha256 {expected[:16]}…", found=f"{found[:16]}…" if found else None
    )
