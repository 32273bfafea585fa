"""From replicates to the value that is judged: variability, then one aggregate.

A value is an interval of decimals: both ends the same where it was measured, an open
end at infinity where it is censored (``<b``, ``ND``, ``>b``). Means and medians rise
with each of their arguments, so the ends are aggregated on their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from aavqc.attributes import Attribute
from aavqc.results.rounding import CONTEXT, exact, fifteen

Aggregate = Literal["mean", "geometric_mean", "median", "each"]

_INFINITY = Decimal("Infinity")
_HUNDRED = Decimal(100)


class Extent(NamedTuple):
    """Where a value lies: at a point, or between two bounds, which are part of it where ``closed``."""

    low: Decimal
    high: Decimal
    closed: bool = False

    @property
    def measured(self) -> bool:
        """Whether it is a point."""
        return self.low is self.high or self.low == self.high


def extent(attribute: Attribute, factor: Decimal | None = None) -> Extent:
    """Return where an attribute lies, times the factor to another unit.

    Examples
    --------
    >>> extent(Attribute(name="hcp", technique="elisa", value=1, unit="ng/mL", qualifier="<", bound=2))
    Extent(low=Decimal('-Infinity'), high=Decimal('2'), closed=False)
    """
    number = attribute.value if attribute.qualifier is None else attribute.bound
    value = exact(number if number is not None else attribute.value)
    if factor is not None:
        value = CONTEXT.multiply(value, factor)
    if attribute.qualifier is None:
        return Extent(value, value)
    closed = attribute.qualifier in ("≤", "≥")
    if attribute.qualifier in (">", "≥"):
        return Extent(value, _INFINITY, closed)
    return Extent(-_INFINITY, value, closed)


def variation(values: Sequence[Extent]) -> Decimal | None:
    """Return the coefficient of variation in %, None where it can't be had.

    It needs two measured values at least, and a mean above 0. SD with n - 1.

    Examples
    --------
    >>> one, three = Decimal(1), Decimal(3)
    >>> round(variation([Extent(one, one), Extent(three, three)]), 2)
    Decimal('70.71')
    """
    points = [value.low for value in values]
    centre = _mean(points) if all(value.measured for value in values) else Decimal(0)
    if len(values) < 2 or centre <= 0:
        return None
    squares = Decimal(0)
    for point in points:
        deviation = CONTEXT.subtract(point, centre)
        squares = CONTEXT.add(squares, CONTEXT.multiply(deviation, deviation))
    sd = CONTEXT.sqrt(CONTEXT.divide(squares, Decimal(len(points) - 1)))
    return fifteen(CONTEXT.divide(CONTEXT.multiply(_HUNDRED, sd), centre))


def aggregate(values: Sequence[Extent], how: Aggregate) -> Extent | None:
    """Return the aggregate of several values, None where it does not exist.

    Examples
    --------
    >>> one, four = Decimal(1), Decimal(4)
    >>> aggregate([Extent(one, one), Extent(four, four)], "geometric_mean").low
    Decimal('2.00000000000000')
    """
    if len(values) == 1:
        return values[0]
    ends = [value.low for value in values], [value.high for value in values]
    if how == "geometric_mean" and any(end <= 0 for side in ends for end in side if end.is_finite()):
        return None
    function = _FUNCTIONS[how]
    closed = any(value.closed for value in values)
    return Extent(fifteen(function(ends[0])), fifteen(function(ends[1])), closed)


def _mean(values: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = CONTEXT.add(total, value)
    return CONTEXT.divide(total, Decimal(len(values)))


def _geometric_mean(values: Sequence[Decimal]) -> Decimal:
    unbounded = [value for value in values if not value.is_finite()]
    if unbounded:
        return unbounded[0]
    return CONTEXT.exp(_mean([CONTEXT.ln(value) for value in values]))


def _median(values: Sequence[Decimal]) -> Decimal:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else _mean(ordered[middle - 1 : middle + 1])


_FUNCTIONS: dict[str, Callable[[Sequence[Decimal]], Decimal]] = {
    "mean": _mean,
    "geometric_mean": _geometric_mean,
    "median": _median,
}
