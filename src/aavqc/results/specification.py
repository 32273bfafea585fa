"""Specifications: tests, procedures and acceptance criteria, with identity, version and dates."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr, StrictStr

from aavqc.attributes import Attribute
from aavqc.documents import Document, digest
from aavqc.errors import SpecificationError, UsageError, under
from aavqc.notebook import html_table
from aavqc.quantities import ALIASES, UNITS, parse_unit
from aavqc.results.acceptance import Criterion, SpecifiedTest, criterion
from aavqc.results.candidates import Candidate, Judgeable, candidates
from aavqc.results.certificate import SpecificationUsed
from aavqc.results.dependent import judge_in_turn, refuse_quotient
from aavqc.results.evaluation import Evaluation, evaluate
from aavqc.results.judging import judge, selects
from aavqc.results.limits import Grammar
from aavqc.results.links import Links, follow
from aavqc.results.precision import with_precision
from aavqc.results.rounding import Rule
from aavqc.results.stages import judge_stages
from aavqc.results.suitability import (
    RunCriterion,
    SuitabilityTest,
    judge_runs,
    run_criterion,
    worst_of_runs,
)
from aavqc.results.verdict import Verdict
from aavqc.textfiles import line_of, parse_json, read_text, read_toml, validate


class Specification(Document, frozen=True):
    """A list of tests with procedures and acceptance criteria (``aavqc.specification/1``).

    Examples
    --------
    >>> from aavqc.attributes import Attribute
    >>> spec = Specification(id="EX", version="1", tests=[
    ...     {"id": "full", "attribute": "percent_full", "limit": "NLT 70.0 %"}])
    >>> full = Attribute(name="percent_full", technique="auc", value=69.96, unit="%")
    >>> spec.check([full])["full"].reason
    '70.0 % conforms to NLT 70.0 % after rounding, raw 69.96 %'
    """

    schema_: Literal["aavqc.specification/1"] = Field("aavqc.specification/1", alias="schema")
    id: StrictStr = Field(min_length=1)
    version: StrictStr = Field(min_length=1)
    status: Literal["draft", "approved", "superseded"] = "draft"
    purpose: Literal["release", "shelf-life", "in-process", "comparability"] = "release"
    product: StrictStr | None = None
    stage: StrictStr | None = None
    market: StrictStr | None = None
    presentation: StrictStr | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    effective_by: Literal["test", "manufacture"] = Field(
        "test", description="the date of a lot that its effective dates are compared with"
    )
    approved_by: tuple[StrictStr, ...] = ()
    rounding: Rule = "usp"
    decimal: Literal[".", ","] = Field(".", description="decimal separator of the limits")
    aliases: dict[str, str] = Field({}, description="spellings of units, such as GC/mL = vg/mL")
    tests: tuple[SpecifiedTest, ...] = Field(min_length=1)
    suitability: tuple[SuitabilityTest, ...] = Field((), description="what the controls of a run must fulfil")

    _criteria: tuple[Criterion, ...] = PrivateAttr()
    _runs: tuple[RunCriterion, ...] = PrivateAttr()
    _used: SpecificationUsed = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:
        """Read every limit once; a specification that can't be used never comes into being."""
        self._refuse_contradictions()
        grammar = Grammar(self.rounding, None, self.decimal, self.aliases)
        criteria, runs = [], []
        for i, test in enumerate(self.tests):
            with under(f"tests.{i}", "."):
                own = replace(grammar, decimal_places=test.decimal_places)
                above = {t.id: t for t in self.tests[:i]}
                refuse_quotient(test, above)
                criteria.append(criterion(test, own, above))
        for i, control in enumerate(self.suitability):
            with under(f"suitability.{i}", "."):
                runs.append(run_criterion(control, self.tests, grammar))
        self._criteria, self._runs = tuple(criteria), tuple(runs)
        self._used = SpecificationUsed(
            id=self.id,
            version=self.version,
            status=self.status,
            purpose=self.purpose,
            sha256=digest(self),
            product=self.product,
            effective_from=self.effective_from,
        )

    @classmethod
    def load(cls, path: str | Path) -> Specification:
        """Read a specification from TOML, or from JSON where the name ends so.

        Raises
        ------
        InputError
            The file can't be read.
        SpecificationError
            It is no specification; says the key and its line.
        """
        path = Path(path)
        if path.suffix.lower() == ".json":
            text = read_text(path)
            data = parse_json(text, path.name, SpecificationError)
        else:
            data, text = read_toml(path)
        try:
            return validate(cls, data, path.name, SpecificationError, text)
        except SpecificationError as error:
            error.in_file(path.name)
            if error.line is None:
                error.line = line_of(text, _location(error.message))
            error.message = _with_id(error.message, data)
            raise

    def check(
        self,
        attributes: Mapping[str, Attribute] | Iterable[Judgeable],
        *,
        lot: str | None = None,
        on: date | None = None,
        links: Links | None = None,
        earlier: Mapping[str, Sequence[float]] | None = None,
    ) -> Evaluation:
        """Judge results against every test.

        Parameters
        ----------
        attributes : AttributeSet, or iterable of Attribute, Candidate, Observation or Sample
            Of one lot, with the controls of its runs; their order does not matter. Samples with
            a role other than ``sample`` are controls: no test judges them, ``suitability`` does.
        lot : str, optional
            Goes into the evaluation.
        on : date, optional
            The day on which the specification should be effective; without it no dates
            are compared.
        links : Links, optional
            Which results are retests or new evaluations of others, and what earlier lots had; of its
            ``earlier`` what is of tests of other specifications is left alone.
        earlier : mapping of test id to sequence of float, optional
            Results of earlier lots in the order of manufacture, in the unit in which the test
            judges; what a test's ``trend`` compares with, in place of what ``links`` has of that test.

        Raises
        ------
        UsageError
            A link names a result that is not there; an earlier result is of no test.
        UnitError
            A limit's unit and its attribute's do not measure the same thing.
        """
        for unknown in (earlier or {}).keys() - {t.id for t in self.tests}:
            raise UsageError("earlier results of no test", found=repr(unknown))
        history = {**(links.earlier if links is not None else {}), **(earlier or {})}
        if not all(math.isfinite(value) for values in history.values() for value in values):
            raise UsageError("an earlier result is no number", expected="finite numbers")
        given = candidates(attributes)
        followed = follow(given, links) if links is not None else None
        named: dict[str, list[Candidate]] = {}
        invalid = []
        counting = followed.counting if followed else given
        suitability = judge_runs(self._runs, counting, followed) if self._runs else []
        for candidate in counting:
            if candidate.role != "sample":
                continue
            if candidate.sample_status == "invalid":
                invalid.append(candidate)
            if candidate.attribute is not None:
                named.setdefault(candidate.attribute.name, []).append(candidate)
        runs = worst_of_runs(suitability)

        def judged(c: Criterion) -> Verdict:
            test, how = c.test, judge_stages if c.stages else judge
            return how(c, named.get(test.attribute, ()), invalid, runs, followed, history.get(test.id, ()))

        verdicts = judge_in_turn(self._criteria, judged)
        warnings = [*self._not_in_force(on), *self._slips(named)]
        return evaluate(verdicts, suitability, self._used, lot, warnings)

    def stated(self, attributes: Mapping[str, Attribute] | Iterable[Judgeable]) -> list[Attribute]:
        """Return the numbers of valid samples, with the precision that a test states of its procedure."""
        found = []
        for c in candidates(attributes):
            if not isinstance(c.attribute, Attribute) or c.sample_status == "invalid" or c.role != "sample":
                continue
            tests = (k for k in self._criteria if k.test.attribute == c.attribute.name and selects(k.test, c))
            precision = next((k.precision for k in tests if k.precision is not None), None)
            found.append(with_precision(c.attribute, precision) if precision else c.attribute)
        return found

    def _repr_html_(self) -> str:
        rows = [
            (t.id, t.attribute, t.target or "", t.technique or "", t.limit, t.aggregate, t.procedure or "")
            for t in self.tests
        ]
        caption = f"Specification {self.id} version {self.version} ({self.status}, {self.purpose})"
        header = ("test", "attribute", "target", "technique", "limit", "aggregate", "procedure")
        return html_table(caption, header, rows)

    @property
    def sha256(self) -> str:
        """Hash of the canonical document."""
        return self._used.sha256

    def _not_in_force(self, on: date | None) -> list[str]:
        """Say why the specification is not in force; both of its dates are included."""
        found = [] if self.status == "approved" else [f"the specification is not approved: {self.status}"]
        if on is None:
            return found
        day = date(on.year, on.month, on.day)  # a datetime does not compare with a date
        if self.effective_from and day < self.effective_from:
            found.append(f"on {day} the specification is not yet effective: from {self.effective_from}")
        if self.effective_to and day > self.effective_to:
            found.append(f"on {day} the specification is no longer effective: to {self.effective_to}")
        return found

    def _slips(self, named: Iterable[str]) -> Iterator[str]:
        """Yield the tests of no result's attribute, where the name of one is all but theirs."""
        from difflib import get_close_matches

        known = set(named)
        for test in self.tests:
            close = get_close_matches(test.attribute, known, n=1, cutoff=0.9)
            if close and test.attribute not in known:
                yield f"test {test.id}: no result is named {test.attribute}; there is {close[0]}"

    def _refuse_contradictions(self) -> None:
        if self.effective_from and self.effective_to and self.effective_from > self.effective_to:
            raise SpecificationError(
                "effective_to: before effective_from",
                expected=f"{self.effective_from.isoformat()} or later",
                found=self.effective_to.isoformat(),
            )
        for table, ids in (
            ("tests", [t.id for t in self.tests]),
            ("suitability", [s.id for s in self.suitability]),
        ):
            for i, name in enumerate(ids):
                if name in ids[:i]:
                    raise SpecificationError(f"{table}.{i}.id: used twice", found=repr(name))
        for spelling, unit in self.aliases.items():
            if spelling in UNITS or spelling in ALIASES:
                raise SpecificationError(
                    "aliases: a unit of the table keeps its meaning", found=f"{spelling} = {unit}"
                )
            with under("aliases"):
                parse_unit(unit)


def _with_id(message: str, data: Any) -> str:
    """Name a test by its id instead of its place, where it has one."""
    place = re.match(r"tests\.(\d+)\.", message)
    try:
        return f"test {data['tests'][int(place[1])]['id']}: {message[place.end() :]}" if place else message
    except (LookupError, TypeError):
        return message


def _location(message: str) -> tuple[int | str, ...]:
    """Return the key that a message begins with, such as ``tests.1.limit``."""
    path = message.partition(":")[0].split(".")
    return tuple(int(part) if part.isdigit() else part for part in path)
