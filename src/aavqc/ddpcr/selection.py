"""Which wells count for a titer: by rule, before anything is averaged, each with its reason."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aavqc.ddpcr.chain import Dilution
from aavqc.ddpcr.samples import Plan
from aavqc.ddpcr.wells import FEWEST, WellCount


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
