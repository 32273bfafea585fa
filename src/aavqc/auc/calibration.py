"""Apply what a certificate says of the instrument to its scans.

Radial magnification, elapsed time and temperature are the three systematic errors that make
laboratories differ in s (Zhao et al. 2015 PLoS ONE 10:e0126420).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from aavqc.auc.settings import Calibration, TechniqueSettings
from aavqc.documents import Flag
from aavqc.records import FloatArray, Scan, readonly
from aavqc.validity import validity_flags, validity_remarks

ORIGIN_CM = 6.5
"""A magnification is an error of distances; the middle of the cell is held in place. (A factor on
the radii themselves would leave s as it is.)"""

VISCOSITY_PER_DEGREE = 0.024
"""Relative change of s at the temperature assumed, 1/°C: that of water's viscosity near 20 °C."""


def calibrate(scan: Scan, calibration: Calibration) -> Scan:
    """Return a scan with true radii, times and temperature.

    r′ = 6.5 cm + (r − 6.5 cm) m;  t′ = t f;  (∫ω²dt)′ = f ∫ω²dt;  T′ = T + offset.
    """
    c = calibration
    if not applied(c):
        return scan
    return replace(
        scan,
        radius_cm=readonly(ORIGIN_CM + (scan.radius_cm - ORIGIN_CM) * c.radial_magnification),
        time_s=scan.time_s * c.time_factor,
        omega2_t=scan.omega2_t * c.time_factor,
        temperature_c=scan.temperature_c + c.temperature_offset,
    )


def s_rel_sd(calibration: Calibration) -> float | None:
    """Return the relative SD of s that the calibration leaves; None where none is stated.

    s ~ (dr/dt)/r, so magnification and time count in full; temperature by the viscosity.

    Examples
    --------
    >>> round(s_rel_sd(Calibration(radial_rel_sd=0.003, time_rel_sd=0.0004, temperature_sd=0.1)), 5)
    0.00386
    """
    stated = [calibration.radial_rel_sd, calibration.time_rel_sd]
    if calibration.temperature_sd is not None:
        stated.append(VISCOSITY_PER_DEGREE * calibration.temperature_sd)
    known = [sd for sd in stated if sd is not None]
    return math.hypot(*known) if known else None


def calibrated_draws(values: FloatArray, calibration: Calibration, rng: np.random.Generator) -> FloatArray:
    """Return draws of an s with the uncertainty that the calibration states, where it states one."""
    sd = s_rel_sd(calibration)
    return values if sd is None else values * (1.0 + sd * rng.standard_normal(values.shape))


def calibration_flags(settings: TechniqueSettings) -> list[Flag]:
    """Return a warning where the calibration was not valid on the day of the run."""
    return validity_flags(settings.calibration, settings.run_date)


def calibration_remarks(settings: TechniqueSettings) -> list[str]:
    """Say what of the calibration nobody vouches for, or could not be checked."""
    c = settings.calibration
    said = []
    if c.certificate is None and (applied(c) or settings.regulated):
        said.append(
            "calibration without the number of a certificate"
            if applied(c)
            else "no calibration certificate: radii, times and temperature are as the instrument gives them"
        )
    return said + validity_remarks(c, settings.run_date)


def applied(calibration: Calibration) -> bool:
    """Tell whether the calibration changes anything."""
    c = calibration
    return (c.radial_magnification, c.time_factor, c.temperature_offset) != (1.0, 1.0, 0.0)


def calibration_diagnostics(calibration: Calibration) -> dict[str, Any]:
    """Return what the result says of the calibration."""
    return {**calibration.model_dump(mode="json"), "s_rel_sd": s_rel_sd(calibration)}
