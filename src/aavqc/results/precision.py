"""A procedure's precision as its validation stated it, put on a result as its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

from aavqc.attributes import Attribute
from aavqc.errors import AavqcError, SpecificationError
from aavqc.quantities import match_number, parse_unit
from aavqc.results.limits import Grammar, conversion

COVERAGE = 0.95
"""Of the interval that a stated precision becomes."""

_EXPECTED = "SD with its unit or RSD in %, such as SD 2.5 % or RSD 8 %"


@dataclass(frozen=True, slots=True)
class StatedPrecision:
    """Intermediate precision of a reportable value (ICH Q2): an SD, or an SD over the value.

    Attributes
    ----------
    sd : float
        In ``unit``; a fraction where it is relative.
    relative : bool
    unit : str or None
        Of an SD; None is the attribute's.
    """

    sd: float
    relative: bool
    unit: str | None = None


def parse_precision(text: str, grammar: Grammar | None = None) -> StatedPrecision:
    """Read ``SD 2.5 %`` (points of the attribute's unit) or ``RSD 8 %`` (of the value).

    Examples
    --------
    >>> parse_precision("RSD 8 %")
    StatedPrecision(sd=0.08, relative=True, unit=None)
    """
    grammar = grammar or Grammar()
    word, _, rest = text.strip().partition(" ")
    if word not in ("SD", "RSD"):
        raise SpecificationError("not a precision", expected=_EXPECTED, found=repr(text))
    try:
        number, unit_text = match_number(rest, grammar.decimal)
        unit = parse_unit(unit_text, grammar.aliases) if unit_text else None
    except AavqcError as error:
        raise SpecificationError(error.message, expected=_EXPECTED, found=repr(text)) from error
    sd, relative = float(number.value), word == "RSD"
    if not 0 < sd < math.inf or (relative and (unit != "%" or sd > 100)):
        raise SpecificationError("not a precision", expected=_EXPECTED, found=repr(text))
    return StatedPrecision(sd / 100, True) if relative else StatedPrecision(sd, False, unit)


def with_precision(attribute: Attribute, stated: StatedPrecision) -> Attribute:
    """Return the attribute with an interval of scope ``procedure``.

    An RSD gives an interval that is symmetric on the logarithm of the value. A censored value
    has no interval, and a value that is not above 0 none from an RSD.

    Examples
    --------
    >>> full = Attribute(name="percent_full", technique="auc", value=80.0, unit="%")
    >>> print(with_precision(full, StatedPrecision(2.0, False, "%")))
    percent_full 80 % (95 % CI 76.08–83.92, scope: procedure)
    """
    if attribute.qualifier is not None or (stated.relative and attribute.value <= 0):
        return attribute
    z = NormalDist().inv_cdf(0.5 + COVERAGE / 2)
    if stated.relative:
        factor = math.exp(z * math.sqrt(math.log1p(stated.sd**2)))
        low, high = attribute.value / factor, attribute.value * factor
    else:
        unit = stated.unit or attribute.unit
        half = z * stated.sd * float(conversion(unit, attribute.unit))
        low, high = attribute.value - half, attribute.value + half
    return replace(attribute, ci_low=low, ci_high=high, coverage=COVERAGE, scope="procedure")
