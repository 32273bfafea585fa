"""Sedimentation velocity: scans → c(s) → capsid classes. See ``docs/auc.md``."""

from __future__ import annotations

from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Outcome
from aavqc.records import Distribution, VelocityGroup, VelocityScans

__all__ = ["analyze"]


def analyze(record: VelocityScans | VelocityGroup | Distribution, settings: TechniqueSettings) -> Outcome:
    """Analyze one sample, see :func:`aavqc.auc.pipeline.analyze`."""
    # here, not above: settings alone then load no compiler and no optimizer
    from aavqc.auc import pipeline

    return pipeline.analyze(record, settings)
