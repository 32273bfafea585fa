"""Which ions are used, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aavqc.cdms.settings import TechniqueSettings
from aavqc.errors import UsageError
from aavqc.records import FloatArray, IonTable

PROTON_MASS = 1.007276467
"""Mass of a charge carrier, Da."""

LEAST_CHARGE = 10.0
"""Signals below so many charges are noise: a single centroid's noise is some 3 to 5 e."""


@dataclass(frozen=True)
class Ions:
    """The ions that are used, and the funnel that led to them.

    Attributes
    ----------
    mz, charge, mass : arrays, shape (n,)
        Th, e, Da.
    funnel : list of {step, ions}
        ``read``, then each reason with the ions that it took, then ``used``; read = sum of the rest.
    """

    mz: FloatArray
    charge: FloatArray
    mass: FloatArray
    funnel: list[dict[str, Any]]


def select(record: IonTable, charge: FloatArray, settings: TechniqueSettings) -> Ions:
    """Leave out what is no single ion, and compute masses: M = z (m/z − 1.007276467).

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
        ``mz_range`` is no range.
    """
    keep = np.ones(record.mz.size, bool)
    funnel = [{"step": "read", "ions": record.rows_read}]
    funnel += [{"step": f"dropped: {reason}", "ions": n} for reason, n in sorted(record.dropped.items())]

    def drop(reason: str, bad: np.ndarray[Any, Any]) -> None:
        funnel.append({"step": f"dropped: {reason}", "ions": int(np.count_nonzero(keep & bad))})
        keep[bad] = False

    if record.multi_ion is not None:
        drop("signal of several ions", record.multi_ion)
    if settings.mz_range is not None:
        low, high = settings.mz_range
        if not 0 <= low < high:
            raise UsageError("setting mz_range", expected="low, high", found=f"{low}, {high}")
        drop("m/z outside mz_range", (record.mz < low) | (record.mz > high))
    drop(f"charge below {LEAST_CHARGE:g} e", ~(charge >= LEAST_CHARGE))
    with np.errstate(over="ignore"):
        mass = charge * (record.mz - PROTON_MASS)
    drop("mass is not a positive number", ~(np.isfinite(mass) & (mass > 0)))
    funnel.append({"step": "used", "ions": int(np.count_nonzero(keep))})
    return Ions(record.mz[keep], charge[keep], mass[keep], funnel)
