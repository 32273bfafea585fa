"""Particles that another program weighed: a unit that is known, then peaks and classes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aavqc.attributes import CLASSES, Attribute
from aavqc.capsid import capsid_document
from aavqc.cdms.attributes import LEAST_IONS, composition, masses, other_material
from aavqc.cdms.checks import NEAR, bias_flag, constant_flags, few_flag
from aavqc.cdms.efficiency import corrected
from aavqc.cdms.expected import expected_capsid, genome_document
from aavqc.cdms.funnel import Ions
from aavqc.cdms.method import peak_row
from aavqc.cdms.peaks import Peak, distribution
from aavqc.cdms.photometry import contrast_masses, photometry_windows
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.smear import Blur, unfolded_shares
from aavqc.cdms.windows import Windows, expected_masses, windows
from aavqc.documents import Flag, Outcome, Sample, plain
from aavqc.quantities import UNITS
from aavqc.records import FloatArray, MassList


def analyze(record: MassList, settings: TechniqueSettings) -> Outcome:
    """Turn single masses into the composition of a sample.

    Shares are counted in windows and unfolded with the width of the empty peak as the blur:
    a list of masses has no charges to take their noise from.

    Returns
    -------
    Outcome
        One sample. It is invalid where the unit of the masses is not known, where contrasts
        have no calibration, and with fewer than 50 particles.
    """
    flags: list[Flag] = []
    mass, calibration = _masses(record, settings, flags)
    if settings.charge_slope is not None or settings.calibration.loaded:
        name = "charge_slope" if settings.charge_slope is not None else "calibration.file"
        message = f"a list of masses has no charges: {name} is not used"
        flags.append(Flag(id="charge_slope_unused", severity="info", message=message))
    used = 0 if mass is None else int(mass.size)
    if mass is not None and used < LEAST_IONS:
        flags.append(few_flag("too_few_ions", f"{used} particles", used))
    spread = None if mass is None else distribution(mass, settings.bandwidth)
    peaks = [] if spread is None else spread.peaks
    warnings = list(record.remarks)
    found: Windows | None = None
    required = constant_flags(settings)
    if mass is not None and settings.design_length is None:
        warnings.append("no design_length: no composition is computed")
    elif mass is not None and required:
        flags += required
    elif mass is not None and record.instrument == "mass_photometry":
        found, scale = photometry_windows(mass, peaks, settings)
        flags += [] if scale is None else [scale]
    elif mass is not None:
        found = windows(mass, settings)
    if found is not None and settings.report_by != "window":
        warnings.append("a list of masses has no errors of its ions: classes are counted by windows")
    unfolded = None
    if found is not None and mass is not None and found.monomers:
        unfolded = unfolded_shares(*_blurred(mass, found, peaks, settings))
        bias = bias_flag(found, unfolded, settings.coverage, reported=True)
        flags += [] if bias is None else [bias]
    attributes = _attributes(found, unfolded, used, record, settings)
    reported = corrected(attributes[:4], settings)
    flags += reported.flags
    sample = Sample(
        sample_id=record.sample_id,
        record=record.name,
        status="invalid" if any(f.severity == "invalid" for f in flags) else "valid",
        attributes=reported.attributes + attributes[4:],
        diagnostics=plain(
            {
                "funnel": _funnel(record, used),
                "calibration": calibration,
                "capsid": capsid_document(settings.serotype, settings.capsid),
                "genome": genome_document(settings),
                "distribution": None if spread is None else spread.document(),
                "peaks": [peak_row(p.mass, p.sd, p.ions, used) for p in peaks],
                "methods": {
                    "window": _window(found, unfolded, attributes),
                    "mixture": None,
                    "deconvolution": None,
                },
                "efficiency": reported.document,
                "convergence": None,
            }
        ),
        flags=flags,
        warnings=warnings,
    )
    arrays = {} if mass is None or spread is None else spread.arrays(mass)
    if arrays and record.instrument != "mass_photometry":  # its scale sees DNA as less than it weighs
        arrays |= expected_masses(settings)
    return Outcome([sample], ["cdms.list/1", "cdms.peaks/2", "cdms.window/1"], arrays=arrays)


def _masses(
    record: MassList, settings: TechniqueSettings, flags: list[Flag]
) -> tuple[FloatArray | None, dict[str, Any]]:
    """Return masses in Da and where they come from; None, with a flag, where they can't be had."""
    facts: dict[str, Any] = {"source": "file", "instrument": record.instrument, "unit": record.unit}
    if record.instrument == "mass_photometry" and (settings.contrast_slope or record.kind == "contrast"):
        mass, flag = contrast_masses(record, settings)
        flags += [] if flag is None else [flag]
        facts |= {
            "source": "contrast_slope",
            "contrast_slope": settings.contrast_slope,
            "contrast_intercept": settings.contrast_intercept,
        }
        return mass, facts
    unit = record.unit or settings.mass_unit
    if unit is None:
        message = "the list does not state the unit of its masses: set mass_unit to Da, kDa or MDa"
        flags.append(Flag(id="mass_unit_unknown", severity="invalid", message=message))
        return None, {**facts, "source": None}
    return record.x * float(UNITS[unit][1]), {**facts, "unit": unit}


def _blurred(
    mass: FloatArray, found: Windows, peaks: Sequence[Peak], settings: TechniqueSettings
) -> tuple[Ions, Windows, Blur]:
    """Return what the unfolding takes: all blur beyond the assembly's is one SD of the mass."""
    capsid = expected_capsid(settings)
    near = [p for p in peaks if abs(p.mass / capsid.mean - 1) <= NEAR and p.ions >= LEAST_IONS]
    width = max(near, key=lambda p: p.ions).sd if near else capsid.sd
    noise = math.sqrt(max(width**2 - capsid.sd**2, 0.0))
    ones = np.ones(mass.size)
    return Ions(mass, mass, np.arange(mass.size), ones, []), found, Blur(min(width, capsid.sd), noise)


def _attributes(
    found: Windows | None,
    unfolded: Mapping[str, float] | None,
    used: int,
    record: MassList,
    settings: TechniqueSettings,
) -> list[Attribute]:
    if found is None or unfolded is None:
        return []
    attributes = [*composition(found, unfolded, settings), *other_material(found, used, settings)]
    if record.instrument == "mass_photometry":  # DNA scatters unlike the protein of its calibration
        return attributes
    return [*attributes, *masses(found, settings)]


def _funnel(record: MassList, used: int) -> list[dict[str, Any]]:
    rows = [{"step": "read", "ions": record.rows_read}]
    rows += [{"step": f"dropped: {reason}", "ions": n} for reason, n in sorted(record.dropped.items())]
    lost = record.rows_read - sum(record.dropped.values()) - used
    rows += [{"step": "dropped: no mass", "ions": lost}] if lost else []
    return [*rows, {"step": "used", "ions": used}]


def _window(
    found: Windows | None, unfolded: Mapping[str, float] | None, attributes: Sequence[Attribute]
) -> dict[str, Any] | None:
    if found is None or unfolded is None:
        return None
    shares = {a.name: a.value for a in attributes if a.name in {f"percent_{c}" for c in CLASSES}}
    return {
        "edges_mda": [edge / 1e6 for edge in found.edges],
        "ions": found.counts,
        "unfolded_percent": {name: 100 * share for name, share in unfolded.items()},
        **shares,
    }
