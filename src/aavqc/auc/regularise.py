"""Regularisation: of all distributions that fit as well, the one with the least detail.

A penalty is raised until χ² reaches χ²_min · F(P; N, N), F the quantile of Fisher's
distribution and N the number of data points: the data can't tell such a fit from the best.
Refs: Provencher (1982) Comput Phys Commun 27:213; Schuck (2000) Biophys J 78:1606.
"""

from __future__ import annotations

import numpy as np
from scipy import special
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls

from aavqc.auc.normal import Normal, chi2
from aavqc.records import FloatArray

NEWTON_STEPS = 100


def regularise(normal: Normal, amounts: FloatArray, kind: str, confidence: float) -> FloatArray:
    """Return the amounts with as much penalty as the F-test at P = ``confidence`` allows.

    Parameters
    ----------
    normal : Normal
    amounts : array, shape (n,)
        The unregularised, best solution on a uniform grid.
    kind : str
        ``tikhonov``: Σ (second difference of c)². ``maxent``: Σ c ln(c/p) − c + p with a uniform
        prior p. ``none``: the amounts as they are.
    confidence : float
        P; 0 is as ``none``.
    """
    if kind == "none" or confidence <= 0.0:
        return amounts
    limit = chi2(normal, amounts) * f_ratio(confidence, normal.points)
    if kind == "maxent":
        return _maximum_entropy(normal, float(amounts.mean()), limit)
    return _tikhonov(normal, limit)


def f_ratio(confidence: float, points: int) -> float:
    """Return F(P; N, N), by which χ² may rise.

    Examples
    --------
    >>> round(f_ratio(0.68, 10_000), 6), round(f_ratio(0.68, 100_000), 6)
    (1.009398, 1.002962)
    """
    return float(special.fdtri(points, points, confidence))


def _tikhonov(normal: Normal, limit: float) -> FloatArray:
    """Bisect log α for χ² = limit; the best solution that stays within it."""
    penalty = np.diff(np.eye(len(normal.factor)), 2, axis=0)
    right = np.concatenate([normal.right, np.zeros(len(penalty))])

    scale = float(np.sum(normal.factor**2)) / len(normal.factor)

    def smooth(log_alpha: float) -> FloatArray:
        rows = np.vstack([normal.factor, np.sqrt(scale * 10**log_alpha) * penalty])
        return np.asarray(nnls(rows, right)[0])

    low, high = -12.0, 4.0
    for _ in range(14):
        middle = 0.5 * (low + high)
        if chi2(normal, smooth(middle)) > limit:
            high = middle
        else:
            low = middle
    return smooth(low)


def _maximum_entropy(normal: Normal, prior: float, limit: float) -> FloatArray:
    """Lower α by a factor of 4 from where the prior rules until χ² = limit is passed; then bisect."""
    scale = prior * float(np.sum(normal.factor**2)) / len(normal.factor)
    exponent = np.zeros(len(normal.factor))
    above, within = exponent, exponent
    low, high = 1.0, 1.0
    while low > 4.0**-30:
        within = _newton(normal, above, prior, scale * low)
        if chi2(normal, _amounts(normal, within, prior)) <= limit:
            break
        above, high, low = within, low, low / 4
    for _ in range(6):
        middle = float(np.sqrt(low * high))
        trial = _newton(normal, above, prior, scale * middle)
        if chi2(normal, _amounts(normal, trial, prior)) > limit:
            above, high = trial, middle
        else:
            within, low = trial, middle
    return _amounts(normal, within, prior)


def _newton(normal: Normal, start: FloatArray, prior: float, alpha: float) -> FloatArray:
    """Minimise ½|R c − q|² + α Σ [c ln(c/p) − c + p], c > 0, by its dual problem.

    The minimum is at c = p exp(Rᵀv), α v = q − R c. So v minimises the smooth, convex and
    unbounded ½α|v|² − qᵀv + Σ c(v), and no amount needs to be held above 0.
    """
    factor, right = normal.factor, normal.right
    v = start
    c = _amounts(normal, v, prior)
    for _ in range(NEWTON_STEPS):
        gradient = alpha * v - right + factor @ c
        if np.linalg.norm(gradient) <= 1e-7 * np.linalg.norm(right):
            break
        system = (factor * c) @ factor.T
        system[np.diag_indices_from(system)] += alpha
        change = -cho_solve(cho_factor(system), gradient)
        slope = float(gradient @ change)
        size = min(1.0, 8.0 / max(float(np.max(factor.T @ change)), 1e-300))
        value = _dual(right, v, c, alpha)
        for _ in range(30):
            moved = v + size * change
            c = _amounts(normal, moved, prior)
            if _dual(right, moved, c, alpha) <= value + 1e-4 * size * slope:
                break
            size /= 3
        v = moved
    return v


def _amounts(normal: Normal, v: FloatArray, prior: float) -> FloatArray:
    return np.asarray(prior * np.exp(np.minimum(normal.factor.T @ v, 50.0)), dtype=np.float64)


def _dual(right: FloatArray, v: FloatArray, c: FloatArray, alpha: float) -> float:
    return float(0.5 * alpha * (v @ v) - right @ v + c.sum())
