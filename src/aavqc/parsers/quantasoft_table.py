"""QuantaSoft's and QX Manager's tables of wells, read by the names in their header.

Layouts differ by version (44, 63, 73, 77 and 81 columns) and name the same thing
differently; names are compared by their ASCII letters and digits in lower case, since
the µ of a unit is often destroyed on the way.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from aavqc.errors import InputError
from aavqc.parsers.columns import plain_name
from aavqc.records import WellRow

_ESSENTIAL = {
    "Well": ("well",),
    "Sample": ("sample", "sampledescription1"),
    "Target": ("target", "assay"),
    "TargetType": ("targettype", "typeassay"),
    "Concentration": ("concentration", "conccopiesl", "conccopiesul"),
    "Positives": ("positives",),
    "Negatives": ("negatives",),
    "AcceptedDroplets": ("accepteddroplets",),
}
_OPTIONAL = {
    "Status": ("status",),
    "SampleType": ("sampletype",),
    "DyeName(s)": ("dyenames", "dyename"),
    "Threshold": ("threshold", "threshold1"),
    "PoissonConfMin": ("poissonconfmin",),
    "PoissonConfMax": ("poissonconfmax",),
    "MergedWells": ("mergedwells",),
}
_HALLMARKS = {
    "accepteddroplets",
    "experimentcomments",
    "fractionalabundance",
    "meanamplitudeofpositives",
    "mergedwells",
    "poissonconfmax",
    "poissonconfmin",
    "totalconfmax",
}
_CHANNEL_OF_DYE = {
    "fam": "Ch1",
    "evagreen": "Ch1",
    "hex": "Ch2",
    "vic": "Ch2",
    "cy5": "Ch3",
    "cy55": "Ch4",
    "rox": "Ch5",
    "atto590": "Ch6",
}
_WELL = re.compile(r"([A-Z])(\d{1,2})", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_NO_VALUE = ("", "no call", "n/a", "nan")
_SENTINEL = 1e6
"""What the software writes for the concentration of a well without negatives."""


@dataclass(frozen=True)
class Layout:
    """Which software wrote a table, and its partition volume as documented or implied."""

    software: str
    partition_volume_nl: float | None


@dataclass(frozen=True)
class _Line:
    """One line of the table by column, with what its errors need."""

    file: str
    number: int
    fields: Sequence[str]
    columns: Mapping[str, int]

    def text(self, column: str) -> str:
        at = self.columns.get(column)
        return self.fields[at].strip() if at is not None and at < len(self.fields) else ""

    def error(self, message: str, column: str, expected: str) -> InputError:
        return InputError(
            f"{message} in column {column}",
            file=self.file,
            line=self.number,
            column=self.columns[column] + 1,
            expected=expected,
            found=repr(self.text(column)[:60]),
        )

    def number_in(self, column: str) -> float | None:
        text = self.text(column)
        if text.lower() in _NO_VALUE:
            return None
        if not _NUMBER.fullmatch(text):
            comma = re.fullmatch(r"[+-]?\d+,\d+", text, re.ASCII)
            raise self.error(
                "decimal comma" if comma else "no number", column, "a number with a decimal point"
            )
        return float(text)

    def count_in(self, column: str) -> int | None:
        number = self.number_in(column)
        if number is not None and not (number >= 0 and number.is_integer() and number < 1e12):
            raise self.error("no count", column, "a whole number of droplets")
        return None if number is None else int(number)

    def concentration_in(self, column: str) -> float | None:
        number = self.number_in(column)
        return None if number is not None and number >= _SENTINEL else number


def sniff_table(head: bytes) -> bool:
    """Tell a table by its header, also one that lacks a column."""
    first = head.decode("utf-8-sig", "replace").replace("\r", "\n").split("\n", 1)[0]
    names = {plain_name(name) for name in first.split(_delimiter(first))}
    return len(names & _HALLMARKS) >= 4


def read_table(text: str, file: str) -> tuple[Layout, tuple[WellRow, ...]]:
    """Read a table into rows, sorted by well (column, then row of the plate) and channel.

    Parameters
    ----------
    text : str
    file : str
        Its name, for errors.

    Raises
    ------
    InputError
        With file, line, column, expected and found.
    """
    lines = _rows(text, file)
    number, header = next(lines, (1, []))
    names = [plain_name(name) for name in header]
    columns = _columns(header, names, file, number)
    rows: dict[tuple[str, str], WellRow] = {}
    for number, fields in lines:
        _check_width(fields, header, file, number)
        row = _well_row(_Line(file, number, fields, columns))
        first = rows.setdefault((row.well, row.target), row)
        if first is not row:
            raise InputError(
                f"well {row.well} has target {row.target!r} twice",
                file=file,
                line=number,
                expected="each well and target once",
                found=f"the same in line {first.line}",
            )
    return _layout(set(names)), tuple(
        sorted(rows.values(), key=lambda r: (well_key(r.well), r.channel, r.target))
    )


def well_key(well: str) -> tuple[int, str]:
    """Sort key of wells: down the columns of the plate.

    Examples
    --------
    >>> sorted(["A02", "B01", "A01"], key=well_key)
    ['A01', 'B01', 'A02']
    """
    return int(well[1:]), well[0]


def _delimiter(header: str) -> str:
    return max(",\t;", key=header.count)


def _rows(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of each line that is not blank."""
    first = text.replace("\r", "\n").split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(first))
    start = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield start, fields
            start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            "no readable line of a table", file=file, line=start, expected="CSV", found=str(error)
        ) from error


def _columns(header: Sequence[str], names: Sequence[str], file: str, line: int) -> dict[str, int]:
    columns = {}
    for column, spellings in (_ESSENTIAL | _OPTIONAL).items():
        found = [names.index(s) for s in spellings if s in names]
        if found:
            columns[column] = found[0]
        elif column in _ESSENTIAL:
            close = get_close_matches(spellings[0], names, n=1, cutoff=0.6)
            raise InputError(
                "a column is missing",
                file=file,
                line=line,
                expected=f"column {column}",
                found=repr(header[names.index(close[0])]) if close else f"{len(header)} other columns",
            )
    return columns


def _check_width(fields: Sequence[str], header: Sequence[str], file: str, line: int) -> None:
    """Allow for what the software does: a last name without field, a comma at the line's end."""
    surplus = [field for field in fields[len(header) :] if field.strip()]
    if len(fields) < len(header) - 1 or surplus:
        raise InputError(
            "a line does not fit the header",
            file=file,
            line=line,
            expected=f"{len(header)} fields",
            found=f"{len(fields)}",
            hint="a decimal comma splits a number in two" if surplus else None,
        )


def _well_row(line: _Line) -> WellRow:
    well = _well(line, line.text("Well"), "Well")
    accepted, positives, negatives = (
        line.count_in(column) for column in ("AcceptedDroplets", "Positives", "Negatives")
    )
    if None not in (accepted, positives, negatives) and positives + negatives != accepted:  # type: ignore[operator]
        raise line.error(
            "no sum of positives and negatives", "AcceptedDroplets", f"{positives} + {negatives}"
        )
    merged = [part.strip() for part in line.text("MergedWells").strip("()").split(",") if part.strip()]
    if well[0] > "H" and not merged:
        raise InputError(
            f"merged well {well} does not say which wells it stands for",
            file=line.file,
            line=line.number,
            expected="column MergedWells such as (A01,B01)",
            found=repr(line.text("MergedWells")[:60]),
        )
    channel, sample_type = _channel(line)
    return WellRow(
        well=well,
        channel=channel,
        target=line.text("Target"),
        sample=line.text("Sample"),
        accepted=accepted,
        positives=positives,
        negatives=negatives,
        threshold=line.number_in("Threshold"),
        copies_per_ul=line.concentration_in("Concentration"),
        ci_low=line.concentration_in("PoissonConfMin"),
        ci_high=line.concentration_in("PoissonConfMax"),
        status=line.text("Status"),
        sample_type=sample_type,
        merged_from=tuple(_well(line, name, "MergedWells") for name in merged),
        line=line.number,
    )


def _well(line: _Line, text: str, column: str) -> str:
    match = _WELL.fullmatch(text)
    if not match or int(match[2]) == 0:
        raise line.error("no well", column, "a well such as A01")
    return f"{match[1].upper()}{int(match[2]):02d}"


def _channel(line: _Line) -> tuple[str, str]:
    """Return channel and sample type: ``Ch1Unknown``, or a dye and a column of its own."""
    kind = line.text("TargetType")
    match = re.match(r"(Ch\d)(.*)", kind, re.IGNORECASE | re.ASCII)
    if match:
        return match[1].capitalize(), match[2]
    dye = line.text("DyeName(s)")
    return _CHANNEL_OF_DYE.get(plain_name(dye), dye), line.text("SampleType") or kind


def _layout(names: set[str]) -> Layout:
    if "typeassay" in names:
        return Layout("QuantaSoft 1.6 or older", 0.91)
    if "dyenames" not in names:
        return Layout("QuantaSoft 1.7", 0.85)
    if "ch5ch6" in names:
        return Layout("QX Manager 2, six colours", 0.795)
    if "ch3ch4" in names:
        return Layout("QX ONE Software", None)
    return Layout("QuantaSoft Analysis Pro or QX Manager", 0.85)
