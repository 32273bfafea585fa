"""Decimal rounding for the comparison with a limit: USP, Ph. Eur. or none.

All arithmetic names its decimal context, so that no verdict depends on the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import (
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from functools import lru_cache
from typing import Literal

from aavqc.quantities import Number

Rule = Literal["usp", "pheur", "none"]

CONTEXT = Context(
    prec=50,
    rounding=ROUND_HALF_UP,
    Emin=-999999,
    Emax=999999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[InvalidOperation, DivisionByZero, Overflow],
)
"""For sums, quotients and roots: far more digits than any measured value has."""

_QUANTISE = CONTEXT.copy()
_QUANTISE.prec = 2000  # holds the largest float at the last place of the smallest limit
_FIFTEEN = CONTEXT.copy()
_FIFTEEN.prec, _FIFTEEN.rounding = 15, ROUND_HALF_EVEN


@dataclass(frozen=True, slots=True)
class Precision:
    """To what a value is rounded before it meets a limit.

    Attributes
    ----------
    exponent : int or None
        Last decimal place kept, as a power of ten.
    significant : int or None
        Significant figures kept, in the value's own decade. With neither: no rounding.
    scientific : bool
        Whether the rounded value is written with a power of ten, as the limit is.
    """

    exponent: int | None
    significant: int | None
    scientific: bool


def precision(limit: Number, rule: Rule, decimal_places: int | None = None) -> Precision:
    """Return what a limit's own digits demand under a rounding rule.

    Parameters
    ----------
    limit : Number
        With its digits as written.
    rule : {'usp', 'pheur', 'none'}
        USP 7.20: to the decimal places of the limit; a limit with a power of ten has no
        decimal places of its own, so its significant figures count, in the value's own
        decade. Ph. Eur.: to the significant figures of the limit.
    decimal_places : int, optional
        Decimal places that the specification names; behind a power of ten they are those
        of the mantissa in the limit's decade.

    Examples
    --------
    >>> from aavqc.quantities import match_number
    >>> precision(match_number("101.5")[0], "usp").exponent
    -1
    >>> precision(match_number("1.0E13")[0], "usp").significant
    2
    """
    if rule == "none":
        return Precision(None, None, limit.scientific)
    if decimal_places is not None:
        power = exponent_of(limit.value) + limit.decimals
        return Precision(power - decimal_places, None, limit.scientific)
    if rule == "usp" and not limit.scientific:
        return Precision(exponent_of(limit.value), None, False)
    return Precision(None, limit.significant, limit.scientific)


def exact(value: float) -> Decimal:
    """Return the decimal that a float stands for: 15 significant figures, shortest form.

    Examples
    --------
    >>> exact(1.005 * 100)
    Decimal('100.5')
    """
    return Decimal(f"{value:.15g}")


def fifteen(value: Decimal) -> Decimal:
    """Return a computed value with 15 significant figures, so that its float gives the same verdict."""
    return _FIFTEEN.plus(value)


def round_to(value: Decimal, to: Precision) -> Decimal:
    """Round half up, once.

    Examples
    --------
    >>> round_to(Decimal("101.55"), Precision(-1, None, False))
    Decimal('101.6')
    >>> round_to(Decimal("9.96E12"), Precision(None, 2, True))
    Decimal('1.0E+13')
    """
    if to.exponent is not None:
        return value.quantize(_quantum(to.exponent), None, _QUANTISE)
    if to.significant is None or not value:
        return value
    rounded = _quantise(value, value.adjusted() - to.significant + 1)
    # 9.96 has become 10.0: one figure too many
    return _quantise(rounded, rounded.adjusted() - to.significant + 1)


def write(value: Decimal, to: Precision | None = None) -> str:
    """Write a decimal with all its digits, in the style of the limit.

    Examples
    --------
    >>> write(Decimal("9.50E12"), Precision(None, 3, True))
    '9.50E12'
    >>> write(Decimal("1.23E3"), Precision(None, 3, False))
    '1230'
    """
    if not value.is_finite():
        return "∞" if value > 0 else "-∞"
    if not value:
        value = abs(value)  # no minus sign before a zero
    if to is None or (to.exponent is None and to.significant is None):
        value = value.normalize(context=_QUANTISE)
    scientific = to.scientific if to else not -5 <= value.adjusted() < 7
    if not scientific or not value:
        return f"{value:f}"
    digits = "".join(map(str, value.as_tuple().digits))
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{'-' if value < 0 else ''}{mantissa}E{value.adjusted()}"


def exponent_of(value: Decimal) -> int:
    """Return the power of ten of the last digit of a finite decimal."""
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _quantise(value: Decimal, exponent: int) -> Decimal:
    return value.quantize(_quantum(exponent), None, _QUANTISE)


@lru_cache(maxsize=2048)
def _quantum(exponent: int) -> Decimal:
    return Decimal((0, (1,), exponent))
