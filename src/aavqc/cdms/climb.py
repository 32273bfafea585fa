"""Maximum likelihood of a mixture: a few steps of expectation maximisation, then Newton's.

Expectation maximisation finds the way from anywhere, and crawls where peaks and cells overlap.
Near the maximum the summed products of the scores stand for the curvature; shares stay positive
by a quadratic programme. What a step is expected to gain says how far the maximum still is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from aavqc.cdms.em import Problem, Slopes, State, slopes, step
from aavqc.kernels import as_input
from aavqc.kernels.mixture import information
from aavqc.records import FloatArray

TOLERANCE = 1e-3
"""Gain in log-likelihood that a step promises below which the climb ends: 0.045 SD of a parameter."""

STEPS = 300

FIRST_STEPS = 10
"""Steps of expectation maximisation before any other (``first``), and where no other gains."""

HALVINGS = 6

RIDGE = 1e-9
"""Added to the diagonal of a curvature that is scaled to ones there."""

OPEN = 1e-12
"""Share that a component keeps, so that it may come back; one at 0 stays there."""

LEAST_MOVED = 1.0
"""Ions of a peak below which its place means nothing, and is left."""


@dataclass(frozen=True)
class Climb:
    """A maximum: parameters, log-likelihood, steps taken, whether it was reached."""

    state: State
    likelihood: float
    steps: int
    converged: bool


@dataclass(frozen=True)
class _Move:
    """Change of each parameter, and the gain in log-likelihood that it promises."""

    share: FloatArray
    location: FloatArray
    width2: FloatArray
    cells: FloatArray
    gain: float


def climb(given: Problem, start: State, most: int = STEPS, first: int = FIRST_STEPS) -> Climb:
    """Climb to the maximum of the likelihood near a start; the likelihood never falls.

    References
    ----------
    Berndt EK, Hall BH, Hall RE, Hausman JA (1974) Ann Econ Soc Meas 3:653 (curvature from scores).
    Kim Y, Carbonetto P, Stephens M, Anitescu M (2020) J Comput Graph Stat 29:261 (shares).
    """
    state, likelihood, steps = _expectations(given, start.scaled(), min(first, most))
    while steps < most:
        move = _ascent(given, state, slopes(given, state))
        steps += 1
        if move is not None and move.gain < TOLERANCE:
            return Climb(state, likelihood, steps, True)
        found = None if move is None else _searched(given, state, likelihood, move)
        if found is None:
            before = likelihood
            state, likelihood, more = _expectations(given, state, FIRST_STEPS)
            steps += more
            if likelihood - before < TOLERANCE:
                return Climb(state, likelihood, steps, True)
        else:
            state, likelihood = found
    return Climb(state, likelihood, steps, False)


def _expectations(given: Problem, state: State, count: int) -> tuple[State, float, int]:
    for _ in range(count):
        _, state = step(given, state)
    return state, step(given, state)[0], count


def _searched(given: Problem, state: State, likelihood: float, move: _Move) -> tuple[State, float] | None:
    """Go as far as it gains: all of the move, or a half of it, or less."""
    for halving in range(HALVINGS):
        part = 0.5**halving
        trial = State(
            state.share + part * move.share,
            state.location + part * move.location,
            np.maximum(state.width2 + part * move.width2, 0.0),
            state.cells + part * move.cells,
        ).scaled()
        found, _ = step(given, trial)
        if found > likelihood:
            return trial, found
    return None


def _ascent(given: Problem, state: State, at: Slopes) -> _Move | None:
    """Return the move to the maximum of the parabola through the state, with no share below 0."""
    k, weight = state.share.size, given.points.weight
    share = np.concatenate([state.share, state.cells])
    opened = np.flatnonzero(share > 0)
    moving = np.flatnonzero(state.share * given.points.ions > LEAST_MOVED)
    wide = moving if given.free_width else moving[:0]
    columns = np.hstack([at.density[:, opened], at.by_location[:, moving], at.by_width2[:, wide]])
    columns /= at.total[:, None]
    gradient, curvature = np.empty(columns.shape[1]), np.empty((columns.shape[1],) * 2)
    information(as_input(columns), weight, gradient, curvature)
    gradient[: opened.size] -= given.points.ions  # so the shares of the maximum sum to 1
    scale = 1 / np.sqrt(np.maximum(curvature.diagonal(), 1e-300))
    scaled = curvature * np.outer(scale, scale) + RIDGE * np.eye(scale.size)
    try:
        moved = scale * _programme(scaled, scale * gradient, share[opened] / scale[: opened.size])
    except (RuntimeError, np.linalg.LinAlgError):  # the programme did not end; peaks that coincide
        return None
    full = np.zeros(share.size)
    full[opened] = np.maximum(moved[: opened.size], OPEN - share[opened])
    location, width2 = np.zeros(k), np.zeros(k)
    location[moving] = moved[opened.size : opened.size + moving.size]
    width2[wide] = moved[opened.size + moving.size :]
    gain = float(gradient @ moved - moved @ curvature @ moved / 2)
    shorter = min(1.0, given.blur / max(float(np.abs(location).max(initial=0.0)), 1e-300))
    return _Move(shorter * full[:k], shorter * location, shorter * width2, shorter * full[k:], gain)


def _programme(curvature: FloatArray, gradient: FloatArray, positive: FloatArray) -> FloatArray:
    """Maximise g·d − d·C·d/2 with p + d ≥ 0 for the first parameters, the others free."""
    a = positive.size
    own, cross, free = curvature[:a, :a], curvature[:a, a:], curvature[a:, a:]
    solved = np.linalg.solve(free, np.column_stack([cross.T, gradient[a:]]))
    factor = np.linalg.cholesky(own - cross @ solved[:, :-1])
    slope = gradient[:a] - cross @ solved[:, -1]
    right = np.linalg.solve(factor, slope) + factor.T @ positive
    moved = nnls(factor.T, right)[0] - positive
    return np.concatenate([moved, solved[:, -1] - solved[:, :-1] @ moved])
