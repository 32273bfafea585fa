"""The report of a lot: its evaluation first, then all that it rests on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict

from aavqc import __version__
from aavqc.attributes import censored
from aavqc.documents import Manifest, ResultDocument, Sample, digest
from aavqc.report.arrays import Arrays
from aavqc.report.audit_page import audit
from aavqc.report.content import (
    Blanks,
    Block,
    Cell,
    Headline,
    Image,
    Page,
    Row,
    Section,
    Table,
    Text,
    cells,
    counted,
    interval,
    number,
    words,
)  # fmt: skip
from aavqc.report.lot_figures import deciding, lot_figures, reported
from aavqc.report.measurements import COVERS, measurements, said_of
from aavqc.results import Evaluation, Verdict
from aavqc.results.certificate import SpecificationUsed


def lot_page(
    evaluation: Evaluation,
    documents: Mapping[str, ResultDocument],
    arrays: Mapping[str, Arrays],
    manifest: Manifest,
) -> Page:
    """Return the report of one evaluation.

    Parameters
    ----------
    evaluation : Evaluation
    documents : mapping of job to ResultDocument
        Of the lot; of a plate with several lots, the whole plate.
    arrays : mapping of job to arrays
        What figures need.
    manifest : Manifest
        Of the batch.
    """
    figures = {picture.id: (Image(picture),) for picture in lot_figures(evaluation, documents)}
    own = {job: _samples(document, evaluation.lot) for job, document in documents.items()}
    warnings = {job: said_of(samples) for job, samples in own.items()}
    warned, results = sum(map(len, warnings.values())), sum(map(bool, warnings.values()))
    counts = Counter(v.verdict for v in evaluation.verdicts)
    told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    summary: list[Block] = [
        Headline(evaluation.overall, evaluation.statement),
        Text(_subject(evaluation.specification)),
        Text(f"{counted(len(evaluation.verdicts), 'test')}: {told}."),
        *(
            [Text(f"{counted(warned, 'warning')} in {counted(results, 'result')}", link="#warnings")]
            if warned
            else []
        ),
        *(Text(warning, warning=True) for warning in evaluation.warnings),
    ]
    return Page(
        title=f"Lot report {evaluation.lot or ''}".strip(),
        summary=tuple(summary),
        sections=(
            Section("certificate", "Certificate table", (_certificate(evaluation, documents),)),
            Section(
                "limits",
                "Attributes on their limits",
                (*figures.get("lot-limits", ()), _values(evaluation, documents), *_behind(evaluation)),
            ),
            Section("warnings", "All warnings", (_warnings(warnings),)),
            *measurements(documents, own, arrays),
            Section(
                "agreement",
                "Agreement of the methods",
                (*figures.get("lot-agreement", ()), *_agreement(evaluation)),
            ),
            Section("changes", "Manual changes", tuple(_changes(evaluation))),
            Section("audit", "Audit page", tuple(audit(evaluation, documents, manifest))),
            Section(
                "review",
                "Review",
                (
                    Text("An evaluation against a specification; a person decides the batch's disposition."),
                    Blanks(
                        (
                            "Head of the audit trail (aavqc verify), first 12",
                            "Name",
                            "Signature",
                            "Date",
                            "Comment",
                        )
                    ),
                ),
            ),
        ),
        source=source(evaluation, documents, manifest),
        identity=_identity(evaluation),
    )


def _identity(evaluation: Evaluation) -> str:
    used = evaluation.specification
    lot = f"Lot {evaluation.lot}, " if evaluation.lot else ""
    return f"{lot}specification {used.id} version {used.version}, evaluation {digest(evaluation)[:12]}"


def _subject(used: SpecificationUsed) -> str:
    since = f"; effective from {used.effective_from}" if used.effective_from else ""
    return f"Product: {used.product or 'not stated'}; purpose: {used.purpose}{since}."


def _warnings(warnings: Mapping[str, list[tuple[str, str, str]]]) -> Table:
    rows = [(*cells(*said), Cell(job, "code")) for job, found in warnings.items() for said in found]
    return Table(
        "Of all samples of this lot and the controls beside them",
        ("Sample", "Severity", "What was said", "Result"),
        tuple(rows),
    )


def source(evaluation: Evaluation, documents: Mapping[str, ResultDocument], manifest: Manifest) -> str:
    """Return the SHA-256 of all that a report is made of, and of the release that makes it."""
    jobs = {job: document.envelope.payload_sha256 for job, document in documents.items()}
    return digest([__version__, evaluation.model_dump(mode="json", by_alias=True), jobs, digest(manifest)])


def _samples(document: ResultDocument, lot: str | None) -> list[Sample]:
    """Return the samples of the lot, and the controls that were measured with them."""
    without_sheet = not document.payload.method.parts
    return [s for s in document.samples if s.role != "sample" or without_sheet or s.lot == lot]


def _certificate(evaluation: Evaluation, documents: Mapping[str, ResultDocument]) -> Table:
    rows = [
        (
            *cells(row.test, _result(v)),
            Cell(row.verdict, "verdict"),
            Cell(row.limit),
            _warned(v, documents),
            *cells(v.reason, _measured(v), row.procedure or "–"),
        )
        for row, v in zip(evaluation.certificate.rows, evaluation.verdicts, strict=True)
    ]
    return Table(
        "Tests of the specification, with results as reported and the verdicts on them",
        ("Test", "Result", "Verdict", "Limit", "Warnings", "Reason", "Attribute", "Procedure"),
        tuple(rows),
    )


def _warned(v: Verdict, documents: Mapping[str, ResultDocument]) -> Cell:
    """Return how many warnings there are of the samples that a verdict rests on."""
    rests = {(s.result_id, s.sample_id) for s in v.sources}
    n = sum(
        len(said_of([sample]))
        for job, document in documents.items()
        for sample in document.samples
        if (job, sample.sample_id) in rests and sample.role == "sample"
    )
    return Cell(str(n), "number", link="#warnings") if n else Cell("–", "number", sort="0")


def _result(v: Verdict) -> str:
    several = f" (n\u00a0=\u00a0{v.n})" if v.n > 1 else ""
    return (reported(v) or "–") + several


def _measured(verdict: Verdict) -> str:
    target = f"[{verdict.target}]" if verdict.target else ""
    technique = f" by {verdict.technique}" if verdict.technique else ""
    return f"{verdict.attribute}{target}{technique}"


def _values(evaluation: Evaluation, documents: Mapping[str, ResultDocument]) -> Table:
    return Table(
        "Deciding values before rounding, with their intervals and what these cover",
        ("Test", "Value", "Interval", "Coverage", "Covers", "Unit", "Limit", "Results", "CV, %", "Risk"),
        tuple(_value(deciding(v, documents)) for v in evaluation.verdicts),
    )


def _value(v: Verdict) -> Row:
    return (
        Cell(v.test),
        number(v.aggregated)
        if v.aggregated is not None
        else Cell((reported(v) or "–").removesuffix(f" {v.unit}"), "number" if v.unit else "text", sort=""),
        interval(v.ci_low, v.ci_high),
        Cell(f"{v.coverage:.4g}" if v.coverage is not None else "–", "number"),
        *cells(COVERS[v.scope] if v.scope else "–", v.unit or "–", v.limit),
        *map(number, (v.n, v.cv_percent, v.risk)),
    )


def _behind(evaluation: Evaluation) -> Iterator[Block]:
    """Yield how each verdict was reached, what it rests on, and whether the runs were suitable."""
    yield Table(
        "How each verdict was reached",
        ("Test", "Steps"),
        tuple((Cell(v.test), Cell("; ".join(s.text for s in v.trace))) for v in evaluation.verdicts),
    )
    for title, kind in (("Results that the verdicts rest on", "sources"), ("Results set aside", "set_aside")):
        rows = [_source(v, asdict(s)) for v in evaluation.verdicts for s in getattr(v, kind)]
        columns = ("Test", "Sample", "Preparation", "Replicate", "Value", "Unit", "Result id")
        yield Table(title, columns, tuple(rows))
    if evaluation.suitability:
        yield Table(
            "Suitability of the runs that results come from",
            ("Test", "Run", "Role", "Limit", "Result", "Verdict", "Reason"),
            tuple(
                (
                    *cells(v.test, s.run or "not stated", s.role, v.limit, v.rounded or "–"),
                    *(Cell(v.verdict, "verdict"), Cell(v.reason)),
                )
                for s in evaluation.suitability
                for v in (s.judged,)
            ),
        )


def _source(verdict: Verdict, source: Mapping[str, object]) -> Row:
    value = number(source["value"])
    if source["qualifier"]:
        value = Cell(censored(str(source["qualifier"]), words(source["bound"])), "number", sort=value.sort)
    elif source["text"]:
        value = Cell(str(source["text"]))
    return (
        *cells(verdict.test, *(words(source[key]) for key in ("sample_id", "preparation", "replicate"))),
        value,
        Cell(words(source["unit"])),
        Cell(words(source["result_id"]), "code"),
    )


def _agreement(evaluation: Evaluation) -> Iterator[Block]:
    found = evaluation.agreement
    if found is None:
        yield Text("No quantity of this lot was measured by two methods or more.")
        return
    yield Text(f"Information, no verdict ({found.algorithm}).")
    if any(c.answer == "not assessable" for c in found.comparisons):
        yield Text(
            "To make a question assessable, state the intermediate precision of the methods' procedures: "
            'precision = "SD 2.5 %" or "RSD 8 %" with their tests in the specification.'
        )
    yield Table(
        "What methods that measure the same thing say about each other",
        ("Question", "Methods", "Answer", "p", "Statement"),
        tuple(
            (Cell(c.question), Cell(words(c.methods)), Cell(c.answer), number(c.p), Cell(c.statement))
            for c in found.comparisons
        ),
    )
    if found.combined:
        yield Table(
            "Composition by all methods together",
            ("Class", "Share, %", "From, %", "To, %", "Coverage"),
            tuple(
                (Cell("+".join(c.classes)), *map(number, (c.percent, c.ci_low, c.ci_high, c.coverage)))
                for c in found.combined
            ),
        )


def _changes(evaluation: Evaluation) -> Iterator[Block]:
    if not evaluation.changes:
        yield Text("No result of this lot was evaluated anew by hand.")
    for i, change in enumerate(evaluation.changes, start=1):
        yield Text(f"Change {i}, reason: {change.reason}")
        yield Text(f"By: {change.actor}")
        yield Text(f"Result {change.result_before} was evaluated anew as {change.result_after}.")
        yield Table(
            f"Change {i}: settings",
            ("Setting", "Old", "New"),
            tuple((Cell(s.setting), Cell(words(s.old)), Cell(words(s.new))) for s in change.settings),
        )
        yield Table(
            f"Change {i}: results",
            ("Attribute", "Sample", "Before", "After", "Unit"),
            tuple(
                (Cell(a.attribute), Cell(a.sample_id), number(a.before), number(a.after), Cell(a.unit))
                for a in change.attributes
            ),
            empty="No attribute changed.",
        )
