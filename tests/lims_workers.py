"""Workers of the example on a real server, some of them killed: what a test and a campaign share."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg

from aavqc.batch.audit import read_trail
from aavqc.batch.verify import verify
from aavqc.store import Store

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
LEASE_S = 10.0


def example(name: str) -> ModuleType:
    """A file of examples/ as a module."""
    found = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def rows(url: str, query: str = "SELECT * FROM lims_jobs ORDER BY id") -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


def make_jobs(folder: Path, lot: Path, url: str, number: int) -> None:
    """Folders of one small ddPCR table or ion list each, with bytes of its own, and a job for each."""
    worker = example("worker")
    worker.create(url)
    plate = (lot / "ddpcr" / "EX24-001.csv").read_bytes()
    ions = (lot / "cdms" / "run1.csv").read_bytes().splitlines(keepends=True)
    for i in range(number):
        exports = folder / "exports" / f"{i:04}"
        exports.mkdir(parents=True)
        if i % 4:
            (exports / "plate.csv").write_bytes(plate.replace(b"EX24-001", b"S%d" % i))
            (exports / "method_ddpcr.toml").write_bytes((lot / "method_ddpcr.toml").read_bytes())
        else:
            start = 1 + 7 * i % (len(ions) // 2)
            (exports / "ions.csv").write_bytes(b"".join([ions[0], *ions[start : start + 600]]))
            (exports / "method_cdms.toml").write_bytes((lot / "method_cdms.toml").read_bytes())
        for path in exports.iterdir():
            os.utime(path, (1e9, 1e9))  # nobody is still writing
        worker.enqueue(url, exports, folder / "out" / f"{i:04}")


def killed_workers(
    folder: Path, lot: Path, url: str, *, workers: int, jobs: int, kills: int
) -> dict[str, Any]:
    """Let workers empty a queue, kill some while they hold a job, and count what came of it."""
    make_jobs(folder, lot, url, jobs)
    command = [sys.executable, str(EXAMPLES / "worker.py"), url, "--until-empty", "--lease", str(LEASE_S)]
    started = time.monotonic()
    log = open(folder / "log", "wb")  # noqa: SIM115
    running = {}
    for _ in range(workers):
        process = subprocess.Popen(command, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"})
        running[process.pid] = process
    held = [_killed(url, running, after=jobs * (k + 1) // (kills + 2)) for k in range(kills)]
    ends = [process.wait(600) for process in running.values()]
    log.close()
    seconds = time.monotonic() - started
    outs = sorted((folder / "out").iterdir())
    ended = [sum(e.event == "run_ended" for e in read_trail(out / "audit.jsonl").entries) for out in outs]
    found = rows(url)
    return {
        "workers": workers,
        "killed while they held a job": sorted(held),
        "jobs": dict(Counter(row["status"] for row in found)),
        "attempts": dict(sorted(Counter(row["attempt"] for row in found).items())),
        "taken over": sorted(row["id"] for row in found if row["deaths"]),
        "runs that ended, of each job": dict(sorted(Counter(ended).items())),
        "results in the store": len(list(Store(url).rows("results"))),
        "trails in the store": len(Store(url).anchors()),
        "not verified": [out.name for out in outs if verify(out, store=url, again=False).findings],
        "exit codes of the workers that lived": sorted(set(ends) - {-signal.SIGKILL}),
        "workers that were used": len({row["worker"] for row in found}),
        "seconds": round(seconds, 1),
    }


def _killed(url: str, running: dict[int, subprocess.Popen[bytes]], after: int) -> int:
    """Kill a worker that holds a job, when so many jobs are done; return the job."""
    while True:
        done = rows(url, "SELECT count(*) AS n FROM lims_jobs WHERE status = 'done'")[0]["n"]
        holding = [row for row in rows(url) if row["status"] == "running"]
        if done >= after and holding:
            pid = int(holding[0]["worker"].rpartition(":")[2])
            if running[pid].poll() is None:
                os.kill(pid, signal.SIGSTOP)
                still = [row for row in rows(url) if row["id"] == holding[0]["id"]]
                if still[0]["status"] == "running":
                    os.kill(pid, signal.SIGKILL)
                    running[pid].wait()
                    return int(holding[0]["id"])
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.02)
