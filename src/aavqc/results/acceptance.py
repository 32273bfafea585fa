"""One test of a specification: as written, and with its limits read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from pydantic import ConfigDict, Field, StrictStr

from aavqc.documents import Document
from aavqc.errors import AavqcError, SpecificationError
from aavqc.quantities import match_number, parse_unit
from aavqc.results.limits import Grammar, Limit, Side, parse_limit
from aavqc.results.precision import StatedPrecision, parse_precision
from aavqc.results.replicates import Aggregate
from aavqc.results.rounding import precision


class Replicates(Document):
    """What a set of replicates must fulfil before its value is judged."""

    model_config = ConfigDict(frozen=True)

    min: int = Field(1, ge=1, description="fewest results")
    max_cv: StrictStr | None = Field(None, description="largest coefficient of variation, such as 10 %")


class Trend(Document):
    """From how many earlier results a value is compared with their control limits."""

    model_config = ConfigDict(frozen=True)

    min: int = Field(10, ge=4, description="fewest earlier results; with fewer no trend is judged")


class SpecifiedTest(Document):
    """An attribute, the procedure that measures it, and its acceptance criterion (ICH Q6B)."""

    model_config = ConfigDict(frozen=True)

    id: StrictStr = Field(min_length=1)
    attribute: StrictStr = Field(pattern=r"^\w+$", description="exact name; its target stands in target")
    technique: StrictStr | None = Field(None, description="required where a lot may have two")
    target: StrictStr | None = None
    procedure: StrictStr | None = None
    limit: StrictStr
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
    """A test with its limits read: what values are judged against."""

    test: SpecifiedTest
    limit: Limit
    internal: tuple[tuple[Literal["action", "alert"], Limit], ...]
    max_cv: Side | None
    precision: StatedPrecision | None
    max_risk: float | None


def criterion(test: SpecifiedTest, grammar: Grammar) -> Criterion:
    """Read the limits of a test.

    Raises
    ------
    SpecificationError
        The message begins with the key that can't be used.
    """
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
        test, limit, internal, _max_cv(test, grammar), _precision(test, grammar), _max_risk(test, grammar)
    )


def _internal(test: SpecifiedTest) -> Iterator[tuple[Literal["action", "alert"], str | None]]:
    yield "action", test.action
    yield "alert", test.alert


def _limit(test: SpecifiedTest, key: str, text: str, grammar: Grammar) -> Limit:
    try:
        return parse_limit(text, grammar, test.label)
    except AavqcError as error:
        raise _at(key, error) from error


def _max_cv(test: SpecifiedTest, grammar: Grammar) -> Side | None:
    text = test.replicates.max_cv
    if text is None:
        return None
    key = "replicates.max_cv"
    try:
        number, rest = match_number(text, grammar.decimal)
        unit = parse_unit(rest) if rest else "%"
    except AavqcError as error:
        raise _at(key, error) from error
    if unit != "%" or number.value <= Decimal(0):
        raise SpecificationError(f"{key}: a share above 0", expected="such as 10 %", found=repr(text))
    return Side(number.value, True, precision(number, grammar.rule))


def _precision(test: SpecifiedTest, grammar: Grammar) -> StatedPrecision | None:
    if test.precision is None:
        return None
    try:
        return parse_precision(test.precision, grammar)
    except AavqcError as error:
        raise _at("precision", error) from error


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


def _at(key: str, error: AavqcError) -> SpecificationError:
    return SpecificationError(
        f"{key}: {error.message}", expected=error.expected, found=error.found, hint=error.hint
    )
