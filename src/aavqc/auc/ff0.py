"""c(s, f/f0): amounts on a table of s and frictional ratios.

Where particles differ in shape, or D is wanted of each. Nothing is regularised: what comes out
is a few points, each of which shares its signal with its neighbours in the table.
Refs: Brown & Schuck (2006) Biophys J 90:4651; Brookes, Cao & Demeler (2010) Eur Biophys J 39:405.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aavqc.auc.cs import Fitted, basis, fit_columns, project
from aavqc.auc.grid import SignalGrid
from aavqc.auc.models import diffusion_from_frictional_ratio, solvent_or_water
from aavqc.auc.normal import solve
from aavqc.auc.settings import TechniqueSettings
from aavqc.records import FloatArray

RATIOS = np.geomspace(1.0, 3.0, 8)
"""Frictional ratios of the table: a compact sphere to a long rod."""

ELEMENTS = 30_000_000
"""The largest basis (240 MB): of larger data every n-th scan and radius is fitted."""


def fit_ff0(
    grid: SignalGrid,
    s: FloatArray,
    meniscus: float,
    bottom: float,
    noise: list[str],
    settings: TechniqueSettings,
) -> tuple[SignalGrid, Fitted, dict[str, object]]:
    """Fit c(s, f/f0) on the range of a grid of s (in S), at a third of ``resolution`` of values.

    Returns
    -------
    grid : SignalGrid
        The scans and radii that were fitted.
    fitted : Fitted
        Summed over f/f0.
    table : dict
        ``s``, ``frictional_ratio`` and ``signal``, a row a frictional ratio.
    """
    s = np.linspace(s[0], s[-1], max(settings.resolution // 3, 10))
    grid = _within(grid, ELEMENTS // (s.size * RATIOS.size))
    all_s = np.tile(s, RATIOS.size)
    d = _diffusion(all_s, np.repeat(RATIOS, s.size), grid, settings)
    columns = project(basis(grid, all_s, d, meniscus, bottom), noise, grid.seen)
    fold = np.tile(np.eye(s.size), RATIOS.size)
    fitted = fit_columns(grid, s, columns, noise, fold=fold)
    return (
        grid,
        fitted,
        {"s": s, "frictional_ratio": RATIOS, "signal": solve(fitted.normal).reshape(RATIOS.size, -1)},
    )


def of_table(
    table: Mapping[str, FloatArray], grid: SignalGrid, settings: TechniqueSettings
) -> tuple[FloatArray, FloatArray]:
    """Return s (S) and D (cm²/s) of what has signal in a table of :func:`fit_ff0`."""
    row, column = np.nonzero(table["signal"])
    s = table["s"][column]
    return s, _diffusion(s, table["frictional_ratio"][row], grid, settings)


def _diffusion(s: FloatArray, ratio: FloatArray, grid: SignalGrid, settings: TechniqueSettings) -> FloatArray:
    density, viscosity = solvent_or_water(settings)
    return diffusion_from_frictional_ratio(
        s * 1e-13, ratio, settings.vbar, density, viscosity, grid.temperature_c
    )


def _within(grid: SignalGrid, elements: int) -> SignalGrid:
    """Thin scans and radii alike until no more than so many data points are left."""
    excess = grid.signal.size / max(elements, 1)
    if excess <= 1:
        return grid
    scans = max(int(grid.w.size / np.sqrt(excess)), 20)
    return grid.thinned(scans, max(elements // scans, 50))
