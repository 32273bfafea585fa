"""Intervals for counts and means, from ``scipy.special`` alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from scipy import special

PRIOR = 1.0
"""Degrees of freedom that the law of counting itself weighs against the observed scatter."""


@lru_cache(maxsize=64)
def normal_quantile(coverage: float) -> float:
    """Return z for a two-sided interval.

    Examples
    --------
    >>> round(normal_quantile(0.95), 6)
    1.959964
    """
    return float(special.ndtri(0.5 + coverage / 2))


@lru_cache(maxsize=1024)
def t_quantile(coverage: float, df: float) -> float:
    """Return Student's t for a two-sided interval with ``df`` degrees of freedom.

    Examples
    --------
    >>> round(t_quantile(0.95, 2), 4)
    4.3027
    """
    return float(special.stdtrit(df, 0.5 + coverage / 2))


def wilson(k: int, n: int, coverage: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    References
    ----------
    Wilson EB (1927) J Am Stat Assoc 22:209.

    Examples
    --------
    >>> [round(x, 4) for x in wilson(300, 1000)]
    [0.2724, 0.3291]
    """
    if n <= 0:
        return 0.0, 1.0
    z = normal_quantile(coverage)
    p, q = k / n, z * z / n
    centre, half = (p + q / 2) / (1 + q), math.sqrt(p * (1 - p) * q + q * q / 4) / (1 + q)
    low, high = centre - half, centre + half
    return (0.0 if k == 0 else max(low, 0.0)), (1.0 if k == n else min(high, 1.0))


def clopper_pearson(k: int, n: int, coverage: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of Clopper and Pearson for a proportion.

    References
    ----------
    Clopper CJ, Pearson ES (1934) Biometrika 26:404.

    Examples
    --------
    >>> [round(x, 4) for x in clopper_pearson(300, 1000)]
    [0.2717, 0.3295]
    """
    if n <= 0:
        return 0.0, 1.0
    tail = (1 - coverage) / 2
    low = 0.0 if k == 0 else float(special.betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(special.betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def goodman(counts: Sequence[int], coverage: float = 0.95) -> list[tuple[float, float]]:
    """Return simultaneous intervals of multinomial proportions.

    References
    ----------
    Goodman LA (1965) Technometrics 7:247.

    Examples
    --------
    >>> [[round(x, 4) for x in ci] for ci in goodman([300, 120, 500, 80])][0]
    [0.2651, 0.3373]
    """
    n = sum(counts)
    if n <= 0:
        return [(0.0, 1.0) for _ in counts]
    b = float(special.chdtri(1, (1 - coverage) / len(counts)))
    found = []
    for k in counts:
        half = math.sqrt(b * (b + 4 * k * (n - k) / n))
        found.append(
            (
                max((b + 2 * k - half) / (2 * (n + b)), 0.0),
                min((b + 2 * k + half) / (2 * (n + b)), 1.0),
            )
        )
    return found


def widening(
    chi2: float, freedom: int, coverage: float, borrowed: int, expected: float = 1.0, weight: float = 0.0
) -> float:
    """Return the factor on the half-width of an interval of counts by the scatter between units, 1 at least.

    The variance of a unit, in that of counting, is taken as counting's with 1 degree of freedom, as
    observed with its own, and as others lead to expect with theirs (in the manner of Smyth GK 2004, Stat
    Appl Genet Mol Biol 3:3). Student's of the units alone would be 12.7 standard errors for two; counting
    alone covers nothing but counting.

    Parameters
    ----------
    chi2 : float
        Of the units' values about their mean, by the variance that counting gives each.
    freedom : int
        Its degrees of freedom.
    coverage : float
    borrowed : int
        Degrees of freedom of the quantile beside those observed: scatter is never below counting's. What
        a number of them covers is where it is chosen.
    expected, weight : float
        Variance that others lead to expect, in that of counting, and its degrees of freedom.
    """
    ratio = (PRIOR + weight * expected + chi2) / (PRIOR + weight + freedom)
    quantile = t_quantile(coverage, freedom + borrowed + weight)
    return max(quantile / normal_quantile(coverage) * math.sqrt(ratio), 1.0)
