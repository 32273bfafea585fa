"""Standards in an ion list: the comb of each, looked for near the mass that is stated for it.

A native standard carries salt and other adducts, 0.1 to 0.5 % of its mass, so its lines are not where its
sequence puts them. What a calibration needs of it is the charge of each line, and those are whole
numbers: the comb itself tells them, and the stated mass says only where to begin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aavqc.cdms.comb import (
    HALF_WIDTH,
    LEAST_IONS,
    Line,
    climbed,
    fullest,
    fullest_of,
    lead,
    lines,
    one_charge_off,
    standing,
)
from aavqc.cdms.funnel import PROTON_MASS
from aavqc.records import FloatArray

NEAR = (-0.005, 0.012)
"""Where the comb of a standard may lie about its stated mass, relative: adducts only add."""

PLAUSIBLE = (-0.002, 0.006)
"""What salt, adducts and the scale of m/z explain; a comb beyond is used up to ``NEAR``, and flagged."""

AGREEING = 0.08
"""Lines whose intensities a charge differ by no more, relative, are taken to be of standards."""

SELECTED = 0.2
"""Ions whose mass by a first slope is off the standard's by more are other species'."""

LEAD = 3.0
"""SD of the counts by which a comb must hold more ions than those of one charge less or more."""

GRID = 10.0
"""Da between the masses of which the comb's is chosen."""


WHOLE = 0.9
"""Share of a comb's ions on charges with a common factor from which on it is that of a part of the mass."""


@dataclass(frozen=True)
class Standard:
    """A standard as it was looked for.

    Attributes
    ----------
    name : str
    stated : float
        Mass, Da.
    mass : float or None
        Of the comb, Da; None where none is seen, or where it can't be told from that of another charge.
    lines : tuple of Line
        Of the comb; none where it is too far from the stated mass to be the standard's.
    """

    name: str
    stated: float
    mass: float | None = None
    lines: tuple[Line, ...] = ()

    @property
    def offset(self) -> float | None:
        """What the comb weighs more than is stated, relative."""
        return None if self.mass is None else self.mass / self.stated - 1

    def row(self) -> dict[str, Any]:
        """Return what the diagnostics say of it."""
        offset = self.offset
        return {
            "name": self.name,
            "stated_da": self.stated,
            "measured_da": self.mass,
            "offset_percent": None if offset is None else 100 * offset,
            "lines": len(self.lines),
        }


def within(offset: float, bounds: tuple[float, float]) -> bool:
    """Tell whether a relative offset lies between two bounds."""
    return bounds[0] <= offset <= bounds[1]


def find_standards(mz: FloatArray, intensity: FloatArray, stated: Mapping[str, float]) -> list[Standard]:
    """Find the comb of each standard.

    A first slope is the intensity a charge that most lines of the fullest combs near the stated masses
    agree on: one charge more or less makes 1 to 4 % of it. By that slope each standard's ions are told from
    those of other species, and their comb is climbed: to the combs of one charge less or more, while they
    hold more ions.

    Parameters
    ----------
    mz, intensity : arrays, shape (n,)
        Ascending in m/z; intensities positive.
    stated : mapping of str to float
        Masses, Da.

    Returns
    -------
    list of Standard
        By name.
    """
    first = [line for mass in stated.values() for line in lines(mz, intensity, _begin(mz, mass))]
    if not first:
        return [Standard(name, mass) for name, mass in sorted(stated.items())]
    by_slope = intensity * (mz - PROTON_MASS) / _most_common_slope(first)
    found = []
    for name, mass in sorted(stated.items()):
        own = np.abs(by_slope / mass - 1) < SELECTED
        comb = _own_comb(mz[own], mass)
        used = [] if comb is None else lines(mz[own], intensity[own], comb)
        if comb is None or _of_a_part(used):
            found.append(Standard(name, mass))
            continue
        found.append(Standard(name, mass, comb, tuple(used) if within(comb / mass - 1, NEAR) else ()))
    return [s if _is_nearest(s, found) else Standard(s.name, s.stated) for s in found]


def _of_a_part(comb: Sequence[Line]) -> bool:
    """Tell a comb whose charges have a common factor: it is that of a half or a third of the mass."""
    charge = np.array([line.charge for line in comb])
    weight = np.array([line.weight for line in comb])
    return any(weight[charge % k == 0].sum() > WHOLE * weight.sum() for k in (2, 3))


def _is_nearest(standard: Standard, found: Sequence[Standard]) -> bool:
    """Tell whether no other standard of the same comb was stated nearer to it: a species counts once."""
    return not any(
        standard.mass is not None
        and other.mass is not None
        and abs(other.mass / standard.mass - 1) < HALF_WIDTH
        and (abs(other.offset or 0.0), other.name) < (abs(standard.offset or 0.0), standard.name)
        for other in found
    )


def weighted_median(values: FloatArray, weight: FloatArray) -> float:
    """Return the median of values of unlike weight."""
    order = np.argsort(values, kind="stable")
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)])


def _most_common_slope(found: Sequence[Line]) -> float:
    """Return the intensity a charge about which most lines lie: those of other species scatter."""
    per_charge = np.array([line.per_charge for line in found])
    weight = np.array([line.weight for line in found])
    near = np.abs(np.log(per_charge[:, None] / per_charge)) < AGREEING
    most = near[(near @ weight).argmax()]
    return weighted_median(per_charge[most], weight[most])


def _begin(mz: FloatArray, mass: float) -> float:
    """Return the mass near the stated one whose lines stand out most, other species' ions among them."""
    trial = mass * (1 + np.arange(*NEAR, HALF_WIDTH / 4))
    return float(trial[np.argmax([standing(mz, m)[-1].sum() for m in trial])])


def _own_comb(mz: FloatArray, stated: float) -> float | None:
    """Return the mass of the comb that a standard's own ions make; None where it is not beyond doubt."""
    if mz.size < LEAST_IONS:
        return None
    begin = fullest(mz, stated, *NEAR)
    half = float(np.median(mz)) / begin / 2
    found = climbed(mz, fullest(mz, begin, -half, half))
    if found is None or any(lead(mz, found[0], other) < LEAD for other in one_charge_off(mz, found[0])):
        return None
    # the same masses are tried from wherever the climb began: what is found hangs on the ions alone
    reach = 4 * HALF_WIDTH * found[0]
    trial = GRID * np.arange(np.ceil((found[0] - reach) / GRID), (found[0] + reach) / GRID)
    return fullest_of(mz, trial, GRID * float(np.rint(found[0] / GRID)))
