"""Copies a droplet from the count of positive droplets, with intervals.

Molecules fall into droplets by Poisson's law: of ``N`` droplets with ``λ`` copies each on
average, ``N e^-λ`` stay negative, so ``λ = -ln(1 - k/N)``. An interval of the proportion
k/N becomes one of λ by the same transformation, which keeps its coverage.

Droplets whose volumes scatter hold fewer molecules than that tells: large ones catch more than
one. With volumes of Gamma's law and a relative SD ``c`` a droplet stays negative with probability
``(1 + c²λ)^(-1/c²)``, which is solved for λ in closed form; the correction is ``c²λ/2`` to first order.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

from scipy import special

from aavqc.ddpcr.settings import IntervalMethod
from aavqc.intervals import clopper_pearson, normal_quantile, wilson

FEW = 100
"""Bio-Rad's software leaves the normal approximation below this many droplets of a kind."""

BLANK_BOUND = 2.996
"""Bio-Rad's rounded -ln 0.05: the 95 % upper bound of a count where none was seen."""


Vendor = Literal["bio-rad", "qiacuity", "absoluteq"]


def copies_per_droplet(k: int, n: int, volume_cv: float = 0.0) -> float | None:
    """Return λ for ``k`` positives among ``n`` droplets; None where it can't be had.

    ``volume_cv`` is the relative SD of the droplets' volumes.

    Examples
    --------
    >>> round(copies_per_droplet(1901, 15820), 6)
    0.12802
    >>> copies_per_droplet(20, 20) is None
    True
    """
    if n <= 0 or k >= n:
        return None
    return density_of(k / n, volume_cv)


def density_of(p: float, volume_cv: float = 0.0) -> float:
    """Return λ where a fraction ``p`` < 1 of the droplets is positive.

    Examples
    --------
    >>> round(density_of(0.5), 4), round(density_of(0.5, 0.1), 4)
    (0.6931, 0.6956)
    """
    plain = -math.log1p(-p)
    if not volume_cv:
        return plain
    square = volume_cv * volume_cv
    return math.expm1(square * plain) / square


def poisson_interval(
    k: int,
    n: int,
    method: IntervalMethod = "wilson",
    coverage: float = 0.95,
    vendor: Vendor = "bio-rad",
    volume_cv: float = 0.0,
) -> tuple[float, float | None]:
    """Return the interval of λ; the upper bound is None where no droplet is negative.

    Parameters
    ----------
    k, n : int
        Positive droplets and all accepted ones, ``0 <= k <= n``, ``n > 0``.
    method : {'wilson', 'clopper_pearson', 'vendor', 'vendor_total'}
        ``vendor``: as the vendor's software prints it. ``vendor_total`` differs from it only
        between wells, not here.
    coverage : float
    vendor : {'bio-rad', 'qiacuity', 'absoluteq'}
    volume_cv : float
        Relative SD of the droplets' volumes.

    References
    ----------
    Bio-Rad Droplet Digital PCR Applications Guide, appendix B: a Bayesian interval where
    fewer than 100 droplets are positive, or negative.

    Examples
    --------
    >>> [round(x, 4) for x in poisson_interval(1000, 10000)]
    [0.099, 0.1121]
    """
    if method == "wilson":
        low, high = wilson(k, n, coverage)
    elif method == "clopper_pearson":
        low, high = clopper_pearson(k, n, coverage)
    elif vendor != "bio-rad" and 0 < k < n:
        return _vendor_density(k, n, coverage, vendor)
    else:
        low, high = _vendor_proportion(k, n, coverage)
    return density_of(low, volume_cv), None if high >= 1 else density_of(high, volume_cv)


def _vendor_density(k: int, n: int, coverage: float, vendor: Vendor) -> tuple[float, float]:
    """Return λ ± z SD (QIAcuity), or the same of its logarithm (AbsoluteQ); Var λ = p/(n(1-p))."""
    density = -math.log1p(-(k / n))
    half = normal_quantile(coverage) * math.sqrt(k / (n * (n - k)))
    if vendor == "qiacuity":
        return max(density - half, 0.0), density + half
    return density * math.exp(-half / density), density * math.exp(half / density)


def _vendor_proportion(k: int, n: int, coverage: float) -> tuple[float, float]:
    """Return the interval of k/n: Wald's, or the highest posterior density of a small count."""
    if k < FEW:
        low, high = small_count(k, coverage)
        return low / n, min(high / n, 1.0)
    if n - k < FEW:
        low, high = small_count(n - k, coverage)
        return max(1 - high / n, 0.0), 1 - low / n
    p = k / n
    half = normal_quantile(coverage) * math.sqrt(p * (1 - p) / n)
    return p - half, p + half


@lru_cache(maxsize=1024)
def small_count(k: int, coverage: float) -> tuple[float, float]:
    """Return the shortest interval of Gamma(k + 1), the posterior of a count under a flat prior.

    For 95 % as in Bio-Rad's table: the lower bound is cut to three decimals, and the upper one
    has the density of the lower one, to three decimals.

    Examples
    --------
    >>> [round(x, 3) for x in small_count(1, 0.95)]
    [0.042, 4.776]
    >>> [round(x, 3) for x in small_count(1, 0.9)]
    [0.084, 3.932]
    """
    if k == 0:
        return 0.0, BLANK_BOUND if coverage == 0.95 else -math.log1p(-coverage)
    shape = k + 1

    def bounds(tail: float) -> tuple[float, float]:
        low = float(special.gammaincinv(shape, tail))
        return low, float(special.gammaincinv(shape, tail + coverage))

    below, above = 0.0, 1 - coverage
    for _ in range(60):  # the density at the lower bound exceeds that at the upper one more and more
        middle = (below + above) / 2
        low, high = bounds(middle)
        if k * math.log(low) - low < k * math.log(high) - high:
            below = middle
        else:
            above = middle
    low, high = bounds((below + above) / 2)
    if coverage != 0.95:
        return low, high
    low = math.floor(1e3 * low) / 1e3
    return low, round(_equally_dense(k, low), 3)


def _equally_dense(k: int, low: float) -> float:
    """Return the count above ``k`` where Gamma(k + 1) is as dense as at ``low``."""
    level = k * math.log(low) - low
    below, above = float(k), k + 10 * math.sqrt(k) + 20
    for _ in range(60):
        middle = (below + above) / 2
        if k * math.log(middle) - middle > level:
            below = middle
        else:
            above = middle
    return (below + above) / 2
