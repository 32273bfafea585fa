"""Absolute Q's counts by set of channels: joint counts of a sample's partitions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aavqc.parsers.well_table import (
    Line,
    check_width,
    columns_named,
    delimiter_of,
    first_line,
    header_of,
    marginal,
    rows_of,
    well_key,
    well_name,
)
from aavqc.records import WellClusters, WellRow

_MULTICHANNEL = {
    "Sample": ("sample",),
    "Channels": ("channels",),
    "Count": ("count",),
    "Total": ("total",),
}
_IN_NAME = re.compile(r"(?:.*[\s_-])?([A-Z]\d{1,2})", re.IGNORECASE | re.ASCII)


def read_channels(
    text: str, file: str
) -> tuple[list[WellRow], dict[str, tuple[WellClusters, ...]], tuple[str, ...]]:
    """Read joint counts: for each sample, the partitions positive for each set of dyes."""
    numbered = rows_of(text, file, delimiter_of(first_line(text)))
    number, header = header_of(numbered, file)
    columns = columns_named(header, _MULTICHANNEL, _MULTICHANNEL, file, number)
    lines = [Line(file, at, fields, columns) for at, fields in numbered]
    sets = sorted((line.text("Channels").split() for line in lines), key=len, reverse=True)
    dyes = list(dict.fromkeys(dye for channels in sets for dye in channels))  # as the fullest set has them
    counts: dict[str, dict[str, int]] = {}
    stated: dict[str, tuple[int, Line]] = {}
    for line in lines:
        check_width(line.fields, header, file, line.number)
        positive = set(line.text("Channels").split())
        pattern = "".join("1" if dye in positive else "0" for dye in dyes)
        count = line.count_in("Count")
        if count is None:
            raise line.error("no count", "Count", "a whole number of partitions")
        own = counts.setdefault(line.text("Sample"), {})
        if pattern in own:
            raise line.error("a sample has this set of channels twice", "Channels", "each set once")
        own[pattern] = count
        total = line.count_in("Total")
        if total:  # 0 beside a set that no partition has
            first, _ = stated.setdefault(line.text("Sample"), (total, line))
            if total != first:
                raise line.error("another total than above", "Total", str(first))
    for sample, (total, line) in stated.items():
        if sum(counts[sample].values()) != total:
            raise line.error(
                "the counts of a sample do not add up", "Total", f"{sum(counts[sample].values())}, their sum"
            )
    wells, remark = _wells_of(list(counts))
    rows: list[WellRow] = []
    clusters: dict[str, tuple[WellClusters, ...]] = {}
    for name in sorted(counts, key=lambda name: well_key(wells[name])):
        entry = WellClusters(targets=tuple(dyes), counts=counts[name])
        clusters[wells[name]] = (entry,)
        rows += [marginal(wells[name], entry, at, dye, name) for at, dye in enumerate(dyes)]
    return rows, clusters, (remark,)


def _wells_of(samples: Sequence[str]) -> tuple[dict[str, str], str]:
    """Return a well for each sample: that in its name, else a number where there is none."""
    named = [well_name(match[1]) if (match := _IN_NAME.fullmatch(s)) else None for s in samples]
    if None not in named and len(set(named)) == len(named):
        return dict(zip(samples, map(str, named), strict=True)), "wells are those in the names of the samples"
    numbered = {sample: f"X{at:02d}" for at, sample in enumerate(samples, 1)}
    return numbered, "the export names no wells: X01 and so on number its samples"
