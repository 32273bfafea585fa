"""What a reviewer must know about a sample before trusting its numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from aavqc.capsid import NUCLEOTIDE_MASS, capsid_mass
from aavqc.cdms.attributes import LEAST_IONS
from aavqc.cdms.funnel import Ions
from aavqc.cdms.peaks import Peak
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.windows import Windows, boundary_bias
from aavqc.documents import Flag
from aavqc.records import IonTable

BIAS_LIMIT = 1.0
"""Percentage points by which noise may shift a class before it is flagged."""

SCALE_LIMIT = 1.0
GENERIC_LIMIT = 1.8
"""Per cent that a peak's mass may be off: with a serotype, and without one (0.8 % more)."""

NEAR = 0.08
"""A peak within this fraction of an expected mass is taken for it."""


def count_flags(record: IonTable, ions: Ions, found: Windows | None) -> list[Flag]:
    """Flag too few ions, too few capsids, and ions that all come from one scan."""
    flags = []
    used = int(ions.mass.size)
    if used < LEAST_IONS:
        flags.append(_few("too_few_ions", f"{used} ions used", used))
    elif found is not None and found.monomers < LEAST_IONS:
        text = f"{found.monomers} ions in the windows of single capsids"
        flags.append(_few("too_few_capsids", text, found.monomers))
    if record.scan is not None and record.scan.size and np.unique(record.scan).size == 1:
        message = "all ions are of one scan: they share its space charge, and the intervals are too narrow"
        flags.append(Flag(id="single_scan", severity="warning", message=message, value=1.0, limit=2.0))
    return flags


def scale_flag(peaks: Sequence[Peak], settings: TechniqueSettings) -> Flag | None:
    """Compare the empty peak, else the main one, with the mass that it should have."""
    if settings.serotype is None and settings.design_length is None:
        return None
    limit = GENERIC_LIMIT if settings.serotype is None else SCALE_LIMIT
    capsid = capsid_mass(settings.serotype).mean
    full = capsid + NUCLEOTIDE_MASS * (settings.design_length or 0)
    for what, expected in (("empty", capsid), ("full", full)):
        near = [p for p in peaks if abs(p.mass / expected - 1) <= NEAR]
        if near:
            mass = max(near, key=lambda p: p.ions).mass
            off = 100 * (mass / expected - 1)
            if abs(off) <= limit:
                return None
            at = f"{mass / 1e6:.3f} MDa, expected {expected / 1e6:.3f}"
            message = f"the {what} peak is at {at}: check charge_slope"
            return Flag(id="mass_scale", severity="warning", message=message, value=off, limit=limit)
    message = "no peak within 8 % of an empty or full capsid's mass: check charge_slope and serotype"
    return Flag(id="mass_scale", severity="warning", message=message, value=None, limit=limit)


def charge_noise(ions: Ions, peaks: Sequence[Peak], settings: TechniqueSettings) -> tuple[float | None, str]:
    """Return the SD of the charge in e, given or estimated, and its source.

    Estimated from the empty peak: its variance less that of the capsid's assembly, over (m/z)².
    """
    if settings.sigma_z is not None:
        return settings.sigma_z, "setting"
    capsid = capsid_mass(settings.serotype)
    near = [p for p in peaks if abs(p.mass / capsid.mean - 1) <= NEAR and p.ions >= LEAST_IONS]
    if not near:
        return None, "unknown"
    peak = max(near, key=lambda p: p.ions)
    members = (ions.mass >= peak.low) & (ions.mass < peak.high)
    if peak.sd <= capsid.sd or not members.any():
        return None, "below what the empty peak can show"
    return math.sqrt(peak.sd**2 - capsid.sd**2) / float(np.median(ions.mz[members])), "empty peak"


def bias_flag(ions: Ions, found: Windows, sigma_z: float | None) -> Flag | None:
    """Flag windows whose shares charge noise shifts by more than a point, and beyond counting."""
    if sigma_z is None:
        return None
    bias = boundary_bias(ions.mass, found, sigma_z, ions.mz)
    counting = 100 / math.sqrt(max(found.monomers, 1))
    if bias <= max(BIAS_LIMIT, counting):
        return None
    message = f"charge noise of {sigma_z:.1f} e moves some {bias:.1f} points of ions across a class bound"
    return Flag(id="windows_biased", severity="warning", message=message, value=bias, limit=BIAS_LIMIT)


def _few(name: str, text: str, value: int) -> Flag:
    message = f"{text}, at least {LEAST_IONS} are needed"
    return Flag(id=name, severity="invalid", message=message, value=float(value), limit=float(LEAST_IONS))
