"""Logs: stdlib logging, silent by default; ``--log-json`` makes stderr JSON lines and nothing else."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import aavqc
from aavqc.cli import app
from aavqc.logs import JsonLines

Said = tuple[int, str, list[dict[str, Any]]]

FIELDS = {
    "time", "level", "logger", "message", "traceback", "record", "job", "outcome", "n", "total", "seconds",
    "sample_id", "flag", "error", "exit", "counts", "lot", "overall", "specification",
}  # fmt: skip
"""Those that docs/lims.md lists."""


@pytest.fixture
def call(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """The command line with ``--log-json``: exit code, stdout, the lines of stderr."""

    def called(*arguments: object) -> Said:
        capfd.readouterr()
        code = app([*map(str, arguments), "--log-json"], standalone_mode=False)
        out, err = capfd.readouterr()
        lines = [json.loads(line) for line in err.splitlines()]
        for line in lines:
            assert {"time", "level", "logger", "message"} <= set(line) <= FIELDS, line
            assert datetime.fromisoformat(line["time"]).utcoffset() is not None
        return code, out, lines

    return called


@pytest.fixture
def plate(example_lot: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "plate"
    shutil.copytree(example_lot / "ddpcr", folder / "ddpcr")
    shutil.copy(example_lot / "method_ddpcr.toml", folder)
    return folder


def test_fields_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[1] / "docs" / "lims.md").read_text(encoding="utf-8")
    section = text.partition("\n## Logs\n")[2].partition("\n## ")[0]
    table = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert {word.strip("` ") for cell in table for word in cell.split(",")} == FIELDS


def test_each_command_says_json_lines_only(plate: Path, tmp_path: Path, call: Callable[..., Said]) -> None:
    (plate / "broken.mzML").write_bytes(b"\0\1\2")
    code, out, lines = call("analyze", plate / "ddpcr", "--json")
    assert (code, json.loads(out)["schema"]) == (0, "aavqc.result/1")
    assert [line["record"] for line in lines if line["message"].startswith("analyzing")] == ["EX24-001.csv"]
    out_folder = tmp_path / "out"
    code, out, lines = call("batch", plate, "--out", out_folder, "--workers", "1", "--json")
    assert code == json.loads(out)["exit"] == 3
    (job,) = [line for line in lines if "outcome" in line]
    assert (job["logger"], job["outcome"], job["n"], job["total"]) == ("aavqc.batch", "done", 1, 1)
    assert (out_folder / "results" / f"{job['job']}.json").exists()
    (failed,) = [line for line in lines if "error" in line]
    assert (failed["level"], failed["error"]["file"]) == ("error", "broken.mzML")
    assert call("verify", out_folder)[0] == 0
    specification = Path(__file__).parents[1] / "data" / "example_lot" / "specification.toml"
    code, out, lines = call("check", out_folder, "--spec", specification, "--json")
    assert (code, json.loads(out)["schema"]) == (5, "aavqc.evaluation/1")
    assert {line["counts"]["5"] for line in lines if "counts" in line} == {1}


def test_an_error_is_a_line_too(tmp_path: Path, call: Callable[..., Said]) -> None:
    code, _, (line,) = call("analyze", tmp_path / "nowhere")
    assert code == line["exit"] == 3
    assert (line["error"]["code"], line["level"]) == ("InputError", "error")


def test_a_bug_is_a_line_with_its_traceback(
    plate: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Said]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of the test")

    monkeypatch.setattr("aavqc.analysis.analyze_all", broken)
    code, _, (line,) = call("analyze", plate)
    assert code == line["exit"] == 70
    assert line["traceback"].endswith("ZeroDivisionError: of the test")


def test_what_libraries_write_to_stderr_themselves_becomes_lines(
    plate: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., Said]
) -> None:
    whole = aavqc.analysis.analyze_record  # type: ignore[attr-defined]

    def noisy(*arguments: Any) -> Any:
        os.write(2, b"from C++: \xff\n")
        os.write(1, b"and on stdout\n" + b"long " * 400_000 + b"\n")
        return whole(*arguments)

    monkeypatch.setattr("aavqc.analysis.analyze_record", noisy)
    _, out, lines = call("analyze", plate / "ddpcr", "--json")
    assert json.loads(out)["schema"] == "aavqc.result/1"
    foreign = [line["message"] for line in lines if line["logger"] == "aavqc.stderr"]
    assert foreign[:2] == ["from C++: �", "and on stdout"]
    assert len(foreign[2]) > 1_900_000


def test_a_wrong_call_is_a_line_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "aavqc", "analyze", "x", "--nothing", "--json", "--log-json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["error"]["code"] == json.loads(done.stdout)["error"]["code"] == "UsageError"


def test_a_command_leaves_logging_and_stderr_as_they_were(plate: Path, call: Callable[..., Said]) -> None:
    library = logging.getLogger("aavqc")
    before = (list(library.handlers), library.level, os.fstat(2).st_ino, len(os.listdir("/dev/fd")))
    for _ in range(3):
        call("analyze", plate / "ddpcr")
    assert before == (
        list(library.handlers),
        library.level,
        os.fstat(2).st_ino,
        len(os.listdir("/dev/fd")),
    )


def test_the_library_is_silent_and_configures_nothing(plate: Path) -> None:
    script = f"""
import logging
root = logging.getLogger()
import aavqc, aavqc.batch
aavqc.batch.run({str(plate)!r}, {str(plate.parent / "out")!r})
assert not root.handlers and root.level == logging.WARNING
assert [type(h) for h in logging.getLogger("aavqc").handlers] == [logging.NullHandler]
below = [n for n in logging.root.manager.loggerDict if n.startswith("aavqc.")]
assert below and not any(logging.getLogger(n).handlers for n in below)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_embedding_program_gets_the_lines_from_a_handler_of_its_own(plate: Path, tmp_path: Path) -> None:
    from aavqc import batch

    said: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(JsonLines().format(record))

    logger, handler = logging.getLogger("aavqc"), Kept()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        batch.run(plate, tmp_path / "out")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert [json.loads(line)["outcome"] for line in said] == ["done"]
