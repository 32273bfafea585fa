"""How well the shares of a mixture are known: the information in the ions' scores.

Each ion's score is the gradient of its log-density in the parameters: shares, locations, charge
noise, widths. The inverse of the summed squares is the covariance of the estimates, with what is
known of noise and widths from elsewhere added as a prior: so the overlap of neighbours, and not
counting alone, makes an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from aavqc.cdms.em import State, problem, slopes
from aavqc.cdms.mixture import Mixture
from aavqc.kernels import as_input
from aavqc.kernels.mixture import information
from aavqc.records import FloatArray

WIDTH_REL_SD = 0.5
"""Relative SD of the width of a peak of mixed lengths, beside the shape's."""

LEAST_WIDTH = 10e3
"""Da by which the membership of a peak near a bound passes from one class to the next."""

NUDGE = 1e-3
"""Relative step of numerical derivatives."""


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


@dataclass(frozen=True)
class _Scores:
    """Densities of components, derivatives in the other parameters, and the density in all."""

    density: FloatArray
    others: FloatArray
    total: FloatArray
    prior: FloatArray


def class_shares(
    found: Mixture, edges: FloatArray, noise_rel_sd: float, scale_rel_sd: float, anchor: int | None
) -> Shares:
    """Return the shares between mass bounds, and how well they are known.

    A peak counts for a class by the part of its lengths that lies there.

    Parameters
    ----------
    found : Mixture
    edges : array, shape (5,)
        Ends and bounds of the classes, Da; cells of the mixture do not cross them.
    noise_rel_sd, scale_rel_sd : float
        Relative SD of the ions' errors, and of the scale of masses.
    anchor : int or None
        The peak from which the bounds are counted: they move with it.

    Returns
    -------
    Shares
    """
    state = found.state
    some = np.flatnonzero(state.cells > 1e-7)
    inside, slope = _membership(state, edges)
    owner = np.clip(np.searchsorted(edges, found.given.centres[some], side="right") - 1, 0, 3)
    member = np.vstack([inside, np.eye(4)[owner]])
    weight = np.concatenate([state.share, state.cells[some]])
    weight = weight / weight.sum()
    value = weight @ member
    scores = _scores(found, some, noise_rel_sd)
    moved = slope * state.share[:, None]
    reference = 0.0
    by_location = moved.copy()
    if anchor is not None:
        by_location[anchor] -= moved.sum(axis=0)
        reference = float(state.location[anchor])
    unit = found.given.blur
    rest = np.zeros((scores.others.shape[1] - len(moved), 4))
    gradient = np.vstack([member - value, by_location * unit, rest])
    columns = np.hstack([scores.density, scores.others]) / scores.total[:, None]
    known = _covariance(columns, found.given.points.weight, scores.prior)
    by_scale = (state.location - reference) @ moved - _flow(found, edges, reference)
    covariance = gradient.T @ known @ gradient + scale_rel_sd**2 * np.outer(by_scale, by_scale)
    ions = found.given.points.ions
    least = value * (1 - value) / ions
    covariance[np.diag_indices(4)] = np.maximum(covariance.diagonal(), least)
    blank = np.array([_blank_sd(found, scores, weight, member[:, j], edges[j : j + 2]) for j in range(4)])
    for j in np.flatnonzero(value * ions < 1):  # not seen: its neighbour may hold it
        beside = max((i for i in (j - 1, j + 1) if 0 <= i < 4), key=lambda i: value[i])
        swap = np.eye(4)[j] - np.eye(4)[beside]
        covariance = covariance + blank[j] ** 2 * np.outer(swap, swap)
    k, c = len(moved), len(weight)
    return Shares(value, covariance, blank, unit**2 * known[c : c + k, c : c + k])


def effective_interval(value: float, variance: float, n: int, z: float) -> tuple[float, float]:
    """Return Wilson's interval for the number of ions whose counting would vary as much.

    Examples
    --------
    >>> [round(x, 4) for x in effective_interval(0.3, 0.3 * 0.7 / 1000, 1000, 1.959964)]
    [0.2724, 0.3291]
    """
    p = min(max(value, 1 / n), 1 - 1 / n)
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


def _scores(found: Mixture, some: NDArray[np.int64], noise_rel_sd: float) -> _Scores:
    given, state = found.given, found.state
    k = state.share.size
    at = slopes(given, state)
    noisier = replace(given.points, variance=given.points.variance * (1 + NUDGE) ** 2)
    louder = slopes(problem(noisier, given.nodes, given.edges, given.free_width), state)
    by_noise = (louder.total - at.total) / NUDGE
    by_width = (2 * state.width2 * at.by_width2).sum(axis=1)
    prior = np.zeros(2 * k + some.size + 2)
    prior[-2:] = 1 / max(noise_rel_sd, 1e-3) ** 2, 1 / WIDTH_REL_SD**2
    return _Scores(
        np.hstack([at.density[:, :k], at.density[:, k + some]]),
        # locations in units of the blur: numbers of one size, so that none is taken for nothing
        np.column_stack([given.blur * at.by_location, by_noise, by_width]),
        at.total,
        prior,
    )


def _covariance(columns: FloatArray, weight: FloatArray, prior: FloatArray) -> FloatArray:
    """Return the inverse of the information in scores."""
    gradient, known = np.empty(prior.size), np.empty((prior.size, prior.size))
    information(as_input(columns), as_input(weight), gradient, known)
    known += np.diag(prior)
    diagonal = known.diagonal()
    told = diagonal > 1e-12 * diagonal.max()  # of the others the ions say nothing: no peak is there
    scale = np.sqrt(diagonal[told])
    scaled = known[np.ix_(told, told)] / np.outer(scale, scale)
    covariance = np.zeros(known.shape)
    covariance[np.ix_(told, told)] = np.linalg.inv(scaled + 1e-9 * np.eye(scale.size)) / np.outer(
        scale, scale
    )
    return covariance


def _blank_sd(
    found: Mixture, scores: _Scores, weight: FloatArray, member: FloatArray, bounds: FloatArray
) -> float:
    """Return the SD of a class's share in ions that have none of it.

    The information is what ions drawn from the fit without the class would have: each ion counts
    by the ratio of its density there to that in the fit.
    """
    here, k = member > 0.5, scores.others.shape[1] - 2
    share = float(weight[here].sum())
    if share > 0:
        stand_in = scores.density[:, here] @ weight[here] / share
    else:
        edges = as_input(bounds)
        stand_in = problem(found.given.points, found.given.nodes, edges, False).cells[:, 0]
    without = np.maximum(scores.total - share * stand_in, 1e-9 * scores.total)
    keep = np.concatenate([~here, ~here[:k], [True, True]])
    columns = np.hstack([scores.density, scores.others])[:, keep]
    columns = np.column_stack([columns, stand_in]) / without[:, None]
    prior = np.append(scores.prior[keep], 0.0)
    weight_of = found.given.points.weight
    counted = weight_of * without / scores.total
    variance = max(float(_covariance(columns, counted, prior)[-1, -1]), 0.0)
    missing = max(float((weight_of * (1 - stand_in / scores.total)).sum()), 0.0)
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
