"""The grammar of limits."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aavqc.errors import AavqcError
from aavqc.results.limits import Grammar, Limit, parse_limit


def bounds(limit: Limit) -> tuple[object, ...]:
    low, high = limit.low, limit.high
    return (
        low and (low.value, low.closed),
        high and (high.value, high.closed),
        limit.unit,
    )


D = Decimal


@pytest.mark.req("SPEC-R10")
@pytest.mark.parametrize(
    ("text", "low", "high", "unit"),
    [
        ("NLT 70.0 %", (D("70.0"), True), None, "%"),
        ("≥ 70.0%", (D("70.0"), True), None, "%"),
        (">=70.0 %", (D("70.0"), True), None, "%"),
        ("> 70.0 %", (D("70.0"), False), None, "%"),
        ("NMT 0.020", None, (D("0.020"), True), None),
        ("≤ 5 EU/mL", None, (D(5), True), "EU/mL"),
        ("<= 5 EU/mL", None, (D(5), True), "EU/mL"),
        ("<5 EU/mL", None, (D(5), False), "EU/mL"),
        ("NLT 1.0 × 10¹³ VP/mL", (D("1.0E13"), True), None, "cp/mL"),
        ("95.0 – 105.0 %", (D("95.0"), True), (D("105.0"), True), "%"),
        ("95.0-105.0 %", (D("95.0"), True), (D("105.0"), True), "%"),
        ("95.0 % to 105.0 %", (D("95.0"), True), (D("105.0"), True), "%"),
        ("0.80E13 – 1.30E13 vg/mL", (D("0.80E13"), True), (D("1.30E13"), True), "vg/mL"),
        ("-5 – 5", (D(-5), True), (D(5), True), None),
        ("(1.0, 2.0) %", (D("1.0"), False), (D("2.0"), False), "%"),
        ("[1.0, 2.0)", (D("1.0"), True), (D("2.0"), False), None),
        ("4700 ± 10 %", (D(4230), True), (D(5170), True), None),
        ("4700 nt ± 10 %", (D(4230), True), (D(5170), True), "nt"),
        ("7.4 ± 0.3 pH", (D("7.1"), True), (D("7.7"), True), "pH"),
        ("1.0E13 ± 25 %", (D("7.5E12"), True), (D("1.25E13"), True), None),
    ],
)
def test_r10_grammar(text: str, low: object, high: object, unit: str | None) -> None:
    assert bounds(parse_limit(text)) == (low, high, unit)


def test_a_tolerance_in_per_cent_has_two_readings() -> None:
    limit = parse_limit("80.0 ± 5.0 %")
    assert bounds(limit)[:2] == ((D(76), True), (D(84), True))
    assert limit.in_percent is not None
    assert bounds(limit.in_percent) == ((D("75.0"), True), (D("85.0"), True), "%")


def test_categories_and_label() -> None:
    assert parse_limit("one of: clear; slightly opalescent").accepted == ("clear", "slightly opalescent")
    assert parse_limit("conforms").kind == "conforms"
    assert parse_limit("report").kind == "report"
    assert parse_limit("80 – 120 % of label", label="1.0E13 vg/mL").label == (D("1.0E13"), "vg/mL")
    assert bounds(parse_limit("100 ± 20 % of label", label="2E13 vg/mL"))[:2] == ((80, True), (120, True))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "70.0 %",
        "about 70 %",
        "NLT",
        "NLT seventy",
        "NLT 70.0 furlongs",
        "NLT 1.0E13 GC/mL",
        "NLT 70.0 % or so",
        "105.0 – 95.0 %",
        "(1.0, 1.0)",
        "[1.0; 2.0",
        "4700 ± -10 %",
        "70.0 ± 1E99 nt",
        "70 vg/mL – 80 cp/mL",
        "80 – 120 % of label",
        "80 – 120 vg/mL of label",
        "one of: a;; b",
        "NMT 1,5 %",
        "NMT 0." + "0" * 60 + "1 %",
    ],
)
def test_what_is_no_limit_is_refused(text: str) -> None:
    with pytest.raises(AavqcError) as raised:
        parse_limit(text)
    assert raised.value.exit_code == 2


def test_declared_spellings_and_decimal_comma() -> None:
    grammar = Grammar(decimal=",", aliases={"GC/mL": "vg/mL"})
    assert bounds(parse_limit("NLT 1,0E+13 GC/mL", grammar)) == ((D("1.0E13"), True), None, "vg/mL")
    assert bounds(parse_limit("(1,0; 2,0)", grammar))[:2] == ((D("1.0"), False), (D("2.0"), False))


@given(st.text(alphabet="NLTMNT0123456789.,E+-–±×()[] %tolabefvg/m;:≤≥<>", max_size=30))
def test_any_text_is_a_limit_or_an_error_of_ours(text: str) -> None:
    try:
        limit = parse_limit(text, label="1.0E13 vg/mL")
    except AavqcError:
        return
    assert limit.text == text
    assert limit.kind != "range" or limit.low or limit.high


@given(
    st.decimals(-1000, 1000, places=2),
    st.decimals(0, 1000, places=2),
    st.sampled_from([" – ", "-", " - ", " to ", "–"]),
)
def test_a_written_range_reads_back(low: Decimal, width: Decimal, sign: str) -> None:
    limit = parse_limit(f"{low}{sign}{low + width}")
    assert limit.low
    assert limit.high
    assert (limit.low.value, limit.high.value) == (low, low + width)
