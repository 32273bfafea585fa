"""What a run leaves beside its results: entries of the audit trail, and the store.

An entry is appended as each file of OUT is written. The store is filled at the end, in one
transaction, from the files themselves: a run that is killed leaves it as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aavqc import __version__
from aavqc.batch.audit import ENDS, FILE, AuditEntry, Trail, anchored, append, now, read_trail
from aavqc.batch.outputs import arrays_file, result_file
from aavqc.batch.tables import verdict_rows
from aavqc.documents import EvaluationEntry, Manifest, canonical, digest
from aavqc.errors import InputError, UsageError
from aavqc.textfiles import read_bytes

if TYPE_CHECKING:
    from aavqc.results import Evaluation, Specification
    from aavqc.store import Anchor, Plain, Row, Store

STORE = "aavqc.sqlite"
TABLES = ("results.csv", "verdicts.csv", "manifest.json")


class Recorder:
    """The audit trail and the store of one OUT during one run; made by :meth:`begin`.

    Used by one process, the one that writes OUT.
    """

    def __init__(self, out: Path, store: Store, trail: Trail, who: dict[str, str | None]) -> None:
        self.out = out
        self._store = store
        self._who = who
        self._files = dict(trail.files)
        self._chain = trail.chain
        self._size = trail.size
        self._last = trail.entries[-1] if trail.entries else None

    @classmethod
    def begin(
        cls,
        out: Path,
        *,
        source: Path,
        store: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        regulated: bool = False,
        details: dict[str, Any] | None = None,
    ) -> Recorder:
        """Open the trail and the store of OUT, and say that a run begins.

        Parameters
        ----------
        out : Path
            An existing folder.
        source : Path
            The folder of exports.
        store : str, optional
            URL; default a SQLite file in OUT.
        actor, reason : str, optional
            Who runs this, and why, as the caller says; required where ``regulated``.
        details : dict, optional
            What else the entry shall keep.

        Raises
        ------
        UsageError
            No actor or reason where they are required; a place that can't be written to.
        VerificationError
            The trail is not what was written: nothing is added to it.
        """
        if regulated:
            _require(actor=actor, reason=reason)
        from aavqc.store import Store

        opened = Store(store or out / STORE)
        trail = read_trail(out / FILE)
        mended = _mended(trail, anchored(trail, opened.anchors(), own=store is None))
        if trail.torn:
            _cut(out / FILE, trail.size)
        begun, place = now(), str(source.resolve())
        run = digest([begun, trail.head, place, str(out.resolve()), os.getpid()])[:16]
        recorder = cls(out, opened, trail, {"run": run, "actor": actor, "reason": reason})
        if mended:
            recorder._append({"event": "recovered", "details": mended})
        said = {"aavqc": __version__, "source": place, "store": opened.name if store else None}
        last = recorder._append({"event": "run_begun", "details": said | (details or {})})
        row: Row = {"run": run, "actor": actor, "reason": reason, "source": place, "aavqc": __version__}
        opened.begin({**row, "begun": begun}, recorder._anchor(last))
        return recorder

    def as_written(self, job: str) -> Plain | None:
        """Return a result where it and its arrays lie in OUT as the trail says they were written."""
        result, arrays = (self._files.get(name) for name in (result_file(job), arrays_file(job)))
        if arrays is None or arrays != file_hash(self.out / arrays_file(job)):
            return None
        data = read_bytes(self.out / result_file(job))
        if hashlib.sha256(data).hexdigest() != result:
            return None
        document: Plain = json.loads(data)
        return document

    def wrote(self, files: Mapping[str, str]) -> None:
        """Enter files that were written to OUT just now, each with its SHA-256."""
        new = {name: sha256 for name, sha256 in files.items() if self._files.get(name) != sha256}
        if new:
            self._append(*({"event": "written", "file": n, "sha256": sha256} for n, sha256 in new.items()))
            self._files |= new

    def end(
        self,
        manifest: Manifest,
        evaluations: Sequence[Evaluation],
        specifications: Sequence[Specification],
    ) -> None:
        """Enter the files that every run writes, say that it ends, and mirror OUT in the store."""
        names = (*(entry.file for entry in manifest.evaluations), *TABLES)
        self.wrote({name: file_hash(self.out / name) for name in names})
        counted: dict[str, Any] = {
            "results": len(manifest.jobs),
            "failed": sum(entry.status == "failed" for entry in manifest.files),
            "overall": {entry.file: entry.overall for entry in manifest.evaluations},
        }
        last = self._append({"event": "run_ended", "details": counted})
        stored = self._store.file_hashes(self._chain)
        self._store.end(
            last.run,
            last.time,
            self._anchor(last),
            manifest=manifest,
            documents=lambda: self._documents(manifest.jobs, stored),
            verdict_rows=stored_verdicts(manifest.evaluations, evaluations),
            specification_rows=[_specification_row(s) for s in specifications],
        )

    def _documents(self, jobs: Sequence[str], stored: dict[str, str]) -> Iterator[tuple[str, str, Plain]]:
        """Yield the results that the store does not have as they are, one at a time."""
        for job in jobs:
            name = result_file(job)
            if stored.get(job) != self._files[name]:
                yield job, self._files[name], read_plain(self.out / name)

    def _append(self, *contents: Mapping[str, Any]) -> AuditEntry:
        said = [{**self._who, **content} for content in contents]
        entry, self._size = append(self.out / FILE, self._last, self._size, *said)
        if self._last is None:  # the first entry of a trail is appended alone
            self._chain = entry.hash
        self._last = entry
        return entry

    def _anchor(self, last: AuditEntry) -> Anchor:
        from aavqc.store import Anchor

        return Anchor(self._chain, last.seq, last.hash)


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or "" where there is none."""
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", file=path.name) from error


def read_plain(path: Path) -> Plain:
    """Read a result document as JSON has it; its bytes are those of the audit trail."""
    try:
        document: Plain = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError("can't be read", file=path.name, found=str(error)) from error
    return document


def stored_verdicts(entries: Sequence[EvaluationEntry], evaluations: Sequence[Evaluation]) -> list[Row]:
    """Return the verdicts of evaluations, each with its entry in the manifest, as rows of the store."""
    return [
        {
            "file": entry.file,
            "n": n,
            "lot": evaluation.lot,
            "specification_sha256": evaluation.specification.sha256,
            "test": row["test"],
            "attribute": row["attribute"],
            "technique": row["technique"],
            "target": row["target"],
            "limit": row["limit_text"],
            "rounded": row["value_rounded"],
            "unit": row["unit"],
            "verdict": row["verdict"],
            "reason": row["reason"],
        }
        for entry, evaluation in zip(entries, evaluations, strict=True)
        for n, row in enumerate(verdict_rows(evaluation))
    ]


def _specification_row(specification: Specification) -> Row:
    named = {key: getattr(specification, key) for key in ("sha256", "id", "version", "status", "purpose")}
    return {**named, "document": canonical(specification)}


def _require(**said: str | None) -> None:
    missing = [name for name, text in said.items() if not (text or "").strip()]
    if missing:
        raise UsageError(
            "a regulated method needs to know who runs it, and why",
            expected=" and ".join(f"--{name}" for name in missing),
            found="none",
        )


def _mended(trail: Trail, anchor: Anchor | None) -> dict[str, Any]:
    """Say what a run that was killed has left unfinished."""
    found: dict[str, Any] = {}
    if trail.torn:
        found["cut"] = {"bytes": len(trail.torn), "sha256": hashlib.sha256(trail.torn).hexdigest()}
    if trail.entries and trail.entries[-1].event not in ENDS:
        found["unfinished_run"] = trail.entries[-1].run
    beyond = len(trail.entries) - (anchor.length if anchor else 0)
    if beyond:
        found["entries_not_in_the_store"] = beyond
    return found


def _cut(path: Path, size: int) -> None:
    try:
        os.truncate(path, size)
    except OSError as error:
        raise UsageError(f"can't be written ({error.strerror})", file=path.name) from error
