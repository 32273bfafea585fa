"""From s as measured to s20,w: by viscosity, and by the buoyancy of what is in the shell."""

from __future__ import annotations

from aavqc.auc.particle import dna_of, shell_mass
from aavqc.auc.settings import TechniqueSettings

WATER_DENSITY_20 = 0.99823
"""g/mL at 20 °C."""

WATER_VISCOSITY_20 = 1.002
"""mPa s at 20 °C."""

VBAR_PER_DEGREE = 4.25e-4
"""Change of a protein's v̄ with temperature, mL/(g K): a default from general literature, used for
the DNA as well."""


def to_water(
    settings: TechniqueSettings, temperature_c: float = 20.0, packaged_nt: float = 0.0
) -> float | None:
    """Return s20,w / s, or None where density or viscosity are not given.

        s20,w = s · (η / η_w) · [Σ M_i (1 − v_i ρ_w)] / [Σ M_i (1 − v_i(T) ρ)]

    over capsid and packaged DNA, so that an empty and a full capsid have factors of their own.

    Parameters
    ----------
    settings : TechniqueSettings
        Density and viscosity of the buffer at the temperature of the run; ``vbar`` at 20 °C.
    temperature_c : float
        Of the run.
    packaged_nt : float
        Length of the packaged DNA; 0 is an empty capsid.

    Examples
    --------
    >>> to_water(TechniqueSettings(density=0.99823, viscosity=1.002))
    1.0
    >>> salt = TechniqueSettings(density=1.005, viscosity=1.02)
    >>> round(to_water(salt), 4), round(to_water(salt, packaged_nt=4700), 4)
    (1.0369, 1.0327)
    """
    if settings.density is None or settings.viscosity is None:
        return None
    here = buoyant_mass(settings, packaged_nt, settings.density, temperature_c)
    water = buoyant_mass(settings, packaged_nt, WATER_DENSITY_20, 20.0)
    return settings.viscosity / WATER_VISCOSITY_20 * (water / here)


def buoyant_mass(
    settings: TechniqueSettings, packaged_nt: float, density: float, temperature_c: float
) -> float:
    """Return M (1 − v̄ρ) in g/mol of a capsid with DNA of one salt form (see :mod:`aavqc.capsid`)."""
    warmer = VBAR_PER_DEGREE * (temperature_c - 20.0)
    capsid = shell_mass(settings) * (1.0 - (settings.vbar + warmer) * density)
    dna = dna_of(settings)
    return capsid + packaged_nt * dna.nucleotide_mass * (1.0 - (dna.vbar + warmer) * density)


def vbar_of(settings: TechniqueSettings, packaged_nt: float) -> float:
    """Return the mass-weighted v̄ (mL/g, 20 °C) of a capsid with DNA.

    Examples
    --------
    >>> round(vbar_of(TechniqueSettings(), 4700), 2)
    0.68
    """
    capsid, dna = shell_mass(settings), dna_of(settings)
    packaged = packaged_nt * dna.nucleotide_mass
    return (capsid * settings.vbar + packaged * dna.vbar) / (capsid + packaged)
