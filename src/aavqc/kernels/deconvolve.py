"""Blur of a grid of m/z and charge by two bands, and its transpose: one after the other, no edge lost.

Rows are charges, columns m/z, contiguous. A band holds, for each true position, the chance of each
seen one near it; the chances of a position sum to 1 within the grid, so that counts are kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel

Floats = NDArray[np.float64]

BLOCK = 512
"""Columns that are worked on at a time: they stay in the fastest cache for all taps of a band."""


@kernel
def blur_rows(grid: Floats, band: Floats, transpose: bool, first: int, last: int, out: Floats) -> None:
    """Blur along the charge: fill rows ``first`` to ``last`` of the result.

    Parameters
    ----------
    grid : array, shape (rows, columns)
    band : array, shape (rows, 2·reach + 1)
        ``band[i, reach + d]``: chance that charge ``i`` is seen at ``i + d``.
    transpose : bool
        Gather what each true charge is seen as, instead of where each seen one comes from.
    out : array, shape (rows, columns)
    """
    rows, columns = grid.shape
    reach = band.shape[1] // 2
    for left in range(0, columns, BLOCK):
        right = min(left + BLOCK, columns)
        for i in range(first, last):
            target = out[i, left:right]
            target[:] = 0.0
            for j in range(max(0, i - reach), min(rows, i + reach + 1)):
                chance = band[i, reach + j - i] if transpose else band[j, reach - j + i]
                source = grid[j, left:right]
                for c in range(target.size):
                    target[c] += chance * source[c]


@kernel
def blur_columns(grid: Floats, band: Floats, transpose: bool, first: int, last: int, out: Floats) -> None:
    """Blur along m/z: fill rows ``first`` to ``last`` of the result.

    Parameters
    ----------
    grid : array, shape (rows, columns)
    band : array, shape (2·reach + 1, columns)
        ``band[reach + d, c]``: chance that m/z ``c`` is seen at ``c + d``.
    transpose : bool
    out : array, shape (rows, columns)
    """
    columns = grid.shape[1]
    reach = band.shape[0] // 2
    for left in range(0, columns, BLOCK):
        right = min(left + BLOCK, columns)
        for i in range(first, last):
            out[i, left:right] = 0.0
            for d in range(-reach, reach + 1):
                start, stop = max(left, -d), min(right, columns - d)
                if start >= stop:
                    continue
                # slices, so that no index can be negative: the loop then runs in vectors
                target, source = out[i, start:stop], grid[i, start + d : stop + d]
                near = band[reach + d, start:stop]
                chance = near if transpose else band[reach - d, start + d : stop + d]
                for c in range(target.size):
                    target[c] += chance[c] * source[c]


@kernel
def ratio_rows(counts: Floats, expected: Floats, first: int, last: int, out: Floats) -> float:
    """Fill rows with counts over expected; return their part of the log-likelihood."""
    total = 0.0
    for i in range(first, last):
        for c in range(counts.shape[1]):
            if counts[i, c] > 0.0:
                out[i, c] = counts[i, c] / max(expected[i, c], 1e-300)
                total += counts[i, c] * np.log(max(expected[i, c], 1e-300))
            else:
                out[i, c] = 0.0
    return total


@kernel
def multiply_rows(estimate: Floats, factor: Floats, first: int, last: int) -> None:
    """Multiply rows of an estimate in place."""
    for i in range(first, last):
        for c in range(estimate.shape[1]):
            estimate[i, c] *= factor[i, c]
