"""The charge of each ion: from intensity by a calibration, else the file's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aavqc.cdms.calibration import RESIDUAL_LIMIT, Calibration, Response, fit_calibration
from aavqc.cdms.funnel import LEAST_CHARGE
from aavqc.cdms.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.records import FloatArray, IonTable

REACH = 0.1
"""Beyond the standards' range by this fraction of it a calibration is extrapolated."""


@dataclass(frozen=True)
class Computed:
    """Charges by a response, of a stretch of ions at a time: there may be millions of them."""

    response: Response
    signal: Callable[[slice], FloatArray]
    mz: FloatArray

    def __getitem__(self, ions: slice) -> FloatArray:
        return self.response.charge(self.signal(ions), self.mz[ions])


@dataclass(frozen=True)
class Charges:
    """Charges and where they come from.

    Attributes
    ----------
    charge : array, shape (n,), or None
        In e, not rounded; None where no calibration is known. Computed as a slice is taken, where the
        calibration is given.
    calibration : dict
        What the result document says of it.
    flags : list of Flag
    rel_sd : float or None
        Relative SD of the scale of charges; None where it is not stated.
    """

    charge: FloatArray | Computed | None
    calibration: dict[str, Any]
    flags: list[Flag]
    rel_sd: float | None = None


def charges(record: IonTable, settings: TechniqueSettings) -> Charges:
    """Return the charge of each ion, (intensity − intercept) / (slope + mz_slope · m/z).

    Where two standards of ``standards.<name>`` or more show their combs in the file, the
    calibration is fitted to them, and a slope that is given is not used. Standards that are named and
    not seen are flagged, whatever is used in their place.
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
    if record.intensity is None:
        return _of_file(record, settings)
    flags: list[Flag] = []
    signal, multiplied = _per_ion(record, flags)
    facts: dict[str, Any] = {
        "source": None,
        "charge_slope": settings.charge_slope,
        "charge_intercept": settings.charge_intercept,
        "charge_mz_slope": settings.charge_mz_slope,
        "injection_time_used": multiplied,
    }
    mz = np.asarray(record.mz, np.float64)
    least = 1 if settings.single_standard else 2
    intensity = signal(slice(None)) if settings.standards else np.empty(0)
    fitted = fit_calibration(mz, intensity, settings.standards, least) if settings.standards else None
    if fitted is not None:
        missing = set(settings.standards) - {name for name, _, _ in fitted.lines}
        if missing:
            flags.append(_missing(missing, "the charge calibration is fitted to the others"))
        return _by_standards(fitted, intensity, mz, facts, flags)
    if settings.charge_slope is None:
        own = " (the file's charges rest on a calibration that it does not state)"
        need = f"; fewer than {least} standards were found" if settings.standards else ""
        message = f"no charge calibration{own if record.charge is not None else ''}{need}: set charge_slope"
        flags.append(_flag("charge_calibration", "invalid", message))
        return Charges(None, facts, flags)
    if settings.standards:
        flags.append(_missing(settings.standards, "charges are by charge_slope as given"))
    response = Response(
        "slope_mz" if settings.charge_mz_slope else "slope_intercept",
        settings.charge_slope,
        settings.charge_intercept,
        settings.charge_mz_slope,
    )
    charge = Computed(response, signal, mz)  # an infinite charge is dropped with its mass
    return Charges(charge, {**facts, "source": "charge_slope"}, flags, settings.charge_rel_sd)


def _of_file(record: IonTable, settings: TechniqueSettings) -> Charges:
    """Return the charges of a file that has nothing else."""
    flags = []
    if settings.charge_slope is not None:
        flags.append(_flag("charge_slope_unused", "info", "the file has no intensity: its charges are used"))
    if settings.standards:
        message = "the file has no intensity to calibrate on the standards: its charges are used"
        flags.append(_flag("standards_unused", "warning", message))
    facts = {
        "source": "file",
        "charge_slope": settings.charge_slope,
        "charge_intercept": settings.charge_intercept,
        "injection_time_used": False,
    }
    return Charges(record.charge, facts, flags, settings.charge_rel_sd)


def _per_ion(record: IonTable, flags: list[Flag]) -> tuple[Callable[[slice], FloatArray], bool]:
    """Return the signal of one ion: of a flux-scaled spectrum, intensity × injection time in s."""

    def as_written(ions: slice) -> FloatArray:
        return np.asarray(record.at("intensity", ions), np.float64)

    def of_one_ion(ions: slice) -> FloatArray:
        signal: FloatArray = as_written(ions) * (record.at("injection_time_ms", ions) / 1000)
        return signal

    if record.flux_scaled and record.has("injection_time_ms"):
        return of_one_ion, True
    if record.flux_scaled:
        message = "no injection times: the charge slope holds only if they are all as at calibration"
        flags.append(_flag("injection_time_unknown", "warning", message))
    return as_written, False


def _by_standards(
    fitted: Calibration, intensity: FloatArray, mz: FloatArray, facts: dict[str, Any], flags: list[Flag]
) -> Charges:
    """Apply a calibration fitted in the same file; say where it is stretched, or does not fit."""
    charge = fitted.response.charge(intensity, mz)
    heavy = np.isfinite(charge) & (charge >= LEAST_CHARGE)
    if not fitted.suitable:
        message = f"the standards' lines scatter by {100 * fitted.residual_sd:.1f} % about the calibration"
        flags.append(
            _flag("charge_calibration", "invalid", message, 100 * fitted.residual_sd, 100 * RESIDUAL_LIMIT)
        )
    rel_sd = None
    if heavy.any():
        middle, where = float(np.median(charge[heavy])), float(np.median(mz[heavy]))
        low, high = fitted.charge_range
        left, right = fitted.mz_range
        beyond = not (_within(middle, low, high) and _within(where, left, right))
        rel_sd = fitted.rel_sd(float(np.median(intensity[heavy])), where, beyond)
        if beyond:
            message = (
                f"the median ion has charge {middle:.0f} at m/z {where:.0f}, beyond the standards' "
                f"{low}–{high} and {left:.0f}–{right:.0f}: models differ by {100 * rel_sd:.1f} % there"
            )
            flags.append(_flag("charge_extrapolated", "warning", message, 100 * rel_sd))
    document = fitted.document()
    facts = {**facts, **{k: document[k] for k in facts if k in document}, "source": "standards"}
    return Charges(charge, {**facts, "fitted": {**document, "rel_sd": rel_sd}}, flags, rel_sd)


def _missing(names: Iterable[str], instead: str) -> Flag:
    message = f"no comb of m/z is seen of the standards {', '.join(sorted(names))}: {instead}"
    return _flag("standard_not_found", "warning", message)


def _within(value: float, low: float, high: float) -> bool:
    return low * (1 - REACH) <= value <= high * (1 + REACH)


def _flag(
    name: str, severity: Any, message: str, value: float | None = None, limit: float | None = None
) -> Flag:
    return Flag(id=name, severity=severity, message=message, value=value, limit=limit)
