"""Rounding before the comparison: the pharmacopoeias' own tables and the traps of floats."""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aavqc.attributes import Attribute
from aavqc.quantities import match_number
from aavqc.results import Specification
from aavqc.results.rounding import exact, precision, round_to, write

USP = [
    # limit, value, rounded, verdict: the table of USP General Notices 7.20
    ("NLT 98.0", 97.96, "98.0", "PASS"),
    ("NLT 98.0", 97.92, "97.9", "OOS"),
    ("NLT 98.0", 97.95, "98.0", "PASS"),
    ("NMT 101.5", 101.55, "101.6", "OOS"),
    ("NMT 101.5", 101.46, "101.5", "PASS"),
    ("NMT 101.5", 101.45, "101.5", "PASS"),
    ("NMT 0.02", 0.025, "0.03", "OOS"),
    ("NMT 0.02", 0.015, "0.02", "PASS"),
    ("NMT 0.02", 0.027, "0.03", "OOS"),
    ("NMT 0.0003", 0.00035, "0.0004", "OOS"),
    ("NMT 0.0003", 0.00025, "0.0003", "PASS"),
    ("NMT 0.0003", 0.00028, "0.0003", "PASS"),
]


def judge(limit: str, value: float, **fields: object) -> tuple[str, str | None]:
    test = {"id": "t", "attribute": "a", "limit": limit}
    test |= {k: fields.pop(k) for k in ("decimal_places", "label") if k in fields}
    spec = Specification(id="S", version="1", tests=[test], **fields)
    unit = "vg/mL" if abs(value) > 1e6 else "%"
    verdict = spec.check([Attribute(name="a", technique="auc", value=value, unit=unit)])["t"]
    return verdict.verdict, verdict.rounded


@pytest.mark.req("SPEC-R3")
@pytest.mark.parametrize(("limit", "value", "rounded", "verdict"), USP)
def test_r3_usp_table(limit: str, value: float, rounded: str, verdict: str) -> None:
    assert judge(limit, value) == (verdict, rounded)


@pytest.mark.req("SPEC-R1")
def test_r1_a_limit_is_significant_to_its_last_digit() -> None:
    assert judge("NMT 0.02", 0.0204) == ("PASS", "0.02")
    assert judge("NMT 0.020", 0.0206) == ("OOS", "0.021")


@pytest.mark.req("SPEC-R4")
@pytest.mark.parametrize(
    ("limit", "value", "rounded"),
    [("0.15", 0.145, "0.15"), ("140", 139.5, "140"), ("140", 1234.5, "1230"), ("105.0", 98.28568, "98.29")],
)
def test_r4_ph_eur_rounds_to_significant_figures(limit: str, value: float, rounded: str) -> None:
    to = precision(match_number(limit)[0], "pheur")
    assert write(round_to(exact(value), to), to) == rounded


@pytest.mark.req("SPEC-R4")
def test_r4_the_rule_is_the_specifications() -> None:
    assert judge("NLT 95.0", 94.96, rounding="usp") == ("PASS", "95.0")
    assert judge("NLT 95.0", 94.96, rounding="none") == ("OOS", "94.96")
    # 3 significant figures of 9.996 are 10.0; one decimal place is 10.0 too, of 9.94 it is 9.9
    assert judge("NMT 10.0", 9.996, rounding="pheur") == ("PASS", "10.0")
    # three figures keep 2 decimals below 10: what USP rounds up to 10.0, Ph. Eur. does not
    assert judge("NLT 10.0", 9.96, rounding="usp") == ("PASS", "10.0")
    assert judge("NLT 10.0", 9.96, rounding="pheur") == ("OOS", "9.96")


@pytest.mark.req("SPEC-R5")
def test_r5_floats_that_are_ties_on_paper() -> None:
    assert 1.005 * 100 < 100.5
    assert judge("NMT 100", 1.005 * 100) == ("OOS", "101")
    assert judge("NMT 0.3", 0.1 + 0.2) == ("PASS", "0.3")
    assert judge("NMT 0.3", 0.1 + 0.2, rounding="none") == ("PASS", "0.3")


@pytest.mark.req("SPEC-R6")
@pytest.mark.parametrize(
    ("value", "rounded", "verdict"),
    [
        (9.5e12, "9.5E12", "OOS"),
        (9.96e12, "1.0E13", "PASS"),
        (9.95e12, "1.0E13", "PASS"),
        (9.94e12, "9.9E12", "OOS"),
        (1.04e13, "1.0E13", "PASS"),
    ],
)
def test_r6_a_limit_with_a_power_of_ten_counts_figures_in_the_values_decade(
    value: float, rounded: str, verdict: str
) -> None:
    assert judge("NLT 1.0E13 vg/mL", value) == (verdict, rounded)


@pytest.mark.req("SPEC-R6")
def test_r6_named_decimal_places_win() -> None:
    assert judge("NLT 1.0E13", 9.5e12, decimal_places=1) == ("PASS", "1.0E13")
    assert judge("NLT 1.0E13", 9.4e12, decimal_places=1) == ("OOS", "9E12")
    assert judge("NMT 5", 5.04, decimal_places=1) == ("PASS", "5.0")
    assert judge("NMT 5", 5.05, decimal_places=1) == ("OOS", "5.1")


@pytest.mark.req("SPEC-R5")
@given(
    k=st.integers(-(10**6), 10**6),
    n=st.integers(0, 6),
    ulps=st.integers(-1, 1),
)
def test_r5_a_float_that_comes_near_a_decimal_is_that_decimal(k: int, n: int, ulps: int) -> None:
    """A tie k·10^-n + half a unit, one unit in the last place off, is still a tie."""
    tie = (Fraction(k) + Fraction(1, 2)) / 10**n
    value = float(tie)
    for _ in range(abs(ulps)):
        value = math.nextafter(value, math.copysign(math.inf, ulps))
    limit = match_number(f"{1:.{n}f}")[0]
    rounded = round_to(exact(value), precision(limit, "usp"))
    away = k + 1 if tie > 0 else k
    assert Fraction(rounded) * 10**n == away


@pytest.mark.req("SPEC-R5")
def test_r5_the_callers_decimal_context_changes_nothing() -> None:
    def run() -> object:
        spec = Specification(
            id="S",
            version="1",
            tests=[
                {"id": "a", "attribute": "m", "limit": "3.7 – 5.5 MDa", "aggregate": "geometric_mean"},
                {"id": "b", "attribute": "t", "limit": "80 – 120 % of label", "label": "1.05E13 vg/mL"},
                {"id": "c", "attribute": "n", "limit": "4712 ± 10 %"},
            ],
        )
        return spec.check(
            [
                Attribute(name="m", technique="x", value=3745678.123456, unit="Da"),
                Attribute(name="m", technique="x", value=3645678.123456, unit="Da"),
                Attribute(name="t", technique="x", value=1.0123456789e13, unit="vg/mL"),
                Attribute(name="n", technique="x", value=5183.2, unit="nt"),
            ]
        ).model_dump()

    plain = run()
    with localcontext() as context:
        context.prec, context.rounding, context.capitals = 3, ROUND_DOWN, 0
        assert run() == plain


def test_write_keeps_every_digit_that_counts() -> None:
    assert write(Decimal("-9.50E12"), precision(match_number("1.00E13")[0], "usp")) == "-9.50E12"
    assert write(Decimal("5E12"), precision(match_number("1E13")[0], "usp")) == "5E12"
    assert write(Decimal("98.0"), precision(match_number("98.0")[0], "usp")) == "98.0"
    assert write(Decimal("61.20")) == "61.2"
