"""Batch: a folder of exports → results, evaluations, tables; one bad file costs no other.

:func:`run` walks the folder, joins exports with the sample sheet, analyzes each export as a
job of its own (in this process or on any executor), saves its result as the job ends, judges
each lot against the specification, and writes OUT. Run again, it computes only what is not
there yet. It computes nothing itself.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.analysis import nothing_found
from aavqc.batch.alone import alone
from aavqc.batch.apart import formats_apart
from aavqc.batch.execute import run_all
from aavqc.batch.finished import finished
from aavqc.batch.jobs import Done, Job
from aavqc.batch.judge import judge_results
from aavqc.batch.manifest import make_manifest
from aavqc.batch.outputs import Results, save_results, write_outputs
from aavqc.batch.plan import jobs_of, make_plan, regulated
from aavqc.batch.recorder import Recorder, file_hash
from aavqc.batch.settle import still_changing
from aavqc.batch.tables import result_lines
from aavqc.documents import Manifest, Method, Payload
from aavqc.errors import (
    EXIT_BUG,
    EXIT_INCOMPLETE,
    EXIT_INVALID,
    AavqcError,
    InputError,
    UsageError,
    worst_exit,
)
from aavqc.logs import fields
from aavqc.parsers import survey
from aavqc.results import Links, load_results
from aavqc.sheet import assign

if TYPE_CHECKING:
    from aavqc.results import Evaluation

__all__ = ["BatchReport", "run"]

log = logging.getLogger(__name__)

OnDone = Callable[[Done, int, int], None]


@dataclass
class BatchReport:
    """What a batch did.

    Attributes
    ----------
    out : Path
    manifest : Manifest
        A row for every file seen.
    payloads : dict of str to Payload
        By job, without inputs, diagnostics and wells: what judging needs.
    evaluations : list of Evaluation
        One a lot and specification.
    errors : list of AavqcError
        Every file or record that failed, with what was expected and found.
    bugs : list of str
        Tracebacks of errors that are not the input's fault.
    kept : int
        How many results were found finished in OUT.
    """

    out: Path
    manifest: Manifest = field(default_factory=lambda: Manifest(files=[], problems=[]))
    payloads: dict[str, Payload] = field(default_factory=dict)
    evaluations: list[Evaluation] = field(default_factory=list)
    errors: list[AavqcError] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)
    kept: int = 0

    @property
    def results(self) -> Results:
        """The whole results by job, each read from OUT when it is asked for."""
        return Results(self.out, self.payloads)

    @property
    def exit_codes(self) -> Counter[int]:
        """Every exit code that applies, with its count."""
        codes: Counter[int] = Counter(e.exit_code for e in self.evaluations)
        codes.update(e.exit_code for e in self.errors)
        codes[EXIT_BUG] += len(self.bugs)
        codes[EXIT_INCOMPLETE] += len(self.manifest.problems)
        samples = [s for p in self.payloads.values() for s in p.samples if s.role == "sample"]
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
    other: Sequence[str | Path] = (),
    links: str | Path | None = None,
    executor: Executor | None = None,
    memory: int | None = None,
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
        Output folder; must not lie inside ``folder``. Results that an earlier run finished there
        are kept where their bytes, methods and versions are the same.
    samples : path, optional
        Sample sheet or a plate's layout; default ``folder/samples.csv`` where it exists.
    methods : sequence, optional
        At most one a technique; default ``folder/method*.toml``, else the built-in ones.
    specification : path or paths, optional
        Default ``folder/specification*.toml``.
    other : paths, optional
        Results from elsewhere, see :func:`aavqc.results.load_results`.
    links : path, optional
        Retests and manual changes, see :class:`aavqc.results.Links`.
    executor : concurrent.futures.Executor, optional
        Where jobs run; default: one after the other in this process.
    memory : int, optional
        Bytes that the jobs under way on an executor may take together, by estimate; default half
        of the machine's.
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
        ``out`` inside ``folder``, not writable, or written to by another run; a method, sheet,
        specification or store that can't be used; no actor or reason where they are required.
    VerificationError
        ``out`` holds an audit trail that is not what was written.
    """
    folder, out = _places(Path(folder), Path(out))
    with alone(out):
        plan = make_plan(folder, samples, methods, specification)
        elsewhere = load_results(*other)
        linked = Links.load(links) if links is not None else None
        if linked is not None:
            linked.refuse_impossible(c.result_id for some in elsewhere.values() for c in some if c.result_id)
        changing = still_changing(folder)
        with nullcontext() if executor is None else formats_apart() as known:
            found = survey(folder, known=known)
        assignment = assign(plan.rows, found.exports, folder, plan.sheet)
        jobs = jobs_of(plan, found, assignment, actor, reason)

        recorder = Recorder.begin(
            out,
            source=folder,
            store=store,
            actor=actor,
            reason=reason,
            regulated=any(regulated(job) for job in jobs),
            details={
                "sample_sheet": file_hash(plan.sheet) if plan.rows else None,
                "other": [file_hash(Path(path)) for path in other],
                "links": None if links is None else file_hash(Path(links)),
            },
        )
        report = BatchReport(out)
        lines: list[tuple[tuple[str, ...], str]] = []
        job_of: dict[str, str] = {}
        failed: dict[str, str] = {}
        for n, done in enumerate(_carry_out(jobs, changing, recorder, executor, memory), start=1):
            if done.document is not None:
                payload = done.document.payload
                job_of[done.record] = done.job
                report.payloads[done.job] = _light(payload, linked is not None)
                report.kept += done.kept
                lines += result_lines(payload, done.job)
            elif done.error is not None:
                failed[done.record] = str(done.error)
                report.errors.append(done.error)
            else:
                failed[done.record] = "a bug ended the analysis"
                report.bugs.append(done.bug or "")
            _log_end(done, job_of.get(done.record), n, len(jobs))
            if on_done is not None:
                on_done(done, n, len(jobs))
        report.errors += [row.error for row in found.failures if row.error is not None]
        if not found.exports and not report.errors:
            report.errors.append(nothing_found(found, folder))
        report.errors.sort(key=str)
        report.payloads = dict(sorted(report.payloads.items()))
        report.evaluations = judge_results(
            report.payloads,
            plan.specifications,
            lots=plan.lots,
            without_sheet=None if plan.rows else folder.resolve().name,
            other=elsewhere,
            links=linked,
        )
        report.manifest = make_manifest(
            found.files, assignment.problems, job_of, failed, report.errors, report.evaluations
        )
        write_outputs(out, report.manifest, lines, report.evaluations)
        try:
            recorder.end(report.manifest, report.evaluations, plan.every_specification)
        except InputError as error:  # what was found lies in OUT: a store that failed must not hide it
            report.errors.append(error)
        return report


def _log_end(done: Done, job: str | None, n: int, total: int) -> None:
    outcome = "kept" if done.kept else "failed" if done.document is None else "done"
    seconds = None if done.document is None or done.kept else done.document.envelope.seconds
    said = fields(record=done.record, outcome=outcome, job=job, n=n, total=total, seconds=seconds)
    log.info("[%d/%d] %s: %s", n, total, done.record, outcome, extra=said)


def _places(folder: Path, out: Path) -> tuple[Path, Path]:
    """Return both paths absolute, for workers may have another working directory; make OUT."""
    if not folder.is_dir():
        raise InputError("no such folder", file=str(folder))
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(
            "the output folder lies inside the folder of exports",
            found=str(out),
            hint="exports are never written to: choose another --out",
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"no output folder can be made ({error.strerror})", file=str(out)) from error
    return Path(os.path.abspath(folder)), out


def _carry_out(
    jobs: Sequence[Job],
    changing: frozenset[Path],
    recorder: Recorder,
    executor: Executor | None,
    memory: int | None,
) -> Iterator[Done]:
    """Refuse what is still being written, keep what is finished, run the rest."""
    waiting = {job.export.name: job for job in jobs}
    for job in jobs:
        moving = next((f.name for f in job.export.files if f.path in changing), None)
        if moving is not None:
            error = InputError("still being written", file=moving, hint="run the batch again later")
            yield Done(waiting.pop(job.export.name).export.name, error=error)
    for done in finished(recorder, waiting.values()):
        del waiting[done.record]
        yield done
    for ended in run_all(list(waiting.values()), executor, memory):
        yield from _saved(ended, recorder)


def _saved(ended: Sequence[Done], recorder: Recorder) -> list[Done]:
    """Save results that are new; one that can't be written has failed, and the rest goes on."""
    new = {done.job: (done.document, done.arrays) for done in ended if done.document is not None}
    written, failed = save_results(recorder.out, new)
    try:
        recorder.wrote(written)
    except UsageError as error:
        failed = dict.fromkeys(new, error)
    return [Done(done.record, error=failed[done.job]) if done.job in failed else done for done in ended]


def _light(payload: Payload, linked: bool) -> Payload:
    """Return a result without what is large: a batch holds thousands of them.

    Links compare settings and inputs; else the design length is all that judging asks for.
    """
    samples = [s.model_copy(update={"diagnostics": {}, "warnings": []}) for s in payload.samples]
    if linked:
        return payload.model_copy(update={"samples": samples, "wells": None})
    design = {k: v for k, v in payload.method.settings.items() if k == "design_length"}
    method = payload.method.model_copy(update={"settings": design, "parts": []})
    return payload.model_copy(update={"samples": samples, "method": method, "inputs": [], "wells": None})
