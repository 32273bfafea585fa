"""c(s): a distribution of sedimentation coefficients by non-negative least squares.

    y(r, t) = Σ_k c_k L(s_k, D_k; r, t) + a(r) + b(t),   c ≥ 0

Noise that is constant in time, a(r), or in radius, b(t), is removed exactly by projecting
data and basis alike (double centring for both); what is left is solved on the normal
equations. Refs: Schuck (2000) Biophys J 78:1606; Schuck & Demeler (1999) Biophys J 76:2288.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special
from scipy.optimize import nnls

from aavqc.auc.cell import SignalGrid
from aavqc.errors import AssayError
from aavqc.kernels import as_input
from aavqc.kernels.lamm import lamm_basis
from aavqc.records import FloatArray

CELLS = 400
GAS_CONSTANT = 8.314462618e7  # erg / (mol K)
BOLTZMANN = 1.380649e-16  # erg / K
AVOGADRO = 6.02214076e23


@dataclass(frozen=True)
class Normal:
    """The normal equations of a projected problem: ``min |R c − q|² + rest``."""

    factor: FloatArray
    right: FloatArray
    rest: float
    points: int


@dataclass(frozen=True)
class Fitted:
    """A fitted c(s) on the grid s (in S); amounts at each s, not per S.

    ``signal`` is regularised, for the eye; ``amounts`` is not, for integrals: a penalty moves
    a little of a large peak into its neighbours' windows. ``residual`` has the shape of the
    scans, (scans, points), systematic noise taken out.
    """

    s: FloatArray
    signal: FloatArray
    amounts: FloatArray
    rmsd: float
    residual: FloatArray
    normal: Normal


def diffusion_from_frictional_ratio(
    s: FloatArray, ratio: float, vbar: float, density: float, viscosity: float, temperature_c: float
) -> FloatArray:
    """Return D (cm²/s) of species s (in s) that share one frictional ratio.

    ``viscosity`` in mPa s. M = [s N 6πη k (3v/4πN)^⅓ / (1 − vρ)]^{3/2}, D = RTs/(M(1 − vρ)):
    Schuck (2000) Biophys J 78:1606.

    Examples
    --------
    >>> d = diffusion_from_frictional_ratio(np.array([65e-13]), 1.2, 0.73, 0.9982, 1.002, 20.0)
    >>> round(float(d[0]) * 1e7, 2)
    1.84
    """
    buoyancy = 1.0 - vbar * density
    eta = viscosity * 1e-2
    shape = 6 * np.pi * eta * ratio * (3 * vbar / (4 * np.pi * AVOGADRO)) ** (1 / 3)
    mass = (s * AVOGADRO * shape / buoyancy) ** 1.5
    result: FloatArray = GAS_CONSTANT * (temperature_c + 273.15) * s / (mass * buoyancy)
    return result


def diffusion_from_radius(radius_nm: float, viscosity: float, temperature_c: float) -> float:
    """Return D (cm²/s) of a sphere by Stokes and Einstein; ``viscosity`` in mPa s.

    Examples
    --------
    >>> round(diffusion_from_radius(13.7, 1.002, 20.0) * 1e7, 2)
    1.56
    """
    return float(BOLTZMANN * (temperature_c + 273.15) / (6 * np.pi * viscosity * 1e-2 * radius_nm * 1e-7))


def basis(
    grid: SignalGrid, s: FloatArray, diffusion: FloatArray, meniscus: float, bottom: float
) -> FloatArray:
    """Return the scans of each species at unit loading, shape (species, scans, points); s in S."""
    out = np.empty((s.size, grid.w.size, grid.radii.size))
    lamm_basis(
        as_input(s * 1e-13),
        as_input(diffusion),
        float(meniscus),
        float(bottom),
        float(grid.omega2),
        float(grid.ramp_s),
        as_input(grid.w),
        as_input(grid.radii),
        CELLS,
        out,
    )
    return out


def project(values: FloatArray, noise: list[str]) -> FloatArray:
    """Take out what systematic noise could explain, in place; last axes (scans, points).

    With neither kind a constant baseline is taken out.
    """
    whole = values.mean(axis=(-2, -1), keepdims=True)
    if "ti" in noise and "ri" in noise:
        over_radius = values.mean(axis=-1, keepdims=True)
        values -= values.mean(axis=-2, keepdims=True)
        values -= over_radius
        values += whole
    elif "ti" in noise:
        values -= values.mean(axis=-2, keepdims=True)
    elif "ri" in noise:
        values -= values.mean(axis=-1, keepdims=True)
    else:
        values -= whole
    return values


def normal_equations(columns: FloatArray, data: FloatArray) -> Normal:
    """Return the triangular factor of the projected problem.

    Parameters
    ----------
    columns : array, shape (species, scans, points)
        Projected basis.
    data : array, shape (scans, points)
        Projected data.
    """
    flat, y = columns.reshape(columns.shape[0], -1), data.ravel()
    gram = flat @ flat.T
    # the ridge is rounding only: a basis of close s-values is numerically rank deficient
    gram[np.diag_indices_from(gram)] += 1e-12 * np.trace(gram) / len(gram)
    factor = np.asarray(np.linalg.cholesky(gram).T, dtype=np.float64)
    right = np.asarray(np.linalg.solve(factor.T, flat @ y), dtype=np.float64)
    return Normal(factor, right, max(float(y @ y - right @ right), 0.0), y.size)


def solve(normal: Normal, right: FloatArray | None = None) -> FloatArray:
    """Solve the non-negative problem; ``right`` replaces the data (a draw of noise)."""
    return np.asarray(nnls(normal.factor, normal.right if right is None else right)[0])


def solve_smooth(normal: Normal, penalty: FloatArray, alpha: float) -> FloatArray:
    """Solve the non-negative problem with a quadratic penalty ``alpha |penalty c|²``."""
    rows = np.vstack([normal.factor, np.sqrt(alpha) * penalty])
    return np.asarray(nnls(rows, np.concatenate([normal.right, np.zeros(len(penalty))]))[0])


def chi2(normal: Normal, amounts: FloatArray) -> float:
    """Sum of squared residuals of a solution."""
    misfit = normal.factor @ amounts - normal.right
    return float(misfit @ misfit) + normal.rest


def fit_distribution(
    grid: SignalGrid,
    s: FloatArray,
    diffusion: FloatArray,
    meniscus: float,
    bottom: float,
    noise: list[str],
    confidence: float,
) -> Fitted:
    """Fit c(s) and regularise it as far as the F-test at P = ``confidence`` allows.

    The penalty is the integral of the squared second derivative of c(s); its weight is raised
    until χ² reaches χ²_min · F(P; N, N), N the number of data points.
    """
    columns = project(basis(grid, s, diffusion, meniscus, bottom), noise)
    data = project(grid.signal.copy(), noise)
    normal = normal_equations(columns, data)
    penalty = np.diff(np.eye(s.size), 2, axis=0)
    amounts = solve(normal)
    best = chi2(normal, amounts)
    if not np.isfinite(best) or amounts.sum() <= 0:
        raise AssayError("no sedimenting material was found", expected="a boundary that moves")
    alpha, smooth = 0.0, amounts
    if confidence > 0.0:
        limit = best * float(special.fdtri(normal.points, normal.points, confidence))
        alpha = _largest_alpha(normal, penalty, limit)
        smooth = solve_smooth(normal, penalty, alpha)
    residual = data - np.tensordot(smooth, columns, axes=1)
    rmsd = float(np.sqrt(np.mean(residual**2)))
    return Fitted(s, smooth, amounts, rmsd, residual, normal)


def _largest_alpha(normal: Normal, penalty: FloatArray, limit: float) -> float:
    """Bisect log alpha for χ² = limit."""
    scale = float(np.trace(normal.factor.T @ normal.factor)) / len(normal.factor)
    low, high = -12.0, 4.0
    for _ in range(14):
        middle = 0.5 * (low + high)
        if chi2(normal, solve_smooth(normal, penalty, scale * 10**middle)) > limit:
            high = middle
        else:
            low = middle
    return float(scale * 10**low)
