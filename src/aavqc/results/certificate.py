"""The table of a certificate of analysis, as data."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from aavqc.documents import Document, canonical
from aavqc.results.verdict import Outcome, Verdict, is_told, result_text
from aavqc.textfiles import to_csv, write_bytes


class SpecificationUsed(Document):
    """The specification that was applied, by identity and content."""

    id: str
    version: str
    status: str
    purpose: str
    sha256: str = Field(description="of the canonical document, defaults included")
    product: str | None = None
    effective_from: date | None = None


class CertificateRow(Document):
    """A test as a certificate of analysis shows it."""

    test: str
    attribute: str
    technique: str | None
    target: str | None
    procedure: str | None
    limit: str
    result: str | None = Field(description="as reported: rounded, with its unit or its words")
    verdict: Outcome
    note: str | None = Field(description="why it is no plain PASS")
    established_condition: bool | None
    reporting_category: str | None


class Certificate(Document):
    """The table of a certificate of analysis (``aavqc.certificate/1``): data, no release."""

    schema_: Literal["aavqc.certificate/1"] = Field("aavqc.certificate/1", alias="schema")
    lot: str | None
    specification: SpecificationUsed
    overall: Outcome
    statement: str
    rows: list[CertificateRow]

    def save(self, path: str | Path) -> None:
        """Write CSV where the name ends so, else the canonical JSON."""
        path = Path(path)
        csv = path.suffix.lower() == ".csv"
        write_bytes(path, self.to_csv().encode() if csv else canonical(self) + b"\n")

    def to_csv(self, *, header: bool = True) -> str:
        """Return the rows as CSV, each with lot and specification."""
        used = {
            "lot": self.lot, "specification": self.specification.id, "version": self.specification.version
        }  # fmt: skip
        rows = [{**used, **row.model_dump()} for row in self.rows]
        text = to_csv([*used, *CertificateRow.model_fields], rows)
        return text if header else text.partition("\n")[2]


def certificate_row(v: Verdict) -> CertificateRow:
    """Return the row of a verdict."""
    written: dict[str, Any] = {
        "result": v.detection or result_text(v),
        "note": v.reason if is_told(v) else None,
    }
    same = {name: getattr(v, name) for name in CertificateRow.model_fields if name not in written}
    return CertificateRow(**same, **written)
