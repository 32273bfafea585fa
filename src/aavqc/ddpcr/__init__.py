"""Droplet digital PCR: from counts of droplets to genome titers with intervals."""

from __future__ import annotations

from collections.abc import Sequence

from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.documents import Outcome, SheetRow
from aavqc.records import DropletPlate

__all__ = ["TechniqueSettings", "analyze"]


def analyze(
    record: DropletPlate,
    settings: TechniqueSettings,
    parts: Sequence[tuple[SheetRow, TechniqueSettings]] = (),
) -> Outcome:
    """Analyze a plate, see :func:`aavqc.ddpcr.pipeline.analyze`."""
    # here, not above: settings alone then load no compiler
    from aavqc.ddpcr import pipeline

    return pipeline.analyze(record, settings, parts)
