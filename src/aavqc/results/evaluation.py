"""Verdicts of one lot against one specification, and the worst of them."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

from pydantic import Field

from aavqc.documents import Document, canonical
from aavqc.errors import EXIT_INCOMPLETE, EXIT_INVALID, EXIT_OK, EXIT_OOS
from aavqc.notebook import html_table
from aavqc.results.agreement import Agreement
from aavqc.results.certificate import Certificate, SpecificationUsed, certificate_row
from aavqc.results.changes import ManualChange
from aavqc.results.suitability import RunSuitability
from aavqc.results.verdict import Outcome, Verdict, is_told, result_text
from aavqc.textfiles import read_json, write_bytes

EXIT_CODES: dict[Outcome, int] = {
    "OOS": EXIT_OOS,
    "INVALID": EXIT_INVALID,
    "INDETERMINATE": EXIT_INCOMPLETE,
    "INCOMPLETE": EXIT_INCOMPLETE,
    "OOT": EXIT_OK,
    "PASS": EXIT_OK,
    "REPORTED": EXIT_OK,
}
"""Worst first: what is out of specification is never hidden by what is missing, and nothing
that is missing is hidden by what passes."""


_HEADER = ("test", "result", "limit", "verdict", "reason")
_CONTROLS = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


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
    suitability: list[RunSuitability] = Field([], description="of the runs that results come from")
    warnings: list[str] = Field(
        [], description="why the specification was not in force; what of the sample sheet fits no export"
    )
    changes: list[ManualChange] = Field([], description="evaluations of the same raw data by hand")
    agreement: Agreement | None = Field(None, description="of the lot's methods; information, no verdict")

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

    @property
    def certificate(self) -> Certificate:
        """The rows of a certificate of analysis."""
        return Certificate(
            schema="aavqc.certificate/1",
            lot=self.lot,
            specification=self.specification,
            overall=self.overall,
            statement=self.statement,
            rows=[certificate_row(v) for v in self.verdicts],
        )

    def __getitem__(self, test: str) -> Verdict:
        """Return the verdict on a test by its id."""
        for verdict in self.verdicts:
            if verdict.test == test:
                return verdict
        raise KeyError(test)

    def __str__(self) -> str:
        rows = [_HEADER, *(_row(v) for v in self.verdicts)]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = [
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]])
            for row in rows
        ]
        return "\n".join(map(_printable, [self._head, *(line.rstrip() for line in lines), *self._notes]))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [_row(v) for v in self.verdicts]
        return html_table(self._head, _HEADER, rows, self._notes)

    @property
    def _head(self) -> str:
        return f"Lot {self.lot}: {self.overall}" if self.lot else self.overall

    @property
    def _notes(self) -> list[str]:
        compared = self.agreement.comparisons if self.agreement else []
        notes = [f"Methods: {c.statement}" for c in compared if c.answer != "not assessable"]
        notes = [f"Suitability: {s.statement}" for s in self.suitability] + notes
        notes += [f"Changed by hand: {_changed(change)}" for change in self.changes]
        notes += [f"Warning: {text}" for text in self.warnings]
        return [*notes, self.statement]


class Evaluations(Document):
    """Evaluations of several lots, or by several specifications (``aavqc.evaluations/1``)."""

    schema_: Literal["aavqc.evaluations/1"] = Field("aavqc.evaluations/1", alias="schema")
    evaluations: list[Evaluation]


def evaluate(
    verdicts: list[Verdict],
    suitability: list[RunSuitability],
    used: SpecificationUsed,
    lot: str | None,
    warnings: list[str],
) -> Evaluation:
    """Put verdicts together; the overall verdict is the worst of them."""
    found = {v.verdict for v in verdicts}
    return Evaluation(
        schema="aavqc.evaluation/1",
        lot=lot,
        specification=used,
        overall=next(outcome for outcome in EXIT_CODES if outcome in found),
        statement=(
            f"Evaluation against specification {used.id} version {used.version} ({used.status});"
            " not a batch disposition."
        ),
        verdicts=verdicts,
        suitability=suitability,
        warnings=warnings,
    )


def _printable(line: str) -> str:
    """Keep a text that was read from writing lines of its own, or moving a terminal's cursor."""
    return "".join("\ufffd" if unicodedata.category(c) in _CONTROLS else c for c in line)


def _changed(change: ManualChange) -> str:
    settings = ", ".join(f"{s.setting} {s.old} → {s.new}" for s in change.settings)
    return f"{settings} ({change.actor}: {change.reason})"


def _row(verdict: Verdict) -> tuple[str, str, str, str, str]:
    reason = verdict.reason if is_told(verdict) else ""
    return verdict.test, result_text(verdict) or "–", verdict.limit, verdict.verdict, reason
