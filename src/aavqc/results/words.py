"""Results in words against categorical limits."""

from __future__ import annotations

from collections.abc import Sequence

from aavqc.results.acceptance import Criterion
from aavqc.results.candidates import Candidate, Observation
from aavqc.results.limits import Limit
from aavqc.results.verdicts import Outcome, Step, Verdict, conclude


def judge_words(criterion: Criterion, chosen: Sequence[Candidate], trace: list[Step]) -> Verdict:
    """Judge words against the limit of a test; ``trace`` is continued."""
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
