"""Versioned JSON Schemas of what leaves the library; the files beside this one are committed.

``python -m aavqc.schemas`` writes them anew from the models. A change of a committed schema
within a major version may only add.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

Mode = Literal["serialization", "validation"]

MODELS: dict[str, tuple[str, str, Mode]] = {
    "result": ("aavqc.documents", "ResultDocument", "serialization"),
    "error": ("aavqc.documents", "ErrorDocument", "serialization"),
    "audit": ("aavqc.batch.audit", "AuditEntry", "serialization"),
    "signature": ("aavqc.signing", "SignatureDocument", "serialization"),
    "manifest": ("aavqc.documents", "Manifest", "serialization"),
    "method": ("aavqc.documents", "Method", "validation"),
    "samples": ("aavqc.documents", "SheetRow", "validation"),
    "specification": ("aavqc.results", "Specification", "validation"),
    "links": ("aavqc.results", "Links", "validation"),
    "other": ("aavqc.results.elsewhere", "OtherResults", "validation"),
    "calibration": ("aavqc.auc.settings", "CalibrationDocument", "validation"),
    "charge-calibration": ("aavqc.cdms.calibration_document", "ChargeCalibrationDocument", "validation"),
    "asm-shaped": ("aavqc.exchange.shapes", "ShapedDocument", "validation"),
    "certificate": ("aavqc.results", "Certificate", "serialization"),
    "evaluation": ("aavqc.results", "Evaluation", "serialization"),
    "evaluations": ("aavqc.results", "Evaluations", "serialization"),
    "batch": ("aavqc.batch.summary", "BatchDocument", "serialization"),
    "selftest": ("aavqc.selftest", "SelfTest", "serialization"),
    "verification": ("aavqc.batch.summary", "VerificationDocument", "serialization"),
}


def json_schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a document, made from its model.

    Examples
    --------
    >>> json_schema("error")["$id"]
    'aavqc.error/1'
    """
    module, cls, mode = MODELS[name]
    model = getattr(import_module(module), cls)
    schema: dict[str, Any] = model.model_json_schema(by_alias=True, mode=mode)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"aavqc.{name}/1",
        **schema,
    }


def text(name: str) -> str:
    """Return the text of a schema as committed."""
    return json.dumps(json_schema(name), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write(folder: Path) -> None:
    """Write all schemas into a folder."""
    for name in MODELS:
        (folder / f"{name}.json").write_text(text(name), encoding="utf-8", newline="\n")
