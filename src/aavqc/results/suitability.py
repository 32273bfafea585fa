"""Suitability of a run: its reference standards and controls against windows, and their drift.

What was measured together stands or falls together: where a run's controls do not fulfil what
the specification asks of them, no value of that technique and run is judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from pydantic import Field, StrictStr

from aavqc.documents import Document, natural
from aavqc.errors import SpecificationError, UnitError, nearest, under
from aavqc.quantities import UNITS
from aavqc.results.acceptance import Criterion, SpecifiedTest, criterion
from aavqc.results.candidates import Candidate
from aavqc.results.comparison import compare
from aavqc.results.judging import SUITABILITY, Runs, judge
from aavqc.results.limits import Grammar, Limit, conversion, parse_limit
from aavqc.results.links import Followed
from aavqc.results.replicates import Extent, aggregate
from aavqc.results.rounding import CONTEXT, exact, fifteen
from aavqc.results.verdict import Outcome, Source, Step, Verdict

ControlRole = Literal["reference", "positive_control", "ntc", "blank", "linear_control", "spike", "no_dnase"]


class SuitabilityTest(Document, frozen=True):
    """What the controls of one role must fulfil in every run that results come from."""

    id: StrictStr = Field(min_length=1)
    attribute: StrictStr = Field(pattern=r"^\w+$")
    technique: StrictStr = Field(description="whose runs it decides on; that of one test at least")
    role: ControlRole = "reference"
    target: StrictStr | None = None
    limit: StrictStr = Field(description="of every result of the role; report where only drift counts")
    drift: StrictStr | None = Field(
        None,
        description="largest difference between the results of a run, such as NMT 2.0 %: of their mean, "
        "or points of per cent where the attribute is in %",
    )


class RunSuitability(Document):
    """What one suitability test says of one run; OOS does not occur, a control has no specification."""

    run: str | None = Field(description="the folder of the exports; null where a result states none")
    role: ControlRole
    judged: Verdict

    @property
    def statement(self) -> str:
        """One line for people."""
        name = "a run that is not stated" if self.run is None else f"run {self.run}"
        j = self.judged
        return f"{name} ({j.technique}), {self.role} {j.test}: {j.verdict}, {j.reason}"


@dataclass(frozen=True, slots=True)
class RunCriterion:
    """A suitability test with its limits read."""

    control: SuitabilityTest
    criterion: Criterion
    drift: Limit | None


def run_criterion(control: SuitabilityTest, tests: Sequence[SpecifiedTest], grammar: Grammar) -> RunCriterion:
    """Read the limits of a suitability test.

    Raises
    ------
    SpecificationError
        The message begins with the key that can't be used.
    """
    techniques = {t.technique for t in tests}
    if control.technique not in techniques and None not in techniques:
        known = sorted(t for t in techniques if t is not None)
        raise SpecificationError(
            "technique: no test is of it",
            expected=", ".join(known),
            found=repr(control.technique),
            hint=nearest(control.technique, known),
        )
    test = SpecifiedTest(
        id=control.id,
        attribute=control.attribute,
        technique=control.technique,
        target=control.target,
        limit=control.limit,
    )
    return RunCriterion(control, criterion(test, grammar), _drift_limit(control.drift, grammar))


def judge_runs(
    criteria: Sequence[RunCriterion], candidates: Sequence[Candidate], followed: Followed | None
) -> list[RunSuitability]:
    """Judge every run that a sample's result comes from, by every suitability test of its technique."""
    runs = {(c.technique, c.run) for c in candidates if c.role == "sample"}
    found = []
    for asked in criteria:
        control = asked.control
        there = sorted((run for technique, run in runs if technique == control.technique), key=_by_name)
        for run in there:
            key = (control.role, control.technique, run)
            controls = [c for c in candidates if run is not None and (c.role, c.technique, c.run) == key]
            found.append(RunSuitability(run=run, role=control.role, judged=_judge(asked, controls, followed)))
    return found


def worst_of_runs(suitability: Sequence[RunSuitability]) -> Runs:
    """Return what counts for the tests of each technique and run: the worst, in words."""
    found: dict[tuple[str | None, str | None], tuple[Outcome, str]] = {}
    for said in suitability:
        key, outcome = (said.judged.technique, said.run), said.judged.verdict
        if key not in found or SUITABILITY.index(outcome) < SUITABILITY.index(found[key][0]):
            found[key] = outcome, said.statement
    return found


def _judge(asked: RunCriterion, controls: Sequence[Candidate], followed: Followed | None) -> Verdict:
    named = [c for c in controls if c.attribute is not None and c.attribute.name == asked.control.attribute]
    invalid = [c for c in controls if c.sample_status == "invalid"]
    verdict = judge(asked.criterion, named, invalid, _NO_RUNS, followed, ())
    if asked.drift is not None and verdict.verdict in ("PASS", "REPORTED"):
        outcome, step = _drift(asked.drift, verdict)
        verdict = replace(verdict, verdict=outcome, trace=[*verdict.trace, step])
    return replace(verdict, verdict=_OF_A_RUN.get(verdict.verdict, verdict.verdict))


def _drift(limit: Limit, verdict: Verdict) -> tuple[Outcome, Step]:
    """Compare the largest difference between the results with its limit."""
    sources = verdict.sources
    if len(sources) < 2:
        return "INCOMPLETE", Step("drift", "one result: no drift can be had")
    unit = sources[0].unit
    if unit is None or any(s.value is None or s.qualifier is not None for s in sources):
        return "INDETERMINATE", Step("drift", "a result is censored or in words: no drift can be had")
    relative = limit.unit == "%" and unit != "%"
    to = unit if relative else limit.unit or unit
    values = [_in_unit(s, to, verdict) for s in sources]
    difference = CONTEXT.subtract(max(values), min(values))
    if relative:
        mean = aggregate([Extent(v, v) for v in values], "mean")
        if mean is None or mean.low <= 0:
            return "INDETERMINATE", Step("drift", "the mean is not above 0: no relative drift can be had")
        difference, to = CONTEXT.divide(CONTEXT.multiply(difference, Decimal(100)), mean.low), "%"
    compared = compare(Extent(fifteen(difference), fifteen(difference)), limit)
    does = "conforms" if compared.answer == "inside" else "does not conform"
    step = Step(
        "drift", f"drift of {compared.rounded} {to} over {len(values)} results {does} to {limit.text}"
    )
    return ("PASS" if compared.answer == "inside" else "INVALID"), step


def _in_unit(source: Source, to: str, verdict: Verdict) -> Decimal:
    value, unit = exact(source.value or 0.0), source.unit or to
    if UNITS[unit][0] != UNITS[to][0]:
        raise UnitError(
            f"suitability {verdict.test}: the unit of the drift does not fit {verdict.attribute}",
            expected=f"{UNITS[unit][0]} ({unit})",
            found=f"{UNITS[to][0]} ({to})",
        )
    return CONTEXT.multiply(value, conversion(unit, to))


def _drift_limit(text: str | None, grammar: Grammar) -> Limit | None:
    if text is None:
        return None
    with under("drift"):
        limit = parse_limit(text, grammar)
    if limit.high is None or limit.low is not None or limit.high.value <= 0:
        raise SpecificationError("drift: no upper limit", expected="such as NMT 2.0 %", found=repr(text))
    return limit


def _by_name(run: str | None) -> tuple[object, ...]:
    return natural(run or ""), run or ""  # run1 and run01 are one number, and two names


_NO_RUNS: Runs = {}
_OF_A_RUN: Mapping[Outcome, Outcome] = {"OOS": "INVALID", "REPORTED": "PASS"}
