"""Whether the scale of charges moves: over the run, or with the injection time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from aavqc.cdms.attributes import LEAST_IONS
from aavqc.cdms.funnel import Ions
from aavqc.cdms.peaks import Peak
from aavqc.documents import Flag
from aavqc.records import FloatArray, IonTable

DRIFT_LIMIT = 0.5
"""Per cent by which the masses of a peak may move: half of what the mass of the empty peak may be off."""

JUMP_LIMIT = 10.0
"""The same for all ions together, whose mixture may change a little with the injection time."""

SIGNIFICANCE = 5.0
"""Standard errors that a trend must have besides."""

ENDS = (0.02, 0.98)
"""Quantiles between which the injection time varies: a stray scan makes no range."""


def drifts(record: IonTable, ions: Ions, peaks: Sequence[Peak]) -> tuple[dict[str, Any], list[Flag]]:
    """Return how far masses move from the first to the last ion, and with the injection time.

    A straight line through ln(mass) of the ions of each peak, all with one slope: peaks that come
    and go do not count. Where the injection time varies so much that one species makes several
    peaks, no peak shows it; then the line is through all ions.

    Parameters
    ----------
    record : IonTable
    ions : Ions
    peaks : sequence of Peak
        Of ``ions.mass``.

    Returns
    -------
    dict
        ``time_percent``, ``injection_time_percent``: from the least to the greatest, each with
        its ``_se``; None where the file does not tell.
    list of Flag
        ``charge_drift``, ``injection_time_trend``.
    """
    log_mass = np.log(ions.mass)
    member = np.full(log_mass.size, -1)
    for i, peak in enumerate(peaks):
        member[(ions.mass >= peak.low) & (ions.mass < peak.high)] = i
    facts: dict[str, Any] = {}
    flags = []
    clock = next((name for name in ("time_s", "scan") if record.has(name)), None)
    found = None
    if clock is not None:
        found = _trend(log_mass, _unit(record.at(clock, ions.index), (0.0, 1.0)), member)
    facts |= _facts("time_percent", found)
    if found is not None and _beyond(found, DRIFT_LIMIT):
        message = f"masses move by {found[0]:+.1f} % over the run: the charge calibration drifts"
        flags.append(_flag("charge_drift", message, found, DRIFT_LIMIT))
    found, limit = None, DRIFT_LIMIT
    if record.has("injection_time_ms"):
        injection = _unit(np.log(np.maximum(record.at("injection_time_ms", ions.index), 1e-6)), ENDS)
        found = _trend(log_mass, injection, member)
        whole = _trend(log_mass, injection, np.zeros(log_mass.size, int))
        if whole is not None and _beyond(whole, JUMP_LIMIT):
            found, limit = whole, JUMP_LIMIT
    facts |= _facts("injection_time_percent", found)
    if found is not None and _beyond(found, limit):
        message = (
            f"charges differ by {found[0]:+.1f} % from the shortest to the longest injection time: is the "
            "intensity what the format says (ions per time in spectra, of single ions in lists)?"
        )
        flags.append(_flag("injection_time_trend", message, found, limit))
    return facts, flags


def _unit(values: np.ndarray[Any, Any], ends: tuple[float, float]) -> FloatArray | None:
    """Scale values to 0 … 1 between two quantiles; None where they do not vary or are not known."""
    known = np.asarray(values, np.float64)
    if known.size < LEAST_IONS or not np.isfinite(known).all():
        return None
    low, high = np.quantile(known, ends)
    return np.clip((known - low) / (high - low), 0.0, 1.0) if high > low else None


def _trend(
    log_mass: FloatArray, at: FloatArray | None, member: np.ndarray[Any, Any]
) -> tuple[float, float] | None:
    """Return the common slope within groups and its SE, both in per cent; None from too few ions."""
    inside = member >= 0
    if at is None or np.count_nonzero(inside) < LEAST_IONS:
        return None
    x, y, group = at[inside], log_mass[inside], member[inside]
    held = np.maximum(np.bincount(group), 1)
    x = x - (np.bincount(group, x) / held)[group]
    y = y - (np.bincount(group, y) / held)[group]
    spread = float((x * x).sum())
    if spread <= 1e-9 * x.size:
        return None
    slope = float((x * y).sum()) / spread
    rest = y - slope * x
    return 100 * slope, 100 * math.sqrt(float((rest * rest).sum()) / (x.size - 2) / spread)


def _beyond(found: tuple[float, float], limit: float) -> bool:
    return abs(found[0]) > max(limit, SIGNIFICANCE * found[1])


def _facts(name: str, found: tuple[float, float] | None) -> dict[str, float | None]:
    value, error = (None, None) if found is None else found
    return {name: value, f"{name}_se": error}


def _flag(name: str, message: str, found: tuple[float, float], limit: float) -> Flag:
    return Flag(id=name, severity="warning", message=message, value=found[0], limit=limit)
