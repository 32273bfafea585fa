"""Sedimentation velocity: scans → c(s) → capsid classes. See ``docs/auc.md``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from aavqc.auc.attributes import attributes_of
from aavqc.auc.calibration import calibration_flags, calibration_remarks
from aavqc.auc.diagnostics import diagnostics_of
from aavqc.auc.fit import fit_cell
from aavqc.auc.flags import flags_of, warnings_of
from aavqc.auc.integrate import integrate
from aavqc.auc.models import ALGORITHMS
from aavqc.auc.residuals import bitmap, point_noise
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.solvent import solvent_flags, solvent_remarks, with_solvent
from aavqc.documents import Outcome, Sample, generator, plain
from aavqc.records import Distribution, VelocityScans


def analyze(record: VelocityScans | Distribution, settings: TechniqueSettings) -> Outcome:
    """Analyze the scans of one cell, or integrate a distribution that another program fitted.

    Parameters
    ----------
    record : VelocityScans or Distribution
    settings : TechniqueSettings

    Returns
    -------
    Outcome
        One sample, with arrays for plots: ``s`` and ``signal``.

    Raises
    ------
    AssayError
        No boundary, an equilibrium experiment, too few scans.
    """
    settings, solvent = with_solvent(record, settings)
    if isinstance(record, Distribution):
        return integrate(record, settings)
    with threadpool_limits(limits=1, user_api="blas"):
        fit = fit_cell(record, settings)
        attributes = attributes_of(fit, settings, generator(settings.seed, record.inputs))
    flags = [*flags_of(fit, record, settings), *calibration_flags(settings), *solvent_flags(settings)]
    sample = Sample(
        sample_id=record.sample_id,
        record=record.name,
        status="invalid" if any(f.severity == "invalid" for f in flags) else "valid",
        attributes=attributes,
        diagnostics=plain(
            diagnostics_of(fit, settings) | {"solvent": None if solvent is None else asdict(solvent)}
        ),
        flags=flags,
        warnings=[
            *warnings_of(record, fit, settings),
            *fit.remarks,
            *calibration_remarks(settings),
            *solvent_remarks(settings),
        ],
    )
    d = fit.distribution
    arrays: dict[str, NDArray[Any]] = {
        "s": d.s,
        "signal": d.signal,
        "residual_bitmap": bitmap(d.residual, point_noise(d.residual, fit.grid.seen)),
    }
    algorithms = [ALGORITHMS[fit.model], "auc.composition/1"]
    return Outcome([sample], algorithms, arrays=arrays)
