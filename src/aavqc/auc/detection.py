"""Limits of detection: the share of a class that the noise alone could bring about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from aavqc.attributes import CLASSES, Attribute
from aavqc.auc.composition import AGGREGATE, ClassWindows, coefficients_of, particles_in
from aavqc.auc.cs import basis, project
from aavqc.auc.ff0 import of_table
from aavqc.auc.fit import Fit, SampleFit
from aavqc.auc.resolve import DETECTED, one_more
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.species import STEP_LN_D, STEP_S
from aavqc.records import FloatArray

QUARTERS = np.array([0.25, 0.5, 0.75])

SLOWEST = 2.0
"""S, as measured: a small protein. What hardly moves looks like the baseline, and is seen worst."""


def detection_limits(fit: SampleFit, settings: TechniqueSettings) -> dict[str, float]:
    """Return the limit of detection of each class, and of what is no capsid, in percent by attribute's name.

    In place of the class's own species one is added where its largest lies, else, in a class without
    any, at the worst of the quarters of its window by length (the empty one: at its s; aggregates: by s,
    as far as the fit goes; sub-capsid material: where it is slowest); the SD of its amount, all else fitted
    with it, times 3.3.
    """
    found = fit.capsids
    if fit.resolved is None or found is None:
        return {}
    index = found.windows.index(found.s)
    limits = {}
    grid = fit.fits[0].distribution.s
    for i, name in enumerate(("sub_capsid", *CLASSES, "aggregate")):
        own = np.flatnonzero(index == i)
        largest = own[np.argmax(found.signal[own])] if own.size else None
        at = _places(found.windows, i, grid) if largest is None else found.s[[largest]]
        if not at.size:
            continue
        sds = one_more(fit.problem, fit.resolved, at, set(own.tolist()))[1]
        capsid = name in CLASSES
        total = float(found.signal[(index >= 1) & (index <= 4)].sum() if capsid else found.signal.sum())
        limits[f"percent_{name}_signal"] = 100.0 * DETECTED * float(sds[0].max()) / total
        if capsid and found.particles is not None:
            lengths = found.windows.length(at).tolist()
            capsids = float(found.particles[(index >= 1) & (index <= 4)].sum())
            sd = max(_particle_sd(fit, sds[:, k], length, settings) for k, length in enumerate(lengths))
            limits[f"percent_{name}"] = 100.0 * DETECTED * sd / capsids
    return limits


def limits_of_distribution(
    fit: SampleFit, windows: ClassWindows, settings: TechniqueSettings
) -> dict[str, float]:
    """Return the same limits for a model without resolved species, of its first channel.

    The amounts of all that the model found outside of a class's window are fitted with the one that is
    added. What the residuals ask for there counts as well: the model may have had no species for it.
    """
    one, known = fit.fits[0], coefficients_of(settings, fit.fits[0].grid)
    d = one.distribution
    s, held = _held(fit, settings)
    index, of_s = windows.index(s), windows.index(d.s)
    capsids = (of_s >= 1) & (of_s <= 4)
    limits: dict[str, float] = {}
    for i, name in enumerate(("sub_capsid", *CLASSES, "aggregate")):
        at = _places(windows, i, d.s)
        amounts = d.amounts[capsids] if name in CLASSES else d.amounts
        if not at.size or amounts.sum() <= 0.0:
            continue
        columns = _columns(one, at, fit.diffusion(at))
        seen = _seen(columns, held[index != i])
        asked = np.maximum(columns @ d.residual.ravel() / seen, 0.0)
        least = asked + DETECTED * d.rmsd / np.sqrt(seen)
        limits[f"percent_{name}_signal"] = _percent(float(least.max()) / float(amounts.sum()))
        if known is not None and name in CLASSES:
            particles = float(particles_in(windows, d.s, d.amounts, known)[capsids].sum())
            least /= known[0] + known[1] * windows.length(at)
            limits[f"percent_{name}"] = _percent(float(least.max()) / particles)
    return limits


def _held(fit: SampleFit, settings: TechniqueSettings) -> tuple[FloatArray, FloatArray]:
    """Return s of what a model found in the first channel, and its columns, shape (n, points).

    Discrete species have columns for a change of their s and of their D as well.
    """
    one = fit.fits[0]
    if fit.model == "species":
        found: Any = fit.details["species"]
        s, d = (np.array([x[name] for x in found]) for name in ("s", "d"))
        moved = [(s, d), (s * (1 + STEP_S), d), (s, d * np.exp(STEP_LN_D))]
        return np.tile(s, 3), np.concatenate([_columns(one, *x) for x in moved])
    if fit.model == "cs_ff0":
        table: Any = fit.details["ff0"]
        s, d = of_table(table, one.grid, settings)
    else:
        s = one.distribution.s[one.distribution.amounts > 0.0]
        d = fit.diffusion(s)
    return s, _columns(one, s, d)


def _columns(one: Fit, s: FloatArray, diffusion: FloatArray) -> FloatArray:
    columns = project(basis(one.grid, s, diffusion, one.meniscus, one.bottom), one.noise, one.grid.seen)
    return columns.reshape(s.size, -1)


def _seen(columns: FloatArray, held: FloatArray) -> FloatArray:
    """Return the square of what of each column the held ones can't explain."""
    across = held @ columns.T
    taken = np.einsum("ik,ij,jk->k", across, np.linalg.pinv(held @ held.T, hermitian=True), across)
    seen: FloatArray = np.maximum((columns**2).sum(axis=1) - taken, 1e-300)
    return seen


def _percent(share: float) -> float:
    """Return a share in percent; none is larger than the whole."""
    return min(100.0 * share, 100.0)


def beside_undetected(
    attributes: Sequence[Attribute], fit: SampleFit, settings: TechniqueSettings
) -> list[Attribute]:
    """Return the attributes with limits that allow for the classes not detected.

    What is not detected may be there within the noise. The other classes are then less of the whole (by
    as much as the coverage of the intervals asks for), and the signal is shared by other capsids: titers
    allow for each such class at its limit of detection.
    """
    unseen = {a.name: (a.lod or 0.0) / 100.0 for a in attributes if a.qualifier == "ND"}
    of_titers = _titers_by_unseen(unseen, {a.name: a.value for a in attributes}, fit, settings)
    mended = []
    for a in attributes:
        names = next((names for names in _BY_SUFFIX.values() if a.name in names), None)
        if a.ci_low is None or a.ci_high is None or a.qualifier is not None:
            mended.append(a)
        elif names is not None:
            sds = float(special.ndtri(0.5 + 0.5 * (a.coverage or 0.0))) / DETECTED
            less = a.value * sds * sum(share for name, share in unseen.items() if name in names)
            mended.append(replace(a, ci_low=max(a.value - float(np.hypot(a.value - a.ci_low, less)), 0.0)))
        else:
            less, more = of_titers.get(a.name, (0.0, 0.0))
            low, high = np.hypot(a.value - a.ci_low, less), np.hypot(a.ci_high - a.value, more)
            widened = replace(a, ci_low=max(float(a.value - low), 0.0), ci_high=float(a.value + high))
            mended.append(widened if less or more else a)
    return mended


def _titers_by_unseen(
    unseen: Mapping[str, float], values: Mapping[str, float], fit: SampleFit, settings: TechniqueSettings
) -> dict[str, tuple[float, float]]:
    """Return by how much less and more titers are with what lies at its limit of detection.

    A share x of the capsids that has length L takes the signal x ε(L) from what was found, whose mean
    capsid has ε and r designs of DNA: capsids are more by cp x (1 − ε(L) / ε), genomes by
    cp x (L / design − r ε(L) / ε).
    """
    known, design = coefficients_of(settings, fit.fits[0].grid), settings.design_length
    capsids, genomes = (values.get(f"{name}_titer_optical", 0.0) for name in ("cp", "vg"))
    if known is None or design is None or not capsids:
        return {}
    held = genomes / capsids
    mean = known[0] + known[1] * design * held
    changes: dict[str, list[float]] = {"cp_titer_optical": [], "vg_titer_optical": []}
    for name, length in zip(CLASSES, (0.0, 0.5 * design, design, 1.25 * design), strict=True):
        share, light = unseen.get(f"percent_{name}", 0.0), (known[0] + known[1] * length) / mean
        changes["cp_titer_optical"].append(capsids * share * (1.0 - light))
        changes["vg_titer_optical"].append(capsids * share * (length / design - held * light))
    return {
        name: (-sum(min(x, 0.0) for x in found), sum(max(x, 0.0) for x in found))
        for name, found in changes.items()
    }


_BY_SUFFIX = {suffix: {f"percent_{c}{suffix}" for c in CLASSES} for suffix in ("", "_signal")}


def _places(windows: ClassWindows, index: int, grid: FloatArray) -> FloatArray:
    """Return s (S) at the quarters of a class's window by length; at the middle alone it is seen best.

    Those of aggregates are quarters of s up to the end of the fit's grid.
    """
    if index == 0:
        return np.array([SLOWEST])
    if index == len(CLASSES) + 1:
        low, high = windows.edges[-1], float(grid.max())
        return low + QUARTERS * (high - low) if low < high else np.empty(0)
    if index == 1:
        return np.array([windows.s_empty])
    low, high = windows.length(np.array(windows.edges[index - 1 : index + 1])).tolist()
    if index == len(CLASSES):
        high = windows.length(np.array([windows.edges[-1] / AGGREGATE])).item()
    s = np.linspace(windows.s_empty, windows.edges[-1], 500)
    return np.asarray(np.interp(low + QUARTERS * (high - low), windows.length(s), s), dtype=np.float64)


def _particle_sd(fit: SampleFit, sd: FloatArray, length: float, settings: TechniqueSettings) -> float:
    """Return the SD of the particles of a species of known length, all wavelengths together."""
    weight = 0.0
    for f, one in zip(fit.fits, sd.tolist(), strict=True):
        known = coefficients_of(settings, f.grid)
        if known is not None:
            weight += (settings.path_length_cm * (known[0] + known[1] * length) / one) ** 2
    return float(weight**-0.5) if weight > 0 else 0.0
