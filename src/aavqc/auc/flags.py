"""What a reviewer must know of a fit: flags with a rule, warnings in words."""

from __future__ import annotations

import numpy as np

from aavqc.auc.composition import extinction_at
from aavqc.auc.fit import Fit
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.records import VelocityScans


def flags_of(fit: Fit) -> list[Flag]:
    """Return the flags of a fit; one of severity ``invalid`` takes the sample out."""
    flags = list(fit.column.flags)
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
    if not fit.peaks or total < 3 * fit.distribution.rmsd:
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


def warnings_of(record: VelocityScans, fit: Fit, settings: TechniqueSettings) -> list[str]:
    """Return what was assumed or left out."""
    said = list(record.remarks)
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
