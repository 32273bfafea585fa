"""What a batch adds to its analyses, and what workers take off: ratios of one run each.

``AAVQC_BENCH_EXPORTS`` (default 6) cells for the pools; 60 for a measurement.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import resolve_method
from aavqc.batch import run
from aavqc.batch.cluster import cluster
from aavqc.batch.jobs import Job, run_job
from aavqc.batch.pool import local_pool
from aavqc.documents import ResultDocument
from aavqc.parsers import survey
from aavqc.textfiles import write_bytes, write_together

LOT = Path(__file__).resolve().parents[1] / "data" / "example_lot"
CELLS = int(os.environ.get("AAVQC_BENCH_EXPORTS", "6"))
ROUNDS = 3


def say(text: str) -> None:
    sys.__stdout__.write(f"\n{text}\n")  # type: ignore[union-attr]


def used(work: Callable[[], object]) -> tuple[float, float]:
    """Return seconds of wall and of processor that work takes in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def write_plates(folder: Path, number: int) -> Path:
    """Write ddPCR tables that have no amplitudes beside them."""
    folder.mkdir()
    data = (LOT / "ddpcr" / "EX24-001.csv").read_bytes()
    for i in range(number):
        (folder / f"p{i}.csv").write_bytes(data.replace(b"EX24-001", b"S%d" % i))
    shutil.copy(LOT / "method_ddpcr.toml", folder)
    time.sleep(1.1)  # else the batch waits until the files stand still
    return folder


def test_the_layer_over_ddpcr_tables(tmp_path: Path) -> None:
    """What a further export costs beside its analysis, from being listed to its rows in the store.

    The difference of batches of 160 and 60 leaves out what is paid once; analyses and batches take
    turns, for the machine is shared. Beside it the floor: the same bytes written and synced.
    """
    few, many = (write_plates(tmp_path / f"{number}", number) for number in (60, 160))
    once = run(write_plates(tmp_path / "first", 2), tmp_path / "warm")
    assert len(once.payloads) == 2
    jobs = [Job(e, resolve_method("ddpcr", many / "method_ddpcr.toml")) for e in survey(many).exports][:100]
    kinds = ("batch of 60", "batch of 160", "analyses", "again", "floor", "one by one")
    spent = {kind: np.zeros(2) for kind in kinds}
    for r in range(ROUNDS):
        out = tmp_path / f"out{r}"
        spent["batch of 60"] += used(lambda: run(few, tmp_path / f"few{r}"))  # noqa: B023
        spent["analyses"] += used(lambda: [run_job(job) for job in jobs])
        spent["batch of 160"] += used(lambda: run(many, out))  # noqa: B023
        spent["again"] += used(lambda: run(many, out))  # noqa: B023
        written = [sorted((out / kind).iterdir())[:100] for kind in ("arrays", "results")]
        files = {out / "floor" / p.name: p.read_bytes() for paths in written for p in paths}
        spent["floor"] += used(lambda: write_together(files))  # noqa: B023
        spent["one by one"] += used(lambda: [write_bytes(p, data) for p, data in files.items()])  # noqa: B023
    say(f"{sum(map(len, files.values())) / 100 / 1e3:.1f} kB an export, in two files")
    layer = spent["batch of 160"] - spent["batch of 60"] - spent["analyses"]
    for name, (wall, cpu) in {
        "analysis": spent["analyses"] / 100,
        "layer": layer / 100,
        "floor (the same bytes, synced together)": spent["floor"] / 100,
        "the same bytes, synced one by one": spent["one by one"] / 100,
        "resume of 160, all included": spent["again"] / 160,
    }.items():
        say(f"{name}: {1e3 * wall / ROUNDS:.2f} ms an export, {1e3 * cpu / ROUNDS:.2f} ms of processor")
    say(f"layer over analysis: {layer[0] / spent['analyses'][0]:.2f}")
    say(f"layer over floor, processor: {layer[1] / spent['floor'][1]:.1f}")


@pytest.fixture
def cells(tmp_path: Path) -> list[Path]:
    """Folders of small AUC cells, each a record of its own; the first holds two."""
    scans = sorted((LOT / "auc").glob("*.RA1"))[::4]
    folders = {tmp_path / f"cells{r}": CELLS // ROUNDS if r else 2 for r in range(ROUNDS + 1)}
    for folder, number in folders.items():
        for i in range(number):
            below = folder / f"run{i:02d}"
            below.mkdir(parents=True)
            for path in scans:
                shutil.copy(path, below)
        method = (LOT / "method_auc.toml").read_text(encoding="utf-8")
        (folder / "method_auc.toml").write_text(
            f"{method}resolution = 60\ns_range = [30, 150]\n", encoding="utf-8"
        )
    return list(folders)


CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1") as local:
        print(local.scheduler_address, flush=True)
        sys.stdin.read()
"""


@contextmanager
def two_workers() -> Iterator[str]:
    """Yield the address of a cluster whose scheduler is a process of its own, as on a user's machine."""
    pytest.importorskip("distributed")
    with subprocess.Popen(
        [sys.executable, "-c", CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        yield running.stdout.readline().strip()  # type: ignore[union-attr]
        # on leaving, its input is closed, which ends it


def test_pools_and_a_cluster(cells: list[Path], tmp_path: Path) -> None:
    """One worker, two workers, two of a cluster, one thread each: by turns, for the machine is shared.

    Each has run a batch before, so that what starts once is left out. The layer is what the parent
    takes of the processor beside its workers.
    """
    seconds = dict.fromkeys(("1 worker", "2 workers", "cluster"), 0.0)
    with ExitStack() as stack:
        address = stack.enter_context(two_workers())
        executors: dict[str, Executor] = {
            "1 worker": stack.enter_context(local_pool(1)),
            "2 workers": stack.enter_context(local_pool(2)),
            "cluster": stack.enter_context(cluster(address)),
        }
        for name, executor in executors.items():
            run(cells[0], tmp_path / f"warm {name}", executor=executor)
        layer, analyses = 0.0, 0.0
        for r, folder in enumerate(cells[1:]):
            for name, executor in executors.items():
                out = tmp_path / f"{name} {r}"
                wall, cpu = used(lambda folder=folder, out=out, e=executor: run(folder, out, executor=e))
                seconds[name] += wall
                if name == "1 worker":
                    layer += cpu
                    documents = [ResultDocument.load(p) for p in (out / "results").iterdir()]
                    analyses += sum(d.envelope.seconds for d in documents)
            say(f"round {r + 1}: " + ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items()))
    n = CELLS // ROUNDS * ROUNDS
    say(f"{n} cells: " + ", ".join(f"{name} {s:.1f} s" for name, s in seconds.items()))
    say(f"two over one: {seconds['1 worker'] / seconds['2 workers']:.2f}")
    say(f"cluster over local: {seconds['cluster'] / seconds['2 workers']:.2f}")
    say(f"layer over analyses: {100 * layer / analyses:.2f} % ({layer:.1f} s of processor, {analyses:.1f} s)")
