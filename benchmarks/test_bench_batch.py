"""What a batch adds to its analyses, and what workers take off: ratios of one run each.

``AAVQC_BENCH_EXPORTS`` (default 6) cells for the pools; 60 for a measurement.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aavqc.analysis import resolve_method
from aavqc.batch import run
from aavqc.batch.cluster import cluster
from aavqc.batch.jobs import Job, run_job
from aavqc.batch.pool import local_pool
from aavqc.parsers import survey
from aavqc.textfiles import write_bytes

LOT = Path(__file__).resolve().parents[1] / "data" / "example_lot"
CELLS = int(os.environ.get("AAVQC_BENCH_EXPORTS", "6"))


def say(text: str) -> None:
    sys.__stdout__.write(f"\n{text}\n")  # type: ignore[union-attr]


def used(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of wall and of processor that work takes in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


@pytest.fixture
def plates(tmp_path: Path) -> Path:
    """Two hundred ddPCR tables."""
    folder = tmp_path / "plates"
    folder.mkdir()
    data = (LOT / "ddpcr" / "EX24-001.csv").read_bytes()
    for i in range(200):
        (folder / f"p{i}.csv").write_bytes(data.replace(b"EX24-001", b"S%d" % i))
    shutil.copy(LOT / "method_ddpcr.toml", folder)
    return folder


def test_the_layer_over_two_hundred_tables(plates: Path, tmp_path: Path) -> None:
    """All of a batch that is not a job; beside it the floor, the writes that it can not do without."""
    jobs = [Job(e, resolve_method("ddpcr", plates / "method_ddpcr.toml")) for e in survey(plates).exports]
    run_job(jobs[0])
    analyses = used(lambda: [run_job(job) for job in jobs])
    whole = used(lambda: run(plates, tmp_path / "out"))
    again = used(lambda: run(plates, tmp_path / "out"))
    files = [p.read_bytes() for kind in ("results", "arrays") for p in (tmp_path / "out" / kind).iterdir()]
    floor = used(lambda: [write_bytes(tmp_path / "floor" / str(i), data) for i, data in enumerate(files)])
    n = len(jobs)
    for name, (wall, cpu) in {
        "analyses": analyses,
        "layer": (whole[0] - analyses[0], whole[1] - analyses[1]),
        "floor (atomic writes)": floor,
        "resume": again,
    }.items():
        say(f"{name}: {1e3 * wall / n:.2f} ms an export, {1e3 * cpu / n:.2f} ms of processor")


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """AUC cells of some twenty scans, each a record of its own."""
    scans = sorted((LOT / "auc").glob("*.RA1"))[::3]
    for i in range(CELLS):
        below = tmp_path / "cells" / f"run{i:02d}"
        below.mkdir(parents=True)
        for path in scans:
            shutil.copy(path, below)
    shutil.copy(LOT / "method_auc.toml", tmp_path / "cells")
    return tmp_path / "cells"


def test_pools_and_a_cluster(cells: Path, tmp_path: Path) -> None:
    """One worker, two workers, two workers of a cluster: one thread a worker each time."""
    distributed = pytest.importorskip("distributed")
    seconds = {}
    for workers in (1, 2):
        with local_pool(workers) as pool:
            seconds[f"{workers} workers"] = used(
                lambda pool=pool, workers=workers: run(cells, tmp_path / f"out{workers}", executor=pool)
            )[0]
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    )
    with local, cluster(local.scheduler_address) as executor:
        seconds["dask"] = used(lambda: run(cells, tmp_path / "dask", executor=executor))[0]
    say(f"{CELLS} cells: " + ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items()))
    say(f"two over one: {seconds['1 workers'] / seconds['2 workers']:.2f}")
    say(f"dask over local: {seconds['dask'] / seconds['2 workers']:.2f}")
