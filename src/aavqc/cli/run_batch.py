"""Run a batch as ``batch`` and ``demo`` do: where its jobs run, its progress, what it came to."""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aavqc.cli.output import talk, talk_flag
from aavqc.errors import EXIT_BUG

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from aavqc.batch import BatchReport
    from aavqc.batch.jobs import Done


def run_batch(folder: str | Path, out: str | Path, **options: Any) -> BatchReport:
    """Run a batch, show its progress, and say what it came to."""
    from aavqc.batch import run
    from aavqc.batch.left_out import wells_left_out

    with _progress() as on_done:
        report = run(folder, out, on_done=on_done, **options)
    for error in report.errors:
        talk(f"failed: {error}", logging.ERROR, error=error.document()["error"])
    for trace in report.bugs:
        talk(f"a bug in aavqc, please report it:\n{trace}", logging.ERROR, exit=EXIT_BUG)
    for problem in report.manifest.problems:
        talk(f"sample sheet: {problem}", logging.WARNING)
    for text in dict.fromkeys(t for ts in wells_left_out(report.payloads.values()).values() for t in ts):
        talk(f"sample sheet: {text}", logging.WARNING)
    for payload in report.payloads.values():
        for sample in payload.samples:
            for flag in sample.flags:
                if flag.severity != "info":
                    talk_flag(sample, flag)
    status = Counter(entry.status for entry in report.manifest.files)
    talk(
        f"files: {status['used']} used, {status['ignored']} ignored, {status['failed']} failed; "
        f"results: {len(report.payloads)} in {report.out / 'results'}"
        + (f", {report.kept} of them from before, nothing computed again" if report.kept else "")
    )
    for evaluation in report.evaluations:
        talk(
            f"lot {evaluation.lot}: {evaluation.overall} by specification {evaluation.specification.id}",
            lot=evaluation.lot,
            overall=evaluation.overall,
            specification=evaluation.specification.id,
        )
    if report.payloads and not report.evaluations:
        talk("no specification: nothing was judged, and no lot has a report")
    report_lots(report.out, options["executor"])
    return report


def report_lots(out: Path, executor: Executor | None) -> None:
    """Write the reports of lots whose results changed; results stand whatever becomes of these."""
    from aavqc.batch.pool import LocalPool
    from aavqc.report.write import write_reports

    local = executor if isinstance(executor, LocalPool) else None  # a cluster need not see OUT
    try:
        written = write_reports(out, changed=True, executor=local)
    except Exception as error:  # a report costs no result, and verdicts alone set the exit code  # noqa: BLE001
        talk(f"no report: {type(error).__name__}: {error}; `aavqc report {out}` tries again")
    else:
        talk(f"report: {written.index}")


@contextmanager
def where_jobs_run(workers: int, threads: int = 1, scheduler: str | None = None) -> Iterator[Executor | None]:
    """Yield where jobs run: a cluster, a pool, or with one worker this process."""
    if scheduler is not None:
        from aavqc.batch.cluster import cluster

        with cluster(scheduler) as remote:
            yield remote
    elif workers == 1:
        yield None
    else:
        from aavqc.batch.pool import local_pool

        with local_pool(workers or os.cpu_count() or 1, threads) as pool:
            yield pool


@contextmanager
def _progress() -> Iterator[Callable[[Done, int, int], None] | None]:
    """Yield what shows progress: a bar on a terminal; elsewhere the library's log has a line a job."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("analyzing", total=None)

        def step(done: Done, n: int, total: int) -> None:
            bar.update(task, total=total, completed=n, description=done.record[:40])

        yield step
