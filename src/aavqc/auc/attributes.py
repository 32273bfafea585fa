"""Attributes of a fitted sample, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import Attribute
from aavqc.auc.calibration import calibrated_draws
from aavqc.auc.capsids import AVOGADRO, UNANCHORED_SD, Capsids, capsids_of, drawn_capsids, rigid_lengths
from aavqc.auc.cells import over_cells
from aavqc.auc.composition import ClassWindows, coefficients_of, percentages
from aavqc.auc.cs import Fitted, refit
from aavqc.auc.detection import DETECTED, beside_undetected, detection_limits
from aavqc.auc.fit import SampleFit
from aavqc.auc.legacy import legacy_rows
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.water import to_water
from aavqc.capsid import CLASSES
from aavqc.records import FloatArray

REPLICATES = 400
"""Draws behind each interval."""

UNCERTAIN = 3.0
"""Points: half-width of the full class above which it is given with the partial one as well, where
their sum is known twice as well."""

Row = tuple[str, str, float, FloatArray]
"""Name, unit, value and draws of an attribute."""


def attributes_of(fit: SampleFit, settings: TechniqueSettings, rng: np.random.Generator) -> list[Attribute]:
    """Return amounts, composition, lengths and titers with intervals of scope ``fit``."""
    first = fit.fits[0]
    d = first.distribution
    draws = np.array([refit(d, rng) for _ in range(REPLICATES // 2)])
    calibrated = partial(calibrated_draws, calibration=settings.calibration, rng=rng)
    rows: list[Row] = [
        ("total_signal", first.grid.unit, float(d.amounts.sum()), draws.sum(axis=1)),
        (
            "s_weight_average",
            "S",
            _mean(d.s, d.amounts),
            calibrated(np.array([_mean(d.s, x) for x in draws])),
        ),
    ]
    limits: dict[str, float] = {}
    found: Capsids | None = None
    if fit.windows is not None and fit.resolved is not None:
        channels = [f.channel for f in fit.fits]
        found = capsids_of(fit.resolved, channels, fit.windows, settings)
        drawn = drawn_capsids(fit.resolved, channels, fit.windows, settings, rng, REPLICATES)
        rows += _composition(found, drawn)
        rows += _species(found, drawn, settings, rng)
        rows += [
            (name, unit, value, calibrated(draws_))
            for name, unit, value, draws_ in _in_water(found, drawn, settings, first.grid.temperature_c)
        ]
        limits = detection_limits(fit, found, settings)
    elif fit.windows is not None:
        extinction = coefficients_of(settings, first.grid)
        rows += _of_distribution(fit.windows, d, draws, extinction)
    rows += legacy_rows(d.s, d.signal, settings.s_windows, d.amounts, draws)
    attributes = beside_undetected([_attribute(row, limits.get(row[0]), settings.coverage) for row in rows])
    return attributes if found is None else over_cells(attributes, found, settings.coverage)


def _attribute(row: Row, lod: float | None, coverage: float) -> Attribute:
    name, unit, value, drawn = row
    low, high = (float(x) for x in np.quantile(drawn, [(1 - coverage) / 2, (1 + coverage) / 2]))
    attribute = Attribute(
        name=name,
        technique="auc",
        value=value,
        unit=unit,
        ci_low=min(low, value),
        ci_high=max(high, value),
        coverage=coverage,
        scope="fit",
    )
    if lod is None:
        return attribute
    lod, loq = _two_digits(lod), _two_digits(lod * 10.0 / DETECTED)
    attribute = replace(attribute, lod=lod, loq=loq)
    if value == 0.0:
        return replace(attribute, ci_high=max(high, lod), qualifier="ND", bound=max(high, lod))
    return attribute


def _two_digits(limit: float) -> float:
    """Round a limit up to two significant figures: it is known no better."""
    unit = 10.0 ** (math.floor(math.log10(limit)) - 1)
    return float(f"{math.ceil(limit / unit - 1e-9) * unit:.6g}")


def _composition(found: Capsids, drawn: Sequence[Capsids]) -> list[Row]:
    rows: list[Row] = []

    def add(suffix: str, amounts: Callable[[Capsids], FloatArray | None]) -> None:
        here = amounts(found)
        if here is None:
            return
        value = found.percent(here)
        several = [c.percent(x) for c in drawn if (x := amounts(c)) is not None]
        for name in CLASSES:
            rows.append((f"percent_{name}{suffix}", "%", value[name], np.array([x[name] for x in several])))

    def merged(suffix: str, full: Row, partial: Row) -> None:
        together = full[3] + partial[3]
        alone = min(np.std(full[3]), np.std(partial[3]))
        if alone * 1.96 > UNCERTAIN and np.std(together) < 0.5 * alone:
            rows.append((f"percent_partial_full{suffix}", "%", full[2] + partial[2], together))

    add("_signal", lambda c: c.signal)
    add("", lambda c: c.particles)
    if found.particles is not None:
        merged("", rows[-2], rows[-3])
    for name, which in (("aggregate", 5), ("sub_capsid", 0)):
        rows.append(
            (
                f"percent_{name}_signal",
                "%",
                _share(found, which),
                np.array([_share(c, which) for c in drawn]),
            )
        )
    return rows


def _species(
    found: Capsids, drawn: Sequence[Capsids], settings: TechniqueSettings, rng: np.random.Generator
) -> list[Row]:
    """Return length of the full capsids and the optical titers, where particles are known."""
    rows: list[Row] = []
    if found.particles is None:
        return rows
    per_ml = AVOGADRO / 1000.0 * (settings.dilution_factor or 1.0)
    capsids = (found.windows.index(found.s) >= 1) & (found.windows.index(found.s) <= 4)
    full = _of_class(found, 3, settings.average)
    if full.size and found.bases is not None:
        value, spread = _by_light(found, full), np.array([_by_light(c, full) for c in drawn])
        rows.append(("packaged_length", "nt", value, spread))
    elif full.size and found.windows.anchor != "full peak":
        errors = 1.0 + UNANCHORED_SD * rng.standard_normal(len(drawn))
        spread = np.array([_averaged(c, full, rigid_lengths(c)) for c in drawn]) * errors
        rows.append(("packaged_length", "nt", _averaged(found, full, rigid_lengths(found)), spread))
    if found.by_cell is None or len(found.by_cell) > 1:
        return rows  # cells may be loaded differently: there is no one titer
    titers: tuple[tuple[str, str, Callable[[Capsids], float]], ...] = (
        ("cp_titer_optical", "cp/mL", lambda c: float(_of(c.particles)[capsids].sum()) * per_ml),
        (
            "vg_titer_optical",
            "vg/mL",
            lambda c: (
                float((_of(c.particles) * c.lengths)[capsids].sum())
                / (settings.design_length or 1.0)
                * per_ml
            ),
        ),
    )
    for name, unit, titer in titers:
        rows.append((name, unit, titer(found), np.array([titer(c) for c in drawn])))
    return rows


def _in_water(
    found: Capsids, drawn: Sequence[Capsids], settings: TechniqueSettings, temperature_c: float
) -> list[Row]:
    """Return s20,w of each class that is there, where density and viscosity are known."""
    rows: list[Row] = []
    for i, name in enumerate(CLASSES):
        which = _of_class(found, i + 1, settings.average)
        factors = [to_water(settings, temperature_c, float(length)) for length in found.lengths]
        known = np.array([factor for factor in factors if factor is not None])
        if which.size and known.size:
            value = _averaged(found, which, found.s * known)
            rows.append(
                (f"s20w_{name}", "S", value, np.array([_averaged(c, which, c.s * known) for c in drawn]))
            )
    return rows


def _of_class(found: Capsids, index: int, average: str) -> NDArray[np.intp]:
    """Return the species of a class: the main one for a mode, all for a weight average."""
    which = np.flatnonzero(found.windows.index(found.s) == index)
    if average == "weight" or not which.size:
        return which
    return which[[int(np.argmax(_weights(found)[which]))]]


def _weights(c: Capsids) -> FloatArray:
    return c.signal if c.particles is None else c.particles


def _averaged(c: Capsids, which: NDArray[np.intp], values: FloatArray) -> float:
    weights = _weights(c)[which]
    total = float(weights.sum())
    return float((weights * values[which]).sum() / total) if total > 0 else float(values[which].mean())


def _by_light(c: Capsids, which: NDArray[np.intp]) -> float:
    """Packaged length of some species by the wavelengths alone."""
    if c.bases is None or c.bases[which, 0].sum() <= 0:
        return 0.0
    return float(c.bases[which, 1].sum() / c.bases[which, 0].sum())


def _of(particles: FloatArray | None) -> FloatArray:
    return np.zeros(0) if particles is None else particles


def _share(c: Capsids, which: int) -> float:
    total = float(c.signal.sum())
    return 100.0 * float(c.signal[c.windows.index(c.s) == which].sum()) / total if total > 0 else 0.0


def _of_distribution(
    windows: ClassWindows, d: Fitted, draws: FloatArray, extinction: tuple[float, float] | None
) -> list[Row]:
    """Return the composition by a model without resolved species."""
    rows: list[Row] = []
    for suffix, e in (("_signal", None), ("", extinction)):
        if suffix == "" and e is None:
            continue
        value = percentages(windows, d.s, d.amounts, e)
        drawn = [percentages(windows, d.s, x, e) for x in draws]
        rows += [
            (f"percent_{name}{suffix}", "%", value[name], np.array([x[name] for x in drawn]))
            for name in CLASSES
        ]
    index = windows.index(d.s)
    for name, which in (("aggregate", index == 5), ("sub_capsid", index == 0)):
        share = 100 * float(d.amounts[which].sum() / d.amounts.sum())
        drawn_share = 100 * draws[:, which].sum(axis=1) / draws.sum(axis=1)
        rows.append((f"percent_{name}_signal", "%", share, drawn_share))
    return rows


def _mean(s: FloatArray, signal: FloatArray) -> float:
    total = float(signal.sum())
    return float((s * signal).sum() / total) if total > 0 else 0.0
