"""Verdicts: what became of one test, with the steps that led there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from aavqc.attributes import Attribute, Scope
from aavqc.results.acceptance import SpecifiedTest
from aavqc.results.candidates import Candidate

Outcome = Literal["PASS", "OOS", "OOT", "INVALID", "INDETERMINATE", "INCOMPLETE", "REPORTED"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reasoning, for machines and for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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
    sources : list of Source
    trace : list of Step
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

    @property
    def reason(self) -> str:
        """The last step: what decided."""
        return self.trace[-1].text if self.trace else ""


def conclude(
    test: SpecifiedTest, chosen: Sequence[Candidate], outcome: Outcome, trace: list[Step], **found: Any
) -> Verdict:
    """Make a verdict from the test, the results that were chosen for it and what was found."""
    technique = test.technique
    if technique is None and chosen and chosen[0].attribute is not None:
        technique = chosen[0].attribute.technique
    return Verdict(
        test=test.id,
        attribute=test.attribute,
        technique=technique,
        target=test.target,
        procedure=test.procedure,
        limit=test.limit,
        verdict=outcome,
        n=len(chosen),
        sources=[_source(c) for c in chosen],
        trace=trace,
        **found,
    )


def _source(c: Candidate) -> Source:
    identity = (c.sample_id, c.result_id, c.preparation, c.replicate)
    if isinstance(c.attribute, Attribute):
        a = c.attribute
        return Source(*identity, a.value, a.unit, a.qualifier, a.bound, None)
    return Source(*identity, None, None, None, None, c.attribute.text if c.attribute else None)
