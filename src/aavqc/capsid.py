"""What a capsid with DNA is: masses, classes by packaged length, published constants.

Mass, partial specific volume and refractive increment of DNA belong to one salt form and
are used together: here the acid form (308.95 g/mol a nucleotide).
"""

from __future__ import annotations

from dataclasses import dataclass

from aavqc.errors import UsageError, nearest
from aavqc.settings import Settings

NUCLEOTIDE_MASS = 308.95
"""Mean mass of a nucleotide residue in ssDNA, acid form, g/mol (sodium salt: 329.92)."""

VBAR_DNA = 0.55
"""Partial specific volume of packaged ssDNA, mL/g (a default: 0.53–0.55 in use)."""


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


def capsid_mass(serotype: str | None) -> CapsidMass:
    """Return the mass of an empty capsid.

    Examples
    --------
    >>> capsid_mass("AAV2").mean
    3740400.0
    """
    if serotype is None:
        return GENERIC
    if serotype.upper() not in CAPSIDS:
        raise UsageError(f"unknown serotype {serotype!r}", hint=nearest(serotype, list(CAPSIDS)))
    return CAPSIDS[serotype.upper()]


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
