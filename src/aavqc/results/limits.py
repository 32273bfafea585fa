"""Limits: the written text of an acceptance criterion, read once.

A limit keeps its text, and from its digits takes the precision to which values are
rounded. It is never itself rounded and never a float.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Literal

from aavqc.errors import SpecificationError, UsageError
from aavqc.quantities import Number, convert, match_number, parse_unit
from aavqc.results.rounding import CONTEXT, Precision, Rule, exponent_of, precision

MAX_DIGITS = 40
"""Longest number that a limit may hold: beyond it is a slip, not a criterion."""

_OPERATOR = re.compile(r"(NLT|NMT|>=|<=|≥|≤|>|<)\s*")
_LOWER = {"NLT": True, "≥": True, ">=": True, ">": False}
_UPPER = {"NMT": True, "≤": True, "<=": True, "<": False}
_SEPARATOR = re.compile(r"\s*(–|-|\bto\b|±|\+/-)\s*")
_UNIT_BEFORE = re.compile(r"(?P<unit>[^–±]*?)(?=\s*(?:–|-|\bto\b|±|\+/-))")
_EXPECTED = "such as NLT 70.0 %, NMT 5, 95.0 – 105.0 %, 4700 ± 10 %, one of: a; b, conforms, report"


@dataclass(frozen=True, slots=True)
class Side:
    """One bound of a limit.

    Attributes
    ----------
    value : Decimal
    closed : bool
        Whether the bound itself conforms.
    precision : Precision
        To what a value is rounded before it is compared with this bound.
    """

    value: Decimal
    closed: bool
    precision: Precision


@dataclass(frozen=True, slots=True)
class Limit:
    """An acceptance criterion.

    Attributes
    ----------
    kind : {'range', 'one of', 'conforms', 'report'}
    text : str
        As written.
    low, high : Side or None
    unit : str or None
        None: the attribute's.
    accepted : tuple of str
        What conforms, of a categorical limit.
    label : tuple of (Decimal, str or None) or None
        The label strength and its unit where the limit is in % of label.
    in_percent : Limit or None
        The other reading of ``N ± N %``: points of per cent, for attributes in %.
    """

    kind: Literal["range", "one of", "conforms", "report"]
    text: str
    low: Side | None = None
    high: Side | None = None
    unit: str | None = None
    accepted: tuple[str, ...] = ()
    label: tuple[Decimal, str | None] | None = None
    in_percent: Limit | None = None

    def __hash__(self) -> int:
        """Hash the text alone: it stands for nearly all of the rest, and its hash is kept."""
        return hash(self.text)

    @property
    def numeric(self) -> bool:
        """Whether it judges numbers."""
        return self.kind == "range"


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a specification declares about its numbers.

    Attributes
    ----------
    rule : {'usp', 'pheur', 'none'}
    decimal_places : int or None
        See :func:`aavqc.results.rounding.precision`.
    decimal : {'.', ','}
        The decimal separator.
    aliases : mapping of str to str, optional
        Further spellings of units.
    """

    rule: Rule = "usp"
    decimal_places: int | None = None
    decimal: str = "."
    aliases: Mapping[str, str] | None = None


def parse_limit(text: str, grammar: Grammar | None = None, label: str | None = None) -> Limit:
    """Read the text of a limit.

    Parameters
    ----------
    text : str
        ``NLT N [unit]`` (also NMT, ≥, >, ≤, <, >=, <=); ``N – N [unit]`` (also hyphen,
        ``to``; closed); ``(N, N)``, ``[N, N)`` (round: open); ``N ± N [unit]``, or ``%`` of
        the target (for an attribute in %: points of per cent); any of them in ``% of label``;
        ``one of: a; b``; ``conforms``; ``report``.
    grammar : Grammar, optional
    label : str, optional
        The label strength with its unit.

    Raises
    ------
    SpecificationError, UsageError, UnitError
        The text is no limit; a number or unit in it can't be read.

    Examples
    --------
    >>> limit = parse_limit("4700 ± 10 %")
    >>> limit.low.value, limit.high.value
    (Decimal('4230'), Decimal('5170'))
    """
    grammar = grammar or Grammar()
    words = text.strip()
    if words in ("conforms", "report"):
        return Limit(words, text)  # type: ignore[arg-type]
    if words.startswith("one of:"):
        accepted = tuple(option.strip() for option in words[7:].split(";"))
        if not all(accepted):
            raise SpecificationError("an option is empty", expected="one of: a; b", found=repr(text))
        return Limit("one of", text, accepted=accepted)
    of_label = words.endswith("of label")
    limit = _range(words.removesuffix("of label").strip() if of_label else words, text, grammar)
    return _of_label(limit, label, grammar) if of_label else limit


def _range(words: str, text: str, grammar: Grammar) -> Limit:
    if not words:
        raise SpecificationError("no limit", expected=_EXPECTED, found=repr(text))
    if operator := _OPERATOR.match(words):
        number, rest = _number(words[operator.end() :], grammar)
        unit = _unit(rest, grammar)
        sign = operator[1]
        if sign in _LOWER:
            return Limit("range", text, low=_side(number, _LOWER[sign], grammar), unit=unit)
        return Limit("range", text, high=_side(number, _UPPER[sign], grammar), unit=unit)
    if words[0] in "([":
        return _bracketed(words, text, grammar)
    if words[0].isalpha():
        raise SpecificationError(
            "neither a number nor a word of limits", expected=_EXPECTED, found=repr(text)
        )
    first, rest = _number(words, grammar)
    before = _UNIT_BEFORE.match(rest)
    if before is None:
        raise SpecificationError("not a limit", expected=_EXPECTED, found=repr(text))
    rest = rest[before.end() :]
    separator = _SEPARATOR.match(rest)
    if separator is None:
        raise SpecificationError("not a limit", expected=_EXPECTED, found=repr(text))
    second, after = _number(rest[separator.end() :], grammar)
    units = _unit(before["unit"], grammar), _unit(after, grammar)
    if second.scientific and not first.scientific and first.value != 0:
        raise SpecificationError(
            "a power of ten behind the second number alone", expected="it behind both", found=repr(text)
        )
    if separator[1] in ("±", "+/-"):
        return _around(first, second, units, text, grammar)
    if None not in units and units[0] != units[1]:
        raise SpecificationError("two units in one limit", expected="one unit", found=repr(text))
    low, high = _side(first, True, grammar), _side(second, True, grammar)
    return _ordered(Limit("range", text, low, high, units[1] or units[0]))


def _bracketed(words: str, text: str, grammar: Grammar) -> Limit:
    first, rest = _number(words[1:], grammar)
    if rest[:1] not in (",", ";"):
        raise SpecificationError("not an interval", expected="such as (1.0, 2.0) %", found=repr(text))
    second, rest = _number(rest[1:], grammar)
    if rest[:1] not in (")", "]"):
        raise SpecificationError("not an interval", expected="a bracket at its end", found=repr(text))
    low = _side(first, words[0] == "[", grammar)
    high = _side(second, rest[0] == "]", grammar)
    return _ordered(Limit("range", text, low, high, _unit(rest[1:], grammar)))


def _around(
    target: Number, tolerance: Number, units: tuple[str | None, str | None], text: str, grammar: Grammar
) -> Limit:
    """Return target ± tolerance; a tolerance in % is a share of the target."""
    if tolerance.value < 0:
        raise SpecificationError("the tolerance is negative", found=repr(text))
    before, after = units
    points = _spread(target, tolerance, tolerance.value, after or before, text, grammar)
    if after != "%" or before == "%":
        if before is not None and after is not None and before != after:
            raise SpecificationError("two units in one limit", expected="one unit, or %", found=repr(text))
        return points
    share = CONTEXT.multiply(target.value.copy_abs(), tolerance.value.scaleb(-2, context=CONTEXT))
    limit = _spread(target, None, share, before, text, grammar)
    return limit if before is not None else replace(limit, in_percent=points)


def _spread(
    target: Number, tolerance: Number | None, width: Decimal, unit: str | None, text: str, grammar: Grammar
) -> Limit:
    sides = []
    for value in (CONTEXT.subtract(target.value, width), CONTEXT.add(target.value, width)):
        sides.append(_side(_computed(value, target, tolerance), True, grammar))
    return _ordered(Limit("range", text, sides[0], sides[1], unit))


def _computed(value: Decimal, target: Number, tolerance: Number | None) -> Number:
    """Write a computed bound exactly, with at least the digits of the numbers it came from."""
    bare = value.normalize(context=CONTEXT)
    if target.scientific:
        figures = max(target.significant, len(bare.as_tuple().digits))
        last = bare.adjusted() - figures + 1
    else:
        given = [exponent_of(n.value) for n in (target, tolerance) if n is not None and not n.scientific]
        last = min(exponent_of(bare), 0, *given)
    if bare.adjusted() - last >= MAX_DIGITS:
        raise SpecificationError("a tolerance too large or too small for its target", found=target.text)
    written = bare.quantize(Decimal((0, (1,), last)), context=CONTEXT)
    sign, digits, _ = written.as_tuple()
    if target.scientific:
        mantissa = "".join(map(str, digits))
        shown = f"{'-' * sign}{mantissa[0]}.{mantissa[1:] or '0'}E{written.adjusted()}"
        if len(mantissa) == 1:
            shown = shown.replace(".0E", "E")
        return Number(written, shown, True)
    return Number(written, f"{written:f}", False)


def _of_label(limit: Limit, label: str | None, grammar: Grammar) -> Limit:
    if limit.in_percent is not None:
        limit = limit.in_percent
    if limit.unit != "%":
        raise SpecificationError("a share of the label", expected="% of label", found=repr(limit.text))
    if label is None:
        raise SpecificationError("no label strength", expected='label = "1.0E13 vg/mL"', found="none")
    number, rest = _number(label, grammar)
    if number.value <= 0:
        raise SpecificationError("label strength", expected="a number above 0", found=repr(label))
    return replace(limit, label=(number.value, _unit(rest, grammar)))


def conversion(unit: str, to: str) -> Decimal:
    """Return the factor from one unit to another of its dimension, exactly."""
    with localcontext(CONTEXT):
        return convert(Decimal(1), unit, to)


def _number(text: str, grammar: Grammar) -> tuple[Number, str]:
    number, rest = match_number(text, grammar.decimal)
    if len(number.text) > MAX_DIGITS:
        raise UsageError("a number too long", expected=f"at most {MAX_DIGITS} characters")
    return number, rest


def _unit(text: str, grammar: Grammar) -> str | None:
    return parse_unit(text, grammar.aliases) if text.strip() else None


def _side(number: Number, closed: bool, grammar: Grammar) -> Side:
    return Side(number.value, closed, precision(number, grammar.rule, grammar.decimal_places))


def _ordered(limit: Limit) -> Limit:
    low, high = limit.low, limit.high
    if (
        low
        and high
        and (low.value > high.value or (low.value == high.value and not low.closed & high.closed))
    ):
        raise SpecificationError("an empty range", expected="low – high", found=repr(limit.text))
    return limit
