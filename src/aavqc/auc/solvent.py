"""Density and viscosity of a buffer: as given, or from its composition. Never water unasked.

    ρ = ρ_w(T) + Σ c_i (M_i − φ_i ρ_w)/1000        η = η_w(T) exp Σ c_i (B_i + C_i c_i)

with c in mol/L, φ the apparent molar volume and B the viscosity coefficient of Jones and Dole;
the exponential and C carry it on to the concentrations of sugars in use. Water follows Kell
(1975) J Chem Eng Data 20:97, eq. 16, and Laliberté (2007) J Chem Eng Data 52:321, eq. 11. What a
solute adds is taken at 20–25 °C for every temperature.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.solutes import CO_SOLUTES, SOLUTES
from aavqc.documents import Flag
from aavqc.records import Distribution, VelocityGroup, VelocityScans

STANDARD_C = 20.0
"""Temperature that s20,w refers to, and that is assumed of a distribution without its scans."""


@dataclass(frozen=True)
class Solvent:
    """Density (g/mL) and viscosity (mPa s) at the run's temperature, and where they come from."""

    density: float
    viscosity: float
    temperature_c: float
    source: str


def solvent_of(settings: TechniqueSettings, temperature_c: float) -> Solvent | None:
    """Return the solvent, or None where density or viscosity can't be had.

    What is given wins over what follows from ``solvent.<component>``.

    Examples
    --------
    >>> from aavqc.settings import build
    >>> salt = build(TechniqueSettings, {"solvent.NaCl": 0.15})
    >>> found = solvent_of(salt, 20.0)
    >>> round(found.density, 4), round(found.viscosity, 3), found.source
    (1.0045, 1.014, 'composition')
    >>> solvent_of(TechniqueSettings(), 20.0) is None
    True
    """
    given = (settings.density, settings.viscosity)
    computed = _from_composition(settings.solvent, temperature_c) if settings.solvent else (None, None)
    density, viscosity = (a if a is not None else b for a, b in zip(given, computed, strict=True))
    if density is None or viscosity is None:
        return None
    of_given = sum(value is not None for value in given)
    source = ("composition", "one given, one by composition", "given")[of_given]
    return Solvent(density, viscosity, temperature_c, source)


def with_solvent(
    record: VelocityScans | VelocityGroup | Distribution, settings: TechniqueSettings
) -> tuple[TechniqueSettings, Solvent | None]:
    """Return the settings with density and viscosity filled in from the composition."""
    found = solvent_of(settings, run_temperature(record, settings))
    if found is None:
        return settings, None
    filled = settings.model_copy(update={"density": found.density, "viscosity": found.viscosity})
    return filled, found


def run_temperature(
    record: VelocityScans | VelocityGroup | Distribution, settings: TechniqueSettings
) -> float:
    """Return the temperature (°C) as set, else the scans' mean as calibrated."""
    if settings.temperature is not None:
        return settings.temperature
    if isinstance(record, Distribution):
        return STANDARD_C
    members = record.members if isinstance(record, VelocityGroup) else (record,)
    indicated = float(np.mean([s.temperature_c for m in members for s in m.scans]))
    return indicated + settings.calibration.temperature_offset


def solvent_flags(settings: TechniqueSettings) -> list[Flag]:
    """Return a warning for each co-solute that the composition or the buffer's text names."""
    amounts = {name: 0.1 * c * SOLUTES[name].mass for name, c in settings.solvent.items()}
    named = {name for name in CO_SOLUTES if re.search(rf"(?<![a-z]){name}", (settings.buffer or "").lower())}
    return [
        Flag(
            id="co_solute",
            severity="warning",
            message=(
                f"the buffer holds {name}{f' ({amounts[name]:.3g} % w/v)' if name in amounts else ''}: it "
                "sediments itself, so that density and viscosity rise with radius and time and s falls, and "
                "it is excluded from the water at the capsid, so that v̄ is an apparent one: s20,w and "
                "lengths from s are less certain than their intervals say"
            ),
            value=amounts.get(name),
        )
        for name in CO_SOLUTES
        if name in amounts or name in named
    ]


def solvent_remarks(settings: TechniqueSettings) -> list[str]:
    """Say which solutes have no viscosity here."""
    blind = [name for name in settings.solvent if SOLUTES[name].b is None]
    if not blind or settings.viscosity is not None:
        return []
    return [f"the viscosity of a solution of {', '.join(blind)} is not known here: give viscosity"]


def water_density(temperature_c: float) -> float:
    """Return the density of water (g/mL) at 1 atm by Kell (1975), 0–100 °C.

    Examples
    --------
    >>> round(water_density(20.0), 5), round(water_density(4.0), 5)
    (0.9982, 0.99997)
    """
    t = temperature_c
    coefficients = (-280.54253e-12, 105.56302e-9, -46.170461e-6, -7.9870401e-3, 16.945176, 999.83952)
    value = 0.0
    for coefficient in coefficients:
        value = value * t + coefficient
    return value / (1.0 + 16.879850e-3 * t) / 1000.0


def water_viscosity(temperature_c: float) -> float:
    """Return the viscosity of water (mPa s) by Laliberté (2007).

    Examples
    --------
    >>> round(water_viscosity(20.0), 3), round(water_viscosity(25.0), 3)
    (1.002, 0.89)
    """
    t = temperature_c
    return (t + 246.0) / ((0.05594 * t + 5.2842) * t + 137.37)


def _from_composition(amounts: dict[str, float], temperature_c: float) -> tuple[float, float | None]:
    water = water_density(temperature_c)
    density, exponent = water, 0.0
    for name, c in amounts.items():
        solute = SOLUTES[name]
        density += c * (solute.mass - solute.volume * water) / 1000.0
        exponent += c * (solute.b + solute.c * c) if solute.b is not None else math.nan
    if math.isnan(exponent):
        return density, None
    return density, water_viscosity(temperature_c) * math.exp(exponent)
