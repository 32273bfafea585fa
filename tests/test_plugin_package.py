"""A parser in a package of its own: built, installed, found, listed and used; its crash costs one file."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import zipfile
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from typing import Any

import pytest

from aavqc.batch.apart import apart
from aavqc.batch.pool import LocalPool
from aavqc.errors import InputError
from aavqc.parsers import formats
from aavqc.parsers.plugins import guarded
from aavqc.parsers.sources import from_disk

PACKAGE = Path(__file__).parent / "plugin_package"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment with the package's wheel, built without a network and unpacked into a folder."""
    folder = tmp_path_factory.mktemp("plugin")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=PACKAGE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:  # installing is no more than this for a pure wheel
        archive.extractall(folder / "site")
    return os.environ | {"PYTHONPATH": str(folder / "site")}


def aavqc(env: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "aavqc", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def counted(path: Path) -> Path:
    """Full capsids near 5,100 kDa, a fifth of them empty near 3,740."""
    drawn = random.Random(1)
    masses = [drawn.gauss(3740 if i % 5 == 0 else 5100, 60) for i in range(1000)]
    path.write_text("ACME 1\n" + "".join(f"{mass:.1f}\n" for mass in masses))
    return path


def test_it_is_listed_and_inspected(installed: dict[str, str], tmp_path: Path) -> None:
    listed = {f["name"]: f for f in json.loads(aavqc(installed, "formats", "--json").stdout)["formats"]}
    assert (listed["acme-counts"]["title"], listed["acme-counts"]["vendor"]) == ("Acme counter", "Acme")
    (record,) = json.loads(aavqc(installed, "inspect", counted(tmp_path / "a.acme"), "--json").stdout)[
        "records"
    ]
    assert (record["format"], record["metadata"]["particles"]) == ("acme-counts", 1000)


def test_it_is_analyzed_and_its_errors_say_where(installed: dict[str, str], tmp_path: Path) -> None:
    done = aavqc(installed, "analyze", counted(tmp_path / "a.acme"), "--set", "design_length=4700", "--json")
    assert done.returncode == 0, done.stderr
    (sample,) = json.loads(done.stdout)["payload"]["samples"]
    empty = next(a for a in sample["attributes"] if a["name"] == "percent_empty")
    assert empty["ci_low"] < 20 < empty["ci_high"]
    (tmp_path / "b.acme").write_text("ACME 1\n5100\nheavy\n")
    failed = aavqc(installed, "analyze", tmp_path / "b.acme", "--json")
    assert failed.returncode == 3
    error = json.loads(failed.stdout)["error"]
    assert (error["file"], error["line"], error["found"]) == ("b.acme", 3, "'heavy'")


def test_a_crash_of_its_process_while_it_sniffs_costs_no_batch(
    installed: dict[str, str], tmp_path: Path, example_lot: Path
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    counted(folder / "a.acme")
    counted(folder / "crash.acme")
    (folder / "z.csv").write_bytes((example_lot / "ddpcr" / "EX24-001.csv").read_bytes())
    env = installed | {"ACME_CRASHES": "crash"}
    done = aavqc(env, "batch", folder, "--out", tmp_path / "out", "--workers", "2", "--log-json")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    found = {f["path"]: f for f in manifest["files"]}
    assert {name: found[name]["status"] for name in ("a.acme", "z.csv")} == dict.fromkeys(
        ("a.acme", "z.csv"), "used"
    ), done.stderr
    assert found["crash.acme"]["status"] == "failed"
    assert "the parser plug-in 'acme-counts' failed" in found["crash.acme"]["reason"]
    said = [line["message"] for line in map(json.loads, done.stderr.splitlines())]
    assert sum("acme-counts failed in sniff of crash.acme" in message for message in said) == 1


class Dying(LocalPool):
    """Processes that die whatever they are asked."""

    def __init__(self) -> None:
        self.asked = 0

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        self.asked += 1
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor())
        return future


def test_one_that_crashes_on_every_file_is_left_out(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    known = next(f for f in formats() if f.name == "mass-list")
    dying = Dying()
    held = apart(guarded(known), dying)
    for i in range(3):
        with pytest.raises(InputError, match="'mass-list' failed"):
            held.sniff(b"masses_kDa\n5100\n", f"{i}.csv")
    assert [held.sniff(b"masses_kDa\n5100\n", f"{i}.csv") for i in range(9)] == [False] * 9
    file = from_disk(counted(tmp_path / "a.csv"), "a.csv")
    assert list(held.group([file]).failed) == ["a.csv"]
    assert held.group([]).failed == {}
    assert dying.asked == 3
    assert "left out of this batch" in caplog.text
