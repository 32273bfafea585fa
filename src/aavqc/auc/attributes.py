"""Attributes of a fitted sample, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import CLASSES, Attribute
from aavqc.auc.calibration import calibrated_draws
from aavqc.auc.capsids import UNANCHORED_SD, Capsids, Constants, drawn_capsids, rigid_lengths
from aavqc.auc.cells import over_cells
from aavqc.auc.composition import ClassWindows, coefficients_of, percentages
from aavqc.auc.cs import Fitted, refit
from aavqc.auc.detection import beside_undetected, detection_limits, limits_of_distribution
from aavqc.auc.fit import SampleFit
from aavqc.auc.legacy import Row, legacy_rows
from aavqc.auc.models import AVOGADRO
from aavqc.auc.resolve import DETECTED
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.water import to_water
from aavqc.records import FloatArray

REPLICATES = 400
"""Draws behind each interval."""

UNCERTAIN = 3.0
"""Points: half-width of the full class above which it is given with the partial one as well, where
their sum is known twice as well."""


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
    found = fit.capsids
    if fit.resolved is not None and found is not None:
        channels = [f.channel for f in fit.fits]
        drawn = drawn_capsids(fit.resolved, channels, found.windows, settings, rng, REPLICATES)
        rows += _composition(found, drawn)
        rows += _packaged_length(found, drawn, settings, rng)
        rows += _titers(found, drawn, settings)
        rows += [
            (name, unit, value, calibrated(draws_))
            for name, unit, value, draws_ in _in_water(found, drawn, settings, first.grid.temperature_c)
        ]
        limits = detection_limits(fit, settings)
    elif fit.windows is not None:
        constants = [Constants.draw(settings, [first.channel], rng) for _ in draws]
        rows += _of_distribution(fit.windows, d, draws, coefficients_of(settings, first.grid), constants)
        limits = limits_of_distribution(fit, fit.windows, settings)
    rows += legacy_rows(d.s, d.signal, settings.s_windows, d.amounts, draws)
    found_here = [_attribute(row, limits.get(row[0]), settings.coverage) for row in rows]
    attributes = beside_undetected(found_here, fit, settings)
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
    rows = _percent("_signal", found.percent(found.signal), [c.percent(c.signal) for c in drawn])
    if found.particles is not None:
        counted = _percent("", found.percent(_weights(found)), [c.percent(_weights(c)) for c in drawn])
        _, partly, full, _ = counted
        rows += [*counted, *_merged(partly, full)]
    outside = [c.windows.percent_outside(c.s, c.signal) for c in drawn]
    return rows + _percent("_signal", found.windows.percent_outside(found.s, found.signal), outside)


def _percent(suffix: str, value: Mapping[str, float], drawn: Sequence[Mapping[str, float]]) -> list[Row]:
    """Return a row a class (or what lies outside the classes)."""
    return [
        (f"percent_{name}{suffix}", "%", share, np.array([x[name] for x in drawn]))
        for name, share in value.items()
    ]


def _merged(partly: Row, full: Row) -> list[Row]:
    """Return partial and full capsids together, where their sum is known and they are not."""
    together = full[3] + partly[3]
    alone = min(np.std(full[3]), np.std(partly[3]))
    if alone * 1.96 > UNCERTAIN and np.std(together) < 0.5 * alone:
        return [("percent_partial_full", "%", full[2] + partly[2], together)]
    return []


def _packaged_length(
    found: Capsids, drawn: Sequence[Capsids], settings: TechniqueSettings, rng: np.random.Generator
) -> list[Row]:
    """Return the length of the full capsids: by the wavelengths, else by s; particles must be known."""
    full = _of_class(found, 3, settings.average)
    if found.particles is None or not full.size:
        return []
    if found.bases is not None:
        spread = np.array([_by_light(c, full) for c in drawn])
        return [("packaged_length", "nt", _by_light(found, full), spread)]
    if found.windows.anchor == "full peak":
        return []  # it is what the lengths rest on
    errors = 1.0 + UNANCHORED_SD * rng.standard_normal(len(drawn))
    spread = np.array([_averaged(c, full, rigid_lengths(c)) for c in drawn]) * errors
    return [("packaged_length", "nt", _averaged(found, full, rigid_lengths(found)), spread)]


def _titers(found: Capsids, drawn: Sequence[Capsids], settings: TechniqueSettings) -> list[Row]:
    """Return capsids and genome equivalents per mL of the sample before its dilution."""
    if found.by_cell is None or len(found.by_cell) > 1:
        return []  # cells may be loaded differently: there is no one titer
    index = found.windows.index(found.s)
    capsids = (index >= 1) & (index <= 4)
    per_ml = AVOGADRO / 1000.0 * (settings.dilution_factor or 1.0)
    design = settings.design_length or 1.0

    def counted(c: Capsids) -> float:
        return float(_weights(c)[capsids].sum()) * per_ml

    def genomes(c: Capsids) -> float:
        return float((_weights(c) * c.lengths)[capsids].sum()) / design * per_ml

    return [
        ("cp_titer_optical", "cp/mL", counted(found), np.array([counted(c) for c in drawn])),
        ("vg_titer_optical", "vg/mL", genomes(found), np.array([genomes(c) for c in drawn])),
    ]


def _in_water(
    found: Capsids, drawn: Sequence[Capsids], settings: TechniqueSettings, temperature_c: float
) -> list[Row]:
    """Return s20,w of each class that is there, where density and viscosity are known."""
    factors = [to_water(settings, temperature_c, float(length)) for length in found.lengths]
    known = np.array([factor for factor in factors if factor is not None])
    if not known.size:
        return []
    rows: list[Row] = []
    for i, name in enumerate(CLASSES):
        which = _of_class(found, i + 1, settings.average)
        if which.size:
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
    """Return what a class is averaged by: its particles, or its signal where these are not known."""
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


def _of_distribution(
    windows: ClassWindows,
    d: Fitted,
    draws: FloatArray,
    extinction: tuple[float, float] | None,
    constants: Sequence[Constants],
) -> list[Row]:
    """Return the composition by a model without resolved species."""
    drawn = [percentages(windows, d.s, x, None) for x in draws]
    rows = _percent("_signal", percentages(windows, d.s, d.amounts, None), drawn)
    if extinction is not None:
        capsid, nucleotide = extinction
        drawn = [
            percentages(windows, d.s, x, (capsid * float(e.capsid[0]), nucleotide * float(e.nucleotide[0])))
            for x, e in zip(draws, constants, strict=True)
        ]
        rows += _percent("", percentages(windows, d.s, d.amounts, extinction), drawn)
    outside = [windows.percent_outside(d.s, x) for x in draws]
    return rows + _percent("_signal", windows.percent_outside(d.s, d.amounts), outside)


def _mean(s: FloatArray, signal: FloatArray) -> float:
    total = float(signal.sum())
    return float((s * signal).sum() / total) if total > 0 else 0.0
