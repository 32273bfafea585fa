"""Fit the cell, the shape and species by variable projection: Gauss–Newton on what amounts leave over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aavqc.auc.channels import Channel
from aavqc.auc.cs import basis, project
from aavqc.auc.grid import SignalGrid
from aavqc.auc.models import ShapeToD
from aavqc.auc.normal import normal_equations, solve
from aavqc.records import FloatArray

MAX_ITERATIONS = 12

COARSE_GAIN, FINE_GAIN = 1e-3, 1e-4
"""A search ends where a step lowers χ² by less, on a provisional and on the final grid of s."""

COARSE = 50
"""Values of s on the geometric grid of the first look."""

STEPS = {"meniscus": 1e-3, "bottom": 2e-3, "growth": 1e-2}
"""For numerical derivatives, in cm and as it is; of the shape 2 %, of s 0.1 %."""

DAMPING = (0.0, 0.1, 1.0, 10.0)
"""Levenberg and Marquardt: how a step is shortened that did not improve the fit."""

BLIND_CM = 0.02
"""A bottom whose standard error is larger is not seen in the fit range, and is left as found."""

Free = tuple[str, int]
"""A fitted parameter: ``meniscus`` or ``bottom`` of a cell, ``shape``, ``growth``, ``s`` of a species."""


@dataclass(frozen=True)
class Parameters:
    """Meniscus and bottom (cm) of each cell; shape, a frictional ratio or a radius in nm; its growth."""

    meniscus: tuple[float, ...]
    bottom: tuple[float, ...]
    shape: float
    growth: float = 0.0

    def get(self, free: Free) -> float:
        """Return one parameter."""
        name, cell = free
        value = getattr(self, name)
        return float(value[cell] if isinstance(value, tuple) else value)

    def having(self, free: Free, value: float) -> Parameters:
        """Return these with another value of one."""
        name, cell = free
        old = getattr(self, name)
        new: Any = (*old[:cell], value, *old[cell + 1 :]) if isinstance(old, tuple) else value
        return replace(self, **{name: new})


@dataclass(frozen=True)
class Problem:
    """What does not change during a search: the data, and how a shape becomes D.

    ``prior`` holds means and SDs of parameters of which something is known beforehand.
    """

    channels: tuple[Channel, ...]
    to_d: ShapeToD
    low: Parameters
    high: Parameters
    prior: Mapping[Free, tuple[float, float]]

    def columns(self, s: FloatArray, p: Parameters, which: Sequence[int] | None = None) -> list[FloatArray]:
        """Return the projected basis of each channel, shape (s, scans · points), over the noise."""
        d = self.to_d(s, p.shape, p.growth)
        found = []
        for i, c in enumerate(self.channels):
            if which is not None and i not in which:
                found.append(np.zeros((s.size, c.grid.signal.size)))
                continue
            one = project(basis(c.grid, s, d, p.meniscus[c.cell], p.bottom[c.cell]), c.noise, c.grid.seen)
            one /= c.noise_sd
            found.append(one.reshape(s.size, -1))
        return found

    @property
    def points(self) -> int:
        """Number of data points."""
        return sum(c.grid.points for c in self.channels)

    def data(self) -> list[FloatArray]:
        """Return the projected data of each channel over the noise, flat."""
        return [
            project(c.grid.signal.copy(), c.noise, c.grid.seen).ravel() / c.noise_sd for c in self.channels
        ]


@dataclass(frozen=True)
class Found:
    """The best parameters and species, standard errors, the amounts of each channel, and χ².

    ``s`` in S, shape (n,); ``amounts`` in the signal's unit, shape (channels, n).
    """

    best: Parameters
    sd: Mapping[Free, float]
    s: FloatArray
    amounts: FloatArray
    cost: float


@dataclass(frozen=True)
class _Point:
    """A point of the search, with all that was computed there."""

    p: Parameters
    s: FloatArray
    columns: list[FloatArray]
    amounts: FloatArray
    residual: list[FloatArray]
    cost: float


def first_look(problem: Problem, start: Parameters, free: Sequence[Free]) -> tuple[float, float, Parameters]:
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
    slowest = min(slowest_seen(c.grid, start.meniscus[c.cell]) for c in problem.channels)
    fastest = max(fastest_seen(c.grid, start.meniscus[c.cell]) for c in problem.channels)
    fastest = max(fastest, 4.0 * slowest)
    s = np.geomspace(slowest, fastest, COARSE)
    found = search(problem, s, start, [f for f in free if f[0] != "shape"], COARSE_GAIN)
    # once more on a grid that is finer where material is: what too wide a grid can't fit it
    # makes up at the ends, where a little of anything looks like a baseline
    s = refine(s, found.amounts.sum(axis=0))
    found = search(problem, s, found.best, free, COARSE_GAIN)
    moving = np.where((s > 1.5 * slowest) & (s < fastest / 1.5), found.amounts.sum(axis=0), 0.0)
    if moving.sum() <= 0:
        return float(s[0]), float(s[-1]), found.best
    share = np.cumsum(moving) / moving.sum()
    first = s[np.searchsorted(share, 0.005)]
    last = s[min(int(np.searchsorted(share, 0.995)), s.size - 1)]
    return float(max(0.3 * first, slowest)), float(1.35 * last), found.best


def search(
    problem: Problem, s: FloatArray, start: Parameters, free: Sequence[Free], least_gain: float = FINE_GAIN
) -> Found:
    """Minimise χ² over the free parameters; amounts are not regularised.

    For fixed parameters the amounts follow by NNLS; the residual's derivative in a parameter
    is that of the model with amounts held, less what the active columns can take up (Kaufman
    1975 BIT 15:49). Steps are damped until the fit improves.

    Parameters
    ----------
    problem : Problem
    s : array, shape (n,)
        In S: a grid, or species where ``("s", k)`` is among the free.
    start : Parameters
    free : sequence of Free
    least_gain : float
        Ends the search: a smaller relative gain of χ².
    """
    data = problem.data()
    points = problem.points
    free = list(free)
    sd: dict[Free, float] = {}
    now = _evaluate(problem, data, s, start)
    for _ in range(MAX_ITERATIONS):
        if not now.amounts.any():
            break
        normal, gradient = _normal(problem, now, free)
        errors = _standard_errors(normal, now.cost / points)
        blind = [f for f, e in zip(free, errors, strict=True) if f[0] == "bottom" and not e < BLIND_CM]
        if blind:
            kept = [i for i, f in enumerate(free) if f not in blind]
            free = [free[i] for i in kept]
            normal, gradient = normal[np.ix_(kept, kept)], gradient[kept]
            errors = _standard_errors(normal, now.cost / points)
        if not free or not np.all(np.isfinite(errors)):
            break
        sd = dict(zip(free, errors.tolist(), strict=True))
        if gradient @ np.linalg.solve(normal, gradient) < 0.1 * least_gain * now.cost:
            break
        for damping in DAMPING:
            damped = normal + damping * np.diag(np.diag(normal))
            change = np.asarray(np.linalg.solve(damped, gradient), dtype=np.float64)
            trial = _evaluate(problem, data, *_moved(problem, now, free, change))
            if trial.cost < now.cost:
                break
        else:
            break
        gain, now = 1 - trial.cost / now.cost, trial
        if gain < least_gain:
            break
    return Found(now.p, sd, now.s, now.amounts, now.cost)


def slowest_seen(grid: SignalGrid, meniscus: float) -> float:
    """Return the s (in S) of what moves 0.05 cm in the whole run."""
    return float(1e13 * np.log1p(0.05 / meniscus) / grid.w[-1])


def fastest_seen(grid: SignalGrid, meniscus: float) -> float:
    """Return the s (in S) of what crosses the column within the first tenth of the scans."""
    early = grid.w[max(2, grid.w.size // 10)]
    return float(1e13 * np.log(grid.radii[-1] / meniscus) / early)


def refine(s: FloatArray, amounts: FloatArray) -> FloatArray:
    """Return a grid that is four times finer beside the s where material was found.

    Too wide a grid costs the shape its accuracy: diffusion then has to fill the gaps.
    """
    points = [s[::4]]
    for k in np.flatnonzero(amounts > 1e-3 * amounts.sum()).tolist():
        points.append(np.linspace(s[max(k - 1, 0)], s[min(k + 1, s.size - 1)], 9))
    return np.unique(np.round(np.concatenate(points), 9))


def joint_slopes(problem: Problem, found: Found, free: Sequence[Free]) -> list[FloatArray]:
    """Return the derivatives of the model in amounts and in the free parameters, over the noise.

    Returns
    -------
    list of array, shape (n + free, scans · points)
        One a channel: its n columns, then a row a free parameter.
    """
    now = _evaluate(problem, problem.data(), found.s, found.best)
    slopes = _slopes(problem, now, free)
    return [np.concatenate([c, x]) for c, x in zip(now.columns, slopes, strict=True)]


def _evaluate(problem: Problem, data: list[FloatArray], s: FloatArray, p: Parameters) -> _Point:
    columns = problem.columns(s, p)
    solved = [solve(normal_equations(c, y)) for c, y in zip(columns, data, strict=True)]
    residual = [y - a @ c for y, a, c in zip(data, solved, columns, strict=True)]
    cost = sum(float(r @ r) for r in residual)
    cost += sum(((p.get(f) - mean) / sd) ** 2 for f, (mean, sd) in problem.prior.items())
    return _Point(p, s, columns, np.array(solved), residual, cost)


def _slopes(problem: Problem, now: _Point, free: Sequence[Free]) -> list[FloatArray]:
    """Return the model's slopes in each free parameter, per channel, amounts held."""
    out = [np.zeros((len(free), y.size)) for y in now.residual]
    species = [i for i, f in enumerate(free) if f[0] == "s"]
    if species:
        step = 1e-3 * now.s
        moved = problem.columns(now.s + step, now.p)
        for c, slopes in enumerate(out):
            for i in species:
                k = free[i][1]
                slopes[i] = now.amounts[c, k] * (moved[c][k] - now.columns[c][k]) / step[k]
    used = (now.amounts > 0).any(axis=0)
    for i, (name, cell) in enumerate(free):
        if name == "s":
            continue
        step_p = STEPS.get(name, 0.02 * now.p.shape)
        which = [j for j, c in enumerate(problem.channels) if name in ("shape", "growth") or c.cell == cell]
        there = now.p.having((name, cell), now.p.get((name, cell)) + step_p)
        moved = problem.columns(now.s[used], there, which)
        for c in which:
            out[c][i] = now.amounts[c, used] @ (moved[c] - now.columns[c][used]) / step_p
    return out


def _normal(problem: Problem, now: _Point, free: Sequence[Free]) -> tuple[FloatArray, FloatArray]:
    """Return normal matrix and gradient of the free parameters, less what amounts take up."""
    normal, gradient = np.zeros((len(free), len(free))), np.zeros(len(free))
    for c, raw in enumerate(_slopes(problem, now, free)):
        used, slopes = now.amounts[c] > 0, raw
        if used.any():
            active = now.columns[c][used]
            taken = np.linalg.lstsq(active @ active.T, active @ raw.T, rcond=1e-12)[0]
            slopes = raw - taken.T @ active
        normal += slopes @ slopes.T
        gradient += slopes @ now.residual[c]
    for i, f in enumerate(free):
        if f in problem.prior:
            mean, sd = problem.prior[f]
            normal[i, i] += sd**-2
            gradient[i] -= (now.p.get(f) - mean) / sd**2
    return normal, gradient


def _standard_errors(normal: FloatArray, variance: float) -> FloatArray:
    """Standard errors of the parameters; infinite where the data do not see one."""
    if normal.size == 0 or np.linalg.matrix_rank(normal) < len(normal):
        return np.full(len(normal), np.inf)
    errors: FloatArray = np.sqrt(variance * np.diag(np.linalg.inv(normal)))
    return errors


def _moved(
    problem: Problem, now: _Point, free: Sequence[Free], change: FloatArray
) -> tuple[FloatArray, Parameters]:
    s, p = now.s.copy(), now.p
    for f, by in zip(free, change.tolist(), strict=True):
        if f[0] == "s":
            k = f[1]
            s[k] *= 1.0 + float(np.clip(by / s[k], -0.05, 0.05))
        else:
            p = p.having(f, float(np.clip(p.get(f) + by, problem.low.get(f), problem.high.get(f))))
    return s, p
