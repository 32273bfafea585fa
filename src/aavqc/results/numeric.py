"""Numbers against a limit: variability, aggregate, rounding, limits, internal limits, trend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from aavqc.attributes import Attribute
from aavqc.results.acceptance import Criterion
from aavqc.results.basis import Basis, basis_of, plain
from aavqc.results.candidates import Candidate
from aavqc.results.comparison import Comparison, answer, censored_text, compare
from aavqc.results.expectation import judge_trend, weigh_risk
from aavqc.results.limits import Limit
from aavqc.results.replicates import Aggregate, Extent, aggregate, variation
from aavqc.results.rounding import CONTEXT, Precision, exponent_of, round_to, write
from aavqc.results.verdict import NOT_STATED, Interval, Outcome, Step, Verdict, conclude

_ZERO = Decimal(0)
_RAW = Precision(None, None, False)
_REPORTED = Precision(None, 4, False)
_WORST = {"outside": 0, "unknown": 1, "inside": 2}


def judge_numbers(
    criterion: Criterion,
    chosen: Sequence[Candidate],
    attributes: Sequence[Attribute],
    trace: list[Step],
    aside: Sequence[Candidate],
    earlier: Sequence[float],
) -> Verdict:
    """Judge numbers against the limit of a test; ``trace`` is continued."""
    test, limit = criterion.test, criterion.limit
    first = attributes[0]
    if limit.in_percent is not None and first.unit == "%":
        limit = limit.in_percent
    basis = basis_of(limit, first.unit, test.id, test.attribute)
    unit = basis.unit
    judged = values = [basis.extent(a) for a in attributes]
    several = len(values) > 1
    cv = variation(values) if several else None
    cv_percent = None if cv is None else float(cv)
    if criterion.max_cv is not None:
        stopped, text = _variability(criterion, values)
        trace.append(Step("cv", text))
        if stopped is not None:
            return conclude(test, chosen, stopped, trace, aside, unit=unit, cv_percent=cv_percent)
    if several and test.aggregate != "each":
        one = aggregate(values, test.aggregate)
        if one is None:
            trace.append(Step("aggregate", "no geometric mean: a value is not above 0"))
            return conclude(test, chosen, "INDETERMINATE", trace, aside, unit=unit, cv_percent=cv_percent)
        judged = [one]
        name = test.aggregate.replace("_", " ")
        trace.append(Step("aggregate", f"{name} of {len(values)}: {_raw(one)} {unit}"))
    outcome, comparison, value = _limits(limit, judged, basis, trace)
    if outcome == "PASS" and (doubt := _not_quantified(test.aggregate, limit, basis, attributes)):
        outcome = "INDETERMINATE"
        trace.append(Step("not_quantified", doubt))
    risk, may_pass = None, True
    if test.risk is not None and outcome in ("PASS", "OOS"):
        risk, may_pass = weigh_risk(criterion, limit, basis, judged, attributes, trace)
    if outcome == "PASS" and not may_pass:
        outcome = "INDETERMINATE"
    if outcome in ("PASS", "REPORTED"):
        if criterion.internal:
            outcome = _internal(criterion, judged, basis, comparison, trace) or outcome
        if test.trend is not None:
            outcome = judge_trend(test.trend, judged, unit, earlier, trace) or outcome
    return conclude(
        test,
        chosen,
        outcome,
        trace,
        aside,
        rounded=comparison.rounded,
        unit=unit,
        aggregated=plain(value.low) if value.measured else None,
        interval=NOT_STATED if several else _interval(first, basis),
        cv_percent=cv_percent,
        detection=None if several else _detection(first),
        risk=risk,
    )


def _variability(criterion: Criterion, values: Sequence[Extent]) -> tuple[Outcome | None, str]:
    most, limit = criterion.test.replicates.max_cv, criterion.max_cv
    if len(values) == 1:
        return None, "one result: no CV"
    cv = variation(values)
    if cv is None or limit is None:
        return "INDETERMINATE", f"the CV can't be had; at most {most} is allowed"
    rounded = round_to(cv, limit.precision)
    text = f"CV {write(rounded, limit.precision)} %, at most {most}"
    return ("INVALID" if rounded > limit.value else None), text


def _limits(
    limit: Limit, judged: Sequence[Extent], basis: Basis, trace: list[Step]
) -> tuple[Outcome, Comparison, Extent]:
    """Round and compare every judged value; the worst decides, of equals the one nearest to its limit."""
    if limit.kind == "report":
        shown = "; ".join(_to_report(value) for value in judged)
        trace.append(Step("report", f"{shown} {basis.unit} reported, no limit"))
        return "REPORTED", Comparison("inside", shown, True), judged[0]
    compared = []
    for value in judged:
        comparison = compare(value, limit)
        trace.append(Step("round", f"{_raw(value)} → {comparison.rounded} {basis.unit}"))
        compared.append((comparison, value))
    worst, value = compared[0]
    if len(compared) > 1:
        worst, value = min(compared, key=lambda c: (_WORST[c[0].answer], _margin(c[1], limit)))
    outcome, step = _limit_step(limit, worst, value, basis.unit)
    trace.append(step)
    return outcome, worst, value


def _margin(value: Extent, limit: Limit) -> Decimal:
    """Return how far a value lies inside its nearer bound; below 0 outside."""
    below = [CONTEXT.subtract(value.low, limit.low.value)] if limit.low else []
    above = [CONTEXT.subtract(limit.high.value, value.high)] if limit.high else []
    return min(below + above)


def _not_quantified(
    how: Aggregate, limit: Limit, basis: Basis, attributes: Sequence[Attribute]
) -> str | None:
    """Say that a value below its limit of quantification passed by its number alone, None where not.

    What is not quantified may be anything up to that limit; an amount is never below 0.
    """
    if not [a for a in attributes if a.lod is not None or a.loq is not None]:
        return None
    if all(_below(a) is None for a in attributes):
        return None
    possible = [_possible(a, basis) for a in attributes]
    if len(possible) > 1 and how != "each":
        one = aggregate(possible, how)
        possible = [one] if one is not None else []
    if possible and all(answer(value, limit) == "inside" for value in possible):
        return None
    return f"not quantified: below the LOQ, which can't be told against {limit.text}"


def _below(a: Attribute) -> float | None:
    """Return the limit of detection or quantification that a value lies below, None where none."""
    if a.qualifier is not None:
        return None
    return max((n for n in (a.lod, a.loq) if n is not None and a.value < n), default=None)


def _possible(a: Attribute, basis: Basis) -> Extent:
    value, below = basis.extent(a), _below(a)
    if below is None:
        return value
    return Extent(min(value.low, _ZERO), basis.extent(replace(a, value=below)).high)


def _internal(
    criterion: Criterion, judged: Sequence[Extent], basis: Basis, worst: Comparison, trace: list[Step]
) -> Outcome | None:
    """Return OOT where a value is outside of an action or alert limit."""
    found: Outcome | None = None
    for key, inner in criterion.internal:
        bound = inner.in_percent if inner.in_percent is not None and basis.unit == "%" else inner
        answers = [answer(basis.rescaled(v, bound), bound) for v in judged]
        if "outside" in answers:
            shown = f"{worst.rounded} {basis.unit}"
            trace.append(Step(key, f"{shown} is outside the {key} limit {inner.text}"))
            found = "OOT"
        elif "unknown" in answers:
            trace.append(Step(key, f"can't be told against the {key} limit {inner.text}"))
    return found


def _limit_step(limit: Limit, worst: Comparison, value: Extent, unit: str) -> tuple[Outcome, Step]:
    shown = f"{worst.rounded} {unit}"
    if worst.answer == "outside":
        return "OOS", Step("limit", f"{shown} does not conform to {limit.text}")
    if worst.answer == "unknown":
        return "INDETERMINATE", Step("limit", f"{shown} can't be told against {limit.text}")
    if worst.raw_inside:
        return "PASS", Step("limit", f"{shown} conforms to {limit.text}")
    text = f"{shown} conforms to {limit.text} after rounding, raw {_raw(value)} {unit}"
    return "PASS", Step("conforms_after_rounding", text)


def _interval(attribute: Attribute, basis: Basis) -> Interval:
    """Return the interval of a single result; none outside the range where it can be quantified."""
    low, high = attribute.ci_low, attribute.ci_high
    if low is None or high is None or attribute.qualifier is not None:
        return NOT_STATED
    if attribute.loq is not None and attribute.value < attribute.loq:
        return NOT_STATED
    unit = attribute.unit
    return basis.number(low, unit), basis.number(high, unit), attribute.coverage, attribute.scope


def _detection(a: Attribute) -> str | None:
    """Name a value below its limits of detection and quantification as laboratories do."""
    if a.qualifier == "ND":
        return "Not detected"
    if a.qualifier is not None:
        return None
    if a.lod is not None and a.value < a.lod:
        return "<LLOD" if a.lod == a.loq else "Not detected"
    return "Detected but <LLOQ" if a.loq is not None and a.value < a.loq else None


def _to_report(value: Extent) -> str:
    """A value or bound without a limit, whose digits would say how many count: at most four figures."""
    ends = [end for end in (value.low, value.high) if end.is_finite() and exponent_of(end) < 0]
    if all(len(write(end).strip("-0.")) <= 4 for end in ends):
        return _raw(value)
    return (
        write(round_to(value.low, _REPORTED), _REPORTED)
        if value.measured
        else censored_text(value, _REPORTED)
    )


def _raw(value: Extent) -> str:
    return write(value.low) if value.measured else censored_text(value, _RAW)
