"""Several records of one sample: their mean, with the scatter between them in its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from scipy import special

from aavqc.attributes import Attribute
from aavqc.documents import Flag, Sample, plain
from aavqc.intervals import normal_quantile, t_quantile, widening

BORROWED = 1
"""Degrees of freedom beside those of the scatter (:func:`aavqc.intervals.widening`), by simulation: runs may
scatter far beyond counting. Three cover 98.8, 94.6 and 92.2 % where they scatter 1, 3 and 6 times as much,
at 1.55, 1.32 and 1.25 times the half-width that this asks for."""

DIFFER = 1e-3
"""Replicates that scatter as much by counting alone in fewer cases than this are flagged."""


def mean_of_replicates(samples: Sequence[Sample], coverage: float) -> Sample:
    """Return what the valid records of one sample have in common: means of scope ``run``.

    Where one record alone is valid, what it has stays as it is.

    Parameters
    ----------
    samples : sequence of Sample
        Two or more, each of one record.
    coverage : float
        Of the intervals.

    Returns
    -------
    Sample
        Invalid where no record is valid. What not every valid record has, has no mean.
    """
    valid = [s for s in samples if s.status == "valid"]
    left_out: Literal["warning", "invalid"] = "warning" if valid else "invalid"
    flags = [
        Flag(id="replicate_left_out", severity=left_out, message=f"{s.record} is invalid: {_why(s)}")
        for s in samples
        if s.status == "invalid"
    ]
    flags += [f.model_copy(update={"message": f"{s.record}: {f.message}"}) for s in valid for f in s.flags]
    names = [a.name for s in valid[:1] for a in s.attributes]
    everywhere = [n for n in names if _comparable(n, valid)]
    seen = {a.name for s in valid for a in s.attributes}
    warnings = [
        f"{n}: not in every replicate, or not in one unit with one coverage, so no mean"
        for n in sorted(seen - set(everywhere))
    ]
    warnings += [f"{s.record}: {w}" for s in samples for w in s.warnings]
    attributes, scatter = [], {}
    for name in everywhere:
        rows = [s.attribute_set[name] for s in valid]
        common = rows[0].unit != "%" or any(s.diagnostics.get("efficiency") for s in valid)
        mean, facts = _mean(rows, rows[0].coverage or coverage, common)
        attributes.append(mean)
        scatter[name] = facts
    flags += _differ(scatter)
    first = samples[0]
    return Sample(
        sample_id=first.sample_id,
        record=" + ".join(s.record for s in samples),
        lot=first.lot,
        role=first.role,
        preparation=first.preparation if len({s.preparation for s in samples}) == 1 else None,
        status="valid" if valid else "invalid",
        attributes=attributes,
        diagnostics=plain(
            {
                "funnel": _funnel(samples),
                "calibration": {},
                "peaks": [],
                "methods": {},
                "convergence": None,
                "scatter": scatter,
                "replicates": [s.model_dump(mode="json") for s in samples],
            }
        ),
        flags=flags,
        warnings=warnings,
    )


def _comparable(name: str, samples: Sequence[Sample]) -> bool:
    """Tell whether all samples have an attribute, in one unit and with one coverage."""
    rows = [s.attribute_set[name] for s in samples if name in s.attribute_set]
    return len(rows) == len(samples) and len({(a.unit, a.coverage) for a in rows}) == 1


def _mean(rows: Sequence[Attribute], coverage: float, common: bool) -> tuple[Attribute, dict[str, Any]]:
    """Return a mean and the scatter about it.

    Shares are counted in each record apart: half-widths add in quadrature, and are stretched by the
    scatter as those of wells are. Where records share an error (``common``: the scale of masses, a
    stated efficiency), no number of them makes it smaller: the mean half-width stays, and the standard
    error of the mean is added in quadrature.
    """
    k = len(rows)
    if k == 1:
        return rows[0], {"records": 1, "sd": None, "dispersion": None}
    values = np.array([a.value for a in rows])
    value, sd = float(values.mean()), float(values.std(ddof=1))
    below = np.array([a.value - (a.ci_low if a.ci_low is not None else a.value) for a in rows])
    above = np.array([(a.ci_high if a.ci_high is not None else a.value) - a.value for a in rows])
    variance = float((((below + above) / 2 / normal_quantile(coverage)) ** 2).mean())
    chi2 = (k - 1) * sd**2 / variance if variance else 0.0
    if common:
        error = t_quantile(coverage, k - 1 + BORROWED) * sd / math.sqrt(k)
        halves = [math.hypot(float(side.mean()), error) for side in (below, above)]
    else:
        # what no record shows has no scatter: its bound is that of one record
        factor = widening(chi2, k - 1, coverage, BORROWED) if values.any() else math.sqrt(k)
        halves = [factor * math.sqrt(float((side**2).sum())) / k for side in (below, above)]
    low, high = max(value - halves[0], 0.0), value + halves[1]
    if rows[0].unit == "%":
        high = min(high, 100.0)
    mean = replace(rows[0], value=value, ci_low=low, ci_high=high, scope="run", qualifier=None, bound=None)
    facts = {"records": k, "sd": sd, "dispersion": chi2 / (k - 1)}
    limits = [a.lod for a in rows if a.lod is not None]
    if len(limits) < k:
        return replace(mean, lod=None), facts
    lod = math.sqrt(math.fsum(limit**2 for limit in limits)) / k
    if value >= lod:
        return replace(mean, lod=lod), facts
    none = all(a.qualifier == "ND" for a in rows)
    return replace(mean, lod=lod, ci_low=0.0, qualifier="ND" if none else "<", bound=high), facts


def _differ(scatter: dict[str, dict[str, Any]]) -> list[Flag]:
    """Flag the share whose replicates scatter most beyond counting, if any do."""
    rows = [
        (float(special.chdtrc(f["records"] - 1, f["dispersion"] * (f["records"] - 1))), name, f["dispersion"])
        for name, f in scatter.items()
        if f["dispersion"] is not None and name.startswith("percent_")
    ]
    p, name, dispersion = min(rows, default=(1.0, "", 0.0))
    if p >= DIFFER:
        return []
    times = f"{math.sqrt(dispersion):.1f} times as much as its intervals say"
    message = f"{name} scatters between replicates {times}"
    return [Flag(id="replicates_differ", severity="warning", message=message, value=p, limit=DIFFER)]


def _funnel(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Add up the funnels: read, each reason, used."""
    steps: dict[str, int] = {"read": 0}
    for row in (row for s in samples for row in s.diagnostics["funnel"]):
        steps[row["step"]] = steps.get(row["step"], 0) + row["ions"]
    used = steps.pop("used", 0)
    return [{"step": step, "ions": n} for step, n in [*steps.items(), ("used", used)]]


def _why(sample: Sample) -> str:
    return "; ".join(f.message for f in sample.flags if f.severity == "invalid")
