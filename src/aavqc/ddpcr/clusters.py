"""Clusters in all channels at once, with the rain between them: how sure each droplet's call is.

Droplets of all wells of an assay, aligned by their negatives, are a mixture of a Gaussian for each
set of targets and of rain, uniform over the range. It is fitted by expectation and maximisation from
the gates' calls. It calls nothing: a droplet's membership tells a clear call from one that the place
of a threshold decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aavqc.ddpcr.calls import OwnCall
from aavqc.ddpcr.gate import Gate
from aavqc.kernels import as_input
from aavqc.kernels.memberships import memberships
from aavqc.records import FloatArray

ROUNDS = 30
FITTED = 10_000
"""Droplets that a mixture is fitted to; more change no membership."""

FEWEST = 20
"""Droplets that make a cluster."""

Key = tuple[tuple[str, Gate], ...]


@dataclass(frozen=True)
class Clusters:
    """A fitted mixture.

    Attributes
    ----------
    patterns : tuple of int
        Bit c: positive in channel c.
    mean : array, shape (clusters, channels)
    covariance : array, shape (clusters, channels, channels)
    weight : array, shape (clusters,)
        Share of each cluster; the rest is rain.
    rain_density : float
        Rain's probability per unit of amplitude in each channel.
    """

    patterns: tuple[int, ...]
    mean: FloatArray
    covariance: FloatArray
    weight: FloatArray
    rain_density: float


def call_memberships(
    droplets: Mapping[str, FloatArray],
    channels: Mapping[str, tuple[str, ...]],
    own: Mapping[tuple[str, str], OwnCall],
) -> dict[str, FloatArray]:
    """Return, by well, each droplet's probability of the cluster that it is called for.

    Parameters
    ----------
    droplets : mapping of str to array, shape (n, channels)
    channels : mapping of str to tuple of str
    own : mapping of (str, str) to OwnCall
        By well and channel. Wells with a channel that is not called are left out.
    """
    groups: dict[Key, list[str]] = {}
    for well in droplets:
        if all((well, c) in own for c in channels[well]):
            groups.setdefault(tuple((c, own[well, c].gate) for c in channels[well]), []).append(well)
    found = {}
    for key, wells in groups.items():
        gate = np.array([g.threshold for _, g in key])
        aligned = {
            w: droplets[w] - np.array([own[w, c].threshold for c in channels[w]]) + gate for w in wells
        }
        step = max(sum(a.shape[0] for a in aligned.values()) // FITTED, 1)
        pooled = np.concatenate([a[::step] for a in aligned.values()])
        mixture = fit_clusters(pooled, gate)
        if mixture is not None:
            for well, values in aligned.items():
                found[well] = _of_call(mixture, values, gate)
    return found


def fit_clusters(amplitude: FloatArray, gate: FloatArray) -> Clusters | None:
    """Fit a mixture, from the calls of a gate.

    Parameters
    ----------
    amplitude : array, shape (n, channels)
    gate : array, shape (channels,)
        Thresholds.

    Returns
    -------
    Clusters or None
        None where no set of channels has 20 droplets.
    """
    pattern = _patterns(amplitude, gate)
    patterns = tuple(int(p) for p in np.unique(pattern) if np.count_nonzero(pattern == p) >= FEWEST)
    if not patterns:
        return None
    spans = np.maximum(np.ptp(amplitude, axis=0), 1e-12)
    floor = np.diag((1e-3 * spans) ** 2)
    inside = [amplitude[pattern == p] for p in patterns]
    mixture = Clusters(
        patterns,
        np.array([np.median(a, axis=0) for a in inside]),
        np.array([_robust_covariance(a) + floor for a in inside]),
        np.array([0.98 * a.shape[0] / amplitude.shape[0] for a in inside]),
        float(1 / np.prod(spans)),
    )
    last = -math.inf
    for _ in range(ROUNDS):
        share, likelihood = probabilities(mixture, amplitude)
        if likelihood - last < 1e-4 * amplitude.shape[0]:
            break
        last = likelihood
        mixture = _maximised(mixture, amplitude, share, floor)
    return mixture


def probabilities(mixture: Clusters, amplitude: FloatArray) -> tuple[FloatArray, float]:
    """Return the probabilities of clusters and rain, shape (n, clusters + 1), and the log-likelihood."""
    norm = np.linalg.slogdet(2 * np.pi * mixture.covariance)[1]
    out = np.empty((amplitude.shape[0], len(mixture.patterns) + 1))
    likelihood = memberships(
        as_input(amplitude),
        as_input(mixture.mean),
        as_input(np.linalg.inv(mixture.covariance)),
        as_input(np.log(np.maximum(mixture.weight, 1e-300)) - 0.5 * norm),
        math.log(max(1 - float(mixture.weight.sum()), 1e-6) * mixture.rain_density),
        out,
    )
    return out, likelihood


def _maximised(mixture: Clusters, amplitude: FloatArray, share: FloatArray, floor: FloatArray) -> Clusters:
    mass = np.maximum(share[:, :-1].sum(axis=0), 1e-9)
    mean = (share[:, :-1].T @ amplitude) / mass[:, None]
    covariance = []
    for k in range(mean.shape[0]):
        centred = amplitude - mean[k]
        covariance.append((share[:, k][:, None] * centred).T @ centred / mass[k] + floor)
    return Clusters(
        mixture.patterns, mean, np.array(covariance), mass / amplitude.shape[0], mixture.rain_density
    )


def _robust_covariance(amplitude: FloatArray) -> FloatArray:
    centre = np.median(amplitude, axis=0)
    found: FloatArray = np.diag((1.4826 * np.median(np.abs(amplitude - centre), axis=0)) ** 2)
    return found


def _patterns(amplitude: FloatArray, gate: FloatArray) -> NDArray[np.int64]:
    found = np.zeros(amplitude.shape[0], dtype=np.int64)
    for c in range(gate.size):
        found += (amplitude[:, c] > gate[c]).astype(np.int64) << c
    return found


def _of_call(mixture: Clusters, amplitude: FloatArray, gate: FloatArray) -> FloatArray:
    """Return the probability of the clusters that agree with the call; 0 where there is none."""
    share, _ = probabilities(mixture, amplitude)
    share[:, -1] = 0.0  # rain's place serves the patterns without a cluster
    column = np.full(1 << gate.size, len(mixture.patterns))
    column[list(mixture.patterns)] = range(len(mixture.patterns))
    found: FloatArray = share[np.arange(share.shape[0]), column[_patterns(amplitude, gate)]]
    return found
