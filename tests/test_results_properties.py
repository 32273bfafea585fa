"""What must hold for any values and limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aavqc.attributes import Attribute
from aavqc.results import Candidate, Specification

NAMES = st.sampled_from(["a", "b", "c"])
VALUES = st.decimals(0, 200, places=3).map(float)
QUALIFIERS = st.sampled_from([None, None, "<", ">", "ND"])


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    found = []
    for i in range(draw(st.integers(0, 7))):
        qualifier = draw(QUALIFIERS)
        attribute = Attribute(
            name=draw(NAMES),
            technique=draw(st.sampled_from(["auc", "auc", "auc", "cdms"])),
            value=draw(VALUES),
            unit="%",
            qualifier=qualifier,
            bound=draw(VALUES) if qualifier else None,
        )
        status = draw(st.sampled_from(["valid"] * 9 + ["invalid"]))
        found.append(Candidate(attribute, f"S{i}", status))  # type: ignore[arg-type]
    return found


@st.composite
def written_tests(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for i in range(draw(st.integers(1, 4))):
        low, width = draw(st.integers(0, 100)), draw(st.integers(0, 100))
        limit = draw(
            st.sampled_from([f"NLT {low}.0", f"NMT {low}.0", f"{low}.0 – {low + width}.0", "report"])
        )
        found.append(
            {
                "id": f"t{i}",
                "attribute": draw(NAMES),
                "limit": limit,
                "aggregate": draw(st.sampled_from(["each", "mean", "geometric_mean", "median"])),
                "required": draw(st.booleans()),
                "replicates": draw(st.sampled_from([{}, {"min": 2}, {"max_cv": "20 %"}])),
            }
        )
    return found


def check(tests: list[dict[str, Any]], given_: list[Candidate]) -> Any:
    return Specification(id="S", version="1", tests=tests).check(given_)


@settings(max_examples=150)
@given(written_tests(), candidates(), st.randoms())
def test_the_order_of_results_and_tests_changes_nothing(
    tests: list[dict[str, Any]], given_: list[Candidate], random: Any
) -> None:
    plain = check(tests, given_)
    shuffled, reordered = list(given_), list(tests)
    random.shuffle(shuffled)
    random.shuffle(reordered)
    again = check(reordered, shuffled)
    assert again.overall == plain.overall
    assert all(again[t["id"]] == plain[t["id"]] for t in tests)


@settings(max_examples=150)
@given(written_tests(), candidates())
def test_a_missing_required_test_never_passes(tests: list[dict[str, Any]], given_: list[Candidate]) -> None:
    missing = {"id": "x", "attribute": "d", "limit": "NLT 0"}
    found = check([*tests, missing], given_)
    assert found["x"].verdict in ("INCOMPLETE", "INVALID")
    assert found.overall in ("OOS", "INVALID", "INDETERMINATE", "INCOMPLETE")
    assert found.exit_code != 0


@settings(max_examples=150)
@given(written_tests(), candidates(), st.sampled_from(["auc", "cdms"]))
def test_an_invalid_sample_marks_every_test_of_its_technique_and_no_other(
    tests: list[dict[str, Any]], given_: list[Candidate], technique: str
) -> None:
    tests = [{**t, "technique": ["auc", "cdms"][i % 2]} for i, t in enumerate(tests)]
    invalid = Candidate(None, "SX", "invalid", technique=technique)
    before, after = check(tests, given_), check(tests, [*given_, invalid])
    for test in tests:
        marked = test["technique"] == technique
        assert after[test["id"]].verdict == ("INVALID" if marked else before[test["id"]].verdict)


@settings(max_examples=200)
@given(
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.integers(0, 100),
    st.integers(0, 100),
    candidates(),
    st.sampled_from(["each", "mean", "geometric_mean", "median"]),
    st.sampled_from(["usp", "none"]),
)
def test_a_wider_limit_never_turns_a_pass_into_anything_else(
    low: int, width: int, down: int, up: int, given_: list[Candidate], how: str, rule: str
) -> None:
    def judged(a: int, b: int) -> str:
        limit = f"{Decimal(a) / 10:.1f} – {Decimal(b) / 10:.1f} %"
        test = {"id": "t", "attribute": "a", "technique": "auc", "limit": limit, "aggregate": how}
        spec = Specification(id="S", version="1", tests=[test], rounding=rule)
        return spec.check(given_)["t"].verdict

    narrow, wide = judged(low, low + width), judged(low - down, low + width + up)
    if narrow == "PASS":
        assert wide == "PASS"
    if wide == "OOS":
        assert narrow == "OOS"


@given(st.integers(0, 10**6), st.integers(0, 3), st.integers(-3, 3), st.sampled_from(["NLT", "NMT"]))
def test_the_float_on_the_way_never_changes_a_verdict(k: int, n: int, near: int, operator: str) -> None:
    """Judge k·10^-n plus some tenths of a unit against k·10^-n, in whole numbers on paper."""
    limit, value = Decimal(k).scaleb(-n), Decimal(k * 10 + near * 5).scaleb(-n - 1)
    rounded = k + {-3: -1, -2: -1, -1: 0, 0: 0, 1: 1, 2: 1, 3: 2}[near]
    if value < 0:
        return
    conforms = rounded >= k if operator == "NLT" else rounded <= k
    text = f"{operator} {limit:.{n}f}"
    found = check(
        [{"id": "t", "attribute": "a", "limit": text}],
        [Candidate(Attribute(name="a", technique="auc", value=float(value), unit="%"))],
    )
    assert found.overall == ("PASS" if conforms else "OOS")
