"""Where the optics are disturbed: the air–solution interface and the cell's base.

Both bend light: there neighbouring points differ far more than noise makes them, in scan after
scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aavqc.auc.profiles import signal_of
from aavqc.records import FloatArray, Optics, Scan

ROUGH = 6.0
"""An artefact is rougher than this many times the median roughness of the solution column."""

COVERED = 5
"""A radius is looked at, and may be fitted, where so many scans have data."""

GAP_CM = 0.02
"""Rough radii that lie further apart than this are of two artefacts."""

BEND_CM = 0.003
"""Distance over which signal is compared: the usual step of absorbance. Of finer steps, as interference
has them, neighbours differ by noise alone."""

LEFT_MARGIN_CM = 0.012
RIGHT_MARGIN_CM = 0.05


@dataclass(frozen=True)
class Artefacts:
    """Radii in cm that enough scans cover, and the artefacts within them; None where there is none.

    ``base`` is where the disturbance by the base begins, ``bottom`` where it is strongest.
    """

    low: float
    high: float
    meniscus: tuple[float, float] | None
    base: float | None
    bottom: float | None

    def fit_range(self) -> tuple[float, float]:
        """Return the limits between which nothing is disturbed."""
        first = self.meniscus[1] if self.meniscus is not None else self.low
        last = self.base if self.base is not None else self.high
        return min(first + LEFT_MARGIN_CM, self.high), last - RIGHT_MARGIN_CM


def find_artefacts(scans: Sequence[Scan], optics: Optics) -> Artefacts:
    """Find meniscus and base by the roughness that the scans share which have data there."""
    enough = min(COVERED, len(scans)) - 1
    low = sorted(float(s.radius_cm[0]) for s in scans)[enough]
    high = sorted((float(s.radius_cm[-1]) for s in scans), reverse=True)[enough]
    step = max(float(np.median(np.diff(scans[0].radius_cm))), 5e-4)
    radii = np.arange(low, high, step)
    roughness = _roughness(scans, optics, radii, max(round(BEND_CM / step), 1))
    middle = slice(len(radii) // 4, 3 * len(radii) // 4)
    floor = max(float(np.median(roughness[middle])), 1e-12)
    rough = roughness > ROUGH * floor
    left = np.flatnonzero(rough & (radii < low + 0.5 * (high - low)))
    right = np.flatnonzero(rough & (radii > low + 0.7 * (high - low)))
    return Artefacts(
        low=low,
        high=high,
        meniscus=_last_cluster(left, radii) if left.size else None,
        base=float(radii[right[0]]) if right.size else None,
        bottom=float(radii[right[np.argmax(roughness[right])]]) if right.size else None,
    )


def _roughness(scans: Sequence[Scan], optics: Optics, radii: FloatArray, lag: int) -> FloatArray:
    """Median over scans of the size of the second difference, ``lag`` points apart, smoothed by a running
    median of five."""
    values = np.array(
        [np.interp(radii, s.radius_cm, signal_of(s, optics), left=np.nan, right=np.nan) for s in scans]
    )
    bend = np.abs(values[:, 2 * lag :] - 2 * values[:, lag:-lag] + values[:, : -2 * lag])
    second = np.zeros(len(radii))
    if np.isnan(bend).any():
        some = ~np.isnan(bend).all(axis=0)
        second[lag:-lag][some] = np.nanmedian(bend[:, some], axis=0)
    else:
        second[lag:-lag] = np.median(bend, axis=0)
    padded = np.pad(second, 2, mode="edge")
    smooth: FloatArray = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return smooth


def _last_cluster(
    points: NDArray[np.intp],
    radii: FloatArray,
) -> tuple[float, float]:
    """First and last radius of the rightmost run of points without a gap."""
    start = points[-1]
    for point in points[::-1]:
        if radii[start] - radii[point] > GAP_CM:
            break
        start = point
    return float(radii[start]), float(radii[points[-1]])
