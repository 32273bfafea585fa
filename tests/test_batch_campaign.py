"""Batches that are killed, and batches that are long: a few cases in every run, many in a campaign."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from aavqc.documents import ResultDocument, canonical
from batch_exports import write_exports

EXPORTS = 60
WRONG = ("different", "broken", "failed", "unverified")


def command(folder: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "aavqc", "batch", str(folder), "--out", str(out), "--workers", "2"]


def equal_parts(out: Path) -> dict[str, bytes]:
    """What the contract says is equal byte for byte after a resume."""
    found = {name: (out / name).read_bytes() for name in ("manifest.json", "results.csv", "verdicts.csv")}
    jobs = {f["job"] for f in json.loads(found["manifest.json"])["files"] if f["job"]}
    for job in sorted(jobs):
        found[f"results/{job}"] = canonical(ResultDocument.load(out / "results" / f"{job}.json").payload)
        found[f"arrays/{job}"] = (out / "arrays" / f"{job}.npz").read_bytes()
    return found


def broken_files(out: Path) -> list[str]:
    """Outputs that are not whole: none may ever be seen."""
    broken = []
    for path in (out / "results").glob("*.json"):
        try:
            ResultDocument.load(path)
        except Exception:  # whatever is wrong with it  # noqa: BLE001
            broken.append(path.name)
    return broken


def saved(out: Path) -> int:
    return len(list((out / "results").glob("*.json")))


def ended(arguments: Sequence[str]) -> bool:
    """Run a command; whether it ended with 0."""
    return subprocess.run(arguments, capture_output=True, check=False).returncode == 0


def killed_batches(tmp: Path, lot: Path, kills: int, seed: int, exports: int = EXPORTS) -> dict[str, int]:
    """Kill batches at random moments, over and over until each is through; count what came of it."""
    write_exports(tmp / "exports", lot, exports)
    whole = tmp / "whole"
    started = time.monotonic()
    running = begun(command(tmp / "exports", whole))
    wait_for_results(running, whole, 1)
    until_first = time.monotonic() - started
    assert running.wait() == 0
    wanted, rng = equal_parts(whole), random.Random(seed)
    names = ("kills", "without a result", "with some", "with all", "batches")
    count = dict.fromkeys((*names, *WRONG), 0)
    while count["kills"] < kills:
        out = tmp / f"out{count['batches']}"
        count["batches"] += 1
        while count["kills"] < kills and killed(
            command(tmp / "exports", out), out, until_first, exports, rng
        ):
            count["kills"] += 1
            count["broken"] += len(broken_files(out))
            n = saved(out)
            count["without a result" if n == 0 else "with some" if n < exports else "with all"] += 1
        count["failed"] += not ended(command(tmp / "exports", out))
        count["different"] += equal_parts(out) != wanted
        count["unverified"] += not ended([sys.executable, "-m", "aavqc", "verify", str(out), "--no-rerun"])
    return count


def begun(arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    quiet = subprocess.DEVNULL
    return subprocess.Popen(arguments, stdout=quiet, stderr=quiet, start_new_session=True)


def wait_for_results(running: subprocess.Popen[bytes], out: Path, number: int) -> None:
    """Wait until a batch has saved so many results, or has ended."""
    while running.poll() is None and saved(out) < number:
        time.sleep(0.01)


def killed(arguments: Sequence[str], out: Path, until_first: float, exports: int, rng: random.Random) -> bool:
    """Kill a batch, at times with its workers; False where it had ended before that.

    The moment is drawn from the time until the first result, or, half of the times, from the results still to
    come and what follows the last: a time alone would miss these, as start and listing take most of it and no
    two runs are of one length.
    """
    running = begun(arguments)
    span = until_first
    if rng.random() < 0.5:
        before = saved(out)
        wait_for_results(running, out, rng.randint(min(before + 1, exports), exports))
        span = max(until_first / exports, 0.5 if before == exports else 0.05)
    try:
        running.wait(rng.uniform(0, span))
    except subprocess.TimeoutExpired:
        if rng.random() < 0.5:
            running.kill()
        else:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return True
    return False


def test_a_batch_that_is_killed_ends_with_the_same_bytes(example_lot: Path, tmp_path: Path) -> None:
    count = killed_batches(tmp_path, example_lot, kills=2, seed=0, exports=9)
    assert [count[name] for name in WRONG] == [0, 0, 0, 0]


@pytest.mark.campaign
def test_campaign_of_killed_batches(
    example_lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kills, seed = (int(os.environ.get(f"AAVQC_{name}", n)) for name, n in (("KILLS", 100), ("SEED", 1)))
    count = killed_batches(tmp_path, example_lot, kills, seed)
    with capsys.disabled():
        sys.stdout.write(f"\n{count}\n")
    assert [count[name] for name in WRONG] == [0, 0, 0, 0]


MEASURED = """
import json, resource, sys, time
from aavqc.batch import run
from aavqc.batch.pool import local_pool
if __name__ == "__main__":
    with local_pool(2) as pool:
        started = time.perf_counter()
        report = run(sys.argv[1], sys.argv[2], executor=pool)
        seconds = time.perf_counter() - started
    peak = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"peak": peak, "rows": len(report.manifest.files), "jobs": len(report.payloads),
                      "kept": report.kept, "errors": len(report.errors), "seconds": seconds}))
"""


def measured(folder: Path, out: Path) -> dict[str, float]:
    """Run a batch in processes of its own; peaks in KiB of the parent and of its largest worker."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(folder), str(out)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.campaign
def test_campaign_of_many_exports(
    example_lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    peaks = {}
    for number in (200, 2000):
        write_exports(tmp_path / f"{number}", example_lot, number)
        first = measured(tmp_path / f"{number}", tmp_path / f"out{number}")
        again = measured(tmp_path / f"{number}", tmp_path / f"out{number}")
        with capsys.disabled():
            sys.stdout.write(f"\n{number}: {first}\n{number} again: {again}\n")
        files = sum(1 for p in (tmp_path / f"{number}").rglob("*") if p.is_file())
        assert first["rows"] == again["rows"] == files
        assert first["jobs"] == again["kept"] == number
        peaks[number] = [parent + 2 * worker for parent, worker in (first["peak"], again["peak"])]
    # of the whole batch: the parent alone, which starts small, grows by some 16 kB an export
    assert all(many <= 1.3 * few for few, many in zip(peaks[200], peaks[2000], strict=True))
