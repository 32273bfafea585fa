"""Which wells count for a titer: by rule, before anything is averaged, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aavqc.ddpcr.chain import Dilution, dilution_of
from aavqc.ddpcr.pipetting import Scatter
from aavqc.ddpcr.samples import Plan
from aavqc.ddpcr.spread import scatter_of
from aavqc.ddpcr.wells import FEWEST, WellCount, exposed


@dataclass(frozen=True)
class Used:
    """A well and target of a sample, with its plan and its dilution where one is stated."""

    count: WellCount
    plan: Plan
    dilution: Dilution | None

    @property
    def factor(self) -> float | None:
        """Total dilution of the sample."""
        return self.dilution.factor if self.dilution else None


@dataclass(frozen=True)
class Rejected:
    """A well that does not count, and why."""

    well: str
    reason: str


@dataclass(frozen=True)
class Selection:
    """The wells of one sample and target: all, those that count, the others, and how those scatter."""

    target: str
    wells: Sequence[Used]
    kept: Sequence[Used]
    rejected: Sequence[Rejected]
    scatter: Scatter


def selections(plans: Sequence[Plan], counts: Mapping[str, Sequence[WellCount]]) -> list[Selection]:
    """Return the selection of each target of a sample, by channel.

    Parameters
    ----------
    plans : sequence of Plan
        The parts of one sample.
    counts : mapping of str to sequence of WellCount
        By well. A merged row counts only where none of its members is on the plate.
    """
    by_target: dict[tuple[str, str], list[Used]] = {}
    for part in plans:
        row_rel_sd = part.row.dilution_rel_sd if part.row else None
        for count in (c for well in part.wells for c in counts.get(well, ())):
            if not any(member in counts for member in count.merged_from):
                used = Used(count, part, dilution_of(part.settings, row_rel_sd, count.chain))
                by_target.setdefault((count.channel, count.target), []).append(used)
    found = []
    for target in dict.fromkeys(target for _, target in sorted(by_target)):
        wells = [u for (_, t), group in by_target.items() if t == target for u in group]
        kept, rejected = select(wells)
        scatter = scatter_of([w for u in kept if (w := exposed(u.count, u.factor or 1.0))])
        found.append(Selection(target, wells, kept, rejected, scatter))
    return found


def select(wells: Sequence[Used]) -> tuple[list[Used], list[Rejected]]:
    """Part the wells of one sample and target into those that count and those that do not.

    A well needs a call, a partition volume, ``min_accepted`` droplets and a λ within
    ``lambda_range``; a dilution needs a CV between its wells within ``max_cv``. Where no well with
    positive and negative droplets would be left, λ rejects none: the joint likelihood weighs them.
    """
    kept, rejected, dense = list[Used](), list[Rejected](), list[tuple[Used, Rejected]]()
    for used in wells:
        reason = _unusable(used)
        if reason:
            rejected.append(Rejected(used.count.well, reason))
        elif reason := _outside(used):
            dense.append((used, Rejected(used.count.well, reason)))
        else:
            kept.append(used)
    if any(used.count.positives for used in kept):
        rejected += [r for _, r in dense]
    else:
        kept = [u for u in wells if u in kept or any(u is d for d, _ in dense)]
    for factor in sorted({u.factor for u in kept if u.factor is not None}):
        group = [u for u in kept if u.factor == factor]
        limit, cv = group[0].plan.settings.max_cv, cv_of(group)
        if limit is not None and cv is not None and cv > limit:
            reason = f"CV {100 * cv:.1f} % of dilution {factor:g} > {100 * limit:g} %"
            rejected += [Rejected(u.count.well, reason) for u in group]
            kept = [u for u in kept if u.factor != factor]
    return kept, rejected


def cv_of(wells: Sequence[Used]) -> float | None:
    """Return the CV of the dilution-corrected concentrations; None for fewer than two."""
    each = [
        c * (u.factor or 1.0)
        for u in wells
        if (c := u.count.copies_per_ul) is not None and not u.count.saturated
    ]
    mean = math.fsum(each) / len(each) if each else 0.0
    if len(each) < 2 or not mean:
        return None
    return math.sqrt(math.fsum((v - mean) ** 2 for v in each) / (len(each) - 1)) / mean


def _unusable(used: Used) -> str | None:
    count, least = used.count, max(FEWEST, used.plan.settings.min_accepted)
    if count.positives is None:
        return "no call"
    if (count.accepted or 0) < least:
        return f"accepted {count.accepted} < {least}"
    return "partition volume unknown" if count.volume_nl is None else None


def _outside(used: Used) -> str | None:
    low, high = used.plan.settings.lambda_range
    density = used.count.copies_per_droplet
    if density is None:
        return "no negatives"
    if density < low or density > high:
        return f"λ {density:.3g} outside {low:g} – {high:g}"
    return None
