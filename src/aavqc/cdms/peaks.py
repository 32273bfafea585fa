"""Peaks of the mass distribution, and the ions that belong to each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.records import FloatArray

STEP = 5e-4
"""Grid of ln(mass)."""

SIGNIFICANCE = 5.0
"""A peak stands out of its saddle by so many SD of the counts."""

FOOT = 0.05
"""A peak ends at a valley, or at this fraction of its height: a Gaussian holds 98.6 % within."""

MASS_RANGE = (1e4, 1e9)

SHOWN = 5.0
"""Points of the plotted kernel estimate to a bandwidth."""

HISTOGRAM_STEP = 1e4
"""Bins of the plotted histogram, Da."""


@dataclass(frozen=True)
class Peak:
    """A peak: its mode and robust SD in Da, its ions, and the masses between which they lie."""

    mass: float
    sd: float
    ions: int
    low: float
    high: float


@dataclass(frozen=True)
class Distribution:
    """A mass distribution: its peaks, and what is plotted of it.

    Attributes
    ----------
    peaks : list of Peak
        Ascending in mass. The share of a peak is its ions, never an area.
    bandwidth : float
        SD of the kernel, relative to the mass.
    mass_da, per_da : arrays, shape (m,)
        The kernel estimate: masses, and ions a Da there.
    """

    peaks: list[Peak]
    bandwidth: float
    mass_da: FloatArray
    per_da: FloatArray

    def document(self) -> dict[str, float]:
        """Return what the diagnostics say of it."""
        return {"bandwidth": self.bandwidth, "histogram_step_da": HISTOGRAM_STEP}

    def arrays(self, mass: FloatArray) -> dict[str, NDArray[Any]]:
        """Return what is plotted: histogram and kernel estimate."""
        return {**histogram(mass), "mass_kde_da": self.mass_da, "mass_kde_per_da": self.per_da}


def distribution(mass: FloatArray, bandwidth: float | None = None) -> Distribution:
    """Estimate a mass distribution, and find its peaks.

    The density over ln(mass) is a Gaussian kernel estimate; a local maximum counts as a peak where
    it stands out of the higher of its two saddles by five SD of the counts under the kernel. No ion
    belongs to two peaks.

    Parameters
    ----------
    mass : array, shape (n,)
        Da, positive.
    bandwidth : float, optional
        SD of the kernel, relative to the mass. Default: 0.9 % at 20,000 ions, with their number to
        the power of -1/5, within 0.5 to 3 %.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = distribution(np.concatenate([rng.normal(3.74e6, 5e4, 600), rng.normal(5.19e6, 5e4, 400)]))
    >>> [round(p.mass / 1e6, 1) for p in found.peaks], round(found.bandwidth, 4)
    ([3.7, 5.2], 0.0164)
    """
    inside = np.sort(mass[(mass > MASS_RANGE[0]) & (mass < MASS_RANGE[1])])
    width = bandwidth or min(max(0.009 * (max(inside.size, 1) / 2e4) ** -0.2, 0.005), 0.03)
    if inside.size < 2:
        return Distribution([], width, np.empty(0), np.empty(0))
    grid, density, noise = _density(inside, width)
    shown = slice(None, None, max(int(width / STEP / SHOWN), 1))
    at = np.exp(grid[shown])
    peaks = _peaks(inside, grid, density, noise)
    return Distribution(peaks, width, at, density[shown] / (STEP * at))


def histogram(mass: FloatArray) -> dict[str, NDArray[Any]]:
    """Return the histogram that is plotted: edges in Da, and counts."""
    top = min(float(np.quantile(mass, 0.999)) * 1.1, 2e7) if mass.size else HISTOGRAM_STEP
    edges = np.arange(0.0, top + HISTOGRAM_STEP, HISTOGRAM_STEP)
    return {"mass_edges_da": edges, "mass_counts": np.histogram(mass, edges)[0]}


def _peaks(inside: FloatArray, grid: FloatArray, density: FloatArray, noise: float) -> list[Peak]:
    tops = _prominent(density, noise)
    found = []
    for k, top in enumerate(tops):
        left = _valley(density, tops[k - 1], top) if k else 0
        right = _valley(density, top, tops[k + 1]) if k + 1 < len(tops) else density.size - 1
        low, high = _feet(density, left, top, right)
        bounds = float(np.exp(grid[low])), float(np.exp(grid[high]))
        first, last = np.searchsorted(inside, bounds)
        members = inside[first:last]
        if members.size:
            mode = float(np.exp(_vertex(grid, density, top)))
            sd = 1.4826 * float(np.median(np.abs(members - np.median(members))))
            found.append(Peak(mode, sd, int(members.size), *bounds))
    return found


def _density(mass: FloatArray, width: float) -> tuple[FloatArray, FloatArray, float]:
    """Return grid, counts under the kernel, and the variance of those a count."""
    logs = np.log(mass)
    reach = math.ceil(4 * width / STEP)
    low = math.floor(logs[0] / STEP) - reach
    bins = np.floor(logs / STEP).astype(np.int64) - low
    counts = np.bincount(bins, minlength=int(bins[-1]) + reach + 1).astype(np.float64)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * STEP / width) ** 2)
    kernel /= kernel.sum()
    grid = (low + np.arange(counts.size) + 0.5) * STEP
    return grid, np.convolve(counts, kernel, mode="same"), float((kernel**2).sum())


def _prominent(density: FloatArray, noise: float) -> list[int]:
    """Return the maxima that stand out; the least prominent are given up first."""
    rise = np.diff(density)
    tops = np.flatnonzero((rise[:-1] > 0) & (rise[1:] <= 0)) + 1
    saddles = np.array([density[a : b + 1].min() for a, b in pairwise(tops)])
    while tops.size:
        saddle = np.maximum(np.append(0.0, saddles), np.append(saddles, 0.0))
        excess = (density[tops] - saddle) / np.sqrt(noise * (density[tops] + saddle))
        # giving up one only raises the excess of those beside it: what is less than both goes before either
        left, right = np.append(np.inf, excess[:-1]), np.append(excess[1:], np.inf)
        kept = np.flatnonzero(~((excess < SIGNIFICANCE) & (excess < left) & (excess <= right)))
        if kept.size == tops.size:
            break
        if kept.size:
            saddles = np.minimum.reduceat(saddles[: kept[-1]], kept[:-1]) if kept.size > 1 else saddles[:0]
        tops = tops[kept]
    return [int(top) for top in tops]


def _valley(density: FloatArray, a: int, b: int) -> int:
    return a + int(np.argmin(density[a : b + 1]))


def _feet(density: FloatArray, left: int, top: int, right: int) -> tuple[int, int]:
    below: NDArray[np.bool_] = density < FOOT * density[top]
    before, behind = np.flatnonzero(below[left:top]), np.flatnonzero(below[top : right + 1])
    return (
        left + int(before[-1]) if before.size else left,
        top + int(behind[0]) if behind.size else right,
    )


def _vertex(grid: FloatArray, density: FloatArray, top: int) -> float:
    """Return the maximum of the parabola through three points."""
    a, b, c = density[top - 1 : top + 2]
    curvature = a - 2 * b + c
    return float(grid[top] + (STEP * 0.5 * (a - c) / curvature if curvature < 0 else 0.0))
