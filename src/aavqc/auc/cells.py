"""Cells and runs of one sample: their mean as the reportable value, and how they scatter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from aavqc.attributes import CLASSES, Attribute
from aavqc.auc.capsids import Capsids
from aavqc.records import FloatArray


def over_cells(attributes: Sequence[Attribute], found: Capsids, coverage: float) -> list[Attribute]:
    """Return the attributes with the composition as the mean of the cells, scope ``run``.

    The interval is that of Student's t between the cells, never narrower than the fit's own. One
    cell changes nothing.
    """
    if found.by_cell is None or len(found.by_cell) < 2:
        return list(attributes)
    count = len(found.by_cell)
    factor = float(special.stdtrit(count - 1, 0.5 + 0.5 * coverage)) / np.sqrt(count)
    by_name = _by_cell(found, found.by_cell)
    by_name["percent_partial_full"] = by_name["percent_partial"] + by_name["percent_full"]
    mended = []
    for a in attributes:
        if a.name not in by_name or a.ci_low is None or a.ci_high is None:
            mended.append(a)
            continue
        values = by_name[a.name]
        mean, half = float(values.mean()), factor * float(values.std(ddof=1))
        mended.append(
            replace(
                a,
                value=mean,
                ci_low=max(min(mean - half, a.ci_low + mean - a.value), 0.0),
                ci_high=min(max(mean + half, a.ci_high + mean - a.value), 100.0),
                scope="run",
            )
        )
    return mended


def scatter(found: Capsids) -> dict[str, Any]:
    """Return the composition of each cell, with mean, SD and CV in percent."""
    if found.by_cell is None or len(found.by_cell) < 2:
        return {}
    table = {}
    for name, values in _by_cell(found, found.by_cell).items():
        mean, sd = float(values.mean()), float(values.std(ddof=1))
        table[name] = {
            "values": values,
            "mean": mean,
            "sd": sd,
            "cv_percent": 100.0 * sd / mean if mean > 0 else None,
        }
    return {"cells": table}


def _by_cell(found: Capsids, by_cell: FloatArray) -> dict[str, FloatArray]:
    """Return the percentage of each class, by the attribute's name, in each cell."""
    cells = [found.percent(particles) for particles in by_cell]
    return {f"percent_{c}": np.array([cell[c] for cell in cells]) for c in CLASSES}
