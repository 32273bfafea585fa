"""Which ions are used, and why the others are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from aavqc.cdms.neighbours import crowded
from aavqc.cdms.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.errors import UsageError
from aavqc.records import FloatArray, IonTable
from aavqc.records.ion_columns import Growing

PROTON_MASS = 1.007276467
"""Mass of a charge carrier, Da."""

LEAST_CHARGE = 10.0
"""Signals below so many charges are noise: a single centroid's noise is some 3 to 5 e."""

IMPLAUSIBLE = "m/z below the charge"
OUTSIDE_Z = "charge outside z_range"
MASSLESS = "mass is not a positive number"

FEW = 0.01
"""Share of ions that may have an m/z below their charge without a flag."""


@dataclass(frozen=True)
class Ions:
    """The ions that are used, and the funnel that led to them.

    Attributes
    ----------
    charge, mass : arrays, shape (n,)
        e, Da.
    index : int32 or int64 array, shape (n,)
        Positions in the record, ascending.
    record_mz : array
        m/z of every ion of the record, Th.
    funnel : list of {step, ions}
        ``read``, then each reason with the ions that it took, then ``used``; read = sum of the rest.
    flags : list of Flag
        Filters that the file has no column for; m/z below the charge.
    """

    charge: FloatArray
    mass: FloatArray
    index: NDArray[np.integer[Any]]
    record_mz: FloatArray
    funnel: list[dict[str, Any]]
    flags: list[Flag] = field(default_factory=list)

    @property
    def mz(self) -> FloatArray:
        """Mass over charge of each ion, Th: picked out when it is asked for, as the record holds it."""
        picked: FloatArray = self.record_mz[self.index]
        return picked


class ByStretch(Protocol):
    """What gives the charges of a stretch of ions: an array, or what computes them."""

    def __getitem__(self, ions: slice, /) -> FloatArray:
        """Return charges, e."""


def select(record: IonTable, charge: ByStretch, settings: TechniqueSettings) -> Ions:
    """Leave out what is no single ion, and compute masses: M = z (m/z − 1.007276467).

    An ion that several reasons take is counted under the first. Neighbours are signals of the
    same scan beyond the noise, whatever other filters make of them. Ions are gone through some
    scans at a time: of millions most are noise, and columns are made of the rest alone.

    Parameters
    ----------
    record : IonTable
    charge : array, shape (n,), or what gives slices of one
    settings : TechniqueSettings

    Returns
    -------
    Ions

    Raises
    ------
    UsageError
        ``mz_range`` or ``z_range`` is no range.
    """
    flags: list[Flag] = []
    limits = _limits(record, settings, flags)
    taken: dict[str, int] = {}
    n = int(record.mz.size)
    counting = np.int32 if n < 2**31 else np.int64
    columns = (Growing(np.float64, n), Growing(np.float64, n), Growing(counting, n))
    massless = 0
    for part in [*record.stretches()] or [slice(0, 0)]:
        z, mz = charge[part], record.mz[part]
        keep = np.ones(z.size, bool)
        left = z.size
        for reason, bad in _reasons(record, part, z, mz, limits, settings):
            keep &= ~bad
            before, left = left, int(np.count_nonzero(keep))
            taken[reason] = taken.get(reason, 0) + before - left
        kept = np.flatnonzero(keep)
        z = z[kept]
        with np.errstate(over="ignore", invalid="ignore"):
            mass = (mz[kept] - PROTON_MASS) * z
        heavy = np.isfinite(mass) & (mass > 0)
        if not heavy.all():
            z, mass, kept = z[heavy], mass[heavy], kept[heavy]
        massless += left - kept.size
        for column, values in zip(columns, (z, mass, kept + part.start), strict=True):
            column.append(values)
    taken[MASSLESS] = massless
    used, mass, chosen = (column.close() for column in columns)
    flags += _implausible(taken, used.size)
    steps = [{"step": "read", "ions": record.rows_read}]
    steps += [{"step": f"dropped: {reason}", "ions": n} for reason, n in sorted(record.dropped.items())]
    steps += [{"step": f"dropped: {reason}", "ions": n} for reason, n in taken.items()]
    steps += [{"step": "used", "ions": used.size}]
    return Ions(used, mass, chosen, np.asarray(record.mz), steps, flags)


@dataclass(frozen=True)
class _Limit:
    """A lower limit of what a file says of its ions."""

    what: str
    least: float
    values: Callable[[slice], NDArray[Any]]


def _limits(record: IonTable, settings: TechniqueSettings, flags: list[Flag]) -> list[_Limit]:
    """Return the limits that are set; flag those, and the neighbours, that the file has no column for."""
    if settings.neighbour_distance is not None and not record.has("scan"):
        flags.append(_not_applied("neighbour_distance", "scan"))
    found = []
    for name, what, values in _measures(record):
        least = getattr(settings, name)
        if least is not None and values is None:
            flags.append(_not_applied(name, what))
        elif least is not None and values is not None:
            found.append(_Limit(what, least, values))
    return found


def _measures(record: IonTable) -> list[tuple[str, str, Callable[[slice], NDArray[Any]] | None]]:
    """Return each lower limit's setting, what it is of, and the values of a stretch of ions."""
    extra = record.extra
    life = {"time_of_birth", "time_of_death"} <= extra.keys()
    flux = record.flux_scaled
    signal = record.intensity is not None and (not flux or record.has("injection_time_ms"))

    def intensity(part: slice) -> NDArray[Any]:
        values = record.at("intensity", part)
        return values * (record.at("injection_time_ms", part) / 1000) if flux else values

    return [
        ("min_s_to_n", "S/N", extra["s_to_n"].__getitem__ if "s_to_n" in extra else None),
        ("min_r_squared", "R²", extra["r_squared"].__getitem__ if "r_squared" in extra else None),
        (
            "min_lifetime_s",
            "lifetime",
            (lambda part: extra["time_of_death"][part] - extra["time_of_birth"][part]) if life else None,
        ),
        ("min_intensity", "intensity", intensity if signal else None),
    ]


def _reasons(
    record: IonTable,
    part: slice,
    z: FloatArray,
    mz: FloatArray,
    limits: Sequence[_Limit],
    settings: TechniqueSettings,
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each reason to leave out ions of a stretch, and which ions it takes."""
    signal: NDArray[np.bool_] = z >= LEAST_CHARGE
    if record.multi_ion is not None:
        yield "signal of several ions", record.multi_ion[part]
    if settings.neighbour_distance is not None and record.has("scan"):
        text = f"another ion of the scan within {settings.neighbour_distance:g} Th"
        yield text, crowded(mz, record.at("scan", part), signal, settings.neighbour_distance)
    if settings.mz_range is not None:
        yield "m/z outside mz_range", _outside(mz, settings.mz_range, "mz_range")
    for limit in limits:
        yield f"{limit.what} below {limit.least:g}", ~(limit.values(part) >= limit.least)
    yield f"charge below {LEAST_CHARGE:g} e", ~signal
    yield IMPLAUSIBLE, mz < z
    if settings.z_range is not None:
        yield OUTSIDE_Z, _outside(z, settings.z_range, "z_range")


def _implausible(taken: Mapping[str, int], used: int) -> list[Flag]:
    """Flag ions of fewer Th than charges: no large ion has; most likely the columns are swapped."""
    bad = taken[IMPLAUSIBLE]
    left = bad + taken.get(OUTSIDE_Z, 0) + taken[MASSLESS] + used
    share = 100 * bad / left if left else 0.0
    if share <= 100 * FEW:
        return []
    message = f"{share:.0f} % of the ions have an m/z below their charge: are the columns swapped?"
    return [Flag(id="mz_below_charge", severity="warning", message=message, value=share, limit=100 * FEW)]


def _not_applied(setting: str, needed: str) -> Flag:
    message = f"the file has no {needed}: {setting} is not applied"
    return Flag(id="filter_not_applied", severity="warning", message=message)


def _outside(values: FloatArray, bounds: Sequence[float], name: str) -> NDArray[np.bool_]:
    low, high = bounds
    if not 0 <= low < high:
        raise UsageError(f"setting {name}", expected="low, high", found=f"{low}, {high}")
    outside: NDArray[np.bool_] = (values < low) | (values > high)
    return outside
