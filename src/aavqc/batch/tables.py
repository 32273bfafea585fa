"""The long tables: one row an attribute, one row a verdict."""

from __future__ import annotations

from itertools import groupby

from aavqc import __version__
from aavqc.documents import Payload, digest
from aavqc.results import Evaluation
from aavqc.textfiles import csv_line

RESULT_COLUMNS = (
    "run_id", "sample_id", "lot", "role", "technique", "attribute", "target", "method",
    "method_version", "value", "qualifier", "bound", "lod", "loq", "unit", "ci_low", "ci_high",
    "coverage", "scope", "status", "record", "source_file", "source_sha256", "aavqc_version",
)  # fmt: skip


def result_rows(payload: Payload, job: str) -> list[dict[str, object]]:
    """Return one row for each attribute of a result.

    ``source_file`` is the record's own file; of a record of many files, the record and the
    digest of them all.
    """
    rows: list[dict[str, object]] = []
    hashes = {i.name: i.sha256 for i in payload.inputs}
    for sample in payload.samples:
        source = hashes.get(sample.record) or digest([i.sha256 for i in payload.inputs])
        for a in sample.attributes:
            rows.append(
                {
                    "run_id": job,
                    "sample_id": sample.sample_id,
                    "lot": sample.lot,
                    "role": sample.role,
                    "technique": a.technique,
                    "attribute": a.name,
                    "target": a.target,
                    "method": payload.method.name,
                    "method_version": payload.method.version,
                    "value": a.value,
                    "qualifier": a.qualifier,
                    "bound": a.bound,
                    "lod": a.lod,
                    "loq": a.loq,
                    "unit": a.unit,
                    "ci_low": a.ci_low,
                    "ci_high": a.ci_high,
                    "coverage": a.coverage,
                    "scope": a.scope,
                    "status": sample.status,
                    "record": sample.record,
                    "source_file": sample.record,
                    "source_sha256": source,
                    "aavqc_version": __version__,
                }
            )
    return rows


VERDICT_COLUMNS = (
    "lot", "spec_id", "spec_version", "test", "attribute", "technique", "target", "procedure",
    "limit_text", "value_rounded", "unit", "n", "verdict", "reason", "sources", "aavqc_version",
)  # fmt: skip


def verdict_rows(evaluation: Evaluation) -> list[dict[str, object]]:
    """Return one row for each test of an evaluation."""
    return [
        {
            "lot": evaluation.lot,
            "spec_id": evaluation.specification.id,
            "spec_version": evaluation.specification.version,
            "test": v.test,
            "attribute": v.attribute,
            "technique": v.technique,
            "target": v.target,
            "procedure": v.procedure,
            "limit_text": v.limit,
            "value_rounded": v.rounded,
            "unit": v.unit,
            "n": v.n,
            "verdict": v.verdict,
            "reason": v.reason,
            "sources": ";".join(f"{s.sample_id}@{s.result_id}" for s in v.sources),
            "aavqc_version": __version__,
        }
        for v in evaluation.verdicts
    ]


def result_lines(payload: Payload, job: str) -> list[tuple[tuple[str, ...], bytes]]:
    """Return the lines of ``results.csv`` of each sample, with what samples are sorted by."""
    order = ("lot", "sample_id", "technique", "run_id")
    keyed = groupby(result_rows(payload, job), key=lambda row: tuple(str(row[c]) for c in order))
    return [
        (key, "".join(csv_line([row[c] for c in RESULT_COLUMNS]) for row in rows).encode())
        for key, rows in keyed
    ]
