"""A mixture of peaks and cells over weighted points, each with its own error."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel

Floats = NDArray[np.float64]

FAR = 72.0
"""Square of the distance in SD beyond which a normal density counts as none."""


@kernel
def cell_densities(
    mass: Floats, variance: Floats, shape_variance: float, edges: Floats, density: Floats
) -> None:
    """Fill each point's density of each cell: a uniform stretch of masses, blurred.

    Parameters
    ----------
    mass, variance : arrays, shape (n,)
        Of each point, and the variance of its error.
    shape_variance : float
        Of the shape that a particle's mass has by itself.
    edges : array, shape (cells + 1,)
        Ascending.
    density : array, shape (n, cells)
        Filled; per unit of mass.
    """
    reach = math.sqrt(FAR)
    for i in range(mass.size):
        sd = math.sqrt(shape_variance + variance[i])
        scale = 1.0 / (math.sqrt(2.0) * sd)
        before = math.erf((mass[i] - edges[0]) * scale)
        for c in range(edges.size - 1):
            width = edges[c + 1] - edges[c]
            near = edges[c] - reach * sd < mass[i] < edges[c + 1] + reach * sd
            after = math.erf((mass[i] - edges[c + 1]) * scale)
            density[i, c] = 0.5 * (before - after) / width if near else 0.0
            before = after


@kernel
def peak_densities(
    mass: Floats,
    variance: Floats,
    location: Floats,
    width2: Floats,
    nodes: Floats,
    density: Floats,
    by_location: Floats,
    by_width2: Floats,
) -> None:
    """Fill each point's density of each peak, at share 1, and its slopes.

    Parameters
    ----------
    mass, variance : arrays, shape (n,)
    location, width2 : arrays, shape (k,)
        Mean masses, and squared widths beside the shape's.
    nodes : array, shape (j, 3)
        The shape: weight, shift and variance of each normal node.
    density, by_location, by_width2 : arrays, shape (n, k)
        Filled: the density, and its derivatives.
    """
    root = 1.0 / math.sqrt(2.0 * math.pi)
    for i in range(mass.size):
        for k in range(location.size):
            total, moved, wider = 0.0, 0.0, 0.0
            for j in range(nodes.shape[0]):
                spread2 = nodes[j, 2] + width2[k] + variance[i]
                away = mass[i] - nodes[j, 1] - location[k]
                if away * away < FAR * spread2:
                    inverse = 1.0 / spread2
                    part = nodes[j, 0] * root * math.sqrt(inverse) * math.exp(-0.5 * away * away * inverse)
                    total += part
                    moved += part * away * inverse
                    wider += 0.5 * part * (away * away * inverse - 1.0) * inverse
            density[i, k] = total
            by_location[i, k] = moved
            by_width2[i, k] = wider


@kernel
def expectation(
    mass: Floats,
    variance: Floats,
    weight: Floats,
    share: Floats,
    location: Floats,
    width2: Floats,
    nodes: Floats,
    cells: Floats,
    cell_density: Floats,
    peak_sums: Floats,
    cell_sums: Floats,
) -> float:
    """Divide each point among peaks and cells; return the log-likelihood.

    Parameters
    ----------
    mass, variance, weight : arrays, shape (n,)
    share, location, width2 : arrays, shape (k,)
    nodes : array, shape (j, 3)
    cells : array, shape (c,)
        Share of each cell.
    cell_density : array, shape (n, c)
        From :func:`cell_densities`.
    peak_sums : array, shape (k, 5)
        Filled with the weighted sums over points of r, r/V, r·x/V, r·d² and r·s²: r is the part of
        the point, x its mass less the node's shift, V the variance in all, d the distance from the
        location, s² the variance of the point's own error.
    cell_sums : array, shape (c,)
        Filled with the sums of r.

    Returns
    -------
    float
    """
    k_peaks, j_nodes = location.size, nodes.shape[0]
    peak_sums[:] = 0.0
    cell_sums[:] = 0.0
    part = np.zeros((k_peaks, j_nodes))
    inverse = np.zeros((k_peaks, j_nodes))
    root = 1.0 / math.sqrt(2.0 * math.pi)
    total = 0.0
    for i in range(mass.size):
        density = 0.0
        for k in range(k_peaks):
            for j in range(j_nodes):
                spread2 = nodes[j, 2] + width2[k] + variance[i]
                away = mass[i] - nodes[j, 1] - location[k]
                part[k, j] = 0.0
                if away * away < FAR * spread2:
                    inverse[k, j] = 1.0 / spread2
                    height = share[k] * nodes[j, 0] * root * math.sqrt(inverse[k, j])
                    part[k, j] = height * math.exp(-0.5 * away * away * inverse[k, j])
                    density += part[k, j]
        for c in range(cells.size):
            density += cells[c] * cell_density[i, c]
        density = max(density, 1e-300)
        total += weight[i] * math.log(density)
        scale = weight[i] / density
        for k in range(k_peaks):
            away = mass[i] - location[k]
            for j in range(j_nodes):
                if part[k, j] > 0.0:
                    r = part[k, j] * scale
                    peak_sums[k, 0] += r
                    peak_sums[k, 1] += r * inverse[k, j]
                    peak_sums[k, 2] += r * inverse[k, j] * (mass[i] - nodes[j, 1])
                    peak_sums[k, 3] += r * away * away
                    peak_sums[k, 4] += r * variance[i]
        for c in range(cells.size):
            cell_sums[c] += cells[c] * cell_density[i, c] * scale
    return total


@kernel
def information(scores: Floats, weight: Floats, gradient: Floats, out: Floats) -> None:
    """Fill the weighted sums of scores and of their products; most scores of a point are zero.

    Parameters
    ----------
    scores : array, shape (n, p)
        Derivatives of each point's log-density.
    weight : array, shape (n,)
    gradient : array, shape (p,)
        Filled with Σ w s.
    out : array, shape (p, p)
        Filled with Σ w s sᵀ.
    """
    size = scores.shape[1]
    gradient[:] = 0.0
    out[:] = 0.0
    some = np.empty(size, np.int64)
    for i in range(scores.shape[0]):
        held = 0
        for a in range(size):
            if scores[i, a] != 0.0:
                some[held] = a
                held += 1
                gradient[a] += weight[i] * scores[i, a]
        for x in range(held):
            weighted = weight[i] * scores[i, some[x]]
            for y in range(x + 1):
                out[some[x], some[y]] += weighted * scores[i, some[y]]
    for a in range(size):
        for b in range(a):
            out[b, a] = out[a, b]
