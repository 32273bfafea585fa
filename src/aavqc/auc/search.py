"""Fit meniscus, bottom and shape by variable projection: Gauss–Newton on what c(s) leaves over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aavqc.auc.cs import basis, project
from aavqc.auc.grid import SignalGrid
from aavqc.auc.models import ShapeToD
from aavqc.auc.normal import normal_equations, solve
from aavqc.errors import AssayError
from aavqc.records import FloatArray

MAX_ITERATIONS = 12

COARSE_GAIN, FINE_GAIN = 1e-3, 1e-4
"""A search ends where a step lowers χ² by less, on a provisional and on the final grid of s."""

COARSE = 50
"""Values of s on the geometric grid of the first look."""

STEPS = {"meniscus": 1e-3, "bottom": 2e-3}
"""For numerical derivatives, in cm; of the shape: 2 %."""

BLIND_CM = 0.02
"""A bottom whose standard error is larger is not seen in the fit range, and is left as found."""


@dataclass(frozen=True)
class Parameters:
    """Meniscus and bottom (cm), and shape: frictional ratio, or radius in nm."""

    meniscus: float
    bottom: float
    shape: float


@dataclass(frozen=True)
class Problem:
    """What does not change during a search: the data, and how a shape becomes D."""

    grid: SignalGrid
    to_d: ShapeToD
    low: Parameters
    high: Parameters
    noise: list[str]

    def columns(self, s: FloatArray, p: Parameters) -> FloatArray:
        """Return the projected basis, shape (s, scans, points)."""
        return project(
            basis(self.grid, s, self.to_d(s, p.shape), p.meniscus, p.bottom), self.noise, self.grid.seen
        )


@dataclass(frozen=True)
class Found:
    """The best parameters, the standard errors of the free ones, and the amounts at each s."""

    best: Parameters
    sd: dict[str, float]
    amounts: FloatArray


def first_look(problem: Problem, start: Parameters, free: Sequence[str]) -> tuple[float, float, Parameters]:
    """Find the range of s that the data show, and the cell, on a geometric grid of s.

    The grid goes from what moves 0.05 cm in the whole run to what crosses the column within
    the first tenth of the scans. The range holds all but 0.5 % of the signal at either end
    (less what hardly moves or is gone at once, which a baseline explains as well), and a margin.

    Returns
    -------
    low, high : float
        In S.
    best : Parameters
        To go on from.
    """
    grid = problem.grid
    slowest = slowest_seen(grid, start.meniscus)
    early = grid.w[max(2, grid.w.size // 10)]
    fastest = max(1e13 * np.log(grid.radii[-1] / start.meniscus) / early, 4.0 * slowest)
    s = np.geomspace(slowest, fastest, COARSE)
    found = search(problem, s, start, [name for name in free if name != "shape"], COARSE_GAIN)
    # once more on a grid that is finer where material is: what too wide a grid can't fit it
    # makes up at the ends, where a little of anything looks like a baseline
    s = refine(s, found.amounts)
    found = search(problem, s, found.best, free, COARSE_GAIN)
    moving = np.where((s > 1.5 * slowest) & (s < fastest / 1.5), found.amounts, 0.0)
    if moving.sum() <= 0:
        return float(s[0]), float(s[-1]), found.best
    share = np.cumsum(moving) / moving.sum()
    first = s[np.searchsorted(share, 0.005)]
    last = s[min(int(np.searchsorted(share, 0.995)), s.size - 1)]
    return float(max(0.3 * first, slowest)), float(1.35 * last), found.best


def search(
    problem: Problem, s: FloatArray, start: Parameters, free: Sequence[str], least_gain: float = FINE_GAIN
) -> Found:
    """Minimise the rmsd of an unregularised c(s) over the free parameters.

    For fixed parameters the amounts follow by NNLS; the residual's derivative in a parameter
    is that of the model with amounts held, less what the active columns can take up (Kaufman
    1975 BIT 15:49). Steps are shortened until the fit improves.

    Parameters
    ----------
    problem : Problem
    s : array, shape (n,)
        In S.
    start : Parameters
    free : sequence of str
        Names of :class:`Parameters`.
    least_gain : float
        Ends the search: a smaller relative gain of χ².
    """
    data = project(problem.grid.signal.copy(), problem.noise, problem.grid.seen)
    free = list(free)
    sd: dict[str, float] = {}
    current = start
    columns, amounts, residual, cost = _evaluate(problem, data, s, current)
    for _ in range(MAX_ITERATIONS):
        if not amounts.any():
            break
        jacobian = _jacobian(problem, s, current, columns, amounts, free)
        errors = _standard_errors(jacobian, cost / problem.grid.points)
        if "bottom" in free and not errors[free.index("bottom")] < BLIND_CM:
            free.remove("bottom")
            jacobian = _jacobian(problem, s, current, columns, amounts, free)
            errors = _standard_errors(jacobian, cost / problem.grid.points)
        if not free or not np.all(np.isfinite(errors)):
            break
        sd = dict(zip(free, errors.tolist(), strict=True))
        gradient = jacobian @ residual
        change = np.asarray(np.linalg.solve(jacobian @ jacobian.T, gradient), dtype=np.float64)
        if gradient @ change < 0.1 * least_gain * cost:
            break
        for _ in range(3):
            moved = _moved(problem, current, free, change)
            trial = _evaluate(problem, data, s, moved)
            if trial[3] < cost:
                break
            change = change / 4
        else:
            break
        gain = 1 - trial[3] / cost
        current, (columns, amounts, residual, cost) = moved, trial
        if gain < least_gain:
            break
    return Found(current, sd, amounts)


def slowest_seen(grid: SignalGrid, meniscus: float) -> float:
    """Return the s (in S) of what moves 0.05 cm in the whole run."""
    return float(1e13 * np.log1p(0.05 / meniscus) / grid.w[-1])


def refine(s: FloatArray, amounts: FloatArray) -> FloatArray:
    """Return a grid that is four times finer beside the s where material was found.

    Too wide a grid costs the shape its accuracy: diffusion then has to fill the gaps.
    """
    points = [s[::4]]
    for k in np.flatnonzero(amounts > 1e-3 * amounts.sum()).tolist():
        points.append(np.linspace(s[max(k - 1, 0)], s[min(k + 1, s.size - 1)], 9))
    return np.unique(np.round(np.concatenate(points), 9))


def thin(grid: SignalGrid, scans: int = 40, points: int = 250) -> SignalGrid:
    """Return every n-th scan and radius: enough to find a few parameters."""
    rows = np.unique(np.linspace(0, grid.w.size - 1, min(scans, grid.w.size)).astype(int))
    every = max(grid.radii.size // points, 1)
    return replace(
        grid,
        w=grid.w[rows],
        radii=grid.radii[::every].copy(),
        signal=grid.signal[rows][:, ::every].copy(),
        seen=None if grid.seen is None else grid.seen[rows][:, ::every].copy(),
    )


def _evaluate(
    problem: Problem, data: FloatArray, s: FloatArray, p: Parameters
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    columns = problem.columns(s, p)
    amounts = solve(normal_equations(columns, data))
    residual = data.ravel() - amounts @ columns.reshape(s.size, -1)
    return columns, amounts, residual, float(residual @ residual)


def _jacobian(
    problem: Problem,
    s: FloatArray,
    current: Parameters,
    columns: FloatArray,
    amounts: FloatArray,
    free: Sequence[str],
) -> FloatArray:
    """Slopes of the model in each free parameter, free of the active columns."""
    used = amounts > 0
    if not used.any():
        raise AssayError("no sedimenting material was found", expected="a boundary that moves")
    active = columns[used].reshape(int(used.sum()), -1)
    base = amounts[used] @ active
    slopes = np.empty((len(free), base.size))
    for i, name in enumerate(free):
        step = STEPS.get(name, 0.02 * current.shape)
        moved = problem.columns(s[used], replace(current, **{name: getattr(current, name) + step}))
        slope = (amounts[used] @ moved.reshape(active.shape) - base) / step
        slopes[i] = slope - active.T @ np.linalg.lstsq(active @ active.T, active @ slope, rcond=1e-12)[0]
    return slopes


def _standard_errors(jacobian: FloatArray, variance: float) -> FloatArray:
    """Standard errors of the parameters; infinite where the data do not see one."""
    normal = jacobian @ jacobian.T
    if normal.size == 0 or np.linalg.matrix_rank(normal) < len(normal):
        return np.full(len(normal), np.inf)
    errors: FloatArray = np.sqrt(variance * np.diag(np.linalg.inv(normal)))
    return errors


def _moved(problem: Problem, current: Parameters, free: Sequence[str], change: FloatArray) -> Parameters:
    def clipped(name: str, by: float) -> float:
        value = getattr(current, name) + by
        return float(np.clip(value, getattr(problem.low, name), getattr(problem.high, name)))

    return replace(current, **{name: clipped(name, by) for name, by in zip(free, change, strict=True)})
