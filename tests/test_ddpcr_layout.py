"""A plate's layout as a grid: samples, roles, preparations and dilutions by well."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import Workbook

from aavqc.analysis import analyze, read
from aavqc.batch import run
from aavqc.errors import SpecificationError, UsageError
from aavqc.sheet import load_sheet
from aavqc.simulate.ddpcr import DdpcrSimulation, simulate

LAYOUT = """\
lot,EX-1

sample_id,1,2,3
A,vector,vector,NTC
B,vector,vector,

role,1,2,3
A,,,ntc

preparation,1,2,3
A,P1,P2
B,P1,P2

dilution_factor,1,2,3
A,1e7,2e7,
B,1e7,2e7,
"""
SAMPLES = ["low:1e13:1e7:A01;B01", "high:1e13:2e7:A02;B02", "blank:0:1:A03"]
NAMES = {"dilution_factor", "lysis"}


def written(folder: Path, text: str, name: str = "layout.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def as_workbook(folder: Path, text: str) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for line in text.splitlines():
        sheet.append(
            [int(f) if f.isdecimal() else float(f) if "e7" in f else f or None for f in line.split(",")]
        )
    book.save(folder / "layout.xlsx")
    return folder / "layout.xlsx"


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plate")
    simulate(folder, DdpcrSimulation(samples=SAMPLES, targets=["ITR"], droplets=3000))
    return folder


def test_wells_that_agree_are_one_row(tmp_path: Path) -> None:
    rows = load_sheet(written(tmp_path, LAYOUT), NAMES)
    assert [(r.part, r.sample_id, r.role, r.preparation, r.dilution_factor) for r in rows] == [
        ("A01;B01", "vector", "sample", "P1", 1e7),
        ("A02;B02", "vector", "sample", "P2", 2e7),
        ("A03", "NTC", "ntc", None, None),
    ]
    assert {r.lot for r in rows} == {"EX-1"}


def test_a_workbook_says_the_same(tmp_path: Path) -> None:
    plain, folded = (
        load_sheet(written(tmp_path, LAYOUT), NAMES),
        load_sheet(as_workbook(tmp_path, LAYOUT), NAMES),
    )
    assert plain == folded


def test_a_list_with_numbers_for_names_stays_a_list(tmp_path: Path) -> None:
    text = "export,part,lot,sample_id\np.csv,1,2,3\n"
    (row,) = load_sheet(written(tmp_path, text), NAMES)
    assert (row.export, row.lot, row.sample_id) == ("p.csv", "2", "3")


def test_a_setting_may_have_a_block_or_a_line_of_its_own(tmp_path: Path) -> None:
    text = "lysis,pre_lysis\nnote,by hand\n" + LAYOUT
    rows = load_sheet(written(tmp_path, text), NAMES)
    assert rows[0].settings == {"lysis": "pre_lysis"}
    assert rows[0].other == {"note": "by hand"}


def test_analyze_takes_the_layout(plate: Path, tmp_path: Path) -> None:
    for source in (plate / "EX24-001.csv", plate, read(plate)):
        result = analyze(source, samples=written(tmp_path, LAYOUT))
        assert [(s.sample_id, s.lot, s.role) for s in result.samples] == [
            ("NTC", "EX-1", "ntc"),
            ("vector", "EX-1", "sample"),
        ]
        titer = result.samples[1].attribute_set["vg_titer"]
        assert titer.value == pytest.approx(1e13, rel=0.1)
        assert [p.preparation for p in result.payload.method.parts] == ["P1", "P2", None]


def test_a_setting_that_overrules_the_sheet_is_told(plate: Path, tmp_path: Path) -> None:
    result = analyze(plate, samples=written(tmp_path, LAYOUT), dilution_factor="1e7")
    (told,) = [w for s in result.samples for w in s.warnings if "as set" in w]
    assert told == "dilution_factor 1e7 as set, not 20000000.0 of the sample sheet (line 4 A02;B02)"


def test_batch_takes_the_layout(plate: Path, tmp_path: Path) -> None:
    report = run(plate, tmp_path / "out", samples=written(tmp_path, LAYOUT))
    (result,) = report.results.values()
    assert [s.sample_id for s in result.samples] == ["NTC", "vector"]
    assert report.manifest.problems == []


def test_a_layout_may_name_its_export(plate: Path, tmp_path: Path) -> None:
    text = "export,EX24-001.csv\n" + LAYOUT
    assert len(analyze(plate, samples=written(plate, text)).samples) == 2
    with pytest.raises(SpecificationError, match="none of the exports") as refused:
        analyze(plate, samples=written(plate, text.replace("EX24-001", "other")))
    assert refused.value.line == 5
    assert (refused.value.expected, refused.value.found) == ("a row of EX24-001.csv", "'other.csv' A01;B01")


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("B,vector,vector,\n", "A,vector,vector,\n"), 5, "row A is given twice"),
        (("role,1,2,3", "sample_id,1,2,3"), 7, "sample_id is given twice"),
        (("role,1,2,3", "lot,1,2,3"), 7, "lot is given twice"),
        (("A,,,ntc", "B,,,ntc"), 8, "well B03 has a role and no sample"),
        (("A,vector,vector,NTC", "A,vector,vector,NTC,x"), 4, "more wells"),
        (("A,,,ntc", "Q,,,ntc"), 8, "no line of a plate's layout"),
        (("A,,,ntc", "A,,,nothing"), 4, "role"),
        (("1e7,2e7,\nB", "0,2e7,\nB"), 4, "dilution_factor"),
        (("lot,EX-1\n", ""), 3, "blank lot"),
    ],
)
def test_a_fault_in_a_layout_is_named(tmp_path: Path, change: tuple[str, str], line: int, words: str) -> None:
    with pytest.raises(SpecificationError, match=words) as caught:
        load_sheet(written(tmp_path, LAYOUT.replace(*change, 1)), NAMES)
    assert (caught.value.file, caught.value.line) == ("layout.csv", line)


def test_a_well_named_in_two_ways_is_an_error(plate: Path, tmp_path: Path) -> None:
    head = "export,part,lot,sample_id\n"
    once = written(tmp_path, head + "EX24-001.csv,A1;a01,L,S\n", "once.csv")
    with pytest.raises(SpecificationError, match="named twice"):
        load_sheet(once, NAMES)
    rows = head + "EX24-001.csv,A1,L,S\nEX24-001.csv,A01;B01,L,T\n"
    with pytest.raises((SpecificationError, UsageError), match="twice"):
        analyze(plate, samples=written(plate, rows, "rows.csv"))
