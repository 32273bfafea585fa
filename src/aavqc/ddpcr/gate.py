"""The amplitude above which a droplet is positive, found from all wells of an assay at once.

Wells are aligned by their negatives and pooled: a well with three positive droplets, or none,
is gated where its neighbours say. The threshold lies in the valley between the negatives and
the lowest positive population, low where the valley is deep, as rain is positive; where rain thickens
towards the positives without a break, at the foot of that population. What it may hide is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from aavqc.ddpcr.baseline import Baselines, find_baselines
from aavqc.ddpcr.density import Density, Mode, density, modes
from aavqc.records import FloatArray

NEAREST = 6.0
"""SDs above the negatives below which no droplet is positive, where no positive population is seen."""

CLEAR = 8.0
"""SDs above the negatives beyond which a single droplet is none of them."""

PEOPLE = 0.35
"""Where a threshold lies between negatives and positives in a shallow valley, as far as its floor allows.

In 26 published tables of four laboratories the middle half of 515 thresholds lies at 0.28 to 0.36 of
the way between the means.
"""

LOW = 0.15
"""The same in a deep valley: what lies there is rain, and rain is positive. 5 % of published
thresholds lie lower."""

ABOVE_DYE = 0.25
"""The same above another channel's dye, whose population scatters more than negatives do."""

DEEP = 0.05
"""Density in the valley, of the positive population's height, below which it is deep."""

NO_NOISE = 5.0
"""SDs above the negatives that a threshold in a deep valley keeps."""

MINOR = 0.02
"""Share of the droplets above the negatives below which a mode is a clump in the rain."""

FLAT = 5.0
"""Rise of the root of the density (in SDs) that still belongs to the valley's floor."""

FOOT = 0.03
"""Fraction of its height at which the lower flank of a positive population ends."""

STREAK = 0.07
"""Share of droplets between valley and foot, of those above, from which on rain is a streak."""

THICKENING = 3.0
"""Ratio of the rain's density near the foot to that in the valley that makes it a streak."""


@dataclass(frozen=True)
class Gate:
    """A recipe that calls the droplets of any plate of the assay.

    Attributes
    ----------
    threshold : float
        Amplitude in a well whose negatives lie at ``baseline``.
    baseline : float
        Amplitude of the negatives.
    rain : float or None
        Share of the positive droplets that lie between the clusters; None where no positive
        population is seen.
    hidden : float
        Droplets below the threshold that may hold the target, as a share of those above: the rain as
        dense as just above the threshold, down to the negatives, and a streak that was left out.
    populations : int
        Positive populations.
    """

    threshold: float
    baseline: float
    rain: float | None = None
    hidden: float = 0.0
    populations: int = 0


def find_gate(
    wells: Mapping[str, FloatArray], blanks: Collection[str] = (), above: float | None = None
) -> tuple[Gate, Baselines] | None:
    """Find the gate of an assay from its wells' amplitudes.

    Parameters
    ----------
    wells : mapping of str to array
        Amplitudes of one channel, in all wells of the assay.
    blanks : collection of str
        Wells that are declared to hold no template: their droplets are negative.
    above : float, optional
        Populations up to here (at the baseline's level) are negative: another channel's dye.

    Returns
    -------
    (Gate, Baselines) or None
        None where the droplets form a single population and nothing tells which one it is.
    """
    base = find_baselines(wells, blanks)
    if base is None:
        return None
    pooled = pool(wells, base)
    found = modes(pooled)
    negatives = min(found, key=lambda m: abs(m.amplitude - base.level)) if found else None
    if negatives is None:
        return None
    start = max(above or base.level, base.level)
    positive = _populations(found, negatives, start, base)
    floor = max(_blank_bound(wells, base, blanks), base.level + 3 * base.sd)
    if not positive:
        return _without_population(wells, base, floor)
    deep, shallow = _valley(pooled, start, max(start, floor), positive[0], base)
    foot = _foot(pooled, positive[0], shallow)
    valley = max(shallow if deep is None else deep, floor)
    threshold = valley if foot is None else max(foot, floor)
    return (
        Gate(
            threshold=threshold,
            baseline=base.level,
            rain=_rain(pooled, positive[0], base),
            hidden=_hidden(pooled, base.level, valley, threshold, positive[0]),
            populations=len(positive),
        ),
        base,
    )


def pool(wells: Mapping[str, FloatArray], base: Baselines) -> Density:
    """Return the density of all wells' droplets, aligned by their negatives."""
    shifts = [base.shift[well] for well in wells]
    low, high = base.range
    return density(
        list(wells.values()), shifts, low - max(shifts), high - min([*shifts, 0.0]), base.smoothing
    )


def _populations(found: list[Mode], negatives: Mode, start: float, base: Baselines) -> list[Mode]:
    """Return the positive populations: modes above the negatives that are no clump in the rain."""
    above = [m for m in found if m.amplitude > max(negatives.amplitude, start) + 4 * base.sd]
    total = sum(m.droplets for m in above)
    return [m for m in above if m.droplets >= MINOR * total]


def _blank_bound(wells: Mapping[str, FloatArray], base: Baselines, blanks: Collection[str]) -> float:
    """Return the amplitude that the negatives of declared blanks reach, but for a few droplets.

    Of a blank's droplets 2 in 10,000 may be positive by carry-over; what lies beyond the clear end
    of its negatives says nothing of them.
    """
    reach = []
    for well in sorted(set(blanks) & set(wells)):
        values = wells[well] - base.shift[well]
        values = values[values < base.level + CLEAR * base.sd]
        if values.size:
            reach.append(float(np.quantile(values, 1 - 2e-4)))
    return max(reach, default=base.level)


def _without_population(
    wells: Mapping[str, FloatArray], base: Baselines, floor: float
) -> tuple[Gate, Baselines] | None:
    """Gate by the few droplets that are none of the negatives, else by the negatives alone.

    Where as many droplets lie far below the only population as above, it may be the positives', with
    their rain.
    """
    clear = base.level + CLEAR * base.sd
    aligned = np.concatenate([wells[w] - base.shift[w] for w in wells])
    beyond = aligned[aligned > clear]
    under = np.count_nonzero(aligned < base.level - CLEAR * base.sd)
    if beyond.size >= 3 and (base.parted or beyond.size > under):
        rare = base.level + PEOPLE * (float(np.median(beyond)) - base.level)
        return Gate(max(rare, floor, base.level + NEAREST * base.sd), base.level), base
    if not base.parted:
        return None
    return Gate(max(floor, clear), base.level), base


def _valley(
    pooled: Density, negative: float, low: float, positive: Mode, base: Baselines
) -> tuple[float | None, float]:
    """Return where in the valley's floor a threshold lies: in a deep one (else None), and in a shallow one.

    The floor reaches from the first to the last place where the density equals the least but for noise:
    clumps in the rain between them part nothing.
    """
    first, last = pooled.index(low), pooled.index(positive.amplitude)
    height = np.sqrt(np.maximum(pooled.count[first : last + 1], 0.0))
    least = int(np.argmin(height))
    floor = np.flatnonzero(2 * (height - height[least]) < FLAT)
    below, above = pooled.at(first + int(floor[0])), pooled.at(first + int(floor[-1]))
    above_valley = pooled.raw[first + least :]
    mean = pooled.at(first + least + float(np.average(np.arange(above_valley.size), weights=above_valley)))
    shallow = min(max(negative + PEOPLE * (mean - negative), below), above)
    if height[least] ** 2 > DEEP * height[-1] ** 2:
        return None, shallow
    place = LOW if negative == base.level else ABOVE_DYE
    wanted = max(negative + place * (mean - negative), negative + NO_NOISE * base.sd)
    return min(max(wanted, below), above, shallow), shallow


def _foot(pooled: Density, positive: Mode, valley: float) -> float | None:
    """Return the foot of a positive population that a streak of rain runs into; None without one."""
    peak, bottom = pooled.index(positive.amplitude), pooled.index(valley)
    flank = pooled.count[bottom : peak + 1]
    below = np.flatnonzero(flank <= FOOT * flank[-1])
    if not below.size:
        return None
    foot = bottom + int(below[-1])
    rain = pooled.raw[bottom:foot]
    if rain.size < 8:
        return None
    near = float(rain[-(rain.size // 8) :].mean())
    far = float(rain[: rain.size // 2].mean())
    positives = float(pooled.raw[foot : pooled.index(positive.valley_above) + 1].sum())
    streak = float(rain.sum()) > STREAK * positives and near > THICKENING * far
    return pooled.at(foot) if streak else None


def _hidden(pooled: Density, negative: float, valley: float, threshold: float, positive: Mode) -> float:
    """Return the droplets below the threshold that may be positive, as a share of those above.

    Rain as dense as in the half beyond the valley goes on down to the negatives.
    """
    reach = pooled.index(valley) - pooled.index(negative)
    first, last = pooled.index(valley), pooled.index(threshold)
    half = min(reach, pooled.index(positive.amplitude) - first) // 2
    beyond = pooled.raw[first + 1 : first + 1 + max(half, 1)]
    left_out = float(beyond.mean()) * reach + float(pooled.raw[first:last].sum())
    positives = float(pooled.raw[last + 1 :].sum())
    return left_out / positives if positives and beyond.size else 0.0


def _rain(pooled: Density, positive: Mode, base: Baselines) -> float:
    """Return the share of droplets between the clear end of the negatives and the foot, of all above."""
    peak, first = pooled.index(positive.amplitude), pooled.index(base.level + CLEAR * base.sd)
    if first >= peak:
        return 0.0
    flank = pooled.count[first : peak + 1]
    below = np.flatnonzero(flank <= FOOT * flank[-1])
    foot = first + int(below[-1]) if below.size else first
    total = float(pooled.raw[first:].sum())
    return float(pooled.raw[first:foot].sum()) / total if total else 0.0
