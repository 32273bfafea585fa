"""The fit of one cell: from scans to c(s), with everything found on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aavqc.auc.cell import Column, SignalGrid, choose_scans, find_column, on_grid
from aavqc.auc.composition import ClassWindows, class_windows
from aavqc.auc.cs import (
    Fitted,
    diffusion_from_frictional_ratio,
    diffusion_from_radius,
    fit_distribution,
)
from aavqc.auc.peaks import Peak, find_peaks, resolution
from aavqc.auc.search import Found, Parameters, Problem, ShapeToD, first_look, refine, search, thin
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.water import to_water
from aavqc.records import FloatArray, VelocityScans

EXPECTED_CAPSIDS = (40.0, 160.0)
"""With a ``design_length`` the distribution covers at least this range, in S."""


@dataclass(frozen=True)
class Fit:
    """Everything that the fit of one cell found."""

    column: Column
    grid: SignalGrid
    found: Found
    model: str
    noise: list[str]
    distribution: Fitted
    windows: ClassWindows | None
    peaks: list[Peak]


def fit_cell(record: VelocityScans, settings: TechniqueSettings) -> Fit:
    """Fit the scans of one cell.

    Raises
    ------
    AssayError
        No boundary, an equilibrium experiment, too few scans.
    """
    scans = choose_scans(record, settings)
    column = find_column(record, scans, settings)
    grid = on_grid(record, scans, column, settings)
    noise = list(
        settings.noise
        if settings.noise is not None
        else ["ti", "ri"]
        if record.optics in ("interference", "intensity")
        else []
    )
    model = settings.model
    if model == "auto":
        model = "cs_invariant_d" if settings.design_length is not None else "cs"
    to_d, shape = _shape(model, grid, settings)
    problem = Problem(
        thin(grid),
        to_d,
        Parameters(column.meniscus_low, column.bottom_low, max(0.3 * shape, 1.0 if model == "cs" else 0.0)),
        Parameters(column.meniscus_high, column.bottom_high, 3.0 * shape),
        noise,
    )
    start = Parameters(column.meniscus, column.bottom, shape)
    free = _free(settings, model)
    if settings.s_range is not None:
        low, high = settings.s_range
    else:
        low, high, start = first_look(problem, start, free)
        if settings.design_length is not None:
            low, high = min(low, EXPECTED_CAPSIDS[0]), max(high, EXPECTED_CAPSIDS[1])
    s = np.linspace(low, high, 60)
    found = search(problem, s, start, free)
    found = search(problem, refine(s, found.amounts), found.best, free)
    best = found.best

    s = np.linspace(low, high, settings.resolution)
    diffusion = to_d(s, best.shape)
    p = settings.confidence if settings.regularisation != "none" else 0.0
    distribution = fit_distribution(grid, s, diffusion, best.meniscus, best.bottom, noise, p)
    return Fit(
        column=column,
        grid=grid,
        found=found,
        model=model,
        noise=noise,
        distribution=distribution,
        windows=class_windows(s, distribution.signal, settings, to_water(settings)),
        peaks=find_peaks(
            s, distribution.signal, resolution(s, diffusion, best.meniscus, best.bottom, grid.omega2)
        ),
    )


def _shape(model: str, grid: SignalGrid, settings: TechniqueSettings) -> tuple[ShapeToD, float]:
    """How the shape parameter becomes D, and where it starts."""
    density = settings.density if settings.density is not None else 0.9982
    viscosity = settings.viscosity if settings.viscosity is not None else 1.002

    def from_ratio(s: FloatArray, ratio: float) -> FloatArray:
        return diffusion_from_frictional_ratio(
            s * 1e-13, ratio, settings.vbar, density, viscosity, grid.temperature_c
        )

    def from_radius(s: FloatArray, radius_nm: float) -> FloatArray:
        return np.full(s.size, diffusion_from_radius(radius_nm, viscosity, grid.temperature_c))

    if model == "cs":
        return from_ratio, settings.frictional_ratio
    return from_radius, settings.radius_nm


def _free(settings: TechniqueSettings, model: str) -> list[str]:
    """Names of the fitted parameters."""
    wanted = settings.fit
    if wanted is None:
        wanted = ["meniscus", "frictional_ratio"] if model == "cs" else ["meniscus", "radius"]
    # the bottom is found rather than fitted: unlike the meniscus it hardly touches any result
    free = ["bottom"] if settings.bottom is None else []
    free += ["meniscus"] if "meniscus" in wanted and settings.meniscus is None else []
    return free + (["shape"] if {"frictional_ratio", "radius"} & set(wanted) else [])
