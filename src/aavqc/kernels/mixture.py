"""A mixture of peaks and cells over single ions, each with its own error."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FAR = 72.0
"""Square of the distance in SD beyond which a normal density counts as none."""


@kernel
def cell_densities(
    mass: Floats, variance: Floats, shape_variance: float, edges: Floats, first: Ints, table: Floats
) -> None:
    """Fill each ion's densities of the cells near it: a uniform stretch of masses, blurred.

    Parameters
    ----------
    mass, variance : arrays, shape (n,)
        Of each ion, and the variance of its error.
    shape_variance : float
        Of the shape that a particle's mass has by itself.
    edges : array, shape (cells + 1,)
        Ascending.
    first : int64 array, shape (n,)
        Filled with the first cell of each ion's band.
    table : array, shape (n, band)
        Filled; per unit of mass.
    """
    cells = edges.size - 1
    band = table.shape[1]
    for i in range(mass.size):
        at = np.searchsorted(edges, mass[i]) - 1
        start = min(max(at - band // 2, 0), max(cells - band, 0))
        first[i] = start
        scale = 1.0 / math.sqrt(2.0 * (shape_variance + variance[i]))
        before = math.erf((mass[i] - edges[start]) * scale)
        for b in range(min(band, cells - start)):
            after = math.erf((mass[i] - edges[start + b + 1]) * scale)
            table[i, b] = 0.5 * (before - after) / (edges[start + b + 1] - edges[start + b])
            before = after


@kernel
def peak_densities(
    mass: Floats, variance: Floats, location: Floats, width2: Floats, nodes: Floats, density: Floats
) -> None:
    """Fill each ion's density of each peak, at share 1.

    Parameters
    ----------
    mass, variance : arrays, shape (n,)
    location, width2 : arrays, shape (k,)
        Mean masses, and squared widths beside the shape's.
    nodes : array, shape (j, 3)
        The shape: weight, shift and variance of each normal node.
    density : array, shape (n, k)
        Filled.
    """
    root = 1.0 / math.sqrt(2.0 * math.pi)
    for i in range(mass.size):
        for k in range(location.size):
            total = 0.0
            for j in range(nodes.shape[0]):
                spread2 = nodes[j, 2] + width2[k] + variance[i]
                away = mass[i] - nodes[j, 1] - location[k]
                if away * away < FAR * spread2:
                    height = nodes[j, 0] * root / math.sqrt(spread2)
                    total += height * math.exp(-0.5 * away * away / spread2)
            density[i, k] = total


@kernel
def expectation(
    mass: Floats,
    variance: Floats,
    share: Floats,
    location: Floats,
    width2: Floats,
    nodes: Floats,
    cells: Floats,
    first: Ints,
    table: Floats,
    peak_sums: Floats,
    cell_sums: Floats,
) -> float:
    """Divide each ion among peaks and cells; return the log-likelihood.

    Parameters
    ----------
    mass, variance : arrays, shape (n,)
    share, location, width2 : arrays, shape (k,)
    nodes : array, shape (j, 3)
    cells : array, shape (c,)
        Share of each cell.
    first, table
        From :func:`cell_densities`.
    peak_sums : array, shape (k, 5)
        Filled with the sums over ions of r, r/V, r·x/V, r·d² and r·s²: r is the part of the ion, x its
        mass less the node's shift, V the variance in all, d the distance from the location, s²
        the variance of the ion's own error.
    cell_sums : array, shape (c,)
        Filled with the sums of r.

    Returns
    -------
    float
    """
    k_peaks, j_nodes = location.size, nodes.shape[0]
    band = table.shape[1]
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
        start = first[i]
        stop = min(band, cells.size - start)
        for b in range(stop):
            density += cells[start + b] * table[i, b]
        density = max(density, 1e-300)
        total += math.log(density)
        scale = 1.0 / density
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
        for b in range(stop):
            cell_sums[start + b] += cells[start + b] * table[i, b] * scale
    return total
