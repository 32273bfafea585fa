"""The charge of each ion: from intensity by a calibration, else the file's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aavqc.cdms.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.records import FloatArray, IonTable


@dataclass(frozen=True)
class Charges:
    """Charges and where they come from.

    Attributes
    ----------
    charge : array, shape (n,), or None
        In e, not rounded; None where no calibration is known.
    calibration : dict
        What the result document says of it.
    flags : list of Flag
    """

    charge: FloatArray | None
    calibration: dict[str, Any]
    flags: list[Flag]


def charges(record: IonTable, settings: TechniqueSettings) -> Charges:
    """Return the charge of each ion, (intensity − intercept) / slope.

    The intensity of a flux-scaled spectrum is multiplied by its scan's injection time in
    seconds first: the number of ions trapped, and so the signal of one ion, does not depend on
    it. The charges of a file that has intensities are the vendor's, by a default slope that
    is seldom the instrument's: they are not used.

    Parameters
    ----------
    record : IonTable
    settings : TechniqueSettings

    Returns
    -------
    Charges
    """
    flags: list[Flag] = []
    facts: dict[str, Any] = {
        "source": None,
        "charge_slope": settings.charge_slope,
        "charge_intercept": settings.charge_intercept,
        "injection_time_used": False,
    }
    if record.intensity is None:
        if settings.charge_slope is not None:
            flags.append(
                _flag("charge_slope_unused", "info", "the file has no intensity: its charges are used")
            )
        return Charges(record.charge, {**facts, "source": "file"}, flags)
    if settings.charge_slope is None:
        own = " (the file's charges rest on a calibration that it does not state)"
        flags.append(
            _flag(
                "charge_calibration",
                "invalid",
                f"no charge calibration{own if record.charge is not None else ''}: set charge_slope",
            )
        )
        return Charges(None, facts, flags)
    intensity = record.intensity.astype(np.float64)
    if record.flux_scaled and record.injection_time_ms is not None:
        intensity = intensity * (record.injection_time_ms / 1000)
        facts["injection_time_used"] = True
    elif record.flux_scaled:
        flags.append(
            _flag(
                "injection_time_unknown",
                "warning",
                "no injection times: the charge slope holds only if they are all as at calibration",
            )
        )
    with np.errstate(over="ignore"):  # an infinite charge is dropped with its mass
        charge = (intensity - settings.charge_intercept) / settings.charge_slope
    return Charges(charge, {**facts, "source": "charge_slope"}, flags)


def _flag(name: str, severity: Any, message: str) -> Flag:
    return Flag(id=name, severity=severity, message=message)
