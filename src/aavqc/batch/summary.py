"""What a batch and its verification print as one JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from aavqc.documents import Document, ErrorDetails, Manifest
from aavqc.results import Evaluation

if TYPE_CHECKING:
    from aavqc.batch import BatchReport


class BatchDocument(Document):
    """What a batch has come to (``aavqc.batch/1``)."""

    schema_: Literal["aavqc.batch/1"] = Field("aavqc.batch/1", alias="schema")
    exit: int
    counts: dict[str, int] = Field(description="how often each exit code applies")
    manifest: Manifest
    evaluations: list[Evaluation]
    errors: list[ErrorDetails]

    @classmethod
    def of(cls, report: BatchReport, exit_code: int) -> BatchDocument:
        """Return the document of a batch that ends with this code."""
        return cls(
            schema="aavqc.batch/1",
            exit=exit_code,
            counts={str(code): n for code, n in sorted(report.exit_codes.items())},
            manifest=report.manifest,
            evaluations=report.evaluations,
            errors=[ErrorDetails(**e.document()["error"]) for e in report.errors],
        )


class VerificationDocument(Document):
    """That an output folder is as it was written, and what was compared (``aavqc.verification/1``)."""

    schema_: Literal["aavqc.verification/1"] = Field("aavqc.verification/1", alias="schema")
    verified: Literal[True] = True
    checked: list[str]
