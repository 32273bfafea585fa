"""The index of a batch: a row a lot, and what did not end in a result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import get_args
from urllib.parse import quote

from aavqc.documents import EvaluationEntry, Manifest, digest
from aavqc.report.content import Block, Cell, Page, Section, Table, Text, cells, counted
from aavqc.results import Evaluation
from aavqc.results.verdict import Outcome

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def index_page(manifest: Manifest, evaluations: Sequence[Evaluation]) -> Page:
    """Return the index of a batch.

    Parameters
    ----------
    manifest : Manifest
    evaluations : sequence of Evaluation
        In the order of the manifest's.
    """
    overall = Counter(e.overall for e in evaluations)
    told = ", ".join(f"{overall[o]} {o}" for o in OUTCOMES if overall[o])
    status = Counter(entry.status for entry in manifest.files)
    files = f"Files: {status['used']} used, {status['ignored']} ignored, {status['failed']} failed."
    sections: list[Section] = [Section("lots", "Lots", _lots(manifest.evaluations, evaluations))]
    left = [entry for entry in manifest.files if entry.status != "used"]
    if manifest.problems:
        rows = tuple((Cell(text),) for text in manifest.problems)
        table = Table("What of the sample sheet does not fit the exports", ("Problem",), rows)
        sections.append(Section("problems", "Sample sheet", (table,)))
    table = Table(
        "Files that are no exports or failed, each with what it is or why",
        ("File", "Fate", "Reason"),
        tuple(cells(e.path, e.status, e.reason) for e in left),
    )
    sections.append(Section("files", "Files without a result", (table,)))
    return Page(
        title="Lots of this batch",
        summary=(
            Text(f"{counted(len(evaluations), 'evaluation')}: {told or 'none'}. {files}"),
            Text("Evaluations against specifications; a person decides a batch's disposition."),
        ),
        sections=tuple(sections),
        source=digest(manifest),
    )


def page_name(entry: EvaluationEntry) -> str:
    """Return the file name of a lot's report, without its ending; none is that of the index."""
    stem = PurePosixPath(entry.file).stem
    return f"%{ord(stem[0]):02X}{stem[1:]}" if stem.casefold() == "index" else stem


def _lots(entries: Sequence[EvaluationEntry], evaluations: Sequence[Evaluation]) -> tuple[Block, ...]:
    if not entries:
        return (Text("No lot was judged: the batch had no specification."),)
    judged = [Counter(v.verdict for v in e.verdicts) for e in evaluations]
    met = [o for o in OUTCOMES if any(counts[o] for counts in judged)]
    rows = []
    for entry, evaluation, counts in zip(entries, evaluations, judged, strict=True):
        open_ = [v.test for v in evaluation.verdicts if v.verdict not in ("PASS", "REPORTED")]
        rows.append(
            (
                Cell(evaluation.lot or "–", link=f"{quote(page_name(entry))}.html"),
                Cell(evaluation.overall, "verdict"),
                Cell(f"{evaluation.specification.id} version {evaluation.specification.version}"),
                Cell(str(len(evaluation.verdicts)), "number"),
                *(Cell(str(counts[o]), "number") for o in met),
                Cell(", ".join(open_) or "–"),
            )
        )
    columns = ("Lot", "Verdict", "Specification", "Tests", *met, "Tests that did not pass")
    return (Table("Lots, with how many tests came to each verdict", columns, tuple(rows), filtered=True),)
