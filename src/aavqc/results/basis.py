"""The basis on which a limit judges: its unit, or a share of the label strength."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from aavqc.attributes import Attribute
from aavqc.errors import UnitError
from aavqc.quantities import UNITS
from aavqc.results.limits import Limit, conversion
from aavqc.results.replicates import Extent, extent
from aavqc.results.rounding import CONTEXT, exact, fifteen

OF_LABEL = "% of label"
_ONE = Decimal(1)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Basis:
    """What a test's values are converted to before they are judged.

    Attributes
    ----------
    test, attribute : str
        For errors.
    unit : str
        In which values are judged and shown; may be ``% of label``.
    measured_in : str
        The unit to which every value is converted first.
    strength : Decimal or None
        Label strength in ``measured_in``.
    """

    test: str
    attribute: str
    unit: str
    measured_in: str
    strength: Decimal | None

    def extent(self, attribute: Attribute) -> Extent:
        """Return where an attribute lies."""
        value = extent(attribute, self._factor(attribute.unit))
        if self.strength is None:
            return value
        return value._replace(low=_share(value.low, self.strength), high=_share(value.high, self.strength))

    def number(self, value: float, unit: str) -> float | None:
        """Return a plain number such as the end of an interval, None beyond what floats hold."""
        if unit == self.unit:
            return value
        scaled = CONTEXT.multiply(exact(value), self._factor(unit) or _ONE)
        return plain(scaled if self.strength is None else _share(scaled, self.strength))

    def rescaled(self, value: Extent, to: Limit) -> Extent:
        """Return a judged value on the basis of another limit of the same test."""
        if (self.strength is None) != (to.label is None):
            raise UnitError(
                f"test {self.test}: the limits need one basis", expected=self.unit, found=repr(to.text)
            )
        if to.label or to.unit is None or to.unit == self.unit:
            return value
        factor = _factor(self.unit, to.unit, self.test, self.attribute)
        low, high = (CONTEXT.multiply(end, factor) for end in (value.low, value.high))
        return value._replace(low=low, high=high)

    def _factor(self, unit: str) -> Decimal | None:
        return (
            None if unit == self.measured_in else _factor(unit, self.measured_in, self.test, self.attribute)
        )


@lru_cache(maxsize=4096)
def basis_of(limit: Limit, unit: str, test: str, attribute: str) -> Basis:
    """Return the basis on which a limit judges attributes whose first has the unit ``unit``."""
    if limit.label is None:
        to = limit.unit or unit
        return Basis(test, attribute, to, to, None)
    strength, label_unit = limit.label
    return Basis(test, attribute, OF_LABEL, label_unit or unit, strength)


def plain(value: Decimal) -> float | None:
    """Return the float, None where the number is beyond what floats hold."""
    number = float(value)
    return number if math.isfinite(number) else None


def _share(value: Decimal, strength: Decimal) -> Decimal:
    return fifteen(CONTEXT.divide(CONTEXT.multiply(value, _HUNDRED), strength))


@lru_cache(maxsize=1024)
def _factor(unit: str, to: str, test: str, attribute: str) -> Decimal:
    if UNITS[unit][0] != UNITS[to][0]:
        raise UnitError(
            f"test {test}: the unit of the limit does not fit {attribute}",
            expected=f"{UNITS[unit][0]} ({unit})",
            found=f"{UNITS[to][0]} ({to})",
        )
    return conversion(unit, to)
