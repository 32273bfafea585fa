"""One value against one limit: rounded once, censored values by interval logic."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

from aavqc.results.limits import Limit, Side
from aavqc.results.replicates import Extent
from aavqc.results.rounding import CONTEXT, Precision, round_to, write

Answer = Literal["inside", "outside", "unknown"]

_UNROUNDED = Precision(None, None, False)


class Comparison(NamedTuple):
    """What came of a comparison.

    Attributes
    ----------
    answer : {'inside', 'outside', 'unknown'}
    rounded : str
        The value as compared, with the digits that the deciding bound demands.
    raw_inside : bool
        Whether the unrounded value conforms as well.
    """

    answer: Answer
    rounded: str
    raw_inside: bool


def compare(value: Extent, limit: Limit) -> Comparison:
    """Compare a value with a limit.

    A measured value is rounded to the digits of each bound and must conform to both; the
    digits shown are those of the bound that it violates, else of the nearer one. A
    censored value is inside where all of its range is (its bound rounded as a value
    would be), outside where none of it is, else unknown: never inside by assumption.

    Examples
    --------
    >>> from decimal import Decimal
    >>> from aavqc.results.limits import parse_limit
    >>> value = Decimal("101.55")
    >>> compare(Extent(value, value), parse_limit("NMT 101.5 %"))
    Comparison(answer='outside', rounded='101.6', raw_inside=False)
    """
    return _measured(value, limit) if value.measured else _censored(value, limit)


def answer(value: Extent, limit: Limit) -> Answer:
    """Return the answer of a comparison alone."""
    if not value.measured:
        return _censored(value, limit).answer
    for side, lower in ((limit.low, True), (limit.high, False)):
        if side is not None and not _conforms(round_to(value.low, side.precision), side, lower):
            return "outside"
    return "inside"


def _measured(value: Extent, limit: Limit) -> Comparison:
    raw, inside = value.low, True
    shown = raw, _UNROUNDED
    for side, lower in ((limit.low, True), (limit.high, False)):
        if side is None:
            continue
        rounded = round_to(raw, side.precision)
        inside = inside and _conforms(raw, side, lower)
        if not _conforms(rounded, side, lower):
            return Comparison("outside", write(rounded, side.precision), inside)
        if lower or limit.low is None or _nearer(side, limit.low, raw):
            shown = rounded, side.precision
    return Comparison("inside", write(*shown), inside)


def _censored(value: Extent, limit: Limit) -> Comparison:
    low, high = limit.low, limit.high
    nearest = high if value.high.is_finite() and high else low or high
    to = nearest.precision if nearest else _UNROUNDED
    shown = censored_text(value, to)
    if (high and _none_conform(value, high, False)) or (low and _none_conform(value, low, True)):
        return Comparison("outside", shown, False)
    raw = (not high or _beyond(value.high, value, high, False)) and (
        not low or _beyond(value.low, value, low, True)
    )
    inside = (not high or _all_conform(value.high, value, high, False)) and (
        not low or _all_conform(value.low, value, low, True)
    )
    return Comparison("inside" if inside else "unknown", shown, raw)


def censored_text(value: Extent, to: Precision) -> str:
    """Write an interval with the signs of its finite ends."""
    ends = []
    if value.low.is_finite():
        ends.append(f"{'≥' if value.closed else '>'}{write(round_to(value.low, to), to)}")
    if value.high.is_finite():
        ends.append(f"{'≤' if value.closed else '<'}{write(round_to(value.high, to), to)}")
    return ", ".join(ends) or "not bounded"


def _none_conform(value: Extent, side: Side, lower: bool) -> bool:
    """Whether no value that a censored one may have conforms."""
    end = value.high if lower else value.low
    if value.closed:
        return end.is_finite() and not _conforms(end, side, lower)
    return end <= side.value if lower else end >= side.value


def _all_conform(end: Decimal, value: Extent, side: Side, lower: bool) -> bool:
    """Whether all that a censored value's end leaves open conforms, rounded as a value would be."""
    if _beyond(end, value, side, lower):
        return True
    return end.is_finite() and _conforms(round_to(end, side.precision), side, lower)


def _beyond(end: Decimal, value: Extent, side: Side, lower: bool) -> bool:
    if value.closed:
        return _conforms(end, side, lower)
    return end >= side.value if lower else end <= side.value


def _nearer(high: Side, low: Side, value: Decimal) -> bool:
    return CONTEXT.subtract(high.value, value) < CONTEXT.subtract(value, low.value)


def _conforms(value: Decimal, side: Side, lower: bool) -> bool:
    if lower:
        return value >= side.value if side.closed else value > side.value
    return value <= side.value if side.closed else value < side.value
