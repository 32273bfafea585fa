"""Which ions are used, and why the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.cdms.neighbours import crowded
from aavqc.cdms.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.errors import UsageError
from aavqc.records import Column, FloatArray, IonTable

PROTON_MASS = 1.007276467
"""Mass of a charge carrier, Da."""

LEAST_CHARGE = 10.0
"""Signals below so many charges are noise: a single centroid's noise is some 3 to 5 e."""


FEW = 0.01
"""Share of ions that may have an m/z below their charge without a flag."""


@dataclass(frozen=True)
class Ions:
    """The ions that are used, and the funnel that led to them.

    Attributes
    ----------
    mz, charge, mass : arrays, shape (n,)
        Th, e, Da.
    index : int64 array, shape (n,)
        Positions in the record, ascending.
    funnel : list of {step, ions}
        ``read``, then each reason with the ions that it took, then ``used``; read = sum of the rest.
    flags : list of Flag
        Filters that the file has no column for; m/z below the charge.
    """

    mz: FloatArray
    charge: FloatArray
    mass: FloatArray
    index: NDArray[np.int64]
    funnel: list[dict[str, Any]]
    flags: list[Flag] = field(default_factory=list)


def select(record: IonTable, charge: FloatArray, settings: TechniqueSettings) -> Ions:
    """Leave out what is no single ion, and compute masses: M = z (m/z − 1.007276467).

    An ion that several reasons take is counted under the first. Neighbours are signals of the
    same scan beyond the noise, whatever other filters make of them.

    Parameters
    ----------
    record : IonTable
    charge : array, shape (n,)
    settings : TechniqueSettings

    Returns
    -------
    Ions

    Raises
    ------
    UsageError
        ``mz_range`` or ``z_range`` is no range.
    """
    funnel = _Funnel(record)
    noise = ~(charge >= LEAST_CHARGE)
    if record.multi_ion is not None:
        funnel.drop("signal of several ions", record.multi_ion)
    if settings.neighbour_distance is not None:
        text = f"another ion of the scan within {settings.neighbour_distance:g} Th"
        if funnel.has(record.scan, "neighbour_distance", "scan"):
            funnel.drop(text, crowded(record.mz, record.scan, ~noise, settings.neighbour_distance))
    if settings.mz_range is not None:
        funnel.drop("m/z outside mz_range", _outside(record.mz, settings.mz_range, "mz_range"))
    for name, needed, values in _measures(record, settings):
        limit = getattr(settings, name)
        if limit is not None and funnel.has(values, name, needed):
            funnel.drop(f"{needed} below {limit:g}", ~(values >= limit))
    funnel.drop(f"charge below {LEAST_CHARGE:g} e", noise)
    funnel.drop_implausible(record.mz < charge)
    if settings.z_range is not None:
        funnel.drop("charge outside z_range", _outside(charge, settings.z_range, "z_range"))
    index = np.flatnonzero(funnel.keep)
    with np.errstate(over="ignore"):
        mass = charge[index] * (record.mz[index] - PROTON_MASS)
    heavy = np.isfinite(mass) & (mass > 0)
    steps = [
        *funnel.steps,
        {"step": "dropped: mass is not a positive number", "ions": int(np.count_nonzero(~heavy))},
        {"step": "used", "ions": int(np.count_nonzero(heavy))},
    ]
    index = index[heavy]
    return Ions(record.mz[index], charge[index], mass[heavy], index, steps, funnel.flags)


class _Funnel:
    """Ions that are left, and what became of the rest."""

    def __init__(self, record: IonTable) -> None:
        self.keep = np.ones(record.mz.size, bool)
        self.steps: list[dict[str, Any]] = [{"step": "read", "ions": record.rows_read}]
        self.steps += [
            {"step": f"dropped: {reason}", "ions": n} for reason, n in sorted(record.dropped.items())
        ]
        self.flags: list[Flag] = []

    def drop(self, reason: str, bad: NDArray[np.bool_]) -> None:
        self.steps.append({"step": f"dropped: {reason}", "ions": int(np.count_nonzero(self.keep & bad))})
        self.keep &= ~bad

    def drop_implausible(self, bad: NDArray[np.bool_]) -> None:
        """Drop ions of fewer Th than charges: no large ion has; most likely the columns are swapped."""
        left = int(np.count_nonzero(self.keep))
        share = np.count_nonzero(self.keep & bad) / left if left else 0.0
        self.drop("m/z below the charge", bad)
        if share > FEW:
            message = (
                f"{100 * share:.0f} % of the ions have an m/z below their charge: are the columns swapped?"
            )
            self.flags.append(
                Flag(
                    id="mz_below_charge",
                    severity="warning",
                    message=message,
                    value=100 * share,
                    limit=100 * FEW,
                )
            )

    def has(self, values: object, setting: str, needed: str) -> bool:
        """Tell whether the file has what a filter needs; flag it where it has not."""
        if values is None:
            message = f"the file has no {needed}: {setting} is not applied"
            self.flags.append(Flag(id="filter_not_applied", severity="warning", message=message))
        return values is not None


def _measures(record: IonTable, settings: TechniqueSettings) -> list[tuple[str, str, Any]]:
    """Return each lower limit's setting, what it is of, and the ions' values."""
    birth, death = record.extra.get("time_of_birth"), record.extra.get("time_of_death")
    lifetime = None if birth is None or death is None else death - birth
    signal: Column | None = record.intensity
    if signal is not None and settings.min_intensity is not None and record.flux_scaled:
        signal = None if record.injection_time_ms is None else signal * (record.injection_time_ms / 1000)
    return [
        ("min_s_to_n", "S/N", record.extra.get("s_to_n")),
        ("min_r_squared", "R²", record.extra.get("r_squared")),
        ("min_lifetime_s", "lifetime", lifetime),
        ("min_intensity", "intensity", signal),
    ]


def _outside(values: FloatArray, bounds: Sequence[float], name: str) -> NDArray[np.bool_]:
    low, high = bounds
    if not 0 <= low < high:
        raise UsageError(f"setting {name}", expected="low, high", found=f"{low}, {high}")
    outside: NDArray[np.bool_] = (values < low) | (values > high)
    return outside
