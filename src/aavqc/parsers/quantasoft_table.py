"""QuantaSoft's and QX Manager's tables of wells, read by the names in their header.

Layouts differ by version (44, 63, 73, 77 and 81 columns) and name the same thing
differently; names are compared by their ASCII letters and digits in lower case, since
the µ of a unit is often destroyed on the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from aavqc.errors import InputError
from aavqc.parsers.columns import plain_name
from aavqc.parsers.well_table import (
    Line,
    check_width,
    columns_named,
    delimiter_of,
    first_line,
    header_of,
    in_order,
    lines_of,
    names_in,
    rows_of,
)
from aavqc.records import WellClusters, WellRow

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
    "Status Reason": ("statusreason",),
    "SampleType": ("sampletype",),
    "DyeName(s)": ("dyenames", "dyename"),
    "Threshold": ("threshold", "threshold1"),
    "PoissonConfMin": ("poissonconfmin",),
    "PoissonConfMax": ("poissonconfmax",),
    "TotalConfMin": ("totalconfmin",),
    "TotalConfMax": ("totalconfmax",),
    "Linkage": ("linkage", "copiesullinkedmolecules", "copiesllinkedmolecules"),
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
_NUMERIC = (
    "Concentration",
    "Threshold",
    "PoissonConfMin",
    "PoissonConfMax",
    "TotalConfMin",
    "TotalConfMax",
    "Linkage",
)
_CHANNEL_OF_DYE = {
    "fam": "Ch1",
    "6fam": "Ch1",
    "evagreen": "Ch1",
    "hex": "Ch2",
    "vic": "Ch2",
    "sun": "Ch2",
    "yakimayellow": "Ch2",
    "cy5": "Ch3",
    "cy55": "Ch4",
    "rox": "Ch5",
    "atto590": "Ch6",
}
_CHANNELS = [f"Ch{n}" for n in range(1, 7)]
_SENTINEL = 1e6
"""What the software writes for the concentration of a well without negatives."""

_QUADRANT = re.compile(r"Ch([1-6])([+-])Ch([1-6])([+-])", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Layout:
    """Which software wrote a table, and its partition volume as documented or implied."""

    software: str
    partition_volume_nl: float | None


@dataclass(frozen=True)
class WellTable:
    """What a table says: the rows by well (down the plate's columns) and channel, and joint counts."""

    layout: Layout
    rows: tuple[WellRow, ...]
    clusters: dict[str, tuple[WellClusters, ...]]
    remarks: tuple[str, ...] = ()


def sniff_table(head: bytes) -> bool:
    """Tell a table by its header, also one that lacks a column."""
    names = names_in(first_line(head.decode("utf-8", "replace")))
    return len(names & _HALLMARKS) >= 4


def read_table(text: str, file: str) -> WellTable:
    """Read a table into rows and joint counts.

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
    delimiter = delimiter_of(text.replace("\r", "\n").split("\n", 1)[0])
    numbered = rows_of(text, file, delimiter)
    number, header = header_of(numbered, file)
    columns = columns_named(header, _ESSENTIAL | _OPTIONAL, _ESSENTIAL, file, number)
    quadrants = _quadrants(header)
    columns |= {name: at for pair in quadrants.values() for name, at in pair.values()}
    rows: list[WellRow] = []
    joint: dict[str, dict[tuple[int, int], dict[str, int]]] = {}
    for line in lines_of(numbered, columns, _NUMERIC, file, delimiter, number):
        check_width(line.fields, header, file, line.number)
        row = _well_row(line)
        rows.append(row)
        for pair, names in quadrants.items():
            counts = {pattern: line.count_in(name) for pattern, (name, _) in names.items()}
            whole = {pattern: n for pattern, n in counts.items() if n is not None}
            if len(whole) == 4 and sum(whole.values()) == row.accepted:
                joint.setdefault(row.well, {}).setdefault(pair, whole)
    ordered = in_order(rows, file)
    layout = _layout({plain_name(name) for name in header})
    strange = sorted({row.channel for row in ordered} - set(_CHANNELS))
    remarks = [
        f"dye {dye!r}: of which channel is not known, so no joint counts, no droplets" for dye in strange
    ]
    return WellTable(layout, ordered, _clusters(ordered, joint), tuple(remarks))


def _quadrants(header: Sequence[str]) -> dict[tuple[int, int], dict[str, tuple[str, int]]]:
    """Return pair of channels → pattern → name and index of its column."""
    found: dict[tuple[int, int], dict[str, tuple[str, int]]] = {}
    for at, name in enumerate(header):
        match = _QUADRANT.fullmatch(name.strip())
        if match:
            pattern = "".join("1" if sign == "+" else "0" for sign in (match[2], match[4]))
            found.setdefault((int(match[1]), int(match[3])), {})[pattern] = (name.strip(), at)
    return {pair: names for pair, names in found.items() if len(names) == 4}


def _clusters(
    rows: Sequence[WellRow], joint: dict[str, dict[tuple[int, int], dict[str, int]]]
) -> dict[str, tuple[WellClusters, ...]]:
    """Name the joint counts by target, where both channels have exactly one and agree with its row."""
    by_channel: dict[tuple[str, str], list[WellRow]] = {}
    for row in rows:
        by_channel.setdefault((row.well, row.channel), []).append(row)
    found: dict[str, tuple[WellClusters, ...]] = {}
    for well in dict.fromkeys(row.well for row in rows):
        for (a, b), counts in joint.get(well, {}).items():
            first, second = (by_channel.get((well, f"Ch{c}"), []) for c in (a, b))
            if len(first) != 1 or len(second) != 1:
                continue
            sums = counts["11"] + counts["10"], counts["11"] + counts["01"]
            if sums == (first[0].positives, second[0].positives):
                entry = WellClusters(targets=(first[0].target, second[0].target), counts=counts)
                found[well] = (*found.get(well, ()), entry)
    return found


def _well_row(line: Line) -> WellRow:
    well = line.well_in("Well")
    accepted, positives, negatives = line.counts_in("AcceptedDroplets", "Positives", "Negatives")
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
        target=line.text("Target") or channel,
        sample=line.text("Sample"),
        accepted=accepted,
        positives=positives,
        negatives=negatives,
        threshold=line.number_in("Threshold"),
        copies_per_ul=_concentration_in(line, "Concentration"),
        ci_low=_concentration_in(line, "PoissonConfMin"),
        ci_high=_concentration_in(line, "PoissonConfMax"),
        total_low=_concentration_in(line, "TotalConfMin"),
        total_high=_concentration_in(line, "TotalConfMax"),
        linkage_per_ul=_concentration_in(line, "Linkage"),
        status=line.text("Status"),
        status_reason=line.text("Status Reason"),
        sample_type=sample_type,
        merged_from=tuple(line.well_in("MergedWells", name) for name in merged),
        line=line.number,
    )


def _concentration_in(line: Line, column: str) -> float | None:
    number = line.number_in(column)
    return None if number is not None and number >= _SENTINEL else number


def _channel(line: Line) -> tuple[str, str]:
    """Return channel and sample type: ``Ch1Unknown``, or a dye and a column of its own."""
    kind = line.text("TargetType")
    match = re.match(r"(Ch\d)(.*)", kind, re.IGNORECASE | re.ASCII)
    if match:
        return match[1].capitalize(), match[2]
    dye = line.text("DyeName(s)")
    channels = {_CHANNEL_OF_DYE.get(plain_name(name)) for name in dye.split("/")}  # VIC/HEX is one channel
    channel = channels.pop() if len(channels) == 1 else None
    return channel or dye, line.text("SampleType") or kind


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
