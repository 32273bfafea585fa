"""One test of a specification: as written, and with its limits read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from pydantic import Field, StrictStr

from aavqc.attributes import Technique
from aavqc.documents import Document
from aavqc.errors import SpecificationError, under
from aavqc.quantities import match_number, parse_unit
from aavqc.results.limits import Grammar, Limit, Side, parse_limit
from aavqc.results.precision import StatedPrecision, parse_precision
from aavqc.results.replicates import Aggregate
from aavqc.results.rounding import precision


class Replicates(Document, frozen=True):
    """What a set of replicates must fulfil before its value is judged."""

    min: int = Field(1, ge=1, description="fewest results")
    max_cv: StrictStr | None = Field(None, description="largest coefficient of variation, such as 10 %")


class Trend(Document, frozen=True):
    """From how many earlier results a value is compared with their control limits."""

    min: int = Field(10, ge=4, description="fewest earlier results; with fewer no trend is judged")


class Condition(Document, frozen=True):
    """When a test applies: where the result of a test above it fulfils a limit."""

    test: StrictStr = Field(description="id of a test above")
    limit: StrictStr = Field(description="such as > 10 %")


class StageCriterion(Document, frozen=True):
    """One of the criteria of a further stage."""

    limit: StrictStr
    aggregate: Aggregate = "each"
    outside: int = Field(0, ge=0, description="how many single results may lie outside")


class Stage(Document, frozen=True):
    """A further stage of a test: what all results together must fulfil (S2, S3)."""

    n: int = Field(ge=2, description="results in all, those of the stages before among them")
    criteria: tuple[StageCriterion, ...] = Field(min_length=1)


class SpecifiedTest(Document, frozen=True):
    """An attribute, the procedure that measures it, and its acceptance criterion (ICH Q6B)."""

    id: StrictStr = Field(min_length=1)
    attribute: StrictStr = Field(pattern=r"^\w+$", description="exact name; its target stands in target")
    technique: StrictStr | None = Field(None, description="required where a lot may have two")
    target: StrictStr | None = None
    procedure: StrictStr | None = None
    limit: StrictStr
    when: Condition | None = Field(None, description="else the test is not applicable")
    quotient: tuple[StrictStr, StrictStr] | None = Field(
        None, description="ids of two tests above: their values' quotient is judged"
    )
    stages: tuple[Stage, ...] = Field((), description="what follows where replicates.min results are OOS")
    aggregate: Aggregate = Field("each", description="each: every result is judged on its own")
    replicates: Replicates = Replicates()
    required: bool = True
    action: StrictStr | None = Field(None, description="internal action limit, same grammar")
    alert: StrictStr | None = Field(None, description="internal alert limit, same grammar")
    trend: Trend | None = Field(None, description="outside the control limits of earlier lots: OOT")
    label: StrictStr | None = Field(None, description="label strength with its unit")
    decimal_places: int | None = Field(None, ge=0, le=20, description="instead of the limit's own digits")
    precision: StrictStr | None = Field(
        None, description="intermediate precision of the procedure's reportable value: SD 2.5 % or RSD 8 %"
    )
    risk: StrictStr | None = Field(
        None, description="decision risk: report, or the largest that may PASS, such as NMT 5 %"
    )
    atp: StrictStr | None = Field(None, description="analytical target profile (ICH Q14)")
    established_condition: bool | None = Field(None, description="ICH Q12; not interpreted")
    reporting_category: StrictStr | None = None
    justification: StrictStr | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """A test with its limits read: what values are judged against.

    Attributes
    ----------
    test : SpecifiedTest
    limit : Limit
    internal : tuple of (str, Limit)
    max_cv : Side or None
    precision : StatedPrecision or None
    max_risk : float or None
    when : Criterion or None
        What the result of another test must fulfil for this one to apply.
    stages : tuple of (int, tuple of (Criterion, int))
        By number of results, criteria with how many single results may lie outside of each.
    """

    test: SpecifiedTest
    limit: Limit
    internal: tuple[tuple[Literal["action", "alert"], Limit], ...]
    max_cv: Side | None
    precision: StatedPrecision | None
    max_risk: float | None
    when: Criterion | None = None
    stages: tuple[tuple[int, tuple[tuple[Criterion, int], ...]], ...] = ()


def criterion(
    test: SpecifiedTest, grammar: Grammar, above: Mapping[str, SpecifiedTest] | None = None
) -> Criterion:
    """Read the limits of a test.

    Parameters
    ----------
    test : SpecifiedTest
    grammar : Grammar
    above : mapping of id to SpecifiedTest, optional
        The tests that this one may refer to.

    Raises
    ------
    SpecificationError
        The message begins with the key that can't be used.
    """
    _refuse_anagram(test.technique)
    limit = _limit(test, "limit", test.limit, grammar)
    internal = tuple(
        (key, _limit(test, key, text, grammar)) for key, text in _internal(test) if text is not None
    )
    for key, inner in internal:
        if not inner.numeric or limit.kind in ("one of", "conforms"):
            raise SpecificationError(f"{key}: only numbers have internal limits", found=repr(inner.text))
    if test.decimal_places is not None and grammar.rule == "none":
        raise SpecificationError("decimal_places: nothing is rounded", expected='rounding = "usp" or "pheur"')
    if test.risk is not None and not limit.numeric:
        raise SpecificationError("risk: only limits of numbers have one", found=repr(limit.text))
    if test.trend is not None and limit.kind in ("one of", "conforms"):
        raise SpecificationError("trend: only numbers have one", found=repr(limit.text))
    return Criterion(
        test,
        limit,
        internal,
        _max_cv(test, grammar),
        _precision(test, grammar),
        _max_risk(test, grammar),
        None if test.when is None else _condition(test.when, grammar, above or {}),
        _stages(test, limit, grammar),
    )


def _refuse_anagram(technique: str | None) -> None:
    """Refuse a technique with its letters in another order; any other word may be another laboratory's."""
    for known in get_args(Technique):
        if technique not in (None, known) and sorted(technique or "") == sorted(known):
            raise SpecificationError(
                "technique: letters in another order", expected=known, found=repr(technique)
            )


_BARE: dict[str, object] = {
    "when": None, "quotient": None, "stages": (), "replicates": Replicates(), "required": True,
    "action": None, "alert": None, "trend": None, "risk": None,
}  # fmt: skip
"""What a limit of a condition or a stage does not inherit from its test."""


def _condition(when: Condition, grammar: Grammar, above: Mapping[str, SpecifiedTest]) -> Criterion:
    other = above.get(when.test)
    if other is None or other.quotient is not None:
        raise SpecificationError(
            "when.test: no test above that measures something",
            expected="the id of one",
            found=repr(when.test),
        )
    bare = {**_BARE, "limit": when.limit, "replicates": other.replicates}
    with under("when", "."):
        read = criterion(other.model_copy(update=bare), grammar)
    if read.limit.kind == "report":
        raise SpecificationError("when.limit: nothing to fulfil", found=repr(when.limit))
    return read


def _stages(
    test: SpecifiedTest, first: Limit, grammar: Grammar
) -> tuple[tuple[int, tuple[tuple[Criterion, int], ...]], ...]:
    read = []
    n = test.replicates.min
    for i, stage in enumerate(test.stages):
        if stage.n <= n or not first.numeric:
            raise SpecificationError(
                f"stages.{i}.n: each stage has more results than the one before",
                expected=f"more than {n}, and numbers",
                found=str(stage.n),
            )
        n = stage.n
        criteria = []
        for k, part in enumerate(stage.criteria):
            if part.outside and part.aggregate != "each":
                raise SpecificationError(f"stages.{i}.criteria.{k}.outside: only of single results")
            bare = {**_BARE, "limit": part.limit, "aggregate": part.aggregate}
            with under(f"stages.{i}.criteria.{k}", "."):
                made = criterion(test.model_copy(update=bare), grammar)
            if not made.limit.numeric:
                raise SpecificationError(f"stages.{i}.criteria.{k}.limit: only numbers have stages")
            criteria.append((made, part.outside))
        read.append((n, tuple(criteria)))
    return tuple(read)


def _internal(test: SpecifiedTest) -> Iterator[tuple[Literal["action", "alert"], str | None]]:
    yield "action", test.action
    yield "alert", test.alert


def _limit(test: SpecifiedTest, key: str, text: str, grammar: Grammar) -> Limit:
    with under(key):
        return parse_limit(text, grammar, test.label)


def _max_cv(test: SpecifiedTest, grammar: Grammar) -> Side | None:
    text = test.replicates.max_cv
    if text is None:
        return None
    key = "replicates.max_cv"
    with under(key):
        number, rest = match_number(text, grammar.decimal)
        unit = parse_unit(rest) if rest else "%"
    if unit != "%" or number.value <= Decimal(0):
        raise SpecificationError(f"{key}: a share above 0", expected="such as 10 %", found=repr(text))
    return Side(number.value, True, precision(number, grammar.rule))


def _precision(test: SpecifiedTest, grammar: Grammar) -> StatedPrecision | None:
    if test.precision is None:
        return None
    with under("precision"):
        return parse_precision(test.precision, grammar)


def _max_risk(test: SpecifiedTest, grammar: Grammar) -> float | None:
    """Return the largest risk that may pass, None where risks are only reported."""
    if test.risk is None or test.risk.strip() == "report":
        return None
    limit = _limit(test, "risk", test.risk, grammar)
    largest = float(limit.high.value) / 100 if limit.high is not None and limit.low is None else 0.0
    if limit.unit != "%" or not 0 < largest < 0.5:
        raise SpecificationError(
            "risk: a share below one half", expected="report, or such as NMT 5 %", found=repr(test.risk)
        )
    return largest
