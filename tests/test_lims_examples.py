"""The page on LIMS: its code is that of examples/, and does what the page says."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aavqc.documents import ResultDocument

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "lims.md").read_text(encoding="utf-8")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def call(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_page_shows_the_example_as_it_is(path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert path.read_text(encoding="utf-8") in blocks


def test_links_of_the_page_lead_somewhere() -> None:
    linked = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", PAGE)]
    assert [link for link in linked if link and not (ROOT / "docs" / link).exists()] == []


def test_ten_lines_give_rows(example_lot: Path) -> None:
    code = (ROOT / "examples" / "ten_lines.py").read_text().partition('"""\n')[2]
    assert len([line for line in code.splitlines() if line]) <= 10
    done = call("ten_lines.py", example_lot / "ddpcr" / "EX24-001.csv")
    assert done.returncode == 0, done.stderr
    table = list(csv.reader(done.stdout.splitlines()))
    titers = [row for row in table if row[:3] == ["EX24-001 1e7", "vg_titer", "CAG"]]
    assert [row[-1] for row in titers] == ["vg/mL"]
    value, low, high = map(float, titers[0][4:7])
    assert low < value < high


def test_the_script_ends_and_speaks_as_the_page_says(example_lot: Path, tmp_path: Path) -> None:
    method, specification = example_lot / "method_ddpcr.toml", tmp_path / "specification.toml"
    export, samples = example_lot / "ddpcr", example_lot / "samples.csv"
    whole = (example_lot / "specification.toml").read_text()
    head, *tests = whole.split("[[tests]]")
    (titer,) = [test for test in tests if "vg_titer" in test]
    impossible = re.sub(r'limit = ".*"', 'limit = "NMT 1.0E3 vg/mL"', titer)
    for text, code in ((f"{head}[[tests]]{titer}", 0), (f"{head}[[tests]]{impossible}", 1), (whole, 5)):
        specification.write_text(text)
        done = call("lims_script.py", export, samples, method, specification)
        document = json.loads(done.stdout)
        assert done.returncode == code, done.stderr
        assert ResultDocument.model_validate(document["result"]).payload.technique == "ddpcr"
        assert document["evaluation"]["overall"] == {0: "PASS", 1: "OOS", 5: "INCOMPLETE"}[code]
        assert {"time", "level", "message"} <= set(json.loads(done.stderr.splitlines()[0]))
    (tmp_path / "plate.xlsx").write_bytes(b"\0\1\2")
    for arguments, code in (
        ((tmp_path / "plate.xlsx", samples, method, specification), 3),
        ((export, samples, tmp_path / "none.toml", specification), 2),
        ((), 2),
    ):
        done = call("lims_script.py", *arguments)
        assert done.returncode == json.loads(done.stdout)["error"]["exit"] == code
        assert all(json.loads(line) for line in done.stderr.splitlines())
