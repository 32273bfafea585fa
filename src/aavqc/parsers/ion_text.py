"""The table of an ion list in delimited text: its columns by name, its rows checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aavqc.errors import InputError
from aavqc.parsers.columns import columns_by_role, plain_name, split_lines

ROLES = {
    "mz": "mz",
    "slope": "intensity",
    "intensity": "intensity",
    "charge": "charge",
    "z": "charge",
    "scan": "scan",
    "scannumber": "scan",
    "time": "time_s",
    "times": "time_s",
    "retentiontime": "time_s",
    "injectiontime": "injection_time_ms",
    "injectiontimems": "injection_time_ms",
    "injectiontimes": "injection_time_s",
    "injectiontimeseconds": "injection_time_s",
    "inverseinjectiontimeseconds": "inverse_injection_time",
    "storigroupid": "group",
    "ismultiionproduct": "multi_ion",
    "rsquared": "r_squared",
    "slopersquared": "r_squared",
    "timeofbirth": "time_of_birth",
    "timeofdeath": "time_of_death",
    "chargescore": "charge_score",
    "chargesd": "charge_sd",
    "sn": "s_to_n",
    "ston": "s_to_n",
    "signaltonoise": "s_to_n",
    "noise": "noise",
    "resolution": "resolution",
}
"""Column name (lower case, letters and digits only) → what it is."""

UNUSED = frozenset({"id", "ionnumber", "segnumber", "frequency"})
"""Columns that are known and not used; any other is named in a remark."""

POSITIONS = ("mz", "intensity", "scan", "inverse_injection_time", "time_s")
"""Columns of a list without names."""

_DELIMITERS = ("\t", ";", ",", " ")
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)|", re.IGNORECASE)
_TRUTH = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


@dataclass(frozen=True)
class Layout:
    """How a text list is laid out: its delimiter, columns, and the line of the first ion."""

    delimiter: str
    columns: tuple[str, ...]
    named: bool
    first: int


def text_columns(text: str, name: str, remarks: list[str]) -> dict[str, NDArray[np.float64]]:
    """Read the columns that are known; what else the reader should know is added to ``remarks``.

    Returns
    -------
    dict of str to array, shape (n,)
        By the names of :data:`ROLES`, in the file's own units; ``multi_ion`` as 0 and 1.
    """
    lines = split_lines(text)
    layout = find_layout(lines[:200])
    if layout is None:
        raise InputError("no ion list", file=name, line=1, expected="columns mz and intensity or charge")
    wanted = _wanted(layout, name, remarks)
    body = lines[layout.first :]
    if not body:
        raise InputError("no ions", file=name, line=layout.first, expected="rows of ions")
    rows = _split_check(body, layout, name)
    try:
        return _parse(rows, layout, wanted)
    except (ValueError, OverflowError) as error:
        _raise_bad_row(rows, layout, wanted, name)
        raise InputError("can't be read as a table", file=name, found=str(error)[:200]) from error


def _parse(rows: Sequence[str], layout: Layout, wanted: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
    delimiter = "\t" if layout.delimiter == " " else layout.delimiter
    numeric = {role: i for role, i in wanted.items() if role != "multi_ion"}
    table = np.loadtxt(
        _without_gaps(rows, delimiter),
        delimiter=delimiter,
        usecols=list(numeric.values()),
        comments=None,
        ndmin=2,
    )
    columns = {role: table[:, k] for k, role in enumerate(numeric)}
    if "multi_ion" in wanted:
        behind = len(layout.columns) - wanted["multi_ion"]  # most often the last column: split from there
        marks = [_TRUTH.get(row.rsplit(delimiter, behind)[-behind].strip().lower()) for row in rows]
        if None in marks:
            raise ValueError("a mark is neither 0 nor 1")
        columns["multi_ion"] = np.array(marks, dtype=np.float64)
    return columns


def _without_gaps(rows: Sequence[str], delimiter: str) -> Sequence[str]:
    """Write NaN into empty cells, which mean "not known"."""
    text = "\n".join(("", *rows, ""))
    if not any(gap in text for gap in (delimiter * 2, delimiter + "\n", "\n" + delimiter)):
        return rows
    return [delimiter.join(cell.strip() or "nan" for cell in row.split(delimiter)) for row in rows]


def _wanted(layout: Layout, name: str, remarks: list[str]) -> dict[str, int]:
    """Say which column is what; refuse a list without m/z, or with neither intensity nor charge."""
    plain = [plain_name(c) for c in layout.columns]
    second = "intensity" if "slope" in plain else None
    roles = [None if p == second else ROLES.get(p) for p in plain]
    for column, key, role in zip(layout.columns, plain, roles, strict=True):
        if key == second:
            remarks.append(f"column {column.strip()!r} is not used: the slope measures the charge")
        elif role is None and key not in UNUSED:
            remarks.append(f"column {column.strip()!r} is not used")
    wanted = columns_by_role(layout.columns, roles, name, layout.first)
    header = ", ".join(c.strip() for c in layout.columns)
    if "mz" not in wanted:
        raise InputError("column missing", file=name, line=layout.first, expected="mz", found=header[:200])
    if not wanted.keys() & {"intensity", "charge"}:
        raise InputError(
            "column missing",
            file=name,
            line=layout.first,
            expected="intensity, slope, charge or z",
            found=header[:200],
        )
    return wanted


def find_layout(lines: Sequence[str]) -> Layout | None:
    """Find header and delimiter in the first lines; None where there is no sign of an ion list."""
    for number, line in enumerate(lines[:100]):
        comment, content = line.lstrip().startswith("#"), line.lstrip("# \t").strip()
        if not content:
            continue
        best = max(_DELIMITERS, key=lambda d: _known(_cells(content, d)))
        if _known(_cells(content, best)):
            return Layout(best, tuple(_cells(content, best)), True, number + 1)
        if not comment:
            return _unnamed(lines[number:], number)
    return None


def _unnamed(lines: Sequence[str], number: int) -> Layout | None:
    """Recognise columns of numbers where the first is in the range of m/z of large ions."""
    sample = list(lines[:20])
    for delimiter in _DELIMITERS:
        width = len(_cells(sample[0], delimiter))
        if not 2 <= width <= len(POSITIONS):
            continue
        rows = [_cells(line, delimiter) for line in sample]
        good = [r for r in rows if len(r) == width and all(c and _NUMBER.fullmatch(c) for c in r)]
        if len(good) < 3 or good[:3] != rows[:3] or len(good) < 0.8 * len(rows):
            return None
        mz, signal = (np.median([float(r[i]) for r in good]) for i in (0, 1))
        if 1000 <= mz <= 200_000 and signal > 1:
            return Layout(delimiter, POSITIONS[:width], False, number)
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    return line.split() if delimiter == " " else [c.strip() for c in line.split(delimiter)]


def _known(cells: Sequence[str]) -> int:
    return sum(plain_name(cell) in ROLES for cell in cells)


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


def _raise_bad_row(rows: Sequence[str], layout: Layout, wanted: Mapping[str, int], name: str) -> None:
    for i, row in enumerate(rows):
        cells = _cells(row, "\t" if layout.delimiter == " " else layout.delimiter)
        for role, index in wanted.items():
            cell = cells[index] if index < len(cells) else ""
            good = cell.lower() in _TRUTH if role == "multi_ion" else _NUMBER.fullmatch(cell)
            if not good:
                comma = re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", cell)
                raise InputError(
                    "decimal comma" if comma else "not a number",
                    file=name,
                    line=layout.first + i + 1,
                    column=index + 1,
                    expected="0 or 1" if role == "multi_ion" else f"a number for {role}",
                    found=repr(cell[:80]),
                    hint="export with a decimal point" if comma else None,
                )
