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
from aavqc.results.evaluation import Outcome, Step, Verdict, conclude
from aavqc.results.limits import Limit
from aavqc.results.numeric import judge_numbers


def judge(criterion: Criterion, named: Sequence[Candidate], invalid: Sequence[Candidate]) -> Verdict:
    """Judge one test.

    Parameters
    ----------
    criterion : Criterion
    named : sequence of Candidate
        All results of the test's attribute, in a stated order.
    invalid : sequence of Candidate
        All that is of an invalid sample, with a value for the test, another's or none.

    Raises
    ------
    UnitError
        The limit's unit and the attribute's do not measure the same thing.
    """
    test = criterion.test
    chosen = [c for c in named if _selected(c.attribute, test)]
    stopped = _stop(test, chosen, named, invalid)
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
    return _judge_words(criterion, chosen, trace)


def _selected(attribute: Attribute | Observation | None, test: SpecifiedTest) -> bool:
    return (
        attribute is not None
        and (test.technique is None or attribute.technique == test.technique)
        and (test.target is None or attribute.target == test.target)
    )


def _stop(
    test: SpecifiedTest, chosen: Sequence[Candidate], named: Sequence[Candidate], invalid: Sequence[Candidate]
) -> tuple[Outcome, str, str] | None:
    """Say why no value is judged, None where one is."""
    unsuitable = _unsuitable(test, invalid)
    if unsuitable is not None:
        return "INVALID", "suitability", unsuitable
    if not chosen:
        if not test.required:
            return "REPORTED", "not_tested", "not tested; the test is not required"
        others = sorted({_origin(c.attribute) for c in named if c.attribute})
        return "INCOMPLETE", "no_result", "no result" + (f"; there is {', '.join(others)}" if others else "")
    if len(chosen) > 1:
        origins = sorted({_origin(c.attribute) for c in chosen if c.attribute})
        if len(origins) > 1:
            words = f"{len(origins)} candidates, name a technique or target: {', '.join(origins)}"
            return "INCOMPLETE", "candidates", words.replace("2 candidates", "two candidates")
        identities = [(c.sample_id, c.preparation, c.replicate) for c in chosen if c.sample_id is not None]
        if len(set(identities)) < len(identities):
            return "INCOMPLETE", "duplicate", "two results of one sample, preparation and replicate"
    if len(chosen) < test.replicates.min:
        return "INCOMPLETE", "replicates", f"n = {len(chosen)}, at least {test.replicates.min} needed"
    return None


def _unsuitable(test: SpecifiedTest, invalid: Sequence[Candidate]) -> str | None:
    """Name the invalid samples that the test may have rested on, None where there are none.

    An invalid assay may have withheld any value. What a technique can measure is not known
    here, so a test that names none may have rested on any.
    """
    found = [c for c in invalid if test.technique is None or c.technique in (None, test.technique)]
    if not found:
        return None
    names = dict.fromkeys(
        " ".join(filter(None, (c.sample_id or "without a name", c.technique and f"({c.technique})")))
        for c in found
    )
    text = f"invalid: sample {', '.join(names)}; no value is judged"
    hint = "; name the test's technique if it is another" if test.technique is None else ""
    return text + hint


def _origin(attribute: Attribute | Observation | None) -> str:
    if attribute is None:
        return ""
    return f"{attribute.technique} {attribute.target}" if attribute.target else attribute.technique


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, Real) and not isinstance(value, bool))


def _judge_words(criterion: Criterion, chosen: Sequence[Candidate], trace: list[Step]) -> Verdict:
    """Judge words against a categorical limit; ``trace`` is continued."""
    test, limit = criterion.test, criterion.limit
    words = [c.attribute.text.strip() if isinstance(c.attribute, Observation) else None for c in chosen]
    shown = "; ".join(word for word in words if word) or None
    if limit.kind == "range":
        trace.append(
            Step("not_a_number", f"{shown or 'the value'} is no number: {limit.text} can't judge it")
        )
        return conclude(test, chosen, "INDETERMINATE", trace, rounded=shown)
    if not all(words):
        trace.append(Step("not_in_words", f"a result is not in words: {limit.text} can't judge it"))
        return conclude(test, chosen, "INDETERMINATE", trace, rounded=shown)
    if limit.kind == "report":
        trace.append(Step("report", f"{shown} reported, no limit"))
        return conclude(test, chosen, "REPORTED", trace, rounded=shown)
    answers = [_word(word or "", limit) for word in words]
    outcome: Outcome = min(answers, key=("OOS", "INDETERMINATE", "PASS").index)
    does = {"OOS": "does not conform", "INDETERMINATE": "can't be told", "PASS": "conforms"}[outcome]
    trace.append(Step("limit", f"{shown}: {does} ({limit.text})"))
    return conclude(test, chosen, outcome, trace, rounded=shown)


def _word(word: str, limit: Limit) -> Outcome:
    if limit.kind == "one of":
        return "PASS" if word.casefold() in (option.casefold() for option in limit.accepted) else "OOS"
    known: dict[str, Outcome] = {"conforms": "PASS", "does not conform": "OOS"}
    return known.get(word.casefold(), "INDETERMINATE")
