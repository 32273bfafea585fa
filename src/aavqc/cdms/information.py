"""What the ions tell of a mixture's parameters: the summed products of their scores.

Each ion's score is the gradient of its log-density in the parameters: shares, locations, widths,
and the variances of its two witnesses, the measured charge and the m/z. The inverse of the summed
products, with what is known of widths from elsewhere as a prior, is the covariance of the estimates:
so the overlap of neighbours, and not counting alone, makes an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aavqc.cdms.em import problem, slopes
from aavqc.cdms.mixture import Mixture
from aavqc.cdms.prior import Witnessed
from aavqc.kernels import as_input
from aavqc.kernels.mixture import information
from aavqc.records import FloatArray

NUDGE = 1e-3
"""Step of numerical derivatives, in SD of the blur, and of its square."""

HELD = 1e-7
"""Share from which a cell is a parameter."""

WIDTH_REL_SD = 0.5
"""Relative SD of the width of a peak of mixed lengths, beside the shape's."""


def width_prior(width2: FloatArray, expected: float | None) -> tuple[FloatArray, FloatArray]:
    """Return how an expected width pulls at the logarithms of peaks' widths, and what it tells of them.

    The pull is the slope of (u - 1)² / 2 WIDTH_REL_SD² in ln u, of a width u over the expected one.

    Parameters
    ----------
    width2 : array, shape (k,)
        Squares of the widths, Da².
    expected : float or None
        Da; None: nothing is known of them.
    """
    if expected is None:
        return np.zeros(width2.size), np.zeros(width2.size)
    width = np.sqrt(width2) / expected
    return width * (width - 1) / WIDTH_REL_SD**2, (width / WIDTH_REL_SD) ** 2


@dataclass(frozen=True)
class Basis:
    """Densities of the peaks and of the cells that hold something, and how they change.

    Attributes
    ----------
    found : Mixture
    told : Witnessed
        What the mixture was fitted to.
    some : int array
        The cells.
    share : array, shape (a,)
        Of peaks and cells, sum 1.
    density, by_mass, by_variance : arrays, shape (n, a)
        At each point, at share 1, and its derivatives in the point's mass and variance.
    others : array, shape (n, 2 k)
        Derivatives of the density in all by the locations, in units of the blur, and by the
        logarithms of the widths.
    """

    found: Mixture
    told: Witnessed
    some: NDArray[np.int64]
    share: FloatArray
    density: FloatArray
    by_mass: FloatArray
    by_variance: FloatArray
    others: FloatArray

    @property
    def total(self) -> FloatArray:
        """Density in all."""
        # einsum: no BLAS, whose sums depend on the number of threads
        return np.asarray(np.maximum(np.einsum("na,a->n", self.density, self.share), 1e-300))

    def ascent(self, fixed: bool) -> tuple[FloatArray, FloatArray]:
        """Return steps to the maximum of the likelihood in the widths and the noises, all else following.

        And the square of each in its own SD. The noise of the charge stays if it is ``fixed``.
        """
        known, noises = self.information(), self._each(self.share, self.total).sum(axis=1)
        k = self.found.state.share.size
        size = known.shape[0] - noises.size
        pull, _ = width_prior(self.found.state.width2, self.found.further_width)
        weighted = self.found.given.points.weight / self.total
        by_width = np.einsum("n,nk->k", weighted, self.others[:, k:]) - pull
        gradient = np.concatenate([by_width, noises])
        rest = np.delete(np.arange(known.shape[0]), size) if fixed else np.arange(known.shape[0])
        covariance = np.zeros(known.shape)
        covariance[np.ix_(rest, rest)] = _inverse(known[np.ix_(rest, rest)])
        covariance = covariance[size - k :, size - k :]
        step = covariance @ gradient
        return step, step**2 / np.maximum(covariance.diagonal(), 1e-300)

    def _each(self, share: FloatArray, total: FloatArray) -> FloatArray:
        of, told = self.found.given.points.of, self.told
        by_mass = np.einsum("na,a->n", self.by_mass, share) / total
        by_variance = np.einsum("na,a->n", self.by_variance, share) / total
        return np.asarray(told.agree + by_mass[of] * told.moved + by_variance[of] * told.wider)

    def information(
        self, gone: NDArray[np.bool_] | None = None, extra: FloatArray | None = None
    ) -> FloatArray:
        """Return the information on shares, locations, width and noises.

        Parameters
        ----------
        gone : bool array, shape (a,), optional
            Components that the ions are taken to have none of: each ion counts by the ratio of its
            density without them to that with them.
        extra : array, shape (n,), optional
            Density of a component of share 0, which comes first.
        """
        points, k = self.found.given.points, self.found.state.share.size
        keep = np.ones(self.share.size, bool) if gone is None else ~gone
        total = np.maximum(np.einsum("na,a->n", self.density, self.share * keep), 1e-9 * self.total)
        weight = points.weight * total / self.total
        first = np.empty((total.size, 0)) if extra is None else extra[:, None]
        columns = np.hstack([first, self.density[:, keep], self.others[:, np.tile(keep[:k], 2)]])
        columns = as_input(columns / total[:, None])
        size = columns.shape[1]
        each = self._each(self.share * keep, total)
        counted = each * (total / self.total)[points.of]
        summed = np.column_stack([np.bincount(points.of, row) for row in counted])
        known, gradient, own = np.empty((size + len(each),) * 2), np.empty(size), np.empty((size, size))
        information(columns, weight, gradient, own)
        known[:size, :size] = own
        wide = np.arange(size - int(keep[:k].sum()), size)
        known[wide, wide] += width_prior(self.found.state.width2, self.found.further_width)[1][keep[:k]]
        known[:size, size:] = np.einsum("np,nh->ph", columns, summed)
        known[size:, :size] = known[:size, size:].T
        known[size:, size:] = np.einsum("hn,gn->hg", counted, each)
        return known


def basis(found: Mixture, told: Witnessed) -> Basis:
    """Return the densities at a mixture fitted to what two witnesses told."""
    given, state = found.given, found.state
    k, points = state.share.size, given.points
    some = np.flatnonzero(state.cells > HELD)
    which = np.concatenate([np.arange(k), k + some])
    at = slopes(given, state)
    step = NUDGE * given.blur
    density = at.density[:, which]
    further = replace(points, mass=points.mass + step)
    noisier = replace(points, variance=points.variance + step * given.blur)
    by_mass, by_variance = (
        (slopes(problem(p, given.nodes, given.edges, given.free_width), state).density[:, which] - density)
        / size
        for p, size in ((further, step), (noisier, step * given.blur))
    )
    share = np.concatenate([state.share, state.cells[some]])
    # locations in units of the blur: numbers of one size, so that none is taken for nothing
    others = np.column_stack([given.blur * at.by_location, 2 * state.width2 * at.by_width2])
    return Basis(found, told, some, share / share.sum(), density, by_mass, by_variance, others)


def noisy_covariance(known: FloatArray, noises: int, rel_sd: float | None) -> tuple[FloatArray, float]:
    """Return the covariance of the parameters, and the relative SD of the charge noise.

    Estimates at a fixed noise are independent of the noise's own error, whether the noise comes
    from these ions' likelihood (``rel_sd`` None) or from elsewhere: the two add.
    """
    at = known.shape[0] - noises
    rest = np.delete(np.arange(known.shape[0]), at)
    fixed = _inverse(known[np.ix_(rest, rest)])
    by_noise = fixed @ known[rest, at]
    if rel_sd is None:
        told = float(known[at, at] - known[at, rest] @ by_noise)
        rel_sd = 0.5 / math.sqrt(max(told, 1e-6))
    covariance = np.zeros(known.shape)
    covariance[np.ix_(rest, rest)] = fixed + (2 * rel_sd) ** 2 * np.outer(by_noise, by_noise)
    return covariance, rel_sd


def _inverse(known: FloatArray) -> FloatArray:
    """Return the covariance; parameters of which the ions say nothing have none."""
    diagonal = known.diagonal()
    told = diagonal > 1e-12 * diagonal.max()
    scale = np.sqrt(diagonal[told])
    scaled = known[np.ix_(told, told)] / np.outer(scale, scale)
    covariance = np.zeros(known.shape)
    covariance[np.ix_(told, told)] = np.linalg.inv(scaled + 1e-9 * np.eye(scale.size)) / np.outer(
        scale, scale
    )
    return covariance
