"""What a capsid and its DNA weigh and displace, as the settings have it."""

from __future__ import annotations

from dataclasses import replace

from aavqc.auc.settings import TechniqueSettings
from aavqc.capsid import SALTS, Dna, capsid_mass


def shell_mass(settings: TechniqueSettings) -> float:
    """Return the mass of an empty capsid in g/mol."""
    return capsid_mass(settings.serotype, settings.capsid).mean


def dna_of(settings: TechniqueSettings) -> Dna:
    """Return the packaged DNA in the salt form of the settings; its v̄ and dn/dc may be the user's.

    Examples
    --------
    >>> dna_of(TechniqueSettings(dna_salt="sodium", vbar_dna=0.54))
    Dna(nucleotide_mass=329.92, vbar=0.54, increment=0.17)
    """
    dna = SALTS[settings.dna_salt]
    vbar, increment = settings.vbar_dna, settings.increment.dna
    return replace(
        dna,
        vbar=dna.vbar if vbar is None else vbar,
        increment=dna.increment if increment is None else increment,
    )
