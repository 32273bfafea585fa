"""The charge of each ion: from intensity by a calibration, else the file's own."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.cdms.calibration import RESIDUAL_LIMIT, charges_by, fit_calibration, scale_rel_sd
from aavqc.cdms.calibration_document import ChargeCalibration, Response
from aavqc.cdms.funnel import LEAST_CHARGE
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.standards import NEAR, PLAUSIBLE, Standard, find_standards, within
from aavqc.documents import Flag
from aavqc.records import FloatArray, IonTable
from aavqc.validity import validity_flags

REACH = 0.1
"""Beyond either end of the standards' range by this fraction of that end a calibration is extrapolated."""

UNTELLING = 0.1
"""Relative SD of charges beyond which no peak can be given to a class: full capsids weigh 1.4 empty ones."""

LOOKED_AT = 100_000
"""Ions of which the median charge and m/z are taken, evenly from all."""

Signal = Callable[[slice | NDArray[np.integer[Any]]], FloatArray]
"""The signal of single ions, of some of them."""


@dataclass(frozen=True)
class Computed:
    """Charges by a response, of a stretch of ions at a time: there may be millions of them."""

    response: Response
    signal: Signal
    mz: FloatArray

    def __getitem__(self, ions: slice) -> FloatArray:
        return charges_by(self.response, self.signal(ions), self.mz[ions])


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
    sigma_z : (float, float) or None
        a and b of the charge noise that the standards of the calibration show.
    on_record : bool
        Whether the calibration behind the charges is known.
    """

    charge: FloatArray | Computed | None
    calibration: dict[str, Any]
    flags: list[Flag]
    rel_sd: float | None = None
    sigma_z: tuple[float, float] | None = None
    on_record: bool = True


def charges(record: IonTable, settings: TechniqueSettings) -> Charges:
    """Return the charge of each ion, (intensity − intercept) / (slope + mz_slope · m/z).

    Where two standards of ``standards.<name>`` or more show their combs in the file, the
    calibration is fitted to them, and no other is used; else it is the document of ``calibration.file``, else
    ``charge_slope``. Standards that are named and not seen are flagged, whatever is used in their place.
    The intensity of a flux-scaled spectrum is multiplied by its scan's injection time in
    seconds first: the number of ions trapped, and so the signal of one ion, does not depend on
    it. Charges that a file has beside its intensities most often rest on a default slope, which
    is seldom the instrument's: they are used, last of all, where the file holds the calibration that made
    them.

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
    found: list[Standard] = []
    if settings.standards:
        at, intensity = _sorted(mz, signal(slice(None)))
        found = find_standards(at, intensity, settings.standards)
        facts["combs"] = [standard.row() for standard in found]
        flags += _mass_flags(found)
        fitted = fit_calibration(at, intensity, found, least)
        if fitted is not None:
            used = {standard.name for standard in fitted.standards}
            flags += _not_seen(found, used, "the charge calibration is fitted to the others")
            given = {
                "calibration.file": settings.calibration.loaded,
                "charge_slope": settings.charge_slope is not None,
            }
            flags += [
                _unused(f"the calibration on the file's own standards is used: {name} is not")
                for name, is_given in given.items()
                if is_given
            ]
            # what calibration.file takes: nothing in it is of this file's other ions
            document = fitted.model_copy(update={"injection_time_used": multiplied})
            facts["fitted"] = document.model_dump(mode="json", by_alias=True)
            return _calibrated(document, "standards", signal, mz, facts, flags, settings)
    if settings.calibration.loaded:
        flags += _not_seen(found, (), "charges are by the calibration that is loaded")
        if settings.charge_slope is not None:
            flags.append(_unused("the calibration that is loaded is used: charge_slope is not"))
        flags += validity_flags(settings.calibration, settings.run_date)
        names = ("id", "version", "certificate", "date", "valid_until", "model", "charge_range", "mz_range")
        facts["loaded"] = settings.calibration.model_dump(mode="json", include=set(names))
        return _calibrated(settings.calibration, "calibration", signal, mz, facts, flags, settings)
    if settings.charge_slope is not None:
        flags += _not_seen(found, (), "charges are by charge_slope as given")
        response = Response(
            model="slope_mz" if settings.charge_mz_slope else "slope_intercept",
            charge_slope=settings.charge_slope,
            charge_intercept=settings.charge_intercept,
            charge_mz_slope=settings.charge_mz_slope,
        )
        charge = Computed(response, signal, mz)  # an infinite charge is dropped with its mass
        return Charges(charge, {**facts, "source": "charge_slope"}, flags, settings.charge_rel_sd)
    doubt = _doubt_of_own(record)
    if record.charge is not None and doubt is None and not settings.standards:
        return Charges(record.charge, {**facts, "source": "file"}, flags, settings.charge_rel_sd)
    own = f" ({doubt})" if record.charge is not None and doubt is not None else ""
    need = f"; fewer than {least} standards were found" if settings.standards else ""
    message = f"no charge calibration{own}{need}: set charge_slope or calibration.file"
    flags.append(_flag("charge_calibration", "invalid", message))
    return Charges(None, facts, flags)


def _of_file(record: IonTable, settings: TechniqueSettings) -> Charges:
    """Return the charges of a file that has nothing else."""
    flags = []
    if settings.charge_slope is not None:
        flags.append(_unused("the file has no intensity: its charges are used"))
    if settings.calibration.loaded:
        flags.append(_unused("the file has no intensity: its charges are used, calibration.file is not"))
    if settings.standards:
        message = "the file has no intensity to calibrate on the standards: its charges are used"
        flags.append(_flag("standards_unused", "warning", message))
    named = settings.calibration.id or settings.calibration.certificate
    on_record = named is not None and not settings.calibration.loaded
    if on_record:
        flags += validity_flags(settings.calibration, settings.run_date)
    else:
        message = (
            "the calibration behind the file's charges is not on record: a wrong slope shifts every mass "
            "alike; set calibration.id, or export intensities"
        )
        flags.append(_flag("charges_not_on_record", "warning", message))
    facts = {
        "source": "file",
        "charge_slope": settings.charge_slope,
        "charge_intercept": settings.charge_intercept,
        "injection_time_used": False,
        "calibration_id": named if on_record else None,
    }
    return Charges(record.charge, facts, flags, settings.charge_rel_sd, on_record=on_record)


def _doubt_of_own(record: IonTable) -> str | None:
    """Say why the charges that a file has beside its intensities are not to be used; None where they are."""
    stated = record.acquisition.get("calibration")
    if record.charge is None or record.intensity is None or stated is None:
        return "the file's charges rest on a calibration that it does not state"
    if stated["default"]:
        return "the file's charges rest on its software's default slope"
    slope = stated["slope"]
    if slope and record.charge.size:
        off = float(np.median(np.abs(record.intensity / slope - record.charge)))
        if off > 1:
            return f"the file's charges are {off:.1f} e off the calibration that it holds"
    return None


def _per_ion(record: IonTable, flags: list[Flag]) -> tuple[Signal, bool]:
    """Return the signal of one ion: of a flux-scaled spectrum, intensity × injection time in s."""

    def as_written(ions: slice | NDArray[np.integer[Any]]) -> FloatArray:
        return np.asarray(record.at("intensity", ions), np.float64)

    def of_one_ion(ions: slice | NDArray[np.integer[Any]]) -> FloatArray:
        signal: FloatArray = as_written(ions) * (record.at("injection_time_ms", ions) / 1000)
        return signal

    if record.flux_scaled and record.has("injection_time_ms"):
        return of_one_ion, True
    if record.flux_scaled:
        message = "no injection times: the charge slope holds only if they are all as at calibration"
        flags.append(_flag("injection_time_unknown", "warning", message))
    return as_written, False


def _sorted(mz: FloatArray, intensity: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return sound ions, ascending in m/z."""
    order = np.argsort(mz, kind="stable")
    mz, intensity = mz[order], intensity[order]
    sound = np.isfinite(mz) & (intensity > 0)
    return mz[sound], intensity[sound]


def _calibrated(
    calibration: ChargeCalibration,
    source: str,
    signal: Signal,
    mz: FloatArray,
    facts: dict[str, Any],
    flags: list[Flag],
    settings: TechniqueSettings,
) -> Charges:
    """Apply a calibration; say where it is stretched, or does not fit."""
    response = calibration.responses[0]
    facts |= {
        "source": source,
        "charge_slope": response.charge_slope,
        "charge_intercept": response.charge_intercept,
        "charge_mz_slope": response.charge_mz_slope,
    }
    residual = calibration.residual_rel_sd or 0.0
    if residual > RESIDUAL_LIMIT:
        message = f"the standards' lines scatter by {100 * residual:.1f} % about the calibration"
        flags.append(_flag("charge_calibration", "invalid", message, 100 * residual, 100 * RESIDUAL_LIMIT))
    if calibration.injection_time_used not in (None, facts["injection_time_used"]):
        ours, theirs = ("are", "were not") if facts["injection_time_used"] else ("are not", "were")
        message = f"intensities {ours} multiplied by injection time, those of the calibration {theirs}"
        flags.append(_flag("charge_calibration", "invalid", message))
    rel_sd = _stretch(calibration, signal, mz, flags, settings.design_length is not None)
    noise = calibration.sigma_z
    shown = None if noise.a is None or noise.b is None else (noise.a, noise.b)
    return Charges(Computed(response, signal, mz), {**facts, "rel_sd": rel_sd}, flags, rel_sd, shown)


def _stretch(
    calibration: ChargeCalibration, signal: Signal, mz: FloatArray, flags: list[Flag], classes: bool
) -> float | None:
    """Return the relative SD of charges at the median ion; flag one beyond the standards."""
    some = np.arange(0, mz.size, max(1, mz.size // LOOKED_AT))
    intensity = signal(some)
    charge = charges_by(calibration.responses[0], intensity, mz[some])
    heavy = np.isfinite(charge) & (charge >= LEAST_CHARGE)
    if not heavy.any():
        return None
    middle, where = float(np.median(charge[heavy])), float(np.median(mz[some][heavy]))
    low, high = calibration.charge_range or (middle, middle)
    left, right = calibration.mz_range or (where, where)
    beyond = not (_inside(middle, low, high) and _inside(where, left, right))
    rel_sd = scale_rel_sd(calibration, float(np.median(intensity[heavy])), where, beyond)
    if beyond:
        message = (
            f"the median ion has charge {middle:.0f} at m/z {where:.0f}, beyond the standards' "
            f"{low:.0f}–{high:.0f} and {left:.0f}–{right:.0f}: charges are good to {100 * rel_sd:.1f} % there"
        )
        if classes and rel_sd > UNTELLING:
            message += ", and a peak may be of any class"
            flags.append(_flag("charge_extrapolated", "invalid", message, 100 * rel_sd, 100 * UNTELLING))
        else:
            flags.append(_flag("charge_extrapolated", "warning", message, 100 * rel_sd))
    return rel_sd


def _mass_flags(found: Sequence[Standard]) -> list[Flag]:
    """Flag standards whose comb weighs what adducts do not explain: another mass, or another species."""
    flags = []
    for standard in found:
        off = standard.offset
        if off is None or within(off, PLAUSIBLE):
            continue
        what = "the standard is not used" if not within(off, NEAR) else "is the stated mass the standard's?"
        low, high = (100 * bound for bound in PLAUSIBLE)
        weighs = standard.stated * (1 + off) / 1e3
        message = (
            f"the comb of {standard.name} weighs {weighs:.1f} kDa, {100 * off:+.2f} % off the "
            f"{standard.stated / 1e3:.1f} stated (adducts explain {low:g} to {high:g} %): {what}"
        )
        flags.append(_flag("standard_mass", "warning", message, 100 * off, high if off > 0 else low))
    return flags


def _not_seen(found: Sequence[Standard], used: Container[str], instead: str) -> list[Flag]:
    """Flag standards that are not used, but for those that another flag says are of another mass."""
    missing = [s.name for s in found if s.name not in used and (s.offset is None or within(s.offset, NEAR))]
    if not missing:
        return []
    message = f"no comb of m/z is beyond doubt of the standards {', '.join(missing)}: {instead}"
    return [_flag("standard_not_found", "warning", message)]


def _unused(message: str) -> Flag:
    return _flag("charge_slope_unused", "info", message)


def _inside(value: float, low: float, high: float) -> bool:
    return low * (1 - REACH) <= value <= high * (1 + REACH)


def _flag(
    name: str, severity: Any, message: str, value: float | None = None, limit: float | None = None
) -> Flag:
    return Flag(id=name, severity=severity, message=message, value=value, limit=limit)
