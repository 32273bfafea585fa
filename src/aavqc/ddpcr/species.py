"""Which molecules bear which targets together, from the joint counts of a multiplex.

For a set S of targets let E(S) be the fraction of droplets negative for all of S. Molecules of
species T (the targets that they bear) fall into droplets by Poisson's law, so that
``L(S) = -ln E(S)`` is the sum of λ_T over all T that meet S, and ``F(U) = L(all) - L(all∖U)`` the sum
over all T within U. Möbius inversion gives each species in closed form,
``λ_T = Σ_{U⊆T} (-1)^{|T∖U|} F(U)``: the maximum of the likelihood, unless a λ_T is negative. Then it
is maximised under λ ≥ 0 by expectation and maximisation over the molecules that each droplet holds.

Volumes that scatter make molecules look linked that only share a large droplet, by CV²·λA·λB. With
volumes of Gamma's law ``E(S) = (1 + c²L)^(-1/c²)``, which replaces the exponential throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from aavqc.records import FloatArray

ROUNDS = 2000
CLOSE = 1e-9
"""Change of any λ in a round below which the maximum is reached."""


@dataclass(frozen=True)
class Species:
    """Copies a droplet of each species.

    Attributes
    ----------
    density : array, shape (2**targets,)
        λ of the species whose targets are the bits of the index; index 0 is 0.
    constrained : bool
        The closed form gave a negative λ.
    influence_full, influence_any : array, shape (2**targets,)
        Derivative of λ of the complete species, and of the sum of all, by the probability of
        each pattern: the delta method's.
    """

    density: FloatArray
    constrained: bool
    influence_full: FloatArray
    influence_any: FloatArray


def species(counts: NDArray[np.int64] | FloatArray, volume_cv: float = 0.0) -> Species | None:
    """Return the species of one well; None where no droplet is negative for all targets.

    Parameters
    ----------
    counts : array, shape (2**targets,)
        Droplets by pattern of positive targets.
    volume_cv : float
        Relative SD of the droplets' volumes.

    Examples
    --------
    >>> [round(float(x), 4) for x in species(np.array([13838, 4, 81, 1897])).density]
    [0.0, 0.0003, 0.0058, 0.1277]
    """
    total = float(counts.sum())
    if not total or not counts[0]:
        return None
    tables = _tables(counts.size)
    share = counts / total
    negative = tables.avoids @ share
    loss = -np.log(negative)
    square = volume_cv * volume_cv
    level = np.expm1(square * loss) / square if square else loss
    slope = -(negative ** (-square)) / negative
    density = tables.inversion @ level
    full = counts.size - 1
    influence = (tables.inversion[full] * slope) @ tables.avoids
    constrained = bool((density[1:] < -1e-12).any())
    if constrained:
        density = _most_likely(share, np.maximum(density, 0.01 / total), volume_cv)
    return Species(np.maximum(density, 0.0), constrained, influence, slope[full] * tables.avoids[full])


def pattern_probabilities(density: FloatArray, volume_cv: float = 0.0) -> FloatArray:
    """Return the probability of each pattern where species have these densities.

    Examples
    --------
    >>> [round(float(p), 6) for p in pattern_probabilities(np.array([0, 0.1, 0.1, 0.0]))]
    [0.818731, 0.086107, 0.086107, 0.009056]
    """
    tables = _tables(density.size)
    return tables.moebius @ _within(density, volume_cv, 0)


def contiguous(pattern: int) -> bool:
    """Tell a species whose targets are neighbours from one with a gap.

    Examples
    --------
    >>> [contiguous(p) for p in (0b0110, 0b1011, 0b0001)]
    [True, False, True]
    """
    low = pattern & -pattern
    return (pattern + low) & pattern == 0


@dataclass(frozen=True)
class _Tables:
    """Matrices over all subsets of the targets.

    ``avoids[S, U]``: U and S are disjoint. ``moebius[U, V]``: (-1)^|U∖V| where V is within U.
    ``inversion[T, S]``: weight of L(S) in λ_T. ``within[V, T]``: T is within V.
    """

    avoids: FloatArray
    moebius: FloatArray
    inversion: FloatArray
    within: FloatArray


@lru_cache(maxsize=8)
def _tables(size: int) -> _Tables:
    sets = np.arange(size)
    bits = np.array([int(s).bit_count() for s in sets])
    inside = (sets[:, None] & sets[None, :]) == sets[None, :]  # [U, V]: V within U
    moebius = np.where(inside, (-1.0) ** (bits[:, None] - bits[None, :]), 0.0)
    inversion = np.zeros((size, size))
    everything = size - 1
    for t in range(1, size):
        for u in np.flatnonzero(inside[t]):
            inversion[t, everything] += moebius[t, u]
            inversion[t, everything & ~int(u)] -= moebius[t, u]
    return _Tables(
        avoids=((sets[:, None] & sets[None, :]) == 0).astype(np.float64),
        moebius=moebius,
        inversion=inversion,
        within=inside.astype(np.float64),
    )


def _within(density: FloatArray, volume_cv: float, order: int) -> FloatArray:
    """Return, by set V, E[v^order · P(no molecule of a species outside V)] over volumes v of mean 1."""
    tables = _tables(density.size)
    outside = density.sum() - tables.within @ density
    square = volume_cv * volume_cv
    if not square:
        found: FloatArray = np.exp(-outside)
        return found
    found = (1 + square * outside) ** (-1 / square - order)
    return found


def _most_likely(share: FloatArray, density: FloatArray, volume_cv: float) -> FloatArray:
    """Maximise the likelihood under λ ≥ 0 by EM: share each droplet's pattern out among molecules."""
    tables = _tables(share.size)
    seen = np.flatnonzero(share)
    density = density.copy()
    density[0] = 0.0
    for _ in range(ROUNDS):
        plain, weighted = (_within(density, volume_cv, order) for order in (0, 1))
        chance = np.maximum(tables.moebius[seen] @ plain, 1e-300)
        ratio = share[seen] / chance
        # a molecule T beside whatever makes the union U: V runs over sets between T and U
        joint = (ratio @ tables.moebius[seen]) * weighted
        expected = density * (joint @ tables.within)
        volume = ratio @ (tables.moebius[seen] @ weighted)
        updated = expected / volume
        if np.abs(updated - density).max() < CLOSE:
            return updated
        density = updated
    return density
