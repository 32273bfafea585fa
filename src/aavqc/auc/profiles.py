"""Scans as coarse radial profiles: what the choices of scans and the kind of experiment go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aavqc.records import FloatArray, Optics, Scan

BINS = 60


@dataclass(frozen=True)
class Profiles:
    """Scans averaged over short pieces of the radius.

    Attributes
    ----------
    radii : array, shape (bins,)
        In cm.
    values : array, shape (scans, bins)
        OD or fringes; interference without each scan's own offset.
    noise : float
        SD of a value, from what a scan's two nearest neighbours do not foretell.
    """

    radii: FloatArray
    values: FloatArray
    noise: float


def profiles_of(scans: Sequence[Scan], optics: Optics, low: float, high: float) -> Profiles:
    """Average scans over pieces of the radius between two limits in cm, which all of them cover."""
    edges = np.linspace(low, high, BINS + 1)
    values = np.array([_binned(s.radius_cm, signal_of(s, optics), edges) for s in scans])
    if optics == "interference":  # whole and partial fringes of jitter belong to the scan, not to the sample
        values = values - values.mean(axis=1, keepdims=True)
    rough = values[2:] - 2 * values[1:-1] + values[:-2]
    noise = float(np.median(np.abs(rough)) / 0.6745 / np.sqrt(6)) if len(scans) > 2 else 0.0
    return Profiles(0.5 * (edges[1:] + edges[:-1]), values, max(noise, 1e-9))


def signal_of(scan: Scan, optics: Optics) -> FloatArray:
    """Signal of a scan; intensity becomes pseudo-absorbance.

    Without a reference channel what the lamp gives at each radius is noise that is constant in
    time, and is removed as such.
    """
    if optics != "intensity":
        return scan.signal
    reference = 1.0 if scan.reference is None else np.maximum(scan.reference, 1e-6)
    return -np.log10(np.maximum(scan.signal, 1e-6) / reference)


def _binned(radius: FloatArray, signal: FloatArray, edges: FloatArray) -> FloatArray:
    """Mean in each bin by the integral of the straight lines between points."""
    total = np.concatenate([[0.0], np.cumsum(0.5 * (signal[1:] + signal[:-1]) * np.diff(radius))])
    means: FloatArray = np.diff(np.interp(edges, radius, total)) / np.diff(edges)
    return means
