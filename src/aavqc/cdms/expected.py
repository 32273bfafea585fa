"""What a sample should hold: the empty capsid's mass, its spread by chance in assembly, and the genome's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from aavqc.capsid import NUCLEOTIDE_MASS, CapsidMass, capsid_mass
from aavqc.cdms.settings import TechniqueSettings

SUBUNITS = 60

SODIUM = 329.92 / 308.95
"""Mass of a nucleotide with sodium for its proton over that of the acid."""


def expected_capsid(settings: TechniqueSettings) -> CapsidMass:
    """Return the mass of an empty capsid: of the user's proteins, else of the serotype, else a generic one.

    Examples
    --------
    >>> expected_capsid(TechniqueSettings(serotype="AAV2")).mean
    3740400.0
    """
    if settings.capsid.vp_masses is None:
        return capsid_mass(settings.serotype)
    return assembled(settings.capsid.vp_masses, settings.capsid.stoichiometry)


def capsid_source(settings: TechniqueSettings) -> Literal["proteins", "serotype", "generic"]:
    """Return where the expected mass comes from."""
    if settings.capsid.vp_masses is not None:
        return "proteins"
    return "generic" if settings.serotype is None else "serotype"


def capsid_document(settings: TechniqueSettings) -> dict[str, Any]:
    """Return what the diagnostics say of it, in Da."""
    capsid = expected_capsid(settings)
    return {"source": capsid_source(settings), "mass_da": capsid.mean, "assembly_sd_da": capsid.sd}


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


def assembled(masses: Sequence[float], stoichiometry: Sequence[float]) -> CapsidMass:
    """Return mean and SD of 60 subunits drawn independently: 60 Σ p m and √(60 (Σ p m² - (Σ p m)²)).

    Examples
    --------
    >>> found = assembled([81854.5, 66487.6, 59973.5], [1, 1, 10])
    >>> round(found.mean / 1e6, 4), round(found.sd / 1e3, 1)
    (3.7404, 47.6)
    """
    total = math.fsum(stoichiometry)
    mean = math.fsum(p * m for p, m in zip(stoichiometry, masses, strict=True)) / total
    spread = math.fsum(p * (m - mean) ** 2 for p, m in zip(stoichiometry, masses, strict=True)) / total
    return CapsidMass(SUBUNITS * mean, math.sqrt(SUBUNITS * spread))
