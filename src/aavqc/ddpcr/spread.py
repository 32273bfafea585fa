"""One concentration from several wells: pooled counts, and the spread between wells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aavqc.ddpcr.pipetting import Scatter, widening
from aavqc.ddpcr.poisson import Vendor, copies_per_droplet, density_of, poisson_interval
from aavqc.ddpcr.settings import IntervalMethod
from aavqc.intervals import normal_quantile

WIDEST = 100.0
"""Half-width of an interval of the logarithm beyond which the wells tell nothing of the number."""


@dataclass(frozen=True)
class Exposed:
    """``k`` of ``n`` droplets are positive, where a droplet holds ``exposure`` × concentration copies.

    ``volume_cv`` is the relative SD of the droplets' volumes; ``hidden`` the droplets below the gate that
    may be positive, as a share of ``k``.
    """

    k: int
    n: int
    exposure: float
    volume_cv: float = 0.0
    hidden: float = 0.0

    @property
    def concentration(self) -> float | None:
        """The well's own estimate; None where it is saturated."""
        density = copies_per_droplet(self.k, self.n, self.volume_cv)
        return None if density is None else density / self.exposure


@dataclass(frozen=True)
class Estimate:
    """A concentration with its interval.

    Attributes
    ----------
    value, low, high : float
        ``high`` is None where the wells set no upper bound.
    several : bool
        There are several wells, or preparations.
    volume : float
        Copies in all droplets at unit concentration: what 1 copy amounts to is its inverse.
    scatter : Scatter
        Between wells or preparations.
    """

    value: float
    low: float
    high: float | None
    several: bool
    volume: float
    scatter: Scatter

    def times(self, factor: float) -> Estimate:
        """Return the same in another unit."""
        return replace(
            self,
            value=self.value * factor,
            low=self.low * factor,
            high=None if self.high is None else self.high * factor,
            volume=self.volume / factor,
        )


def estimate(
    wells: Sequence[Exposed],
    method: IntervalMethod,
    coverage: float,
    units: Sequence[str] | None = None,
    vendor: Vendor = "bio-rad",
    others: Sequence[Scatter] = (),
) -> Estimate | None:
    """Estimate one concentration from wells, which may differ in dilution or volume.

    The estimate maximises the joint binomial likelihood: pooled counts where all exposures
    are equal, else an average in which each well weighs as its Poisson information. Its interval
    is that of the counts, widened by what wells scatter beyond Poisson's law, and upwards by the
    positive droplets that the gate may hide.

    Parameters
    ----------
    wells : sequence of Exposed
    method : {'wilson', 'clopper_pearson', 'vendor', 'vendor_total'}
    coverage : float
    units : sequence of str, optional
        What each well belongs to, where preparations scatter: the scatter is that between units.
        Default: each well is a unit.
    vendor : {'bio-rad', 'qiacuity', 'absoluteq'}
    others : sequence of Scatter
        How much the wells of the plate's other samples scatter.

    Returns
    -------
    Estimate or None
        None where all wells are saturated, or there is none.
    """
    total_k, total_n = sum(w.k for w in wells), sum(w.n for w in wells)
    if not total_n or total_k == total_n:
        return None
    volume = math.fsum(w.n * w.exposure for w in wells)
    low: float
    high: float | None
    value = _most_likely(wells)
    if _alike(wells):
        exposure, volume_cv = wells[0].exposure, wells[0].volume_cv
        low, high = poisson_interval(total_k, total_n, method, coverage, vendor, volume_cv)
        low, high = low / exposure, None if high is None else high / exposure
    elif total_k == 0:
        low, high = 0.0, -math.log((1 - coverage) / 2) / volume
    else:
        half = normal_quantile(coverage) / math.sqrt(_information(wells, value))
        low, high = around(value, half)
    scatter = _scatter(wells, value, units)
    if method == "vendor_total":
        low, high = total_interval(value, (low, high), wells, coverage)
    elif value and method != "vendor":
        low, high = widened(value, low, high, widening(scatter, coverage, others))
    if method not in ("vendor", "vendor_total"):
        low, high = with_hidden(low, high, wells, coverage)
    return Estimate(
        value=value,
        low=low,
        high=high,
        several=len(wells) > 1,
        volume=volume,
        scatter=scatter,
    )


def scatter_of(wells: Sequence[Exposed]) -> Scatter:
    """Return how much wells of one concentration scatter."""
    if not wells or sum(w.k for w in wells) == sum(w.n for w in wells):
        return Scatter(0.0, 0)
    return _scatter(wells, _most_likely(wells))


def widened(
    value: float, low: float, high: float | None, factor: float = 1.0, added: float = 0.0
) -> tuple[float, float | None]:
    """Stretch an interval on the logarithm by a factor, then in quadrature by a half-width.

    Examples
    --------
    >>> [round(x, 4) for x in widened(1.0, 0.9, 1.1, 1.0, 0.1)]
    [0.8648, 1.1481]
    """
    if value <= 0:
        return low, None if high is None else high * math.exp(added)
    if high is not None:
        high = around(value, math.hypot(factor * math.log(high / value), added))[1]
    if low > 0:
        low = around(value, math.hypot(factor * math.log(value / low), added))[0]
    return low, high


def with_hidden(
    low: float, high: float | None, wells: Sequence[Exposed], coverage: float
) -> tuple[float, float | None]:
    """Carry an interval over to where the gate hides anything from none to all that it may.

    The upper bound rises by as much as the concentration would with the hidden droplets positive; it is
    None where they would leave no negative droplet.

    Parameters
    ----------
    low, high : float
        The interval of the wells' concentration without regard to hidden droplets.
    wells : sequence of Exposed
    coverage : float
    """
    if high is None or not any(round(w.k * w.hidden) for w in wells):
        return low, high
    value = _most_likely(wells)
    shown = _shown(wells, value)
    shift = math.inf if shown is None else math.log(shown / value)
    sd = (math.log(value / low) if low > 0 else WIDEST) / normal_quantile(coverage)
    low, high = widened(value, low, high, one_sided_factor(shift / sd, coverage))
    return low, None if high is None else _shown(wells, high)


def _shown(wells: Sequence[Exposed], concentration: float) -> float | None:
    """Return the concentration that would be found with the hidden droplets positive, too."""
    if _alike(wells):
        odds, _ = _negatives(concentration * wells[0].exposure, wells[0].volume_cv)
        p = (1 + math.fsum(w.n * w.hidden for w in wells) / sum(w.n for w in wells)) / (1 + odds)
        return density_of(p, wells[0].volume_cv) / wells[0].exposure if p < 1 else None
    shown = []
    for well in wells:
        odds, _ = _negatives(concentration * well.exposure, well.volume_cv)
        shown.append(replace(well, k=round(well.n / (1 + odds) * (1 + well.hidden))))
    return None if any(w.k >= w.n for w in shown) else _most_likely(shown)


def one_sided_factor(shift: float, coverage: float) -> float:
    """Return the factor on a half-width where the number may be too low by up to ``shift`` SDs.

    The interval, extended by the shift, then holds any of the values between with the coverage: where
    the shift is long only one end can miss (Imbens GW, Manski CF 2004, Econometrica 72:1845).

    Examples
    --------
    >>> [round(1.96 * one_sided_factor(x, 0.95), 2) for x in (0, 0.2, 1, 9)]
    [1.96, 1.87, 1.68, 1.64]
    """
    both = found = normal_quantile(coverage)
    for _ in range(6):  # Newton's steps: the coverage is concave, so that all but the first come from below
        missed = (math.erfc(found / math.sqrt(2)) + math.erfc((found + shift) / math.sqrt(2))) / 2
        slope = (math.exp(-(found**2) / 2) + math.exp(-((found + shift) ** 2) / 2)) / math.sqrt(2 * math.pi)
        found -= (1 - coverage - missed) / slope
    return found / both


def _scatter(wells: Sequence[Exposed], value: float, units: Sequence[str] | None = None) -> Scatter:
    """Return Pearson's chi square of the counts of units, by default of wells.

    A unit that expects fewer than one positive or negative droplet tells nothing of scatter.
    """
    surplus: dict[str, float] = {}
    variance: dict[str, float] = {}
    for well, unit in zip(wells, units or [str(i) for i in range(len(wells))], strict=True):
        odds, _ = _negatives(well.exposure * value, well.volume_cv) if value else (math.inf, 1.0)
        p = 1 / (1 + odds)
        surplus[unit] = surplus.get(unit, 0.0) + well.k - well.n * p
        variance[unit] = variance.get(unit, 0.0) + well.n * p * (1 - p)
    told = [unit for unit in surplus if variance[unit] > 1]
    if len(told) < 2:
        return Scatter(0.0, 0)
    chi2 = math.fsum(surplus[u] ** 2 / variance[u] for u in told)
    return Scatter(chi2, len(told) - 1, _information(wells, value) / len(surplus))


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


def _alike(wells: Sequence[Exposed]) -> bool:
    return len({(w.exposure, w.volume_cv) for w in wells}) == 1


def _information(wells: Sequence[Exposed], value: float) -> float:
    """Return Fisher's information about the logarithm of the concentration."""
    terms = []
    for w in wells:
        odds, slope = _negatives(w.exposure * value, w.volume_cv)
        terms.append(w.n * (w.exposure * value * slope) ** 2 * odds)
    return math.fsum(terms)


def _most_likely(wells: Sequence[Exposed]) -> float:
    """Return the concentration that maximises the likelihood: of pooled counts where wells are alike.

    Else the root of the score by bisection: it falls from +∞ to below 0.
    """
    total_k = math.fsum(w.k for w in wells)
    if _alike(wells):
        return density_of(total_k / sum(w.n for w in wells), wells[0].volume_cv) / wells[0].exposure
    low = total_k / math.fsum(w.n * w.exposure for w in wells)
    if not low:
        return 0.0
    high = low
    while _score(wells, high) > 0:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(wells, middle) > 0 else (low, middle)
    return (low + high) / 2
