"""The audit page: what went in, with what it was computed, and what was left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aavqc.documents import FileEntry, Manifest, MethodUsed, ResultDocument, Sample, digest
from aavqc.report.content import Block, Cell, Row, Table, Text, words
from aavqc.results import Evaluation


def audit(
    evaluation: Evaluation,
    documents: Mapping[str, ResultDocument],
    samples: Mapping[str, Sequence[Sample]],
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
        tuple((Cell(name), Cell(what), Cell(sha256, "code")) for name, what, sha256 in rows),
    )
    yield _versions(documents)
    for job, document in documents.items():
        yield from _settings(job, document.payload.method)
    yield _warnings(documents, samples)
    yield from _files(documents, manifest)


def _versions(documents: Mapping[str, ResultDocument]) -> Table:
    rows = []
    for job, document in documents.items():
        envelope = document.envelope
        numbers = ", ".join(f"{k} {v}" for k, v in sorted(envelope.platform.versions.items()))
        platform = f"{envelope.platform.machine}, {envelope.platform.cpu}, {envelope.platform.blas}"
        said = ", ".join(filter(None, (envelope.actor, envelope.reason))) or "not stated"
        row = (job, f"aavqc {envelope.aavqc}", words(document.payload.algorithms), envelope.python, numbers)
        rows.append(tuple(map(Cell, (*row, platform, said))))
    return Table(
        "Versions that the results were computed with",
        ("Result", "Library", "Algorithms", "Python", "Numerical libraries", "Platform", "Actor and reason"),
        tuple(rows),
    )


def _settings(job: str, method: MethodUsed) -> Iterator[Table]:
    from aavqc.analysis import settings_class

    defaults = settings_class(method.technique)().model_dump(mode="json")
    known = dict(_leaves(defaults))
    sheet = {name for part in method.parts for name in part.settings}
    named = f"method {method.name} version {method.version}"
    rows = []
    for name, value in _leaves(method.settings):
        if value is None:
            continue
        if name in sheet or name.split(".")[0] in sheet:
            source = "sample sheet"
        else:
            source = "default of the library" if name in known and known[name] == value else named
        rows.append((Cell(name), Cell(words(value)), Cell(source)))
    yield Table(
        f"Settings of result {job}: {method.technique}, {named}. What equals the default is called so",
        ("Setting", "Value", "Source"),
        tuple(rows),
    )
    if method.parts:
        yield Table(
            f"Rows of the sample sheet of result {job}",
            (
                "Sample", "Part", "Lot", "Role", "Container", "Preparation", "Replicate", "Dilution",
                "Settings", "Other",
            ),
            tuple(
                tuple(
                    Cell(words(v))
                    for v in (
                        p.sample_id, p.part, p.lot, p.role, p.container, p.preparation, p.replicate,
                        p.dilution_factor, p.settings, p.other,
                    )
                )
                for p in method.parts
            ),
        )  # fmt: skip


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(inner, Mapping):
            yield from _leaves(inner, name)
        else:
            yield name, inner


def _warnings(documents: Mapping[str, ResultDocument], samples: Mapping[str, Sequence[Sample]]) -> Table:
    rows: list[Row] = []
    for job in documents:
        for sample in samples[job]:
            said = [(f.severity, f.message) for f in sample.flags if f.severity != "info"]
            said += [("warning", text) for text in sample.warnings]
            rows += [
                (Cell(sample.sample_id), Cell(kind), Cell(text), Cell(job, "code")) for kind, text in said
            ]
    return Table(
        "Flags and warnings of all samples", ("Sample", "Severity", "What was said", "Result"), tuple(rows)
    )


def _files(documents: Mapping[str, ResultDocument], manifest: Manifest) -> Iterator[Table]:
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
        tuple((Cell(e.path), Cell(e.reason), Cell(e.sha256 or "–", "code")) for e in mine),
    )
    left = [entry for entry in manifest.files if entry.status != "used"]
    yield Table(
        "Files of the batch that were ignored or failed, each with the reason",
        ("File", "Fate", "Reason", "SHA-256"),
        tuple(map(_left, left)),
    )
    if manifest.problems:
        yield Table(
            "What of the sample sheet does not fit the exports",
            ("Problem",),
            tuple((Cell(text),) for text in manifest.problems),
        )


def _left(entry: FileEntry) -> Row:
    return (Cell(entry.path), Cell(entry.status), Cell(entry.reason), Cell(entry.sha256 or "–", "code"))
