"""Documents as rows of the store: plain JSON in, so that thousands take seconds."""

from __future__ import annotations

from typing import Any

from aavqc.documents import Manifest, canonical, digest

Row = dict[str, Any]
Plain = dict[str, Any]
"""A result document, or its payload, as JSON has it."""

_OF_THE_SAMPLE = ("lot", "sample_id", "record", "role", "preparation", "replicate", "status")


def storable(row: Row) -> Row:
    r"""Return a row without NUL, which PostgreSQL refuses in text; it is shown as ``\x00``.

    The payload's bytes have it as JSON does.
    """
    return {k: v.replace("\0", r"\x00") if isinstance(v, str) else v for k, v in row.items()}


def export_rows(manifest: Manifest) -> list[Row]:
    """Return a row for every file that a batch saw."""
    return [entry.model_dump(mode="json") for entry in manifest.files]


def method_row(payload: Plain) -> Row:
    """Return the method of a result as it was applied, without the sample sheet's rows."""
    method = {key: value for key, value in payload["method"].items() if key != "parts"}
    named = {key: method[key] for key in ("name", "version", "technique")}
    return {"sha256": digest(method), **named, "document": canonical(method)}


def result_row(document: Plain, job: str, file_sha256: str) -> Row:
    """Return the row of one result."""
    envelope = {key: document["envelope"][key] for key in ("aavqc", "created", "payload_sha256")}
    payload = document["payload"]
    return {
        "job": job,
        "technique": payload["technique"],
        "method_sha256": method_row(payload)["sha256"],
        **envelope,
        "file_sha256": file_sha256,
        "payload": canonical(payload),
    }


def attribute_rows(payload: Plain, job: str) -> list[Row]:
    """Return a row for every attribute of a result, in the document's order."""
    found = [(sample, attribute) for sample in payload["samples"] for attribute in sample["attributes"]]
    return [
        {"job": job, "n": n, **{key: sample[key] for key in _OF_THE_SAMPLE}, **attribute}
        for n, (sample, attribute) in enumerate(found)
    ]
