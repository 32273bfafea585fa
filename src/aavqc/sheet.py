"""The sample sheet: which export, or part of one, is which sample of which lot."""

from __future__ import annotations

import csv
import io
import logging
import os
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aavqc.documents import SheetRow
from aavqc.errors import InputError, SpecificationError, nearest
from aavqc.parsers import Export
from aavqc.parsers.workbook import is_workbook, read_workbook
from aavqc.plate_layout import ANY_PLATE, is_layout, layout_rows
from aavqc.settings import written_number
from aavqc.textfiles import decode, read_bytes, validate

log = logging.getLogger("aavqc.sheet")

REQUIRED = ("export", "lot", "sample_id")
PASSED_ON = ("instrument", "rotor", "cell", "channel", "well")
"""Columns that sheets have and that set nothing by themselves."""

FEW = 20
"""Problems for which the nearest export is looked for: with thousands of each it takes minutes."""

KNOWN = tuple(name for name in SheetRow.model_fields if name not in ("settings", "other", "line"))


def load_sheet(path: Path, setting_names: Collection[str]) -> list[SheetRow]:
    """Read a sample sheet (CSV or XLSX): a list of records and parts of plates, or a plate's layout.

    Parameters
    ----------
    path : Path
    setting_names : collection of str
        First parts of all settings' names; a column so named sets it for its row.

    Raises
    ------
    SpecificationError
        A missing column, a blank where a value is required, a value that its column can't take,
        a well that is named twice.
    """
    try:
        data = read_bytes(path)
        text = decode(read_workbook(data).csv if is_workbook(data) else data, path.name)
    except InputError as error:
        raise error.in_file(path.name) from error
    found = list(_lines(text, path.name))
    if is_layout(found):
        rows = [_row(row.cells, path.name, row.line, setting_names) for row in layout_rows(found, path.name)]
    else:
        rows = _listed(found, path, setting_names)
    _tell_slips(rows, path.name, setting_names)
    return rows


def _tell_slips(rows: list[SheetRow], name: str, setting_names: Collection[str]) -> None:
    """Warn of columns that are passed on, and are all but named as one that says something."""
    from difflib import get_close_matches

    known = {*KNOWN, *setting_names}
    for column in dict.fromkeys(c for row in rows for c in row.other if c not in PASSED_ON):
        close = get_close_matches(column.split(".")[0].lower().replace(" ", "_"), known, n=1, cutoff=0.85)
        if close:
            log.warning("%s: column %r sets nothing: did you mean %s?", name, column, close[0])


def _listed(found: list[tuple[int, list[str]]], path: Path, setting_names: Collection[str]) -> list[SheetRow]:
    lines = iter(found)
    _, header = next(lines, (1, []))
    header = [cell.strip() for cell in header]
    twice = next((c for c in header if c and header.count(c) > 1), None)
    if twice is not None:
        raise SpecificationError(
            "sample sheet with a column twice", file=path.name, line=1, found=repr(twice)
        )
    for column in REQUIRED:
        if column not in header:
            raise SpecificationError(
                "sample sheet without a required column",
                file=path.name,
                line=1,
                expected=f"a column {column!r}",
                found=", ".join(header) or "nothing",
                hint=nearest(column, header) if len(header) > 1 else "save it as CSV with commas",
            )
    rows: list[SheetRow] = []
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            raise SpecificationError(
                "too many cells", file=path.name, line=line, expected=f"{len(header)}", found=f"{len(cells)}"
            )
        rows.append(_row(dict(zip(header, cells, strict=False)), path.name, line, setting_names))
    if not rows:
        raise SpecificationError(
            "sample sheet without a row", file=path.name, line=1, expected="a row a record or part of a plate"
        )
    return rows


def _lines(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number at which each row begins, and its cells."""
    reader = csv.reader(io.StringIO(text, newline=""))
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as error:
        raise SpecificationError(
            "no readable line of a sample sheet",
            file=name,
            line=start,
            expected="CSV",
            found=str(error),
        ) from error


def _row(cells: Mapping[str, str], name: str, line: int, setting_names: Collection[str]) -> SheetRow:
    filled = {k: v.strip() for k, v in cells.items() if v.strip()}
    for column in REQUIRED:
        if column not in filled:
            raise SpecificationError(
                f"blank {column}", file=name, line=line, expected=f"a value in column {column!r}"
            )
    data: dict[str, object] = {k: v for k, v in filled.items() if k in KNOWN}
    parts = [_well(part.strip()) for part in filled.get("part", "").split(";")]
    if len(set(parts)) < len(parts):
        raise SpecificationError(
            "a well is named twice", file=name, line=line, expected="each once", found=filled["part"]
        )
    data["part"] = ";".join(parts)
    data |= {k: written_number(str(data[k])) for k in ("dilution_factor", "dilution_rel_sd") if k in data}
    data["settings"] = {
        k: v for k, v in filled.items() if k not in KNOWN and k.split(".")[0] in setting_names
    }
    data["other"] = {
        k: v for k, v in filled.items() if k not in KNOWN and k.split(".")[0] not in setting_names
    }
    data["line"] = line
    return validate(SheetRow, data, name, SpecificationError, line=line)


def _well(part: str) -> str:
    """Write a well as exports are read: ``a1`` is A01; anything else stays as it is."""
    match = re.fullmatch(r"([A-Za-z])(\d{1,2})", part, re.ASCII)
    return f"{match[1].upper()}{int(match[2]):02d}" if match else part


@dataclass(frozen=True)
class Problem:
    """What of a sheet does not fit the exports: which row of which lot, or an export without a row."""

    text: str
    row: SheetRow | None = None


@dataclass(frozen=True)
class Assignment:
    """Exports with their rows, and what does not fit together."""

    rows: dict[str, list[SheetRow]]
    problems: list[Problem]

    def of_lots(self) -> dict[str | None, list[str]]:
        """Return what is wrong with the rows of each lot."""
        found: dict[str | None, list[str]] = {}
        for problem in self.problems:
            if problem.row is not None:
                found.setdefault(problem.row.lot, []).append(problem.text)
        return found


def assign(rows: list[SheetRow], exports: list[Export], folder: Path, sheet: Path) -> Assignment:
    """Give every row of the sheet to its export; what does not match is reported, never guessed.

    ``export`` is a path relative to the sheet: of a file of the export, its record, or the
    folder (or zip) in which it lies alone. A ``part`` such as ``cell4`` picks one record of a
    folder; wells pick a part of a plate.

    Raises
    ------
    SpecificationError
        Two rows for one record, or for one well of a plate.
    """
    taken: dict[str, list[SheetRow]] = {}
    problems: list[Problem] = []
    for row in rows:
        place = f"{sheet.name}, line {row.line}"
        wanted = _within(row.export, folder, sheet)
        possible = [e for e in exports if _has_part(row, e)]
        matching = [e for e in possible if _is_named(row, wanted, e)]
        matching = matching or [e for e in possible if _lies_in(wanted, e)]
        if not matching:
            no_such = f"{place}: no export {row.export!r} {row.part}".rstrip()
            near = _nearest(row, wanted, exports) if len(problems) < FEW else ""
            problems.append(Problem(no_such + near, row))
        elif len(matching) > 1:
            names = ", ".join(e.name for e in matching[:4])
            several = f"{place}: {row.export!r} names several records ({names})"
            problems.append(Problem(f"{several}: give the part, or the path of one", row))
        else:
            for before in taken.setdefault(matching[0].name, []):
                _refuse_twice(before, row, matching[0], sheet.name)
            taken[matching[0].name].append(row)
    if rows:
        problems += [
            Problem(f"export {e.name!r} has no row in the sample sheet")
            for e in exports
            if e.name not in taken
        ]
    return Assignment(taken, problems)


def _nearest(row: SheetRow, wanted: str, exports: list[Export]) -> str:
    """Say which export, or folder, comes nearest to one that is not there."""
    from difflib import get_close_matches

    typed = f"{wanted}#{row.part}" if row.part.startswith("cell") else wanted
    names = [e.name for e in exports]
    base = posixpath.basename(typed).casefold()
    close = [n for n in names if posixpath.basename(n).casefold() == base][:1]
    close = close or get_close_matches(typed, [*names, *{posixpath.dirname(n): 0 for n in names}], n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _within(export: str, folder: Path, sheet: Path) -> str:
    """Return a path of the sheet as a name below the folder of exports."""
    typed = os.path.abspath(sheet.parent / export.replace("\\", "/"))
    return Path(os.path.relpath(typed, os.path.abspath(folder))).as_posix()


def _refuse_twice(before: SheetRow, row: SheetRow, export: Export, name: str) -> None:
    shared = set(before.wells) & set(row.wells)
    if shared or not (before.wells and row.wells):
        raise SpecificationError(
            "the same record twice in the sample sheet",
            file=name,
            line=row.line,
            found=f"{export.name} {' '.join(sorted(shared))}".strip(),
            hint=f"first in line {before.line}",
        )


def _has_part(row: SheetRow, export: Export) -> bool:
    """Tell whether a record can have the part of a row: a cell's has that cell, wells are a plate's."""
    cell = export.name.partition("#")[2]
    if row.part.startswith("cell"):
        return row.part in (cell, cell.split("-")[0])
    return export.technique == "ddpcr" or not (row.part or row.export == ANY_PLATE)


def _is_named(row: SheetRow, wanted: str, export: Export) -> bool:
    path = export.name.partition("#")[0]
    if row.export == ANY_PLATE:
        return True
    return wanted in (export.name, path or ".") or any(f.name == wanted for f in export.files)


def _lies_in(wanted: str, export: Export) -> bool:
    """Tell whether all files of an export lie in a folder or zip."""
    places = ("",) if wanted == "." else (f"{wanted}/", f"{wanted}!/")
    return all(name.startswith(places) for name in [f.name for f in export.files] or [export.name])
