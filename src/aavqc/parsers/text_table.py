"""Delimited text of numbers: its delimiter and header, its rows checked and read."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aavqc.errors import InputError
from aavqc.parsers.columns import plain_name

DELIMITERS = ("\t", ";", ",", " ")
NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)|", re.IGNORECASE)
_TRUTH = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


@dataclass(frozen=True)
class Layout:
    """How a list is laid out: its delimiter, columns, and the line of the first row."""

    delimiter: str
    columns: tuple[str, ...]
    named: bool
    first: int


def find_header(lines: Sequence[str], known: Collection[str]) -> Layout | int | None:
    """Find header and delimiter in the first lines by the plain names of columns.

    Returns
    -------
    Layout, or the index of the first line that is neither blank nor a comment nor a header, or
    None where there is no such line.
    """

    def count(cells: Sequence[str]) -> int:
        return sum(plain_name(cell) in known for cell in cells)

    for number, line in enumerate(lines[:100]):
        comment, content = line.lstrip().startswith("#"), line.lstrip("# \t").strip()
        if not content:
            continue
        best = max(DELIMITERS, key=lambda d: (count(split_cells(content, d)), d != " " and d in content))
        if count(split_cells(content, best)):
            return Layout(best, tuple(split_cells(content, best)), True, number + 1)
        if not comment:
            return number
    return None


def split_cells(line: str, delimiter: str) -> list[str]:
    """Split one line."""
    return line.split() if delimiter == " " else [c.strip() for c in line.split(delimiter)]


def read_rows(
    lines: Sequence[str], layout: Layout, wanted: Mapping[str, int], name: str, marks: Collection[str] = ()
) -> dict[str, NDArray[np.float64]]:
    """Read the wanted columns of the rows behind the header.

    Parameters
    ----------
    lines : sequence of str
        The whole file.
    layout : Layout
    wanted : mapping of str to int
        Role → index of its column.
    name : str
        Of the file, for errors.
    marks : collection of str
        Roles that hold true or false: 0 and 1 in the result.

    Returns
    -------
    dict of str to array, shape (n,)
        NaN where a cell is empty.

    Raises
    ------
    InputError
        No rows, a row of another width, a cell that is no number: with its line.
    """
    body = list(lines[layout.first :])
    if not body:
        raise InputError("no ions or particles", file=name, line=layout.first, expected="a row for each")
    rows = _split_check(body, layout, name)
    try:
        return _parse(rows, layout, wanted, marks)
    except (ValueError, OverflowError) as error:
        _raise_bad_row(rows, layout, wanted, name, marks)
        raise InputError("can't be read as a table", file=name, found=str(error)[:200]) from error


def _parse(
    rows: Sequence[str], layout: Layout, wanted: Mapping[str, int], marks: Collection[str]
) -> dict[str, NDArray[np.float64]]:
    delimiter = "\t" if layout.delimiter == " " else layout.delimiter
    numeric = {role: i for role, i in wanted.items() if role not in marks}
    table = np.loadtxt(
        _without_gaps(rows, delimiter),
        delimiter=delimiter,
        usecols=list(numeric.values()),
        comments=None,
        ndmin=2,
    )
    columns = {role: table[:, k] for k, role in enumerate(numeric)}
    for role in wanted.keys() - numeric.keys():
        behind = len(layout.columns) - wanted[role]  # most often the last column: split from there
        found = [_TRUTH.get(row.rsplit(delimiter, behind)[-behind].strip().lower()) for row in rows]
        if None in found:
            raise ValueError("a mark is neither 0 nor 1")
        columns[role] = np.array(found, dtype=np.float64)
    return columns


def _without_gaps(rows: Sequence[str], delimiter: str) -> Sequence[str]:
    """Write NaN into empty cells, which mean "not known"."""
    text = "\n".join(("", *rows, ""))
    if not any(gap in text for gap in (delimiter * 2, delimiter + "\n", "\n" + delimiter)):
        return rows
    return [delimiter.join(cell.strip() or "nan" for cell in row.split(delimiter)) for row in rows]


def _split_check(rows: list[str], layout: Layout, name: str) -> list[str]:
    """Check that every row has as many cells as the header; returns rows with one delimiter between cells."""
    if layout.delimiter == " ":
        rows = ["\t".join(row.split()) for row in rows]
    delimiter = "\t" if layout.delimiter == " " else layout.delimiter
    width = len(layout.columns)
    for i, row in enumerate(rows):
        if row.count(delimiter) != width - 1:
            found = row.count(delimiter) + 1 if row.strip() else 0
            raise InputError(
                "wrong number of columns",
                file=name,
                line=layout.first + i + 1,
                expected=str(width),
                found=f"{found} in {row[:80]!r}",
                hint="is a decimal comma in it?" if delimiter == "," and found > width else None,
            )
    return rows


def _raise_bad_row(
    rows: Sequence[str], layout: Layout, wanted: Mapping[str, int], name: str, marks: Collection[str]
) -> None:
    for i, row in enumerate(rows):
        cells = split_cells(row, "\t" if layout.delimiter == " " else layout.delimiter)
        for role, index in wanted.items():
            cell = cells[index] if index < len(cells) else ""
            good = cell.lower() in _TRUTH if role in marks else NUMBER.fullmatch(cell)
            if not good:
                comma = re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", cell)
                raise InputError(
                    "decimal comma" if comma else "not a number",
                    file=name,
                    line=layout.first + i + 1,
                    column=index + 1,
                    expected="0 or 1" if role in marks else f"a number for {role}",
                    found=repr(cell[:80]),
                    hint="export with a decimal point" if comma else None,
                )
