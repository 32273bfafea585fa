"""What a capsid with DNA is: masses, classes by packaged length, published constants.

Mass, partial specific volume and refractive increment of DNA belong to one salt form and
are used together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from aavqc.documents import Document
from aavqc.errors import UsageError
from aavqc.sequences import read_protein, weighed
from aavqc.settings import Settings

NUCLEOTIDE_MASS = 308.95
"""Mean mass of a nucleotide residue in ssDNA, acid form, g/mol."""

SUBUNITS = 60


@dataclass(frozen=True)
class Dna:
    """Packaged ssDNA in one salt form: g/mol a nucleotide, v̄ in mL/g at 20 °C, dn/dc in mL/g."""

    nucleotide_mass: float
    vbar: float
    increment: float


SALTS = {"acid": Dna(NUCLEOTIDE_MASS, 0.55, 0.170), "sodium": Dna(329.92, 0.55, 0.170)}
"""Volumes (0.53–0.55 in use) and increments are defaults from general literature. 0.55 is a volume of
sodium salts; none of the acid form's own is known here."""


@dataclass(frozen=True)
class CapsidMass:
    """Average mass of a VP 5:5:50 capsid and the SD of stochastic assembly, both in Da."""

    mean: float
    sd: float


CAPSIDS = {
    "AAV2": CapsidMass(3.7404e6, 47.6e3),
    "AAV5": CapsidMass(3.7012e6, 45.3e3),
    "AAV8": CapsidMass(3.7311e6, 47.7e3),
    "AAV9": CapsidMass(3.7241e6, 47.0e3),
}
"""Computed from sequence (VP1 and VP3 without Met, N-acetylated; VP2 without its first
residue), multinomial 60 × (1:1:10). AAV5 and AAV8: sequences checked by length and mass only."""

GENERIC = CapsidMass(3.73e6, 47.0e3)
"""Where no serotype is given: the middle of the four, within 0.8 % of each."""


STOICHIOMETRY = [1.0, 1.0, 10.0]

OfEachProtein = Annotated[list[Annotated[float, Field(ge=0, le=1e6)]], Field(min_length=3, max_length=3)]


class CapsidProteins(Document):
    """Proteins of the sample's own capsid, which win over ``serotype``.

    ``capsid.fasta`` names a FASTA file with the sequence of VP1; the masses of the three proteins
    and the sequence's hash take its place, so that a result holds no sequence and no path.
    """

    name: str | None = Field(None, description="of the sequence")
    sha256: str | None = Field(None, description="of the sequence of VP1, upper case without line ends")
    vp2_start: int | None = Field(None, ge=2, description="residue of VP1 at which VP2 begins")
    vp3_start: int | None = Field(None, ge=2, description="residue of VP1 at which VP3 begins")
    vp_masses: OfEachProtein | None = Field(None, description="of VP1, VP2, VP3, Da")
    stoichiometry: OfEachProtein = Field(STOICHIOMETRY, description="VP1, VP2, VP3")

    @model_validator(mode="before")
    @classmethod
    def _weighed(cls, data: Any) -> Any:
        """Put masses in the place of a sequence; where its parts begin may stand in any layer."""
        return weighed(data) if isinstance(data, dict) and "sequence" in data else data

    @model_validator(mode="after")
    def _proteins(self) -> Self:
        if self.vp_masses is None and self.stoichiometry != STOICHIOMETRY:
            raise ValueError("capsid.fasta or capsid.vp_masses beside capsid.stoichiometry")
        if self.vp_masses is not None and not self.vp_masses[0] > self.vp_masses[1] > self.vp_masses[2] > 0:
            raise ValueError("capsid.vp_masses of VP1, VP2, VP3, each lighter than the one before")
        if not sum(self.stoichiometry):
            raise ValueError("a capsid.stoichiometry above 0")
        return self


def include_protein(data: dict[str, Any], path: Path) -> None:
    """Take the capsid's proteins from the sequence of VP1 in a FASTA file."""
    data.setdefault("capsid", {}).update(read_protein(path))


def capsid_mass(serotype: str | None, proteins: CapsidProteins | None = None) -> CapsidMass:
    """Return the mass of an empty capsid: of its proteins, else of the serotype, else a generic one.

    Examples
    --------
    >>> capsid_mass("AAV2").mean
    3740400.0
    """
    if proteins is not None and proteins.vp_masses is not None:
        return assembled(proteins.vp_masses, proteins.stoichiometry)
    if serotype is None:
        return GENERIC
    if serotype.upper() not in CAPSIDS:
        raise UsageError(
            f"unknown serotype {serotype!r}",
            expected=", ".join(CAPSIDS),
            hint="of another set capsid.fasta (sequence of VP1) or capsid.vp_masses",
        )
    return CAPSIDS[serotype.upper()]


def capsid_source(
    serotype: str | None, proteins: CapsidProteins
) -> Literal["proteins", "serotype", "generic"]:
    """Return where the mass of the empty capsid comes from."""
    if proteins.vp_masses is not None:
        return "proteins"
    return "generic" if serotype is None else "serotype"


def capsid_document(serotype: str | None, proteins: CapsidProteins) -> dict[str, Any]:
    """Return what the diagnostics say of the empty capsid, in Da."""
    capsid = capsid_mass(serotype, proteins)
    return {
        "source": capsid_source(serotype, proteins),
        "mass_da": capsid.mean,
        "assembly_sd_da": capsid.sd,
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


def length_bounds(settings: Settings) -> tuple[float, float, float] | None:
    """Return the packaged lengths (nt) that part empty | partial | full | overfull.

    None without a ``design_length``: then there is no composition.

    Examples
    --------
    >>> length_bounds(Settings(design_length=4700))
    (470.0, 3995.0, 5170.0)
    """
    if settings.design_length is None:
        return None
    low, middle, high = (round(f * settings.design_length, 6) for f in settings.class_bounds)
    return low, middle, high
