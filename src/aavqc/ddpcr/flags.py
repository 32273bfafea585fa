"""What a reviewer must know about the wells of a sample."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from aavqc.ddpcr.calls import blank_wells
from aavqc.ddpcr.wells import FEWEST, WellCount
from aavqc.documents import Flag, Role
from aavqc.records import DropletPlate

FEW_DROPLETS = 10_000
HIGH_DENSITY = 2.0
"""Copies a droplet above which few droplets are negative and the model's faults dominate: counting
is most precise at 1.6, and published AAV titers rise by 4 to 6 % from 2.7 to 1.4."""

VOLUME_DIFFERS = 0.02
"""Relative difference of the volume in use from that of the table's concentrations: they are printed to
three digits, and versions of one software differ by 6 %."""

SCATTERED = 0.001
"""p-value of the scatter between wells under Poisson's law below which it is told."""

HEAVY_RAIN = 0.05
"""Part of the concentration that hangs on droplets between the clusters from which on it is told."""

NO_TEMPLATE: tuple[Role, ...] = ("ntc", "blank")
NOT_CONTROLS: tuple[Role, ...] = ("sample", "no_dnase")


def flags_of(counts: Sequence[WellCount], role: Role, missing: Sequence[str], allowed: int) -> list[Flag]:
    """Return the flags of one sample, in a fixed order.

    Parameters
    ----------
    counts : sequence of WellCount
        Wells and targets of the sample.
    role : Role
    missing : sequence of str
        Wells that the sample sheet names and the plate does not have.
    allowed : int
        Positive droplets that a well without template may have; 2 where nothing is set, as 2.996 is
        the 95 % upper bound of the count where none was seen.
    """
    counting = {c.target for c in counts if _counts(c)}
    found = (
        _well_missing(counts, missing),
        _no_call(counts, counting),
        _volume_unstated(counts),
        _volume_differs(counts),
        _few_droplets(counts, counting),
        _rain_heavy(counts),
        _saturated(counts, counting),
        _density_high(counts),
        _ntc_positive(counts, allowed) if role in NO_TEMPLATE else None,
        _another_plate(counts),
    )
    return [flag for flag in found if flag is not None]


def declared_flags(record: DropletPlate, wells: Collection[str]) -> list[Flag]:
    """Find wells of a sample with template that the export itself calls controls without."""
    declared = sorted(blank_wells(record, ()) & set(wells))
    if not declared:
        return []
    return [
        Flag(
            id="declared_blank",
            severity="warning",
            message=(
                f"the export calls {', '.join(declared)} a control without template, here its role is "
                "another: set it in the sample sheet, or by roles"
            ),
            value=len(declared),
            limit=0,
        )
    ]


def table_flags(record: DropletPlate, wells: Collection[str]) -> list[Flag]:
    """Return the flag of wells that have droplets and no row, where others have one: a table cut short."""
    if not record.rows:
        return []
    known = {row.well for row in record.rows} | {m for row in record.rows for m in row.merged_from}
    without = [well for well in wells if well in record.droplets and well not in known]
    if not without:
        return []
    message = f"amplitudes without a row in the table, so without their targets, in {', '.join(without)}"
    return [Flag(id="row_missing", severity="warning", message=message, value=len(without), limit=0)]


def droplet_flags(record: DropletPlate, wells: Collection[str]) -> list[Flag]:
    """Return the flag of wells that have a row and no droplets, where others have them: files got lost."""
    tabled = {row.well for row in record.rows if not row.merged_from}
    without = [well for well in wells if well in tabled and well not in record.droplets]
    if not record.droplets or not without:
        return []
    message = f"no amplitudes, so no calls of our own, in {', '.join(without)}: other wells have theirs"
    return [Flag(id="amplitudes_missing", severity="warning", message=message, value=len(without), limit=0)]


def target_flags(target: str, found: Mapping[str, Any], template: bool) -> list[Flag]:
    """Return the flags of one target of a sample: scatter between wells, trend with dilution."""
    flags = []
    p_value, line = found["dispersion_p"], found["linearity"]
    if p_value is not None and p_value < SCATTERED:
        flags.append(
            Flag(
                id="overdispersed",
                severity="info",
                message=f"wells of {target} scatter {found['dispersion']:.3g} times as Poisson's law has it",
                value=p_value,
                limit=SCATTERED,
            )
        )
    if template and line is not None:
        change, highest = line["change_percent"], found["lambda_max"] or 0.0
        proven = line["verdict"] == "not parallel"
        dense = change > line["margin_percent"] and (highest > HIGH_DENSITY or (proven and highest > 1))
        if not dense and not proven:
            return flags
        hint = f": λ {highest:.3g} is too high" if dense else ""
        flags.append(
            Flag(
                id="lambda_high" if dense else "dilution_trend",
                severity="warning",
                message=f"the titer of {target} changes by {change:+.1f} % with dilution{hint}",
                value=change,
                limit=line["margin_percent"],
            )
        )
    return flags


def _well_missing(counts: Sequence[WellCount], missing: Sequence[str]) -> Flag | None:
    if counts and not missing:
        return None
    message = f"the plate has no well {', '.join(missing)}" if missing else "the sample has no well"
    return Flag(id="well_missing", severity="warning" if counts else "invalid", message=message)


def _no_call(counts: Sequence[WellCount], counting: Collection[str]) -> Flag | None:
    without = [c for c in counts if c.positives is None]
    if not without:
        return None
    return Flag(
        id="no_call",
        severity=_severity(without, counting),
        message=f"no calls of positive droplets in {_names(without)}",
        value=len(without),
        limit=0,
    )


def _volume_unstated(counts: Sequence[WellCount]) -> Flag | None:
    if any(c.volume_nl is None for c in counts):
        message = "the partition volume is not known: set partition_volume_nl"
        return Flag(id="partition_volume_unknown", severity="invalid", message=message)
    if any(c.volume_source == "default" for c in counts):
        message = "the partition volume is a default: set partition_volume_nl"
        return Flag(id="partition_volume_default", severity="warning", message=message)
    return None


def _volume_differs(counts: Sequence[WellCount]) -> Flag | None:
    """Find a volume that nobody stated and that the table's own concentrations speak against."""
    seen = [
        (c.volume_implied_nl, c.volume_nl, c.volume_source)
        for c in counts
        if c.volume_implied_nl and c.volume_nl and c.volume_source != "setting"
    ]
    if not seen:
        return None
    implied, used, source = sorted(seen, key=lambda x: x[0] / x[1])[len(seen) // 2]
    off = implied / used - 1
    if abs(off) <= VOLUME_DIFFERS:
        return None
    return Flag(
        id="partition_volume_differs",
        severity="warning",
        message=(
            f"the table's concentrations are those of partitions of {implied:.3g} nL, {used:g} nL are "
            f"used ({source}): set partition_volume_nl"
        ),
        value=off,
        limit=VOLUME_DIFFERS,
    )


def _few_droplets(counts: Sequence[WellCount], counting: Collection[str]) -> Flag | None:
    few = [c for c in counts if c.accepted is not None and c.accepted < FEW_DROPLETS]
    if not few:
        return None
    least = min(c.accepted or 0 for c in few)
    limit = FEWEST if least < FEWEST else FEW_DROPLETS
    under = [c for c in few if (c.accepted or 0) < limit]
    return Flag(
        id="few_droplets",
        severity=_severity(under, counting) if least < FEWEST else "warning",
        message=f"fewer than {limit} accepted droplets in {_names(under)}",
        value=least,
        limit=limit,
    )


def _rain_heavy(counts: Sequence[WellCount]) -> Flag | None:
    at_stake = [(c, stake) for c in counts if (stake := _rain_at_stake(c)) > HEAVY_RAIN]
    if not at_stake:
        return None
    names = _names([c for c, _ in at_stake])
    return Flag(
        id="rain_heavy",
        severity="warning",
        message=f"the concentration hangs on droplets called between the clusters in {names}",
        value=max(stake for _, stake in at_stake),
        limit=HEAVY_RAIN,
    )


def _rain_at_stake(count: WellCount) -> float:
    """Return the part by which λ would change, to first order, with all rain negative, or all positive.

    A share r of the k positives changes λ by ``r k / (n - k)``: at λ 3 by 6 times r.
    """
    density = count.copies_per_droplet
    if count.calls != "own" or count.own is None or not density:
        return 0.0
    return max(count.own.gate.rain or 0.0, count.hidden) * math.expm1(density) / density


def _saturated(counts: Sequence[WellCount], counting: Collection[str]) -> Flag | None:
    saturated = [c for c in counts if c.saturated]
    if not saturated:
        return None
    return Flag(
        id="saturated",
        severity=_severity(saturated, counting),
        message=f"no negative droplets in {_names(saturated)}: the concentration has no upper bound",
        value=0,
        limit=1,
    )


def _density_high(counts: Sequence[WellCount]) -> Flag | None:
    dense = [c for c in counts if (c.copies_per_droplet or 0) > HIGH_DENSITY]
    if not dense:
        return None
    return Flag(
        id="density_high",
        severity="warning",
        message=f"λ above {HIGH_DENSITY:g} copies a droplet in {_names(dense)}: dilute further",
        value=max(c.copies_per_droplet or 0 for c in dense),
        limit=HIGH_DENSITY,
    )


def _ntc_positive(counts: Sequence[WellCount], allowed: int) -> Flag | None:
    contaminated = [c for c in counts if (c.positives or 0) > allowed]
    if not contaminated:
        return None
    return Flag(
        id="ntc_positive",
        severity="warning",
        message=f"positive droplets without template in {_names(contaminated)}",
        value=max(c.positives or 0 for c in contaminated),
        limit=allowed,
    )


def _another_plate(counts: Sequence[WellCount]) -> Flag | None:
    other = [c for c in counts if c.disagrees]
    if not other:
        return None
    message = f"the droplets on file do not agree with the table's counts in {_names(other)}"
    return Flag(id="amplitudes_of_another_plate", severity="warning", message=message)


def _counts(count: WellCount) -> bool:
    return count.positives is not None and (count.accepted or 0) >= FEWEST and not count.saturated


def _severity(wells: Sequence[WellCount], counting: Collection[str]) -> Literal["warning", "invalid"]:
    """Return ``invalid`` where a target has no well that counts beside those: else it has its number."""
    return "warning" if all(c.target in counting for c in wells) else "invalid"


def _names(counts: Sequence[WellCount]) -> str:
    return ", ".join(dict.fromkeys(c.well for c in counts))
