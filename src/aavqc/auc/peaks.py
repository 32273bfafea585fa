"""Peaks of a distribution."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from aavqc.records import FloatArray

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


def find_peaks(s: FloatArray, signal: FloatArray) -> list[Peak]:
    """List the peaks, ascending in s: local maxima, each integrated to the valleys beside it.

    A valley parts two peaks where it falls below 90 % of the lower one.
    """
    total = float(signal.sum())
    padded = np.concatenate([[0.0], signal, [0.0]])
    tops = [
        i - 1
        for i in range(1, padded.size - 1)
        if padded[i] > padded[i - 1] and padded[i] >= padded[i + 1] and padded[i] > 0
    ]
    kept: list[int] = []
    valleys: list[int] = []
    for top in tops:
        if kept:
            valley = kept[-1] + int(np.argmin(signal[kept[-1] : top + 1]))
            if signal[valley] > 0.9 * min(signal[kept[-1]], signal[top]):
                if signal[top] > signal[kept[-1]]:
                    kept[-1] = top
                continue
            valleys.append(valley)
        kept.append(top)
    edges = [0, *valleys, s.size - 1]
    peaks = []
    for low, high in pairwise(edges):
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
