"""Tests that depend on others above them: those that apply on a condition, and quotients of two values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from aavqc.attributes import Attribute, Scope
from aavqc.errors import SpecificationError
from aavqc.quantities import UNITS
from aavqc.results.acceptance import Criterion, SpecifiedTest
from aavqc.results.candidates import Candidate
from aavqc.results.judging import judge
from aavqc.results.verdict import Outcome, Step, Verdict, conclude

COMPUTED = "computed"
"""Technique of a quotient."""

_QUOTIENTS = {
    ("capsids per volume", "vector genomes per volume"): "cp/vg",
    ("vector genomes per volume", "capsids per volume"): "vg/cp",
    ("vector genomes per volume", "infectious units per volume"): "vg/IU",
}


def judge_in_turn(criteria: Sequence[Criterion], judged: Callable[[Criterion], Verdict]) -> list[Verdict]:
    """Judge tests in their order.

    Parameters
    ----------
    criteria : sequence of Criterion
    judged : callable(Criterion) -> Verdict
        Judges what was measured.
    """
    found: dict[str, Verdict] = {}
    for criterion in criteria:
        test = criterion.test
        if criterion.when is not None:
            told = judged(criterion.when)
            if told.verdict != "PASS":
                found[test.id] = _without(test, told)
                continue
        verdict = judged(criterion) if test.quotient is None else _quotient(criterion, found)
        if criterion.when is not None:
            applies = Step("applies", f"applies, for {told.test} is: {told.reason}")
            verdict = replace(verdict, trace=[applies, *verdict.trace])
        found[test.id] = verdict
    return list(found.values())


def refuse_quotient(test: SpecifiedTest, above: Mapping[str, SpecifiedTest]) -> None:
    """Refuse a quotient of what is not there, or one that also selects results.

    Raises
    ------
    SpecificationError
        The message begins with the key.
    """
    if test.quotient is None:
        return
    unknown = [name for name in test.quotient if name not in above]
    if unknown:
        raise SpecificationError("quotient: no such test above", expected="ids", found=repr(unknown[0]))
    if test.technique or test.target or test.procedure or test.stages:
        raise SpecificationError("quotient: nothing is selected", expected="no technique, target, stages …")


def _without(test: SpecifiedTest, told: Verdict) -> Verdict:
    """Conclude a test that does not apply, or of which that can't be told."""
    if told.verdict == "OOS":
        return conclude(test, (), "REPORTED", [Step("not_applicable", f"does not apply: {told.reason}")], ())
    outcome: Outcome = "INCOMPLETE" if told.verdict == "REPORTED" else told.verdict
    step = Step("condition", f"whether it applies can't be told: {told.reason}")
    return conclude(test, (), outcome, [step], ())


def _quotient(criterion: Criterion, found: Mapping[str, Verdict]) -> Verdict:
    test = criterion.test
    over, under = (found[name] for name in test.quotient or ())
    stopped = _stopped(over, under)
    if stopped is not None:
        return conclude(test, (), stopped[0], [Step("quotient", stopped[1])], ())
    attribute = _divided(test, over, under)
    if attribute is None:
        text = f"{over.unit} over {under.unit}, or a value not above 0, makes no quotient"
        return conclude(test, (), "INDETERMINATE", [Step("quotient", text)], ())
    verdict = judge(criterion, [Candidate(attribute)], (), {}, None, ())
    step = Step("quotient", f"{over.test} / {under.test} = {attribute.value:.15g} {attribute.unit}")
    return replace(verdict, trace=[step, *verdict.trace], sources=[*over.sources, *under.sources])


def _stopped(*parts: Verdict) -> tuple[Outcome, str] | None:
    """Say why there is no quotient, None where there is one."""
    for part in parts:
        if part.verdict in ("INVALID", "INCOMPLETE") or part.n == 0:
            outcome: Outcome = "INVALID" if part.verdict == "INVALID" else "INCOMPLETE"
            return outcome, f"{part.test}: {part.reason}"
    for part in parts:
        several = part.n > 1 and not any(step.code == "aggregate" for step in part.trace)
        if part.aggregated is None or several:
            return "INDETERMINATE", f"{part.test} has no single number"
    return None


def _divided(test: SpecifiedTest, over: Verdict, under: Verdict) -> Attribute | None:
    """Divide two values; their intervals are combined on the logarithm, as of independent results."""
    (dimension, factor), (other, divisor) = UNITS[over.unit or "1"], UNITS[under.unit or "1"]
    unit = "1" if dimension == other else _QUOTIENTS.get((dimension, other))
    a, b = over.aggregated or 0.0, under.aggregated or 0.0
    if unit is None or a <= 0 or b <= 0:
        return None
    value = a * float(factor / divisor) / b
    low: float | None = None
    high: float | None = None
    scope: Scope | None = None
    if _positive(over) and _positive(under) and (over.coverage, over.scope) == (under.coverage, under.scope):
        low = value * math.exp(-math.hypot(_log(a, over.ci_low), _log(under.ci_high, b)))
        high = value * math.exp(math.hypot(_log(over.ci_high, a), _log(b, under.ci_low)))
        scope = over.scope
    return Attribute(
        name=test.attribute,
        technique=COMPUTED,
        value=value,
        unit=unit,
        ci_low=low,
        ci_high=high,
        coverage=None if low is None else over.coverage,
        scope=scope,
    )


def _positive(verdict: Verdict) -> bool:
    return verdict.ci_low is not None and verdict.ci_high is not None and verdict.ci_low > 0


def _log(a: float | None, b: float | None) -> float:
    return math.log((a or 1.0) / (b or 1.0))
