"""Ions too near to another of their scan: their signals beat, and neither charge can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.records import FloatArray

PART = 200_000
"""Ions, and the rest of a scan, that are sorted at a time."""


def crowded(
    mz: FloatArray, scan: NDArray[np.integer[Any]] | None, signal: NDArray[np.bool_], distance: float
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
    if scan is None:
        return near
    for part in _parts(scan):
        at = np.flatnonzero(signal[part])
        mz_at, scan_at = mz[part][at], scan[part][at]
        order = np.lexsort((mz_at, scan_at))
        close = (np.diff(mz_at[order]) <= distance) & (np.diff(scan_at[order]) == 0)
        at = at[order] + part.start
        near[at[:-1][close]] = True
        near[at[1:][close]] = True
    return near


def _parts(scan: NDArray[np.integer[Any]]) -> Iterator[slice]:
    """Cut between scans where they come in order, as spectra do: millions of ions are not sorted at once."""
    if (scan[1:] < scan[:-1]).any():
        yield slice(0, scan.size)
        return
    start = 0
    while start < scan.size:
        last = min(start + PART, scan.size) - 1
        end = int(np.searchsorted(scan, scan[last], side="right"))
        yield slice(start, end)
        start = end
