"""After the limits: what the result risks, and whether earlier lots led one to expect it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from aavqc.attributes import Attribute
from aavqc.results.acceptance import Criterion, Trend
from aavqc.results.basis import Basis, plain
from aavqc.results.limits import Limit
from aavqc.results.precision import with_precision
from aavqc.results.replicates import Extent
from aavqc.results.risk import Uncertainty, guard_band, risk_outside, uncertainty_of
from aavqc.results.verdict import Outcome, Step

D2 = 1.128
"""Mean range of two normal values, in SDs."""


def weigh_risk(
    criterion: Criterion,
    limit: Limit,
    basis: Basis,
    judged: Sequence[Extent],
    attributes: Sequence[Attribute],
    trace: list[Step],
) -> tuple[float | None, bool]:
    """Return the decision risk, and whether the specification lets a result with it pass.

    Of several results that are judged on their own the largest risk counts. Where a largest risk
    is named and no risk can be had, nothing passes.
    """
    must = criterion.max_risk
    found = [_uncertainty(criterion, basis, value, attributes, i) for i, value in enumerate(judged)]
    risks = [
        (risk_outside(float(value.low), u, limit), u)
        for value, u in zip(judged, found, strict=True)
        if u is not None
    ]
    if len(risks) < len(judged):
        text = "decision risk not assessable: no uncertainty of scope procedure"
        trace.append(Step("risk", text + ("; nothing passes without it" if must is not None else "")))
        return None, must is None
    risk, u = max(risks, key=lambda pair: pair[0])
    text = f"probability {_percent(risk)} that the true value lies outside of {limit.text}"
    if must is not None:
        low, high = guard_band(u, limit, must)
        ends = [f"{word} {end:.4g}" for word, end in (("from", low), ("to", high)) if end is not None]
        text += f"; at most {_percent(must)} may pass, {' '.join(ends)} {basis.unit} by guard band"
    trace.append(Step("risk", text))
    return risk, must is None or risk <= must


def judge_trend(
    trend: Trend, judged: Sequence[Extent], unit: str, earlier: Sequence[float], trace: list[Step]
) -> Outcome | None:
    """Return OOT where a value lies outside the control limits of earlier lots."""
    if len(earlier) < trend.min:
        text = f"{len(earlier)} earlier results, at least {trend.min} needed: not judged"
        trace.append(Step("trend", text))
        return None
    low, high = control_limits(earlier)
    # the ends of a censored value are infinite: what may lie inside is no surprise
    out = [value for value in judged if float(value.high) < low or float(value.low) > high]
    words = "outside" if out else "inside"
    trace.append(
        Step("trend", f"{words} the control limits {low:.4g} – {high:.4g} {unit} of {len(earlier)} results")
    )
    return "OOT" if out else None


def control_limits(earlier: Sequence[float]) -> tuple[float, float]:
    """Return the limits of an individuals chart: mean ± 3 SD, the SD from moving ranges.

    Parameters
    ----------
    earlier : sequence of float
        Results of earlier lots in the order of manufacture, two at least. Successive
        differences make the SD, so that a drift does not widen the limits.

    References
    ----------
    NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2.

    Examples
    --------
    >>> [round(limit, 1) for limit in control_limits([10.0, 11.0, 10.0, 11.0])]
    [7.8, 13.2]
    """
    mean = sum(earlier) / len(earlier)
    moving = [abs(b - a) for a, b in pairwise(earlier)]
    half = 3 * sum(moving) / len(moving) / D2
    return mean - half, mean + half


def _uncertainty(
    criterion: Criterion, basis: Basis, value: Extent, attributes: Sequence[Attribute], i: int
) -> Uncertainty | None:
    """Return the procedure's uncertainty of one judged value, on its basis."""
    one = attributes[i] if i < len(attributes) else attributes[0]
    own = len(attributes) == 1 or criterion.test.aggregate == "each"
    if not value.measured or not (own or criterion.precision):
        return None
    scale = basis.number(1.0, one.unit)
    judged = plain(value.low)
    if not scale or judged is None:
        return None
    if criterion.precision is not None:
        one = with_precision(replace(one, value=judged / scale), criterion.precision)
    u = uncertainty_of(one)
    return u and Uncertainty(u.below * scale, u.above * scale)


def _percent(share: float) -> str:
    return "< 0.01 %" if share < 1e-4 else f"{100 * share:.2g} %"
