"""The judgement of one test, step by step: suitability, replicates, aggregate, rounding, limits.

The order is that of FDA's guidance on out-of-specification results: an invalid assay
gives no value to judge; variability is judged before the value; the limits come last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from numbers import Real

from aavqc.attributes import Attribute
from aavqc.results.acceptance import Criterion, SpecifiedTest
from aavqc.results.candidates import Candidate, Observation, ordered
from aavqc.results.limits import Limit
from aavqc.results.links import Followed
from aavqc.results.numeric import judge_numbers
from aavqc.results.verdict import Outcome, Step, Verdict, conclude

SUITABILITY: tuple[Outcome, ...] = ("INVALID", "INDETERMINATE", "INCOMPLETE", "PASS")
"""What may be said of a run, worst first."""

Runs = Mapping[tuple[str | None, str | None], tuple[Outcome, str]]


def judge(
    criterion: Criterion,
    named: Sequence[Candidate],
    invalid: Sequence[Candidate],
    runs: Runs,
    followed: Followed | None,
    earlier: Sequence[float],
) -> Verdict:
    """Judge one test.

    Parameters
    ----------
    criterion : Criterion
    named : sequence of Candidate
        All results of the test's attribute, in any order.
    invalid : sequence of Candidate
        All that is of an invalid sample, with a value for the test, another's or none.
    runs : mapping of (technique, run) to (outcome, str)
        What the controls of each run say of its suitability, where the specification asks.
    followed : Followed or None
        What is set aside for a later result, and what is contested by a retest.
    earlier : sequence of float
        Results of earlier lots, in the unit in which the test judges, for the trend.

    Raises
    ------
    UnitError
        The limit's unit and the attribute's do not measure the same thing.
    """
    test = criterion.test
    chosen = ordered([c for c in named if selects(test, c)])
    trace: list[Step] = []
    aside: list[Candidate] = []
    if followed is not None:
        aside = ordered([c for c in followed.aside if _named(c, test) and selects(test, c)])
        links = dict.fromkeys(followed.aside[c] for c in aside)
        links |= dict.fromkeys(followed.contested[c] for c in chosen if c in followed.contested)
        trace += [Step("link", why) for why in links]
        if any(c in followed.contested for c in chosen):
            criterion = replace(criterion, test=test.model_copy(update={"aggregate": "each"}))
    stopped = _stop(test, chosen, named, invalid, aside, runs, followed)
    if stopped is not None:
        return conclude(test, chosen, stopped[0], [*trace, Step(*stopped[1:])], aside)
    n = len(chosen)
    if runs:
        said = dict.fromkeys(runs[_run(c)][1] for c in chosen if _run(c) in runs)
        trace += [Step("run_suitability", text) for text in said]
    trace += _suitable(n, test.replicates.min)
    attributes = [a for c in chosen if isinstance(a := c.attribute, Attribute) and _is_number(a.value)]
    if len(attributes) == n and criterion.limit.kind in ("range", "report"):
        return judge_numbers(criterion, chosen, attributes, trace, aside, earlier)
    return _judge_words(criterion, chosen, trace, aside)


@lru_cache(maxsize=256)
def _suitable(n: int, least: int) -> tuple[Step, Step]:
    return (
        Step("suitability", "the sample is valid" if n == 1 else f"{n} results of valid samples"),
        Step("replicates", f"n = {n}, at least {least}"),
    )


def _named(candidate: Candidate, test: SpecifiedTest) -> bool:
    return candidate.attribute is not None and candidate.attribute.name == test.attribute


def selects(test: SpecifiedTest, candidate: Candidate) -> bool:
    """Tell whether a result of the test's attribute is the test's; what it does not state may be."""
    attribute = candidate.attribute
    return (
        attribute is not None
        and (test.technique is None or attribute.technique == test.technique)
        and (test.target is None or attribute.target == test.target)
        and (test.procedure is None or candidate.procedure in (None, test.procedure))
    )


def _stop(
    test: SpecifiedTest,
    chosen: Sequence[Candidate],
    named: Sequence[Candidate],
    invalid: Sequence[Candidate],
    aside: Sequence[Candidate],
    runs: Runs,
    followed: Followed | None,
) -> tuple[Outcome, str, str] | None:
    """Say why no value is judged, None where one is."""
    unsuitable = _unsuitable(test, invalid)
    if unsuitable is not None:
        return "INVALID", "suitability", unsuitable
    said = [runs[_run(c)] for c in chosen if _run(c) in runs] if runs else []
    if said:
        outcome, text = min(said, key=lambda of_a_run: SUITABILITY.index(of_a_run[0]))
        if outcome != "PASS":
            return outcome, "run_suitability", text
    if not chosen:
        if not test.required and not aside:
            return "REPORTED", "not_tested", "not tested; the test is not required"
        others = sorted({_origin(c) for c in named})
        return "INCOMPLETE", "no_result", "no result" + (f"; there is {', '.join(others)}" if others else "")
    if len(chosen) > 1:
        origins = sorted({_origin(c) for c in chosen})
        if len(origins) > 1:
            words = f"{len(origins)} candidates, name a technique, target or procedure: {', '.join(origins)}"
            return "INCOMPLETE", "candidates", words.replace("2 candidates", "two candidates")
        identities = [_identity(c, followed) for c in chosen if c.sample_id is not None]
        if len(set(identities)) < len(identities):
            return "INCOMPLETE", "duplicate", "two results of one sample, preparation and replicate"
    n = len(chosen) if followed is None else sum(c not in followed.retests for c in chosen)
    if n < test.replicates.min:
        return "INCOMPLETE", "replicates", f"n = {n}, at least {test.replicates.min} needed"
    return None


def _run(c: Candidate) -> tuple[str | None, str | None]:
    return c.technique, c.run


def _identity(c: Candidate, followed: Followed | None) -> tuple[str | None, ...]:
    """Tell replicates apart; a retest and its original are no slip of the sample sheet."""
    link = c.result_id if followed is not None and c in followed.contested else None
    return c.sample_id, c.preparation, c.replicate, link


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
        for c in ordered(found)
    )
    text = f"invalid: sample {', '.join(names)}; no value is judged"
    hint = "; name the test's technique if it is another" if test.technique is None else ""
    return text + hint


def _origin(candidate: Candidate) -> str:
    target = candidate.attribute.target if candidate.attribute else None
    return " ".join(filter(None, (candidate.technique, target, candidate.procedure)))


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, Real) and not isinstance(value, bool))


def _judge_words(
    criterion: Criterion, chosen: Sequence[Candidate], trace: list[Step], aside: Sequence[Candidate]
) -> Verdict:
    """Judge words against a categorical limit; ``trace`` is continued."""
    test, limit = criterion.test, criterion.limit
    words = [c.attribute.text.strip() if isinstance(c.attribute, Observation) else None for c in chosen]
    shown = "; ".join(word for word in words if word) or None
    if limit.kind == "range":
        trace.append(
            Step("not_a_number", f"{shown or 'the value'} is no number: {limit.text} can't judge it")
        )
        return conclude(test, chosen, "INDETERMINATE", trace, aside, rounded=shown)
    if not all(words):
        trace.append(Step("not_in_words", f"a result is not in words: {limit.text} can't judge it"))
        return conclude(test, chosen, "INDETERMINATE", trace, aside, rounded=shown)
    if limit.kind == "report":
        trace.append(Step("report", f"{shown} reported, no limit"))
        return conclude(test, chosen, "REPORTED", trace, aside, rounded=shown)
    answers = [_word(word or "", limit) for word in words]
    outcome: Outcome = min(answers, key=("OOS", "INDETERMINATE", "PASS").index)
    does = {"OOS": "does not conform", "INDETERMINATE": "can't be told", "PASS": "conforms"}[outcome]
    trace.append(Step("limit", f"{shown}: {does} ({limit.text})"))
    return conclude(test, chosen, outcome, trace, aside, rounded=shown)


def _word(word: str, limit: Limit) -> Outcome:
    if limit.kind == "one of":
        return "PASS" if word.casefold() in (option.casefold() for option in limit.accepted) else "OOS"
    known: dict[str, Outcome] = {"conforms": "PASS", "does not conform": "OOS"}
    return known.get(word.casefold(), "INDETERMINATE")
