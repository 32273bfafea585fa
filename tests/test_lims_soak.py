"""Many analyses in one process: memory and file handles stay where they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aavqc.simulate import run as simulate
from aavqc.textfiles import write_bytes

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")

SOAK = """
import gc, json, os, sys, threading, time
from pathlib import Path
from aavqc.analysis import analyze_all
from aavqc.errors import AavqcError

CDMS = {"design_length": "4700", "charge_slope": "112100"}
AUC = {"design_length": "4700", "model": "cs", "resolution": "25"}

def memory():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

def once(i, folder):
    kind = "auc" if i % every == every - 1 else ("plate.csv", "ions.csv", "plate.csv", "broken.csv")[i % 4]
    settings = {"auc": AUC, "plate.csv": {"dilution_factor": "1e7"}, "ions.csv": CDMS}.get(kind, {})
    try:
        result = analyze_all(folder / kind, None, settings)
        result.document()
    except AavqcError:
        kind = "broken"
    return kind

number, every, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
counts, started = {}, time.monotonic()
with open(folder / "seen.jsonl", "w") as seen:
    for i in range(number):
        kind = once(i, folder)
        counts[kind] = counts.get(kind, 0) + 1
        if (i + 1) % (number // 10) == 0:
            handles, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
            row = [i + 1, round(memory(), 1), handles, threads, round(time.monotonic() - started, 1)]
            print(json.dumps(row), file=seen, flush=True)
print(json.dumps(counts))
"""


def soaked(folder: Path, lot: Path, number: int, every: int) -> dict[str, Any]:
    """Run analyses in a process of their own; of each tenth: number, MB, handles, threads, seconds."""
    simulate("auc", folder / "auc", 1, {"scans": "12", "radial_step": "0.015"})
    ions = (lot / "cdms" / "run1.csv").read_bytes().splitlines(keepends=True)
    write_bytes(folder / "ions.csv", b"".join(ions[:600]))
    write_bytes(folder / "plate.csv", (lot / "ddpcr" / "EX24-001.csv").read_bytes())
    write_bytes(folder / "broken.csv", b"mz,intensity\n1,x\n")
    done = subprocess.run(
        [sys.executable, "-c", SOAK, str(number), str(every), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    seen = [json.loads(line) for line in (folder / "seen.jsonl").read_text().splitlines()]
    return {"counts": json.loads(done.stdout), "seen": seen}


def test_a_hundred_analyses_leave_nothing_behind(example_lot: Path, tmp_path: Path) -> None:
    found = soaked(tmp_path, example_lot, number=100, every=50)
    assert found["counts"] == {"auc": 2, "plate.csv": 50, "ions.csv": 24, "broken": 24}
    assert_flat(found["seen"], megabytes=20)


@pytest.mark.campaign
def test_campaign_of_five_thousand_analyses(
    example_lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = soaked(tmp_path, example_lot, int(os.environ.get("AAVQC_SOAK", "5000")), every=500)
    with capsys.disabled():
        sys.stdout.write(f"\n{json.dumps(found['counts'])}\n")
        for row in found["seen"]:
            sys.stdout.write(f"{row}\n")
    assert_flat(found["seen"], megabytes=20)


def assert_flat(seen: list[list[float]], megabytes: float) -> None:
    """In the second half, when every kind of analysis has run, nothing grows."""
    half = len(seen) // 2
    _, memory, handles, threads, _ = zip(*seen[half:], strict=True)
    assert set(handles) == {handles[0]}, seen
    assert set(threads) == {threads[0]}, seen
    assert memory[-1] - memory[0] < megabytes, seen
