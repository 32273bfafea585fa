"""From an ion table to attributes: charge, masses, peaks, classes, checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import Attribute
from aavqc.capsid import CLASSES, NUCLEOTIDE_MASS
from aavqc.cdms import checks
from aavqc.cdms.attributes import composition, masses, other_material
from aavqc.cdms.charge import charges
from aavqc.cdms.funnel import Ions, select
from aavqc.cdms.peaks import Peak, mass_peaks
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.smear import unfolded_shares
from aavqc.cdms.windows import Windows, windows
from aavqc.documents import Flag, Outcome, Sample, generator, plain
from aavqc.errors import UsageError
from aavqc.records import IonTable

ALGORITHMS = ["cdms.charge/1", "cdms.peaks/1", "cdms.window/1"]
PLOTTED_IONS = 5000
HISTOGRAM_STEP = 1e4
"""Bins of the plotted histogram, Da."""


def analyze(record: IonTable, settings: TechniqueSettings) -> Outcome:
    """Turn single ions into the composition and masses of a sample.

    Parameters
    ----------
    record : IonTable
    settings : TechniqueSettings

    Returns
    -------
    Outcome
        One sample. It is invalid without a charge calibration or with fewer than 50 ions.

    Raises
    ------
    UsageError
        A setting that can't be followed.
    """
    if settings.report_by != "window":
        raise UsageError(
            f"report_by={settings.report_by} is not available in this version",
            expected="window",
            hint="ions counted in mass windows are the default and the only way of this version",
        )
    calibrated = charges(record, settings)
    if calibrated.charge is None:
        return _without_charges(record, calibrated.calibration, calibrated.flags)
    ions = select(record, calibrated.charge, settings)
    peaks = mass_peaks(ions.mass)
    found = windows(ions.mass, settings)
    blur, source = checks.blur_of(ions, peaks, settings)
    flags = [*calibrated.flags, *ions.flags, *checks.count_flags(record, ions, found)]
    scale = checks.scale_flag(peaks, settings)
    flags += [] if scale is None else [scale]
    warnings = list(record.remarks)
    attributes: list[Attribute] = []
    unfolded: dict[str, float] | None = None
    if found is None:
        warnings.append("no design_length: no composition is computed")
    elif settings.regulated and settings.serotype is None:
        message = "a regulated method takes no generic capsid mass: set serotype for composition and masses"
        flags.append(Flag(id="constant_required", severity="warning", message=message))
    else:
        if found.monomers:
            unfolded = unfolded_shares(ions, found, blur)
            bias = checks.bias_flag(found, unfolded, settings.coverage)
            flags += [] if bias is None else [bias]
        attributes = _attributes(found, unfolded, int(ions.mass.size), settings)
    calibration = {
        **calibrated.calibration,
        "sigma_z": blur.sigma_z or None,
        "assembly_sd_da": blur.assembly_sd,
        "sigma_z_source": source,
        "standards": _standards(peaks, settings),
    }
    sample = Sample(
        sample_id=record.sample_id,
        record=record.name,
        status="invalid" if any(f.severity == "invalid" for f in flags) else "valid",
        attributes=attributes,
        diagnostics=plain(
            {
                "funnel": ions.funnel,
                "acquisition": dict(record.acquisition),
                "calibration": calibration,
                "peaks": [_peak(p, ions.mass.size) for p in peaks],
                "methods": {
                    "window": _window(found, unfolded, attributes),
                    "mixture": None,
                    "deconvolution": None,
                },
                "convergence": None,
            }
        ),
        flags=flags,
        warnings=warnings,
    )
    return Outcome([sample], ALGORITHMS, arrays=_arrays(record, ions, settings))


def _without_charges(record: IonTable, calibration: dict[str, Any], flags: list[Flag]) -> Outcome:
    funnel = [{"step": "read", "ions": record.rows_read}]
    funnel += [{"step": f"dropped: {reason}", "ions": n} for reason, n in sorted(record.dropped.items())]
    funnel += [{"step": "dropped: no charge", "ions": int(record.mz.size)}, {"step": "used", "ions": 0}]
    sample = Sample(
        sample_id=record.sample_id,
        record=record.name,
        status="invalid",
        diagnostics={
            "funnel": funnel,
            "acquisition": plain(record.acquisition),
            "calibration": calibration,
            "peaks": [],
            "methods": {"window": None, "mixture": None, "deconvolution": None},
            "convergence": None,
        },
        flags=flags,
        warnings=list(record.remarks),
    )
    return Outcome([sample], ALGORITHMS)


def _attributes(
    found: Windows, unfolded: Mapping[str, float] | None, used: int, settings: TechniqueSettings
) -> list[Attribute]:
    attributes = composition(found, unfolded, settings) if unfolded is not None else []
    if used:
        attributes += other_material(found, used, settings)
    return attributes + masses(found, settings)


def _peak(peak: Peak, total: int) -> dict[str, Any]:
    return {
        "mass_mda": peak.mass / 1e6,
        "sd_mda": peak.sd / 1e6,
        "ions": peak.ions,
        "fraction": peak.ions / total,
    }


def _window(
    found: Windows | None, unfolded: Mapping[str, float] | None, attributes: Sequence[Attribute]
) -> dict[str, Any] | None:
    if found is None:
        return None
    shares = {a.name: a.value for a in attributes if a.name in {f"percent_{c}" for c in CLASSES}}
    return {
        "edges_mda": [edge / 1e6 for edge in found.edges],
        "ions": found.counts,
        "nucleotide_da": NUCLEOTIDE_MASS,
        "unfolded_percent": None if unfolded is None else {n: 100 * s for n, s in unfolded.items()},
        **shares,
    }


def _standards(peaks: Sequence[Peak], settings: TechniqueSettings) -> list[dict[str, Any]]:
    """Compare each standard's mass with the nearest peak's."""
    rows = []
    for name, expected in sorted(settings.standards.items()):
        nearest = min(peaks, key=lambda p, m=expected: abs(p.mass - m), default=None)  # type: ignore[misc]
        found = nearest.mass if nearest is not None and abs(nearest.mass / expected - 1) < 0.1 else None
        rows.append(
            {
                "name": name,
                "expected_da": expected,
                "found_da": found,
                "deviation_percent": None if found is None else 100 * (found / expected - 1),
            }
        )
    return rows


def _arrays(record: IonTable, ions: Ions, settings: TechniqueSettings) -> dict[str, NDArray[Any]]:
    """Return the mass histogram, and a sample of ions that is the same on every run."""
    n = ions.mass.size
    top = min(float(np.quantile(ions.mass, 0.999)) * 1.1, 2e7) if n else HISTOGRAM_STEP
    edges = np.arange(0.0, top + HISTOGRAM_STEP, HISTOGRAM_STEP)
    counts, _ = np.histogram(ions.mass, edges)
    chosen = np.arange(n)
    if n > PLOTTED_IONS:
        rng = generator(settings.seed, record.inputs)
        chosen = np.sort(rng.choice(n, PLOTTED_IONS, replace=False))
    return {
        "mass_edges_da": edges,
        "mass_counts": counts,
        "mz": ions.mz[chosen],
        "charge": ions.charge[chosen],
    }
