"""Compositions of capsids on log-ratio coordinates, with the uncertainties of their shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import CLASSES

Floats = NDArray[np.float64]

LOD = 3.3
"""A share below so many of its SDs is below the limit of detection (ICH Q2)."""

NEIGHBOUR = {0: 1, 1: 2, 3: 2}
"""A class below its limit joins the next by packaged length, overfull the full ones."""


@dataclass(frozen=True, slots=True)
class Composition:
    """Shares of the four classes by one method.

    Attributes
    ----------
    shares, sds : array, shape (4,)
        Fractions and their standard uncertainties.
    censored : tuple of bool
        Classes that the method could not tell from zero.
    """

    shares: Floats
    sds: Floats
    censored: tuple[bool, ...]


def amount_variances(c: Composition) -> Floats:
    """Return the variances of the amounts whose shares have the stated uncertainties.

    Shares add up to 1, so that their errors are correlated. Amounts x are taken as independent:
    with p = x / Σx, var(p_k) = Σ_j (δ_kj − p_k)² var(x_j), exact for counts of particles. Where
    no amounts give the stated uncertainties (8 % of each share, say: they can't add up to 1), the least
    squares are scaled up until none is smaller than stated, and no amount is better known than its share.
    """
    from scipy.optimize import nnls

    p = c.shares / c.shares.sum()
    system = (np.eye(p.size) - p[:, None]) ** 2
    stated = c.sds**2
    found, _ = nnls(system, stated)
    implied = system @ found
    short = stated / np.where(implied > 0, implied, np.inf)
    found *= max(1.0, float(short.max()))
    # an error that those of the other classes explain is still one
    least = 0.01 if np.allclose(implied, stated, rtol=0.05) else 1.0
    variances: Floats = np.maximum(found, least * stated)
    return variances


def parts_of(compositions: Sequence[Composition]) -> list[tuple[int, ...]]:
    """Group the classes so that each part is above the limit of detection of every method."""
    parts: list[tuple[int, ...]] = [(k,) for k in range(len(CLASSES))]
    below = [k for k in range(len(CLASSES)) if any(_below(c, k) for c in compositions)]
    for k in below:
        own = next(part for part in parts if k in part)
        to = next(part for part in parts if NEIGHBOUR.get(k, 1) in part)
        if own != to:
            parts = sorted([p for p in parts if p not in (own, to)] + [tuple(sorted(own + to))])
    return parts


def log_ratios(c: Composition, parts: Sequence[tuple[int, ...]], about: Floats) -> tuple[Floats, Floats]:
    """Return isometric log-ratio coordinates and their covariance.

    Parameters
    ----------
    c : Composition
    parts : sequence of tuple of int
        Classes that count together.
    about : array, shape (parts,)
        Shares at which the uncertainties are propagated: the mean of the methods.
    """
    base = _basis(len(parts))
    variances = amount_variances(c)
    relative = np.array([variances[list(part)].sum() for part in parts]) / about**2
    return base @ np.log(merged(c, parts)), (base * relative) @ base.T


def merged(c: Composition, parts: Sequence[tuple[int, ...]]) -> Floats:
    """Return the shares of the parts."""
    shares: Floats = np.array([c.shares[list(part)].sum() for part in parts])
    closed: Floats = shares / shares.sum()
    return closed


def shares_of(coordinates: Floats, covariance: Floats, quantile: float) -> list[tuple[float, float, float]]:
    """Return share, lower and upper bound of each part; intervals on the logit stay within 0 and 1."""
    base = _basis(coordinates.size + 1)
    x = base.T @ coordinates
    p = np.exp(x - x.max())
    p /= p.sum()
    found = []
    for k, share in enumerate(p):
        gradient = (base[:, k] - base @ p) / (1 - share)
        half = quantile * math.sqrt(float(gradient @ covariance @ gradient))
        logit = math.log(share / (1 - share))
        found.append((float(share), _expit(logit - half), _expit(logit + half)))
    return found


def _below(c: Composition, k: int) -> bool:
    return c.censored[k] or c.shares[k] < LOD * c.sds[k]


def _basis(n: int) -> Floats:
    """Return an orthonormal basis of the plane Σx = 0, shape (n - 1, n)."""
    base = np.zeros((n - 1, n))
    for i in range(1, n):
        base[i - 1, :i] = 1 / i
        base[i - 1, i] = -1
        base[i - 1] *= math.sqrt(i / (i + 1))
    return base


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x))
