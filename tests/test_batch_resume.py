"""A batch that ended early goes on where it was, and ends with the same bytes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
import time
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

import aavqc
from aavqc.batch import execute, run, settle
from aavqc.batch.jobs import Done
from aavqc.documents import ResultDocument

TABLE = "ddpcr/EX24-001.csv"


@pytest.fixture
def plates(example_lot: Path, tmp_path: Path) -> Path:
    """Three plates of table alone: three jobs that take milliseconds."""
    folder = tmp_path / "plates"
    folder.mkdir()
    for name in ("a", "b", "c"):
        shutil.copy(example_lot / TABLE, folder / f"{name}.csv")
    shutil.copy(example_lot / "method_ddpcr.toml", folder)
    return folder


def contents(out: Path) -> dict[str, bytes]:
    """All that the contract says is equal after a resume."""
    found = {}
    for path in sorted(p for p in out.rglob("*") if p.is_file()):
        name = path.relative_to(out).as_posix()
        if path.parent.name == "results":
            found[name] = aavqc.documents.canonical(ResultDocument.load(path).payload)
        elif path.suffix in (".npz", ".csv") or name == "manifest.json" or path.parent.name == "lots":
            found[name] = path.read_bytes()
    return found


def stamps(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.iterdir()}


def test_a_second_run_computes_nothing_and_leaves_the_results(example_lot: Path, tmp_path: Path) -> None:
    lot, out = tmp_path / "lot", tmp_path / "out"
    shutil.copytree(example_lot, lot, ignore=shutil.ignore_patterns("0001[2-9].RA1", "000[2-9]?.RA1"))
    first = run(lot, out)
    before, written = contents(out), stamps(out / "results")
    assert first.kept == 0
    assert len(first.results) == 4
    again = run(lot, out, actor="another")
    assert again.kept == 4
    assert again.exit_codes == first.exit_codes
    assert [str(e) for e in again.evaluations] == [str(e) for e in first.evaluations]
    assert contents(out) == before
    assert stamps(out / "results") == written


class Stopped(BaseException):
    """As sudden as Ctrl-C."""


def test_what_a_stopped_batch_had_finished_is_kept(
    plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute, "HOLD_S", 0.0)  # each result is saved by itself

    def stop(done: Done, n: int, total: int) -> None:
        if n == 2:
            raise Stopped

    with pytest.raises(Stopped):
        run(plates, tmp_path / "out", on_done=stop)
    assert len(list((tmp_path / "out" / "results").iterdir())) == 2
    assert run(plates, tmp_path / "out").kept == 2
    run(plates, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("change", ["bytes", "method", "altered result", "no arrays", "other version"])
def test_a_result_that_does_not_hold_is_computed_again(change: str, plates: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run(plates, out)
    job = next(f.job for f in first.manifest.files if f.path == "b.csv")
    path = out / "results" / f"{job}.json"
    kept = 2
    if change == "bytes":
        (plates / "b.csv").write_bytes((plates / "b.csv").read_bytes() + b"\n")
    elif change == "method":
        method = plates / "method_ddpcr.toml"
        method.write_text(method.read_text() + "coverage = 0.9\n")
        kept = 0
    elif change == "altered result":
        path.write_text(path.read_text().replace('"coverage":0.95', '"coverage":0.9', 1))
    elif change == "no arrays":
        (out / "arrays" / f"{job}.npz").unlink()
    else:
        document = json.loads(path.read_text())
        document["envelope"]["platform"]["versions"]["numpy"] = "1.0"
        path.write_text(json.dumps(document))
    assert run(plates, out).kept == kept
    run(plates, tmp_path / "whole")
    assert contents(tmp_path / "whole").items() <= contents(out).items()


@pytest.mark.parametrize("kind", ["arrays", "results"])
def test_a_result_that_can_not_be_written_fails_alone(
    kind: str, plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for one result: its file has failed with the reason, the rest is there."""
    replace, written = os.replace, []

    def full(temporary: Path, path: Path) -> None:
        if path.parent.name == kind:
            written.append(path)
            if len(written) == 2:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        replace(temporary, path)

    monkeypatch.setattr(os, "replace", full)
    report = run(plates, tmp_path / "out")
    assert report.exit_code == 2
    status = {f.path: (f.status, f.reason) for f in report.manifest.files}
    (failed,) = (reason for outcome, reason in status.values() if outcome == "failed")
    assert "No space left on device" in failed
    assert not list((tmp_path / "out").rglob("*.tmp"))
    monkeypatch.setattr(os, "replace", replace)
    assert run(plates, tmp_path / "out").kept == 2
    run(plates, tmp_path / "whole")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_file_that_is_still_written_is_waited_for(
    plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (plates / "b.csv").read_bytes()
    (plates / "b.csv").write_bytes(whole[:2000])

    def write() -> None:
        with open(plates / "b.csv", "ab") as stream:
            for start in range(2000, len(whole), len(whole) // 8):
                time.sleep(0.05)
                stream.write(whole[start : start + len(whole) // 8])
                stream.flush()

    monkeypatch.setattr(settle, "QUIET_S", 1.0)
    writer = threading.Thread(target=write)
    writer.start()
    report = run(plates, tmp_path / "out")
    writer.join()
    assert not report.errors
    assert len(report.results) == 3


def test_a_file_that_never_stands_still_has_failed(
    plates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(0.03):
            os.utime(plates / "b.csv")

    monkeypatch.setattr(settle, "PATIENCE_S", 0.3)
    monkeypatch.setattr(settle, "QUIET_S", 0.1)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        report = run(plates, tmp_path / "out")
    finally:
        stop.set()
        writer.join()
    status = {f.path: (f.status, f.reason) for f in report.manifest.files}
    assert status["b.csv"][0] == "failed"
    assert "still being written" in status["b.csv"][1]
    assert status["a.csv"][0] == status["c.csv"][0] == "used"


class Meddling(Executor):
    """Runs a job here, after another program has written to its file."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        path = args[0].export.files[0].path
        if path.name == "b.csv":
            path.write_bytes(path.read_bytes().replace(b"9", b"8"))
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_bytes_that_are_not_those_listed_give_no_result(plates: Path, tmp_path: Path) -> None:
    report = run(plates, tmp_path / "out", executor=Meddling())
    assert len(report.results) == 2
    (error,) = report.errors
    assert error.file == "b.csv"
    assert "other bytes" in str(error)


def test_results_are_read_from_out_one_at_a_time(plates: Path, tmp_path: Path) -> None:
    report = run(plates, tmp_path / "out")
    for job, document in report.results.items():
        assert document.payload.inputs
        assert document.payload.wells
        assert not report.payloads[job].wells  # no sheet leaves any out
    with pytest.raises(KeyError):
        _ = report.results["0" * 32]
