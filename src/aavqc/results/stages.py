"""Tests in stages (S1, S2, S3): where the first results fail, more are taken, and all are judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from aavqc.results.acceptance import Criterion
from aavqc.results.candidates import Candidate, ordered
from aavqc.results.judging import Runs, judge, selects
from aavqc.results.links import Followed
from aavqc.results.verdict import Outcome, Step, Verdict

_WORST: tuple[Outcome, ...] = ("OOS", "INVALID", "INDETERMINATE", "INCOMPLETE", "PASS")


def judge_stages(
    criterion: Criterion,
    named: Sequence[Candidate],
    invalid: Sequence[Candidate],
    runs: Runs,
    followed: Followed | None,
    earlier: Sequence[float],
) -> Verdict:
    """Judge a test that has stages, by the criteria of the stage that the number of its results belongs to.

    The parameters are those of :func:`aavqc.results.judging.judge`. A stage that is not met is
    INCOMPLETE until the last, which is OOS. A number of results that no stage has is INCOMPLETE: the
    first of them are not told apart from the rest, so that none can be left out.
    """
    first = judge(criterion, named, invalid, runs, followed, earlier)
    if first.verdict in ("INVALID", "INCOMPLETE", "REPORTED"):
        return first
    numbers = (criterion.test.replicates.min, *(n for n, _ in criterion.stages))
    if first.n not in numbers:
        wanted = ", ".join(map(str, numbers))
        return _ended(first, "INCOMPLETE", Step("stage", f"{first.n} results; the stages have {wanted}"))
    at = numbers.index(first.n)
    if at == 0:
        stage = first
    else:
        chosen = ordered([c for c in named if selects(criterion.test, c)])
        _, parts = criterion.stages[at - 1]
        judged = [_part(part, outside, chosen, followed) for part, outside in parts]
        worst = min(judged, key=lambda verdict: _WORST.index(verdict.verdict))
        stage = replace(
            worst,
            limit="; ".join(_limit(part, outside) for part, outside in parts),
            trace=[Step("stage", f"S{at + 1}: {first.n} results"), *(s for v in judged for s in v.trace)],
            n=first.n,
            sources=first.sources,
            cv_percent=first.cv_percent,
        )
        stage.trace.append(worst.trace[-1])
    if stage.verdict == "OOS" and at < len(criterion.stages):
        text = f"S{at + 1} is not met: S{at + 2} needs {numbers[at + 1]} results in all"
        return _ended(stage, "INCOMPLETE", Step("next_stage", text))
    return stage


def _part(part: Criterion, outside: int, chosen: Sequence[Candidate], followed: Followed | None) -> Verdict:
    """Judge all results by one criterion; of single ones, some may lie outside."""
    if not outside:
        return judge(part, chosen, (), {}, followed, ())
    single = [judge(part, [candidate], (), {}, followed, ()) for candidate in chosen]
    oos = sum(verdict.verdict == "OOS" for verdict in single)
    doubtful = sum(verdict.verdict not in ("OOS", "PASS") for verdict in single)
    outcome: Outcome = "OOS" if oos > outside else "INDETERMINATE" if oos + doubtful > outside else "PASS"
    worst = min(single, key=lambda verdict: _WORST.index(verdict.verdict))
    text = f"{oos} of {len(single)} outside {part.limit.text}, at most {outside} may be"
    return replace(worst, verdict=outcome, trace=[Step("limit", text)])


def _limit(part: Criterion, outside: int) -> str:
    how = "" if part.test.aggregate == "each" else f"{part.test.aggregate.replace('_', ' ')} "
    return f"{how}{part.limit.text}" + (f" for all but {outside}" if outside else "")


def _ended(verdict: Verdict, outcome: Outcome, step: Step) -> Verdict:
    return replace(verdict, verdict=outcome, trace=[*verdict.trace, step])
