"""Systematic noise taken out of a basis, column by column, while a column is in the cache."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel

Floats = NDArray[np.float64]


@kernel
def center(values: Floats, over_scans: bool, over_points: bool) -> None:
    """Subtract means in place, as the joint fit of a baseline over radius and offsets over scans.

    Parameters
    ----------
    values : array, shape (columns, scans, points)
    over_scans : bool
        Noise that is constant in time: each point's mean over the scans.
    over_points : bool
        Noise that is constant in radius: each scan's mean over the points. With neither, the
        mean of the column.
    """
    columns, scans, points = values.shape
    point_mean = np.empty(points)
    scan_mean = np.empty(scans)
    for i in range(columns):
        column = values[i]
        point_mean[:] = 0.0
        for j in range(scans):
            for k in range(points):
                point_mean[k] += column[j, k]
        whole = 0.0
        for k in range(points):
            point_mean[k] /= scans
            whole += point_mean[k]
        whole /= points
        if over_points:
            for j in range(scans):
                a, b, c, d = 0.0, 0.0, 0.0, 0.0
                for k in range(0, points - 3, 4):
                    a += column[j, k]
                    b += column[j, k + 1]
                    c += column[j, k + 2]
                    d += column[j, k + 3]
                for k in range(points - points % 4, points):
                    a += column[j, k]
                scan_mean[j] = ((a + b) + (c + d)) / points
        else:
            scan_mean[:] = whole
        if not over_scans:
            point_mean[:] = whole
        for j in range(scans):
            shift = scan_mean[j] - whole
            for k in range(points):
                column[j, k] -= point_mean[k] + shift
