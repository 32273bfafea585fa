"""From a distribution to resolved species: as few as explain the scans, off the grid, one shape law.

c(s) by non-negative least squares puts a little of the noise at every s, always with the same
sign: a class with 3 % of the signal loses a tenth of its particles to it. So the clusters of c(s)
that the data do not ask for are left out by their χ², and the s of the others is fitted together
with the cell, the shape and the amounts of each channel. Channels (cells, speeds, wavelengths)
share species and shape; each has amounts of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from aavqc.auc.cs import Fitted
from aavqc.auc.search import Found, Free, Parameters, Problem, joint_slopes, search
from aavqc.records import BoolArray, FloatArray

KEEP = 10.0
"""χ² that a species must take away to be kept: about three standard deviations of s and amount."""

DETECTED = 3.3
"""Standard deviations of an amount whose truth is 0: ICH Q2."""

RUNS_INTO, LONG = 3.0, 4
"""Species nearer to the next than so many diffusional widths, so many in a row, are a smear."""

FINE = 1e-6
"""A search ends where a step lowers χ² by less than this share."""


@dataclass(frozen=True)
class Resolved:
    """Species, ascending in s, with the joint covariance of all that was fitted.

    Attributes
    ----------
    s : array, shape (n,)
        In S.
    amounts : array, shape (channels, n)
        Loading signal.
    found : Found
        Cell and shape.
    free : list of Free
        Which parameters, in the order of the covariance after the amounts.
    covariance : array, shape (channels · n + free, channels · n + free)
        Of the amounts (channel by channel), then of the free parameters.
    smeared : tuple of int
        Species that, with the next, belong to material without gaps rather than to peaks.
    """

    s: FloatArray
    amounts: FloatArray
    found: Found
    free: list[Free]
    covariance: FloatArray
    smeared: tuple[int, ...] = ()


def resolve(
    problem: Problem, fitted: Sequence[Fitted], start: Parameters, free: Sequence[Free]
) -> Resolved | None:
    """Resolve the species of a sample.

    Parameters
    ----------
    problem : Problem
        All scans and radii.
    fitted : sequence of Fitted
        c(s) of each channel, all on one grid.
    start : Parameters
    free : sequence of Free
        What is fitted of cell and shape.

    Returns
    -------
    Resolved, or None where nothing stands out of the noise.
    """
    s = np.array(_clusters(problem, fitted))
    if not s.size:
        return None
    found = search(problem, s, start, [*free, *_species(s)], FINE)
    while not (kept := _kept(problem, found)).all():
        if not kept.any():
            return None
        found = search(problem, found.s[kept], found.best, [*free, *_species(found.s[kept])], FINE)
    found = _ascending(found)
    every = [*[f for f in free if f in found.sd], *_species(found.s)]
    return Resolved(found.s, found.amounts, found, every, _covariance(problem, found, every))


def one_more(
    problem: Problem, resolved: Resolved, s: FloatArray, without: Collection[int] = ()
) -> tuple[FloatArray, FloatArray]:
    """Return the amount of one more species, all else fitted with it, and its SD.

    Parameters
    ----------
    problem : Problem
    resolved : Resolved
    s : array, shape (n,)
        Where it is tried, in S; each alone.
    without : collection of int
        Species that are left out as if they had not been found; the amounts are then no estimate.

    Returns
    -------
    amounts, sds : array, shape (channels, n)
        Amounts by one step from the fit: they can be below 0.
    """
    found, free = resolved.found, resolved.free
    n, count = resolved.s.size, len(problem.channels)
    kept = [k for k in range(n) if k not in without]
    others = [i for i, f in enumerate(free) if f[0] != "s" or f[1] not in without]
    rows = [*kept, *(n + i for i in others)]
    size = count * len(kept) + len(others)
    normal, at = np.zeros((size, size)), []
    slopes = [part[rows] for part in joint_slopes(problem, found, free)]
    for c, part in enumerate(slopes):
        here = np.r_[c * len(kept) : (c + 1) * len(kept), count * len(kept) : size]
        normal[np.ix_(here, here)] += part @ part.T
        at.append(here)
    for i, f in enumerate(free[i] for i in others):
        if f in problem.prior:
            normal[count * len(kept) + i, count * len(kept) + i] += problem.prior[f][1] ** -2
    inverse = np.linalg.pinv(normal, hermitian=True)
    data, fitted = problem.data(), problem.columns(found.s, found.best)
    amounts, sds = [], []
    for c, columns in enumerate(problem.columns(s, found.best)):
        across = slopes[c] @ columns.T
        taken = np.einsum("ik,ij,jk->k", across, inverse[np.ix_(at[c], at[c])], across)
        seen = np.maximum((columns**2).sum(axis=1) - taken, 1e-300)
        amounts.append(columns @ (data[c] - found.amounts[c] @ fitted[c]) / seen)
        sds.append(np.sqrt(found.cost / problem.points / seen))
    return np.array(amounts), np.array(sds)


def smeared_in(s: FloatArray, width: FloatArray) -> tuple[int, ...]:
    """Return which species run into the next: ``LONG`` or more in a row, none resolved from the next.

    Parameters
    ----------
    s, width : array, shape (n,)
        Ascending, and what diffusion spreads each by, in S.
    """
    close = np.diff(s) < RUNS_INTO * 0.5 * (width[1:] + width[:-1])
    rows = np.split(np.arange(close.size), np.flatnonzero(~close))
    chains = [[i for i in row.tolist() if close[i]] for row in rows]
    return tuple(i for chain in chains if len(chain) >= LONG - 1 for i in chain)


def _ascending(found: Found) -> Found:
    """Return species that may have passed each other in the order of s, standard errors with them."""
    order = np.argsort(found.s, kind="stable")
    place = np.argsort(order, kind="stable").tolist()
    sd = {("s", place[f[1]]) if f[0] == "s" else f: error for f, error in found.sd.items()}
    return Found(found.best, sd, found.s[order], found.amounts[:, order], found.cost)


def _species(s: FloatArray) -> list[Free]:
    return [("s", k) for k in range(s.size)]


def _clusters(problem: Problem, fitted: Sequence[Fitted]) -> list[float]:
    """Return the s of the clusters of c(s) that the data ask for."""
    s = fitted[0].s
    sds = [c.noise_sd for c in problem.channels]
    weight = np.sum([f.amounts / sd for f, sd in zip(fitted, sds, strict=True)], axis=0)
    active = np.flatnonzero(weight > 0)
    if not active.size:
        return []
    groups = np.split(active, np.flatnonzero(np.diff(active) > 2) + 1)
    supports = [np.arange(max(g[0] - 1, 0), min(g[-1] + 2, s.size)) for g in groups]

    def cost(chosen: list[FloatArray]) -> tuple[float, FloatArray]:
        columns = np.unique(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=int)
        total, weight = 0.0, np.zeros(s.size)
        for f, sd in zip(fitted, sds, strict=True):
            amounts, rest = _least_squares(f.normal.factor[:, columns], f.normal.right)
            weight[columns] += amounts / sd
            total += (rest / sd) ** 2
        return total, weight

    now, weight = cost(supports)
    while supports:
        without = [cost(supports[:i] + supports[i + 1 :])[0] for i in range(len(supports))]
        least = int(np.argmin(without))
        if without[least] - now > KEEP:
            break
        del supports[least]
        now, weight = cost(supports)
    centres = []
    for support in supports:
        share = weight[support]
        if share.sum() > 0:
            centres.append(float((s[support] * share).sum() / share.sum()))
    return centres


def _kept(problem: Problem, found: Found) -> BoolArray:
    """Say which species the data ask for, the cell and the shape held."""
    columns, data = problem.columns(found.s, found.best), problem.data()
    rise = np.zeros(found.s.size)
    for c, y in zip(columns, data, strict=True):
        gram, right = c @ c.T, c @ y
        factor = np.linalg.cholesky(gram + 1e-12 * np.trace(gram) * np.eye(len(gram))).T
        q = np.linalg.solve(factor.T, right)
        whole = _least_squares(factor, q)[1] ** 2
        for k in range(found.s.size):
            rise[k] += _least_squares(np.delete(factor, k, axis=1), q)[1] ** 2 - whole
    kept = np.ones(found.s.size, dtype=bool)
    if rise.min() <= KEEP:
        kept[int(np.argmin(rise))] = False
    return kept


def _least_squares(columns: FloatArray, right: NDArray[np.floating[Any]]) -> tuple[FloatArray, float]:
    """Return non-negative amounts and the norm that they leave; scipy's crashes on no columns."""
    if columns.shape[1] == 0:
        return np.zeros(0), float(np.linalg.norm(right))
    amounts, rest = nnls(columns, right)
    return amounts, float(rest)


def _covariance(problem: Problem, found: Found, free: Sequence[Free]) -> FloatArray:
    """Return the joint covariance of amounts and free parameters, by the noise that is left."""
    channels, n = found.amounts.shape
    size = channels * n + len(free)
    normal = np.zeros((size, size))
    for c, rows in enumerate(joint_slopes(problem, found, free)):
        at = np.concatenate([np.arange(c * n, (c + 1) * n), np.arange(channels * n, size)])
        normal[np.ix_(at, at)] += rows @ rows.T
    for i, f in enumerate(free):
        if f in problem.prior:
            normal[channels * n + i, channels * n + i] += problem.prior[f][1] ** -2
    covariance: FloatArray = np.linalg.pinv(normal, hermitian=True) * max(found.cost / problem.points, 1e-300)
    return covariance
