"""Judge lots: the samples that the sheet gives to a lot, against each specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aavqc.batch.left_out import wells_left_out
from aavqc.documents import Payload
from aavqc.errors import UsageError
from aavqc.results import (
    Candidate,
    Evaluation,
    Links,
    ManualChange,
    Specification,
    agreement,
    candidates_of,
    manual_change,
)
from aavqc.results.candidates import run_of
from aavqc.results.links import follow


def judge_results(
    results: Mapping[str, Payload],
    specifications: Sequence[Specification],
    *,
    lots: Mapping[str, Sequence[Specification]] | None = None,
    without_sheet: str | None = None,
    other: Mapping[str | None, Sequence[Candidate]] | None = None,
    links: Links | None = None,
    problems: Mapping[str | None, Sequence[str]] | None = None,
) -> list[Evaluation]:
    """Evaluate every lot against its specifications.

    Parameters
    ----------
    results : mapping of job to Payload
        Each names the lots of its parts, where a sample sheet was used. Controls belong to
        every lot that was measured in their run, whatever lot they are of.
    specifications : sequence of Specification
        For the lots that name none of their own.
    lots : mapping of lot to specifications, optional
        The lots of the sample sheet, judged also where no result is left of them, and the
        specifications that the sheet names for each.
    without_sheet : str, optional
        The lot of results that no sample sheet assigned.
    other : mapping of lot to candidates, optional
        Results from elsewhere; those without a lot belong to the only one there is.
    links : Links, optional
        Which results are retests or new evaluations of others.
    problems : mapping of lot to texts, optional
        Rows of the lot in the sample sheet that fit no export: warnings of its evaluations.

    Returns
    -------
    list of Evaluation
        In the order of lots, then specifications.

    Raises
    ------
    UsageError
        A link names a result or a test that is not there; other results without a lot, and several lots.
    """
    samples: dict[str | None, list[Candidate]] = {lot: [] for lot in lots or {}}
    controls: dict[str | None, list[Candidate]] = {}
    for job, payload in results.items():
        for sample in payload.samples:
            found = candidates_of([sample], job, payload.technique)
            if sample.role == "sample":
                samples.setdefault(sample.lot, []).extend(found)
            else:
                controls.setdefault(run_of(sample.record), []).extend(found)
    unassigned = samples.pop(None, [])
    if not samples:  # no sample sheet: all is one lot. With one, what has no row is not judged
        samples[without_sheet] = unassigned
    for lot, own in samples.items():
        runs = sorted({c.run for c in own if c.run is not None})
        samples[lot] = own + [c for run in runs for c in controls.get(run, [])]
    _add(samples, other or {})
    links = links or Links()
    known = links.within(c for candidates in samples.values() for c in candidates)
    for retest in links.retests:
        if retest not in known.retests:
            raise links.missing(retest.original, retest.sample_id)
    every = (*specifications, *(s for some in (lots or {}).values() for s in some))
    links.refuse_other_tests(test.id for specification in every for test in specification.tests if test.trend)
    changes = _changes(results, links)
    designs = _designs(results)
    left_out = wells_left_out(results.values())
    evaluations = []
    for lot, candidates in sorted(samples.items(), key=lambda item: item[0] or ""):
        there = {c.result_id for c in candidates if c.result_id is not None}
        found_links = links.within(candidates)
        changed = [change for change in changes if change.result_before in there]
        for specification in (lots or {}).get(lot or "") or specifications:
            evaluation = specification.check(candidates, lot=lot, links=found_links)
            counting = specification.stated(follow(candidates, found_links).counting)
            compared = agreement(counting, design_length=designs.get(lot, designs.get(None)))
            more = {
                "changes": changed,
                "agreement": compared if compared.comparisons else None,
                "warnings": [*evaluation.warnings, *(problems or {}).get(lot, ()), *left_out.get(lot, ())],
            }
            evaluations.append(evaluation.model_copy(update=more))
    return evaluations


def _designs(results: Mapping[str, Payload]) -> dict[str | None, float]:
    """Return the length that each lot packages by design, where its methods are of one mind."""
    found: dict[str | None, set[float]] = {}
    for payload in results.values():
        length = payload.method.settings.get("design_length")
        if length is not None:
            for lot in {sample.lot for sample in payload.samples}:
                found.setdefault(lot, set()).add(float(length))
    return {lot: lengths.pop() for lot, lengths in found.items() if len(lengths) == 1}


def _add(samples: dict[str | None, list[Candidate]], other: Mapping[str | None, Sequence[Candidate]]) -> None:
    """Add results from elsewhere to their lots."""
    for lot, candidates in other.items():
        if lot is None and len(samples) > 1:
            raise UsageError(
                "results from elsewhere without a lot, and several lots",
                expected="a column lot",
                found=", ".join(str(name) for name in sorted(samples, key=str)),
            )
        samples.setdefault(next(iter(samples)) if lot is None else lot, []).extend(candidates)


def _changes(results: Mapping[str, Payload], links: Links) -> list[ManualChange]:
    for missing in (name for c in links.changes for name in (c.before, c.after) if name not in results):
        raise links.missing(missing)
    return [manual_change(c, results[c.before], results[c.after]) for c in links.changes]
