"""Quality attributes from counted ions, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from aavqc.attributes import CLASSES, Attribute
from aavqc.cdms.expected import SODIUM, nucleotide_mass
from aavqc.cdms.method import Method, Triple
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.windows import Windows
from aavqc.intervals import goodman, normal_quantile, wilson
from aavqc.quantities import UNITS
from aavqc.records import FloatArray

LEAST_IONS = 50
"""No median, and no valid sample, from fewer ions."""

LOD_IONS = 3
"""Ions that a class must be expected to have to be seen with 95 % probability."""


BIAS_REL_SD = 0.25
"""To what part of itself a shift across a class bound is known."""


def composition(
    found: Windows, unfolded: Mapping[str, float], settings: TechniqueSettings
) -> list[Attribute]:
    """Return the shares of the four classes, with intervals for counting and for blur.

    The value is counted. The interval is the union of two: Goodman's simultaneous one of the
    counts, and one about the unfolded share, Goodman's with a quarter of the shift between the
    two shares in quadrature. A class without ions is ND, one below the limit of detection (3 / N)
    is censored; the bound is the upper limit of the interval.
    """
    counts = [found.counts[name] for name in CLASSES]
    likely = [round(unfolded[name] * found.monomers) for name in CLASSES]
    intervals = [
        _united(counted, unbiased, unfolded[name], unfolded[name] - k / found.monomers)
        for name, k, counted, unbiased in zip(
            CLASSES,
            counts,
            goodman(counts, settings.coverage),
            goodman(likely, settings.coverage),
            strict=True,
        )
    ]
    return [
        _share(f"percent_{name}", k, found.monomers, interval, settings)
        for name, k, interval in zip(CLASSES, counts, intervals, strict=True)
    ]


def estimated(method: Method, ions: int, settings: TechniqueSettings) -> list[Attribute]:
    """Return the shares that a method estimates; one below its limit of detection is censored."""
    attributes = []
    for name, share in method.shares.items():
        triple = (100 * share.value, 100 * share.low, 100 * share.high)
        attribute = replace(_attribute(f"percent_{name}", triple, "%", settings), lod=100 * share.detectable)
        if share.value < share.detectable:
            seen = share.value * ions >= 0.5
            attribute = replace(attribute, qualifier="<" if seen else "ND", bound=100 * share.high)
        attributes.append(attribute)
    return attributes


def other_material(found: Windows, total: int, settings: TechniqueSettings) -> list[Attribute]:
    """Return aggregates and sub-capsid material as shares of all ions, with Wilson's intervals."""
    return [
        _share(name, k, total, wilson(k, total, settings.coverage), settings)
        for name, k in (
            ("percent_aggregate_signal", found.above),
            ("percent_sub_capsid_signal", found.below),
        )
    ]


def masses(found: Windows, settings: TechniqueSettings) -> list[Attribute]:
    """Return masses of empty and full capsids, genome mass, and packaged length.

    Medians with intervals from order statistics; the genome is the difference of the two, so
    that an error of the capsid's mass cancels. The length takes DNA in its acid form: with
    sodium as the only counter-ion it would be 6.4 % less.
    """
    empty, full = (median_interval(found.members[name], settings.coverage) for name in ("empty", "full"))
    attributes = []
    if empty is not None:
        attributes.append(_mass("mass_empty", empty, settings))
    if full is not None:
        attributes.append(_mass("mass_full", full, settings))
    if empty is not None and full is not None:
        middle = full[0] - empty[0]
        genome = (
            middle,
            middle - math.hypot(full[0] - full[1], empty[2] - empty[0]),
            middle + math.hypot(full[2] - full[0], empty[0] - empty[1]),
        )
        attributes += _genome(genome, settings)
    return attributes


def estimated_masses(
    empty: Triple | None, full: Triple | None, genome: Triple | None, settings: TechniqueSettings
) -> list[Attribute]:
    """Return the masses of peaks, each with its interval, and the packaged length."""
    attributes = []
    if empty is not None:
        attributes.append(_mass("mass_empty", empty, settings))
    if full is not None:
        attributes.append(_mass("mass_full", full, settings))
    return attributes + ([] if genome is None else _genome(genome, settings))


def _genome(genome: Triple, settings: TechniqueSettings) -> list[Attribute]:
    """Return the mass of the genome, and its length in the acid form.

    The length's interval goes down to what it would be with sodium for every proton.
    """
    each = nucleotide_mass(settings)
    nt = (genome[0] / each, genome[1] / each / SODIUM, genome[2] / each)
    return [_mass("genome_mass", genome, settings), _attribute("packaged_length", nt, "nt", settings)]


def median_interval(ordered: FloatArray, coverage: float) -> Triple | None:
    """Return the median of sorted values with its distribution-free interval; None below 50 values."""
    n = ordered.size
    if n < LEAST_IONS:
        return None
    half = normal_quantile(coverage) * math.sqrt(n) / 2
    low, high = max(math.floor(n / 2 - half), 0), min(math.ceil(n / 2 + half), n - 1)
    middle = float(ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    return middle, float(ordered[low]), float(ordered[high])


def _united(
    counted: tuple[float, float], unbiased: tuple[float, float], share: float, shift: float
) -> tuple[float, float]:
    low = share - math.hypot(share - unbiased[0], BIAS_REL_SD * shift)
    high = share + math.hypot(unbiased[1] - share, BIAS_REL_SD * shift)
    return max(min(counted[0], low), 0.0), min(max(counted[1], high), 1.0)


def _share(
    name: str, k: int, n: int, interval: tuple[float, float], settings: TechniqueSettings
) -> Attribute:
    low, high = interval if k else (0.0, interval[1])
    attribute = _attribute(name, (100 * k / n, 100 * low, 100 * high), "%", settings)
    attribute = replace(attribute, lod=100 * LOD_IONS / n)
    if k >= LOD_IONS:
        return attribute
    return replace(attribute, qualifier="<" if k else "ND", bound=100 * high)


def _mass(name: str, triple: Triple, settings: TechniqueSettings) -> Attribute:
    unit = settings.mass_unit or "MDa"
    scale = float(UNITS[unit][1])
    scaled = (triple[0] / scale, triple[1] / scale, triple[2] / scale)
    return _attribute(name, scaled, unit, settings)


def _attribute(name: str, triple: Triple, unit: str, settings: TechniqueSettings) -> Attribute:
    value, low, high = triple
    return Attribute(
        name=name,
        technique="cdms",
        value=value,
        unit=unit,
        ci_low=low,
        ci_high=high,
        coverage=settings.coverage,
        scope="fit",
    )
