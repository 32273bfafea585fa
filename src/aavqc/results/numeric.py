"""Numbers against a limit: variability, aggregate, rounding, limits, internal limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from aavqc.attributes import Attribute
from aavqc.errors import UnitError
from aavqc.quantities import UNITS
from aavqc.results.acceptance import Criterion, SpecifiedTest
from aavqc.results.candidates import Candidate
from aavqc.results.comparison import Comparison, censored_text, compare
from aavqc.results.evaluation import Outcome, Step, Verdict, conclude
from aavqc.results.limits import Limit, conversion
from aavqc.results.replicates import Extent, aggregate, extent, variation
from aavqc.results.rounding import CONTEXT, Precision, exact, exponent_of, fifteen, round_to, write

_ONE = Decimal(1)
_HUNDRED = Decimal(100)
_RAW = Precision(None, None, False)
_REPORTED = Precision(None, 4, False)
_WORST = {"outside": 0, "unknown": 1, "inside": 2}


def judge_numbers(
    criterion: Criterion, chosen: Sequence[Candidate], attributes: Sequence[Attribute], trace: list[Step]
) -> Verdict:
    """Judge numbers against the limit of a test; ``trace`` is continued."""
    test, limit = criterion.test, criterion.limit
    if limit.in_percent is not None and attributes[0].unit == "%":
        limit = limit.in_percent
    unit = _unit(limit, attributes[0])
    values = [_extent(a, limit, test) for a in attributes]
    cv = variation(values) if len(values) > 1 else None
    found = float(cv) if cv is not None else None
    if criterion.max_cv is not None:
        outcome, text = _variability(criterion, cv, len(values))
        trace.append(Step("cv", text))
        if outcome is not None:
            return conclude(test, chosen, outcome, trace, unit=unit, cv_percent=found)
    judged = values
    if len(values) > 1 and test.aggregate != "each":
        one = aggregate(values, test.aggregate)
        if one is None:
            trace.append(Step("aggregate", "no geometric mean: a value is not above 0"))
            return conclude(test, chosen, "INDETERMINATE", trace, unit=unit, cv_percent=found)
        judged = [one]
        name = test.aggregate.replace("_", " ")
        trace.append(Step("aggregate", f"{name} of {len(values)}: {_raw(one)} {unit}"))
    outcome, comparison, value = _limits(criterion, limit, judged, unit, trace)
    interval = _interval(attributes[0], limit, test) if len(values) == 1 else {}
    return conclude(
        test,
        chosen,
        outcome,
        trace,
        rounded=comparison.rounded,
        unit=unit,
        aggregated=_float(value.low) if value.measured else None,
        cv_percent=found,
        **interval,
    )


def _variability(criterion: Criterion, cv: Decimal | None, n: int) -> tuple[Outcome | None, str]:
    most, limit = criterion.test.replicates.max_cv, criterion.max_cv
    if n == 1:
        return None, "one result: no CV"
    if cv is None or limit is None:
        return "INDETERMINATE", f"the CV can't be had; at most {most} is allowed"
    rounded = round_to(cv, limit.precision)
    text = f"CV {write(rounded, limit.precision)} %, at most {most}"
    return ("INVALID" if rounded > limit.value else None), text


def _limits(
    criterion: Criterion, limit: Limit, judged: Sequence[Extent], unit: str, trace: list[Step]
) -> tuple[Outcome, Comparison, Extent]:
    """Round and compare every judged value; the worst decides."""
    if limit.kind == "report":
        shown = "; ".join(_to_report(value) for value in judged)
        trace.append(Step("report", f"{shown} {unit} reported, no limit"))
        outcome: Outcome = "REPORTED"
        worst, value = Comparison("inside", shown, True), judged[0]
    else:
        compared = [compare(v, limit) for v in judged]
        at = min(range(len(judged)), key=lambda i: _WORST[compared[i].answer]) if len(judged) > 1 else 0
        worst, value = compared[at], judged[at]
        for comparison, each in zip(compared, judged, strict=True):
            trace.append(Step("round", f"{_raw(each)} → {comparison.rounded} {unit}"))
        outcome = _limit_step(limit, worst, value, unit, trace)
    if outcome in ("PASS", "REPORTED"):
        for key, inner in criterion.internal:
            bound = inner.in_percent if inner.in_percent is not None and unit == "%" else inner
            answers = [compare(_rescaled(v, unit, bound, criterion.test), bound).answer for v in judged]
            if "outside" in answers:
                trace.append(Step(key, f"{worst.rounded} {unit} is outside the {key} limit {inner.text}"))
                outcome = "OOT"
            elif "unknown" in answers:
                trace.append(Step(key, f"can't be told against the {key} limit {inner.text}"))
    return outcome, worst, value


def _limit_step(limit: Limit, worst: Comparison, value: Extent, unit: str, trace: list[Step]) -> Outcome:
    shown = f"{worst.rounded} {unit}"
    if worst.answer == "outside":
        trace.append(Step("limit", f"{shown} does not conform to {limit.text}"))
        return "OOS"
    if worst.answer == "unknown":
        trace.append(Step("limit", f"{shown} can't be told against {limit.text}"))
        return "INDETERMINATE"
    if worst.raw_inside:
        trace.append(Step("limit", f"{shown} conforms to {limit.text}"))
    else:
        text = f"{shown} conforms to {limit.text} after rounding, raw {_raw(value)} {unit}"
        trace.append(Step("conforms_after_rounding", text))
    return "PASS"


def _unit(limit: Limit, first: Attribute) -> str:
    return "% of label" if limit.label else limit.unit or first.unit


def _extent(attribute: Attribute, limit: Limit, test: SpecifiedTest) -> Extent:
    """Return where an attribute lies, in the unit in which the limit judges."""
    if limit.label is None:
        return extent(attribute, _factor(attribute.unit, limit.unit, test))
    strength, unit = limit.label
    value = extent(attribute, _factor(attribute.unit, unit, test))
    return Extent(_share(value.low, strength), _share(value.high, strength))


def _rescaled(value: Extent, unit: str, to: Limit, test: SpecifiedTest) -> Extent:
    """Return a judged value in the unit of an internal limit."""
    if (unit == "% of label") != (to.label is not None):
        raise UnitError(f"test {test.id}: the limits need one basis", expected=unit, found=repr(to.text))
    factor = _ONE if to.label else _factor(unit, to.unit, test)
    if factor == _ONE:
        return value
    return Extent(CONTEXT.multiply(value.low, factor), CONTEXT.multiply(value.high, factor))


def _share(value: Decimal, strength: Decimal) -> Decimal:
    return fifteen(CONTEXT.divide(CONTEXT.multiply(value, _HUNDRED), strength))


def _factor(unit: str, to: str | None, test: SpecifiedTest) -> Decimal:
    if to is None or to == unit:
        return _ONE
    if UNITS[unit][0] != UNITS[to][0]:
        raise UnitError(
            f"test {test.id}: the unit of the limit does not fit {test.attribute}",
            expected=f"{UNITS[unit][0]} ({unit})",
            found=f"{UNITS[to][0]} ({to})",
        )
    return _conversion(unit, to)


@lru_cache(maxsize=256)
def _conversion(unit: str, to: str) -> Decimal:
    return conversion(unit, to)


def _interval(attribute: Attribute, limit: Limit, test: SpecifiedTest) -> dict[str, Any]:
    low, high = attribute.ci_low, attribute.ci_high
    if low is None or high is None or attribute.qualifier is not None:
        return {}
    factor = _factor(attribute.unit, limit.label[1] if limit.label else limit.unit, test)

    def converted(end: float) -> float | None:
        if factor == _ONE and limit.label is None:
            return end
        scaled = CONTEXT.multiply(exact(end), factor)
        return _float(_share(scaled, limit.label[0]) if limit.label else scaled)

    return {
        "ci_low": converted(low),
        "ci_high": converted(high),
        "coverage": attribute.coverage,
        "scope": attribute.scope,
    }


def _to_report(value: Extent) -> str:
    """A value without a limit, whose digits would say how many count: at most four figures."""
    if not value.measured or exponent_of(value.low) >= 0 or len(_raw(value).strip("-0.")) <= 4:
        return _raw(value)
    return write(round_to(value.low, _REPORTED), _REPORTED)


def _raw(value: Extent) -> str:
    return write(value.low) if value.measured else censored_text(value, _RAW)


def _float(value: Decimal) -> float | None:
    """Return the float, None where the number is beyond what floats hold."""
    number = float(value)
    return number if math.isfinite(number) else None
