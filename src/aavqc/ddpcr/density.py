"""How droplets are spread over amplitude: smoothed histograms and their significant modes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aavqc.kernels import as_input
from aavqc.kernels.gating import add_to_histogram, merge_modes
from aavqc.records import FloatArray

PROMINENCE = 6.0
"""Least height of a mode above the valley beside it, in SDs of the root of a count (times 2)."""


@dataclass(frozen=True)
class Density:
    """Droplets in a sliding window of fixed width, by amplitude.

    Attributes
    ----------
    low, width : float
        Lower edge of the first bin, and the bins' width.
    count : array, shape (bins,)
        Droplets in a Gaussian window, as many as its equivalent width holds.
    raw : array, shape (bins,)
        Droplets a bin.
    """

    low: float
    width: float
    count: FloatArray
    raw: FloatArray

    def at(self, index: float) -> float:
        """Return the amplitude of the middle of a bin."""
        return self.low + (index + 0.5) * self.width

    def index(self, amplitude: float) -> int:
        """Return the bin of an amplitude, the nearest for one beyond the ends."""
        return min(max(int((amplitude - self.low) / self.width), 0), self.raw.size - 1)


@dataclass(frozen=True)
class Mode:
    """A maximum of the density: its amplitude, droplets, and the valleys that bound it."""

    amplitude: float
    droplets: float
    valley_below: float
    valley_above: float


def density(
    groups: Sequence[FloatArray], shifts: Sequence[float], low: float, high: float, smoothing: float
) -> Density:
    """Return the density of several wells' droplets, each shifted by its own amount.

    Parameters
    ----------
    groups : sequence of array
    shifts : sequence of float
        Taken from each group's amplitudes.
    low, high, smoothing : float
        Range, and the SD of the Gaussian window, in units of amplitude.
    """
    width = smoothing / 4
    bins = min(max(math.ceil((high - low) / width) + 1, 16), 20_000)
    width = max((high - low) / (bins - 1), 1e-12)
    raw = np.zeros(bins)
    for values, shift in zip(groups, shifts, strict=True):
        add_to_histogram(as_input(values), float(shift), float(low), float(width), raw)
    spread = max(smoothing / width, 0.5)
    reach = math.ceil(4 * spread)
    window = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    padded = np.concatenate([np.zeros(reach), raw, np.zeros(reach)])
    return Density(low, width, np.convolve(padded, window, mode="valid"), raw)


def modes(found: Density) -> list[Mode]:
    """Return the significant modes by amplitude.

    A mode counts where the root of its height exceeds that of the higher of its two valleys by
    more than noise does: the root of a Poisson count has an SD of one half, whatever the count.
    """
    height = found.count
    step = np.diff(height)
    rising = step > 0
    top = np.flatnonzero(np.concatenate([[True], rising]) & np.concatenate([~rising, [True]]))
    peaks = top[height[top] > 0].astype(np.int64)
    level = np.maximum.accumulate(np.where(step != 0, np.arange(1, height.size), 0))  # where a flat began
    bottom = np.flatnonzero(~rising[:-1] & rising[1:])
    valleys = np.append(level[bottom[bottom >= peaks.min(initial=height.size)]], 0)
    left = merge_modes(as_input(height), peaks, valleys, PROMINENCE)
    bounds = [0, *valleys[: max(left - 1, 0)].tolist(), height.size - 1]
    return [
        Mode(
            amplitude=found.at(p),
            droplets=float(found.raw[bounds[k] : bounds[k + 1] + 1].sum()),
            valley_below=found.at(bounds[k]),
            valley_above=found.at(bounds[k + 1]),
        )
        for k, p in enumerate(peaks[:left].tolist())
    ]
