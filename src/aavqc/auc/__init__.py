"""Sedimentation velocity: scans → c(s) → capsid classes.

The first analysis of its kind here: c(s) by the Lamm equation at a found meniscus, one
wavelength, intervals from the noise of this fit. See ``docs/auc.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from aavqc.attributes import Attribute
from aavqc.auc.cell import Column, SignalGrid, choose_scans, find_column, on_grid
from aavqc.auc.composition import ClassWindows, class_windows, extinction_at, percentages
from aavqc.auc.cs import (
    Fitted,
    diffusion_from_frictional_ratio,
    diffusion_from_radius,
    fit_distribution,
    solve,
)
from aavqc.auc.integrate import integrate
from aavqc.auc.peaks import Peak, find_peaks, resolution
from aavqc.auc.search import Found, Parameters, Problem, ShapeToD, first_look, refine, search, thin
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.water import to_water
from aavqc.capsid import CLASSES
from aavqc.documents import Flag, Outcome, Sample, generator, plain
from aavqc.records import Distribution, FloatArray, VelocityScans

ALGORITHMS = ["auc.cs/1", "auc.composition/1"]
EXPECTED_CAPSIDS = (40.0, 160.0)
"""With a ``design_length`` the distribution covers at least this range, in S."""

REPLICATES = 200
"""Draws behind each interval."""


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
    draws: FloatArray
    width: FloatArray


def analyze(record: VelocityScans | Distribution, settings: TechniqueSettings) -> Outcome:
    """Analyze the scans of one cell, or integrate a distribution that another program fitted.

    Parameters
    ----------
    record : VelocityScans or Distribution
    settings : TechniqueSettings

    Returns
    -------
    Outcome
        One sample, with arrays for plots: ``s`` and ``signal``.

    Raises
    ------
    AssayError
        No boundary, an equilibrium experiment, too few scans.
    """
    if isinstance(record, Distribution):
        return integrate(record, settings)
    with threadpool_limits(limits=1, user_api="blas"):
        fit = _fit(record, settings)
    d = fit.distribution
    peaks = find_peaks(d.s, d.signal, fit.width)
    flags = [*fit.column.flags, *_flags(fit, peaks)]
    warnings = [*record.remarks, *_warnings(record, fit, settings)]
    sample = Sample(
        sample_id=record.sample_id,
        record=record.name,
        status="invalid" if any(f.severity == "invalid" for f in flags) else "valid",
        attributes=_attributes(fit, settings),
        diagnostics=plain(_diagnostics(fit, peaks, settings)),
        flags=flags,
        warnings=warnings,
    )
    return Outcome([sample], ALGORITHMS, arrays={"s": d.s, "signal": d.signal})


def _fit(record: VelocityScans, settings: TechniqueSettings) -> Fit:
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
        draws=_draw(distribution, generator(settings.seed, record.inputs)),
        width=resolution(s, diffusion, best.meniscus, best.bottom, grid.omega2),
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


def _draw(distribution: Fitted, rng: np.random.Generator) -> FloatArray:
    """Distributions refitted to noise drawn anew, shape (REPLICATES, s).

    In the basis of the triangular factor white noise of the data stays white.
    """
    d = distribution
    return np.array(
        [solve(d.normal, d.normal.right + d.rmsd * rng.standard_normal(d.s.size)) for _ in range(REPLICATES)]
    )


def _attributes(fit: Fit, settings: TechniqueSettings) -> list[Attribute]:
    d, windows = fit.distribution, fit.windows
    unit = fit.grid.unit
    rows: list[tuple[str, str, float, FloatArray]] = [
        ("total_signal", unit, float(d.amounts.sum()), fit.draws.sum(axis=1)),
        ("s_weight_average", "S", _mean(d.s, d.amounts), np.array([_mean(d.s, x) for x in fit.draws])),
    ]
    if windows is not None:
        extinction = extinction_at(settings, fit.grid.wavelength_nm)
        rows += _class_rows(windows, d, fit.draws, None, "_signal")
        if extinction is not None:
            rows += _class_rows(windows, d, fit.draws, extinction, "")
        index = windows.index(d.s)
        for name, which in (("aggregate", index == 5), ("sub_capsid", index == 0)):
            draws = 100 * fit.draws[:, which].sum(axis=1) / fit.draws.sum(axis=1)
            value = 100 * float(d.amounts[which].sum() / d.amounts.sum())
            rows.append((f"percent_{name}_signal", "%", value, draws))
    tails = [(1 - settings.coverage) / 2, (1 + settings.coverage) / 2]
    attributes = []
    for name, unit_, value, draws in rows:
        low, high = (float(x) for x in np.quantile(draws, tails))
        attributes.append(
            Attribute(
                name=name,
                technique="auc",
                value=value,
                unit=unit_,
                ci_low=min(low, value),
                ci_high=max(high, value),
                coverage=settings.coverage,
                scope="fit",
            )
        )
    return attributes


def _class_rows(
    windows: ClassWindows,
    d: Fitted,
    draws: FloatArray,
    extinction: tuple[float, float] | None,
    suffix: str,
) -> list[tuple[str, str, float, FloatArray]]:
    value = percentages(windows, d.s, d.amounts, extinction)
    drawn = [percentages(windows, d.s, x, extinction) for x in draws]
    return [
        (f"percent_{name}{suffix}", "%", value[name], np.array([x[name] for x in drawn])) for name in CLASSES
    ]


def _mean(s: FloatArray, signal: FloatArray) -> float:
    total = float(signal.sum())
    return float((s * signal).sum() / total) if total > 0 else 0.0


def _diagnostics(fit: Fit, peaks: list[Peak], settings: TechniqueSettings) -> dict[str, object]:
    factor = to_water(settings)
    return {
        "model": fit.model,
        "rmsd": fit.distribution.rmsd,
        "meniscus": fit.found.best.meniscus,
        "meniscus_sd": fit.found.sd.get("meniscus"),
        "bottom": fit.found.best.bottom,
        "bottom_sd": fit.found.sd.get("bottom"),
        "fit_range": [fit.column.fit_low, fit.column.fit_high],
        "frictional_ratio": fit.found.best.shape if fit.model == "cs" else None,
        "radius_nm": fit.found.best.shape if fit.model != "cs" else None,
        "scans_used": fit.grid.w.size,
        "wavelength_nm": fit.grid.wavelength_nm,
        "signal_unit": fit.grid.unit,
        "temperature_c": fit.grid.temperature_c,
        "noise_removed": fit.noise,
        "class_windows": None
        if fit.windows is None
        else {
            "s_empty": fit.windows.s_empty,
            "edges": fit.windows.edges,
            "anchor": fit.windows.anchor,
            "class_bounds": settings.class_bounds,
            "design_length": settings.design_length,
        },
        "peaks": [
            {
                "s": p.s,
                "s20w": p.s * factor if factor is not None else None,
                "signal": p.signal,
                "fraction": p.fraction,
                "class": fit.windows.name(p.s) if fit.windows is not None else None,
            }
            for p in peaks
        ],
        "distribution": {"s": fit.distribution.s, "signal": fit.distribution.signal},
    }


def _flags(fit: Fit, peaks: list[Peak]) -> list[Flag]:
    flags = []
    column, best = fit.column, fit.found.best.meniscus
    if column.meniscus_low < column.meniscus_high and (
        best - column.meniscus_low < 1e-4 or column.meniscus_high - best < 1e-4
    ):
        flags.append(
            Flag(
                id="meniscus_at_edge",
                severity="warning",
                message=f"the fitted meniscus {best:.4f} cm lies at the edge of where it may be",
                value=best,
            )
        )
    total = float(fit.distribution.signal.sum())
    if not peaks or total < 3 * fit.distribution.rmsd:
        flags.append(
            Flag(
                id="no_boundary",
                severity="invalid",
                message="no boundary stands out of the noise",
                value=total,
                limit=3 * fit.distribution.rmsd,
            )
        )
    highest = float(np.max(fit.grid.signal))
    if fit.grid.unit == "OD" and highest > 1.2:
        flags.append(
            Flag(
                id="saturation",
                severity="warning",
                message=f"absorbance up to {highest:.2f} OD: above 1.2 OD it is not linear",
                value=highest,
                limit=1.2,
            )
        )
    return flags


def _warnings(record: VelocityScans, fit: Fit, settings: TechniqueSettings) -> list[str]:
    said = []
    if settings.density is None or settings.viscosity is None:
        said.append(
            "density and viscosity are not given: s is as measured, no s20,w; shape parameters refer to water"
        )
    if settings.design_length is None:
        said.append("no design_length: no composition is computed")
    elif fit.windows is None:
        said.append("no capsid peak near its expected s: no composition is computed")
    elif extinction_at(settings, fit.grid.wavelength_nm) is None:
        said.append(
            f"no extinction coefficients at {fit.grid.wavelength_nm:g} nm: percentages are of signal, "
            "not of particles"
        )
    if len(record.wavelengths) > 1:
        said.append(f"one wavelength of {len(record.wavelengths)} is used: {fit.grid.wavelength_nm:g} nm")
    return said
