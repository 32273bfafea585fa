"""Normal equations of a projected problem, and their non-negative solution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from aavqc.errors import AssayError
from aavqc.records import FloatArray


@dataclass(frozen=True)
class Normal:
    """The normal equations of a projected problem: ``min |R c − q|² + rest``."""

    factor: FloatArray
    right: FloatArray
    rest: float
    points: int


def normal_equations(columns: FloatArray, data: FloatArray) -> Normal:
    """Return the triangular factor of the projected problem.

    Parameters
    ----------
    columns : array, shape (species, scans, points)
        Projected basis.
    data : array, shape (scans, points)
        Projected data.

    Raises
    ------
    AssayError
        All columns are 0: the scans can't show such species.
    """
    flat, y = columns.reshape(columns.shape[0], -1), data.ravel()
    gram = flat @ flat.T
    if not 0.0 < np.trace(gram) < np.inf:
        raise AssayError(
            "no species of the s range moves within the fit range", hint="set s_range or fit_range"
        )
    # the ridge is rounding only: a basis of close s-values is numerically rank deficient
    gram[np.diag_indices_from(gram)] += 1e-12 * np.trace(gram) / len(gram)
    factor = np.asarray(np.linalg.cholesky(gram).T, dtype=np.float64)
    right = np.asarray(np.linalg.solve(factor.T, flat @ y), dtype=np.float64)
    return Normal(factor, right, max(float(y @ y - right @ right), 0.0), y.size)


def solve(normal: Normal, right: FloatArray | None = None) -> FloatArray:
    """Solve the non-negative problem; ``right`` replaces the data (a draw of noise)."""
    return np.asarray(nnls(normal.factor, normal.right if right is None else right)[0])


def chi2(normal: Normal, amounts: FloatArray) -> float:
    """Sum of squared residuals of a solution."""
    misfit = normal.factor @ amounts - normal.right
    return float(misfit @ misfit) + normal.rest
