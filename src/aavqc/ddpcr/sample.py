"""All that a plate says about one sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aavqc.attributes import Attribute
from aavqc.ddpcr.background import Background, limits
from aavqc.ddpcr.dmiqe import dmiqe
from aavqc.ddpcr.flags import NO_TEMPLATE, declared_flags, droplet_flags, flags_of, table_flags, target_flags
from aavqc.ddpcr.integrity import (
    Integrity,
    by_targets,
    integrity,
    integrity_attribute,
    integrity_diagnostics,
    integrity_flags,
    normalised,
)
from aavqc.ddpcr.joint import Joint
from aavqc.ddpcr.linearity import linearity
from aavqc.ddpcr.pipetting import Scatter
from aavqc.ddpcr.poisson import Vendor, copies_per_droplet
from aavqc.ddpcr.samples import Plan
from aavqc.ddpcr.selection import Selection, Used, cv_of
from aavqc.ddpcr.titer import Outlook, per_genome_factor, place_unstated, preparations, titer_attributes
from aavqc.documents import Flag, Sample
from aavqc.records import DropletPlate


@dataclass(frozen=True)
class Plate:
    """What the wells of a sample are seen against.

    ``joints`` are those of the whole plate, by well; ``backgrounds`` those without template, by
    target; ``control`` is the integrity of its linear intact control; ``unclear`` is, by well, the
    share of droplets whose call is not sure; ``remarks`` are said of each sample.
    """

    record: DropletPlate
    joints: Mapping[str, Sequence[Joint]]
    backgrounds: Mapping[str, Background]
    control: Integrity | None
    unclear: Mapping[str, float]
    vendor: Vendor
    remarks: Sequence[str]


def sample_result(
    plate: Plate, plans: Sequence[Plan], selected: Sequence[Selection], others: Sequence[Scatter]
) -> Sample:
    """Return one sample: its attributes by target, diagnostics and flags.

    Parameters
    ----------
    plate : Plate
    plans : sequence of Plan
        The parts of one sample of one lot in one role; they may differ in dilution.
    selected : sequence of Selection
        Of each target.
    others : sequence of Scatter
        Of the plate's other samples.
    """
    pool = [u for s in selected for u in s.wells]
    role, row = plans[0].role, plans[0].row
    rows = [p.row for p in plans if p.row is not None]
    template = role not in NO_TEMPLATE
    missing = [w for p in plans for w in p.missing]
    flags = flags_of([u.count for u in pool], role, missing, plans[0].settings.max_ntc_positives)
    wells = [w for p in plans for w in p.wells]
    flags += table_flags(plate.record, wells)
    flags += droplet_flags(plate.record, [w for p in plans for w in p.wells if p.settings.calls != "vendor"])
    flags += declared_flags(plate.record, wells) if template else []
    attributes: list[Attribute] = []
    diagnostics: dict[str, Any] = {}
    table = []
    for found in selected:
        target = found.target
        outlook = Outlook(plate.backgrounds.get(target, Background()), plate.vendor, others)
        attributes += titer_attributes(target, found.kept, template, outlook)
        diagnostics[target] = _diagnostics(found, outlook)
        table.append(dmiqe(target, found.wells, diagnostics[target], outlook.background, plate.record))
        flags += target_flags(target, diagnostics[target], template)
    untold = _without_titer(pool) if template else []
    warnings = [*plate.remarks, *untold, *(_places_unstated(pool) if template else [])]
    lacking = _lacking([u for u in pool if u.plan.settings.regulated]) if role == "sample" else []
    if lacking:
        message = f"a regulated method needs {', '.join(lacking)} for vg_titer"
        flags.append(Flag(id="constant_required", severity="warning", message=message))
    flags += _disagreement(attributes)
    intact = plate_integrity(plate.joints, plans) if template else None
    diagnostics_intact = None
    if intact is not None:
        settings = plans[0].settings
        diagnostics_intact = integrity_diagnostics(intact, settings)
        if settings.lysis == "unknown":
            warnings.append("no genome_integrity_raw: lysis is not stated (in_droplet or pre_lysis)")
        else:
            flags += integrity_flags(intact, settings)
            attributes += _integrity_attributes(intact, plate.control, plans, warnings)
    return Sample(
        sample_id=plans[0].sample_id,
        record=plate.record.name,
        lot=row.lot if row is not None else None,
        role=role,
        preparation=_common([r.preparation for r in rows]),
        replicate=_common([r.replicate for r in rows]),
        status="invalid" if any(f.severity == "invalid" for f in flags) else "valid",
        attributes=attributes,
        diagnostics={
            "targets": diagnostics,
            "integrity": diagnostics_intact,
            "dmiqe": table,
            "unclear": {w: plate.unclear[w] for p in plans for w in p.wells if w in plate.unclear},
        },
        flags=flags,
        warnings=warnings,
    )


def plate_integrity(joints: Mapping[str, Sequence[Joint]], plans: Sequence[Plan]) -> Integrity | None:
    """Return the integrity of a sample by its largest multiplex, from wells with enough droplets."""
    usable = [j for p in plans for w in p.wells for j in joints.get(w, ())]
    groups = by_targets([j for j in usable if int(j.counts.sum()) >= plans[0].settings.min_accepted])
    return next((found for g in groups.values() if (found := integrity(g, plans[0].settings))), None)


def _integrity_attributes(
    found: Integrity, control: Integrity | None, plans: Sequence[Plan], warnings: list[str]
) -> list[Attribute]:
    settings = plans[0].settings
    attributes = [integrity_attribute("genome_integrity_raw", found, settings)]
    if control is not None and plans[0].role != "linear_control":
        relative = normalised(found, control)
        if relative is None:
            warnings.append("no genome_integrity_normalised: targets or λ of the linear control differ")
        else:
            attributes.append(integrity_attribute("genome_integrity_normalised", relative, settings))
    return attributes


def _without_titer(pool: Sequence[Used]) -> list[str]:
    """Say why there is no titer."""
    warnings = []
    if any(u.dilution is None for u in pool):
        warnings.append("no vg_titer: dilution_factor is not given")
    cut = _undigested(pool)
    if cut:
        warnings.append(
            f"no vg_titer of {', '.join(cut)}: a target in the ITR needs its digestion state"
            " (target_places itr_cut, or targets_per_genome)"
        )
    return warnings


def _undigested(pool: Sequence[Used]) -> list[str]:
    """Return the targets in the ITR whose digestion is not stated."""
    return sorted({t for u in pool if per_genome_factor(t := u.count.target, u.plan.settings) is None})


def _lacking(pool: Sequence[Used]) -> list[str]:
    """Return the constants without which wells have no titer."""
    dilution = ["dilution_factor"] if any(u.dilution is None for u in pool) else []
    return dilution + [f"target_places.{t}" for t in _undigested(pool)]


def _places_unstated(pool: Sequence[Used]) -> list[str]:
    """Say which targets count once a genome though their names speak of the ITRs, of which it has two."""
    diluted = [u for u in pool if u.dilution]
    named = {t for u in diluted if place_unstated(t := u.count.target, u.plan.settings)}
    named -= set(_undigested(diluted))
    if not named:
        return []
    return [
        f"vg_titer of {', '.join(sorted(named))} takes one copy a genome, which an ITR may have twice: state"
        " target_places (itr, itr_cut) or targets_per_genome"
    ]


def _disagreement(attributes: Sequence[Attribute]) -> list[Flag]:
    """Report targets whose titers' intervals do not touch: they are not averaged."""
    titers = [a for a in attributes if a.name == "vg_titer" and a.ci_high is not None and not a.qualifier]
    if len(titers) < 2:
        return []
    low, high = min(titers, key=lambda a: a.value), max(titers, key=lambda a: a.value)
    if (low.ci_high or 0.0) >= (high.ci_low or 0.0):
        return []
    return [
        Flag(
            id="targets_disagree",
            severity="info",
            message=f"{high.target} reads {high.value / low.value:.3g} times {low.target}: not averaged",
            value=high.value / low.value,
            limit=1,
        )
    ]


def _diagnostics(found: Selection, outlook: Outlook) -> dict[str, Any]:
    """Return pooled counts, scatter, limits and linearity of the wells that count, and why others do not."""
    kept = found.kept
    n, k = sum(u.count.accepted or 0 for u in kept), sum(u.count.positives or 0 for u in kept)
    coverage = kept[0].plan.settings.coverage if kept else 0.95
    scatter = cv_of(kept)
    volume_cv = kept[0].plan.settings.volume_cv if kept else 0.0
    density = copies_per_droplet(k, n, volume_cv)
    dilution = next((u.dilution for u in kept if u.dilution), None)
    return {
        "wells": [u.count.well for u in kept],
        "n": n,
        "k": k,
        "lambda": density,
        "lambda_max": max((d for u in kept if (d := u.count.copies_per_droplet) is not None), default=None),
        "cv_percent": None if scatter is None else 100 * scatter,
        "dispersion": found.scatter.dispersion,
        "dispersion_p": found.scatter.p_value,
        "preparations": preparations(kept),
        "volume_bias_percent": 50 * volume_cv**2 * density if density else None,
        "dilution": asdict(dilution) if dilution else None,
        "limits": asdict(limits(outlook.background, n)),
        "linearity": linearity(kept, coverage) if kept else None,
        "gate": next((asdict(u.count.own.gate) for u in kept if u.count.own), None),
        "rejected": [asdict(r) for r in found.rejected],
    }


def _common(values: Sequence[str | None]) -> str | None:
    return values[0] if values and len(set(values)) == 1 else None
