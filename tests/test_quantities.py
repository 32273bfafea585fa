"""One grammar for numbers and units."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aavqc.errors import AavqcError, UnitError, UsageError
from aavqc.quantities import ALIASES, UNITS, convert, match_number, parse_unit

SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@given(
    whole=st.integers(-(10**9), 10**9),
    fraction=st.text("0123456789", max_size=12),
    power=st.one_of(st.none(), st.integers(-99, 99)),
    style=st.sampled_from(["E", "e", "x10^", " × 10^", " x 10^", " × 10super", "*10^"]),
    comma=st.booleans(),
)
def test_numbers_keep_value_and_digits(
    whole: int, fraction: str, power: int | None, style: str, comma: bool
) -> None:
    point = "," if comma else "."
    text = f"{whole}{point + fraction if fraction else ''}"
    if power is not None:
        raised = str(power)
        text += (
            style.replace("super", raised.translate(SUPERSCRIPT)) if "super" in style else f"{style}{raised}"
        )
    number, rest = match_number(f"  {text} ", decimal=point)
    mantissa = Decimal(f"{whole}.{fraction}" if fraction else whole)
    assert number.value == mantissa.scaleb(power or 0)
    assert number.scientific == (power is not None)
    assert number.decimals == len(fraction)
    digits = (str(abs(whole)) + fraction).lstrip("0")
    assert number.significant == max(len(digits), 1)
    assert (number.text, rest) == (text, "")


@pytest.mark.parametrize(
    ("text", "significant", "decimals"),
    [("0.02", 1, 2), ("0.020", 2, 3), ("140", 3, 0), ("1.0E13", 2, 1), ("0.80E13", 2, 2), ("105.0", 4, 1)],
)
def test_digits_as_written(text: str, significant: int, decimals: int) -> None:
    number, rest = match_number(text)
    assert (number.significant, number.decimals, rest) == (significant, decimals, "")


@pytest.mark.parametrize("text", ["", "x", "1.0.0", "1 0", "NaN", "inf", "1e", ".5", "0x10", "1_000", "--1"])
def test_what_is_no_number(text: str) -> None:
    """It is refused, or something is left over, which those that want a number refuse."""
    try:
        _, rest = match_number(text)
    except UsageError:
        return
    assert rest


@pytest.mark.parametrize(("text", "decimal"), [("1,5", "."), ("1.5", ","), ("1,000", ".")])
def test_the_decimal_separator_is_never_guessed(text: str, decimal: str) -> None:
    with pytest.raises(UsageError, match="ambiguous"):
        match_number(text, decimal)


def test_number_and_rest() -> None:
    number, rest = match_number("1.0E13 vg/mL")
    assert (number.value, rest) == (Decimal("1.0E13"), "vg/mL")


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_an_error_of_ours(text: str) -> None:
    try:
        number, _ = match_number(text)
    except AavqcError:
        return
    assert number.value.is_finite()


@pytest.mark.req("SPEC-R16")
def test_genomes_and_capsids_never_mix() -> None:
    with pytest.raises(UnitError):
        convert(Decimal(1), "vg/mL", "cp/mL")
    with pytest.raises(UnitError, match="aliases"):
        parse_unit("GC/mL")
    assert parse_unit("GC/mL", {"GC/mL": "vg/mL"}) == "vg/mL"


def test_every_alias_is_a_unit_and_none_hides_one() -> None:
    assert all(unit in UNITS for unit in ALIASES.values())
    assert not set(ALIASES) & set(UNITS)


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        ("5.2", "MDa", "Da", "5.2E6"),
        ("1.0E10", "vg/µL", "vg/mL", "1.0E13"),
        ("10", "pg/1E9 vg", "ng/1E13 vg", "100"),
        ("4.7", "kb", "nt", "4700"),
        ("1", "nm", "cm", "1E-7"),
    ],
)
def test_conversion_is_exact(value: str, unit: str, to: str, expected: str) -> None:
    assert convert(Decimal(value), unit, to) == Decimal(expected)


@given(st.sampled_from(sorted(UNITS)), st.sampled_from(sorted(UNITS)), st.integers(1, 10**9))
def test_conversion_there_and_back(unit: str, to: str, value: int) -> None:
    if UNITS[unit][0] != UNITS[to][0]:
        with pytest.raises(UnitError):
            convert(Decimal(value), unit, to)
    else:
        assert convert(convert(Decimal(value), unit, to), to, unit) == value


def test_both_micro_signs() -> None:
    assert parse_unit("vg/\u03bcL") == parse_unit("vg/\u00b5L") == parse_unit("vg/uL") == "vg/µL"
