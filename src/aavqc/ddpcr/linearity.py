"""Whether dilutions of a sample tell the same titer: slope, and change from the least diluted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from aavqc.ddpcr.selection import Used
from aavqc.ddpcr.spread import Estimate, estimate
from aavqc.ddpcr.wells import exposed
from aavqc.intervals import normal_quantile


def linearity(wells: Sequence[Used], coverage: float) -> dict[str, Any] | None:
    """Return how the dilution-corrected concentration changes from dilution to dilution.

    ``slope`` is that of ln(concentration in the reaction) on -ln(dilution), weighted by Poisson
    information, 1 where all is well; ``change`` is the relative change of the corrected
    concentration from the least to the most diluted, with its interval. ``verdict`` is
    ``parallel`` where the interval lies within the margin, ``not parallel`` where it excludes 0
    and the change exceeds the margin, else ``inconclusive`` (two one-sided tests).

    None for fewer than two dilutions with positive and negative droplets.
    """
    points = []
    factors = sorted({u.factor for u in wells if u.factor is not None})
    for factor in factors if len(factors) > 1 else ():
        group = [exposed(u.count) for u in wells if u.factor == factor]
        found = estimate([w for w in group if w], "wilson", coverage)
        if found is not None and found.low > 0 and found.high is not None:
            points.append((factor, found))
    if len(points) < 2:
        return None
    (first, dense), (last, thin) = points[0], points[-1]
    z = normal_quantile(coverage)
    change = math.log(thin.value * last / (dense.value * first))
    half = z * math.hypot(_sd(dense, z), _sd(thin, z))
    slope, slope_sd = _slope(points, z)
    margin = wells[0].plan.settings.parallelism_margin
    low, high = math.expm1(change - half), math.expm1(change + half)
    verdict = "inconclusive"
    if -margin <= low and high <= margin:
        verdict = "parallel"
    elif abs(math.expm1(change)) > margin and not low <= 0 <= high:
        verdict = "not parallel"
    return {
        "dilutions": [factor for factor, _ in points],
        "slope": slope,
        "slope_low": slope - z * slope_sd,
        "slope_high": slope + z * slope_sd,
        "change_percent": 100 * math.expm1(change),
        "change_low": 100 * low,
        "change_high": 100 * high,
        "margin_percent": 100 * margin,
        "verdict": verdict,
    }


def _sd(found: Estimate, z: float) -> float:
    """Return the SD of the logarithm that an interval tells."""
    return math.log((found.high or found.value) / found.low) / (2 * z)


def _slope(points: Sequence[tuple[float, Estimate]], z: float) -> tuple[float, float]:
    x = [-math.log(factor) for factor, _ in points]
    y = [math.log(found.value) for _, found in points]
    weight = [1 / _sd(found, z) ** 2 for _, found in points]
    total = math.fsum(weight)
    mean = math.fsum(w * v for w, v in zip(weight, x, strict=True)) / total
    spread = math.fsum(w * (v - mean) ** 2 for w, v in zip(weight, x, strict=True))
    slope = math.fsum(w * (v - mean) * u for w, v, u in zip(weight, x, y, strict=True)) / spread
    return slope, 1 / math.sqrt(spread)
