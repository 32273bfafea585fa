"""Attributes of a fitted cell, each with its interval."""

from __future__ import annotations

from functools import partial

import numpy as np

from aavqc.attributes import Attribute
from aavqc.auc.calibration import calibrated_draws
from aavqc.auc.composition import ClassWindows, extinction_at, percentages
from aavqc.auc.cs import Fitted, refit
from aavqc.auc.fit import Fit
from aavqc.auc.legacy import legacy_rows
from aavqc.auc.settings import TechniqueSettings
from aavqc.capsid import CLASSES
from aavqc.records import FloatArray

REPLICATES = 200
"""Draws behind each interval."""


def attributes_of(fit: Fit, settings: TechniqueSettings, rng: np.random.Generator) -> list[Attribute]:
    """Return amounts and composition with intervals of scope ``fit``: the noise, drawn anew."""
    d, windows = fit.distribution, fit.windows
    draws = np.array([refit(d, rng) for _ in range(REPLICATES)])
    calibrated = partial(calibrated_draws, calibration=settings.calibration, rng=rng)
    unit = fit.grid.unit
    rows: list[tuple[str, str, float, FloatArray]] = [
        ("total_signal", unit, float(d.amounts.sum()), draws.sum(axis=1)),
        (
            "s_weight_average",
            "S",
            _mean(d.s, d.amounts),
            calibrated(np.array([_mean(d.s, x) for x in draws])),
        ),
    ]
    if windows is not None:
        extinction = extinction_at(settings, fit.grid.wavelength_nm)
        rows += _class_rows(windows, d, draws, None, "_signal")
        if extinction is not None:
            rows += _class_rows(windows, d, draws, extinction, "")
        index = windows.index(d.s)
        for name, which in (("aggregate", index == 5), ("sub_capsid", index == 0)):
            value = 100 * float(d.amounts[which].sum() / d.amounts.sum())
            drawn = 100 * draws[:, which].sum(axis=1) / draws.sum(axis=1)
            rows.append((f"percent_{name}_signal", "%", value, drawn))
    rows += legacy_rows(d.s, d.signal, settings.s_windows, d.amounts, draws)
    tails = [(1 - settings.coverage) / 2, (1 + settings.coverage) / 2]
    attributes = []
    for name, unit_, value, drawn in rows:
        low, high = (float(x) for x in np.quantile(drawn, tails))
        attributes.append(
            Attribute(
                name=name,
                technique="auc",
                value=value,
                unit=unit_,
                ci_low=min(low, value),
                ci_high=max(high, value),
                coverage=settings.coverage,
                scope="fit",
            )
        )
    return attributes


def _class_rows(
    windows: ClassWindows,
    d: Fitted,
    draws: FloatArray,
    extinction: tuple[float, float] | None,
    suffix: str,
) -> list[tuple[str, str, float, FloatArray]]:
    value = percentages(windows, d.s, d.amounts, extinction)
    drawn = [percentages(windows, d.s, x, extinction) for x in draws]
    return [
        (f"percent_{name}{suffix}", "%", value[name], np.array([x[name] for x in drawn])) for name in CLASSES
    ]


def _mean(s: FloatArray, signal: FloatArray) -> float:
    total = float(signal.sum())
    return float((s * signal).sum() / total) if total > 0 else 0.0
