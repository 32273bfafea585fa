"""Maximum likelihood of a mixture of peaks and cells, by accelerated expectation maximisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import as_input
from aavqc.kernels.mixture import cell_densities, expectation, peak_densities
from aavqc.records import FloatArray

CELL = 2.0
"""Width of a cell of the remainder, in SD of the blur: finer structure is noise or a peak."""

BAND = 8
"""Cells that an ion can come from."""

TOLERANCE = 2e-3
"""Gain in log-likelihood of a step below which the climb ends: far less than a parameter's worth."""

STEPS = 500


@dataclass(frozen=True)
class Problem:
    """What the likelihood needs of the ions.

    Attributes
    ----------
    mass, variance : arrays, shape (n,)
        Of each ion, Da, and the variance of its error.
    nodes : array, shape (j, 3)
        Shape of a peak: weight, shift, variance.
    edges : array, shape (cells + 1,)
        Of the free-form remainder.
    free_width : bool
        Each peak has a width of its own.
    first, table : arrays
        Densities of the cells, by ion.
    """

    mass: FloatArray
    variance: FloatArray
    nodes: FloatArray
    edges: FloatArray
    free_width: bool
    first: NDArray[np.int64]
    table: FloatArray

    @property
    def blur(self) -> float:
        """SD of a peak as it is seen, Da, beside its own width."""
        return float(np.sqrt(shape_variance(self.nodes) + np.median(self.variance)))

    @property
    def centres(self) -> FloatArray:
        """Middle of each cell."""
        middle: FloatArray = (self.edges[1:] + self.edges[:-1]) / 2
        return middle


@dataclass(frozen=True)
class State:
    """Parameters: share, mean mass and squared width of each peak, share of each cell."""

    share: FloatArray
    location: FloatArray
    width2: FloatArray
    cells: FloatArray

    def scaled(self) -> State:
        """Return the state with shares that sum to 1."""
        total = self.share.sum() + self.cells.sum()
        return replace(self, share=self.share / total, cells=self.cells / total)


@dataclass(frozen=True)
class Climb:
    """A maximum: parameters, log-likelihood, steps taken, whether it was reached."""

    state: State
    likelihood: float
    steps: int
    converged: bool


def problem(
    mass: FloatArray, sd: FloatArray, nodes: FloatArray, edges: FloatArray, free_width: bool
) -> Problem:
    """Blur the cells for each ion.

    Parameters
    ----------
    mass, sd : arrays, shape (n,)
        Of each ion, and the SD of its error, Da.
    nodes : array, shape (j, 3)
    edges : array, shape (cells + 1,)
        From :func:`cell_edges`.
    free_width : bool
    """
    mass, variance, edges = as_input(mass), as_input(sd**2), as_input(edges)
    first = np.zeros(mass.size, np.int64)
    table = np.zeros((mass.size, min(BAND, edges.size - 1)))
    cell_densities(mass, variance, shape_variance(nodes), edges, first, table)
    return Problem(mass, variance, as_input(nodes), edges, free_width, first, table)


def cell_edges(bounds: Sequence[float], blur: float) -> FloatArray:
    """Lay out cells between bounds, none across one, each about two SD of the blur wide."""
    width = max(CELL * blur, (bounds[-1] - bounds[0]) / 60)
    edges: list[float] = []
    for low, high in pairwise(bounds):
        cells = max(1, round((high - low) / width))
        edges += [low + (high - low) * c / cells for c in range(cells)]
    return np.array([*edges, bounds[-1]])


def shape_variance(nodes: FloatArray) -> float:
    """Return the variance of a shape, Da²."""
    mean = (nodes[:, 0] * nodes[:, 1]).sum()
    return float((nodes[:, 0] * (nodes[:, 2] + (nodes[:, 1] - mean) ** 2)).sum())


def climb(given: Problem, start: State, most: int = STEPS) -> Climb:
    """Climb to the maximum of the likelihood near a start.

    Expectation maximisation, each pair of steps extrapolated; an extrapolation that loses
    likelihood is shortened, at last to none, so that the likelihood never falls.

    References
    ----------
    Varadhan R, Roland C (2008) Scand J Stat 35:335.
    """
    state, last, steps = start.scaled(), -np.inf, 0
    unit, peaks = float(np.median(given.mass)) / 30, start.share.size
    while steps < most:
        _, first = step(given, state)
        before, second = step(given, first)
        steps += 2
        origin, middle = _pack(state, unit), _pack(first, unit)
        rise = middle - origin
        bend = _pack(second, unit) - middle - rise
        bent = float(np.sqrt((bend**2).sum()))
        reach = -float(np.sqrt((rise**2).sum())) / bent if bent > 1e-13 else -1.0
        state = second
        while reach < -1.01:
            trial = _unpack(origin - 2 * reach * rise + reach**2 * bend, peaks, unit)
            likelihood, improved = step(given, trial)
            steps += 1
            if likelihood >= before:
                state = improved
                break
            reach = (reach - 1) / 2
        if before - last < TOLERANCE:
            break
        last = before
    likelihood, _ = step(given, state)
    return Climb(state, likelihood, steps, steps < most)


def step(given: Problem, state: State) -> tuple[float, State]:
    """Return the log-likelihood of a state, and the state after one step."""
    sums, cells = np.empty((state.share.size, 5)), np.empty(state.cells.size)
    likelihood = expectation(
        given.mass, given.variance,
        as_input(state.share), as_input(state.location), as_input(state.width2), given.nodes,
        as_input(state.cells), given.first, given.table,
        sums, cells,
    )  # fmt: skip
    some = sums[:, 1] > 0
    location = np.where(some, sums[:, 2] / np.where(some, sums[:, 1], 1), state.location)
    width2 = state.width2
    if given.free_width:
        held = np.where(some, sums[:, 0], 1)
        width2 = np.where(some, np.maximum((sums[:, 3] - sums[:, 4]) / held, 0.0), width2)
    return likelihood, State(sums[:, 0], location, width2, cells).scaled()


def densities(given: Problem, state: State) -> FloatArray:
    """Return each ion's density of each peak, at share 1, shape (n, k)."""
    density = np.empty((given.mass.size, state.share.size))
    peak_densities(
        given.mass, given.variance, as_input(state.location), as_input(state.width2), given.nodes, density
    )
    return density


def total_density(given: Problem, state: State, density: FloatArray) -> FloatArray:
    """Return each ion's density under the whole mixture, given those of the peaks."""
    total = (density * state.share).sum(axis=1)
    for b in range(given.table.shape[1]):
        total += state.cells[np.minimum(given.first + b, state.cells.size - 1)] * given.table[:, b]
    return np.asarray(np.maximum(total, 1e-300))


def _pack(state: State, unit: float) -> FloatArray:
    """Return roots of shares, and locations and widths in one unit: comparable steps."""
    return np.concatenate(
        [np.sqrt(state.share), state.location / unit, np.sqrt(state.width2) / unit, np.sqrt(state.cells)]
    )


def _unpack(values: FloatArray, k: int, unit: float) -> State:
    positive = np.maximum(values, 0.0) ** 2
    return State(
        positive[:k], values[k : 2 * k] * unit, positive[2 * k : 3 * k] * unit**2, positive[3 * k :]
    ).scaled()
