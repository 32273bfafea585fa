"""Where jobs run changes no byte: pools that die, clusters, memory that is short."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import aavqc
from aavqc.batch import execute, run
from aavqc.batch.cluster import cluster
from aavqc.batch.jobs import Done, Job, run_job
from aavqc.batch.pool import local_pool
from aavqc.documents import ResultDocument
from aavqc.errors import UsageError

TABLE = "ddpcr/EX24-001.csv"


@pytest.fixture
def plates(example_lot: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "plates"
    folder.mkdir()
    for name in ("a", "b", "c", "d"):
        shutil.copy(example_lot / TABLE, folder / f"{name}.csv")
    return folder


def payloads(out: Path) -> dict[str, bytes]:
    return {
        p.name: aavqc.documents.canonical(ResultDocument.load(p).payload)
        for p in (out / "results").glob("*.json")
    }


def die_for(victim: str, counted: Path, job: Job) -> Done:
    """Run a job in a worker, or be killed by it, as the system does when memory ends."""
    if job.export.files[0].name == victim:
        with open(counted, "a") as stream:
            stream.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    return run_job(job)


class Deadly(Executor):
    """A pool whose worker dies of one export."""

    def __init__(self, pool: Executor, victim: str, counted: Path) -> None:
        self.pool, self.victim, self.counted = pool, victim, counted

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self.pool.submit(die_for, self.victim, self.counted, *args)


def test_a_worker_that_is_killed_is_replaced_and_costs_no_result(plates: Path, tmp_path: Path) -> None:
    with local_pool(2) as pool:
        report = run(plates, tmp_path / "out", executor=Deadly(pool, "b.csv", tmp_path / "deaths"))
        assert pool.submit(os.getpid).result() != os.getpid()
    assert (tmp_path / "deaths").read_text() == "x"
    assert not report.errors
    run(plates, tmp_path / "one")
    assert payloads(tmp_path / "out") == payloads(tmp_path / "one")


def test_a_job_that_kills_two_workers_is_given_up_alone(
    plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = tmp_path / "deaths"
    monkeypatch.setattr(execute, "run_job", _DieForB(deaths))
    with local_pool(2) as pool:
        report = run(plates, tmp_path / "out", executor=pool)
    assert deaths.read_text() == "xx"
    (error,) = report.errors
    assert "died twice" in str(error)
    assert error.file == "b.csv"
    assert sorted(f.path for f in report.manifest.files if f.status == "used") == ["a.csv", "c.csv", "d.csv"]


class _DieForB:
    def __init__(self, counted: Path) -> None:
        self.counted = counted

    def __call__(self, job: Job) -> Done:
        return die_for("b.csv", self.counted, job)


def test_workers_have_one_thread_each() -> None:
    with local_pool(1) as pool:
        assert pool.submit(os.getenv, "OPENBLAS_NUM_THREADS").result() == "1"
        assert pool.submit(os.getenv, "NUMBA_NUM_THREADS").result() == "1"
    with local_pool(1, threads=2) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "2"


def test_workers_end_with_a_parent_that_is_killed() -> None:
    code = (
        "import os, sys, time\nfrom aavqc.batch.pool import local_pool\n"
        "if __name__ == '__main__':\n"
        "    with local_pool(1) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n        time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(1200):
        if not _alive(worker):
            return
        time.sleep(0.05)
    pytest.fail("the worker outlived its parent")


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc").is_dir():
        pytest.skip("needs /proc")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


class Counting(Executor):
    """Threads that say how many jobs were handed over at once."""

    workers = 4

    def __init__(self) -> None:
        self.pool, self.most, self.now = ThreadPoolExecutor(4), 0, 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.now += 1
        self.most = max(self.most, self.now)
        future = self.pool.submit(fn, *args, **kwargs)
        future.add_done_callback(self._less)
        return future

    def _less(self, _: Future[Any]) -> None:
        self.now -= 1


@pytest.mark.parametrize(("memory", "most"), [(1, 1), (2 * execute.MEMORY_A_JOB + 10_000_000, 2)])
def test_jobs_under_way_fit_the_budget_of_memory(
    memory: int, most: int, plates: Path, tmp_path: Path
) -> None:
    executor = Counting()
    with executor.pool:
        report = run(plates, tmp_path / "out", executor=executor, memory=memory)
    assert len(report.results) == 4
    assert executor.most <= most


# ---------------------------------------------------------------- a cluster


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A scheduler with two worker processes."""
    distributed = pytest.importorskip("distributed")
    from dask import config

    # a busy machine takes its time to start two processes
    slowly = {"distributed.comm.timeouts.connect": "120s", "distributed.deploy.lost-worker-timeout": "120s"}
    with (
        config.set(slowly),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", host="127.0.0.1"
        ) as local,
    ):
        yield local.scheduler_address


def test_a_cluster_gives_the_same_bytes(
    address: str, plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(plates, tmp_path / "one")
    monkeypatch.chdir(tmp_path)  # workers have another working directory
    with cluster(address) as executor:
        assert executor.workers == 2
        report = run("plates", "out", executor=executor)
    assert not report.errors
    assert not report.bugs
    assert payloads(tmp_path / "out") == payloads(tmp_path / "one")


def test_a_worker_that_reads_other_bytes_refuses(address: str, plates: Path) -> None:
    from aavqc.analysis import resolve_method
    from aavqc.parsers import survey

    export = survey(plates).exports[0]
    (plates / "a.csv").write_bytes((plates / "a.csv").read_bytes() + b"\n")
    with cluster(address) as executor:
        done = executor.submit(run_job, Job(export, resolve_method("ddpcr", None))).result()
    assert done.document is None
    assert "other bytes" in str(done.error)


def test_a_scheduler_that_does_not_answer_is_a_wrong_call(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("aavqc.batch.cluster.CONNECT_S", 0.3)
    for wrong in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(UsageError, match="no scheduler"), cluster(wrong):
            pass
