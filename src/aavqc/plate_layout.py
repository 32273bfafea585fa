"""A plate's layout as a grid: blocks of rows A to H and columns 1 to 12, one a property of wells.

The corner of a block names its property as the sample sheet's columns are named (blank:
``sample_id``); lines of a name and one value above or between the blocks hold for the whole
plate. Wells that agree in all properties are one row of the sample sheet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aavqc.errors import SpecificationError

ANY_PLATE = "*"
"""Stands for the export where the layout names none: the only plate there is."""

Numbered = Sequence[tuple[int, list[str]]]

_COLUMN = re.compile(r"(\d{1,2})(?:\.0*)?", re.ASCII)
_ROW = re.compile(r"[A-P]", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class LayoutRow:
    """Wells that agree in all properties: a row of the sample sheet by column, and its line."""

    line: int
    cells: Mapping[str, str]


def is_layout(rows: Numbered) -> bool:
    """Tell a layout from a list, whose first line names columns: a line counts the plate's from 1."""
    first = next((cells for _, cells in rows if any(cell.strip() for cell in cells)), [])
    if len({"export", "lot", "sample_id"} & {cell.strip() for cell in first}) > 1:
        return False
    return any(_columns(cells) for _, cells in rows)


def layout_rows(rows: Numbered, file: str) -> list[LayoutRow]:
    """Return the rows of the sample sheet that a layout stands for.

    Parameters
    ----------
    rows : sequence of (int, list of str)
        Line number and cells of each line.
    file : str
        Its name, for errors.

    Raises
    ------
    SpecificationError
        A property given twice, a row of the plate twice in a block, a well with a property
        and no sample, a line that is neither.

    Examples
    --------
    >>> text = [["lot", "L1"], ["", "1", "2"], ["A", "S1", "S1"], ["B", "", "S2"]]
    >>> for row in layout_rows(list(enumerate(text, 1)), "layout.csv"):
    ...     print(row.cells["part"], row.cells["sample_id"])
    A01;A02 S1
    B02 S2
    """
    whole: dict[str, str] = {}
    blocks: dict[str, dict[str, str]] = {}
    lines: dict[str, int] = {}
    name, columns, seen = "", [], set[str]()
    for number, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        first = cells[0].strip()
        values = [cell.strip() for cell in cells[1:]]
        if found := _columns(cells):
            name, columns, seen = first or "sample_id", found, set()
            _refuse_twice(name, blocks.keys() | whole.keys(), file, number)
            blocks[name] = {}
        elif columns and _ROW.fullmatch(first):
            _refuse_twice(f"row {first.upper()}", seen, file, number)
            seen.add(f"row {first.upper()}")
            if any(values[len(columns) :]):
                raise _error("more wells than the block has columns", file, number, f"{len(columns)}")
            for column, value in zip(columns, values, strict=False):
                if value:
                    well = f"{first.upper()}{column:02d}"
                    blocks[name][well] = value
                    lines.setdefault(well, number)
        elif first and values and values[0] and not any(values[1:]):
            _refuse_twice(first, blocks.keys() | whole.keys(), file, number)
            whole[first] = values[0]
        else:
            expected = "a name and a value, the columns 1 to 12, or a row A to H"
            raise _error("no line of a plate's layout", file, number, expected)
    _refuse_samples_missing(blocks, lines, file)
    return _grouped(whole, blocks, lines)


def _columns(cells: Sequence[str]) -> list[int]:
    """Return the numbers of a block's header, empty for any other line."""
    texts = [cell.strip() for cell in cells[1:]]
    while texts and not texts[-1]:
        texts.pop()
    found = [_COLUMN.fullmatch(text) for text in texts]
    numbers = [int(match[1]) for match in found if match]
    return numbers if len(numbers) == len(found) > 1 and numbers == list(range(1, len(numbers) + 1)) else []


def _grouped(
    whole: Mapping[str, str], blocks: Mapping[str, Mapping[str, str]], lines: Mapping[str, int]
) -> list[LayoutRow]:
    groups: dict[tuple[str | None, ...], list[str]] = {}
    for well in sorted(blocks.get("sample_id", {}), key=lambda w: (int(w[1:]), w[0])):
        groups.setdefault(tuple(block.get(well) for block in blocks.values()), []).append(well)
    return [
        LayoutRow(
            lines[wells[0]],
            {"export": ANY_PLATE, **whole, "part": ";".join(wells)}
            | {name: value for name, value in zip(blocks, values, strict=True) if value is not None},
        )
        for values, wells in groups.items()
    ]


def _refuse_samples_missing(
    blocks: Mapping[str, Mapping[str, str]], lines: Mapping[str, int], file: str
) -> None:
    named = blocks.get("sample_id", {})
    for name, block in blocks.items():
        for well in block:
            if well not in named:
                raise SpecificationError(
                    f"well {well} has a {name} and no sample",
                    file=file,
                    line=lines[well],
                    expected="a sample_id for each well in use",
                    found="none",
                )


def _refuse_twice(name: str, known: set[str], file: str, line: int) -> None:
    if name in known:
        raise _error(f"{name} is given twice", file, line, "each once")


def _error(message: str, file: str, line: int, expected: str) -> SpecificationError:
    return SpecificationError(message, file=file, line=line, expected=expected)
