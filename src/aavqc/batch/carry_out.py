"""Carry out a batch's jobs: what is finished is kept, the rest is run and saved as it ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from pathlib import Path

from aavqc.batch.execute import run_all
from aavqc.batch.finished import finished
from aavqc.batch.jobs import Done, Job
from aavqc.batch.outputs import save_results
from aavqc.batch.recorder import Recorder
from aavqc.errors import InputError, UsageError


def carry_out(
    jobs: deque[Job],
    changing: frozenset[Path],
    recorder: Recorder,
    executor: Executor | None,
    memory: int | None,
) -> Iterator[Done]:
    """Refuse what is still being written, keep what is finished, run the rest; ``jobs`` is emptied."""
    waiting: dict[str, Job] = {}
    while jobs:
        job = jobs.popleft()
        moving = next((f.name for f in job.export.files if f.path in changing), None)
        if moving is None:
            waiting[job.export.name] = job
        else:
            error = InputError("still being written", file=moving, hint="run the batch again later")
            yield Done(job.export.name, error=error)
    for done in finished(recorder, waiting.values()):
        del waiting[done.record]
        yield done
    jobs.extend(waiting.values())
    waiting.clear()
    for ended in run_all(jobs, executor, memory):
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
