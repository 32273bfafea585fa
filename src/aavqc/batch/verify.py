"""Verify an output folder: nothing in it or under it was altered, and it comes out again.

In this order: the audit trail and its head in the store; the files of OUT against the trail; the
store against the files; the raw files against the manifest; a re-run against the results.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.batch.audit import FILE, AuditEntry, Trail, anchored, read_trail
from aavqc.batch.compare import OF_THE_WIDTH, RELATIVE
from aavqc.batch.mirror import altered_store, check_store
from aavqc.batch.recorder import STORE, file_hash, read_plain
from aavqc.batch.rerun import judge_again, other_platform, rerun
from aavqc.documents import Manifest, Payload, ResultDocument, digest
from aavqc.errors import AavqcError, InputError, VerificationError
from aavqc.parsers import Survey, survey
from aavqc.results import Evaluation, Specification

if TYPE_CHECKING:
    from aavqc.store import Plain, Store

FOLDERS = ("arrays", "lots", "results")


@dataclass(frozen=True)
class Verification:
    """What a verification found.

    Attributes
    ----------
    findings : list of VerificationError
        In the order of the steps; empty where all is as it was.
    checked : list of str
        What was compared; a re-run says which comparison it made.
    """

    findings: list[VerificationError] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)


def verify(
    out: str | Path, *, source: str | Path | None = None, store: str | None = None, again: bool = True
) -> Verification:
    """Check an output folder of a batch; nothing is changed.

    Parameters
    ----------
    out : path
    source : path, optional
        The folder of exports; default where it was when the batch ran.
    store : str, optional
        URL, where the batch was given one.
    again : bool
        Analyze the exports again and compare.

    Returns
    -------
    Verification

    Raises
    ------
    InputError
        No output folder of a batch, or a store named by URL that can't be reached.
    """
    out = Path(out)
    if not (out / FILE).is_file() and not (out / "manifest.json").is_file():
        raise InputError("no output folder of a batch", file=str(out), expected=f"{FILE} and manifest.json")
    report = Verification()
    try:
        trail, opened = _trail(out, store, report)
        altered = _files(out, trail, report)
        if "manifest.json" in altered:  # what follows rests on it
            return report
        folder = _Folder(out, trail, altered)
        report.findings.extend(
            check_store(opened, trail.chain, folder.manifest, folder.documents, folder.evaluations)
        )
        report.checked.append(f"store {Path(opened.name).name}: every row made again from the files")
        surveyed = _raw(folder.manifest, Path(source or _begun(trail).details["source"]), report)
        if again:
            _again(folder, surveyed, opened, report)
    except VerificationError as error:
        report.findings.append(error)
    return report


@dataclass(frozen=True)
class _Folder:
    """The documents of OUT whose bytes are those that the trail names."""

    out: Path
    trail: Trail
    altered: frozenset[str]

    @cached_property
    def manifest(self) -> Manifest:
        return Manifest.load(self.out / "manifest.json")

    @cached_property
    def evaluations(self) -> Mapping[str, Evaluation]:
        """By file."""
        files = [entry.file for entry in self.manifest.evaluations if entry.file not in self.altered]
        return {file: Evaluation.load(self.out / file) for file in files}

    def documents(self) -> Iterator[tuple[str, str, Plain]]:
        """Yield job, hash and content of every result, one at a time, in the order of jobs."""
        for job in sorted({entry.job for entry in self.manifest.files if entry.job}):
            name = f"results/{job}.json"
            if name in self.trail.files and name not in self.altered:
                yield job, self.trail.files[name], read_plain(self.out / name)


def _trail(out: Path, url: str | None, report: Verification) -> tuple[Trail, Store]:
    """Check the trail, and that its end is the one that the store keeps."""
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
    if trail.torn or trail.entries[-1].event != "run_ended":
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
    mended = sum(entry.event == "recovered" for entry in trail.entries)
    report.checked.append(
        f"{FILE}: {len(trail.entries)} entries, the head as in the store"
        + (f"; {mended} run(s) were interrupted and resumed" if mended else "")
    )
    return trail, store


def _begun(trail: Trail) -> AuditEntry:
    return next(entry for entry in reversed(trail.entries) if entry.event == "run_begun")


def _files(out: Path, trail: Trail, report: Verification) -> frozenset[str]:
    """Check every file that the trail names, and that there are no others; return the altered."""
    altered = set()
    for name, sha256 in sorted(trail.files.items(), key=lambda item: (item[0] != "manifest.json", item[0])):
        found = file_hash(out / name)
        if found != sha256:
            altered.add(name)
            kind = "altered bytes: not the file that was written" if found else "missing: a file of OUT"
            report.findings.append(_other(kind, name, sha256, found))
    present = [p.relative_to(out).as_posix() for f in FOLDERS for p in (out / f).glob("*") if p.is_file()]
    for name in sorted(set(present) - trail.files.keys()):
        if not name.rpartition("/")[2].startswith("."):  # a temporary file of a run that was killed
            report.findings.append(VerificationError("added: a file that no run wrote", file=name))
    report.checked.append(f"files of OUT: {len(trail.files)} against the audit trail")
    return frozenset(altered)


def _raw(manifest: Manifest, source: Path, report: Verification) -> Survey:
    """Hash every raw file again."""
    if not source.is_dir():
        raise VerificationError(
            "missing: the folder of exports", file=str(source), hint="name where it is with --source"
        )
    found = survey(source)
    now = {row.name: row for row in found.files}
    seen = [entry for entry in manifest.files if entry.sha256 is not None]
    for entry in seen:
        row = now.get(entry.path)
        if row is None or row.sha256 is None:
            archive = now.get(entry.path.partition("!/")[0])
            reason = row.reason if row else archive.reason if archive else "not there"
            kind = "altered bytes" if row or archive else "missing"
            report.findings.append(
                VerificationError(f"{kind}: a raw file", file=entry.path, expected="readable", found=reason)
            )
        elif row.sha256 != entry.sha256:
            kind = "altered bytes: not the raw file that was analyzed"
            report.findings.append(_other(kind, entry.path, entry.sha256 or "", row.sha256))
    later = len(now.keys() - {entry.path for entry in manifest.files})
    report.checked.append(
        f"raw files: {len(seen)} in {source}"
        + (f"; {later} that came later are not looked at" if later else "")
    )
    return found


def _other(kind: str, name: str, expected: str, found: str) -> VerificationError:
    return VerificationError(
        kind, file=name, expected=f"sha256 {expected[:16]}…", found=f"{found[:16]}…" if found else None
    )


def _again(folder: _Folder, surveyed: Survey, store: Store, report: Verification) -> None:
    """Analyze again what is as it was, and judge the lots again by that."""
    record_of = {entry.job: entry.record for entry in folder.manifest.files if entry.job}
    exports = {export.name: export for export in surveyed.exports}
    payloads: dict[str, Payload] = {}
    of_all, others = 0, list[str]()
    for job, _, plain in folder.documents():
        of_all += 1
        document = ResultDocument.model_validate(plain)
        export = exports.get(record_of[job] or "")
        if export is None or {f.input for f in export.files} != set(document.payload.inputs):
            continue  # an altered or missing raw file, which is named already
        arrays = folder.out / "arrays" / f"{job}.npz"
        try:
            payloads[job] = rerun(export, document, f"results/{job}.json", arrays.read_bytes())
        except VerificationError as error:
            report.findings.append(error)
        except OSError:
            continue  # missing arrays are named already
        platform = other_platform(document)
        if platform is not None:
            others.append(platform)
    made = (
        f"{len(others)} of them on another platform ({others[0]}): verdicts and censoring exactly, numbers "
        f"within {OF_THE_WIDTH:g} of the interval's width or {RELATIVE:g} of themselves"
        if others
        else "the same bytes, on the same platform"
    )
    report.checked.append(f"re-run: {len(payloads)} of {of_all} results come out again, {made}")
    if len(payloads) < of_all:
        return
    details = _begun(folder.trail).details
    with_sheet = details.get("sample_sheet") is not None
    if details.get("other") or details.get("links"):
        report.checked.append("verdicts: not made again, for results from elsewhere or links took part")
        return
    stored = {row["sha256"]: row["document"] for row in store.rows("specifications")}
    for file, evaluation in folder.evaluations.items():
        sha256 = evaluation.specification.sha256
        try:
            specification = Specification.model_validate(json.loads(stored.get(sha256, b"")))
        except (ValueError, AavqcError):
            specification = None
        if specification is None or digest(specification) != sha256:
            report.findings.append(
                VerificationError(
                    f"altered bytes: specifications.document of {evaluation.specification.id}",
                    file=Path(store.name).name,
                    expected=f"sha256 {sha256[:16]}…",
                )
            )
            continue
        report.findings.extend(
            judge_again(file, evaluation, specification, payloads, with_sheet=with_sheet, exactly=not others)
        )
    report.checked.append(f"verdicts: {len(folder.evaluations)} evaluation(s) made again")
