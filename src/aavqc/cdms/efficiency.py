"""Shares corrected for how well each class is detected, where the user states it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aavqc.attributes import CLASSES, Attribute
from aavqc.cdms.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.intervals import normal_quantile
from aavqc.records import FloatArray


@dataclass(frozen=True)
class Corrected:
    """Attributes as they are reported; what the diagnostics say of the correction, if there is one."""

    attributes: list[Attribute]
    document: dict[str, Any] | None = None
    flags: tuple[Flag, ...] = ()


def corrected(attributes: Sequence[Attribute], settings: TechniqueSettings) -> Corrected:
    """Divide the share of each class by its detection efficiency; unchanged where none is given.

    v' = (v / e) / Σ (v / e). An interval is carried over by its ends, the composition of the other
    classes as found, and widened in quadrature by the efficiencies' SD: the larger of what their
    errors make if they are independent, and if they are one.

    Parameters
    ----------
    attributes : sequence of Attribute
        The four classes in their order, or none.
    settings : TechniqueSettings
    """
    given = settings.efficiency
    if not attributes or given.rel_sd is None:
        return Corrected(list(attributes))
    efficiency = np.array([1.0, *(getattr(given, name) for name in CLASSES[1:])])
    seen = np.array([a.value for a in attributes]) / 100
    value = seen / efficiency / (seen / efficiency).sum()
    half = normal_quantile(settings.coverage) * _sd(value, given.rel_sd)
    found = []
    for k, attribute in enumerate(attributes):
        low, high, least = (
            _carried(seen, efficiency, k, (percent or 0.0) / 100)
            for percent in (attribute.ci_low, attribute.ci_high, attribute.lod)
        )
        low = max(value[k] - math.hypot(value[k] - low, half[k]), 0.0)
        high = min(value[k] + math.hypot(high - value[k], half[k]), 1.0)
        found.append(
            replace(
                attribute,
                value=100 * float(value[k]),
                ci_low=100 * low if attribute.ci_low else 0.0,  # what may be none may be none still
                ci_high=100 * high,
                lod=100 * least,
                bound=None if attribute.bound is None else 100 * high,
            )
        )
    stated = ", ".join(f"{name} {getattr(given, name):g}" for name in CLASSES[1:])
    message = f"shares are corrected for detection efficiencies relative to empty capsids: {stated}"
    uncorrected = {a.name: a.value for a in attributes}
    return Corrected(
        found,
        {**given.model_dump(), "uncorrected": uncorrected},
        (Flag(id="efficiency_corrected", severity="info", message=message),),
    )


def _carried(seen: FloatArray, efficiency: FloatArray, k: int, share: float) -> float:
    """Return what a share of one class as seen amounts to, among the others as they were found."""
    others = np.arange(seen.size) != k
    rest = float(seen[others].sum())
    weight = (seen / efficiency)[others].sum() / rest if rest > 0 else (1 / efficiency[others]).max()
    own = share / efficiency[k]
    return float(own / (own + (1 - share) * weight))


def _sd(value: FloatArray, rel_sd: float) -> FloatArray:
    """Return the SD of corrected shares by the efficiencies' own, that of empty being 1 by definition."""
    slopes = value[:, None] * (np.eye(value.size) - value)[:, 1:]
    independent = np.sqrt((slopes**2).sum(axis=1))
    sd: FloatArray = rel_sd * np.maximum(independent, np.abs(slopes.sum(axis=1)))
    return sd
