"""A sample's concentration in the reaction and its genome titer, by target."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from aavqc.attributes import Attribute, Qualifier, Scope
from aavqc.ddpcr.background import Background, limits
from aavqc.ddpcr.pipetting import Scatter
from aavqc.ddpcr.poisson import Vendor
from aavqc.ddpcr.selection import Used
from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.ddpcr.spread import Estimate, estimate, widened
from aavqc.ddpcr.wells import exposed
from aavqc.intervals import normal_quantile

UL_PER_ML = 1000.0
ITR = "itr"

_NAMED_ITR = re.compile(
    r"(?<![a-z])(?:aav\d*|wt|sc|ss|[dplr])?itrs?(?:[fr]|fwd|for|rev|probe|fam|hex|vic|left|right)?(?![a-z])"
    r"|aav\d*[-_ ]?tr(?![a-z])|terminal[-_ ]?repeat",
    re.IGNORECASE,
)
"""``ITR2``, ``AAV2-ITR``, ``wtITR``, ``itr_left``, ``ITRprobe``; not ``NITRO``."""


@dataclass(frozen=True)
class Outlook:
    """What the plate tells of a sample.

    The background of a target, whose formulas apply, and how much the wells of other samples scatter.
    """

    background: Background
    vendor: Vendor
    others: Sequence[Scatter] = ()


def titer_attributes(target: str, kept: Sequence[Used], template: bool, outlook: Outlook) -> list[Attribute]:
    """Return ``concentration`` and ``vg_titer`` of one target, as far as they can be had.

    The titer's interval adds what no number of wells averages away: the relative SDs of the mean
    partition volume and of the dilution; where there is one preparation also the procedure's own
    CV between preparations, as the method states it. Several preparations tell their scatter
    themselves.

    Parameters
    ----------
    target : str
    kept : sequence of Used
        Wells that count.
    template : bool
        False for controls without template: they have no titer.
    outlook : Outlook
    """
    if not kept:
        return []
    settings = kept[0].plan.settings
    found, reaction = [], None
    if len({u.factor for u in kept}) == 1:
        reaction = _estimate(kept, [1.0] * len(kept), outlook)
        if reaction:
            shared = normal_quantile(settings.coverage) * settings.volume_rel_sd
            found.append(_attribute("concentration", "copies/µL", target, reaction, shared, kept, outlook))
    if template and per_genome_factor(target, settings) is not None and None not in {u.factor for u in kept}:
        scale = [_scale(target, u) for u in kept]
        titer = (
            reaction.times(scale[0]) if reaction and len(set(scale)) == 1 else _estimate(kept, scale, outlook)
        )
        if titer:
            rel_sd = [settings.volume_rel_sd, max(u.dilution.rel_sd for u in kept if u.dilution)]
            if len(preparations(kept)) == 1:
                rel_sd.append(settings.between_preparation_cv)
            shared = normal_quantile(settings.coverage) * math.hypot(*rel_sd)
            found.append(_attribute("vg_titer", "vg/mL", target, titer, shared, kept, outlook))
    return found


def per_genome_factor(target: str, settings: TechniqueSettings) -> float | None:
    """Return genomes for each copy; None for an ITR target whose digestion is not stated.

    So for a target that is only named so, where the method is regulated.

    An ITR target counts once or twice a genome as the genome was cut between the ITRs or not:
    ``itr_cut`` (2, where ``targets_per_genome`` says nothing else) or an explicit
    ``targets_per_genome`` settles it.
    """
    place = settings.target_places.get(target)
    stated = settings.targets_per_genome.get(target)
    if stated is None and (place == ITR or (settings.regulated and place_unstated(target, settings))):
        return None
    return settings.strand_factor / (stated or (2.0 if place == "itr_cut" else 1.0))


def place_unstated(target: str, settings: TechniqueSettings) -> bool:
    """Tell a target that is an ITR by its name, and of which neither place nor copies a genome are stated."""
    stated = target in settings.target_places or target in settings.targets_per_genome
    return not stated and _NAMED_ITR.search(target) is not None


def preparations(wells: Sequence[Used]) -> list[str]:
    """Return the names of the preparations; wells without one are of a single one."""
    return sorted({_preparation(u) for u in wells})


def _preparation(used: Used) -> str:
    row = used.plan.row
    return (row.preparation or "") if row is not None else ""


def _scale(target: str, used: Used) -> float:
    """Return vg/mL of the sample for one copy/µL of the reaction."""
    factor = per_genome_factor(target, used.plan.settings)
    return UL_PER_ML * (used.factor or 1.0) * (factor or 1.0)


def _estimate(kept: Sequence[Used], scale: Sequence[float], outlook: Outlook) -> Estimate | None:
    settings = kept[0].plan.settings
    wells = [(exposed(u.count, s), u) for u, s in zip(kept, scale, strict=True)]
    several = len(preparations(kept)) > 1
    return estimate(
        [w for w, _ in wells if w],
        settings.interval,
        settings.coverage,
        [_preparation(u) for w, u in wells if w] if several else None,
        outlook.vendor,
        () if several else outlook.others,
    )


def _attribute(
    name: str,
    unit: str,
    target: str,
    found: Estimate,
    shared: float,
    kept: Sequence[Used],
    outlook: Outlook,
) -> Attribute:
    settings = kept[0].plan.settings
    low, high = widened(found.value, found.low, found.high, added=shared)
    k, n = sum(u.count.positives or 0 for u in kept), sum(u.count.accepted or 0 for u in kept)
    limit = limits(outlook.background, n)
    scope: Scope = "run" if found.several else "fit"
    if name == "vg_titer" and settings.between_preparation_cv and len(preparations(kept)) == 1:
        scope = "procedure"
    qualifier: Qualifier | None = None
    bound = None
    if found.value == 0:
        qualifier, bound = "ND", high
    elif k <= limit.blank:
        qualifier, bound = "<", max(limit.detection / found.volume, found.value)
    return Attribute(
        name=name,
        target=target or None,
        technique="ddpcr",
        value=found.value,
        unit=unit,
        ci_low=low,
        ci_high=high,
        coverage=settings.coverage,
        scope=scope,
        qualifier=qualifier,
        bound=bound,
        lod=limit.detection / found.volume,
        loq=limit.quantitation / found.volume,
    )
