"""Counting droplets by amplitude, and sharing them out between clusters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel


@kernel
def add_to_histogram(
    values: NDArray[np.float64], shift: float, low: float, width: float, counts: NDArray[np.float64]
) -> None:
    """Add ``values - shift`` to bins of equal width from ``low``; the end bins take all beyond.

    Parameters
    ----------
    values : array, shape (n,)
    shift, low, width : float
    counts : array, shape (bins,)
        Changed in place.
    """
    last = counts.size - 1
    for i in range(values.size):
        at = (values[i] - shift - low) / width
        if at >= last:
            counts[last] += 1.0
        elif at > 0.0:
            counts[int(at)] += 1.0
        else:
            counts[0] += 1.0


@kernel
def keep_extremes(
    values: NDArray[np.float64], lowest: NDArray[np.float64], highest: NDArray[np.float64]
) -> None:
    """Keep the lowest and the highest values seen so far.

    Parameters
    ----------
    values : array, shape (n,)
    lowest, highest : array
        Ascending and descending; filled with ±infinity at first, changed in place.
    """
    for i in range(values.size):
        value = values[i]
        if value < lowest[-1]:
            at = lowest.size - 1
            while at > 0 and lowest[at - 1] > value:
                lowest[at] = lowest[at - 1]
                at -= 1
            lowest[at] = value
        if value > highest[-1]:
            at = highest.size - 1
            while at > 0 and highest[at - 1] < value:
                highest[at] = highest[at - 1]
                at -= 1
            highest[at] = value


@kernel
def merge_modes(
    height: NDArray[np.float64], peaks: NDArray[np.int64], valleys: NDArray[np.int64], prominence: float
) -> int:
    """Drop, least prominent first, the peaks that do not rise above their higher valley.

    Parameters
    ----------
    height : array, shape (bins,)
        Counts.
    peaks : int64 array, shape (k,)
    valleys : int64 array, shape (k - 1 or more,)
        ``valleys[i]`` lies between peaks i and i + 1. Both are changed in place.
    prominence : float
        Least difference of roots, times 2.

    Returns
    -------
    int
        Peaks left.
    """
    left = peaks.size
    while left > 0:
        least, smallest = 0, np.inf
        for i in range(left):
            floor = 0.0
            if i > 0:
                floor = height[valleys[i - 1]]
            if i < left - 1 and height[valleys[i]] > floor:
                floor = height[valleys[i]]
            rise = 2.0 * (math.sqrt(height[peaks[i]]) - math.sqrt(max(floor, 0.0)))
            if rise < smallest:
                least, smallest = i, rise
        if smallest >= prominence:
            break
        # the higher valley goes with the peak: it parts nothing any more
        gone = least
        if least == left - 1 or (least > 0 and height[valleys[least - 1]] >= height[valleys[least]]):
            gone = least - 1
        for i in range(max(gone, 0), left - 2):
            valleys[i] = valleys[i + 1]
        for i in range(least, left - 1):
            peaks[i] = peaks[i + 1]
        left -= 1
    return left


@kernel
def count_patterns(
    amplitude: NDArray[np.float64], thresholds: NDArray[np.float64], counts: NDArray[np.int64]
) -> None:
    """Count droplets by the set of channels in which they lie above the threshold.

    Parameters
    ----------
    amplitude : array, shape (n, channels)
    thresholds : array, shape (channels,)
    counts : int64 array, shape (2**channels,)
        Changed in place; channel c adds ``2**c`` to the index.
    """
    for i in range(amplitude.shape[0]):
        pattern = 0
        for c in range(thresholds.size):
            if amplitude[i, c] > thresholds[c]:
                pattern += 1 << c
        counts[pattern] += 1
