"""The partition volume of each row, and where it is known from."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from aavqc.ddpcr.poisson import copies_per_droplet
from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.records import DropletPlate, WellRow

PLAUSIBLE = (1e-3, 1e3)
"""Volumes that a partition can have, nL: another one implied by a concentration is a fault of the table."""

DEFAULT_NL = 0.85
"""Bio-Rad's droplet as its software has had it since 2015: for amplitudes that came without a table."""

Volume = tuple[float | None, str]


def partition_volumes(
    record: DropletPlate, rows: Sequence[WellRow], settings: Mapping[str, TechniqueSettings]
) -> dict[tuple[str, str, str], Volume]:
    """Return volume (nL) and source by well, channel and target.

    In this order: the setting; what the export reports for the well; the software's documented
    value; what the concentration of another target of the well implies; what its own does; the
    median of what other wells imply; the default, for amplitudes without a table.

    Parameters
    ----------
    record : DropletPlate
    rows : sequence of WellRow
        Those of the record, and of droplets without a row.
    settings : mapping of str to TechniqueSettings
        By well.
    """
    by_well: dict[str, list[WellRow]] = {}
    for row in rows:
        by_well.setdefault(row.well, []).append(row)
    implied = [v for row in rows if (v := _implied(row)) is not None]
    elsewhere = statistics.median(implied) if implied else None
    return {
        (row.well, row.channel, row.target): _volume(
            row, record, settings[row.well], by_well[row.well], elsewhere
        )
        for row in rows
    }


def _volume(
    row: WellRow,
    record: DropletPlate,
    settings: TechniqueSettings,
    well: Sequence[WellRow],
    elsewhere: float | None,
) -> Volume:
    if settings.partition_volume_nl is not None:
        return settings.partition_volume_nl, "setting"
    if row.partition_volume_nl is not None:
        return row.partition_volume_nl, "reported"
    if record.partition_volume_nl is not None:
        return record.partition_volume_nl, record.partition_volume_source
    implied = [(r, v) for r in well if (v := _implied(r)) is not None]
    others = [(r.positives or 0, v) for r, v in implied if r is not row]
    if others:
        return max(others)[1], "back_calculated"
    if implied:
        return implied[0][1], "back_calculated_own"
    if elsewhere is not None:
        return elsewhere, "back_calculated_plate"
    if not record.rows:
        return DEFAULT_NL, "default"
    return None, "unknown"


def _implied(row: WellRow) -> float | None:
    """Return the volume that makes the counts the concentration that the software wrote."""
    if not row.copies_per_ul or not row.positives or not row.accepted:
        return None
    density = copies_per_droplet(row.positives, row.accepted)
    volume = density / row.copies_per_ul * 1e3 if density else 0.0
    return volume if PLAUSIBLE[0] <= volume <= PLAUSIBLE[1] else None
