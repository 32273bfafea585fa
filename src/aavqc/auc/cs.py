"""c(s): a distribution of sedimentation coefficients by non-negative least squares.

    y(r, t) = Σ_k c_k L(s_k, D_k; r, t) + a(r) + b(t),   c ≥ 0

Noise that is constant in time, a(r), or in radius, b(t), is removed exactly by projecting
data and basis alike (double centring for both); what is left is solved on the normal
equations. Refs: Schuck (2000) Biophys J 78:1606; Schuck & Demeler (1999) Biophys J 76:2288.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import numba
import numpy as np

from aavqc.auc.grid import SignalGrid
from aavqc.auc.normal import Normal, chi2, normal_equations, solve
from aavqc.auc.regularise import regularise
from aavqc.errors import AssayError
from aavqc.kernels import as_input
from aavqc.kernels.lamm import lamm_basis
from aavqc.kernels.project import center, center_seen
from aavqc.records import BoolArray, FloatArray

BLOCK, MOST_THREADS = 8, 8
"""Species that a thread solves at a time, and the most threads; ``NUMBA_NUM_THREADS`` sets them."""

PER_WIDTH = 3.0
"""Cells to a standard deviation of the boundary in the first scan: rms error below 1e-4."""


@dataclass(frozen=True)
class Fitted:
    """A fitted distribution on the grid s (in S); amounts at each s, not per S.

    ``signal`` is regularised, for the eye; ``amounts`` is not, for integrals: a penalty moves
    a little of a large peak into its neighbours' windows. ``residual`` has the shape of the
    scans, (scans, points), systematic noise taken out. ``fold``, shape (s, unknowns), turns the
    unknowns of ``normal`` into amounts; None where they are the same.
    """

    s: FloatArray
    signal: FloatArray
    amounts: FloatArray
    rmsd: float
    residual: FloatArray
    normal: Normal
    fold: FloatArray | None = None


def basis(
    grid: SignalGrid, s: FloatArray, diffusion: FloatArray, meniscus: float, bottom: float
) -> FloatArray:
    """Return the scans of each species at unit loading, shape (species, scans, points); s in S.

    Where D is 0 for all species they are steps, see :func:`steps`.
    """
    if not diffusion.any():
        return steps(grid, s, meniscus)
    out = np.empty((s.size, grid.w.size, grid.radii.size))
    seconds, d, w, radii = (as_input(x) for x in (s * 1e-13, diffusion, grid.w, grid.radii))

    def fill(first: int) -> None:
        block = slice(first, first + BLOCK)
        lamm_basis(
            seconds[block],
            d[block],
            float(meniscus),
            float(bottom),
            float(grid.omega2),
            float(grid.ramp_s),
            w,
            radii,
            PER_WIDTH,
            out[block],
        )

    # each species is solved by itself: the same bytes whatever thread takes its block
    count = min(int(numba.config.NUMBA_NUM_THREADS), MOST_THREADS)  # type: ignore[attr-defined]
    with ThreadPoolExecutor(count) as threads:
        list(threads.map(fill, range(0, s.size, BLOCK)))
    return out


def steps(grid: SignalGrid, s: FloatArray, meniscus: float) -> FloatArray:
    """Return the scans of species that do not diffuse, shape (species, scans, points); s in S.

    The boundary stands at m exp(s ω²t), the plateau is diluted by exp(−2 s ω²t): Schuck &
    Rossmanith (2000) Biopolymers 54:328. A point is the mean over its radial step.
    """
    width = np.gradient(grid.radii)
    moved = s[:, None] * 1e-13 * grid.w[None, :]
    boundary = meniscus * np.exp(np.minimum(moved, 10.0))
    out = grid.radii[None, None, :] - boundary[:, :, None]
    out /= width
    out += 0.5
    np.clip(out, 0.0, 1.0, out=out)
    out *= np.exp(-2.0 * moved)[:, :, None]
    return out


def project(values: FloatArray, noise: list[str], seen: BoolArray | None = None) -> FloatArray:
    """Take out what systematic noise could explain, in place; last axes (scans, points).

    With neither kind a constant baseline is taken out. ``seen``, shape (scans, points), says
    which points there are, where the rectangle is not full: the least-squares fit of baseline and
    offsets to these is taken out, and the others are set to 0.
    """
    blocks, ti, ri = values.reshape(-1, *values.shape[-2:]), "ti" in noise, "ri" in noise
    if seen is None:
        center(blocks, ti, ri)
    else:
        inverse = _offsets(seen.tobytes(), seen.shape[0]) if ti and ri else np.zeros((1, 1))
        center_seen(blocks, as_input(seen), as_input(inverse), ti, ri)
    return values


@lru_cache(maxsize=4)
def _offsets(seen: bytes, scans: int) -> FloatArray:
    """Return the pseudo-inverse of the scans' normal matrix, shape (scans, scans).

    With the baseline eliminated the offsets b solve (diag(n_j) − M diag(1/n_k) Mᵀ) b = r, M the
    points seen and n the counts of a scan or a radius. The matrix is singular: offsets and
    baseline share a constant, and so do scans that have no radius in common with others.
    """
    mask = np.frombuffer(seen, dtype=bool).reshape(scans, -1).astype(np.float64)
    shared = mask / np.maximum(mask.sum(axis=0), 1.0) @ mask.T
    return np.asarray(np.linalg.pinv(np.diag(mask.sum(axis=1)) - shared, rcond=1e-10, hermitian=True))


def fit_columns(
    grid: SignalGrid,
    s: FloatArray,
    columns: FloatArray,
    noise: list[str],
    *,
    regularisation: str = "none",
    confidence: float = 0.0,
    fold: FloatArray | None = None,
) -> Fitted:
    """Fit non-negative amounts of columns to the scans.

    Parameters
    ----------
    grid : SignalGrid
    s : array, shape (n,)
        Where the distribution is reported, in S.
    columns : array, shape (unknowns, scans, points)
        The projected basis.
    noise : list of str
        What was projected out.
    regularisation, confidence
        See :func:`~aavqc.auc.regularise.regularise`.
    fold : array, shape (n, unknowns), optional
        How unknowns add up to the distribution; default: they are its amounts.

    Raises
    ------
    AssayError
        Nothing sediments.
    """
    data = project(grid.signal.copy(), noise, grid.seen)
    normal = replace(normal_equations(columns, data), points=grid.points)
    amounts = solve(normal)
    if not np.isfinite(chi2(normal, amounts)) or amounts.sum() <= 0:
        raise AssayError("no sedimenting material was found", expected="a boundary that moves")
    smooth = regularise(normal, amounts, regularisation, confidence)
    residual = data - np.tensordot(smooth, columns, axes=1)
    rmsd = float(np.sqrt(np.sum(residual**2) / grid.points))
    if fold is not None:
        smooth, amounts = fold @ smooth, fold @ amounts
    return Fitted(s, smooth, amounts, rmsd, residual, normal, fold)


def refit(fitted: Fitted, rng: np.random.Generator) -> FloatArray:
    """Return the amounts fitted to the data with their noise added once more, shape (s,).

    In the basis of the triangular factor white noise of the data stays white.
    """
    normal = fitted.normal
    drawn = solve(normal, normal.right + fitted.rmsd * rng.standard_normal(normal.right.size))
    return drawn if fitted.fold is None else np.asarray(fitted.fold @ drawn, dtype=np.float64)
