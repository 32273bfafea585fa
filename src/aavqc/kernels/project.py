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


@kernel
def center_seen(values: Floats, seen: Floats, inverse: Floats, over_scans: bool, over_points: bool) -> None:
    """Do what :func:`center` does where some points of the rectangle were not seen; they become 0.

    Parameters
    ----------
    values : array, shape (columns, scans, points)
    seen : array, shape (scans, points)
        1 where a scan has the point, else 0.
    inverse : array, shape (scans, scans)
        Of the normal matrix of the scans' offsets, the baseline eliminated; used with both noises.
    over_scans, over_points : bool
    """
    columns, scans, points = values.shape
    by_point, by_scan = seen.sum(axis=0), seen.sum(axis=1)
    point_mean, offset, right = np.empty(points), np.empty(scans), np.empty(scans)
    for i in range(columns):
        column = values[i]
        point_mean[:] = 0.0
        for j in range(scans):
            for k in range(points):
                column[j, k] *= seen[j, k]
                point_mean[k] += column[j, k]
        if not (over_scans or over_points):
            point_mean[:] = point_mean.sum() / max(by_scan.sum(), 1.0)
        elif over_scans:
            for k in range(points):
                point_mean[k] /= max(by_point[k], 1.0)
        else:
            point_mean[:] = 0.0
        offset[:] = 0.0
        if over_points:
            for j in range(scans):
                a, b, c, d = 0.0, 0.0, 0.0, 0.0
                for k in range(0, points - 3, 4):
                    a += column[j, k] - seen[j, k] * point_mean[k]
                    b += column[j, k + 1] - seen[j, k + 1] * point_mean[k + 1]
                    c += column[j, k + 2] - seen[j, k + 2] * point_mean[k + 2]
                    d += column[j, k + 3] - seen[j, k + 3] * point_mean[k + 3]
                for k in range(points - points % 4, points):
                    a += column[j, k] - seen[j, k] * point_mean[k]
                right[j] = (a + b) + (c + d)
            if over_scans:
                for j in range(scans):
                    for other in range(scans):
                        offset[j] += inverse[j, other] * right[other]
                    for k in range(points):
                        point_mean[k] -= seen[j, k] * offset[j] / max(by_point[k], 1.0)
            else:
                for j in range(scans):
                    offset[j] = right[j] / max(by_scan[j], 1.0)
        for j in range(scans):
            for k in range(points):
                column[j, k] -= seen[j, k] * (point_mean[k] + offset[j])
