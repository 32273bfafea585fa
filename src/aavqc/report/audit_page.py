"""The audit page: what went in, with what it was computed, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from aavqc.documents import Manifest, ResultDocument, digest
from aavqc.report.content import Block, Cell, Table, Text, cells, words
from aavqc.report.methods_used import methods_used
from aavqc.results import Evaluation

MOST_LEFT = 200
"""Files without a result that a lot's report names; the index names all."""


def audit(
    evaluation: Evaluation,
    documents: Mapping[str, ResultDocument],
    manifest: Manifest,
) -> Iterator[Block]:
    """Yield the tables of the audit page; nothing in them depends on when it was written."""
    yield Text(
        "Nothing on this page depends on the day or the folder, so the report has the same bytes whenever "
        "it is made of the same results. Who ran the batch and when is in audit.jsonl, whose head (the hash "
        "of its last line) aavqc verify compares with the store."
    )
    used = evaluation.specification
    rows = [
        ("Specification", f"{used.id} version {used.version}, {used.status}, {used.purpose}", used.sha256),
        ("Evaluation", evaluation.overall, digest(evaluation)),
        *((f"Result {job}", d.payload.technique, d.envelope.payload_sha256) for job, d in documents.items()),
    ]
    yield Table(
        "Documents of this lot, with the SHA-256 of their content",
        ("Document", "What it is", "SHA-256"),
        tuple((*cells(name, what), Cell(sha256, "code")) for name, what, sha256 in rows),
    )
    yield _versions(documents)
    yield from methods_used(documents)
    yield from _files(documents, manifest)


def _versions(documents: Mapping[str, ResultDocument]) -> Table:
    rows = []
    for job, document in documents.items():
        envelope = document.envelope
        numbers = ", ".join(f"{k} {v}" for k, v in sorted(envelope.platform.versions.items()))
        platform = f"{envelope.platform.machine}, {envelope.platform.cpu}, {envelope.platform.blas}"
        said = ", ".join(filter(None, (envelope.actor, envelope.reason))) or "not stated"
        row = (job, f"aavqc {envelope.aavqc}", words(document.payload.algorithms), envelope.python, numbers)
        rows.append(cells(*row, platform, said))
    return Table(
        "Versions that the results were computed with",
        (
            "Result",
            "Library",
            "Algorithms",
            "Python",
            "Numerical libraries",
            "Platform",
            "Actor and reason, when computed",
        ),
        tuple(rows),
    )


def _files(documents: Mapping[str, ResultDocument], manifest: Manifest) -> Iterator[Block]:
    """Yield the raw files of the lot, and what was left out of the batch or has failed."""
    mine = [entry for entry in manifest.files if entry.job in documents]
    records = Counter((entry.record or "", entry.job or "") for entry in mine)
    yield Table(
        "Records of this lot",
        ("Record", "Files", "Result"),
        tuple((Cell(r), Cell(str(n), "number"), Cell(job, "code")) for (r, job), n in records.items()),
    )
    yield Table(
        "Raw files of this lot, with the SHA-256 of their bytes",
        ("File", "Format", "SHA-256"),
        tuple((*cells(e.path, e.reason), Cell(e.sha256 or "–", "code")) for e in mine),
    )
    left = [entry for entry in manifest.files if entry.status != "used"]
    yield Table(
        "Files in the lot's folders that are no exports or failed, each with what it is or why",
        ("File", "Fate", "Reason", "SHA-256"),
        tuple((*cells(e.path, e.status, e.reason), Cell(e.sha256 or "–", "code")) for e in left[:MOST_LEFT]),
    )
    if len(left) > MOST_LEFT:
        yield Text(f"{len(left) - MOST_LEFT} further files are in the index of the batch.", warning=True)
