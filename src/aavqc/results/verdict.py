"""The verdict on one test: what was found, and the steps that led there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from aavqc.attributes import Attribute, Scope
from aavqc.results.acceptance import SpecifiedTest
from aavqc.results.candidates import Candidate

Outcome = Literal["PASS", "OOS", "OOT", "INVALID", "INDETERMINATE", "INCOMPLETE", "REPORTED"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reasoning, for machines and for people."""

    code: str
    text: str


# The two that follow are made for every test of every lot. They are not frozen because a frozen
# dataclass takes three times as long to make; nothing changes one once it is made.


@dataclass(slots=True)
class Source:
    """A result that a verdict rests on, as it was measured."""

    sample_id: str | None
    result_id: str | None
    preparation: str | None
    replicate: str | None
    value: float | None
    unit: str | None
    qualifier: str | None
    bound: float | None
    text: str | None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What became of one test.

    Attributes
    ----------
    test, attribute, technique, target, procedure, limit
        As the specification has them; the technique is that of the results used.
    verdict : str
    rounded : str or None
        The deciding value as it was compared, with exactly the digits that count.
    unit : str or None
        Of ``rounded``, ``aggregated`` and the interval.
    aggregated : float or None
        The deciding value before rounding; None where it is censored or in words.
    ci_low, ci_high, coverage, scope
        Its interval where one single result is judged and states one.
    n : int
        Results used.
    cv_percent : float or None
    detection : str or None
        Of a single result below its limits of detection or quantification, in words.
    risk : float or None
        Probability that the true value lies outside the limit, where the test asks for it.
    sources : list of Source
    trace : list of Step
    set_aside : list of Source
        Results that a retest with an assignable cause, or a new evaluation, stands for.
    established_condition, reporting_category
        As the specification has them (ICH Q12); not interpreted.
    """

    test: str
    attribute: str
    technique: str | None
    target: str | None
    procedure: str | None
    limit: str
    verdict: Outcome
    rounded: str | None = None
    unit: str | None = None
    aggregated: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    coverage: float | None = None
    scope: Scope | None = None
    n: int = 0
    cv_percent: float | None = None
    sources: list[Source]
    trace: list[Step]
    detection: str | None = None
    risk: float | None = None
    set_aside: list[Source] = field(default_factory=list)
    established_condition: bool | None = None
    reporting_category: str | None = None

    @property
    def reason(self) -> str:
        """The last step: what decided. That a value conforms only after rounding is always said."""
        told = [step for step in self.trace[:-1] if step.code == "conforms_after_rounding"]
        return "; ".join(step.text for step in [*told, *self.trace[-1:]])


Interval = tuple[float | None, float | None, float | None, Scope | None]
"""Lower and upper bound, coverage, scope."""

NOT_STATED: Interval = (None, None, None, None)


def conclude(
    test: SpecifiedTest,
    chosen: Sequence[Candidate],
    outcome: Outcome,
    trace: list[Step],
    aside: Sequence[Candidate],
    *,
    rounded: str | None = None,
    unit: str | None = None,
    aggregated: float | None = None,
    interval: Interval = NOT_STATED,
    cv_percent: float | None = None,
    detection: str | None = None,
    risk: float | None = None,
) -> Verdict:
    """Make a verdict from the test, the results chosen for it or set aside, and what was found."""
    technique = test.technique
    if technique is None and chosen:
        technique = chosen[0].technique
    return Verdict(
        test=test.id,
        attribute=test.attribute,
        technique=technique,
        target=test.target,
        procedure=test.procedure,
        limit=test.limit,
        verdict=outcome,
        rounded=rounded,
        unit=unit,
        aggregated=aggregated,
        ci_low=interval[0],
        ci_high=interval[1],
        coverage=interval[2],
        scope=interval[3],
        n=len(chosen),
        cv_percent=cv_percent,
        sources=[_source(chosen[0])] if len(chosen) == 1 else [_source(c) for c in chosen],
        trace=trace,
        detection=detection,
        risk=risk,
        set_aside=[_source(c) for c in aside] if aside else [],
        established_condition=test.established_condition,
        reporting_category=test.reporting_category,
    )


def _source(c: Candidate) -> Source:
    a = c.attribute
    if isinstance(a, Attribute):
        return Source(
            c.sample_id, c.result_id, c.preparation, c.replicate, a.value, a.unit, a.qualifier, a.bound, None
        )
    text = a.text if a else None
    return Source(c.sample_id, c.result_id, c.preparation, c.replicate, None, None, None, None, text)


def result_text(verdict: Verdict) -> str | None:
    """Return the value as it was compared, with its unit; None where there is none."""
    if verdict.rounded is None:
        return None
    unit = verdict.unit if verdict.unit != "1" else None
    return " ".join(filter(None, (verdict.rounded, unit)))


def is_told(verdict: Verdict) -> bool:
    """Whether there is more to say than PASS."""
    return verdict.verdict != "PASS" or [step.code for step in verdict.trace[-1:]] != ["limit"]
