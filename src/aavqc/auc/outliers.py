"""Find scans that stand out from their neighbours: a flash of the lamp, a jump, an offset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aavqc.auc.profiles import Profiles
from aavqc.documents import Flag
from aavqc.records import FloatArray, Scan

FEWEST = 8
"""Of fewer scans none can be said to stand out."""

OUTLYING = 6.0
"""A scan stands out where it differs from its neighbours by this many times the usual."""

MAX_OUTLYING = 0.1
"""Where a larger share of the scans stands out, none is left out: it is how the run is."""

PREDICTORS = (((-1, 0.5), (1, 0.5)), ((-2, -1.0), (-1, 2.0)), ((1, 2.0), (2, -1.0)),
              ((-2, 0.5), (2, 0.5)), ((2, 3.0), (3, -2.0)), ((-2, 3.0), (-3, -2.0)))  # fmt: skip
"""Offsets and weights by which neighbours foretell a scan: one bad neighbour never spoils all of them."""


def find_outliers(
    scans: Sequence[Scan], profiles: Profiles, named: bool
) -> tuple[NDArray[np.bool_], list[Flag]]:
    """Return which scans to keep, and a flag for each that stands out.

    Parameters
    ----------
    scans : sequence of Scan
    profiles : Profiles
        Of these scans.
    named : bool
        The user named the scans: all are kept.
    """
    keep = np.ones(len(scans), dtype=bool)
    if len(scans) < FEWEST:
        return keep, []
    surprise = np.max([_excess(size, profiles.noise) for size in _surprise(profiles.values)], axis=0)
    odd = np.flatnonzero(surprise > OUTLYING)
    left_out = not named and odd.size <= max(1.0, MAX_OUTLYING * len(scans))
    keep[odd] = not left_out
    done = "left out" if left_out else "kept: the user named it" if named else "kept: too many do"
    return keep, [
        Flag(
            id="outlying_scan",
            severity="warning",
            message=f"{scans[i].file} (time {scans[i].time_s:g} s) stands out from its neighbours; {done}",
            value=float(surprise[i]),
            limit=OUTLYING,
        )
        for i in odd.tolist()
    ]


def _surprise(values: FloatArray) -> FloatArray:
    """How far each scan is from what its neighbours foretell, in units of one scan's noise.

    Returns
    -------
    array, shape (2, scans)
        The root mean square over the radius, for a flash or a jump, and the size of the median,
        for an offset: a moving boundary changes the one, and hardly the other.
    """
    n = len(values)
    best = np.full((2, n), np.inf)
    for predictor in PREDICTORS:
        offsets = [offset for offset, _ in predictor]
        rows = np.arange(max(0, -min(offsets)), n - max(0, *offsets))
        foretold = sum(weight * values[rows + offset] for offset, weight in predictor)
        scale = np.sqrt(1 + sum(weight**2 for _, weight in predictor))
        off = (values[rows] - foretold) / scale
        sizes = [np.sqrt(np.mean(off**2, axis=1)), np.abs(np.median(off, axis=1))]
        best[:, rows] = np.minimum(best[:, rows], sizes)
    return best


def _excess(size: FloatArray, noise: float) -> FloatArray:
    """A surprise over that of the scans around it, and over the noise."""
    padded = np.pad(size, 6, mode="reflect")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(padded, 13), axis=1)
    excess: FloatArray = size / np.maximum(usual, noise)
    return excess
