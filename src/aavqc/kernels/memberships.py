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
        Inverse covariances; of each pair of channels the one below the diagonal is used.
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
    total, product = 0.0, 1.0
    for i in range(amplitude.shape[0]):
        highest = log_rain
        out[i, clusters] = log_rain
        for k in range(clusters):
            distance = 0.0
            for a in range(channels):
                off = amplitude[i, a] - means[k, a]
                inner = 0.5 * precisions[k, a, a] * off
                for b in range(a):
                    inner += precisions[k, a, b] * (amplitude[i, b] - means[k, b])
                distance += 2.0 * off * inner
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
        total += highest
        product *= norm
        if product > 1e100:  # one logarithm for many droplets
            total += math.log(product)
            product = 1.0
    return total + math.log(product)
