"""Batch: a folder of exports → results, evaluations, tables; one bad file costs no other.

:func:`run` walks the folder, joins exports with the sample sheet, analyzes each export as a
job of its own (in this process or on any executor), judges each lot against the
specification, and writes OUT. It computes nothing itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.analysis import TECHNIQUES, nothing_found, resolve_method, row_settings, settings_class
from aavqc.batch.jobs import Done, Job, job_id, run_job
from aavqc.batch.judge import judge_results
from aavqc.batch.outputs import lot_file, write_outputs
from aavqc.batch.pool import local_pool
from aavqc.batch.recorder import Recorder, file_hash
from aavqc.batch.sheet import Assignment, assign, load_sheet
from aavqc.documents import EvaluationEntry, FileEntry, Manifest, Method, ResultDocument, SheetRow
from aavqc.errors import (
    EXIT_BUG,
    EXIT_INCOMPLETE,
    EXIT_INVALID,
    AavqcError,
    InputError,
    UsageError,
    worst_exit,
)
from aavqc.methods import load_method
from aavqc.parsers import Survey, survey
from aavqc.results import Specification
from aavqc.settings import build

if TYPE_CHECKING:
    from aavqc.results import Evaluation

__all__ = ["BatchReport", "run"]

OnDone = Callable[[Done, int, int], None]


@dataclass
class BatchReport:
    """What a batch did.

    Attributes
    ----------
    out : Path
    manifest : Manifest
        A row for every file seen.
    results : dict of str to ResultDocument
        By job.
    evaluations : list of Evaluation
        One a lot and specification.
    errors : list of AavqcError
        Every file or record that failed, with what was expected and found.
    bugs : list of str
        Tracebacks of errors that are not the input's fault.
    """

    out: Path
    manifest: Manifest
    results: dict[str, ResultDocument] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    errors: list[AavqcError] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)

    @property
    def exit_codes(self) -> Counter[int]:
        """Every exit code that applies, with its count."""
        codes: Counter[int] = Counter(e.exit_code for e in self.evaluations)
        codes.update(e.exit_code for e in self.errors)
        codes[EXIT_BUG] += len(self.bugs)
        codes[EXIT_INCOMPLETE] += len(self.manifest.problems)
        samples = [s for r in self.results.values() for s in r.samples if s.role == "sample"]
        codes[EXIT_INVALID] += sum(s.status == "invalid" for s in samples)
        return +codes

    @property
    def exit_code(self) -> int:
        """The one that stands for all: an unreadable file never hides an OOS."""
        return worst_exit(set(self.exit_codes))


def run(
    folder: str | Path,
    out: str | Path,
    *,
    samples: str | Path | None = None,
    methods: Sequence[str | Path | Method] = (),
    specification: str | Path | Sequence[str | Path] | None = None,
    executor: Executor | None = None,
    actor: str | None = None,
    reason: str | None = None,
    store: str | None = None,
    on_done: OnDone | None = None,
) -> BatchReport:
    """Analyze and judge everything below a folder.

    Parameters
    ----------
    folder : path
        Never written to.
    out : path
        Output folder; must not lie inside ``folder``.
    samples : path, optional
        Sample sheet; default ``folder/samples.csv`` where it exists.
    methods : sequence, optional
        At most one a technique; default ``folder/method*.toml``, else the built-in ones.
    specification : path or paths, optional
        Default ``folder/specification*.toml``.
    executor : concurrent.futures.Executor, optional
        Where jobs run; default: one after the other in this process.
    actor, reason : str, optional
        Who runs this, and why: for the envelopes and the audit trail. A regulated method
        requires both.
    store : str, optional
        URL of the database of results; default ``out/aavqc.sqlite``.
    on_done : callable(done, n, total), optional
        Called as each job ends, for progress.

    Returns
    -------
    BatchReport

    Raises
    ------
    UsageError
        ``out`` inside ``folder``; a method, sheet or specification that can't be used; a store
        that can't be used; no actor or reason where one is required.
    VerificationError
        ``out`` holds an audit trail that is not what was written.
    """
    folder, out = Path(folder), Path(out)
    if not folder.is_dir():
        raise InputError("no such folder", file=str(folder))
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            "the output folder lies inside the folder of exports",
            found=str(out),
            hint="exports are never written to: choose another --out",
        )
    by_technique = _methods(folder, methods)
    setting_names = {name for t in TECHNIQUES for name in settings_class(t).model_fields}
    sheet_path = Path(samples) if samples is not None else folder / "samples.csv"
    rows = load_sheet(sheet_path, setting_names) if samples is not None or sheet_path.exists() else []
    specifications = [Specification.load(path) for path in _specifications(folder, specification)]
    lots = _lots(rows, sheet_path.parent)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"no output folder can be made ({error.strerror})", file=str(out)) from error
    found = survey(folder)
    assignment = assign(rows, found.exports, folder, sheet_path)
    jobs = _jobs(found, assignment, by_technique, sheet_path, actor, reason)

    recorder = Recorder.begin(
        out,
        source=folder,
        store=store,
        actor=actor,
        reason=reason,
        regulated=any(_regulated(job) for job in jobs),
        details={"sample_sheet": file_hash(sheet_path) if rows else None},
    )

    report = BatchReport(out, Manifest(schema="aavqc.manifest/1", files=[], problems=[]))
    arrays = {}
    job_of: dict[str, str] = {}
    failed: dict[str, str] = {}
    for n, done in enumerate(_run_all(jobs, executor), start=1):
        if done.document is not None:
            job = job_id(done.document.payload)
            job_of[done.record], report.results[job] = job, done.document
            arrays[job] = done.arrays
        elif done.error is not None:
            failed[done.record] = str(done.error)
            report.errors.append(done.error)
        else:
            failed[done.record] = "a bug ended the analysis"
            report.bugs.append(done.bug or "")
        if on_done is not None:
            on_done(done, n, len(jobs))
    report.errors += [row.error for row in found.failures if row.error is not None]
    if not found.exports and not report.errors:
        report.errors.append(nothing_found(found, folder))
    report.errors.sort(key=str)
    report.results = dict(sorted(report.results.items()))
    report.manifest = Manifest(
        schema="aavqc.manifest/1",
        files=_file_entries(found, job_of, failed, report.errors),
        problems=assignment.problems,
    )
    report.evaluations = judge_results(
        report.results,
        specifications,
        lots=lots,
        without_sheet=None if rows else folder.resolve().name,
    )
    report.manifest.evaluations = [
        EvaluationEntry(
            lot=e.lot,
            specification=e.specification.id,
            overall=e.overall,
            file=lot_file(e, report.evaluations),
        )
        for e in report.evaluations
    ]
    write_outputs(report.out, report.manifest, report.results, arrays, report.evaluations)
    for job in report.results:
        recorder.wrote(job)
    used = [*specifications, *(s for named in lots.values() for s in named)]
    recorder.end(report.manifest, report.evaluations, used)
    return report


def _methods(folder: Path, methods: Sequence[str | Path | Method]) -> dict[str, Method]:
    found = [m if isinstance(m, Method) else load_method(m) for m in methods]
    if not methods:
        found = [load_method(path) for path in sorted(folder.glob("method*.toml"))]
    by_technique: dict[str, Method] = {}
    for method in found:
        if method.technique in by_technique:
            raise UsageError(
                f"two methods for technique {method.technique}",
                found=f"{by_technique[method.technique].name}, {method.name}",
                hint="name one with --method, or one a row in the sample sheet",
            )
        by_technique[method.technique] = method
    return by_technique


def _specifications(folder: Path, specification: str | Path | Sequence[str | Path] | None) -> list[Path]:
    if specification is None:
        return sorted(folder.glob("specification*.toml"))
    given = [specification] if isinstance(specification, (str, Path)) else specification
    return [Path(path) for path in given]


def _lots(rows: Sequence[SheetRow], sheet_folder: Path) -> dict[str, list[Specification]]:
    """Return the lots of the sheet, each with the specifications that its rows name."""
    named: dict[str, dict[str, None]] = {}
    for row in rows:
        named.setdefault(row.lot, {}).update({row.specification: None} if row.specification else {})
    return {lot: [Specification.load(sheet_folder / path) for path in paths] for lot, paths in named.items()}


def _jobs(
    found: Survey,
    assignment: Assignment,
    methods: dict[str, Method],
    sheet: Path,
    actor: str | None,
    reason: str | None,
) -> list[Job]:
    jobs = []
    for export in found.exports:
        rows = assignment.rows.get(export.name, [])
        named = {row.method for row in rows if row.method}
        if len(named) > 1:
            raise UsageError(
                f"two methods for one record {export.name!r} in the sample sheet",
                found=", ".join(sorted(named)),
            )
        method: str | Path | Method | None = methods.get(export.technique)
        for name in named:
            method = sheet.parent / name if name.endswith(".toml") else name
        resolved = resolve_method(export.technique, method)
        _refuse_settings(resolved, rows, sheet)
        jobs.append(Job(export, resolved, tuple(rows), actor, reason))
    return jobs


def _refuse_settings(method: Method, rows: Sequence[SheetRow], sheet: Path) -> None:
    """Refuse settings that the technique does not take, before anything is analyzed."""
    cls = settings_class(method.technique)
    try:
        build(cls, method.settings)
    except UsageError as error:
        raise error.in_file(f"method {method.name!r}") from error
    for row in rows:
        try:
            build(cls, method.settings, row_settings(row, cls))
        except UsageError as error:
            error.line = row.line
            raise error.in_file(sheet.name) from error


def _regulated(job: Job) -> bool:
    cls = settings_class(job.method.technique)
    whole = [row_settings(row, cls) for row in job.rows if not row.wells]
    return build(cls, job.method.settings, *whole).regulated


def _run_all(jobs: list[Job], executor: Executor | None) -> Iterator[Done]:
    if executor is None:
        yield from map(run_job, jobs)
        return
    futures = {executor.submit(run_job, job): job for job in jobs}
    for future in as_completed(futures):
        # a worker that died takes all that it had with it: each job has one more chance
        yield _once_more(futures[future]) if future.exception() is not None else future.result()


def _once_more(job: Job) -> Done:
    """Run a job in a process of its own; if that dies too, the job has failed and nothing else."""
    with local_pool(1) as executor:
        try:
            return executor.submit(run_job, job).result()
        except BrokenExecutor:
            error = InputError(
                "the process that analyzed it died twice",
                file=job.export.files[0].name,
                hint="more memory, or a parser or library that crashes on it",
            )
            return Done(job.export.name, error=error)


def _file_entries(
    found: Survey, job_of: dict[str, str], failed: dict[str, str], errors: Iterable[AavqcError]
) -> list[FileEntry]:
    """A row a file; of a record that failed, the file at fault is failed and the rest are not used."""
    at_fault = {e.file for e in errors if e.file}
    entries = []
    for row in found.files:
        status, reason = row.status, row.reason
        if row.record in failed:
            culprit = row.name in at_fault or not any(
                f.name in at_fault for f in found.files if f.record == row.record
            )
            status = "failed" if culprit else "ignored"
            reason = failed[row.record] if culprit else f"record failed: {failed[row.record]}"
        entries.append(
            FileEntry(
                path=row.name,
                sha256=row.sha256,
                status=status,
                reason=reason,
                record=row.record,
                job=job_of.get(row.record) if row.record else None,
            )
        )
    return entries
