"""A sample's concentration in the reaction and its genome titer, by target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from aavqc.attributes import Attribute
from aavqc.ddpcr.flags import NO_TEMPLATE, flags_of
from aavqc.ddpcr.poisson import copies_per_droplet
from aavqc.ddpcr.samples import Plan
from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.ddpcr.spread import Estimate, Exposed, around, estimate
from aavqc.ddpcr.wells import FEWEST, WellCount, exposed
from aavqc.documents import Flag, Sample
from aavqc.intervals import normal_quantile
from aavqc.records import DropletPlate

UL_PER_ML = 1000.0


def sample_result(
    record: DropletPlate,
    plans: Sequence[Plan],
    counts: Mapping[str, Sequence[WellCount]],
) -> Sample:
    """Return one sample: its attributes by target, diagnostics and flags.

    Parameters
    ----------
    record : DropletPlate
    plans : sequence of Plan
        The preparations of one sample of one lot in one role; they may differ in dilution.
    counts : mapping of str to sequence of WellCount
        By well, of the whole plate.
    """
    pool = _pool(plans, counts)
    role, row = plans[0].role, plans[0].row
    rows = [p.row for p in plans if p.row is not None]
    flags = flags_of([c for c, _ in pool], role, [w for p in plans for w in p.missing])
    attributes, diagnostics, warnings = [], {}, []
    for target in _targets(pool):
        found = [(c, p) for c, p in pool if c.target == target and (c.accepted or 0) >= FEWEST]
        attributes += _attributes(target, found, role not in NO_TEMPLATE)
        diagnostics[target] = _diagnostics(found)
    undiluted = [p for _, p in pool if p.settings.dilution_factor is None]
    if role not in NO_TEMPLATE and undiluted:
        warnings.append("no vg_titer: dilution_factor is not given")
        if role == "sample" and any(p.settings.regulated for p in undiluted):
            message = "a regulated method needs dilution_factor for vg_titer"
            flags.append(Flag(id="constant_required", severity="warning", message=message))
    return Sample(
        sample_id=plans[0].sample_id,
        record=record.name,
        lot=row.lot if row is not None else None,
        role=role,
        preparation=_common([r.preparation for r in rows]),
        replicate=_common([r.replicate for r in rows]),
        status="invalid" if any(f.severity == "invalid" for f in flags) else "valid",
        attributes=attributes,
        diagnostics={"targets": diagnostics},
        flags=flags,
        warnings=warnings,
    )


def _pool(plans: Sequence[Plan], counts: Mapping[str, Sequence[WellCount]]) -> list[tuple[WellCount, Plan]]:
    """Return the sample's counts; a merged row only where none of its members is on the plate."""
    return [
        (count, part)
        for part in plans
        for well in part.wells
        for count in counts.get(well, ())
        if not any(member in counts for member in count.merged_from)
    ]


def _targets(pool: Sequence[tuple[WellCount, Plan]]) -> list[str]:
    return [t for _, t in sorted({(c.channel, c.target) for c, _ in pool})]


def _attributes(target: str, found: Sequence[tuple[WellCount, Plan]], template: bool) -> list[Attribute]:
    if not found:
        return []
    settings = found[0][1].settings
    attributes = []
    dilutions = [p.settings.dilution_factor for _, p in found]
    if len(set(dilutions)) == 1:
        reaction = _estimate([exposed(c) for c, _ in found], settings)
        if reaction:
            attributes.append(_attribute("concentration", "copies/µL", target, reaction, settings))
    if template and None not in dilutions:
        sample = _estimate([exposed(c, _factor(target, p.settings)) for c, p in found], settings)
        if sample:
            rel_sd = max((p.row.dilution_rel_sd or 0.0) if p.row else 0.0 for _, p in found)
            sample = _with_dilution(sample, rel_sd, settings.coverage)
            attributes.append(_attribute("vg_titer", "vg/mL", target, sample, settings))
    return attributes


def _factor(target: str, settings: TechniqueSettings) -> float:
    """Return vg/mL of the sample for one copy/µL of the reaction."""
    per_genome = settings.targets_per_genome.get(target, 1.0)
    return UL_PER_ML * (settings.dilution_factor or 1.0) * settings.strand_factor / per_genome


def _estimate(wells: Sequence[Exposed | None], settings: TechniqueSettings) -> Estimate | None:
    """Estimate from the wells that were called and whose volume is known."""
    return estimate([w for w in wells if w], settings.interval, settings.coverage)


def _with_dilution(found: Estimate, rel_sd: float, coverage: float) -> Estimate:
    """Widen an interval by the dilution's relative SD, in quadrature on the logarithm.

    One dilution series is behind all wells, so the SD does not shrink with their number;
    of several, the largest is taken.
    """
    half = normal_quantile(coverage) * rel_sd
    if not half or found.high is None:
        return found
    if found.value == 0:
        return replace(found, high=found.high * math.exp(half))
    _, high = around(found.value, math.hypot(math.log(found.high / found.value), half))
    if found.low <= 0:
        return replace(found, high=high)
    low, _ = around(found.value, math.hypot(math.log(found.value / found.low), half))
    return replace(found, low=low, high=high)


def _attribute(name: str, unit: str, target: str, found: Estimate, settings: TechniqueSettings) -> Attribute:
    return Attribute(
        name=name,
        target=target or None,
        technique="ddpcr",
        value=found.value,
        unit=unit,
        ci_low=found.low,
        ci_high=found.high,
        coverage=settings.coverage,
        scope="run" if found.several_wells else "fit",
        qualifier="ND" if found.value == 0 else None,
        bound=found.high if found.value == 0 else None,
        lod=found.lod,
    )


def _diagnostics(found: Sequence[tuple[WellCount, Plan]]) -> dict[str, Any]:
    """Return pooled counts; the CV is that between wells after correction for dilution."""
    called = [(c, p) for c, p in found if c.positives is not None and c.accepted]
    n, k = sum(c.accepted or 0 for c, _ in called), sum(c.positives or 0 for c, _ in called)
    each = [
        value
        for c, p in called
        if (w := exposed(c, p.settings.dilution_factor or 1.0)) and (value := w.concentration)
    ]
    cv = None
    if len(each) > 1:
        mean = math.fsum(each) / len(each)
        cv = 100 * math.sqrt(math.fsum((v - mean) ** 2 for v in each) / (len(each) - 1)) / mean
    return {
        "wells": [c.well for c, _ in called],
        "n": n,
        "k": k,
        "lambda": copies_per_droplet(k, n) if called else None,
        "cv_percent": cv,
        "gate": next((asdict(c.own.gate) for c, _ in called if c.own), None),
    }


def _common(values: Sequence[str | None]) -> str | None:
    return values[0] if values and len(set(values)) == 1 else None
