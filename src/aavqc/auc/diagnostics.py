"""What the fit found beside the attributes: the ``diagnostics`` of the result document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aavqc.auc.calibration import calibration_diagnostics
from aavqc.auc.composition import s20w_of
from aavqc.auc.fit import Fit
from aavqc.auc.settings import TechniqueSettings


def diagnostics_of(fit: Fit, settings: TechniqueSettings) -> dict[str, Any]:
    """Return the diagnostics, keys as in the result document."""
    return {
        "model": fit.model,
        "rmsd": fit.distribution.rmsd,
        "meniscus": fit.found.best.meniscus,
        "meniscus_sd": fit.found.sd.get("meniscus"),
        "bottom": fit.found.best.bottom,
        "bottom_sd": fit.found.sd.get("bottom"),
        "fit_range": [fit.column.fit_low, fit.column.fit_high],
        "frictional_ratio": fit.found.best.shape if fit.shape_kind == "frictional_ratio" else None,
        "radius_nm": fit.found.best.shape if fit.shape_kind == "radius" else None,
        "scans_used": fit.grid.w.size,
        "wavelength_nm": fit.grid.wavelength_nm,
        "signal_unit": fit.grid.unit,
        "temperature_c": fit.grid.temperature_c,
        "noise_removed": fit.noise,
        "choices": [asdict(c) for c in fit.column.choices],
        "clock": asdict(fit.column.clock) if fit.column.clock is not None else None,
        "calibration": calibration_diagnostics(settings.calibration),
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
                "s20w": s20w_of(p.s, fit.windows, settings, fit.grid.temperature_c),
                "signal": p.signal,
                "fraction": p.fraction,
                "class": fit.windows.name(p.s) if fit.windows is not None else None,
            }
            for p in fit.peaks
        ],
        "distribution": {"s": fit.distribution.s, "signal": fit.distribution.signal},
        **fit.details,
    }
