"""The fit of one cell: from scans to a distribution, with everything found on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from aavqc.auc.choices import choose_scans
from aavqc.auc.column import Column, find_column
from aavqc.auc.composition import ClassWindows, class_windows
from aavqc.auc.cs import Fitted, basis, fit_columns, project
from aavqc.auc.ff0 import fit_ff0
from aavqc.auc.grid import SignalGrid, on_grid, range_remarks
from aavqc.auc.models import Shape, model_of, shape_of
from aavqc.auc.peaks import Peak, find_peaks, resolution
from aavqc.auc.search import (
    COARSE_GAIN,
    Found,
    Parameters,
    Problem,
    first_look,
    refine,
    search,
    slowest_seen,
    thin,
)
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.species import Species, fit_species, starting_species
from aavqc.auc.water import to_water
from aavqc.errors import UsageError
from aavqc.records import VelocityScans

EXPECTED_CAPSIDS = (40.0, 160.0)
"""With a ``design_length`` the distribution covers at least this range, in S."""


@dataclass(frozen=True)
class Fit:
    """Everything that the fit of one cell found.

    ``shape_kind`` says what ``found.best.shape`` is: ``frictional_ratio`` or ``radius`` (nm);
    None where the model has no shape of its own and one only helped to find the cell.
    ``details`` are the model's own diagnostics, ``remarks`` what else a reader should know.
    """

    column: Column
    grid: SignalGrid
    found: Found
    model: str
    noise: list[str]
    distribution: Fitted
    windows: ClassWindows | None
    peaks: list[Peak]
    shape_kind: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


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
    model = model_of(settings)
    shape = shape_of(model, settings, grid.temperature_c)
    low, high, found = _find_cell(grid, column, shape, noise, settings)
    best = found.best

    if model == "lsg":
        # a step that has not come out of the meniscus is not seen
        low = min(max(low, slowest_seen(grid, best.meniscus)), 0.5 * high)
    s = np.linspace(low, high, settings.resolution)
    details: dict[str, object] = {}
    peaks: list[Peak] | None = None
    if model == "cs_ff0":
        grid, distribution, details["ff0"] = fit_ff0(grid, low, high, best, noise, settings)
        s = distribution.s
    else:
        d = np.zeros(s.size) if model == "lsg" else shape.to_d(s, best.shape)
        distribution = fit_columns(
            grid,
            s,
            project(basis(grid, s, d, best.meniscus, best.bottom), noise, grid.seen),
            noise,
            regularisation=settings.regularisation,
            confidence=settings.confidence,
        )
    width = resolution(s, shape.to_d(s, best.shape), best.meniscus, best.bottom, grid.omega2)
    if model == "species":
        seen = find_peaks(s, distribution.signal, width)
        start = starting_species(seen, shape.to_d, best.shape, settings)
        distribution, species = fit_species(grid, *start, best, noise, s)
        details["species"] = [asdict(one) for one in species]
        peaks = _as_peaks(species)
    windows = class_windows(s, distribution.signal, settings, to_water(settings, grid.temperature_c))
    remarks = range_remarks(scans, grid)
    if model == "lsg" and windows is not None:
        remarks = (*remarks, "ls-g*(s) takes no diffusion out: classes of capsids run into each other")
    return Fit(
        column=column,
        grid=grid,
        found=found,
        model=model,
        noise=noise,
        distribution=distribution,
        windows=windows,
        peaks=find_peaks(s, distribution.signal, width) if peaks is None else peaks,
        shape_kind=shape.kind if model in ("cs", "cs_invariant_d") else None,
        details=details,
        remarks=remarks,
    )


def _find_cell(
    grid: SignalGrid, column: Column, shape: Shape, noise: list[str], settings: TechniqueSettings
) -> tuple[float, float, Found]:
    """Find range of s, meniscus, bottom and shape, with a c(s) whatever the model."""
    problem = Problem(
        thin(grid),
        shape.to_d,
        Parameters(column.meniscus_low, column.bottom_low, shape.low),
        Parameters(column.meniscus_high, column.bottom_high, shape.high),
        noise,
    )
    start = Parameters(column.meniscus, column.bottom, shape.start)
    free = _free(settings, shape)
    if settings.s_range is not None:
        low, high = settings.s_range
        if not 0 < low < high < np.inf:
            raise UsageError(
                "setting s_range", expected="two ascending values above 0, in S", found=f"{low:g},{high:g}"
            )
    else:
        low, high, start = first_look(problem, start, free)
        if settings.design_length is not None:
            low, high = min(low, EXPECTED_CAPSIDS[0]), max(high, EXPECTED_CAPSIDS[1])
    s = np.linspace(low, high, 60)
    found = search(problem, s, start, free, COARSE_GAIN)
    return low, high, search(problem, refine(s, found.amounts), found.best, free)


def _free(settings: TechniqueSettings, shape: Shape) -> list[str]:
    """Names of the fitted parameters."""
    wanted = settings.fit
    if wanted is None:
        wanted = ["meniscus", "radius"] if shape.kind == "radius" else ["meniscus", "frictional_ratio"]
    # the bottom is found rather than fitted: unlike the meniscus it hardly touches any result
    free = ["bottom"] if settings.bottom is None else []
    free += ["meniscus"] if "meniscus" in wanted and settings.meniscus is None else []
    return free + (["shape"] if {"frictional_ratio", "radius"} & set(wanted) else [])


def _as_peaks(species: list[Species]) -> list[Peak]:
    total = sum(one.signal for one in species)
    return [Peak(one.s, one.signal, one.signal / total, one.s, one.s) for one in species]
