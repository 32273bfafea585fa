"""Deconvolution on m/z × charge: where ions come from, not where their noise put them.

Counts on a grid are unfolded by expectation maximisation (Richardson and Lucy) with the noise of
the charge, which grows with the charge, and of m/z. Both kernels end at the grid's edges instead of
passing round them, and each iteration keeps the number of ions. The shape that assembly gives a
capsid's mass is not taken off.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import special

from aavqc.kernels import as_input
from aavqc.kernels.deconvolve import blur_columns, blur_rows, multiply_rows, ratio_rows
from aavqc.records import FloatArray

ITERATIONS = 500

SETTLED = 1e-5
"""Gain in log-likelihood an ion and iteration below which noise alone is being fitted."""

REACH = 4.0
"""SD at which a kernel is cut."""

CHARGE_STEP = 0.5
"""Bins of the charge, e: measured charges are no whole numbers, and are not rounded to any."""

MARGIN = 3.0
"""SD of the charge noise by which the grid goes beyond the ions."""

THREADED = 100_000
"""Cells from which two threads are worth their start."""


@dataclass(frozen=True)
class Grid:
    """Edges of the bins: charge in e, and m/z less the proton in Th."""

    charge: FloatArray
    mz: FloatArray


@dataclass(frozen=True)
class Deconvolved:
    """Ions by true charge and m/z.

    Attributes
    ----------
    grid : Grid
    ions : array, shape (charges, m/z)
        Sum: the ions that went in.
    iterations : int
    gain : float
        Of log-likelihood an ion in the last iteration.
    converged : bool
    """

    grid: Grid
    ions: FloatArray
    iterations: int
    gain: float
    converged: bool


def grid_of(mz: FloatArray, charge: FloatArray, sigma_z: float, columns: int) -> Grid:
    """Lay out bins around ions; ``mz`` is less the proton."""
    pad = MARGIN * sigma_z
    low, high = max(float(charge.min()) - pad, CHARGE_STEP), float(charge.max()) + pad
    rows = min(max(2, math.ceil((high - low) / CHARGE_STEP)), 1000)
    left, right = float(mz.min()), float(mz.max())
    spare = max((right - left) / columns, 1e-6 * right)
    return Grid(np.linspace(low, high, rows + 1), np.linspace(left - spare, right + spare, columns + 1))


def count(mz: FloatArray, charge: FloatArray, grid: Grid) -> FloatArray:
    """Return the ions in each bin, shape (charges, m/z)."""
    counts, _, _ = np.histogram2d(charge, mz, (grid.charge, grid.mz))
    return counts


def deconvolve(
    counts: FloatArray,
    grid: Grid,
    sigma_z: Callable[[FloatArray], FloatArray],
    mz_sd: FloatArray,
    iterations: int = ITERATIONS,
    settled: float = SETTLED,
) -> Deconvolved:
    """Unfold counts on a grid.

    Parameters
    ----------
    counts : array, shape (charges, m/z)
    grid : Grid
    sigma_z : callable
        SD of the measured charge at true charges, e.
    mz_sd : array, shape (m/z,)
        SD of m/z at each column, Th: of the instrument, and of the assembly at one charge.
    iterations : int
        At most.
    settled : float
        Gain in log-likelihood an ion and iteration at which it ends.

    Returns
    -------
    Deconvolved

    References
    ----------
    Richardson WH (1972) J Opt Soc Am 62:55. Lucy LB (1974) Astron J 79:745.
    """
    z = (grid.charge[1:] + grid.charge[:-1]) / 2
    rows = as_input(_band(sigma_z(z), float(grid.charge[1] - grid.charge[0]), z.size))
    columns = as_input(_band(mz_sd, float(grid.mz[1] - grid.mz[0]), mz_sd.size).T)
    counts, total = as_input(counts), float(counts.sum())
    estimate = np.full(counts.shape, total / counts.size)
    spare, work = np.empty_like(counts), np.empty_like(counts)
    blocks = [(0, z.size)] if counts.size < THREADED else [(0, z.size // 2), (z.size // 2, z.size)]
    last, gain, done = -math.inf, math.inf, 0
    with ThreadPoolExecutor(len(blocks)) as pool:

        def each(work_on: Callable[[tuple[int, int]], float | None]) -> float:
            results = list(map(work_on, blocks) if len(blocks) == 1 else pool.map(work_on, blocks))
            return sum(r for r in results if r is not None)

        while done < iterations:
            each(lambda b: blur_columns(estimate, columns, False, *b, spare))
            each(lambda b: blur_rows(spare, rows, False, *b, work))
            likelihood = each(lambda b: ratio_rows(counts, work, *b, spare))
            each(lambda b: blur_rows(spare, rows, True, *b, work))
            each(lambda b: blur_columns(work, columns, True, *b, spare))
            each(lambda b: multiply_rows(estimate, spare, *b))
            done += 1
            gain, last = (likelihood - last) / max(total, 1.0), likelihood
            if gain < settled:
                break
    return Deconvolved(grid, estimate, done, gain, gain < settled)


def by_mass(found: Deconvolved, edges: FloatArray) -> FloatArray:
    """Return the ions between ascending masses (Da); each bin is shared out by its overlap.

    Ions outside the edges are not in the sum.
    """
    z, mz = found.grid.charge, found.grid.mz
    low = np.outer(z[:-1], (mz[1:] + mz[:-1]) / 2)
    high = np.outer(z[1:], (mz[1:] + mz[:-1]) / 2)
    held = found.ions > 0
    ions, low, width = found.ions[held], low[held], (high - low)[held]
    below = [float((ions * np.clip((edge - low) / width, 0.0, 1.0)).sum()) for edge in edges.tolist()]
    return np.diff(np.array(below))


def _band(sd: FloatArray, step: float, size: int) -> FloatArray:
    """Return the chances of seen bins about each true one, shape (size, 2·reach + 1)."""
    reach = min(max(0, math.ceil(REACH * float(sd.max()) / step - 0.5)), size - 1)
    at = (np.arange(-reach, reach + 2) - 0.5) * step
    chance = np.diff(special.ndtr(at / np.maximum(sd[:, None], 1e-9 * step)), axis=1)
    where = np.arange(size)[:, None] + np.arange(-reach, reach + 1)
    chance[(where < 0) | (where >= size)] = 0.0
    return np.asarray(chance / chance.sum(axis=1, keepdims=True))
