"""One concentration from several wells: pooled counts, and the spread between wells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aavqc.ddpcr.poisson import copies_per_droplet, density_of, poisson_interval
from aavqc.ddpcr.settings import IntervalMethod
from aavqc.intervals import normal_quantile, t_quantile

WIDEST = 100.0
"""Half-width of an interval of the logarithm beyond which the wells tell nothing of the number."""


@dataclass(frozen=True)
class Exposed:
    """``k`` of ``n`` droplets are positive, where a droplet holds ``exposure`` × concentration copies.

    ``volume_cv`` is the relative SD of the droplets' volumes.
    """

    k: int
    n: int
    exposure: float
    volume_cv: float = 0.0

    @property
    def concentration(self) -> float | None:
        """The well's own estimate; None where it is saturated."""
        density = copies_per_droplet(self.k, self.n, self.volume_cv)
        return None if density is None else density / self.exposure


@dataclass(frozen=True)
class Estimate:
    """A concentration with its interval; ``lod`` is what 3 expected positives amount to.

    ``rel_sd`` is the relative spread between the wells, None for fewer than two that count.
    """

    value: float
    low: float
    high: float | None
    several_wells: bool
    lod: float
    rel_sd: float | None


def estimate(wells: Sequence[Exposed], method: IntervalMethod, coverage: float) -> Estimate | None:
    """Estimate one concentration from wells, which may differ in dilution or volume.

    The estimate maximises the joint binomial likelihood: pooled counts where all exposures
    are equal, else an average in which each well weighs as its Poisson information. The
    interval is the wider of that of the counts and Student's for the logarithms between
    wells. None where all wells are saturated, or there is none.
    """
    total_k, total_n = sum(w.k for w in wells), sum(w.n for w in wells)
    if not total_n or total_k == total_n:
        return None
    volume = math.fsum(w.n * w.exposure for w in wells)
    low: float
    high: float | None
    if len({(w.exposure, w.volume_cv) for w in wells}) == 1:
        exposure, scatter = wells[0].exposure, wells[0].volume_cv
        value = density_of(total_k / total_n, scatter) / exposure
        low, high = poisson_interval(total_k, total_n, method, coverage, volume_cv=scatter)
        low, high = low / exposure, None if high is None else high / exposure
    elif total_k == 0:
        value, low, high = 0.0, 0.0, -math.log((1 - coverage) / 2) / volume
    else:
        value = _most_likely(wells)
        half = normal_quantile(coverage) / math.sqrt(_information(wells, value))
        low, high = around(value, half)
    each = [w.concentration for w in wells]
    logs = [math.log(c) for c in each if c]
    if method == "vendor_total":
        low, high = total_interval(value, (low, high), wells, coverage)
    elif len(logs) > 1 and low > 0 and high is not None:
        half = t_quantile(coverage, len(logs) - 1) * _sd(logs) / math.sqrt(len(logs))
        if 2 * half > math.log(high / low):
            low, high = around(value, half)
    return Estimate(
        value=value,
        low=low,
        high=high,
        several_wells=len(wells) > 1,
        lod=3 / volume,
        rel_sd=_sd(logs) if len(logs) > 1 else None,
    )


def around(value: float, half: float) -> tuple[float, float | None]:
    """Return the interval ``± half`` of the logarithm; from 0 without end where that is too wide.

    Examples
    --------
    >>> around(2.0, 1e6)
    (0.0, None)
    """
    if not half < WIDEST:
        return 0.0, None
    return value * math.exp(-half), value * math.exp(half)


def total_interval(
    value: float, counts: tuple[float, float | None], wells: Sequence[Exposed], coverage: float
) -> tuple[float, float | None]:
    """Return Bio-Rad's total interval of merged wells.

    Its half-width is the larger of that of the pooled counts and of ``z SD/√m`` between the
    m wells: optimistic for two or three, and kept for parity with the software (which lets the lower
    bound fall below 0; here it does not).
    """
    each = [c for w in wells if (c := w.concentration) is not None]
    if len(each) < 2:
        return counts
    half = normal_quantile(coverage) * _sd(each) / math.sqrt(len(each))
    low, high = counts
    return min(low, max(value - half, 0.0)), None if high is None else max(high, value + half)


def _sd(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def _score(wells: Sequence[Exposed], value: float) -> float:
    """Return the slope of the log-likelihood, which falls with the concentration."""
    terms = []
    for w in wells:
        odds, slope = _negatives(w.exposure * value, w.volume_cv)
        terms.append(w.exposure * slope * (w.k * odds - (w.n - w.k)))
    return math.fsum(terms)


def _negatives(density: float, volume_cv: float) -> tuple[float, float]:
    """Return negatives over positives where a droplet holds ``density`` copies, and -d ln(negatives)/dλ."""
    square = volume_cv * volume_cv
    loss = math.log1p(square * density) / square if square else density
    return math.exp(-loss) / -math.expm1(-loss), 1 / (1 + square * density)


def _information(wells: Sequence[Exposed], value: float) -> float:
    """Return Fisher's information about the logarithm of the concentration."""
    terms = []
    for w in wells:
        odds, slope = _negatives(w.exposure * value, w.volume_cv)
        terms.append(w.n * (w.exposure * value * slope) ** 2 * odds)
    return math.fsum(terms)


def _most_likely(wells: Sequence[Exposed]) -> float:
    """Find the root of the score by bisection: it falls from +∞ to below 0."""
    low = math.fsum(w.k for w in wells) / math.fsum(w.n * w.exposure for w in wells)
    high = low
    while _score(wells, high) > 0:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(wells, middle) > 0 else (low, middle)
    return (low + high) / 2
