"""Run a batch: list, join with the sample sheet, carry out jobs, judge, write."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from aavqc.analysis import nothing_found
from aavqc.batch.alone import alone
from aavqc.batch.apart import formats_apart
from aavqc.batch.carry_out import carry_out
from aavqc.batch.jobs import Done
from aavqc.batch.judge import judge_results
from aavqc.batch.manifest import make_manifest
from aavqc.batch.outcome import BatchReport, light
from aavqc.batch.outputs import write_outputs
from aavqc.batch.plan import jobs_of, make_plan, regulated
from aavqc.batch.recorder import Recorder, file_hash
from aavqc.batch.settle import still_changing
from aavqc.batch.tables import result_lines
from aavqc.documents import Method
from aavqc.errors import InputError, UsageError
from aavqc.logs import fields
from aavqc.parsers import Survey, survey
from aavqc.results import Links, load_results
from aavqc.sheet import assign

log = logging.getLogger("aavqc.batch")

OnDone = Callable[[Done, int, int], None]


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
        Where jobs run; default: one after the other in this process, or beside it where parsers of
        other packages are installed.
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
    with alone(out), formats_apart(executor) as (known, place):
        plan = make_plan(folder, samples, methods, specification)
        elsewhere = load_results(*other)
        linked = Links.load(links) if links is not None else None
        if linked is not None:
            linked.refuse_impossible(c.result_id for some in elsewhere.values() for c in some if c.result_id)
            linked.refuse_other_tests(t.id for s in plan.every_specification for t in s.tests if t.trend)
        changing = still_changing(folder)
        found = survey(folder, known=known)
        assignment = assign(plan.rows, found.exports, folder, plan.sheet)
        waiting = deque(jobs_of(plan, found, assignment, actor, reason))
        problems, of_lots, total = [p.text for p in assignment.problems], assignment.of_lots(), len(waiting)
        told = [replace(row, reason=plan.read.get(row.name, row.reason)) for row in found.files]
        found = Survey([], told)
        del assignment  # a job is forgotten as it ends: there may be thousands

        recorder = Recorder.begin(
            out,
            source=folder,
            store=store,
            actor=actor,
            reason=reason,
            regulated=any(map(regulated, waiting)),
            details={
                "sample_sheet": file_hash(plan.sheet) if plan.rows else None,
                "other": [file_hash(Path(path)) for path in other],
                "links": None if links is None else file_hash(Path(links)),
            },
        )
        report = BatchReport(out)
        lines: list[tuple[tuple[str, ...], bytes]] = []
        job_of: dict[str, str] = {}
        failed: dict[str, str] = {}
        for n, done in enumerate(carry_out(waiting, changing, recorder, place, memory), start=1):
            if done.document is not None:
                payload = done.document.payload
                job_of[done.record] = done.job
                report.payloads[done.job] = light(payload, linked is not None)
                report.kept += done.kept
                lines += result_lines(payload, done.job)
            elif done.error is not None:
                failed[done.record] = str(done.error)
                report.errors.append(done.error)
            else:
                failed[done.record] = "a bug ended the analysis"
                report.bugs.append(done.bug or "")
            _log_end(done, job_of.get(done.record), n, total)
            if on_done is not None:
                on_done(done, n, total)
        report.errors += [row.error for row in found.failures if row.error is not None]
        if not total and not report.errors:
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
            problems=of_lots,
        )
        report.manifest = make_manifest(
            found.files, problems, of_lots, job_of, failed, report.errors, report.evaluations
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
