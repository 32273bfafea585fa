"""Sharing droplets out among Gaussian clusters and a uniform rain."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel

NEGLIGIBLE = -40.0
"""Logarithm of a probability that is none beside the largest."""


@kernel
def memberships(
    amplitude: NDArray[np.float64],
    means: NDArray[np.float64],
    precisions: NDArray[np.float64],
    log_weights: NDArray[np.float64],
    log_rain: float,
    out: NDArray[np.float64],
) -> float:
    """Fill in each droplet's probabilities of the clusters, and last of the rain.

    Parameters
    ----------
    amplitude : array, shape (n, channels)
    means : array, shape (clusters, channels)
    precisions : array, shape (clusters, channels, channels)
        Inverse covariances.
    log_weights : array, shape (clusters,)
        Logarithm of the weight times the Gaussian's norm.
    log_rain : float
        Logarithm of the rain's weight over the volume that it fills.
    out : array, shape (n, clusters + 1)
        Changed in place.

    Returns
    -------
    float
        Log-likelihood.
    """
    clusters, channels = means.shape
    total = 0.0
    for i in range(amplitude.shape[0]):
        highest = log_rain
        out[i, clusters] = log_rain
        for k in range(clusters):
            distance = 0.0
            for a in range(channels):
                for b in range(channels):
                    distance += (
                        (amplitude[i, a] - means[k, a])
                        * precisions[k, a, b]
                        * (amplitude[i, b] - means[k, b])
                    )
            value = log_weights[k] - 0.5 * distance
            out[i, k] = value
            highest = max(highest, value)
        norm = 0.0
        for k in range(clusters + 1):
            below = out[i, k] - highest
            out[i, k] = math.exp(below) if below > NEGLIGIBLE else 0.0
            norm += out[i, k]
        for k in range(clusters + 1):
            out[i, k] /= norm
        total += highest + math.log(norm)
    return total
