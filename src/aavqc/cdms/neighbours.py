"""Ions too near to another of their scan: their signals beat, and neither charge can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.records import FloatArray


def crowded(
    mz: FloatArray, scan: NDArray[np.integer[Any]], signal: NDArray[np.bool_], distance: float
) -> NDArray[np.bool_]:
    """Tell which ions have another of the same scan within a distance of them.

    Parameters
    ----------
    mz : array, shape (n,)
        Th, in any order.
    scan : integer array, shape (n,)
    signal : bool array, shape (n,)
        False for noise, which is nobody's neighbour.
    distance : float
        Th.

    Returns
    -------
    bool array, shape (n,)

    Examples
    --------
    >>> crowded(np.array([100.0, 100.4, 100.1]), np.array([1, 1, 2]), np.ones(3, bool), 0.5).tolist()
    [True, True, False]
    """
    near = np.zeros(mz.size, bool)
    at = np.flatnonzero(signal)
    mz, scan = mz[at], scan[at]
    step, next_scan = np.diff(mz), np.diff(scan)
    if ((next_scan < 0) | ((next_scan == 0) & (step < 0))).any():  # spectra come in order
        order = np.lexsort((mz, scan))
        at, step, next_scan = at[order], np.diff(mz[order]), np.diff(scan[order])
    close = (step <= distance) & (next_scan == 0)
    near[at[:-1][close]] = True
    near[at[1:][close]] = True
    return near
