"""The worker of the examples, on a real PostgreSQL: each job ends once, whatever happens to its workers."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

from aavqc.batch.alone import alone
from aavqc.batch.verify import verify
from lims_workers import example, killed_workers, make_jobs, rows
from postgres_server import Server


@pytest.fixture(scope="module")
def worker() -> ModuleType:
    return example("worker")


@pytest.fixture
def queue(worker: ModuleType, postgres_url: str) -> str:
    """A table of two jobs that name folders which are never looked at."""
    worker.create(postgres_url)
    worker.create(postgres_url)
    for out in ("out1", "out2", "out1", "out2"):
        worker.enqueue(postgres_url, "exports", out)
    return postgres_url


def test_a_job_is_given_to_one_worker_and_ends_once(worker: ModuleType, queue: str) -> None:
    jobs = [worker.claim(queue, f"w{i}", 60) for i in range(3)]
    assert [job and job["id"] for job in jobs] == [1, 2, None]
    worker.finish(queue, jobs[0], {"status": "done", "exit": 1, "error": None, "wait": 0})
    first, second = rows(queue)
    assert (first["status"], first["exit_code"], first["attempt"]) == ("done", 1, 1)
    assert (second["status"], second["worker"]) == ("running", "w1")


def test_who_lost_its_lease_changes_nothing(worker: ModuleType, queue: str) -> None:
    slow = worker.claim(queue, "slow", 0)
    assert worker.claim(queue, "other", 60)["id"] == slow["id"]
    with worker.heartbeat(queue, slow, 0.01):
        worker.finish(queue, slow, {"status": "done", "exit": 0, "error": None, "wait": 0})
    job = rows(queue)[0]
    assert (job["status"], job["worker"], job["attempt"], job["deaths"]) == ("running", "other", 2, 1)


def test_the_lease_is_prolonged_while_the_work_goes_on(worker: ModuleType, queue: str) -> None:
    job = worker.claim(queue, "w", 0.2)
    with worker.heartbeat(queue, job, 0.2):
        for _ in range(20):
            assert worker.claim(queue, "thief", 60) in (None, {**job, "id": 2, "out": "out2"})
            with psycopg.connect(queue) as connection:
                connection.execute("SELECT pg_sleep(0.03)")


def test_a_job_that_kills_its_workers_is_poison(worker: ModuleType, queue: str) -> None:
    claimed = [worker.claim(queue, "w", 0) for _ in range(worker.DEATHS)]
    assert [job["id"] for job in claimed] == [1] * worker.DEATHS
    assert worker.claim(queue, "w", 60) == {**claimed[-1], "attempt": worker.DEATHS + 1, "status": "poison"}
    assert worker.claim(queue, "w", 60)["id"] == 2
    assert (rows(queue)[0]["deaths"], rows(queue)[0]["status"]) == (worker.DEATHS, "poison")


def test_what_fails_is_tried_again_later_and_not_for_ever(
    worker: ModuleType, example_lot: Path, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BACK_OFF_S", 0.0)
    make_jobs(tmp_path, example_lot, postgres_url, 2)
    (tmp_path / "exports" / "0001" / "plate.csv").write_bytes(b"\0\1\2")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    worker.main(postgres_url, 60.0, until_empty=True, pause=0.01)
    good, bad = rows(postgres_url)
    assert (good["status"], good["attempt"], good["error"]) == ("done", 1, None)
    assert (bad["status"], bad["attempt"], bad["exit_code"]) == ("failed", worker.ATTEMPTS, 3)
    assert "plate.csv" in bad["error"]


def test_the_wait_doubles_and_a_verdict_is_no_failure(
    worker: ModuleType, example_lot: Path, tmp_path: Path, postgres_url: str
) -> None:
    job: dict[str, Any] = {"id": 1, "folder": str(tmp_path / "none"), "out": str(tmp_path / "out")}
    ends = [worker.work(postgres_url, {**job, "attempt": n}, "w") for n in (1, 2, 3, worker.ATTEMPTS)]
    assert [end["wait"] for end in ends[:3]] == [10, 20, 40]
    assert [end["status"] for end in ends] == ["waiting", "waiting", "waiting", "failed"]
    make_jobs(tmp_path, example_lot, postgres_url, 1)
    (tmp_path / "exports" / "0000" / "specification.toml").write_text(
        (example_lot / "specification.toml").read_text()
    )
    job |= {"folder": str(tmp_path / "exports" / "0000"), "attempt": 1}
    assert worker.work(postgres_url, job, "w")["status"] == "done"


def test_sigterm_lets_the_job_under_way_end(
    worker: ModuleType, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(url: str, job: dict[str, Any], name: str) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        return {"status": "done", "exit": 0, "error": None, "wait": 0}

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(worker, "work", work)
    try:
        worker.main(queue, 60.0, until_empty=False)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [row["status"] for row in rows(queue)] == ["done", "waiting"]


def test_a_worker_that_is_only_slow_keeps_its_output_folder(
    worker: ModuleType, example_lot: Path, tmp_path: Path, postgres_url: str
) -> None:
    """Its lease is over, another takes the job, finds it at work, and comes back later."""
    make_jobs(tmp_path, example_lot, postgres_url, 1)
    slow = worker.claim(postgres_url, "slow", 0)
    other = worker.claim(postgres_url, "other", 60)
    (tmp_path / "out" / "0000").mkdir(parents=True)
    with alone(tmp_path / "out" / "0000"):
        end = worker.work(postgres_url, other, "other")
    assert (end["status"], "another run" in end["error"]) == ("waiting", True)
    assert worker.work(postgres_url, slow, "slow")["status"] == "done"
    assert worker.work(postgres_url, other, "other")["status"] == "done"
    assert verify(tmp_path / "out" / "0000", store=postgres_url, again=False).findings == []


def test_a_worker_that_is_killed_loses_no_job(example_lot: Path, tmp_path: Path, postgres_url: str) -> None:
    count = killed_workers(tmp_path, example_lot, postgres_url, workers=3, jobs=30, kills=1)
    said = json.dumps(count) + (tmp_path / "log").read_text()
    assert count["jobs"] == {"done": 30}, said
    assert set(count["taken over"]) >= set(count["killed while they held a job"]), said
    assert (count["results in the store"], count["trails in the store"]) == (30, 30), said
    assert (count["not verified"], count["exit codes of the workers that lived"]) == ([], [0]), said


@pytest.mark.campaign
def test_campaign_of_killed_workers(
    example_lot: Path, tmp_path: Path, postgres: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = int(os.environ.get("AAVQC_JOBS", "400"))
    count = killed_workers(tmp_path, example_lot, postgres.database(), workers=8, jobs=jobs, kills=2)
    with capsys.disabled():
        sys.stdout.write(f"\n{json.dumps(count, indent=1)}\n")
    assert count["jobs"] == {"done": jobs}
    assert set(count["taken over"]) >= set(count["killed while they held a job"])
    assert count["results in the store"] == count["trails in the store"] == jobs
    assert count["not verified"] == []
