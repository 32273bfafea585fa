"""The likelihood of a mixture of peaks and cells, and expectation maximisation of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from aavqc.cdms.points import Points
from aavqc.kernels import as_input
from aavqc.kernels.mixture import cell_densities, expectation, peak_densities
from aavqc.records import FloatArray


@dataclass(frozen=True)
class Problem:
    """What the likelihood needs of the ions.

    Attributes
    ----------
    points : Points
    nodes : array, shape (j, 3)
        Shape of a peak: weight, shift, variance.
    edges : array, shape (cells + 1,)
        Of the free-form remainder.
    free_width : bool
        Each peak has a width of its own.
    cells : array, shape (points, cells)
        Density of each cell at each point.
    """

    points: Points
    nodes: FloatArray
    edges: FloatArray
    free_width: bool
    cells: FloatArray

    @property
    def blur(self) -> float:
        """SD of a peak as it is seen, Da, beside its own width."""
        return float(np.sqrt(shape_variance(self.nodes) + self.points.median_variance))

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
class Slopes:
    """Density at each point of peaks and cells, and how it changes with the peaks' parameters.

    Attributes
    ----------
    density : array, shape (n, k + c)
        Of each peak and each cell, at share 1.
    by_location, by_width2 : arrays, shape (n, k)
        Derivatives of the density in all.
    total : array, shape (n,)
        Density in all.
    """

    density: FloatArray
    by_location: FloatArray
    by_width2: FloatArray
    total: FloatArray


def problem(points: Points, nodes: FloatArray, edges: FloatArray, free_width: bool) -> Problem:
    """Blur the cells for each point.

    Parameters
    ----------
    points : Points
    nodes : array, shape (j, 3)
    edges : array, shape (cells + 1,)
        From :func:`cell_edges`.
    free_width : bool
    """
    edges = as_input(edges)
    cells = np.empty((points.mass.size, edges.size - 1))
    cell_densities(points.mass, points.variance, shape_variance(nodes), edges, cells)
    return Problem(points, as_input(nodes), edges, free_width, cells)


def cell_edges(bounds: Sequence[float], width: float) -> FloatArray:
    """Lay out cells of about a width between bounds, none across one, some sixty at most."""
    width = max(width, (bounds[-1] - bounds[0]) / 60)
    edges: list[float] = []
    for low, high in pairwise(bounds):
        cells = max(1, round((high - low) / width))
        edges += [low + (high - low) * c / cells for c in range(cells)]
    return np.array([*edges, bounds[-1]])


def shape_variance(nodes: FloatArray) -> float:
    """Return the variance of a shape, Da²."""
    mean = (nodes[:, 0] * nodes[:, 1]).sum()
    return float((nodes[:, 0] * (nodes[:, 2] + (nodes[:, 1] - mean) ** 2)).sum())


def step(given: Problem, state: State) -> tuple[float, State]:
    """Return the log-likelihood of a state, and the state after one step, which has no less."""
    points = given.points
    sums, cells = np.empty((state.share.size, 5)), np.empty(state.cells.size)
    likelihood = expectation(
        points.mass, points.variance, points.weight,
        as_input(state.share), as_input(state.location), as_input(state.width2), given.nodes,
        as_input(state.cells), given.cells,
        sums, cells,
    )  # fmt: skip
    some = sums[:, 1] > 0
    location = np.where(some, sums[:, 2] / np.where(some, sums[:, 1], 1), state.location)
    width2 = state.width2
    if given.free_width:
        held = np.where(some, sums[:, 0], 1)
        width2 = np.where(some, np.maximum((sums[:, 3] - sums[:, 4]) / held, 0.0), width2)
    return likelihood, State(sums[:, 0], location, width2, cells).scaled()


def slopes(given: Problem, state: State) -> Slopes:
    """Return densities at each point, and their derivatives."""
    peaks, by_location, by_width2 = peaks_at(given, state.location, state.width2)
    density = np.hstack([peaks, given.cells])
    # einsum: no BLAS, whose sums depend on the number of threads
    total = np.einsum("nj,j->n", density, np.concatenate([state.share, state.cells]))
    return Slopes(density, by_location * state.share, by_width2 * state.share, np.maximum(total, 1e-300))


def peaks_at(
    given: Problem, location: FloatArray, width2: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the density at each point of peaks at share 1, and its slopes, each of shape (n, k)."""
    points = given.points
    found = [np.empty((points.mass.size, location.size)) for _ in range(3)]
    peak_densities(points.mass, points.variance, as_input(location), as_input(width2), given.nodes, *found)
    return found[0], found[1], found[2]
