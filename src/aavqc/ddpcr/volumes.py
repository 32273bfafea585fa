"""The partition volume of each row, and where it is known from."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aavqc.ddpcr.poisson import copies_per_droplet
from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.records import DropletPlate, WellRow

PLAUSIBLE = (1e-3, 1e3)
"""Volumes that a partition can have, nL: another one implied by a concentration is a fault of the table."""

DEFAULT_NL = 0.85
"""Bio-Rad's droplet as its software has had it since 2015: for amplitudes that came without a table."""

ENOUGH = 100
"""Positives from which on the printed digits of a concentration tell a volume to 1 %."""


@dataclass(frozen=True)
class Volume:
    """The partition volume in use, and what the table's own concentration implies.

    Attributes
    ----------
    nl : float or None
    source : str
    implied_nl : float or None
        None where the row's concentration does not tell it well.
    """

    nl: float | None
    source: str
    implied_nl: float | None = None


def partition_volumes(
    record: DropletPlate, rows: Sequence[WellRow], settings: Mapping[str, TechniqueSettings]
) -> dict[tuple[str, str, str], Volume]:
    """Return the volume by well, channel and target.

    In this order: the setting; what the export reports for the well; the software's documented
    value; what the concentration with the most positives in the well implies, be it the row's own or
    another's; the median of what other wells imply; the default, for amplitudes without a table.

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
        (row.well, row.channel, row.target): Volume(
            *_volume(row, record, settings[row.well], by_well[row.well], elsewhere),
            _implied(row) if _told_well(row) else None,
        )
        for row in rows
    }


def _volume(
    row: WellRow,
    record: DropletPlate,
    settings: TechniqueSettings,
    well: Sequence[WellRow],
    elsewhere: float | None,
) -> tuple[float | None, str]:
    if settings.partition_volume_nl is not None:
        return settings.partition_volume_nl, "setting"
    if row.partition_volume_nl is not None:
        return row.partition_volume_nl, "reported"
    if record.partition_volume_nl is not None:
        return record.partition_volume_nl, record.partition_volume_source
    implied = [(r.positives or 0, r is not row, v) for r in well if (v := _implied(r)) is not None]
    if implied:
        _, other, volume = max(implied)
        return volume, "back_calculated" if other else "back_calculated_own"
    if elsewhere is not None:
        return elsewhere, "back_calculated_plate"
    if not record.rows:
        return DEFAULT_NL, "default"
    return None, "unknown"


def _told_well(row: WellRow) -> bool:
    """Tell a concentration of enough digits; small ones may be printed as whole numbers."""
    written = row.copies_per_ul or 0.0
    return (row.positives or 0) >= ENOUGH and (written >= 100.0 or not written.is_integer())


def _implied(row: WellRow) -> float | None:
    """Return the volume that makes the counts the concentration that the software wrote."""
    if not row.copies_per_ul or not row.positives or not row.accepted:
        return None
    density = copies_per_droplet(row.positives, row.accepted)
    volume = density / row.copies_per_ul * 1e3 if density else 0.0
    return volume if PLAUSIBLE[0] <= volume <= PLAUSIBLE[1] else None
