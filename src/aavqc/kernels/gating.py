"""Counting droplets by amplitude, and sharing them out between clusters."""

from __future__ import annotations

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
        if at < 0.0:
            counts[0] += 1.0
        elif at >= last:
            counts[last] += 1.0
        else:
            counts[int(at)] += 1.0


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
