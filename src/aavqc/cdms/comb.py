"""Combs of m/z: the lines that a known mass leaves at each whole number of charges.

Where charge states are resolved, m/z alone gives mass and charge: lines lie at M / z + 1.007276.
That needs no charge calibration, and so it is what calibrations are fitted to and checked by.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.cdms.funnel import PROTON_MASS, Ions
from aavqc.records import FloatArray

MOST_IONS = 400
"""Ions of a line beyond which it counts no more: the model is then worse than the counting."""

HALF_WIDTH = 6e-4
"""Half-width of a line, relative to m/z: 7 Th at m/z 12,000, for salt and drift of the lines."""

APART = 4.0
"""Lines nearer to each other than so many half-widths are not resolved."""

LEAST_IONS = 30

CONTRAST = 1.25
SIGNIFICANCE = 5.0
"""A line stands out by so many times the ions of the gaps beside it, and so many SD of the counts."""

REACH = 0.06
"""How far from the mass by the charges a comb is looked for at first, relative."""

MODE_WIDTH = 0.03
"""SD of the kernel in ln(intensity) that finds the most frequent intensity of a line."""


@dataclass(frozen=True)
class Line:
    """A line: its charge, m/z (Th), ions, and the most frequent intensity of the ions."""

    charge: int
    mz: float
    ions: int
    intensity: float

    @property
    def per_charge(self) -> float:
        """Intensity a charge."""
        return self.intensity / self.charge

    @property
    def weight(self) -> float:
        """Ions that count: the model is worse than the counting of many."""
        return float(min(self.ions, MOST_IONS))


def lines(mz: FloatArray, intensity: FloatArray, mass: float) -> list[Line]:
    """Return the lines of a mass that stand out.

    The intensity of a line is the mode: ions of other species lie on the same m/z with another
    charge, and a median would lie between the two.

    Parameters
    ----------
    mz, intensity : arrays, shape (n,)
        Ascending in m/z.
    mass : float
        Da.

    Returns
    -------
    list of Line
        Ascending in charge.
    """
    charges, low, high, excess = standing(mz, mass)
    return [
        Line(int(z), mass / z + PROTON_MASS, int(end - start), _mode(intensity[start:end]))
        for z, start, end, more in zip(charges.tolist(), low, high, excess, strict=True)
        if more > 0
    ]


def standing(
    mz: FloatArray, mass: float
) -> tuple[FloatArray, NDArray[np.intp], NDArray[np.intp], FloatArray]:
    """Return the charges of a mass, where the ions of each line begin and end, and how many stand out.

    What stands out are the ions of a line less those of as wide a place in the gaps beside it, and 0 where
    they are too few to be a line.
    """
    charges = np.array(_charges(mz, mass), float)
    at = mass / charges + PROTON_MASS
    half, gap = HALF_WIDTH * at, at / charges / 2
    low, high = np.searchsorted(mz, at - half), np.searchsorted(mz, at + half)
    beside = [np.searchsorted(mz, at + side * gap + end) for side in (-1, 1) for end in (-half, half)]
    between = (beside[1] - beside[0] + beside[3] - beside[2]) / 2
    ions = high - low
    clear = (ions >= LEAST_IONS) & (ions - between >= SIGNIFICANCE * np.sqrt(ions + between))
    return charges, low, high, np.where(clear & (ions >= CONTRAST * between), ions - between, 0.0)


def comb_mass(mz: FloatArray, near: float) -> tuple[float, float] | None:
    """Return the mass whose lines hold most ions, and their contrast to the gaps.

    From the fullest comb nearby it goes on to those of one charge less or more, while they stand out by
    more ions: they share the lines in the middle, so that the wrong one may be the fullest nearby.

    Parameters
    ----------
    mz : array, shape (n,)
        Ascending, of ions of one peak.
    near : float
        Mass by the charges, Da.

    Returns
    -------
    (float, float) or None
        None where no mass makes lines that stand out.
    """
    if len(_charges(mz, near)) < 3 or mz.size < LEAST_IONS:
        return None
    return climbed(mz, fullest(mz, near, -REACH, REACH))


def climbed(mz: FloatArray, mass: float) -> tuple[float, float] | None:
    """Return the comb that no comb of one charge less or more outdoes, and its contrast to the gaps.

    Parameters
    ----------
    mz : array, shape (n,)
        Ascending, of ions of one peak.
    mass : float
        Of the comb to begin with, Da.

    Returns
    -------
    (float, float) or None
        None where that comb does not stand out.
    """
    on, off = _on_and_off(mz, mass)
    clear = on - off >= 2 * SIGNIFICANCE * (on + off) ** 0.5 and on >= CONTRAST * off
    while clear:
        found = {beside: _on_and_off(mz, beside) for beside in one_charge_off(mz, mass)}
        most = max(found, key=lambda beside: found[beside][0] - found[beside][1])
        if found[most][0] - found[most][1] <= on - off:
            return mass, float(on / max(off, 1))
        mass, (on, off) = most, found[most]
    return None


def one_charge_off(mz: FloatArray, mass: float) -> list[float]:
    """Return the masses of the combs that share their middle line with that of a mass."""
    step = float(np.median(mz)) / mass
    return [fullest(mz, mass * (1 + side * step), -step / 2, step / 2) for side in (-1, 1)]


def lead(mz: FloatArray, mass: float, other: float) -> float:
    """Return by how many SD of the counts a comb holds more ions than another; those of both do not count."""
    ours, theirs = (_on_lines(mz, m) for m in (mass, other))
    only, others = int(np.count_nonzero(ours & ~theirs)), int(np.count_nonzero(theirs & ~ours))
    return (only - others) / math.sqrt(max(only + others, 1))


def _on_lines(mz: FloatArray, mass: float) -> NDArray[np.bool_]:
    charge = np.rint(mass / (mz - PROTON_MASS))
    return np.asarray(np.abs((mz - PROTON_MASS) * charge / mass - 1) < HALF_WIDTH)


def fullest(mz: FloatArray, near: float, low: float, high: float) -> float:
    """Return the mass whose lines hold most ions, between two relative distances from a mass."""
    return fullest_of(mz, near * (1 + np.arange(low, high, HALF_WIDTH / 4)), near)


def fullest_of(mz: FloatArray, trial: FloatArray, near: float) -> float:
    """Return the mass whose lines hold most ions, of ascending masses near one."""
    held = _held(mz, trial, np.array(_charges(mz, near), float))
    # the middle of what is nearly as good: the maximum itself is as ragged as the counts
    good = trial[held >= 0.98 * held.max()]
    return float(good[np.abs(good / trial[held.argmax()] - 1) < 2 * HALF_WIDTH].mean())


def _on_and_off(mz: FloatArray, mass: float) -> tuple[float, float]:
    """Return the ions on the lines of a mass, and on as many places halfway between them."""
    z = np.array(_charges(mz, mass), float)
    on, off = (_held(mz, np.array([mass]), charges)[0] for charges in (z, z + 0.5))
    return float(on), float(off)


def by_comb(row: dict[str, Any], ions: Ions) -> dict[str, Any]:
    """Return a peak with the mass that its comb of m/z gives, where one is resolved.

    ``mass_by_charge_mda`` keeps the mass by the measured charges.
    """
    mass, sd = 1e6 * row["mass_mda"], 1e6 * row["sd_mda"]
    members = np.sort(ions.mz[np.abs(ions.mass - mass) < 2 * sd])
    found = comb_mass(members, mass)
    if found is None:
        return row
    return {
        **row,
        "mass_mda": found[0] / 1e6,
        "mass_by_charge_mda": row["mass_mda"],
        "comb_contrast": found[1],
    }


def _held(mz: FloatArray, mass: FloatArray, charges: FloatArray) -> FloatArray:
    at = mass[:, None] / charges + PROTON_MASS
    found = np.searchsorted(mz, at * (1 + HALF_WIDTH)) - np.searchsorted(mz, at * (1 - HALF_WIDTH))
    return np.asarray(found.sum(axis=1), np.float64)


def _charges(mz: FloatArray, mass: float) -> list[int]:
    """Return the charges whose lines lie among the ions and are resolved."""
    if not mz.size:
        return []
    low, high = np.quantile(mz, [0.001, 0.999])
    first, last = int(np.ceil(mass / high)), int(mass / max(low, 1.0))
    return [z for z in range(max(first, 2), min(last, int(1 / (APART * HALF_WIDTH))) + 1)]


def _mode(values: FloatArray) -> float:
    """Return the most frequent value: on the logarithm where it is about, then where noise is symmetric."""
    if values.size > 4000:
        values = values[:: values.size // 4000 + 1]
    logs = np.log(values)
    about = np.exp(_densest(logs, np.linspace(logs.min(), logs.max(), 400), MODE_WIDTH))
    return _densest(values, about * np.linspace(0.85, 1.15, 601), MODE_WIDTH * about)


def _densest(values: FloatArray, grid: FloatArray, width: float) -> float:
    density = np.exp(-0.5 * ((grid[:, None] - values) / width) ** 2).sum(axis=1)
    return float(grid[density.argmax()])
