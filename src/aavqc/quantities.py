"""One grammar for numbers and units, and the closed table of units.

A number keeps its digits as written: a limit ``0.02`` and a limit ``0.020`` judge
differently. A unit belongs to exactly one dimension, and only units of one
dimension convert. Vector genomes (vg) and capsid particles (cp) are two
dimensions: they never mix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from aavqc.errors import UnitError, UsageError, nearest

UNITS: dict[str, tuple[str, Decimal]] = {
    symbol: (dimension, Decimal(factor))
    for dimension, table in {
        "percent": {"%": "1"},
        "ratio": {"1": "1"},
        "vector genomes per volume": {"vg/mL": "1", "vg/µL": "1E3", "vg/L": "1E-3"},
        "capsids per volume": {"cp/mL": "1", "cp/µL": "1E3", "cp/L": "1E-3"},
        "copies per volume": {"copies/µL": "1", "copies/mL": "1E-3"},
        "infectious units per volume": {"IU/mL": "1"},
        "transducing units per volume": {"TU/mL": "1"},
        "endotoxin per volume": {"EU/mL": "1"},
        "colonies per volume": {"CFU/mL": "1"},
        "capsids per genome": {"cp/vg": "1"},
        "genomes per capsid": {"vg/cp": "1"},
        "genomes per infectious unit": {"vg/IU": "1"},
        "copies per genome": {"copies/vg": "1"},
        "mass per volume": {"pg/mL": "1E-12", "ng/mL": "1E-9", "µg/mL": "1E-6", "mg/mL": "1E-3"},
        "mass per genomes": {"ng/1E13 vg": "1", "pg/1E9 vg": "10"},
        "mass per dose": {"ng/dose": "1", "pg/dose": "1E-3", "µg/dose": "1E3"},
        "sedimentation": {"S": "1"},
        "nucleotides": {"nt": "1", "kb": "1E3"},
        "particle mass": {"Da": "1", "kDa": "1E3", "MDa": "1E6"},
        "charge": {"e": "1"},
        "absorbance": {"OD": "1"},
        "fringes": {"fringes": "1"},
        "fluorescence": {"FU": "1"},
        "length": {"nm": "1E-7", "µm": "1E-4", "cm": "1"},
        "volume": {"nL": "1E-6", "µL": "1E-3", "mL": "1"},
        "temperature": {"°C": "1"},
        "acidity": {"pH": "1"},
        "osmolality": {"mOsm/kg": "1"},
        "particles per container": {"#/container": "1"},
    }.items()
    for symbol, factor in table.items()
}
"""Symbol → (dimension, factor to the dimension's own scale). Closed: nothing else is a unit."""

ALIASES = {
    "VP/mL": "cp/mL",
    "vp/mL": "cp/mL",
    "percent": "%",
    "fringe": "fringes",
    "Svedberg": "S",
    **{unit.replace("µ", "u"): unit for unit in UNITS if "µ" in unit},
}
"""Other spellings that mean the same beyond doubt. GC/mL and gc/mL are no such spelling:
a specification that uses them declares what it means by them."""

_MICRO = str.maketrans({"\u03bc": "µ"})  # Greek mu, micro sign
_SUPERSCRIPT = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_NUMBER = re.compile(
    r"(?P<mantissa>[+-]?\d+(?:[.,]\d+)?)"
    r"(?:[eE](?P<e>[+-]?\d{1,3})|\s*[×x*]\s*10(?:\^(?P<p>[+-]?\d{1,3})|(?P<s>[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3})))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal number with the digits in which it was written.

    Attributes
    ----------
    value : Decimal
    text : str
        As written, trimmed.
    scientific : bool
        Written with a power of ten.
    """

    value: Decimal
    text: str
    scientific: bool

    @property
    def decimals(self) -> int:
        """Digits behind the decimal point as written (of the mantissa: see ``exponent``)."""
        _, _, fraction = re.split(r"[eE×x*\s]", self.text)[0].replace(",", ".").partition(".")
        return len(fraction)

    @property
    def significant(self) -> int:
        """Significant figures as written; zeros at the end count (140 has three)."""
        digits = re.split(r"[eE×x*\s]", self.text)[0].lstrip("+-").replace(",", "").replace(".", "")
        return max(len(digits.lstrip("0")), 1)

    def __str__(self) -> str:
        return self.text


def match_number(text: str, decimal: str = ".") -> tuple[Number, str]:
    """Read the number at the start of a text and return it with the rest.

    Parameters
    ----------
    text : str
        ``1.0E13``, ``1.0 × 10¹³``, ``1.0x10^13``; ``1,0E+13`` where ``decimal`` is a comma.
    decimal : {'.', ','}
        The decimal separator of the text's locale. It is never guessed.

    Examples
    --------
    >>> number, rest = match_number("1.0 × 10¹³ vg/mL")
    >>> number.value, number.significant, rest
    (Decimal('1.0E+13'), 2, 'vg/mL')
    """
    stripped = text.strip()
    match = _NUMBER.match(stripped)
    if not match:
        raise UsageError("not a number", expected="a number such as 1.0E13", found=repr(stripped))
    mantissa = match["mantissa"]
    other = "," if decimal == "." else "."
    if other in mantissa:
        raise UsageError(
            "ambiguous decimal separator",
            expected=f"{decimal!r} as the decimal separator",
            found=repr(match[0]),
            hint="declare the locale, or write the number without it",
        )
    power = match["e"] or match["p"] or (match["s"] or "").translate(_SUPERSCRIPT)
    value = Decimal(mantissa.replace(",", ".") + (f"E{power}" if power else ""))
    return Number(value, match[0].strip(), bool(power)), stripped[match.end() :].strip()


def parse_unit(text: str, aliases: Mapping[str, str] | None = None) -> str:
    """Return the symbol of a unit in the closed table.

    Parameters
    ----------
    text : str
    aliases : mapping, optional
        Spellings that the caller declares, such as ``{"GC/mL": "vg/mL"}``.

    Examples
    --------
    >>> parse_unit("VP/mL")
    'cp/mL'
    """
    unit = text.strip().translate(_MICRO)
    unit = (aliases or {}).get(unit, unit)
    unit = ALIASES.get(unit, unit)
    if unit not in UNITS:
        hint = (
            'declare it: aliases = { "GC/mL" = "vg/mL" }'
            if unit.lower().startswith("gc/")
            else nearest(unit, list(UNITS))
        )
        raise UnitError("unknown unit", expected="a unit of the table", found=repr(text), hint=hint)
    return unit


def convert(value: Decimal, unit: str, to: str) -> Decimal:
    """Convert exactly between two units of one dimension.

    Examples
    --------
    >>> convert(Decimal("5.2"), "MDa", "kDa")
    Decimal('5.2E+3')
    """
    (dimension, factor), (wanted, divisor) = UNITS[unit], UNITS[to]
    if dimension != wanted:
        raise UnitError("units do not convert", expected=f"{wanted} ({to})", found=f"{dimension} ({unit})")
    with localcontext(Context(prec=50)):  # never the caller's precision
        return value if factor == divisor else value * (factor / divisor)
