"""What a reviewer must know about a sample before trusting its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from aavqc.attributes import CLASSES
from aavqc.capsid import capsid_source
from aavqc.cdms.attributes import LEAST_IONS
from aavqc.cdms.expected import expected_capsid, nucleotide_mass
from aavqc.cdms.funnel import Ions
from aavqc.cdms.peaks import Peak
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.smear import Blur
from aavqc.cdms.windows import Windows
from aavqc.documents import Flag
from aavqc.intervals import goodman
from aavqc.records import IonTable
from aavqc.validity import validity_remarks

BIAS_LIMIT = 0.5
"""Half-widths of the counting interval by which a class may be off before it is flagged."""

SCALE_LIMIT = 1.0
GENERIC_LIMIT = 1.8
"""Per cent that a peak's mass may be off: of a known capsid, and of a generic one (0.8 % more)."""

NEAR = 0.08
"""A peak within this fraction of an expected mass is taken for it."""


def count_flags(record: IonTable, ions: Ions, found: Windows | None) -> list[Flag]:
    """Flag too few ions, too few capsids, and ions that all come from one scan."""
    flags = []
    used = int(ions.mass.size)
    if used < LEAST_IONS:
        flags.append(few_flag("too_few_ions", f"{used} ions used", used))
    elif found is not None and found.monomers < LEAST_IONS:
        text = f"{found.monomers} ions in the windows of single capsids"
        flags.append(few_flag("too_few_capsids", text, found.monomers))
    if record.has("scan") and record.mz.size and record.scans == 1:
        message = "all ions are of one scan: they share its space charge, and the intervals are too narrow"
        flags.append(Flag(id="single_scan", severity="warning", message=message, value=1.0, limit=2.0))
    return flags


def few_flag(name: str, text: str, value: int) -> Flag:
    """Say that there are fewer than any number can be had of; the sample is invalid."""
    message = f"{text}, at least {LEAST_IONS} are needed"
    return Flag(id=name, severity="invalid", message=message, value=float(value), limit=float(LEAST_IONS))


def constant_flags(settings: TechniqueSettings, *, charges_on_record: bool = True) -> list[Flag]:
    """Say that a regulated method takes no generic capsid, and no charges of an unknown calibration."""
    lacking = []
    if capsid_source(settings.serotype, settings.capsid) == "generic":
        lacking.append("no generic capsid mass: set capsid.fasta or serotype")
    if not charges_on_record:
        lacking.append("no charges whose calibration is not on record: set calibration.id")
    return [
        Flag(id="constant_required", severity="warning", message=f"a regulated method takes {what}")
        for what in lacking
        if settings.regulated
    ]


def remarks(record: IonTable, settings: TechniqueSettings) -> list[str]:
    """Say what of the file or of its calibration is not used, not vouched for, or not checked."""
    calibration = settings.calibration
    said = validity_remarks(calibration, settings.run_date)
    if calibration.loaded and calibration.id is None and calibration.certificate is None:
        said.append("the charge calibration has neither an id nor the number of a certificate")
    if "charge_sd" in record.extra:
        said.append(
            "the column of each charge's SD (charge_sd) is not used: the charge noise is read off the "
            "sample's peaks, or is sigma_z"
        )
    return said


def scale_flag(peaks: Sequence[Peak], settings: TechniqueSettings) -> Flag | None:
    """Compare the empty peak, else the main one, with the mass that it should have."""
    generic = capsid_source(settings.serotype, settings.capsid) == "generic"
    if generic and settings.design_length is None:
        return None
    limit = GENERIC_LIMIT if generic else SCALE_LIMIT
    capsid = expected_capsid(settings).mean
    full = capsid + nucleotide_mass(settings) * (settings.design_length or 0)
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


def blur_of(ions: Ions, peaks: Sequence[Peak], settings: TechniqueSettings) -> tuple[Blur, str]:
    """Return the blur of the masses, and where its charge noise comes from.

    Charge noise is given or estimated from the empty peak, else the full one: its variance less
    that of the capsid's assembly, over (m/z)². A peak narrower than the assembly by chance is
    the measure of that as well.
    """
    capsid = expected_capsid(settings)
    if settings.sigma_z is not None:
        return Blur(capsid.sd, settings.sigma_z), "setting"
    full = capsid.mean + nucleotide_mass(settings) * (settings.design_length or 0)
    for what, expected in (("empty", capsid.mean), ("full", full)):
        near = [p for p in peaks if abs(p.mass / expected - 1) <= NEAR and p.ions >= LEAST_IONS]
        if near:
            peak = max(near, key=lambda p: p.ions)
            members = (ions.mass >= peak.low) & (ions.mass < peak.high)
            if peak.sd <= capsid.sd or not members.any():
                return Blur(peak.sd, 0.0), f"below what the {what} peak can show"
            noise = math.sqrt(peak.sd**2 - capsid.sd**2) / float(np.median(ions.mz[members]))
            return Blur(capsid.sd, noise), f"{what} peak"
    return Blur(capsid.sd, 0.0), "unknown"


def bias_flag(found: Windows, unfolded: Mapping[str, float], coverage: float, reported: bool) -> Flag | None:
    """Flag windows where blur shifts a class by more than half the half-width of its counting interval."""
    counts = found.counts
    worst: tuple[float, float, str] | None = None
    for name, (low, high) in zip(CLASSES, goodman(list(counts.values()), coverage), strict=True):
        bias = 100 * (counts[name] / found.monomers - unfolded[name])
        limit = 100 * BIAS_LIMIT * (high - low) / 2
        if abs(bias) > limit and (worst is None or abs(bias) > abs(worst[0])):
            worst = bias, limit, name
    if worst is None:
        return None
    bias, limit, name = worst
    message = (
        f"blur of the masses carries ions across the class bounds: counted in mass windows, percent_{name} "
        f"{'is' if reported else 'would be'} some {abs(bias):.1f} points too {'high' if bias > 0 else 'low'}"
        f"{'; the intervals allow for it' if reported else ''}"
    )
    severity: Literal["info", "warning"] = "warning" if reported else "info"
    return Flag(id="windows_biased", severity=severity, message=message, value=abs(bias), limit=limit)
