"""Verdicts on the tests of a specification, with the steps that led there, and the worst of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field

from aavqc.attributes import Attribute, Scope
from aavqc.documents import Document, canonical
from aavqc.errors import EXIT_INCOMPLETE, EXIT_INVALID, EXIT_OK, EXIT_OOS
from aavqc.results.acceptance import SpecifiedTest
from aavqc.results.agreement import Agreement
from aavqc.results.candidates import Candidate
from aavqc.results.changes import ManualChange
from aavqc.textfiles import read_json, to_csv, write_bytes

Outcome = Literal["PASS", "OOS", "OOT", "INVALID", "INDETERMINATE", "INCOMPLETE", "REPORTED"]

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


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the reasoning, for machines and for people."""

    code: str
    text: str


# The two that follow are made for every test of every lot. They are not frozen because a frozen
# dataclass takes three times as long to make; nothing changes one once it is made.


@dataclass(slots=True)
class Source:
    """A result that a verdict rests on, as it was measured."""

    sample_id: str | None
    result_id: str | None
    preparation: str | None
    replicate: str | None
    value: float | None
    unit: str | None
    qualifier: str | None
    bound: float | None
    text: str | None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What became of one test.

    Attributes
    ----------
    test, attribute, technique, target, procedure, limit
        As the specification has them; the technique is that of the results used.
    verdict : str
    rounded : str or None
        The deciding value as it was compared, with exactly the digits that count.
    unit : str or None
        Of ``rounded``, ``aggregated`` and the interval.
    aggregated : float or None
        The deciding value before rounding; None where it is censored or in words.
    ci_low, ci_high, coverage, scope
        Its interval where one single result is judged and states one.
    n : int
        Results used.
    cv_percent : float or None
    detection : str or None
        Of a single result below its limits of detection or quantification, in words.
    risk : float or None
        Probability that the true value lies outside the limit, where the test asks for it.
    sources : list of Source
    trace : list of Step
    set_aside : list of Source
        Results that a retest with an assignable cause, or a new evaluation, stands for.
    established_condition, reporting_category
        As the specification has them (ICH Q12); not interpreted.
    """

    test: str
    attribute: str
    technique: str | None
    target: str | None
    procedure: str | None
    limit: str
    verdict: Outcome
    rounded: str | None = None
    unit: str | None = None
    aggregated: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    coverage: float | None = None
    scope: Scope | None = None
    n: int = 0
    cv_percent: float | None = None
    sources: list[Source]
    trace: list[Step]
    detection: str | None = None
    risk: float | None = None
    set_aside: list[Source] = field(default_factory=list)
    established_condition: bool | None = None
    reporting_category: str | None = None

    @property
    def reason(self) -> str:
        """The last step: what decided. That a value conforms only after rounding is always said."""
        told = [step for step in self.trace[:-1] if step.code == "conforms_after_rounding"]
        return "; ".join(step.text for step in [*told, *self.trace[-1:]])


class SpecificationUsed(Document):
    """The specification that was applied, by identity and content."""

    id: str
    version: str
    status: str
    purpose: str
    sha256: str = Field(description="of the canonical document, defaults included")


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
    warnings: list[str] = Field([], description="why the specification was not in force")
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
            rows=[_certified(v) for v in self.verdicts],
        )

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
        compared = self.agreement.comparisons if self.agreement else []
        notes = [f"Methods: {c.statement}" for c in compared if c.answer != "not assessable"]
        notes += [f"Changed by hand: {_changed(change)}" for change in self.changes]
        notes += [f"Warning: {text}" for text in self.warnings]
        return "\n".join([head, *(line.rstrip() for line in lines), *notes, self.statement])

    __repr__ = __str__


Interval = tuple[float | None, float | None, float | None, Scope | None]
"""Lower and upper bound, coverage, scope."""

NOT_STATED: Interval = (None, None, None, None)


def conclude(
    test: SpecifiedTest,
    chosen: Sequence[Candidate],
    outcome: Outcome,
    trace: list[Step],
    aside: Sequence[Candidate],
    *,
    rounded: str | None = None,
    unit: str | None = None,
    aggregated: float | None = None,
    interval: Interval = NOT_STATED,
    cv_percent: float | None = None,
    detection: str | None = None,
    risk: float | None = None,
) -> Verdict:
    """Make a verdict from the test, the results chosen for it or set aside, and what was found."""
    technique = test.technique
    if technique is None and chosen:
        technique = chosen[0].technique
    return Verdict(
        test=test.id,
        attribute=test.attribute,
        technique=technique,
        target=test.target,
        procedure=test.procedure,
        limit=test.limit,
        verdict=outcome,
        rounded=rounded,
        unit=unit,
        aggregated=aggregated,
        ci_low=interval[0],
        ci_high=interval[1],
        coverage=interval[2],
        scope=interval[3],
        n=len(chosen),
        cv_percent=cv_percent,
        sources=[_source(chosen[0])] if len(chosen) == 1 else [_source(c) for c in chosen],
        trace=trace,
        detection=detection,
        risk=risk,
        set_aside=[_source(c) for c in aside] if aside else [],
        established_condition=test.established_condition,
        reporting_category=test.reporting_category,
    )


def _source(c: Candidate) -> Source:
    a = c.attribute
    if isinstance(a, Attribute):
        return Source(
            c.sample_id, c.result_id, c.preparation, c.replicate, a.value, a.unit, a.qualifier, a.bound, None
        )
    text = a.text if a else None
    return Source(c.sample_id, c.result_id, c.preparation, c.replicate, None, None, None, None, text)


def evaluate(
    verdicts: list[Verdict], used: SpecificationUsed, lot: str | None, warnings: list[str]
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
        warnings=warnings,
    )


def _changed(change: ManualChange) -> str:
    settings = ", ".join(f"{s.setting} {s.old} → {s.new}" for s in change.settings)
    return f"{settings} ({change.actor}: {change.reason})"


def _certified(v: Verdict) -> CertificateRow:
    return CertificateRow(
        test=v.test,
        attribute=v.attribute,
        technique=v.technique,
        target=v.target,
        procedure=v.procedure,
        limit=v.limit,
        result=v.detection or _result(v),
        verdict=v.verdict,
        note=v.reason if _told(v) else None,
        established_condition=v.established_condition,
        reporting_category=v.reporting_category,
    )


def _result(verdict: Verdict) -> str | None:
    if verdict.rounded is None:
        return None
    unit = verdict.unit if verdict.unit != "1" else None
    return " ".join(filter(None, (verdict.rounded, unit)))


def _told(verdict: Verdict) -> bool:
    """Whether there is more to say than PASS."""
    return verdict.verdict != "PASS" or verdict.trace[-1].code != "limit"


def _row(verdict: Verdict) -> tuple[str, str, str, str, str]:
    reason = verdict.reason if _told(verdict) else ""
    return verdict.test, _result(verdict) or "–", verdict.limit, verdict.verdict, reason
