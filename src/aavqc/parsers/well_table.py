"""What tables of wells share, whatever the vendor: lines, cells, numbers and the names of wells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aavqc.errors import InputError
from aavqc.parsers.columns import plain_name
from aavqc.parsers.sources import HEAD
from aavqc.records import WellClusters, WellRow

_WELL = re.compile(r"([A-Z])(\d{1,2})", re.IGNORECASE | re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_COMMA = re.compile(r"[+-]?\d{1,18},\d{1,30}", re.ASCII)
_NO_VALUE = ("", "-", "no call", "n/a", "nan")


@dataclass(frozen=True)
class Line:
    """One line of a table by column, with what its errors need.

    Attributes
    ----------
    file : str
    number : int
        In the file, counted from 1.
    fields : sequence of str
    columns : mapping of str to int
        Which field is which; a column that the table does not have reads as blank.
    decimal_comma : bool
        The table writes ``1,5`` for one and a half.
    """

    file: str
    number: int
    fields: Sequence[str]
    columns: Mapping[str, int]
    decimal_comma: bool = False

    def text(self, column: str) -> str:
        """Return a field, trimmed."""
        at = self.columns.get(column)
        return self.fields[at].strip() if at is not None and at < len(self.fields) else ""

    def error(self, message: str, column: str, expected: str) -> InputError:
        """Return the error for a field."""
        return InputError(
            f"{message} in column {column}",
            file=self.file,
            line=self.number,
            column=self.columns[column] + 1 if column in self.columns else None,
            expected=expected,
            found=repr(self.text(column)[:60]),
        )

    def number_in(self, column: str) -> float | None:
        """Return a number, None where the vendor wrote that there is none."""
        text = self.text(column)
        if text.lower() in _NO_VALUE:
            return None
        if self.decimal_comma and "." not in text:
            text = text.replace(",", ".", 1)
        elif self.decimal_comma:
            raise self.error(
                "decimal point", column, "a number with a decimal comma, as elsewhere in the table"
            )
        if not _NUMBER.fullmatch(text):
            comma = _COMMA.fullmatch(text)
            raise self.error(
                "decimal comma" if comma else "no number", column, "a number with a decimal point"
            )
        return float(text)

    def percent_in(self, column: str) -> float | None:
        """Return a number that may bear a percent sign."""
        text = self.text(column).removesuffix("%")
        if self.text(column) == text:
            return self.number_in(column)
        at = self.columns[column]
        bare = [*self.fields[:at], text, *self.fields[at + 1 :]]
        return Line(self.file, self.number, bare, self.columns, self.decimal_comma).number_in(column)

    def count_in(self, column: str) -> int | None:
        """Return a count of droplets or partitions."""
        number = self.number_in(column)
        if number is not None and not (number >= 0 and number.is_integer() and number < 1e12):
            raise self.error("no count", column, "a whole number of droplets")
        return None if number is None else int(number)

    def well_in(self, column: str, text: str | None = None) -> str:
        """Return the well in a field (or in a part of it) as ``A01``."""
        well = well_name(self.text(column) if text is None else text)
        if well is None:
            raise self.error("no well", column, "a well such as A01")
        return well

    def counts_in(self, accepted: str, positives: str, negatives: str) -> tuple[int | None, ...]:
        """Return the three counts of a well; those that are there must add up."""
        n, k, rest = (self.count_in(column) for column in (accepted, positives, negatives))
        if n is not None and k is not None and rest is not None and k + rest != n:
            raise self.error("no sum of positives and negatives", accepted, f"{k} + {rest}")
        return n, k, rest


def well_name(text: str) -> str | None:
    """Return a well as ``A01``, None where the text is none.

    Examples
    --------
    >>> well_name("a1"), well_name("Average")
    ('A01', None)
    """
    match = _WELL.fullmatch(text.strip())
    if not match or int(match[2]) == 0:
        return None
    return f"{match[1].upper()}{int(match[2]):02d}"


def well_key(well: str) -> tuple[int, str]:
    """Sort key of wells: down the columns of the plate.

    Examples
    --------
    >>> sorted(["A02", "B01", "A01"], key=well_key)
    ['A01', 'B01', 'A02']
    """
    return int(well[1:]), well[0]


def delimiter_of(line: str) -> str:
    """Return the comma, tab or semicolon that parts a line of names."""
    return max(",\t;", key=line.count)


def first_line(text: str) -> str:
    """Return the first line, whatever its end, without a byte-order mark."""
    return text[:HEAD].removeprefix("\ufeff").replace("\r", "\n").split("\n", 1)[0]


def names_in(line: str) -> set[str]:
    """Return the plain names in a line of names."""
    return {plain_name(name) for name in line.split(delimiter_of(line))}


def unix_lines(text: str) -> str:
    """Return text with its line ends as LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def rows_of(text: str, file: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number and fields of each line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
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


def header_of(rows: Iterator[tuple[int, list[str]]], file: str) -> tuple[int, list[str]]:
    """Return number and fields of the next line, the header of a table."""
    found = next(rows, None)
    if found is None:
        raise InputError("no header", file=file, line=1, expected="a line of column names")
    return found


def no_wells(file: str, line: int | None = None) -> InputError:
    """Return the error for an export that ends before its first well."""
    return InputError(
        "a plate without a well", file=file, line=line, expected="a row a well", found="the end of the file"
    )


def lines_of(
    rows: Iterable[tuple[int, list[str]]],
    columns: Mapping[str, int],
    numeric: Iterable[str],
    file: str,
    delimiter: str,
    header: int,
) -> list[Line]:
    """Return the rows below line ``header``; whether they have decimal commas is told by the numeric columns.

    Only a table that is not parted by commas can have them.

    Raises
    ------
    InputError
        No row: the file was cut short.
    """
    found = list(rows)
    if not found:
        raise no_wells(file, header + 1)
    at = [columns[column] for column in numeric if column in columns]
    comma = has_decimal_commas(found, at, delimiter)
    return [Line(file, number, fields, columns, comma) for number, fields in found]


def has_decimal_commas(rows: Sequence[tuple[int, list[str]]], at: Sequence[int], delimiter: str) -> bool:
    """Tell whether a number in these columns has a decimal comma; none can where commas part columns."""
    return delimiter != "," and any(
        _COMMA.fullmatch(fields[i].strip()) for _, fields in rows for i in at if i < len(fields)
    )


def columns_named(
    header: Sequence[str],
    spellings: Mapping[str, Sequence[str]],
    required: Iterable[str],
    file: str,
    line: int,
) -> dict[str, int]:
    """Return the index of each column that the header has, by its plain spellings.

    Raises
    ------
    InputError
        A required column is missing; says which of the header's names comes nearest.
    """
    from difflib import get_close_matches

    names = [plain_name(name) for name in header]
    columns = {
        column: names.index(first)
        for column, known in spellings.items()
        if (first := next((s for s in known if s in names), None)) is not None
    }
    for column in required:
        if column not in columns:
            close = get_close_matches(spellings[column][0], names, n=1, cutoff=0.6)
            raise InputError(
                "a column is missing",
                file=file,
                line=line,
                expected=f"column {column}",
                found=repr(header[names.index(close[0])]) if close else f"{len(header)} other columns",
            )
    return columns


def check_width(fields: Sequence[str], header: Sequence[str], file: str, line: int) -> None:
    """Allow for what software does: a last name without field, a comma at the line's end."""
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


def in_order(rows: Iterable[WellRow], file: str) -> tuple[WellRow, ...]:
    """Return rows by well (down the plate's columns), channel and target.

    Raises
    ------
    InputError
        A well and target twice: with the line of the second, and what was found in which line before.
    """
    rows = list(rows)
    seen: dict[tuple[str, str], WellRow] = {}
    for row in rows:
        first = seen.setdefault((row.well, row.target), row)
        if first is not row:
            raise InputError(
                f"well {row.well} has target {row.target!r} twice",
                file=file,
                line=row.line,
                expected="each well and target once",
                found="the same again" if first.line is None else f"the same in line {first.line}",
            )
    return tuple(sorted(rows, key=lambda row: (well_key(row.well), row.channel, row.target)))


def marginal(well: str, entry: WellClusters, at: int, channel: str = "", sample: str = "") -> WellRow:
    """Return the row of one target, counted from joint counts."""
    accepted = sum(entry.counts.values())
    positives = positives_of(entry, at)
    return WellRow(
        well=well,
        channel=channel,
        target=entry.targets[at],
        sample=sample,
        accepted=accepted,
        positives=positives,
        negatives=accepted - positives,
        copies_per_ul=None if positives else 0.0,  # called, and none found: not a call refused
    )


def positives_of(entry: WellClusters, at: int) -> int:
    """Return how many partitions are positive for one target."""
    return sum(n for pattern, n in entry.counts.items() if pattern[at] == "1")


def refuse_wide_lines(text: str, delimiter: str, width: int, file: str | None) -> None:
    """Refuse lines of many more fields than the header: a reader would fill all others up to them.

    Raises
    ------
    InputError
        A line has more delimiters than the header has names.
    """
    wide = next((n for n, line in enumerate(text.split("\n"), 1) if line.count(delimiter) > width), None)
    if wide is not None:
        raise InputError(
            "a line does not fit the header", file=file, line=wide, expected=f"{width} fields", found="more"
        )
