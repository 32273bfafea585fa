"""Documents as rows of the store."""

from __future__ import annotations

from typing import Any

from aavqc.documents import Manifest, Payload, ResultDocument, canonical, digest

Row = dict[str, Any]


def export_rows(manifest: Manifest) -> list[Row]:
    """Return a row for every file that a batch saw."""
    return [entry.model_dump(mode="json") for entry in manifest.files]


def method_row(payload: Payload) -> Row:
    """Return the method of a result as it was applied, without the sample sheet's rows."""
    method = payload.method.model_dump(mode="json", exclude={"parts"})
    named = {key: method[key] for key in ("name", "version", "technique")}
    return {"sha256": digest(method), **named, "document": canonical(method)}


def result_row(document: ResultDocument, job: str, file_sha256: str) -> Row:
    """Return the row of one result."""
    envelope = document.envelope
    return {
        "job": job,
        "technique": document.payload.technique,
        "method_sha256": method_row(document.payload)["sha256"],
        "aavqc": envelope.aavqc,
        "created": envelope.created,
        "payload_sha256": envelope.payload_sha256,
        "file_sha256": file_sha256,
        "payload": canonical(document.payload),
    }


def attribute_rows(payload: Payload, job: str) -> list[Row]:
    """Return a row for every attribute of a result, in the document's order."""
    found = [(sample, attribute) for sample in payload.samples for attribute in sample.attributes]
    return [
        {
            "job": job,
            "n": n,
            "lot": sample.lot,
            "sample_id": sample.sample_id,
            "record": sample.record,
            "role": sample.role,
            "preparation": sample.preparation,
            "replicate": sample.replicate,
            "status": sample.status,
            "technique": a.technique,
            "name": a.name,
            "target": a.target,
            "value": a.value,
            "unit": a.unit,
            "ci_low": a.ci_low,
            "ci_high": a.ci_high,
            "coverage": a.coverage,
            "scope": a.scope,
            "qualifier": a.qualifier,
            "bound": a.bound,
            "lod": a.lod,
            "loq": a.loq,
        }
        for n, (sample, a) in enumerate(found)
    ]
