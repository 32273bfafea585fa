"""Workbooks (XLSX) as text: the first sheet that holds anything, as CSV.

A table that a laboratory saved as a workbook is read by the same parser as the CSV that the
instrument wrote. Numbers keep all their digits; of a formula the value that was saved counts.
"""

from __future__ import annotations

import csv
import io
import threading
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from xml.parsers import expat

from aavqc.errors import InputError

MAX_UNFOLDED = 1 << 26
MAX_CELLS = 1_000_000
"""A table of a 384-well plate with six targets has 190,000 cells."""


def is_workbook(data: bytes) -> bool:
    """Tell a workbook from other zip archives by what it lists."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return False


@dataclass(frozen=True)
class Workbook:
    """The first sheet with content as CSV in UTF-8, and the names of further sheets with content."""

    csv: bytes
    unread: tuple[str, ...]


@lru_cache(maxsize=4)
def read_workbook(data: bytes) -> Workbook:
    """Read a workbook.

    Parameters
    ----------
    data : bytes
        Of the workbook.

    Raises
    ------
    InputError
        No workbook that can be read, one that unfolds suspiciously large, or with a DOCTYPE.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _refuse_bombs(archive)
        return _read(data)
    except InputError:
        raise
    except Exception as error:  # the reader stumbles in many ways over a damaged workbook
        raise InputError("no readable workbook", expected="an XLSX file", found=str(error)[:80]) from error


def refuse_doctype(xml: bytes) -> None:
    """Refuse XML that declares a document type: entities can unfold without bound or read files.

    Raises
    ------
    InputError
        It has one, or is no XML before its first element.
    """
    parser = expat.ParserCreate()
    seen: list[str] = []

    def declared(*_: object) -> None:
        raise InputError("XML with a document type", expected="no DOCTYPE", found="<!DOCTYPE")

    parser.StartDoctypeDeclHandler = declared
    parser.StartElementHandler = lambda name, _: seen.append(name)
    try:
        for start in range(0, len(xml), 4096):
            parser.Parse(xml[start : start + 4096], False)
            if seen:
                return
    except expat.ExpatError as error:
        raise InputError("no readable XML", found=str(error)) from error


def _refuse_bombs(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    unfolded = sum(member.file_size for member in members)
    if unfolded > MAX_UNFOLDED:
        raise InputError(
            "unfolds suspiciously large",
            expected=f"a workbook of at most {MAX_UNFOLDED} bytes",
            found=f"{unfolded} bytes",
        )
    for member in members:
        if member.filename.endswith((".xml", ".rels")):
            try:
                refuse_doctype(archive.read(member))
            except zlib.error as error:
                raise InputError("no readable workbook", found=str(error)) from error


_FILTERS = threading.Lock()
"""The filters of warnings are the process's: of two threads that set them aside, one would keep them."""


def _read(data: bytes) -> Workbook:
    from openpyxl import load_workbook

    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions that do not matter here
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        text, unread = io.StringIO(newline=""), []
        writer = csv.writer(text, lineterminator="\n")
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            rows = _rows(sheet.iter_rows(values_only=True))
            if text.tell():
                unread += [sheet.title] if sheet.sheet_state == "visible" and _holds_any(rows) else []
                continue
            width = 0
            for row in rows:
                width = width or len(row)
                writer.writerow(row + [""] * (width - len(row)))
        book.close()
    return Workbook(text.getvalue().encode(), tuple(unread))


def _holds_any(rows: Iterator[list[str]]) -> bool:
    """Tell a sheet with content, also one that can't be read: it is not needed."""
    try:
        return next(rows, None) is not None
    except Exception:  # the reader stumbles in many ways over a damaged workbook  # noqa: BLE001
        return True


def _rows(rows: Iterator[tuple[object, ...]]) -> Iterator[list[str]]:
    """Yield the rows as text up to the last that holds anything."""
    cells, blank = 0, 0
    for row in rows:
        cells += len(row) + 1
        if cells > MAX_CELLS:
            raise InputError(
                "too large", expected=f"a sheet of at most {MAX_CELLS} cells", found=f"more than {cells}"
            )
        fields = ["" if value is None else str(value) for value in row]
        if not any(fields):
            blank += 1
            continue
        for _ in range(blank):
            yield []
        blank = 0
        yield fields
