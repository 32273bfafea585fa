"""Verify an output folder: nothing in it or under it was altered, and it comes out again.

In this order: the audit trail and its head in the store; the files of OUT against the trail; the
signatures; the store against the files; the raw files against the manifest; a re-run against the results.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.batch.audit import FILE, AuditEntry, Trail
from aavqc.batch.compare import OF_THE_WIDTH, RELATIVE
from aavqc.batch.intact import altered_files, other_bytes, whole_trail
from aavqc.batch.mirror import check_store
from aavqc.batch.recorder import file_hash, read_plain
from aavqc.batch.rerun import judge_again, other_platform, rerun
from aavqc.batch.signatures import check_signatures
from aavqc.documents import Manifest, Payload, ResultDocument, digest
from aavqc.errors import AavqcError, InputError, VerificationError
from aavqc.parsers import Survey, survey
from aavqc.results import Candidate, Evaluation, Links, Specification, load_results
from aavqc.signing import Trust

if TYPE_CHECKING:
    from aavqc.store import Plain, Store


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
    out: str | Path,
    *,
    source: str | Path | None = None,
    store: str | None = None,
    other: Sequence[str | Path] = (),
    links: str | Path | None = None,
    again: bool = True,
    trust: Trust | None = None,
) -> Verification:
    """Check an output folder of a batch; nothing is changed.

    Parameters
    ----------
    out : path
    source : path, optional
        The folder of exports; default where it was when the batch ran.
    store : str, optional
        URL, where the batch was given one.
    other, links : paths, optional
        Results from elsewhere and links that the batch was given, to judge the lots again.
    again : bool
        Analyze the exports again and compare.
    trust : Trust, optional
        Who may sign, and who vouches for the time; default: any key, no time stamp is checked.

    Returns
    -------
    Verification

    Raises
    ------
    InputError
        No output folder of a batch, or a store named by URL that can't be reached.
    UsageError
        There are signatures, and the extra ``signing`` that checks them is not installed.
    """
    out = Path(out)
    if not (out / FILE).is_file() and not (out / "manifest.json").is_file():
        raise InputError("no output folder of a batch", file=str(out), expected=f"{FILE} and manifest.json")
    report = Verification()
    try:
        trail, opened = whole_trail(out, store)
        report.checked.append(_said(trail))
        report.findings.extend(altered_files(out, trail))
        report.checked.append(f"files of OUT: {len(trail.files)} against the audit trail")
        altered = frozenset(finding.file or "" for finding in report.findings)
        if "manifest.json" in altered:  # what follows rests on it
            return report
        findings, signed = check_signatures(out, trail, altered, trust or Trust())
        report.findings.extend(findings)
        report.checked.extend(signed)
        folder = _Folder(out, trail, altered)
        report.findings.extend(
            check_store(opened, trail.chain, folder.manifest, folder.documents, folder.evaluations)
        )
        report.checked.append(f"store {Path(opened.name).name}: every row made again from the files")
        beside = _Beside.checked(_begun(trail), other, links)
        surveyed = _raw(folder.manifest, Path(source or _begun(trail).details["source"]), report)
        if again:
            _again(folder, surveyed, opened, beside, report)
    except VerificationError as error:
        report.findings.append(error)
    return report


@dataclass(frozen=True)
class _Beside:
    """What was judged beside the results; ``complete`` where all that the batch was given is named."""

    other: Mapping[str | None, Sequence[Candidate]]
    links: Links | None
    complete: bool

    @classmethod
    def checked(cls, begun: AuditEntry, other: Sequence[str | Path], links: str | Path | None) -> _Beside:
        """Read files that the batch was given, after a check that they are those."""
        judged = [h for h in (*begun.details.get("other", ()), begun.details.get("links")) if h]
        given = [*map(Path, other), *([Path(links)] if links is not None else [])]
        for path in given:
            found = file_hash(path)
            if found not in judged:
                raise VerificationError(
                    "altered bytes: not a file that the batch was given" if found else "missing",
                    file=path.name,
                    expected=", ".join(f"sha256 {h[:16]}…" for h in judged) or "none",
                    found=f"{found[:16]}…" if found else None,
                )
        known = {file_hash(path) for path in given}
        return cls(
            load_results(*other),
            None if links is None else Links.load(links),
            known.issuperset(judged),
        )


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
        for job in self.manifest.jobs:
            name = f"results/{job}.json"
            if name in self.trail.files and name not in self.altered:
                yield job, self.trail.files[name], read_plain(self.out / name)


def _said(trail: Trail) -> str:
    mended = sum(entry.event == "recovered" for entry in trail.entries)
    return f"{FILE}: {len(trail.entries)} entries, the head as in the store" + (
        f"; {mended} run(s) were interrupted and resumed" if mended else ""
    )


def _begun(trail: Trail) -> AuditEntry:
    return next(entry for entry in reversed(trail.entries) if entry.event == "run_begun")


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
            report.findings.append(other_bytes(kind, entry.path, entry.sha256 or "", row.sha256))
    later = len(now.keys() - {entry.path for entry in manifest.files})
    report.checked.append(
        f"raw files: {len(seen)} in {source}"
        + (f"; {later} that came later are not looked at" if later else "")
    )
    return found


def _again(folder: _Folder, surveyed: Survey, store: Store, beside: _Beside, report: Verification) -> None:
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
    if not beside.complete:
        report.checked.append(
            "verdicts: not made again, for results from elsewhere or links took part"
            " (name them with --other, --links)"
        )
        return
    stored = {row["sha256"]: row["document"] for row in store.rows("specifications")}
    problems = {entry.file: entry.problems for entry in folder.manifest.evaluations}
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
            judge_again(
                file,
                evaluation,
                specification,
                payloads,
                with_sheet=with_sheet,
                exactly=not others,
                other=beside.other,
                links=beside.links,
                problems=problems[file],
            )
        )
    report.checked.append(f"verdicts: {len(folder.evaluations)} evaluation(s) made again")
