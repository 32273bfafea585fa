"""Workbooks are read as the CSV of their first sheet, and bombs are refused."""

from __future__ import annotations

import csv
import io
import random
import zipfile
from pathlib import Path

import pytest
from openpyxl import Workbook

from aavqc.analysis import read
from aavqc.errors import AavqcError, InputError
from aavqc.parsers import read_export, survey
from aavqc.parsers.workbook import read_workbook, refuse_doctype
from aavqc.records import DropletPlate


def workbook(*sheets: list[list[object]]) -> bytes:
    book = Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"S{number}")
        for row in rows:
            sheet.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def cells(text: str) -> list[list[object]]:
    """Return CSV as a spreadsheet has it: numbers as numbers, blanks as nothing."""

    def value(field: str) -> object:
        if not field:
            return None
        try:
            return float(field)
        except ValueError:
            return field

    return [[value(field) for field in row] for row in csv.reader(io.StringIO(text))]


def example_table(example_lot: Path) -> str:
    return (example_lot / "ddpcr" / "EX24-001.csv").read_text(encoding="utf-8")


def test_a_table_saved_as_a_workbook_is_the_same_table(example_lot: Path, tmp_path: Path) -> None:
    text = example_table(example_lot)
    for name, data in {"a": text.encode(), "b": workbook([], cells(text))}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / ("p.csv" if name == "a" else "p.xlsx")).write_bytes(data)
    plain, folded = read(tmp_path / "a"), read(tmp_path / "b")
    assert isinstance(plain, DropletPlate)
    assert isinstance(folded, DropletPlate)
    assert plain.rows == folded.rows
    assert plain.clusters == folded.clusters


def test_numbers_keep_their_digits_and_blanks_stay_blank() -> None:
    data = workbook([[1.23456789012345, None, "a,b", 5], [None, None], [True, "x"]])
    assert read_workbook(data).csv == b'1.23456789012345,,"a,b",5\n,,,\nTrue,x,,\n'


def test_a_second_sheet_is_not_read_in_silence(example_lot: Path, tmp_path: Path) -> None:
    table = cells(example_table(example_lot))
    for sheets, unread in (([table, []], ()), ([[], table, table], ("S2",))):
        path = tmp_path / f"{len(sheets)}.xlsx"
        path.write_bytes(workbook(*sheets))
        assert read(path).remarks == tuple(f"{path.name}: sheet {name!r} is not read" for name in unread)


def test_another_workbook_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "notes.xlsx").write_bytes(workbook([["some", "notes"]]))
    assert [(r.status, r.reason) for r in survey(tmp_path).files] == [("ignored", "not a known export")]


def rewritten(data: bytes, member: str, change: tuple[bytes, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, content.replace(*change) if name == member else content)
    return stream.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(encoding: str) -> None:
    text = '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    with pytest.raises(InputError, match="document type"):
        refuse_doctype(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding))


def test_bombs_are_refused(tmp_path: Path) -> None:
    whole = workbook([["Well", "Positives"]])
    entities = rewritten(whole, "xl/workbook.xml", (b"<workbook", b'<!DOCTYPE w [<!ENTITY a "b">]><workbook'))
    folded = rewritten(whole, "xl/styles.xml", (b"</styleSheet>", b"<!--" + b" " * (80 << 20) + b"-->"))
    wide = workbook([["x"]] + [[]] * 1)
    wide = rewritten(
        wide,
        "xl/worksheets/sheet1.xml",
        (
            b"</sheetData>",
            b"".join(b'<row r="%d"><c r="XFD%d"/></row>' % (i, i) for i in range(2, 200)) + b"</sheetData>",
        ),
    )
    for name, data in {"entities": entities, "folded": folded, "wide": wide}.items():
        path = tmp_path / f"{name}.xlsx"
        path.write_bytes(data)
        (row,) = survey(path).files
        assert row.status == "failed", name


@pytest.mark.parametrize("number", range(60))
def test_a_damaged_workbook_is_read_or_refused(number: int, example_lot: Path, tmp_path: Path) -> None:
    rng = random.Random(number)
    lines = example_table(example_lot).splitlines()[:4]
    data = bytearray(workbook(cells("\n".join(lines))))
    if number % 2:
        inner = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(bytes(data))) as old, zipfile.ZipFile(inner, "w") as new:
            for name in old.namelist():
                content = bytearray(old.read(name))
                for _ in range(rng.choice((1, 5))):
                    content[rng.randrange(len(content))] = rng.randrange(256)
                new.writestr(name, bytes(content))
        data = bytearray(inner.getvalue())
    else:
        for _ in range(rng.choice((1, 5, 20))):
            data[rng.randrange(len(data))] = rng.randrange(256)
    (tmp_path / "p.xlsx").write_bytes(bytes(data))
    found = survey(tmp_path)
    assert len(found.files) == 1
    for export in found.exports:
        try:
            read_export(export)
        except AavqcError:
            continue
