"""Peaks of a distribution."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from aavqc.records import FloatArray

SMOOTH = 0.3
"""Share of the diffusional width below which two maxima are one peak."""

MIN_FRACTION = 0.005
"""Peaks below this share of the total signal are not listed."""


@dataclass(frozen=True)
class Peak:
    """A peak of c(s): s and its signal are integrals between the valleys beside it."""

    s: float
    signal: float
    fraction: float
    low: float
    high: float


def resolution(
    s: FloatArray, diffusion: FloatArray, meniscus: float, bottom: float, omega2: float
) -> FloatArray:
    """Return the width (SD, in S) by which diffusion spreads each s halfway down the column.

    Parameters
    ----------
    s, diffusion : array, shape (n,)
        In S and cm²/s.
    meniscus, bottom : float
        In cm.
    omega2 : float
        Square of the angular speed, rad²/s².
    """
    half = 0.5 * (meniscus + bottom)
    time = np.log(half / meniscus) / (s * 1e-13 * omega2)
    width: FloatArray = s * np.sqrt(2 * diffusion * time) / (half - meniscus)
    return width


def find_peaks(s: FloatArray, signal: FloatArray, width: FloatArray) -> list[Peak]:
    """List the peaks, ascending in s: local maxima, each integrated to the valleys beside it.

    Parameters
    ----------
    s, signal : array, shape (n,)
        A distribution on a uniform grid, in S; amounts at each s.
    width : array, shape (n,)
        What diffusion spreads each s by, see :func:`resolution`. Maxima are told apart on the
        distribution smoothed by ``SMOOTH`` of it: closer ones the data can't part.
    """
    total = float(signal.sum())
    weights = np.exp(-0.5 * ((s[:, None] - s[None, :]) / np.maximum(SMOOTH * width, 1e-9)[None, :]) ** 2)
    smooth = weights @ (signal / weights.sum(axis=0))
    padded = np.concatenate([[-1.0], smooth, [-1.0]])
    tops = np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:])).tolist()
    valleys = [a + int(np.argmin(smooth[a : b + 1])) for a, b in pairwise(tops)]
    peaks = []
    for low, high in pairwise([0, *valleys, s.size - 1]):
        part = slice(low, high + 1)
        # the valley point is shared: it belongs half to either side
        weight = signal[part].copy()
        weight[0] *= 0.5 if low else 1.0
        weight[-1] *= 0.5 if high < s.size - 1 else 1.0
        amount = float(weight.sum())
        if amount > MIN_FRACTION * total:
            centre = float((s[part] * weight).sum() / amount)
            peaks.append(Peak(centre, amount, amount / total, float(s[low]), float(s[high])))
    return peaks
