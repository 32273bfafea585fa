"""What is in the cell of a virtual run: capsids by packaged length, and what is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aavqc.errors import UsageError
from aavqc.simulate.auc_settings import AucSimulation

NUCLEOTIDE_DA = 308.95
SVEDBERG = 1e-13
GAS = 8.314462618e7
WATER_20 = (0.998234, 1.002)
"""Density (g/mL) and viscosity (mPa s) of water at 20 °C, that s20,w refers to."""

INCREMENT_PROTEIN, INCREMENT_DNA = 0.187, 0.170
"""Refractive increments in mL/g; only their ratio matters here."""

SMEAR_SPECIES = 15
"""A smear is so many species: closer than diffusion lets any fit part them."""

PROTEIN_DA, PROTEIN_S = 70e3, 4.4
"""A capsid protein that is in no capsid."""

FREE_DNA_S = 25.0


@dataclass(frozen=True)
class Species:
    """A capsid with ``packaged_nt`` nucleotides of ssDNA; ``signal`` is its loading by wavelength.

    ``kind`` is ``capsid``, ``protein``, ``dna`` or ``free``; only capsids have a share of the particles.
    """

    packaged_nt: float
    particle_fraction: float
    mass_da: float
    s: float
    s20w: float
    D: float
    signal: dict[str, float]
    kind: str = "capsid"


def mixture(settings: AucSimulation) -> list[Species]:
    """Return the species of the first cell, capsids first, with s and s20,w in S and D in cm²/s.

    Raises
    ------
    UsageError
        No extinction is known at a wavelength.
    """
    composition, free = lengths_and_shares(settings), free_species(settings)
    of_free = sum(share for _, _, share in free)
    od = settings.loadings[0] if settings.loadings else settings.od
    if not composition:
        signal = {nm(w): od for w in settings.wavelengths}
        return [_free(settings, s, d, share / of_free, signal) for s, d, share in free]
    total = sum(share for _, share in composition)
    fractions = [share / total for _, share in composition]
    lengths = [length for length, _ in composition]
    first = mean_brightness(settings, list(zip(lengths, fractions, strict=True)))
    per_unit = od * (1.0 - settings.protein_signal - settings.free_dna_signal - of_free) / first
    found = [
        _capsid(settings, length, fraction, per_unit)
        for length, fraction in zip(lengths, fractions, strict=True)
    ]
    if settings.protein_signal:
        found.append(_other(settings, "protein", 0.0, od * settings.protein_signal))
    if settings.free_dna_signal:
        found.append(_other(settings, "dna", longest(settings), od * settings.free_dna_signal))
    signal = {nm(w): sum(p.signal[nm(w)] for p in found) / (1.0 - of_free) for w in settings.wavelengths}
    return found + [_free(settings, s, d, share, signal) for s, d, share in free]


def lengths_and_shares(settings: AucSimulation) -> list[tuple[float, float]]:
    """Return pairs of packaged length and share of particles, smear and all; not normalised."""
    parts = [text.split(":") for text in settings.species]
    pairs = [(float(part[0]), float(part[1])) for part in parts if len(part) == 2]
    if settings.smear is not None:
        ends, _, share = settings.smear.partition(":")
        low, high = (float(x) for x in ends.split("-"))
        middles = low + (high - low) * (np.arange(SMEAR_SPECIES) + 0.5) / SMEAR_SPECIES
        pairs += [(float(x), float(share) / SMEAR_SPECIES) for x in middles]
    return pairs


def free_species(settings: AucSimulation) -> list[tuple[float, float, float]]:
    """Return s (S), D (cm²/s) and share of the signal of what is no capsid; shares as given."""
    parts = [tuple(float(x) for x in text.split(":")) for text in settings.species]
    return [(part[0], part[1], part[2]) for part in parts if len(part) == 3]


def longest(settings: AucSimulation) -> float:
    """Return the longest packaged length among the species, nt; of a smear alone its longest one."""
    lengths = [float(text.partition(":")[0]) for text in settings.species if text.count(":") == 1]
    return max(lengths or [length for length, _ in lengths_and_shares(settings)])


def mean_brightness(settings: AucSimulation, composition: list[tuple[float, float]]) -> float:
    """Return the mean signal of a particle at the first wavelength; shares sum to 1."""
    return sum(share * _brightness(settings, nt, settings.wavelengths[0]) for nt, share in composition)


def nm(wavelength: float) -> str:
    """Return a wavelength as the key of a table."""
    return f"{wavelength:g}"


def _capsid(settings: AucSimulation, length: float, fraction: float, per_unit: float) -> Species:
    here, water = (_buoyant(settings, length, density) for density in (settings.density, WATER_20[0]))
    growth = 1.0 + settings.radius_growth * length / 4700.0
    s = settings.s_empty * here / _buoyant(settings, 0.0, settings.density) / growth
    return Species(
        packaged_nt=length,
        particle_fraction=fraction,
        mass_da=settings.capsid_mass + length * NUCLEOTIDE_DA,
        s=s,
        s20w=s * water / here * settings.viscosity / WATER_20[1],
        D=_diffusion(settings, s, here),
        signal={nm(w): per_unit * fraction * _brightness(settings, length, w) for w in settings.wavelengths},
    )


def _other(settings: AucSimulation, kind: str, length: float, od: float) -> Species:
    """Return protein or DNA outside of capsids, with a signal at the first wavelength."""
    dna = kind == "dna"
    mass = length * NUCLEOTIDE_DA if dna else PROTEIN_DA
    vbar = settings.vbar_dna if dna else settings.vbar_protein
    here, water = (mass * (1.0 - vbar * density) for density in (settings.density, WATER_20[0]))
    s20w = FREE_DNA_S if dna else PROTEIN_S
    s = s20w * here / water * WATER_20[1] / settings.viscosity
    bright = [_brightness_of_other(settings, dna, w) for w in settings.wavelengths]
    return Species(
        packaged_nt=length,
        particle_fraction=0.0,
        mass_da=mass,
        s=s,
        s20w=s20w,
        D=_diffusion(settings, s, here),
        signal={nm(w): od * b / bright[0] for w, b in zip(settings.wavelengths, bright, strict=True)},
        kind=kind,
    )


def _free(
    settings: AucSimulation, s: float, diffusion: float, share: float, signal: dict[str, float]
) -> Species:
    """Return a species by s and D with a share of the signal; its mass is that of a protein of these."""
    here, water = (1.0 - settings.vbar_protein * density for density in (settings.density, WATER_20[0]))
    return Species(
        packaged_nt=0.0,
        particle_fraction=0.0,
        mass_da=s * SVEDBERG * GAS * (settings.temperature + 273.15) / (diffusion * here),
        s=s,
        s20w=s * water / here * settings.viscosity / WATER_20[1],
        D=diffusion,
        signal={key: share * value for key, value in signal.items()},
        kind="free",
    )


def _brightness_of_other(settings: AucSimulation, dna: bool, wavelength: float) -> float:
    """Return the signal of protein or DNA in no capsid; only ratios between wavelengths matter."""
    if settings.optics == "interference":
        return INCREMENT_DNA if dna else INCREMENT_PROTEIN
    if settings.optics == "fluorescence":
        return 1.0
    return _extinction(settings, "nucleotide" if dna else "capsid", wavelength)


def _diffusion(settings: AucSimulation, s: float, buoyant: float) -> float:
    return s * SVEDBERG * GAS * (settings.temperature + 273.15) / buoyant


def _buoyant(settings: AucSimulation, length: float, density: float) -> float:
    """Return M (1 − v ρ) in g/mol."""
    protein = settings.capsid_mass * (1.0 - settings.vbar_protein * density)
    return protein + length * NUCLEOTIDE_DA * (1.0 - settings.vbar_dna * density)


def _brightness(settings: AucSimulation, length: float, wavelength: float) -> float:
    """Return the signal of a particle: molar extinction, mass × refractive increment, or one label."""
    if settings.optics == "fluorescence":
        return 1.0
    if settings.optics == "interference":
        return INCREMENT_PROTEIN * settings.capsid_mass + INCREMENT_DNA * length * NUCLEOTIDE_DA
    capsid, nucleotide = (_extinction(settings, name, wavelength) for name in ("capsid", "nucleotide"))
    if not settings.scatter:
        return capsid + length * nucleotide
    heavier = 1.0 + length * NUCLEOTIDE_DA / settings.capsid_mass
    at_260 = settings.scatter * settings.extinction.capsid["260"]
    true = wavelength + settings.wavelength_offset_nm
    return capsid + length * nucleotide + at_260 * heavier**2 * (260.0 / true) ** 4


def _extinction(settings: AucSimulation, name: str, wavelength: float) -> float:
    """Return the extinction at the true wavelength."""
    table: dict[str, float] = getattr(settings.extinction, name)
    key = nm(wavelength)
    if key not in table:
        raise UsageError(f"no extinction at {key} nm", hint=f"set extinction.{name}.{key}")
    slopes: dict[str, float] = getattr(settings.extinction, f"{name}_slope")
    if settings.wavelength_offset_nm and key not in slopes:
        raise UsageError(f"no slope of the extinction at {key} nm", hint=f"set extinction.{name}_slope.{key}")
    return table[key] * (1.0 + slopes.get(key, 0.0) * settings.wavelength_offset_nm)
