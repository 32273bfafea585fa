"""From an ion table to attributes: charge, masses, peaks, classes, checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import Attribute
from aavqc.capsid import capsid_document
from aavqc.cdms import checks
from aavqc.cdms.attributes import composition, estimated, estimated_masses, masses, other_material
from aavqc.cdms.by_deconvolution import by_deconvolution
from aavqc.cdms.by_mixture import by_mixture, peaks_by_mixture
from aavqc.cdms.charge import Charges, charges
from aavqc.cdms.comb import by_comb
from aavqc.cdms.drift import drifts
from aavqc.cdms.efficiency import corrected
from aavqc.cdms.expected import genome_document, nucleotide_mass
from aavqc.cdms.funnel import Ions, select
from aavqc.cdms.method import peak_row
from aavqc.cdms.noise import GIVEN_REL_SD, LEAST_NOISE, ChargeNoise
from aavqc.cdms.peaks import Distribution, Peak, distribution
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.smear import unfolded_shares
from aavqc.cdms.windows import Windows, expected_masses, windows
from aavqc.documents import Flag, Outcome, Sample, generator, plain
from aavqc.records import IonTable

ALGORITHMS = ["cdms.charge/2", "cdms.deconvolution/1", "cdms.mixture/4", "cdms.peaks/2", "cdms.window/1"]
PLOTTED_IONS = 5000


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
    calibrated = charges(record, settings)
    if calibrated.charge is None:
        return _without_charges(record, calibrated.calibration, calibrated.flags)
    ions = select(record, calibrated.charge, settings)
    spread = distribution(ions.mass, settings.bandwidth)
    peaks = spread.peaks
    found = windows(ions.mass, settings)
    flags = [*calibrated.flags, *ions.flags, *checks.count_flags(record, ions, found)]
    flags += [f for f in (checks.scale_flag(peaks, settings),) if f is not None]
    drift, moving = drifts(record, ions, peaks)
    flags += moving
    warnings = [*record.remarks, *checks.remarks(record, settings)]
    if found is None:
        warnings.append("no design_length: no composition is computed")
    elif required := checks.constant_flags(settings, charges_on_record=calibrated.on_record):
        flags += required
        found = None
    counted = _methods(record, ions, peaks, found, calibrated, settings)
    flags += counted.flags
    sample = Sample(
        sample_id=record.sample_id,
        record=record.name,
        status="invalid" if any(f.severity == "invalid" for f in flags) else "valid",
        attributes=counted.attributes,
        diagnostics=plain(
            {
                "funnel": ions.funnel,
                "acquisition": dict(record.acquisition),
                "calibration": {
                    **calibrated.calibration,
                    **counted.noise,
                    "drift": drift,
                    "standards": _standards(peaks, settings),
                },
                "capsid": capsid_document(settings.serotype, settings.capsid),
                "genome": genome_document(settings),
                "distribution": spread.document(),
                "peaks": _rows(ions, peaks),
                "methods": counted.methods,
                "efficiency": counted.efficiency,
                "convergence": {
                    name: row["convergence"]
                    for name, row in counted.methods.items()
                    if row is not None and "convergence" in row
                },
            }
        ),
        flags=flags,
        warnings=warnings,
    )
    return Outcome([sample], ALGORITHMS, arrays=_arrays(record, ions, spread, settings))


@dataclass(frozen=True)
class _Counted:
    """What the three methods say, and the attributes of the one that is reported."""

    attributes: list[Attribute]
    methods: dict[str, dict[str, Any] | None]
    noise: dict[str, Any]
    flags: list[Flag]
    efficiency: dict[str, Any] | None = None


def _methods(
    record: IonTable,
    ions: Ions,
    peaks: Sequence[Peak],
    found: Windows | None,
    calibrated: Charges,
    settings: TechniqueSettings,
) -> _Counted:
    if found is None or not found.monomers:
        return _peaks_alone(record, ions, peaks, _noise_of(settings, calibrated), settings)
    blur, source = checks.blur_of(ions, peaks, settings)
    unfolded = unfolded_shares(ions, found, blur)
    attributes = composition(found, unfolded, settings)
    window = _window(found, unfolded, attributes, peaks, ions, settings)
    noise = {"sigma_z": blur.sigma_z or None, "assembly_sd_da": blur.assembly_sd, "sigma_z_source": source}
    fitted = by_mixture(ions, found.edges, calibrated.rel_sd, settings)
    mixture = deconvolution = None
    flags: list[Flag] = []
    if fitted is not None:
        mixture, capsids = fitted
        noise |= {
            "sigma_z": capsids.noise.constant,
            "sigma_z_slope": capsids.noise.slope,
            "sigma_z_rel_sd": capsids.noise.rel_sd,
            "sigma_z_source": capsids.noise.source,
        }
        edges = capsids.edges.tolist()
        deconvolution = by_deconvolution(ions, capsids.noise.at, edges, peaks, settings, record.inputs)
        flags += mixture.flags
        unfolded = {name: share.value for name, share in mixture.shares.items()}
    chosen = {"mixture": mixture, "deconvolution": deconvolution}.get(settings.report_by)
    bias = checks.bias_flag(found, unfolded, settings.coverage, reported=chosen is None)
    flags += [] if bias is None else [bias]
    mass_attributes = masses(found, settings)
    if chosen is not None:
        attributes = estimated(chosen, found.monomers, settings)
    if settings.report_by == "mixture" and mixture is not None:
        at = mixture.masses
        mass_attributes = estimated_masses(at.get("empty"), at.get("full"), at.get("genome"), settings)
    reported = corrected(attributes, settings)
    return _Counted(
        reported.attributes + other_material(found, int(ions.mass.size), settings) + mass_attributes,
        {
            "window": window,
            "mixture": None if mixture is None else mixture.document(),
            "deconvolution": None if deconvolution is None else deconvolution.document(),
        },
        noise,
        [*flags, *reported.flags],
        reported.document,
    )


def _peaks_alone(
    record: IonTable,
    ions: Ions,
    peaks: Sequence[Peak],
    noise: ChargeNoise,
    settings: TechniqueSettings,
) -> _Counted:
    """Count peaks where no classes are asked for, or no capsid was seen."""
    methods: dict[str, dict[str, Any] | None] = {"window": {"peaks": _rows(ions, peaks)} if peaks else None}
    for name, found in (
        ("mixture", peaks_by_mixture(ions, noise.at, peaks)),
        ("deconvolution", by_deconvolution(ions, noise.at, None, peaks, settings, record.inputs)),
    ):
        document = None if found is None else found.document()
        if document is not None:
            document["peaks"] = [by_comb(row, ions) for row in document["peaks"]]
        methods[name] = document
    facts = {"sigma_z": noise.constant, "sigma_z_slope": noise.slope, "sigma_z_source": noise.source}
    return _Counted([], methods, facts, [])


def _noise_of(settings: TechniqueSettings, calibrated: Charges) -> ChargeNoise:
    """Return the noise as given, else as the standards show it, else next to none."""
    if settings.sigma_z is not None:
        return ChargeNoise(settings.sigma_z, settings.sigma_z_slope, GIVEN_REL_SD, "setting")
    if calibrated.sigma_z is not None:
        a, b = calibrated.sigma_z
        return ChargeNoise(max(a, LEAST_NOISE), b, GIVEN_REL_SD, "standards")
    return ChargeNoise(LEAST_NOISE, 0.0, 1.0, "none")


def _rows(ions: Ions, peaks: Sequence[Peak]) -> list[dict[str, Any]]:
    rows = [peak_row(p.mass, p.sd, p.ions, ions.mass.size) for p in peaks]
    return [by_comb(row, ions) for row in rows]


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


def _window(
    found: Windows,
    unfolded: Mapping[str, float],
    attributes: Sequence[Attribute],
    peaks: Sequence[Peak],
    ions: Ions,
    settings: TechniqueSettings,
) -> dict[str, Any]:
    return {
        "peaks": _rows(ions, peaks),
        "edges_mda": [edge / 1e6 for edge in found.edges],
        "ions": found.counts,
        "nucleotide_da": nucleotide_mass(settings),
        "unfolded_percent": {name: 100 * share for name, share in unfolded.items()},
        **{a.name: a.value for a in attributes},
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


def _arrays(
    record: IonTable, ions: Ions, spread: Distribution, settings: TechniqueSettings
) -> dict[str, NDArray[Any]]:
    """Return the mass distribution, what masses are expected, and ions drawn the same on every run."""
    n = ions.mass.size
    chosen = np.arange(n)
    if n > PLOTTED_IONS:
        rng = generator(settings.seed, record.inputs)
        chosen = np.sort(rng.choice(n, PLOTTED_IONS, replace=False))
    return {
        **spread.arrays(ions.mass),
        **expected_masses(settings),
        "mz": ions.mz[chosen],
        "charge": ions.charge[chosen],
    }
