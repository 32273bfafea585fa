"""The judgement of one test, step by step: suitability, replicates, aggregate, rounding, limits.

The order is that of FDA's guidance on out-of-specification results: an invalid assay
gives no value to judge; variability is judged before the value; the limits come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

from aavqc.attributes import Attribute
from aavqc.results.acceptance import Criterion, SpecifiedTest
from aavqc.results.candidates import Candidate, Observation
from aavqc.results.numeric import judge_numbers
from aavqc.results.verdicts import Outcome, Step, Verdict, conclude
from aavqc.results.words import judge_words


def judge(criterion: Criterion, named: Sequence[Candidate], without_value: Sequence[Candidate]) -> Verdict:
    """Judge one test.

    Parameters
    ----------
    criterion : Criterion
    named : sequence of Candidate
        All results of the test's attribute, in a stated order.
    without_value : sequence of Candidate
        Invalid samples that gave no value at all.

    Raises
    ------
    UnitError
        The limit's unit and the attribute's do not measure the same thing.
    """
    test = criterion.test
    chosen = [c for c in named if _selected(c.attribute, test)]
    stopped = _stop(test, chosen, named, without_value)
    if stopped is not None:
        return conclude(test, chosen, stopped[0], [Step(*stopped[1:])])
    n = len(chosen)
    trace = [
        Step("suitability", "the sample is valid" if n == 1 else f"{n} results of valid samples"),
        Step("replicates", f"n = {n}, at least {test.replicates.min}"),
    ]
    attributes = [a for c in chosen if isinstance(a := c.attribute, Attribute) and _is_number(a.value)]
    if len(attributes) == n and criterion.limit.kind in ("range", "report"):
        return judge_numbers(criterion, chosen, attributes, trace)
    return judge_words(criterion, chosen, trace)


def _selected(attribute: Attribute | Observation | None, test: SpecifiedTest) -> bool:
    return (
        attribute is not None
        and (test.technique is None or attribute.technique == test.technique)
        and (test.target is None or attribute.target == test.target)
    )


def _stop(
    test: SpecifiedTest,
    chosen: Sequence[Candidate],
    named: Sequence[Candidate],
    without_value: Sequence[Candidate],
) -> tuple[Outcome, str, str] | None:
    """Say why no value is judged, None where one is."""
    if not chosen:
        if without_value:
            return "INVALID", "suitability", f"no value: sample {without_value[0].sample_id} is invalid"
        if not test.required:
            return "REPORTED", "not_tested", "not tested; the test is not required"
        others = sorted({_origin(c.attribute) for c in named if c.attribute})
        return "INCOMPLETE", "no_result", "no result" + (f"; there is {', '.join(others)}" if others else "")
    if len(chosen) > 1:
        origins = sorted({_origin(c.attribute) for c in chosen if c.attribute})
        if len(origins) > 1:
            words = f"{len(origins)} candidates, name a technique or target: {', '.join(origins)}"
            return "INCOMPLETE", "candidates", words.replace("2 candidates", "two candidates")
    for candidate in chosen:
        if candidate.sample_status == "invalid":
            named_sample = f"sample {candidate.sample_id}" if candidate.sample_id else "a sample"
            return "INVALID", "suitability", f"{named_sample} is invalid: no value is judged"
    if len(chosen) > 1:
        identities = [(c.sample_id, c.preparation, c.replicate) for c in chosen if c.sample_id is not None]
        if len(set(identities)) < len(identities):
            return "INCOMPLETE", "duplicate", "two results of one sample, preparation and replicate"
    if len(chosen) < test.replicates.min:
        return "INCOMPLETE", "replicates", f"n = {len(chosen)}, at least {test.replicates.min} needed"
    return None


def _origin(attribute: Attribute | Observation | None) -> str:
    if attribute is None:
        return ""
    return f"{attribute.technique} {attribute.target}" if attribute.target else attribute.technique


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, Real) and not isinstance(value, bool))
