"""What the figures of a fit are drawn from: scans, fit, residuals, distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.auc.cs import basis
from aavqc.auc.fit import Fit, SampleFit
from aavqc.auc.grid import SignalGrid
from aavqc.auc.residuals import bitmap, point_noise
from aavqc.records import FloatArray

SHOWN_SCANS, SHOWN_POINTS = 24, 400
"""Scans, and points of each, that a figure of them can show."""


def pictured(fit: SampleFit) -> dict[str, NDArray[Any]]:
    """Return the arrays of a fit; those of further channels end in ``_1``, ``_2``.

    Returns
    -------
    dict
        ``s`` (S) and ``signal`` at each s, ``length_nt`` of each s where there are classes (below 0 for
        what is lighter than an empty capsid); ``radius_cm``, ``time_s`` (at speed), ``scans`` and ``fit`` of
        shape (times, radii), systematic noise taken out of both where the model is a distribution on
        s; NaN where a scan has no data; ``residual_bitmap`` of all scans and points.
    """
    s = fit.fits[0].distribution.s
    arrays: dict[str, NDArray[Any]] = {"s": s}
    if fit.windows is not None:
        ratio = s / fit.windows.s_empty
        arrays["length_nt"] = np.where(ratio < 1.0, (ratio - 1.0) / fit.windows.slope, fit.windows.length(s))
    for i, one in enumerate(fit.fits):
        suffix = f"_{i}" if i else ""
        d = one.distribution
        arrays[f"signal{suffix}"] = d.signal
        arrays[f"residual_bitmap{suffix}"] = bitmap(d.residual, point_noise(d.residual, one.grid.seen))
        arrays |= {f"{name}{suffix}": values for name, values in _scans(fit, one).items()}
    return arrays


def _scans(fit: SampleFit, one: Fit) -> dict[str, NDArray[Any]]:
    grid = one.grid
    rows = np.unique(np.linspace(0, grid.w.size - 1, min(SHOWN_SCANS, grid.w.size)).astype(int))
    every = -(-grid.radii.size // SHOWN_POINTS)
    at = np.ix_(rows, np.arange(0, grid.radii.size, every))
    residual = one.distribution.residual[at]
    fitted = grid.signal[at] - residual
    if one.noise and fit.model in ("cs", "cs_invariant_d", "lsg"):
        fitted = _boundaries(fit, one, rows, every)
    scans = fitted + residual
    if grid.seen is not None:
        fitted, scans = (np.where(grid.seen[at], x, np.nan) for x in (fitted, scans))
    return {
        "radius_cm": grid.radii[::every].copy(),
        "time_s": grid.w[rows] / grid.omega2,
        "scans": scans.astype(np.float32),
        "fit": fitted.astype(np.float32),
    }


def _boundaries(fit: SampleFit, one: Fit, rows: NDArray[np.intp], every: int) -> FloatArray:
    """Return what sediments alone, without the noise that was fitted beside it."""
    grid, d = one.grid, one.distribution
    there = d.signal > 0
    s = d.s[there]
    diffusion = fit.diffusion(s)
    thin = SignalGrid(
        w=grid.w[rows],
        radii=grid.radii[::every].copy(),
        signal=np.empty((0, 0)),
        omega2=grid.omega2,
        ramp_s=grid.ramp_s,
        temperature_c=grid.temperature_c,
        wavelength_nm=grid.wavelength_nm,
        unit=grid.unit,
    )
    columns = basis(thin, s, diffusion, one.meniscus, one.bottom)
    sedimenting: FloatArray = np.tensordot(d.signal[there], columns, axes=1)
    return sedimenting
