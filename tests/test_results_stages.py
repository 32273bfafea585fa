"""Tests in stages, tests that apply on a condition, quotients, results with their bound included (R7, R9)."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from aavqc.attributes import Attribute
from aavqc.errors import SpecificationError
from aavqc.results import Candidate, Evaluation, Observation, Specification, load_results


def spec(*tests: dict[str, Any]) -> Specification:
    return Specification.model_validate({"id": "S", "version": "1", "status": "approved", "tests": tests})


def result(name: str, value: float, unit: str = "%", n: int = 1, **more: Any) -> Candidate:
    return Candidate(
        Attribute(name=name, technique="auc", value=value, unit=unit, **more), "S1", replicate=str(n)
    )


def units(*values: float) -> list[Candidate]:
    return [result("dissolved", value, n=i) for i, value in enumerate(values)]


# USP <711> with Q = 75 %: S1 six, each NLT Q + 5; S2 twelve, mean NLT Q, none below Q - 15; S3 twenty-four,
# mean NLT Q, at most two below Q - 15, none below Q - 25.
STAGED = {
    "id": "dissolution",
    "attribute": "dissolved",
    "limit": "NLT 80 %",
    "replicates": {"min": 6},
    "stages": [
        {"n": 12, "criteria": [{"limit": "NLT 75 %", "aggregate": "mean"}, {"limit": "NLT 60 %"}]},
        {
            "n": 24,
            "criteria": [
                {"limit": "NLT 75 %", "aggregate": "mean"},
                {"limit": "NLT 60 %", "outside": 2},
                {"limit": "NLT 50 %"},
            ],
        },
    ],
}


@pytest.mark.req("SPEC-R9")
@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([80.0] * 6, "PASS"),
        ([80.0] * 5, "INCOMPLETE"),
        ([80.0] * 5 + [79.0], "INCOMPLETE"),  # S1 not met: go on to S2
        ([80.0] * 6 + [79.0], "INCOMPLETE"),  # no stage has seven
        ([80.0] * 11 + [60.0], "PASS"),
        ([80.0] * 11 + [59.0], "INCOMPLETE"),  # S2 not met: go on to S3
        ([75.0] * 11 + [74.0], "PASS"),  # mean 74.9 rounds to 75
        ([74.0] * 12, "INCOMPLETE"),
        ([80.0] * 22 + [59.0, 50.0], "PASS"),
        ([80.0] * 21 + [59.0, 59.0, 50.0], "OOS"),
        ([80.0] * 23 + [49.0], "OOS"),
        ([74.0] * 24, "OOS"),
        ([80.0] * 25, "INCOMPLETE"),
    ],
)
def test_stages_are_those_of_usp_711(values: list[float], verdict: str) -> None:
    evaluation = spec(STAGED).check(units(*values))
    assert evaluation["dissolution"].verdict == verdict
    assert evaluation["dissolution"].n == len(values)


@pytest.mark.req("SPEC-R9")
def test_a_stage_says_what_comes_next_and_by_what_it_was_judged() -> None:
    first = spec(STAGED).check(units(*[80.0] * 5, 79.0))["dissolution"]
    assert first.reason.endswith("S1 is not met: S2 needs 12 results in all")
    third = spec(STAGED).check(units(*[80.0] * 22, 59.0, 50.0))["dissolution"]
    assert third.limit == "mean NLT 75 %; NLT 60 % for all but 2; NLT 50 %"
    assert "2 of 24 outside NLT 60 %, at most 2 may be" in [step.text for step in third.trace]
    assert len(third.sources) == 24


@pytest.mark.req("SPEC-R9")
def test_a_censored_result_may_be_one_of_those_outside_but_never_passes_unseen() -> None:
    below = [
        result("dissolved", 70.0, n=100 + i, qualifier="<", bound=70.0) for i in range(3)
    ]  # may be 0, may be 69.9
    assert spec(STAGED).check(units(*[80.0] * 21) + below)["dissolution"].verdict == "INDETERMINATE"


def depends(when: str) -> Specification:
    return spec(
        {"id": "partial", "attribute": "percent_partial", "limit": "report"},
        {
            "id": "integrity",
            "attribute": "intact",
            "limit": "NLT 80.0 %",
            "when": {"test": "partial", "limit": when},
        },
    )


@pytest.mark.req("SPEC-R9")
@pytest.mark.parametrize(
    ("partial", "intact", "verdict", "code"),
    [
        (12.0, 85.0, "PASS", "applies"),
        (12.0, 75.0, "OOS", "applies"),
        (12.0, None, "INCOMPLETE", "applies"),
        (10.0, 75.0, "REPORTED", "not_applicable"),
        (10.04, None, "REPORTED", "not_applicable"),  # rounds to 10.0, which is not above it
        (None, 85.0, "INCOMPLETE", "condition"),
    ],
)
def test_a_test_applies_where_another_result_says_so(
    partial: float | None, intact: float | None, verdict: str, code: str
) -> None:
    given = [
        result(name, value)
        for name, value in (("percent_partial", partial), ("intact", intact))
        if value is not None
    ]
    found = depends("> 10.0 %").check(given)["integrity"]
    assert (found.verdict, found.trace[0].code) == (verdict, code)


@pytest.mark.req("SPEC-R9")
def test_a_condition_on_a_censored_result_is_indeterminate_and_one_in_words_is_read() -> None:
    censored = result("percent_partial", 15.0, qualifier="<", bound=15.0)
    assert depends("> 10.0 %").check([censored])["integrity"].verdict == "INDETERMINATE"
    words = Candidate(Observation(name="percent_partial", technique="visual", text="cloudy"), "S1")
    assert depends("one of: cloudy").check([words, result("intact", 85.0)])["integrity"].verdict == "PASS"


QUOTIENT = (
    {"id": "cp", "attribute": "cp_titer", "limit": "report", "aggregate": "geometric_mean"},
    {"id": "vg", "attribute": "vg_titer", "limit": "report"},
    {"id": "ratio", "attribute": "cp_vg_ratio", "limit": "NMT 5.0 cp/vg", "quotient": ("cp", "vg")},
)


def titers(cp: float, vg: float, **more: Any) -> list[Candidate]:
    return [result("cp_titer", cp, "cp/mL", **more), result("vg_titer", vg, "vg/mL", **more)]


@pytest.mark.req("SPEC-R9")
def test_a_quotient_is_judged_like_any_value() -> None:
    assert spec(*QUOTIENT).check(titers(5.04e13, 1e13))["ratio"].verdict == "PASS"  # 5.04 rounds to 5.0
    over = spec(*QUOTIENT).check(titers(5.06e13, 1e13))["ratio"]
    assert (over.verdict, over.rounded, over.unit, over.technique) == ("OOS", "5.1", "cp/vg", "computed")
    assert [source.value for source in over.sources] == [5.06e13, 1e13]
    in_litres = [result("cp_titer", 5.04e13, "cp/mL"), result("vg_titer", 1e10, "vg/µL")]
    assert spec(*QUOTIENT).check(in_litres)["ratio"].aggregated == pytest.approx(5.04, rel=1e-12)


@pytest.mark.req("SPEC-R9")
def test_the_interval_of_a_quotient_combines_both_on_the_logarithm() -> None:
    given = [
        result(name, value, unit, ci_low=value / 1.2, ci_high=value * 1.2, coverage=0.95, scope="procedure")
        for name, value, unit in (("cp_titer", 4e13, "cp/mL"), ("vg_titer", 1e13, "vg/mL"))
    ]
    found = spec(*QUOTIENT).check(given)["ratio"]
    factor = math.exp(math.sqrt(2) * math.log(1.2))
    assert (found.ci_low, found.ci_high) == pytest.approx((4 / factor, 4 * factor), rel=1e-9)
    assert (found.coverage, found.scope) == (0.95, "procedure")


@pytest.mark.req("SPEC-R9")
@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (titers(4e13, 1e13)[:1], "INCOMPLETE"),
        (titers(4e13, 1e13, qualifier="<", bound=1e13), "INDETERMINATE"),
        (titers(4e13, 0.0), "INDETERMINATE"),
        (
            [*titers(4e13, 1e13), result("vg_titer", 2e13, "vg/mL", n=2)],
            "INDETERMINATE",
        ),  # each: no one value
        ([result("cp_titer", 4e13, "cp/mL"), result("vg_titer", 50.0, "%")], "INDETERMINATE"),
    ],
)
def test_a_quotient_of_what_is_no_number_never_passes(given: list[Candidate], verdict: str) -> None:
    assert spec(*QUOTIENT).check(given)["ratio"].verdict == verdict


@pytest.mark.req("SPEC-R9")
def test_their_order_of_results_changes_nothing() -> None:
    for given in itertools.permutations(titers(4e13, 1e13)):
        evaluation = spec(*QUOTIENT).check(list(given))
        assert evaluation["ratio"].rounded == "4.0"
        assert Evaluation.model_validate(evaluation.model_dump(mode="json", by_alias=True)) == evaluation


@pytest.mark.req("SPEC-R9")
@pytest.mark.parametrize(
    ("test", "key"),
    [
        ({"when": {"test": "later", "limit": "> 1"}}, "when.test"),
        ({"when": {"test": "a", "limit": "report"}}, "when.limit"),
        ({"when": {"test": "a", "limit": "soon"}}, "when"),
        ({"quotient": ("a", "later")}, "quotient"),
        ({"quotient": ("a", "a"), "technique": "auc"}, "quotient"),
        ({"stages": [{"n": 2, "criteria": [{"limit": "report"}]}]}, "stages.0.criteria.0"),
        ({"stages": [{"n": 2, "criteria": [{"limit": "80"}]}]}, "stages.0.criteria.0.limit"),
        (
            {"stages": [{"n": 2, "criteria": [{"limit": "NMT 1", "aggregate": "mean", "outside": 1}]}]},
            "stages.0.criteria.0.outside",
        ),
        (
            {
                "stages": [
                    {"n": 3, "criteria": [{"limit": "NMT 1"}]},
                    {"n": 3, "criteria": [{"limit": "NMT 1"}]},
                ]
            },
            "stages.1.n",
        ),
    ],
)
def test_what_can_not_be_used_is_named(test: dict[str, Any], key: str) -> None:
    with pytest.raises(SpecificationError, match=rf"tests\.1\.{key}"):
        spec(
            {"id": "a", "attribute": "a", "limit": "report"},
            {"id": "b", "attribute": "b", "limit": "NMT 5", **test},
        )


@pytest.mark.req("SPEC-R7")
@pytest.mark.parametrize(
    ("limit", "at_most", "at_least"),
    [  # a result of ≤5 or ≥5: that it may be 5 itself is what an open limit and the other side turn on
        ("NMT 5 %", "PASS", "INDETERMINATE"),
        ("< 5 %", "INDETERMINATE", "OOS"),
        ("NLT 5 %", "INDETERMINATE", "PASS"),
        ("> 5 %", "OOS", "INDETERMINATE"),
        ("NMT 4 %", "INDETERMINATE", "OOS"),
        ("NLT 6 %", "OOS", "INDETERMINATE"),
        ("NMT 6 %", "PASS", "INDETERMINATE"),
        ("report", "REPORTED", "REPORTED"),
    ],
)
def test_a_result_may_include_its_bound(limit: str, at_most: str, at_least: str) -> None:
    one = spec({"id": "a", "attribute": "a", "limit": limit})
    for sign, verdict in (("≤", at_most), ("≥", at_least)):
        found = one.check([result("a", 5.0, qualifier=sign, bound=5.0)])["a"]
        assert (found.verdict, found.rounded) == (verdict, f"{sign}5")


@pytest.mark.req("SPEC-R7")
def test_signs_are_read_in_both_spellings(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    rows = [f"L,S{i},hcp,elisa,{text},ng/mL" for i, text in enumerate(["<=5", "≤ 5", ">=5", "≥5", "<5"])]
    path.write_text("\n".join(["lot,sample_id,attribute,technique,value,unit", *rows]), encoding="utf-8")
    found = [c.attribute for c in load_results(path)["L"]]
    assert [a.qualifier for a in found if isinstance(a, Attribute)] == ["≤", "≤", "≥", "≥", "<"]
