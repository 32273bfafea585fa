"""The way from scans, or a saved distribution, to the attributes of a sample."""

from __future__ import annotations

from dataclasses import asdict

from aavqc.auc.attributes import attributes_of
from aavqc.auc.calibration import calibration_flags, calibration_remarks
from aavqc.auc.constants import regulated_only
from aavqc.auc.diagnostics import diagnostics_of
from aavqc.auc.fit import fit_sample
from aavqc.auc.flags import sample_flags, warnings_of
from aavqc.auc.integrate import integrate
from aavqc.auc.models import ALGORITHMS
from aavqc.auc.pictured import pictured
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.solvent import solvent_flags, solvent_remarks, with_solvent
from aavqc.blas import one_thread
from aavqc.documents import Outcome, Sample, generator, plain
from aavqc.records import Distribution, VelocityGroup, VelocityScans


def analyze(record: VelocityScans | VelocityGroup | Distribution, settings: TechniqueSettings) -> Outcome:
    """Analyze the scans of one sample, or integrate a distribution that another program fitted.

    Parameters
    ----------
    record : VelocityScans, VelocityGroup or Distribution
        One cell; cells and runs of one sample, fitted together; or a saved distribution.
    settings : TechniqueSettings

    Returns
    -------
    Outcome
        One sample, with arrays for plots: see :func:`~aavqc.auc.pictured.pictured`.

    Raises
    ------
    AssayError
        No boundary, an equilibrium experiment, too few scans.
    """
    settings, solvent = with_solvent(record, settings)
    if isinstance(record, Distribution):
        return integrate(record, settings)
    records = record.members if isinstance(record, VelocityGroup) else (record,)
    with one_thread:
        fit = fit_sample(records, settings)
        attributes = attributes_of(fit, settings, generator(settings.seed, record.inputs))
    flags = [
        *sample_flags(fit, attributes, settings),
        *calibration_flags(settings),
        *solvent_flags(settings),
    ]
    issued, lacking = regulated_only(attributes, fit.fits[0].grid, settings)
    flags += lacking
    sample = Sample(
        sample_id=record.sample_id,
        record=record.name,
        status="invalid" if any(f.severity == "invalid" for f in flags) else "valid",
        attributes=issued,
        diagnostics=plain(
            diagnostics_of(fit, settings) | {"solvent": None if solvent is None else asdict(solvent)}
        ),
        flags=flags,
        warnings=[
            *warnings_of(records, fit, settings),
            *fit.remarks,
            *calibration_remarks(settings),
            *solvent_remarks(settings),
        ],
    )
    algorithms = [ALGORITHMS[fit.model], "auc.composition/6"]
    if fit.resolved is not None:
        algorithms.append("auc.resolve/1")
    return Outcome([sample], algorithms, arrays=pictured(fit))
