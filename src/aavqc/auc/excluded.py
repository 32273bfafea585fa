"""Radii that the user leaves out: scratches and dirt of a window, which no artefact of the cell is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from aavqc.errors import UsageError
from aavqc.records import Scan, readonly

MIN_POINTS = 20


def without_radii(scan: Scan, pieces: list[str]) -> Scan:
    """Return a scan without some pieces of the radius.

    Parameters
    ----------
    scan : Scan
        With true radii.
    pieces : list of str
        In cm, like ``6.50-6.53``.

    Raises
    ------
    UsageError
        Hardly a point is left.
    """
    if not pieces:
        return scan
    keep = np.ones(scan.radius_cm.size, dtype=bool)
    for low, high in (text.split("-") for text in pieces):
        keep &= (scan.radius_cm < float(low)) | (scan.radius_cm > float(high))
    if np.count_nonzero(keep) < MIN_POINTS:
        raise UsageError(
            "setting exclude_radii",
            file=scan.file,
            expected=f"{MIN_POINTS} points of a scan or more to be left",
        )
    return replace(
        scan,
        radius_cm=readonly(scan.radius_cm[keep]),
        signal=readonly(scan.signal[keep]),
        signal_sd=None if scan.signal_sd is None else readonly(scan.signal_sd[keep]),
        reference=None if scan.reference is None else readonly(scan.reference[keep]),
    )
