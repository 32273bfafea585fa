"""The composition with the blur of the masses taken off: a check on counted windows.

An ion is counted where it was seen. Chance in the capsid's assembly (its tail to high mass is
the longer one) and the noise of the charge carry ions across a class bound, more of them out
of a large class than into it. Here the same histogram is unfolded by maximum likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import special

from aavqc.attributes import CLASSES
from aavqc.cdms.funnel import Ions
from aavqc.cdms.windows import Windows
from aavqc.records import FloatArray

BINS = 240
"""Bins of the histogram between the windows' outer edges: some 14 kDa, a third of the blur's SD."""

CELL = 15e3
"""Widest spacing of the true masses, Da; half of it is the least blur that is taken off."""

ITERATIONS = 400

SUBUNITS, VP1_SHARE = 60, 1 / 12
VP1_VARIANCE = 0.969
"""Of the variance of an AAV2 capsid's mass at 60 × (1:1:10), what the number of VP1 makes."""


@dataclass(frozen=True)
class Blur:
    """How far from its true mass an ion is seen.

    Attributes
    ----------
    assembly_sd : float
        SD of the capsid's mass by chance, Da.
    sigma_z : float
        SD of the measured charge, e.
    """

    assembly_sd: float
    sigma_z: float


def unfolded_shares(ions: Ions, found: Windows, blur: Blur) -> dict[str, float]:
    """Return the shares of the four classes in the distribution that the blur is taken off.

    Expectation maximisation (Richardson and Lucy) of a distribution over a grid of true
    masses, from a flat start; the number of ions is kept.

    Parameters
    ----------
    ions : Ions
    found : Windows
        Of these ions; at least one lies in a class.
    blur : Blur

    Returns
    -------
    dict of str to float
        By class, sum 1.

    References
    ----------
    Lucy LB (1974) Astron J 79:745.
    """
    edges = np.linspace(found.edges[0], found.edges[-1], BINS + 1)
    inside = (ions.mass >= edges[0]) & (ions.mass < edges[-1])
    mass, mz = ions.mass[inside], ions.mz[inside]
    centres, _ = _grid(found.edges, CELL)
    noise_sd = blur.sigma_z * _line(mass, mz, centres)
    return unfolded_histogram(np.histogram(mass, edges)[0], edges, found.edges, blur.assembly_sd, noise_sd)


def unfolded_histogram(
    counts: FloatArray,
    edges: FloatArray,
    bounds: tuple[float, ...],
    assembly_sd: float,
    noise_sd: FloatArray | float,
    cell: float = CELL,
) -> dict[str, float]:
    """Return the shares of the four classes in a histogram that the blur is taken off.

    Parameters
    ----------
    counts, edges : arrays, shape (bins,), (bins + 1,)
        Histogram of masses in Da.
    bounds : tuple of float
        Ends and bounds of the classes, Da.
    assembly_sd : float
    noise_sd : float or array
        SD of the mass by noise at each true mass, Da.
    cell : float
        Widest spacing of the true masses, Da.
    """
    counts = counts / counts.sum()
    centres, owner = _grid(bounds, cell)
    response = _response(edges, centres, assembly_sd, np.broadcast_to(noise_sd, centres.shape))
    shares = np.full(centres.size, 1 / centres.size)
    for _ in range(ITERATIONS):
        # einsum: no BLAS, whose sums depend on the number of threads
        expected = np.einsum("ij,j->i", response, shares)
        ratio = np.divide(counts, expected, out=np.zeros(BINS), where=expected > 0)
        shares = shares * np.einsum("ij,i->j", response, ratio)
    totals = np.bincount(owner, weights=shares, minlength=len(CLASSES))
    return dict(zip(CLASSES, (totals / totals.sum()).tolist(), strict=True))


def _line(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """Return the least-squares line of y over x, within the range of y."""
    spread = x - x.mean()
    variance = float((spread**2).sum())
    slope = float((spread * y).sum()) / variance if variance > 0 else 0.0
    line: FloatArray = np.clip(float(y.mean()) + slope * (at - x.mean()), y.min(), y.max())
    return line


def _grid(
    edges: tuple[float, ...], width: float
) -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Return true masses and the class of each: no cell lies across a bound."""
    centres, owner = [], []
    for k, (low, high) in enumerate(pairwise(edges)):
        cells = math.ceil((high - low) / width)
        centres.append(low + (np.arange(cells) + 0.5) * (high - low) / cells)
        owner.append(np.full(cells, k, np.int64))
    return np.concatenate(centres), np.concatenate(owner)


def _response(edges: FloatArray, centres: FloatArray, assembly_sd: float, noise_sd: FloatArray) -> FloatArray:
    """Return the chance of each bin (rows) for each true mass (columns), within the windows.

    The number of VP1 is binomial and carries the skewness; the rest is normal.
    """
    k = np.arange(16.0)
    log_odds = special.gammaln(SUBUNITS + 1) - special.gammaln(k + 1) - special.gammaln(SUBUNITS - k + 1)
    chance = np.exp(log_odds + k * math.log(VP1_SHARE) + (SUBUNITS - k) * math.log1p(-VP1_SHARE))
    mean, variance = SUBUNITS * VP1_SHARE, SUBUNITS * VP1_SHARE * (1 - VP1_SHARE)
    step = assembly_sd * math.sqrt(VP1_VARIANCE / variance)
    sd = np.maximum(np.hypot(assembly_sd * math.sqrt(1 - VP1_VARIANCE), noise_sd), CELL / 2)
    below = np.zeros((edges.size, centres.size))
    for weight, shift in zip(chance / chance.sum(), (k - mean) * step, strict=True):
        below += weight * special.ndtr((edges[:, None] - centres - shift) / sd)
    response: FloatArray = np.diff(below, axis=0)
    response /= np.maximum(response.sum(axis=0), 1e-300)
    return response
