"""Distributions that SEDFIT saves: s in S and c(s), a row a value of s.

SEDFIT writes two columns and no header, with a tab or blanks between: it is told by its numbers, a first
column that starts low and ascends evenly, a second that is never negative. GUSSI and spreadsheets put
a line of names first: where it names s and c(s), columns may be more, in any order, and their delimiter any.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.sources import HEAD
from aavqc.records import Distribution, FloatArray, readonly

MIN_POINTS = 10
MAX_S = 2000.0
"""Greatest s of a distribution, in S: aggregates of capsids are below."""

MAX_START, STEPS = 100.0, (0.005, 20.0)
"""Greatest first s of columns without names, and least and greatest step, in S: no m/z, no wavelength of a
spectrum, no time of a chromatogram."""

_SUFFIXES = (".txt", ".dat", ".tsv", ".asc")
"""Of columns without names."""

_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][-+]?\d{1,3})?", re.ASCII)
_UNIT = re.compile(r"(?<=[\s)])[(\[][^()\[\]]*[)\]]")
"""Behind a blank or a closed bracket: c(s) (OD/S)."""

_S = re.compile(r"s_?\(?20w\)?|s\*?(?:\(s\)|/s)?|sedimentation[ _]coefficient.*", re.I)
_DENSITY = re.compile(r"c\(s(?:20w)?\)|(?:ls-)?g\*?\(s(?:20w|\*)?\)", re.I)


@dataclass(frozen=True)
class _Layout:
    """Where s and the distribution stand: ``named`` as the first line names them."""

    delimiter: str | None
    s: int = 0
    density: int = 1
    width: int = 2
    kind: str = "c(s)"
    named: bool = False
    remarks: tuple[str, ...] = ()

    def point(self, line: str) -> tuple[float, float] | None:
        """Return s and its value in a row, or None where it is no such row."""
        cells = [cell.strip() for cell in line.split(self.delimiter)]
        if not self.named and cells and not cells[-1]:
            cells.pop()
        if len(cells) != self.width:
            return None
        pair = cells[self.s], cells[self.density]
        return (float(pair[0]), float(pair[1])) if all(map(_NUMBER.fullmatch, pair)) else None


def sniff(head: bytes, name: str) -> bool:
    """Tell a distribution by the names of its columns, else by two columns that can be s and c(s)."""
    if b"\0" in head:
        return False
    lines = _lines(head.removeprefix(codecs.BOM_UTF8).decode("latin-1"))
    lines = lines[:-1] if len(head) >= HEAD else lines  # the last may be cut
    layout = _layout(lines[0]) if lines else None
    if layout is not None and layout.named:  # whatever is wrong below is said where it is read
        return len(lines) > 1 and layout.point(lines[1]) is not None
    if layout is None or not name.lower().endswith(_SUFFIXES):
        return False
    rows = [layout.point(line) for line in lines]
    if len(rows) < MIN_POINTS or None in rows:
        return False
    table = np.array(rows, dtype=np.float64)
    return _problem(table, layout) is None and bool((table[:, 1] > 0).any() or len(head) >= HEAD)


def read(export: Export) -> Distribution:
    """Read one distribution.

    Raises
    ------
    InputError
        A row is no pair of numbers, s does not ascend evenly, c(s) is negative.
    """
    (file,) = export.files
    lines = _lines(file.text())
    layout = _layout(lines[0]) or _Layout(None)
    first = int(layout.named)
    table = np.empty((len(lines) - first, 2))
    for i, line in enumerate(lines[first:]):
        point = layout.point(line)
        if point is None:
            raise InputError(
                "no point of a distribution",
                file=file.name,
                line=i + first + 1,
                expected=f"{layout.width} columns, numbers for s and {layout.kind}",
                found=repr(line[:60]),
            )
        table[i] = point
    if len(table) < MIN_POINTS:
        raise InputError(
            "too few points", file=file.name, expected=f"at least {MIN_POINTS}", found=str(len(table))
        )
    problem = _problem(table, layout)
    if problem is not None:
        row_index, expected = problem
        raise InputError(
            "implausible distribution",
            file=file.name,
            line=row_index + first + 1,
            expected=expected,
            found=repr(lines[row_index + first][:60]),
        )
    return Distribution(
        name=export.name,
        sample_id=export.sample_id,
        format=export.format,
        inputs=(file.input,),
        remarks=layout.remarks,
        x=readonly(table[:, 0]),
        y=readonly(table[:, 1]),
        kind=layout.kind,
        unit="S",
    )


FORMAT = Format(
    name="sedfit-distribution",
    title="saved distribution of sedimentation coefficients",
    vendor="SEDFIT, GUSSI",
    technique="auc",
    extensions=(".dat", ".txt"),
    reads="s and c(s) in two columns with a tab or blanks between; named columns in delimited text",
    unread="c(s,f/f0) tables of six columns, fit files, parameters of the fit",
    support="experimental",
    sniff=sniff,
    group=each_file_a_record("sedfit-distribution", "auc"),
    read=read,
)


def _lines(text: str) -> list[str]:
    return text.replace('"', "").replace("\r\n", "\n").rstrip("\n\x1a \t").split("\n")


def _layout(line: str) -> _Layout | None:
    """Return the layout that the first line shows, of names or of two numbers."""
    unnamed = _Layout(
        "\t" if "\t" in line else None,
        remarks=("told by its content: the first column is taken as s in S, the second as c(s)",),
    )
    if unnamed.point(line) is not None:
        return unnamed
    names = re.sub(r"20\s*,\s*w", "20w", line.lstrip("\ufeff#% "), flags=re.I)
    delimiter = next((mark for mark in "\t;," if mark in names), None)
    plain = names if delimiter else _UNIT.sub("", names)  # a unit may stand behind a blank
    columns = [_UNIT.sub("", column).strip() for column in plain.split(delimiter)]
    s, density = (_only(pattern.fullmatch, columns) for pattern in (_S, _DENSITY))
    if s is None or density is None:
        return None
    remarks = [f"column {c!r} is not used" for i, c in enumerate(columns) if i not in (s, density)]
    if "20w" in columns[s].lower():
        remarks.append("the file gives s20,w: density and viscosity of the buffer would correct it again")
    return _Layout(delimiter, s, density, len(columns), columns[density], True, tuple(remarks))


def _only(matches: Callable[[str], object], columns: list[str]) -> int | None:
    found = [i for i, column in enumerate(columns) if matches(column)]
    return found[0] if len(found) == 1 else None


def _problem(table: FloatArray, layout: _Layout) -> tuple[int, str] | None:
    """Return the first row that no distribution has, and what it should be."""
    s, y = table[:, 0], table[:, 1]
    if not np.isfinite(table).all():
        return int(np.argmin(np.isfinite(table).all(axis=1))), "finite numbers"
    step = np.diff(s)
    usual = float(np.median(step))
    uneven = np.r_[False, ~((step > 0.2 * usual) & (step < 5 * usual) & (usual > 0))]
    least, greatest = STEPS
    checks = {
        f"s from 0 to {MAX_S:g} S": ~((s >= 0) & (s <= MAX_S)),
        f"a first s of at most {MAX_START:g} S": np.r_[
            not layout.named and s[0] > MAX_START, np.zeros(s.size - 1, bool)
        ],
        "s that ascends in even steps": uneven,
        f"steps of {least:g} to {greatest:g} S": np.full(s.size, not least <= usual <= greatest),
        # a derivative of noise may be below 0, what is fitted with amounts may not
        "a signal that is not negative": ((y < 0) & (layout.kind[:1] == "c")) | (np.abs(y) > 1e9),
    }
    return next(((int(np.argmax(bad)), expected) for expected, bad in checks.items() if bad.any()), None)
