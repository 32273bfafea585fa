"""Absolute Q's results and summary: counts and concentrations by well and dye."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aavqc.errors import InputError
from aavqc.parsers.columns import plain_name
from aavqc.parsers.well_table import (
    Line,
    check_width,
    columns_named,
    delimiter_of,
    first_line,
    has_decimal_commas,
    header_of,
    lines_of,
    rows_of,
    unix_lines,
)
from aavqc.records import WellDilution, WellRow

_RESULTS = {
    "Name": ("name",),
    "Well": ("well",),
    "Total": ("total",),
    "Dye": ("dye",),
    "Target": ("target",),
    "Conc.": ("conccpul", "conccpl"),
    "Positives": ("positives",),
    "95%CI": ("95ci",),
}
_SUMMARY = {
    "Sample": ("sample",),
    "Well": ("well",),
    "DF": ("df",),
    "QC": ("qc",),
    "Total": ("total",),
    "QC Message": ("qcmessage",),
}
_BLOCK = {
    "Target": ("target",),
    "Conc.": ("conc",),
    "Positives": ("positives",),
    "95%DeltaLCI": ("95deltalci",),
    "95%DeltaUCI": ("95deltauci",),
    "Threshold": ("threshold",),
}
_NO_WELL = ("", "average", "pooled")
_DILUTION = re.compile(r"1/(\d{1,15}(?:\.\d{1,15})?)", re.ASCII)


def read_results(text: str, file: str) -> list[WellRow]:
    """Read the results: a line a well and dye, among averages and pools that are no wells.

    Raises
    ------
    InputError
        With file, line, expected and found.
    """
    delimiter = delimiter_of(first_line(text))
    numbered = rows_of(text, file, delimiter)
    number, header = header_of(numbered, file)
    required = [name for name in _RESULTS if name != "95%CI"]
    columns = columns_named(header, _RESULTS, required, file, number)
    rows = []
    for line in lines_of(numbered, columns, ("Conc.", "95%CI"), file, delimiter, number):
        check_width(line.fields, header, file, line.number)
        if line.text("Well").lower() in _NO_WELL:
            continue
        accepted, positives, negatives = _counts(line)
        concentration, half = line.number_in("Conc."), line.number_in("95%CI")
        rows.append(
            WellRow(
                well=line.well_in("Well"),
                channel=line.text("Dye"),
                target=line.text("Target"),
                sample=line.text("Name"),
                accepted=accepted,
                positives=positives,
                negatives=negatives,
                copies_per_ul=concentration,
                ci_low=None if half is None or concentration is None else concentration - half,
                line=line.number,
            )
        )
    return rows


def _counts(line: Line) -> tuple[int | None, int | None, int | None]:
    accepted, positives = line.count_in("Total"), line.count_in("Positives")
    if accepted is None or positives is None:
        return accepted, positives, None
    if positives > accepted:
        raise line.error("more positives than partitions", "Positives", f"at most {accepted}")
    return accepted, positives, accepted - positives


def read_summary(text: str, file: str) -> list[WellRow]:
    """Read the summary: a row of dyes above the header, a block of columns a dye.

    Raises
    ------
    InputError
        With file, line, expected and found.
    """
    delimiter = delimiter_of(unix_lines(text).split("\n", 2)[1])
    rows = rows_of(text, file, delimiter)
    (_, dyes), (number, header) = header_of(rows, file), header_of(rows, file)
    starts = [at for at, name in enumerate(header) if plain_name(name) == "target"]
    shared = columns_named(header, _SUMMARY, ("Sample", "Well", "Total"), file, number)
    if not starts:
        raise InputError("a column is missing", file=file, line=number, expected="column Target")
    ends = [*starts[1:], len(header)]
    blocks = [_block(header, *span, file, number) for span in zip(starts, ends, strict=True)]
    found, body = [], list(rows)
    numeric = [at for block in blocks for name, at in block.items() if name != "Target"]
    comma = has_decimal_commas(body, numeric, delimiter)
    for at, fields in body:
        check_width(fields, header, file, at)
        well = Line(file, at, fields, shared)
        if well.text("Well").lower() in _NO_WELL:
            continue
        for start, block in zip(starts, blocks, strict=True):
            line = Line(file, at, fields, shared | block, comma)
            if line.text("Target"):
                found.append(_summary_row(line, dyes[start].strip() if start < len(dyes) else ""))
    return found


def _block(header: Sequence[str], start: int, end: int, file: str, number: int) -> dict[str, int]:
    found = columns_named(header[start:end], _BLOCK, ("Target", "Conc.", "Positives"), file, number)
    return {name: start + at for name, at in found.items()}


def _summary_row(line: Line, dye: str) -> WellRow:
    accepted, positives, negatives = _counts(line)
    concentration = line.number_in("Conc.")
    below, above = line.number_in("95%DeltaLCI"), line.number_in("95%DeltaUCI")
    diluted = _DILUTION.fullmatch(line.text("DF"))
    return WellRow(
        well=line.well_in("Well"),
        channel=dye,
        target=line.text("Target"),
        sample=line.text("Sample"),
        accepted=accepted,
        positives=positives,
        negatives=negatives,
        threshold=line.number_in("Threshold"),
        copies_per_ul=concentration,
        ci_low=None if below is None or concentration is None else concentration - below,
        ci_high=None if above is None or concentration is None else concentration + above,
        dilution=WellDilution(factor=float(diluted[1])) if diluted and float(diluted[1]) > 0 else None,
        status=line.text("QC"),
        status_reason=line.text("QC Message"),
        line=line.number,
    )
