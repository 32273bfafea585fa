"""Peaks and a free-form remainder, fitted to single ions by maximum likelihood.

Every ion keeps its own error, and none is weighted by charge. Peaks of capsids have the shape that
assembly by chance gives them; what lies between them without being a peak (partial genomes) is a
remainder of uniform cells, each wider than the blur.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from aavqc.cdms.climb import STEPS, Climb, climb
from aavqc.cdms.em import Problem, State, cell_edges, peaks_at, problem, shape_variance, slopes
from aavqc.cdms.points import gather, moved
from aavqc.records import FloatArray

CLEAR, BESIDE = 4.0, 2.0
"""Cells nearer than this, in SD of the blur, can't be told from a peak, and are empty: beyond the outer
peaks of the start, and between these (partial genomes come in any length) or beside an added one."""

CELL, CELL_IONS = 2.0, 3000
"""Width of a cell of the remainder, in SD of the blur, up to so many ions: finer structure is noise or a
peak. Beside peaks of a known shape it falls by the fourth root of their number: its bias, by the square,
then falls with counting. Beside others finer cells would take the peak's own tails."""

TRIED = 3
"""Places for a further peak that are tried each time; the best after a few steps is followed."""

TRIAL_STEPS = 15

HELD = 1e-4
"""Share above which a cell counts as a parameter."""

MOST_PEAKS = 10


@dataclass(frozen=True)
class Mixture:
    """A fitted mixture.

    Attributes
    ----------
    given : Problem
    climb : Climb
    bic : tuple of (peaks, BIC)
        Of each number of peaks tried, in the order tried.
    further_width : float or None
        SD with which peaks were added.
    """

    given: Problem
    climb: Climb
    bic: tuple[tuple[int, float], ...]
    further_width: float | None

    @property
    def state(self) -> State:
        """The parameters."""
        return self.climb.state

    def owned(self, k: int) -> FloatArray:
        """Return the part of each ion that peak ``k`` has."""
        at = slopes(self.given, self.state)
        part = at.density[:, k] * self.state.share[k] / at.total
        return np.asarray(part[self.given.points.of])

    def refitted(self, mass: FloatArray, sd: FloatArray, width2: FloatArray, most: int = STEPS) -> Mixture:
        """Climb on with other masses and errors of the same ions and other widths; nothing is added."""
        given = self.given
        points = moved(given.points, mass, sd)
        again = problem(points, given.nodes, given.edges, given.free_width)
        top = climb(again, replace(self.state, width2=width2), most, first=1)
        return replace(self, given=again, climb=replace(top, steps=self.climb.steps + top.steps))


def fit_mixture(
    mass: FloatArray,
    sd: FloatArray,
    nodes: FloatArray,
    bounds: Sequence[float],
    start: Sequence[float],
    *,
    further_width: float | None,
    most_peaks: int = MOST_PEAKS,
    clear: float = CLEAR,
) -> Mixture:
    """Fit peaks and remainder to ions.

    The number of peaks is that of the least BIC: beside those of ``start`` a peak is added where
    the likelihood gains most, as long as BIC falls.

    Parameters
    ----------
    mass, sd : arrays, shape (n,)
        Of each ion, and the SD of its error, Da; all masses within ``bounds``.
    nodes : array, shape (j, 3)
        Shape of a peak.
    bounds : sequence of float
        Masses that no cell of the remainder crosses; the first and the last are its ends.
    start : sequence of float
        Masses of the peaks to begin with.
    further_width : float or None
        SD beside the shape of peaks that are added; those of the start have none. None: every
        peak has a width of its own, which is fitted.
    most_peaks : int
        No peak is added beyond so many.
    clear : float
        Cells nearer than this to an outer peak of the start, in SD of the blur, are empty.

    Returns
    -------
    Mixture
    """
    blur = math.sqrt(shape_variance(nodes) + float(np.median(sd)) ** 2)
    points = gather(mass, sd, float(nodes[:, 2].min()))
    finer = 1.0 if further_width is None else min((CELL_IONS / points.ions) ** 0.25, 1.0)
    given = problem(points, nodes, cell_edges(bounds, finer * CELL * blur), further_width is None)
    k, c = len(start), given.edges.size - 1
    width2 = np.zeros(k) if further_width is not None else np.full(k, (0.03 * np.array(start)) ** 2)
    state = State(np.full(k, 0.8 / k), np.array(start, float), width2, np.full(c, 0.2 / c))
    found = climb(given, _cleared(given, state, k, clear))
    tried = [(k, _bic(given, found))]
    while found.state.share.size < most_peaks:
        starts = [_cleared(given, s, k, clear) for s in _candidates(given, found.state, further_width)]
        begun = [climb(given, s, TRIAL_STEPS) for s in starts]
        trial = climb(given, min(begun, key=lambda t: _bic(given, t)).state)
        tried.append((trial.state.share.size, _bic(given, trial)))
        if tried[-1][1] >= tried[-2][1]:
            break
        found = trial
    if most_peaks > k:
        found = climb(given, _opened(given, found.state, bounds))
    return Mixture(given, found, tuple(tried), further_width)


def _cleared(given: Problem, state: State, first: int, clear: float) -> State:
    """Empty the cells that can't be told from a peak; give every other one a chance."""
    blur = np.sqrt(given.blur**2 + state.width2)
    away = np.abs(given.centres[:, None] - state.location) / blur
    between = (given.centres > state.location[:first].min()) & (given.centres < state.location[:first].max())
    limit = np.full(away.shape, BESIDE)
    limit[:, :first] = np.where(between, min(BESIDE, clear), clear)[:, None]
    near = (away < limit).any(axis=1)
    return replace(state, cells=np.where(near, 0.0, np.maximum(state.cells, 1e-4))).scaled()


def _opened(given: Problem, state: State, bounds: Sequence[float]) -> State:
    """Let cells come near where no peak was found between two bounds: what is there is in no peak."""
    at, blur = np.searchsorted(bounds, given.centres), np.sqrt(given.blur**2 + state.width2)
    alone = ~np.isin(at, np.searchsorted(bounds, state.location))
    near = (np.abs(given.centres[:, None] - state.location) < BESIDE * blur).any(axis=1)
    least = np.where(alone & ~near, 1e-4, 0.0)
    return replace(state, cells=np.maximum(state.cells, least)).scaled()


def _bic(given: Problem, found: Climb) -> float:
    """Count two or three parameters a peak, and one for each cell that holds anything."""
    state = found.state
    parameters = (3 if given.free_width else 2) * state.share.size + int((state.cells > HELD).sum())
    return -2 * found.likelihood + math.log(given.points.ions) * parameters


def _candidates(given: Problem, state: State, further_width: float | None) -> list[State]:
    """Add a small peak where the likelihood rises most, or in place of the heaviest cell."""
    total = slopes(given, state).total
    ends = given.edges[0], given.edges[-1]
    grid = np.arange(*ends, max(given.blur / 2, (ends[1] - ends[0]) / 200))
    width2 = float(state.width2.min()) if further_width is None else further_width**2
    density, _, _ = peaks_at(given, grid, np.full(grid.size, width2))
    rise = np.einsum("n,nj->j", given.points.weight / total, density)
    tops = np.flatnonzero((rise >= np.roll(rise, 1)) & (rise >= np.roll(rise, -1)))
    places = grid[tops[np.argsort(-rise[tops], kind="stable")][:TRIED]].tolist()
    heaviest = int((state.cells / np.diff(given.edges)).argmax())
    places.append(float(given.centres[heaviest]))
    share = 0.02
    return [
        State(
            np.append(state.share * (1 - share), share),
            np.append(state.location, place),
            np.append(state.width2, width2),
            state.cells * (1 - share),
        )
        for place in places
    ]
