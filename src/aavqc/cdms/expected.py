"""What a sample should hold: the empty capsid's mass, its spread by chance in assembly, and the genome's."""

from __future__ import annotations

from typing import Any

from aavqc.capsid import NUCLEOTIDE_MASS, SALTS, CapsidMass, capsid_mass
from aavqc.cdms.settings import TechniqueSettings

SODIUM = SALTS["sodium"].nucleotide_mass / NUCLEOTIDE_MASS
"""Mass of a nucleotide with sodium for its proton over that of the acid."""


def expected_capsid(settings: TechniqueSettings) -> CapsidMass:
    """Return the mass of an empty capsid: of the user's proteins, else of the serotype, else a generic one.

    Examples
    --------
    >>> expected_capsid(TechniqueSettings(serotype="AAV2")).mean
    3740400.0
    """
    return capsid_mass(settings.serotype, settings.capsid)


def nucleotide_mass(settings: TechniqueSettings) -> float:
    """Return the mean mass of a nucleotide in Da, acid form: of the genome's sequence, else of any DNA."""
    genome = settings.genome
    if genome.length is None or genome.mass_da is None:
        return NUCLEOTIDE_MASS
    return genome.mass_da / genome.length


def genome_document(settings: TechniqueSettings) -> dict[str, Any] | None:
    """Return the expected mass of the designed genome: as acid, and with sodium for every proton, Da."""
    if settings.design_length is None:
        return None
    mass = nucleotide_mass(settings) * settings.design_length
    return {
        "source": "length" if settings.genome.length is None else "sequence",
        "length_nt": settings.design_length,
        "nucleotide_da": nucleotide_mass(settings),
        "mass_da": mass,
        "mass_with_sodium_da": SODIUM * mass,
    }
