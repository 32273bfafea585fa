"""Check that the fit range holds a plateau at first, and that no detector clips it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aavqc.auc.profiles import signal_of
from aavqc.documents import Flag
from aavqc.records import FloatArray, Optics, Scan

CLIPPED = 0.05
"""Noise lets no twentieth of the points share one highest value."""

CAN_CLIP_OD = 1.5
"""Below, no absorbance is clipped."""

SLOPE = 0.10
"""A plateau may rise or fall by this fraction of the signal of the run."""

PARTS = ((0.60, 0.70), (0.90, 1.00))
"""Where in the fit range the two ends of the plateau are taken."""


def plateau_flags(scans: Sequence[Scan], optics: Optics, fit_low: float, fit_high: float) -> list[Flag]:
    """Return flags of the fit range: ``clipped`` (invalid), ``no_plateau`` (warning).

    Fringes do not clip, and noise constant in time hides their plateau: they get neither.
    """
    if optics == "interference":
        return []
    flags = _clipped(scans, optics, fit_low, fit_high)
    if optics != "intensity" or scans[0].reference is not None:
        flags += _no_plateau(scans, optics, fit_low, fit_high)
    return flags


def _clipped(scans: Sequence[Scan], optics: Optics, fit_low: float, fit_high: float) -> list[Flag]:
    worst, where = 0.0, ""
    for scan in scans:
        inside = _inside(scan, scan.signal, fit_low, fit_high)
        highest = inside.max()
        if optics == "absorbance" and highest < CAN_CLIP_OD:
            continue
        share = float(np.mean(inside == highest)) if inside.size >= 20 and np.ptp(inside) > 0 else 0.0
        if share > worst:
            worst, where = share, scan.file
    if worst <= CLIPPED:
        return []
    message = f"{100 * worst:.0f} % of the points of {where} share its highest value: the detector clips"
    return [Flag(id="clipped", severity="invalid", message=message, value=worst, limit=CLIPPED)]


def _no_plateau(scans: Sequence[Scan], optics: Optics, fit_low: float, fit_high: float) -> list[Flag]:
    """Compare the ends of the plateau in the first scans."""
    width = fit_high - fit_low
    parts = [(fit_low + a * width, fit_low + b * width) for a, b in PARTS]
    scans = [s for s in scans if s.radius_cm[0] <= parts[0][0] and s.radius_cm[-1] >= fit_high - 0.05 * width]
    if not scans:
        return []
    means = np.array(
        [[np.mean(_inside(s, signal_of(s, optics), low, high)) for low, high in parts] for s in scans]
    )
    start = means[: max(min(3, len(scans) // 4), 1)].mean(axis=0)
    difference, seen = float(abs(start[1] - start[0])), float(np.ptp(means))
    first = _inside(scans[0], signal_of(scans[0], optics), fit_low, fit_high)
    if difference <= max(SLOPE * seen, float(np.std(np.diff(first)))):
        return []
    return [
        Flag(
            id="no_plateau",
            severity="warning",
            message="no plateau in the first scans: boundaries had come far, or the baseline is not level",
            value=difference / seen,
            limit=SLOPE,
        )
    ]


def _inside(scan: Scan, signal: FloatArray, low: float, high: float) -> FloatArray:
    inside = signal[(scan.radius_cm >= low) & (scan.radius_cm <= high)]
    return inside if inside.size else np.zeros(1)
