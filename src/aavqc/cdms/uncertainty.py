"""How well the shares of a mixture are known, from the information in the ions' scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from aavqc.cdms.em import State, problem
from aavqc.cdms.information import Basis, basis, noisy_covariance
from aavqc.cdms.mixture import Mixture
from aavqc.cdms.prior import Witnessed
from aavqc.kernels import as_input
from aavqc.records import FloatArray

LEAST_WIDTH = 10e3
"""Da by which the membership of a peak near a bound passes from one class to the next."""


@dataclass(frozen=True)
class Shares:
    """Shares of the classes in a mixture.

    Attributes
    ----------
    value : array, shape (4,)
        Sum 1.
    covariance : array, shape (4, 4)
    blank_sd : array, shape (4,)
        SD that the share of a class would have if the class were not there.
    locations : array, shape (k, k)
        Covariance of the mean masses of the peaks, Da².
    """

    value: FloatArray
    covariance: FloatArray
    blank_sd: FloatArray
    locations: FloatArray


def class_shares(
    found: Mixture,
    told: Witnessed,
    edges: FloatArray,
    noise_rel_sd: float,
    scale_rel_sd: float,
    anchor: int | None,
) -> Shares:
    """Return the shares between mass bounds, and how well they are known.

    A peak counts for a class by the part of its lengths that lies there.

    Parameters
    ----------
    found : Mixture
    told : Witnessed
        What it was fitted to.
    edges : array, shape (5,)
        Ends and bounds of the classes, Da; cells of the mixture do not cross them.
    noise_rel_sd, scale_rel_sd : float
        Relative SD of the charge noise, and of the scale of masses.
    anchor : int or None
        The peak from which the bounds are counted: they move with it.

    Returns
    -------
    Shares
    """
    state = found.state
    at = basis(found, told)
    inside, slope = _membership(state, edges)
    owner = np.clip(np.searchsorted(edges, found.given.centres[at.some], side="right") - 1, 0, 3)
    member = np.vstack([inside, np.eye(4)[owner]])
    value = at.share @ member
    moved = slope * state.share[:, None]
    reference = 0.0
    by_location = moved.copy()
    if anchor is not None:
        by_location[anchor] -= moved.sum(axis=0)
        reference = float(state.location[anchor])
    unit = found.given.blur
    rest = np.zeros((len(moved) + len(told.agree), 4))
    gradient = np.vstack([member - value, by_location * unit, rest])
    known, _ = noisy_covariance(at.information(), len(told.agree), noise_rel_sd)
    by_scale = (state.location - reference) @ moved - _flow(found, edges, reference)
    covariance = gradient.T @ known @ gradient + scale_rel_sd**2 * np.outer(by_scale, by_scale)
    ions = found.given.points.ions
    least = value * (1 - value) / ions
    covariance[np.diag_indices(4)] = np.maximum(covariance.diagonal(), least)
    blank = np.array([_blank_sd(at, noise_rel_sd, member[:, j], edges[j : j + 2]) for j in range(4)])
    for j in np.flatnonzero(value * ions < 1):  # not seen: its neighbour may hold it
        beside = max((i for i in (j - 1, j + 1) if 0 <= i < 4), key=lambda i: value[i])
        swap = np.eye(4)[j] - np.eye(4)[beside]
        covariance = covariance + blank[j] ** 2 * np.outer(swap, swap)
    k, c = len(moved), len(member)
    return Shares(value, covariance, blank, unit**2 * known[c : c + k, c : c + k])


def effective_interval(value: float, variance: float, n: int, z: float) -> tuple[float, float]:
    """Return Wilson's interval for the number of ions whose counting would vary as much.

    Examples
    --------
    >>> [round(x, 4) for x in effective_interval(0.3, 0.3 * 0.7 / 1000, 1000, 1.959964)]
    [0.2724, 0.3291]
    """
    # at a share below its own SD the variance is that of a share of one SD, not of next to none
    least = max(1 / n, min(math.sqrt(variance), 0.5))
    p = min(max(value, least), 1 - least)
    size = min(p * (1 - p) / variance, float(n)) if variance > 0 else float(n)
    q = z * z / size
    centre, half = (value + q / 2) / (1 + q), math.sqrt(value * (1 - value) * q + q * q / 4) / (1 + q)
    # rounding must not put the value outside
    return min(max(centre - half, 0.0), value), max(min(centre + half, 1.0), value)


def _membership(state: State, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the part of each peak in each class, and its derivative in the location."""
    width = np.maximum(np.sqrt(state.width2), LEAST_WIDTH)[:, None]
    at = (edges[1:-1] - state.location[:, None]) / width
    below = np.hstack([np.zeros((len(at), 1)), special.ndtr(at), np.ones((len(at), 1))])
    rate = -np.exp(-0.5 * at**2) / (math.sqrt(2 * math.pi) * width)
    none = np.zeros((len(at), 1))
    return np.diff(below, axis=1), np.diff(np.hstack([none, rate, none]), axis=1)


def _flow(found: Mixture, edges: FloatArray, reference: float) -> FloatArray:
    """Return how much of the remainder each class would gain by bounds moved up in proportion."""
    density = found.state.cells / np.diff(found.given.edges)
    gain = np.zeros(4)
    for j, bound in enumerate(edges[1:-1]):
        right = int(np.searchsorted(found.given.edges, bound * (1 - 1e-12)))
        near = float(density[max(right - 1, 0) : right + 1].mean()) * (bound - reference)
        gain[j] += near
        gain[j + 1] -= near
    return -gain


def _blank_sd(at: Basis, noise_rel_sd: float, member: FloatArray, bounds: FloatArray) -> float:
    """Return the SD of a class's share in ions that have none of it.

    The information is what ions drawn from the fit without the class would have: each ion counts
    by the ratio of its density there to that in the fit.
    """
    here, given = member > 0.5, at.found.given
    share = float(at.share[here].sum())
    if share > 0:
        stand_in = at.density[:, here] @ at.share[here] / share
    else:
        stand_in = problem(given.points, given.nodes, as_input(bounds), False).cells[:, 0]
    known, _ = noisy_covariance(at.information(here, stand_in), len(at.told.agree), noise_rel_sd)
    missing = max(float((given.points.weight * (1 - stand_in / at.total)).sum()), 0.0)
    variance = max(float(known[0, 0]), 0.0)
    return _one_sided_sd(variance, missing)


def _one_sided_sd(variance: float, missing: float) -> float:
    """Return the SD whose 95 % limit is that of a share w at log-likelihood −g w − w²/2v.

    Where the class would be and no ion is, ions tell nothing by their scores, and all by their
    absence: the likelihood falls from its maximum at w = 0 by the g ions that are missing.

    Examples
    --------
    >>> round(_one_sided_sd(0.01, 0.0), 3)
    0.1
    >>> round(_one_sided_sd(1e6, 1000.0) * math.sqrt(6), 4)
    0.003
    """
    if variance == 0:
        return 0.0
    limit = 6 / (missing + math.sqrt(missing**2 + 6 / variance))  # 3 = −ln 0.05
    return limit / math.sqrt(6)
