"""Which of the two channels of intensity scans is the sample: the file does not say.

Pseudo-absorbance is −log₁₀ of sample over reference. Taken the wrong way round it is its own negative: a
step that falls along the radius where a boundary's rises. Baseline and offsets of scans hide the
step's sign at any one time, but not how it moves, so scans are compared with moving steps after both are
freed of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aavqc.auc.profiles import Profiles
from aavqc.documents import Flag
from aavqc.records import FloatArray, Scan

TRIED_S = np.geomspace(1.0, 1000.0, 60)
"""S, of the moving steps."""

CLEAR, APART = 0.5, 1.5
"""Correlation from which on a step is seen, and by how much it must exceed that of the other sign."""

UNCLEAR = "the scans show no boundary that would tell"


def first_is_sample(scans: Sequence[Scan], profiles: Profiles) -> bool | None:
    """Tell whether the first channel is the sample, by profiles of −log₁₀(first/second).

    None where no moving boundary is seen, or steps of either sign explain the profiles alike.
    """
    seen = _centred(profiles.values)
    r, start = profiles.radii, float(profiles.radii[0])
    w = np.array([s.omega2_t for s in scans])
    moved = TRIED_S[:, None, None] * 1e-13 * w[None, :, None]
    boundary = start * np.exp(np.minimum(moved, 10.0))
    steps = _centred(np.clip((r - boundary) / (r[1] - r[0]) + 0.5, 0.0, 1.0) * np.exp(-2.0 * moved))
    size = np.sqrt((steps**2).sum(axis=(1, 2)) * (seen**2).sum())
    alike = (steps * seen).sum(axis=(1, 2)) / np.maximum(size, 1e-300)
    rising, falling = float(alike.max()), float(-alike.min())
    if max(rising, falling) < CLEAR or max(rising, falling) < APART * min(rising, falling):
        return None
    return rising > falling


def exchanged(scan: Scan) -> Scan:
    """Return a scan whose second channel is the sample."""
    return scan if scan.reference is None else replace(scan, signal=scan.reference, reference=scan.signal)


def unclear_flag() -> Flag:
    """Say that the first channel is taken without evidence."""
    return Flag(
        id="sample_channel_unclear",
        severity="warning",
        message=f"the first channel is taken as the sample, the second as the reference: {UNCLEAR}",
    )


def _centred(values: FloatArray) -> FloatArray:
    """Take out what is constant in time and what is constant in radius; last axes (scans, radii)."""
    centred: FloatArray = (
        values
        - values.mean(axis=-1, keepdims=True)
        - values.mean(axis=-2, keepdims=True)
        + values.mean(axis=(-2, -1), keepdims=True)
    )
    return centred
