"""Judge lots: the samples that the sheet gives to a lot, against each specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aavqc.documents import Payload
from aavqc.results import Candidate, Evaluation, Specification, candidates_of


def judge_results(
    results: Mapping[str, Payload],
    specifications: Sequence[Specification],
    *,
    lots: Mapping[str, Sequence[Specification]] | None = None,
    without_sheet: str | None = None,
) -> list[Evaluation]:
    """Evaluate every lot against its specifications.

    Parameters
    ----------
    results : mapping of job to Payload
        Each names the lots of its parts, where a sample sheet was used.
    specifications : sequence of Specification
        For the lots that name none of their own.
    lots : mapping of lot to specifications, optional
        The lots of the sample sheet, judged also where no result is left of them, and the
        specifications that the sheet names for each.
    without_sheet : str, optional
        The lot of results that no sample sheet assigned.

    Returns
    -------
    list of Evaluation
        In the order of lots, then specifications.
    """
    samples: dict[str | None, list[Candidate]] = {lot: [] for lot in lots or {}}
    for job, payload in results.items():
        for sample in payload.samples:
            found = candidates_of([sample], job, payload.technique)
            samples.setdefault(sample.lot, []).extend(found)
    unassigned = samples.pop(None, [])
    if not samples:  # no sample sheet: all is one lot. With one, what has no row is not judged
        samples[without_sheet] = unassigned
    return [
        specification.check(candidates, lot=lot)
        for lot, candidates in sorted(samples.items(), key=lambda item: item[0] or "")
        for specification in (lots or {}).get(lot or "") or specifications
    ]
