"""Several methods measure one quantity: do they agree, which is odd, what do they say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Consensus:
    """What several methods say together.

    Attributes
    ----------
    p : float
        Probability of a spread as large as found, or larger, if the methods differ by their
        stated uncertainty alone.
    odd : int or None
        The method without which the others agree; None with two methods, and where leaving out
        one does not mend it.
    mean, covariance : array, shapes (d,) and (d, d)
        Estimate with the biases of the methods as nuisance, and its covariance.
    quantile : float
        Half width of an interval of ``coverage`` in SDs.
    """

    p: float
    odd: int | None
    mean: Floats
    covariance: Floats
    quantile: float


def consensus(
    values: Sequence[Floats], covariances: Sequence[Floats], level: float, coverage: float = 0.95
) -> Consensus:
    """Compare and combine the values of two methods or more.

    Parameters
    ----------
    values : sequence of array, shape (d,)
        One a method.
    covariances : sequence of array, shape (d, d)
        Of the procedures.
    level : float
        Significance level of the comparison.
    coverage : float

    Notes
    -----
    The methods disagree where the weighted sum of squares Q about their weighted mean is
    improbable as chi-squared with d (m - 1) degrees of freedom. Leaving out one lowers Q; the one
    that lowers it most is odd if the others then agree.

    Each method has a bias of its own, N(0, τ²) in every coordinate. τ² makes Q meet its
    expectation (Paule and Mandel 1982, J Res NBS 87:377), 0 where Q is below it already; then
    the uncertainties are those that were stated, with normal quantiles, else Student's t has the
    degrees of freedom from which τ² was estimated.
    """
    from scipy import special

    d, m = values[0].size, len(values)
    df = d * (m - 1)
    q, _, _ = _fit(values, covariances, 0.0)
    p = _tail(q, df)
    odd = _odd(values, covariances, level) if p < level and m > 2 else None
    target = float(special.chdtri(df, 0.5))
    tau2 = 0.0 if q <= target else _paule_mandel(values, covariances, target)
    _, mean, covariance = _fit(values, covariances, tau2)
    upper = 0.5 + coverage / 2
    quantile = float(special.stdtrit(df, upper)) if tau2 > 0 else float(special.ndtri(upper))
    return Consensus(p, odd, mean, covariance, quantile)


def _fit(
    values: Sequence[Floats], covariances: Sequence[Floats], tau2: float
) -> tuple[float, Floats, Floats]:
    """Return Q, the weighted mean and its covariance."""
    weights = [np.linalg.inv(c + tau2 * np.eye(len(c))) for c in covariances]
    covariance: Floats = np.linalg.inv(sum(weights, np.zeros_like(weights[0])))
    total = sum((w @ y for w, y in zip(weights, values, strict=True)), np.zeros_like(values[0]))
    mean: Floats = covariance @ total
    q = sum(float((y - mean) @ w @ (y - mean)) for w, y in zip(weights, values, strict=True))
    return q, mean, covariance


def _odd(values: Sequence[Floats], covariances: Sequence[Floats], level: float) -> int | None:
    without = []
    for i in range(len(values)):
        rest = [k for k in range(len(values)) if k != i]
        without.append(_fit([values[k] for k in rest], [covariances[k] for k in rest], 0.0)[0])
    odd = int(np.argmin(without))
    rest_agrees = _tail(without[odd], values[0].size * (len(values) - 2)) >= level / 5
    return odd if rest_agrees else None


def _paule_mandel(values: Sequence[Floats], covariances: Sequence[Floats], target: float) -> float:
    """Find τ² by bisection: Q falls steadily with it."""
    low, high = 0.0, 1e-12
    while _fit(values, covariances, high)[0] > target:
        low, high = high, high * 4
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _fit(values, covariances, middle)[0] > target else (low, middle)
    return (low + high) / 2


def _tail(q: float, df: int) -> float:
    from scipy import special

    return float(special.chdtrc(df, q)) if math.isfinite(q) else 0.0
