"""The evaluation of one lot against one specification: its verdicts and the worst of them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from aavqc.documents import Document, canonical
from aavqc.errors import EXIT_INCOMPLETE, EXIT_INVALID, EXIT_OK, EXIT_OOS
from aavqc.results.verdicts import Outcome, Verdict
from aavqc.textfiles import read_json, write_bytes

WORST_FIRST: tuple[Outcome, ...] = (
    "OOS",
    "INVALID",
    "INDETERMINATE",
    "INCOMPLETE",
    "OOT",
    "PASS",
    "REPORTED",
)
"""Which verdict stands for several: what is out of specification is never hidden by what is
missing, and nothing that is missing is hidden by what passes."""

EXIT_CODES: dict[Outcome, int] = {
    "OOS": EXIT_OOS,
    "INVALID": EXIT_INVALID,
    "INDETERMINATE": EXIT_INCOMPLETE,
    "INCOMPLETE": EXIT_INCOMPLETE,
    "OOT": EXIT_OK,
    "PASS": EXIT_OK,
    "REPORTED": EXIT_OK,
}


class SpecificationUsed(Document):
    """The specification that was applied, by identity and content."""

    id: str
    version: str
    status: str
    purpose: str
    sha256: str = Field(description="of the canonical document, defaults included")


class Evaluation(Document):
    """Verdicts of one lot against one specification (``aavqc.evaluation/1``).

    A person decides the batch's disposition; this is no such decision.
    """

    schema_: Literal["aavqc.evaluation/1"] = Field("aavqc.evaluation/1", alias="schema")
    lot: str | None = None
    specification: SpecificationUsed
    overall: Outcome
    statement: str
    verdicts: list[Verdict]

    @classmethod
    def load(cls, path: str | Path) -> Evaluation:
        """Read an evaluation document."""
        return read_json(Path(path), cls)

    def save(self, path: str | Path) -> None:
        """Write the canonical document atomically."""
        write_bytes(Path(path), canonical(self) + b"\n")

    @property
    def exit_code(self) -> int:
        """0 all pass (OOT and REPORTED too), 1 OOS, 4 invalid, 5 incomplete or indeterminate."""
        return EXIT_CODES[self.overall]

    def __getitem__(self, test: str) -> Verdict:
        """Return the verdict on a test by its id."""
        for verdict in self.verdicts:
            if verdict.test == test:
                return verdict
        raise KeyError(test)

    def __str__(self) -> str:
        head = f"Lot {self.lot}: {self.overall}" if self.lot else self.overall
        rows = [("test", "result", "limit", "verdict", "reason"), *(_row(v) for v in self.verdicts)]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
            for row in rows
        ]
        return "\n".join([head, *(line.rstrip() for line in lines), self.statement])

    __repr__ = __str__


def evaluate(verdicts: list[Verdict], used: SpecificationUsed, lot: str | None) -> Evaluation:
    """Put verdicts together; the overall verdict is the worst of them."""
    found = {v.verdict for v in verdicts}
    return Evaluation(
        schema="aavqc.evaluation/1",
        lot=lot,
        specification=used,
        overall=next(outcome for outcome in WORST_FIRST if outcome in found),
        statement=(
            f"Evaluation against specification {used.id} version {used.version} ({used.status});"
            " not a batch disposition."
        ),
        verdicts=verdicts,
    )


def _row(verdict: Verdict) -> tuple[str, str, str, str, str]:
    result = " ".join(filter(None, (verdict.rounded, verdict.unit))) if verdict.rounded else "–"
    told = verdict.verdict != "PASS" or verdict.trace[-1].code == "conforms_after_rounding"
    return verdict.test, result, verdict.limit, verdict.verdict, verdict.reason if told else ""
