"""Judge lots: the samples that the sheet gives to a lot, against each specification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aavqc.documents import ResultDocument, Sample
from aavqc.results import Evaluation, Specification
from aavqc.results.candidates import candidates_of


def judge_results(
    results: Mapping[str, ResultDocument],
    specifications: Sequence[Specification],
    *,
    lots: Mapping[str, Sequence[Specification]] | None = None,
    without_sheet: str | None = None,
) -> list[Evaluation]:
    """Evaluate every lot against its specifications.

    Parameters
    ----------
    results : mapping of job to ResultDocument
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
    documents: dict[str | None, list[tuple[str, ResultDocument]]] = {lot: [] for lot in lots or {}}
    for job, document in results.items():
        named: set[str | None] = {part.lot for part in document.payload.method.parts}
        for lot in named or {without_sheet}:
            documents.setdefault(lot, []).append((job, document))
    found = []
    for lot, of_lot in sorted(documents.items(), key=lambda item: item[0] or ""):
        candidates = [
            candidate
            for job, document in of_lot
            for candidate in candidates_of(_of_lot(document, lot), result_id=job)
        ]
        own = (lots or {}).get(lot or "", ())
        found += [specification.check(candidates, lot=lot) for specification in own or specifications]
    return found


def _of_lot(document: ResultDocument, lot: str | None) -> list[Sample]:
    parts = document.payload.method.parts
    ids = {part.sample_id for part in parts if part.lot == lot}
    return [s for s in document.samples if not parts or s.sample_id in ids]
