"""Run jobs on an executor: bounded in number and in memory, and a worker's death costs no result."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack
from functools import cache

from aavqc.batch.jobs import Done, Job, run_job
from aavqc.batch.pool import local_pool
from aavqc.errors import InputError
from aavqc.parsers.distribution import FORMAT as SAVED

MEMORY_A_BYTE = 30
"""Bytes of memory that an analysis takes for each byte of its export, at most: text becomes float64,
and fits make a few copies."""

MEMORY_A_JOB = 300 << 20
"""Bytes of memory that a worker takes before it has read anything."""

SOME_WORKERS = 16
"""Workers of an executor that does not say how many it has."""


HOLD_S = 0.2
"""How much work in this process may wait to be saved together: what a kill can cost beside the job
under way."""


def run_all(
    waiting: deque[Job], executor: Executor | None, memory: int | None = None
) -> Iterator[list[Done]]:
    """Run jobs, and yield what became of them: those together that can be saved together.

    Parameters
    ----------
    waiting : deque of Job
        Emptied on the way.
    executor : Executor, optional
        Default: one after the other in this process.
    memory : int, optional
        Bytes that the jobs under way may take together, by estimate; default half of the machine's.
        A job that alone takes more runs alone.

    Notes
    -----
    Where a worker dies, all that was under way with it is run once more, one at a time in a process
    beside the executor: what dies there too is given up, and the rest goes on.
    """
    if executor is None:
        yield from _in_turn(waiting)
        return
    _warm(waiting)
    budget = memory or _half_of_memory()
    most = 2 * int(getattr(executor, "workers", SOME_WORKERS))
    flying, taken = dict[Future[Done], Job](), 0
    ended: list[Done] = []
    with ExitStack() as stack:
        lone = cache(lambda: stack.enter_context(local_pool(1)))
        while waiting or flying or ended:
            while waiting and len(flying) < most and (not flying or taken + _estimate(waiting[0]) <= budget):
                job = waiting.popleft()
                try:
                    flying[executor.submit(run_job, job)] = job
                except BrokenExecutor:
                    yield [_alone(job, lone())]
                else:
                    taken += _estimate(job)
            if ended:  # only now: the workers have what comes next while these are saved
                yield ended
            ended, lost = [], []
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                job = flying.pop(future)
                taken -= _estimate(job)
                done = _outcome(future)
                ended += [done] if done is not None else []
                lost += [job] if done is None else []
            for job in lost:
                yield [_alone(job, lone())]


def _in_turn(waiting: deque[Job]) -> Iterator[list[Done]]:
    ended, since = list[Done](), time.monotonic()
    while waiting:
        ended.append(run_job(waiting.popleft()))
        if time.monotonic() - since >= HOLD_S:
            yield ended
            ended, since = [], time.monotonic()
    if ended:
        yield ended


def _outcome(future: Future[Done]) -> Done | None:
    """Return what a job came to, or None where its worker, or the way to it, broke."""
    try:
        return future.result()
    except Exception:  # an executor has errors of its own for a worker that died  # noqa: BLE001
        return None


def _alone(job: Job, executor: Executor) -> Done:
    """Run a job with no other beside it; if its process dies too, it has failed and nothing else."""
    done = _outcome(executor.submit(run_job, job))
    if done is not None:
        return done
    error = InputError(
        "the process that analyzed it died twice",
        file=job.export.files[0].name,
        hint="more memory, or a parser or library that crashes on it",
    )
    return Done(job.export.name, error=error)


def _warm(jobs: Iterable[Job]) -> None:
    """Compile the kernels of scans once where several workers would."""
    scans = [job for job in jobs if job.export.technique == "auc" and job.export.format != SAVED.name]
    if len(scans) > 1:
        from aavqc.kernels.warm import warm

        warm()


def _estimate(job: Job) -> int:
    return MEMORY_A_JOB + MEMORY_A_BYTE * sum(file.size for file in job.export.files)


def _half_of_memory() -> int:
    """Half of the machine's memory; where it does not say, what a small one has."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 4 << 30
