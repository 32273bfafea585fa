"""Absolute Q's partition file: a row a partition, and for each dye intensity, call, target, threshold."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.well_table import (
    delimiter_of,
    first_line,
    names_in,
    refuse_wide_lines,
    unix_lines,
    well_key,
    well_name,
)
from aavqc.records import Droplets, WellRow, readonly

if TYPE_CHECKING:
    import pandas as pd

_TRUE, _FALSE = "true", "false"


def sniff_partitions(head: bytes) -> bool:
    """Tell a partition file by its header."""
    names = names_in(first_line(head.decode("utf-8", "replace")))
    return {"wellid", "index", "reject"} <= names and any(name.endswith("pos") for name in names)


def read_partitions(text: str, file: str) -> tuple[list[WellRow], dict[str, Droplets]]:
    """Read the partitions by well, and a row for each well and dye counted from them.

    Raises
    ------
    InputError
        With file, line, expected and found.
    """
    table, dyes = _table(text, file)
    rows: list[WellRow] = []
    droplets: dict[str, Droplets] = {}
    wells = {str(w): well_name(str(w)) for w in table["Well ID"].cat.categories}
    for label, group in table.groupby("Well ID", observed=True, sort=False):
        well = wells[str(label)]
        if well is None or well in droplets:
            raise InputError(
                "no well" if well is None else f"well {well} is written in two ways",
                file=file,
                line=int(group.index[0]) + 2,
                expected="a well such as A1",
                found=repr(str(label)[:60]),
            )
        rejected = _truth(group, "Reject", file)
        calls = np.stack([_truth(group, f"{dye}_pos", file) for dye in dyes], axis=1)
        droplets[well] = Droplets(
            amplitude=readonly(group[dyes].to_numpy()),
            positive=readonly(np.where(rejected[:, None], -1, calls), np.int8),
            channels=tuple(dyes),
        )
        accepted = int(np.count_nonzero(~rejected))
        for at, dye in enumerate(dyes):
            positives = int(np.count_nonzero(calls[~rejected, at]))
            rows.append(
                WellRow(
                    well=well,
                    channel=dye,
                    target=_only(group, f"{dye}_target") or dye,
                    sample=_only(group, "Sample"),
                    accepted=accepted,
                    positives=positives,
                    negatives=accepted - positives,
                    threshold=float(group[f"{dye}_threshold"].iloc[0]),
                    copies_per_ul=None if positives else 0.0,  # called, and none found
                    line=int(group.index[0]) + 2,
                )
            )
    return rows, {well: droplets[well] for well in sorted(droplets, key=well_key)}


def _table(text: str, file: str) -> tuple[pd.DataFrame, list[str]]:
    """Convert the whole file at once; look for the bad line only where that fails."""
    import pandas as pd

    head = first_line(text)
    delimiter = delimiter_of(head)
    header = [name.strip() for name in next(csv.reader([head], delimiter=delimiter))]
    dyes = [name.removesuffix("_pos") for name in header if name.endswith("_pos")]
    numbers = [name for dye in dyes for name in (dye, f"{dye}_threshold")]
    words = ["Well ID", "Sample", "Reject", *(f"{dye}_{end}" for dye in dyes for end in ("pos", "target"))]
    for name in (*words, *numbers):
        if header.count(name) != 1:
            raise InputError(
                "a column is missing or there twice",
                file=file,
                line=1,
                expected=f"one column {name}",
                found=f"{header.count(name)}",
            )
    text = unix_lines(text)
    refuse_wide_lines(text, delimiter, len(header), file)
    try:
        table = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            names=header,
            skiprows=1,
            usecols=[*words, *numbers],
            dtype={name: "category" for name in words} | dict.fromkeys(numbers, np.float64),
            keep_default_na=False,
            skip_blank_lines=False,
            index_col=False,
        )
    except (ValueError, OverflowError, pd.errors.ParserWarning):
        raise _bad_line(text, header, delimiter, numbers, file) from None
    bad = ~np.isfinite(table[numbers].to_numpy()).all(axis=1)
    if bad.any() or table.empty:
        raise _bad_line(text, header, delimiter, numbers, file)
    return table, dyes


def _bad_line(
    text: str, header: Sequence[str], delimiter: str, numbers: Sequence[str], file: str
) -> InputError:
    at = [header.index(name) for name in numbers]
    lines = text.split("\n")

    def good(line: str) -> bool:
        fields = line.split(delimiter)
        return len(fields) == len(header) and all(_finite(fields[i]) for i in at)

    bad = next((number for number, line in enumerate(lines[1:], 2) if not good(line)), 2)
    return InputError(
        "no partition",
        file=file,
        line=bad,
        expected=f"{len(header)} fields with finite intensities and thresholds",
        found=repr(lines[bad - 1][:60]) if bad <= len(lines) else "nothing",
    )


def _finite(field: str) -> bool:
    try:
        return bool(np.isfinite(float(field)))
    except ValueError:
        return False


def _truth(group: pd.DataFrame, column: str, file: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return a column of True and False."""
    words = group[column].astype(str).str.strip().str.lower().to_numpy()
    true = words == _TRUE
    wrong = ~(true | (words == _FALSE))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise InputError(
            f"neither True nor False in column {column}",
            file=file,
            line=int(group.index[first]) + 2,
            expected="True or False",
            found=repr(str(words[first])[:60]),
        )
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = true
    return found


def _only(group: pd.DataFrame, column: str) -> str:
    """Return the first text of a column."""
    return str(group[column].iloc[0]).strip()
