"""Fit meniscus and shape by variable projection: Gauss–Newton on what c(s) leaves over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from aavqc.auc.cell import SignalGrid
from aavqc.auc.cs import basis, normal_equations, project, solve
from aavqc.records import FloatArray

MAX_ITERATIONS = 12
ShapeToD = Callable[[FloatArray, float], FloatArray]


@dataclass(frozen=True)
class Parameters:
    """Meniscus (cm) and shape: frictional ratio, or radius in nm."""

    meniscus: float
    shape: float


@dataclass(frozen=True)
class Found:
    """The best parameters, their standard errors, and the amounts at each s."""

    best: Parameters
    meniscus_sd: float
    shape_sd: float
    amounts: FloatArray


COARSE = 50
"""Values of s on the geometric grid of the first look."""


def first_look(
    grid: SignalGrid,
    to_d: ShapeToD,
    start: Parameters,
    bounds: tuple[Parameters, Parameters],
    bottom: float,
    noise: list[str],
    free: list[str],
) -> tuple[float, float, float]:
    """Find the range of s that the data show, and the meniscus, on a geometric grid of s.

    The grid goes from what moves 0.05 cm in the whole run to what crosses the column within
    the first tenth of the scans. The range holds all but 0.5 % of the signal at either end
    (less what does not move, which a baseline explains as well), and a margin.

    Returns
    -------
    low, high : float
        In S.
    meniscus : float
        In cm.
    """
    slowest = 1e13 * np.log1p(0.05 / start.meniscus) / grid.w[-1]
    early = grid.w[max(2, grid.w.size // 10)]
    fastest = max(1e13 * np.log(grid.radii[-1] / start.meniscus) / early, 4.0 * slowest)
    s = np.geomspace(slowest, fastest, COARSE)
    found = search(grid, s, to_d, start, bounds, bottom, noise, free)
    moving = np.where(s > 1.5 * slowest, found.amounts, 0.0)
    if moving.sum() <= 0:
        return float(s[0]), float(s[-1]), found.best.meniscus
    share = np.cumsum(moving) / moving.sum()
    first = s[np.searchsorted(share, 0.005)]
    last = s[min(int(np.searchsorted(share, 0.995)), s.size - 1)]
    return float(max(0.3 * first, slowest)), float(1.35 * last), found.best.meniscus


def refine(s: FloatArray, amounts: FloatArray) -> FloatArray:
    """Return a grid that is four times finer beside the s where material was found.

    Too wide a grid costs the shape its accuracy: diffusion then has to fill the gaps.
    """
    points = [s[::4]]
    for k in np.flatnonzero(amounts > 1e-3 * amounts.sum()).tolist():
        points.append(np.linspace(s[max(k - 1, 0)], s[min(k + 1, s.size - 1)], 9))
    return np.unique(np.round(np.concatenate(points), 9))


def thin(grid: SignalGrid, scans: int = 40, points: int = 250) -> SignalGrid:
    """Return every n-th scan and radius: enough to find two parameters."""
    rows = np.unique(np.linspace(0, grid.w.size - 1, min(scans, grid.w.size)).astype(int))
    every = max(grid.radii.size // points, 1)
    return replace(
        grid,
        w=grid.w[rows],
        radii=grid.radii[::every].copy(),
        signal=grid.signal[rows][:, ::every].copy(),
    )


def search(
    grid: SignalGrid,
    s: FloatArray,
    to_d: ShapeToD,
    start: Parameters,
    bounds: tuple[Parameters, Parameters],
    bottom: float,
    noise: list[str],
    free: list[str],
) -> Found:
    """Minimise the rmsd of an unregularised c(s) over meniscus and shape.

    For fixed parameters the amounts follow by NNLS; the residual's derivative in a parameter
    is that of the model with amounts held, less what the active columns can take up (Kaufman
    1975 BIT 15:49). Steps are halved until the fit improves.
    """
    data = project(grid.signal.copy(), noise)

    def model(p: Parameters) -> FloatArray:
        return project(basis(grid, s, to_d(s, p.shape), p.meniscus, bottom), noise)

    def evaluate(p: Parameters) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        columns = model(p)
        normal = normal_equations(columns, data)
        amounts = solve(normal)
        residual = data.ravel() - amounts @ columns.reshape(s.size, -1)
        return columns, amounts, residual, float(residual @ residual)

    low, high = bounds
    steps = {"meniscus": 1e-3, "shape": 0.02 * start.shape}
    current = start
    columns, amounts, residual, cost = evaluate(current)
    sd = dict.fromkeys(steps, 0.0)
    for _ in range(MAX_ITERATIONS):
        if not free:
            break
        active = columns[amounts > 0].reshape(int((amounts > 0).sum()), -1)
        base = amounts @ columns.reshape(s.size, -1)
        slopes = []
        for name in free:
            moved = replace(current, **{name: getattr(current, name) + steps[name]})
            slope = (amounts @ model(moved).reshape(s.size, -1) - base) / steps[name]
            slopes.append(
                slope - active.T @ np.linalg.lstsq(active @ active.T, active @ slope, rcond=1e-12)[0]
            )
        jacobian = np.array(slopes)
        normal = jacobian @ jacobian.T
        if np.linalg.matrix_rank(normal) < len(free):
            break
        sigma2 = cost / residual.size
        sd |= dict(zip(free, np.sqrt(sigma2 * np.diag(np.linalg.inv(normal))), strict=True))
        change = np.linalg.solve(normal, jacobian @ residual)
        improved = False
        for _ in range(6):
            moved = replace(
                current,
                **{
                    n: float(np.clip(getattr(current, n) + c, getattr(low, n), getattr(high, n)))
                    for n, c in zip(free, change, strict=True)
                },
            )
            trial = evaluate(moved)
            if trial[3] < cost:
                improved = True
                break
            change = change / 2
        if not improved:
            break
        gain = 1 - trial[3] / cost
        current, (columns, amounts, residual, cost) = moved, trial
        if gain < 1e-4:
            break
    return Found(current, float(sd["meniscus"]), float(sd["shape"]), amounts)
