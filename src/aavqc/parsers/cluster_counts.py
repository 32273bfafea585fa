"""QX Manager's cluster export: how many droplets of a well are positive for which targets together.

A preamble explains 0, 1 and u; a second table (how far the clusters lie apart) follows in the
same file and is not read. Targets are numbered; a well with fewer leaves the others blank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from aavqc.errors import InputError
from aavqc.parsers.columns import plain_name
from aavqc.parsers.well_table import (
    Line,
    check_width,
    delimiter_of,
    header_of,
    marginal,
    names_in,
    positives_of,
    rows_of,
    well_key,
)
from aavqc.records import WellClusters, WellRow

_TARGET = re.compile(r"target(\d{1,2})")
_PREAMBLE = "target value of"


def sniff_clusters(head: bytes) -> bool:
    """Tell a cluster export by its header, which may stand below a preamble."""
    return _header(head.decode("utf-8-sig", "replace")) is not None


def read_clusters(text: str, file: str) -> dict[str, WellClusters]:
    """Read joint counts by well, with the targets as the export numbers them.

    Raises
    ------
    InputError
        With file, line, column, expected and found.
    """
    first = _header(text)
    if first is None:
        raise InputError("no header of a cluster export", file=file, line=1, expected="Well, Target 1, Count")
    rows = rows_of(text, file, delimiter_of(first))
    below = ((n, f) for n, f in rows if not f[0].strip().lower().startswith(_PREAMBLE))
    _, header = header_of(below, file)
    columns = {
        name if name in ("well", "count") else f"Target {_TARGET.fullmatch(name)[1]}": at  # type: ignore[index]
        for at, name in enumerate(plain_name(field) for field in header)
        if name in ("well", "count") or _TARGET.fullmatch(name)
    }
    targets = [name for name in columns if name.startswith("Target")]
    counts: dict[str, dict[str, int]] = {}
    unclassified: dict[str, int] = {}
    named: dict[str, tuple[str, ...]] = {}
    for line in _first_table(rows, columns, header, file):
        well, count = line.well_in("well"), line.count_in("count")
        calls = {target: line.text(target).lower() for target in targets if line.text(target)}
        wrong = next((t for t, call in calls.items() if call not in ("0", "1", "u")), None)
        if wrong is not None:
            raise line.error("no call", wrong, "0, 1 or u")
        if count is None:
            raise line.error("no count", "count", "a whole number of droplets")
        if named.setdefault(well, tuple(calls)) != tuple(calls):
            raise line.error("other targets than before in the same well", targets[0], ", ".join(named[well]))
        pattern = "".join(calls.values())
        if "u" in pattern:
            unclassified[well] = unclassified.get(well, 0) + count
        elif pattern in counts.setdefault(well, {}):
            raise line.error(f"well {well} has this cluster twice", targets[0], "each cluster once")
        else:
            counts[well][pattern] = count
    return {
        well: WellClusters(
            targets=named[well], counts=counts.get(well, {}), unclassified=unclassified.get(well, 0)
        )
        for well in sorted(named, key=well_key)
    }


def rows_of_clusters(clusters: Mapping[str, WellClusters]) -> tuple[WellRow, ...]:
    """Return a row for each well and target, for joint counts that have no table."""
    return tuple(
        marginal(well, entry, at) for well, entry in clusters.items() for at in range(len(entry.targets))
    )


def named_by(entry: WellClusters, rows: Sequence[WellRow]) -> WellClusters | None:
    """Return joint counts with the names of a well's rows, None where the counts are not theirs.

    The rows stand in the order of the target's numbers.
    """
    if len(rows) != len(entry.targets):
        return None
    total = sum(entry.counts.values()) + entry.unclassified
    for at, row in enumerate(rows):
        if row.accepted != total or (row.positives != positives_of(entry, at) and not entry.unclassified):
            return None
    return WellClusters(
        targets=tuple(row.target for row in rows), counts=entry.counts, unclassified=entry.unclassified
    )


def _header(text: str) -> str | None:
    """Return the line of names, None where it is not there."""
    lines = text.replace("\r", "\n").split("\n", 12)[:12]
    named = (line for line in lines if line.strip() and not line.lower().startswith(_PREAMBLE))
    first = next(named, "")
    return first if {"well", "target1", "count"} <= names_in(first) else None


def _first_table(
    rows: Iterator[tuple[int, list[str]]], columns: Mapping[str, int], header: Sequence[str], file: str
) -> Iterator[Line]:
    for number, fields in rows:
        if plain_name(fields[0]) == "well":
            return
        check_width(fields, header, file, number)
        yield Line(file, number, fields, columns)
