"""Statistics of what a fit leaves over; residuals have the shape (scans, points)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aavqc.records import BoolArray, FloatArray

LAG = 3
"""Neighbours along the radius are this many points apart: nearer ones can share noise, by the
optics' blur or by interpolation onto a common grid."""

MAD_TO_SD = 1.482602218505602
"""SD of a normal distribution over its median absolute deviation."""


def point_noise(residual: FloatArray, seen: BoolArray | None = None) -> float:
    """Return the SD of a single point's noise, from what varies from point to point and scan to scan.

    The second difference along the radius (points two apart) of the difference of scans that
    follow each other is blind to smooth misfit and to noise constant in time or radius; of white
    noise it has the variance 2 × (1 + 4 + 1) σ². The median makes it robust.

    Parameters
    ----------
    residual : array, shape (scans, points)
    seen : array of bool, shape (scans, points), optional
        Where there are data; default: everywhere.

    Returns
    -------
    float
        In the signal's unit; 0 where there are too few scans or points to tell.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(0.0, 0.005, (40, 300))
    >>> bool(abs(point_noise(noise) - 0.005) < 0.0003)
    True
    """
    scans, points = residual.shape
    if scans < 2 or points < 5:
        return 0.0
    change = np.diff(residual, axis=0)
    bend = change[:, 4:] - 2 * change[:, 2:-2] + change[:, :-4]
    if seen is not None:
        both = seen[1:] & seen[:-1]
        bend = bend[both[:, 4:] & both[:, 2:-2] & both[:, :-4]]
    return float(MAD_TO_SD * np.median(np.abs(bend)) / np.sqrt(12.0)) if bend.size else 0.0


def neighbour_correlation(residual: FloatArray) -> tuple[float, float]:
    """Return the correlation of neighbours along the radius, and of scans that follow each other.

    For white noise both are 0; else about the share of systematic misfit in the variance.

    Examples
    --------
    >>> stripes = np.tile([1.0, -1.0], (4, 3))
    >>> neighbour_correlation(stripes)[1]
    1.0
    """
    variance = float(np.mean(residual**2))
    if variance == 0.0 or residual.shape[0] < 2 or residual.shape[1] <= LAG:
        return 0.0, 0.0
    radius = float(np.mean(residual[:, LAG:] * residual[:, :-LAG])) / variance
    time = float(np.mean(residual[1:] * residual[:-1])) / variance
    return radius, time


def runs_z(residual: FloatArray) -> float:
    """Return the z-score of the runs of one sign along the radius; negative: too few runs.

    Wald & Wolfowitz (1940) Ann Math Stat 11:147, summed over the scans, every ``LAG``-th point.

    Examples
    --------
    >>> z = runs_z(np.tile(np.repeat([1.0, -1.0], 60), (4, 1)))
    >>> bool(z < -10)
    True
    """
    positive = residual[:, ::LAG] > 0
    n = positive.shape[1]
    above = positive.sum(axis=1).astype(np.float64)
    mixed = 2 * above * (n - above)
    runs = 1 + np.count_nonzero(positive[:, 1:] != positive[:, :-1], axis=1)
    expected = 1 + mixed / n
    variance = mixed * (mixed - n) / (n * n * max(n - 1, 1))
    total = float(variance.sum())
    return float((runs - expected).sum() / np.sqrt(total)) if total > 0 else 0.0


def systematic_by_scan(residual: FloatArray, noise: float, width: int) -> FloatArray:
    """Return the rms of each scan's smoothed residual over what white noise would leave.

    Parameters
    ----------
    residual : array, shape (scans, points)
    noise : float
        SD of a point.
    width : int
        Points that are averaged.

    Returns
    -------
    array, shape (scans,)
        1 for white noise.

    Examples
    --------
    >>> systematic_by_scan(np.ones((2, 30)), 1.0, 9)
    array([3., 3.])
    """
    total = np.cumsum(np.pad(residual, ((0, 0), (1, 0))), axis=1)
    smooth = (total[:, width:] - total[:, :-width]) / width
    result: FloatArray = np.sqrt(np.mean(smooth**2, axis=1) * width) / noise
    return result


def step_gain(
    model: FloatArray, residual: FloatArray, seen: BoolArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return how much higher each scan's step is than the model's, and the weight of this.

    The slope of a straight line of residual against model within a scan: an offset of the scan
    does not matter. Weights are the inverse variances, but for a common factor.

    Parameters
    ----------
    model, residual : array, shape (scans, points)
    seen : array of bool, shape (scans, points), optional
        Where there are data; default: everywhere.

    Returns
    -------
    gain, weight : array, shape (scans,)
        The gain is 0 where the step is as high as the model has it.

    Examples
    --------
    >>> model = np.array([[0.0, 0.0, 1.0, 1.0]])
    >>> step_gain(model, 0.03 * model + 0.2)[0].round(6)
    array([0.03])
    """
    use = np.ones(model.shape) if seen is None else seen.astype(np.float64)
    mean = (use * model).sum(axis=1, keepdims=True) / np.maximum(use.sum(axis=1, keepdims=True), 1.0)
    centred = use * (model - mean)
    weight: FloatArray = np.sum(centred**2, axis=1)
    gain: FloatArray = np.sum(centred * residual, axis=1) / np.maximum(weight, np.finfo(float).tiny)
    return gain, weight


def bitmap(residual: FloatArray, noise: float) -> NDArray[np.uint8]:
    """Return the residuals as a picture in greys, shape (scans, points): 128 for 0, ±4 noise the ends.

    Examples
    --------
    >>> bitmap(np.array([[0.0, 0.01, -1.0]]), 0.005)
    array([[128, 192,   1]], dtype=uint8)
    """
    scaled = residual / (4.0 * noise) if noise > 0 else np.sign(residual)
    grey: NDArray[np.uint8] = np.round(128 + 127 * np.clip(scaled, -1.0, 1.0)).astype(np.uint8)
    return grey
