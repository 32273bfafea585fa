"""What the fit found beside the attributes: the ``diagnostics`` of the result document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from aavqc.auc.calibration import calibration_diagnostics
from aavqc.auc.cells import scatter
from aavqc.auc.composition import coefficients_of, s20w_of
from aavqc.auc.fit import Fit, SampleFit
from aavqc.auc.particle import dna_of
from aavqc.auc.settings import TechniqueSettings
from aavqc.capsid import capsid_document
from aavqc.records import FloatArray


def diagnostics_of(fit: SampleFit, settings: TechniqueSettings) -> dict[str, Any]:
    """Return the diagnostics, keys as in the result document; those of the first channel on top."""
    first, found = fit.fits[0], fit.found
    several = len(fit.fits) > 1
    return {
        "model": fit.model,
        **_channel(fit, first),
        "frictional_ratio": found.best.shape if fit.shape_kind == "frictional_ratio" else None,
        "radius_nm": found.best.shape if fit.shape_kind == "radius" else None,
        "radius_growth": found.best.growth if ("growth", 0) in found.sd else None,
        "radius_growth_sd": found.sd.get(("growth", 0)),
        "choices": [asdict(c) for c in first.column.choices],
        "clock": asdict(first.column.clock) if first.column.clock is not None else None,
        "calibration": calibration_diagnostics(settings.calibration),
        "class_windows": None
        if fit.windows is None
        else {
            "s_empty": fit.windows.s_empty,
            "edges": fit.windows.edges,
            "anchor": fit.windows.anchor,
            "class_bounds": settings.class_bounds,
            "design_length": settings.design_length,
            "capsid": capsid_document(settings.serotype, settings.capsid),
            "dna": {"salt": settings.dna_salt, **asdict(dna_of(settings))},
        },
        "average": settings.average,
        "peaks": _peaks(fit, settings),
        "distribution": _distribution(fit),
        **({"channels": [_channel(fit, f) for f in fit.fits]} if several else {}),
        **(scatter(fit.capsids) if fit.capsids is not None else {}),
        **fit.details,
    }


def _channel(fit: SampleFit, one: Fit) -> dict[str, Any]:
    cell = one.channel.cell
    return {
        "record": one.channel.record.name,
        "rmsd": one.distribution.rmsd,
        "meniscus": one.meniscus,
        "meniscus_sd": fit.found.sd.get(("meniscus", cell)),
        "bottom": one.bottom,
        "bottom_sd": fit.found.sd.get(("bottom", cell)),
        "fit_range": [one.column.fit_low, one.column.fit_high],
        "scans_used": one.grid.w.size,
        "wavelength_nm": one.grid.wavelength_nm,
        "rpm": float(np.sqrt(one.grid.omega2) * 30 / np.pi),
        "signal_unit": one.grid.unit,
        "temperature_c": one.grid.temperature_c,
        "noise_removed": one.noise,
    }


def _distribution(fit: SampleFit) -> dict[str, Any]:
    """Return c(s) of the first channel, and by wavelength where there are several."""
    d = fit.fits[0].distribution
    by_wavelength: dict[str, Any] = {}
    for one in fit.fits:
        if one.channel.cell == fit.fits[0].channel.cell and one.grid.wavelength_nm is not None:
            by_wavelength[f"{one.grid.wavelength_nm:g}"] = one.distribution.signal
    more = {"by_wavelength": by_wavelength} if len(by_wavelength) > 1 else {}
    return {"s": d.s, "signal": d.signal, **more}


def _dna_share(parts: FloatArray, fit: SampleFit, settings: TechniqueSettings) -> float | None:
    """Return the share of a species' signal in the first channel that is DNA's: 0 protein, 1 free DNA."""
    known = coefficients_of(settings, fit.fits[0].grid)
    if known is None:
        return None
    protein, dna = (float(x) for x in np.maximum(parts, 0.0) * known)
    return dna / (protein + dna) if protein + dna > 0 else None


def _peaks(fit: SampleFit, settings: TechniqueSettings) -> list[dict[str, Any]]:
    """Return the species that were resolved, with what they hold; else the peaks of the distribution."""
    temperature = fit.fits[0].grid.temperature_c

    def row(s: float, signal: float, fraction: float) -> dict[str, Any]:
        return {
            "s": s,
            "s20w": s20w_of(s, fit.windows, settings, temperature),
            "signal": signal,
            "fraction": fraction,
            "class": fit.windows.name(s) if fit.windows is not None else None,
        }

    if fit.resolved is None:
        return [row(p.s, p.signal, p.fraction) for p in fit.fits[0].peaks]
    signal = fit.resolved.amounts[0]
    rows = [
        row(*x)
        for x in zip(fit.resolved.s.tolist(), signal.tolist(), (signal / signal.sum()).tolist(), strict=True)
    ]
    if fit.capsids is None:
        return rows
    particles, bases = fit.capsids.particles, fit.capsids.bases
    for k, one in enumerate(rows):
        one["length_nt"] = float(fit.capsids.lengths[k])
        if particles is not None:
            one["particles_mol_l"] = float(particles[k])
        if bases is not None:
            # each for itself: protein without DNA and DNA without protein show as such
            one["capsids_mol_l"], one["nucleotides_mol_l"] = (float(x) for x in bases[k])
            one["dna_share_of_signal"] = _dna_share(bases[k], fit, settings)
    return rows
