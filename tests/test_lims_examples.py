"""The page on LIMS: its code is that of examples/, and does what the page says."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aavqc.documents import ResultDocument
from lims_workers import example

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


def test_ten_lines_give_rows_by_the_sample_sheet(example_lot: Path) -> None:
    body = ast.parse((ROOT / "examples" / "ten_lines.py").read_text())
    steps = [n for n in ast.walk(body) if isinstance(n, ast.stmt) and not isinstance(n, ast.Import)]
    assert len(steps) - 1 <= 10  # the docstring is one
    method, sheet = example_lot / "method_ddpcr.toml", example_lot / "samples.csv"
    done = call("ten_lines.py", example_lot / "ddpcr" / "EX24-001.csv", method, sheet)
    assert done.returncode == 0, done.stderr
    rows = [row for row in csv.reader(done.stdout.splitlines()) if row[4].endswith("[CAG]")]
    (titer,) = [row for row in rows if row[2:5] == ["sample", "valid", "vg_titer[CAG]"]]
    value, low, high = map(float, titer[6:9])
    assert low < value < high
    truth = json.loads((example_lot / "ddpcr" / "truth.json").read_text())["samples"]
    assert low < float(next(iter(truth.values()))["vg_per_ml"]) < high  # of both dilutions
    (blank,) = [row for row in rows if row[2] == "ntc"]
    assert blank[5] == "ND"
    assert float(blank[6]) > 0


def test_ten_lines_end_with_the_code_of_what_is_wrong(example_lot: Path, tmp_path: Path) -> None:
    method, sheet = example_lot / "method_cdms.toml", tmp_path / "samples.csv"
    few = tmp_path / "few.csv"
    few.write_text("\n".join((example_lot / "cdms" / "run1.csv").read_text().splitlines()[:20]))
    sheet.write_text("export,lot,sample_id\nfew.csv,L,S\nnone.csv,L,S\n")
    for export, code in (("none.csv", 3), ("few.csv", 4)):
        done = call("ten_lines.py", tmp_path / export, method, sheet)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr


def test_the_script_gives_the_codes_of_the_page(example_lot: Path, tmp_path: Path) -> None:
    script = example("lims_script")
    method, specification = example_lot / "method_ddpcr.toml", tmp_path / "specification.toml"
    given = (example_lot / "ddpcr", example_lot / "samples.csv", method, specification)
    whole = (example_lot / "specification.toml").read_text()
    head, *tests = whole.split("[[tests]]")
    (titer,) = [test for test in tests if "vg_titer" in test]
    impossible = re.sub(r'limit = ".*"', 'limit = "NMT 1.0E3 vg/mL"', titer)
    for text, overall, expected in (
        (f"{head}[[tests]]{titer}", "PASS", 0),
        (f"{head}[[tests]]{impossible}", "OOS", 1),
        (whole, "INCOMPLETE", 5),
    ):
        specification.write_text(text)
        code, document = script.main(map(str, given))
        assert (code, document["evaluation"]["overall"]) == (expected, overall)
        assert ResultDocument.model_validate(document["result"]).payload.technique == "ddpcr"
    (tmp_path / "plate.xlsx").write_bytes(b"\0\1\2")
    for arguments, expected in (
        ((tmp_path / "plate.xlsx", *given[1:]), 3),
        ((*given[:2], example_lot / "method_auc.toml", specification), 2),
        ((), 2),
    ):
        code, document = script.main(map(str, arguments))
        assert code == document["error"]["exit"] == expected


def test_the_script_speaks_as_the_page_says(example_lot: Path) -> None:
    names = ("ddpcr", "samples.csv", "method_ddpcr.toml", "specification.toml")
    done = call("lims_script.py", *(example_lot / name for name in names))
    assert done.returncode == 5, done.stderr
    assert json.loads(done.stdout)["evaluation"]["overall"] == "INCOMPLETE"
    for line in done.stderr.splitlines():
        assert {"time", "level", "message"} <= set(json.loads(line))
