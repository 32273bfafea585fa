"""Judge lots: the samples that the sheet gives to a lot, against each specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aavqc.documents import ResultDocument, Sample
from aavqc.results import Evaluation, Specification
from aavqc.results.candidates import candidates_of


def judge_results(
    results: Mapping[str, ResultDocument],
    specifications: Sequence[Specification],
    without_sheet: str | None,
) -> list[Evaluation]:
    """Evaluate every lot against every specification.

    Parameters
    ----------
    results : mapping of job to ResultDocument
        Each names the lots of its parts, where a sample sheet was used.
    specifications : sequence of Specification
    without_sheet : str or None
        The lot of results that no sample sheet assigned.

    Returns
    -------
    list of Evaluation
        In the order of lots, then specifications.
    """
    lots: dict[str | None, list[tuple[str, ResultDocument]]] = {}
    for job, document in results.items():
        named: set[str | None] = {part.lot for part in document.payload.method.parts}
        for lot in named or {without_sheet}:
            lots.setdefault(lot, []).append((job, document))
    found = []
    for name, documents in sorted(lots.items(), key=lambda item: item[0] or ""):
        candidates = [
            candidate
            for job, document in documents
            for candidate in candidates_of(_of_lot(document, name), result_id=job)
        ]
        found += [specification.check(candidates, lot=name) for specification in specifications]
    return found


def _of_lot(document: ResultDocument, lot: str | None) -> list[Sample]:
    parts = document.payload.method.parts
    ids = {part.sample_id for part in parts if part.lot == lot}
    return [s for s in document.samples if not parts or s.sample_id in ids]
