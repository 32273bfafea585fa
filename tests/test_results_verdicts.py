"""Verdicts: the order of judgement, censored values, and everything that must never pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aavqc.attributes import Attribute, AttributeSet
from aavqc.documents import Sample
from aavqc.errors import SpecificationError, UnitError, UsageError
from aavqc.results import Candidate, Evaluation, Observation, Specification, Verdict, candidates_of


def specification(*tests: dict[str, Any], **fields: Any) -> Specification:
    named = [{"id": f"t{i}", "attribute": "percent_full", **t} for i, t in enumerate(tests)]
    return Specification(id="S", version="1", tests=named, **fields)


def full(value: float = 80.0, **fields: Any) -> Attribute:
    return Attribute(
        **{"name": "percent_full", "technique": "auc", "unit": "%", "value": value, **fields}  # type: ignore[arg-type]
    )


def verdict(limit: str, *values: Any, **test: Any) -> Verdict:
    return specification({"limit": limit, **test}).check(values)["t0"]


def codes(found: Verdict) -> list[str]:
    return [step.code for step in found.trace]


CENSORED = [
    # operator and limit, qualifier, bound below, at and above the limit: verdicts
    ("NMT 10", "<", ("PASS", "PASS", "INDETERMINATE")),
    ("< 10", "<", ("PASS", "PASS", "INDETERMINATE")),
    ("NLT 10", "<", ("OOS", "OOS", "INDETERMINATE")),
    ("> 10", "<", ("OOS", "OOS", "INDETERMINATE")),
    ("NMT 10", ">", ("INDETERMINATE", "OOS", "OOS")),
    ("< 10", ">", ("INDETERMINATE", "OOS", "OOS")),
    ("NLT 10", ">", ("INDETERMINATE", "PASS", "PASS")),
    ("> 10", ">", ("INDETERMINATE", "PASS", "PASS")),
    ("NMT 10", "ND", ("PASS", "PASS", "INDETERMINATE")),
    ("NLT 10", "ND", ("OOS", "OOS", "INDETERMINATE")),
    ("10 – 20", "<", ("OOS", "OOS", "INDETERMINATE")),
    ("1 – 10", ">", ("INDETERMINATE", "OOS", "OOS")),
    ("10 – 20", ">", ("INDETERMINATE", "INDETERMINATE", "INDETERMINATE")),
]


@pytest.mark.req("SPEC-R7")
@pytest.mark.parametrize(("limit", "qualifier", "expected"), CENSORED)
def test_r7_censored_values(limit: str, qualifier: str, expected: tuple[str, ...]) -> None:
    for bound, outcome in zip((5.0, 10.0, 15.0), expected, strict=True):
        # the point estimate, on the good side of everything, must not be looked at
        found = verdict(limit, full(10.0, qualifier=qualifier, bound=bound))
        assert found.verdict == outcome, (bound, found)
        assert found.aggregated is None


@pytest.mark.req("SPEC-R7")
def test_r7_a_censored_bound_is_rounded_before_it_passes() -> None:
    assert verdict("NMT 0.02", full(qualifier="<", bound=0.024)).verdict == "PASS"
    assert verdict("NMT 0.02", full(qualifier="<", bound=0.026)).verdict == "INDETERMINATE"
    assert verdict("NMT 0.02", full(qualifier="<", bound=0.024)).rounded == "<0.02"


@pytest.mark.req("SPEC-R7")
def test_r7_a_mean_with_a_censored_value_is_censored() -> None:
    low = full(0.0, qualifier="<", bound=4.0)
    assert verdict("NMT 5", low, full(6.0), aggregate="mean").verdict == "PASS"
    assert verdict("NMT 4", low, full(6.0), aggregate="mean").verdict == "INDETERMINATE"
    assert verdict("NLT 5", low, full(6.0), aggregate="mean").verdict == "OOS"
    assert verdict("NMT 5", low, full(4.5), full(4.6), aggregate="median").aggregated == 4.5
    assert verdict("NMT 5", low, full(4.0), replicates={"max_cv": "50 %"}).verdict == "INDETERMINATE"


@pytest.mark.req("SPEC-R11")
def test_r11_an_invalid_sample_is_not_judged() -> None:
    found = verdict("NLT 90.0 %", Candidate(full(10.0), "S1", "invalid"), Candidate(full(95.0), "S2"))
    assert (found.verdict, found.rounded, codes(found)) == ("INVALID", None, ["suitability"])
    assert "S1 (auc)" in found.reason
    sample = Sample(sample_id="S1", record="r", status="invalid")
    assert verdict("NLT 90.0 %", sample).verdict == "INVALID"


@pytest.mark.req("SPEC-R11")
def test_r11_an_invalid_assay_does_not_disappear_behind_a_valid_one() -> None:
    good = Candidate(full(95.0), "S2")
    empty = Sample(sample_id="S1", record="r", status="invalid")
    partly = empty.model_copy(update={"attributes": [full(name="percent_empty")]})
    for sample in (empty, partly):
        found = verdict("NLT 90.0 %", good, *candidates_of([sample], technique="auc"), technique="auc")
        assert (found.verdict, found.n, codes(found)) == ("INVALID", 1, ["suitability"])
    control = empty.model_copy(update={"role": "blank"})
    assert verdict("NLT 90.0 %", good, *candidates_of([control], technique="auc")).verdict == "PASS"


@pytest.mark.req("SPEC-R11")
def test_r11_an_invalid_assay_of_another_technique_marks_no_test() -> None:
    empty = Sample(sample_id="S1", record="r", status="invalid")
    cdms = candidates_of([empty], "job", "cdms")
    assert verdict("NLT 90.0 %", *cdms, technique="auc").verdict == "INCOMPLETE"
    assert verdict("NLT 90.0 %", full(95.0), *cdms, technique="auc").verdict == "PASS"
    assert verdict("NLT 90.0 %", full(80.0), *cdms, technique="auc").verdict == "OOS"
    assert verdict("NLT 90.0 %", *cdms, technique="cdms").verdict == "INVALID"
    # a test without a technique may have rested on any: what makes it decidable is said
    found = verdict("NLT 90.0 %", full(95.0), *cdms)
    assert (found.verdict, found.technique) == ("INVALID", "auc")
    assert "name the test's technique" in found.reason
    # an unknown technique may be any
    assert verdict("NLT 90.0 %", full(95.0), empty, technique="auc").verdict == "INVALID"
    # what is measured says by what
    partly = empty.model_copy(update={"attributes": [full(technique="cdms")]})
    assert verdict("NLT 90.0 %", full(95.0), partly, technique="auc").verdict == "PASS"


@pytest.mark.req("SPEC-R11")
def test_r11_variability_comes_before_the_value() -> None:
    wide = [full(v) for v in (60.0, 80.0, 100.0)]  # SD 20 of a mean of 80: CV 25 %
    found = verdict("NLT 90.0 %", *wide, aggregate="mean", replicates={"max_cv": "20 %"})
    assert found.verdict == "INVALID"
    assert found.cv_percent == pytest.approx(25.0, rel=1e-12)
    assert "limit" not in codes(found)
    found = verdict("NLT 90.0 %", *wide, aggregate="mean", replicates={"max_cv": "25 %"})
    assert (found.verdict, found.rounded) == ("OOS", "80.0")
    assert codes(found) == ["suitability", "replicates", "cv", "aggregate", "round", "limit"]


@pytest.mark.req("SPEC-R11")
def test_r11_too_few_replicates_are_incomplete() -> None:
    assert verdict("NLT 70 %", full(), replicates={"min": 2}).verdict == "INCOMPLETE"
    assert verdict("NLT 70 %", full(), full(81.0), replicates={"min": 2}).verdict == "PASS"


@pytest.mark.req("SPEC-R11")
def test_r11_each_judges_every_result_and_the_mean_judges_one() -> None:
    values = full(69.0), full(75.0)
    found = verdict("NLT 70.0 %", *values)
    assert (found.verdict, found.rounded, found.n) == ("OOS", "69.0", 2)
    found = verdict("NLT 70.0 %", *values, aggregate="mean")
    assert (found.verdict, found.rounded) == ("PASS", "72.0")


@pytest.mark.req("SPEC-R11")
@pytest.mark.parametrize(
    ("limit", "values", "shown"),
    [
        ("NMT 80.0 %", (70.4, 71.4), "71.4"),
        ("NLT 60.0 %", (71.4, 70.4), "70.4"),
        ("40.0 – 72.0 %", (70.4, 71.4, 42.0), "71.4"),
        ("NMT 60.0 %", (61.0, 66.0, 20.0), "66.0"),
    ],
)
def test_r11_of_equal_answers_the_result_nearest_to_its_limit_is_shown(
    limit: str, values: tuple[float, ...], shown: str
) -> None:
    for order in (values, values[::-1]):
        assert verdict(limit, *map(full, order)).rounded == shown


@pytest.mark.req("SPEC-R2")
def test_r2_aggregates_are_rounded_once_at_the_end() -> None:
    # rounded first: 70.0 and 69.9, mean 69.95, rounded again 70.0
    assert verdict("NLT 70.0 %", full(69.95), full(69.94), aggregate="mean").verdict == "OOS"
    found = verdict("report", full(2.0), full(8.0), aggregate="geometric_mean")
    assert (found.rounded, found.verdict) == ("4", "REPORTED")
    assert verdict("NMT 3 %", full(1.0), full(2.0), full(9.0), aggregate="median").rounded == "2"
    assert verdict("NMT 3 %", full(0.0), full(2.0), aggregate="geometric_mean").verdict == "INDETERMINATE"


@pytest.mark.req("SPEC-R2")
@pytest.mark.parametrize(
    ("value", "fields", "shown"),
    [
        (61.23456789, {}, "61.23"),
        (0.0123456789, {"qualifier": "<", "bound": 0.0123456789}, "<0.01235"),
        (61.23456789, {"qualifier": "≥", "bound": 61.23456789}, "≥61.23"),
        (1.0, {"qualifier": "ND", "bound": 1.25}, "<1.25"),
        (123456.0, {"qualifier": ">", "bound": 123456.0}, ">123456"),
    ],
)
def test_r2_without_a_limit_values_and_bounds_have_four_figures_at_most(
    value: float, fields: dict[str, Any], shown: str
) -> None:
    assert verdict("report", full(value, **fields)).rounded == shown


@pytest.mark.req("SPEC-R13")
def test_r13_internal_limits_make_an_oot_never_an_oos() -> None:
    test = {"limit": "NLT 70.0 %", "action": "NLT 75.0 %", "alert": "NLT 78.0 %"}
    spec = specification(test)
    expected = {
        69.9: ("OOS", "limit"),
        72.0: ("OOT", "alert"),
        76.0: ("OOT", "alert"),
        79.0: ("PASS", "limit"),
    }
    for value, (outcome, last) in expected.items():
        found = spec.check([full(value)])["t0"]
        assert (found.verdict, codes(found)[-1]) == (outcome, last)
    assert "action" in codes(spec.check([full(72.0)])["t0"])
    assert "action" not in codes(spec.check([full(76.0)])["t0"])
    assert spec.check([full(72.0)]).exit_code == 0


@pytest.mark.req("SPEC-R13")
def test_r13_internal_limits_may_use_another_unit() -> None:
    mass = Attribute(name="percent_full", technique="cdms", value=3.80e6, unit="Da")
    test = {"limit": "3.6 – 3.9 MDa", "action": "3650 – 3790 kDa"}
    assert specification(test).check([mass])["t0"].verdict == "OOT"


@pytest.mark.req("SPEC-R18")
def test_r18_what_is_missing_or_ambiguous_never_passes() -> None:
    assert verdict("NLT 70 %").verdict == "INCOMPLETE"
    assert verdict("report").verdict == "INCOMPLETE"
    assert verdict("NLT 70 %", required=False).verdict == "REPORTED"
    two = full(), full(technique="cdms")
    assert verdict("NLT 70 %", *two).verdict == "INCOMPLETE"
    assert "two candidates" in verdict("NLT 70 %", *two).reason
    assert verdict("NLT 70 %", *two, technique="cdms").verdict == "PASS"
    targets = full(target="ITR"), full(target="CAG")
    assert verdict("NLT 70 %", *targets).verdict == "INCOMPLETE"
    assert verdict("NLT 70 %", *targets, target="CAG").verdict == "PASS"
    assert verdict("NLT 70 %", *targets, target="SV40").verdict == "INCOMPLETE"


@pytest.mark.req("SPEC-R18")
def test_r18_the_same_result_twice_is_no_second_replicate() -> None:
    twice = [Candidate(full(), "S1", result_id=r) for r in "ab"]
    assert verdict("NLT 70 %", *twice).verdict == "INCOMPLETE"
    apart = [Candidate(full(), "S1", replicate=r) for r in "12"]
    assert verdict("NLT 70 %", *apart).verdict == "PASS"


@pytest.mark.req("SPEC-R16")
def test_r16_names_are_exact() -> None:
    optical = Attribute(name="vg_titer_optical", technique="auc", value=1e13, unit="vg/mL")
    assert verdict("NLT 5E12 vg/mL", optical, attribute="vg_titer").verdict == "INCOMPLETE"


@pytest.mark.req("SPEC-R9")
def test_r9_what_is_no_number_never_passes_a_numeric_test() -> None:
    for text in ("n/a", "", "80.0", "conforms", "<LOQ", "NaN"):
        found = verdict("NLT 0", Observation(name="percent_full", technique="auc", text=text))
        assert (found.verdict, found.rounded) == ("INDETERMINATE", text or None)
    assert verdict("NLT 0", full(True)).verdict == "INDETERMINATE"
    for nothing in (float("nan"), float("inf")):
        with pytest.raises(UsageError):
            full(nothing)


@pytest.mark.req("SPEC-R9")
@pytest.mark.parametrize(
    ("limit", "text", "outcome"),
    [
        ("one of: clear; slightly opalescent", "Clear ", "PASS"),
        ("one of: clear; slightly opalescent", "opalescent", "OOS"),
        ("one of: clear; slightly opalescent", "clear; slightly opalescent", "OOS"),
        ("conforms", "conforms", "PASS"),
        ("conforms", "does not conform", "OOS"),
        ("conforms", "yes", "INDETERMINATE"),
        ("conforms", "", "INDETERMINATE"),
        ("report", "clear", "REPORTED"),
    ],
)
def test_r9_categories(limit: str, text: str, outcome: str) -> None:
    seen = Observation(name="percent_full", technique="visual", text=text)
    assert verdict(limit, seen).verdict == outcome


@pytest.mark.req("SPEC-R9")
def test_r9_a_number_conforms_to_no_category() -> None:
    assert verdict("conforms", full()).verdict == "INDETERMINATE"
    assert verdict("one of: 80.0; 81.0", full()).verdict == "INDETERMINATE"


@pytest.mark.req("SPEC-R10")
@pytest.mark.parametrize(
    ("limit", "value", "outcome"),
    [
        ("≤ 5.0", 5.04, "PASS"),
        ("< 5.0", 5.0, "OOS"),
        ("< 5.0", 4.96, "OOS"),
        ("< 5.0", 4.94, "PASS"),
        ("> 5.0", 5.0, "OOS"),
        ("≥ 5.0", 5.0, "PASS"),
        ("(5.0, 6.0)", 5.0, "OOS"),
        ("[5.0, 6.0)", 5.0, "PASS"),
        ("[5.0, 6.0)", 6.0, "OOS"),
        ("80.0 ± 5.0 %", 85.04, "PASS"),
        ("80.0 ± 5.0 %", 84.04, "PASS"),
        ("80.0 ± 5.0 %", 85.05, "OOS"),
    ],
)
def test_r10_open_and_closed_bounds(limit: str, value: float, outcome: str) -> None:
    assert verdict(limit, full(value)).verdict == outcome


@pytest.mark.req("SPEC-R9")
def test_r9_relative_tolerance_and_share_of_label() -> None:
    length = Attribute(name="packaged_length", technique="cdms", value=4229.5, unit="nt")
    for value, outcome in ((4229.5, "PASS"), (4229.4, "OOS"), (5170.4, "PASS"), (5170.5, "OOS")):
        found = verdict("4700 ± 10 %", replace(length, value=value), attribute="packaged_length")
        assert found.verdict == outcome
    titer = Attribute(
        name="vg_titer", technique="ddpcr", value=7.95e9, unit="vg/µL", ci_low=7.5e9, ci_high=8.4e9
    )
    test = {"attribute": "vg_titer", "label": "1.0E13 vg/mL"}
    found = verdict("80 – 120 % of label", titer, **test)
    assert (found.verdict, found.rounded, found.unit) == ("PASS", "80", "% of label")
    assert (found.aggregated, found.ci_low, found.ci_high) == (79.5, 75.0, 84.0)
    assert (found.sources[0].value, found.sources[0].unit) == (7.95e9, "vg/µL")


@pytest.mark.req("SPEC-R16")
def test_r16_units_convert_exactly_or_not_at_all() -> None:
    mass = Attribute(name="m", technique="cdms", value=3749999.0, unit="Da")
    found = verdict("NMT 3.7 MDa", mass, attribute="m")
    assert (found.verdict, found.rounded, found.unit) == ("PASS", "3.7", "MDa")
    assert verdict("NMT 3.7 MDa", replace(mass, value=3750000.0), attribute="m").verdict == "OOS"
    with pytest.raises(UnitError, match="t0"):
        verdict("NMT 3.7 vg/mL", mass, attribute="m")
    with pytest.raises(UnitError):
        verdict(
            "NLT 1E13 vg/mL",
            Attribute(name="m", technique="auc", value=1e13, unit="cp/mL"),
            attribute="m",
        )


@pytest.mark.req("SPEC-R17")
def test_r17_the_trace_says_when_only_rounding_made_it_conform() -> None:
    found = verdict("NLT 70.0 %", full(69.96))
    assert (found.verdict, codes(found)[-1]) == ("PASS", "conforms_after_rounding")
    assert found.reason == "70.0 % conforms to NLT 70.0 % after rounding, raw 69.96 %"
    assert codes(verdict("NLT 70.0 %", full(70.0)))[-1] == "limit"


@pytest.mark.req("SPEC-R17")
def test_r17_a_verdict_carries_its_sources_and_interval() -> None:
    one = full(81.26, ci_low=80.1, ci_high=82.4, coverage=0.95, scope="run")
    found = verdict("NLT 70.0 %", Candidate(one, "EX-1", preparation="P1", result_id="abc"), procedure="TP-1")
    assert (found.ci_low, found.ci_high, found.coverage, found.scope) == (80.1, 82.4, 0.95, "run")
    source = found.sources[0]
    assert (source.sample_id, source.preparation, source.result_id, source.value) == (
        "EX-1",
        "P1",
        "abc",
        81.26,
    )
    assert (found.technique, found.procedure, found.rounded, found.aggregated) == (
        "auc",
        "TP-1",
        "81.3",
        81.26,
    )


def test_controls_are_not_judged() -> None:
    control = Sample(sample_id="NTC", record="r", role="ntc", attributes=[full(0.0)])
    sample = Sample(sample_id="S1", record="r", attributes=[full(80.0)])
    found = verdict("NLT 70.0 %", control, sample)
    assert (found.verdict, found.n) == ("PASS", 1)


def test_what_can_be_checked() -> None:
    spec = specification({"limit": "NLT 70.0 %"})
    assert spec.check(AttributeSet([full()])).overall == "PASS"
    assert spec.check(iter([full()])).overall == "PASS"
    for wrong in (["percent_full"], "percent_full", [80.0], {"percent_full": 80.0}):
        with pytest.raises(UsageError):
            spec.check(wrong)  # type: ignore[arg-type]


@pytest.mark.req("SPEC-R11")
@pytest.mark.parametrize(
    ("values", "overall", "exit_code"),
    [
        ({}, "PASS", 0),
        ({"a": 72.0}, "OOT", 0),
        ({"a": None}, "INCOMPLETE", 5),
        ({"a": None, "b": 60.0}, "OOS", 1),
        ({"a": None, "b": "invalid"}, "INVALID", 4),
        ({"a": 60.0, "b": "invalid"}, "OOS", 1),
        ({"a": None, "b": "<90"}, "INDETERMINATE", 5),
    ],
)
def test_r11_the_overall_verdict_is_the_worst(values: dict[str, Any], overall: str, exit_code: int) -> None:
    spec = specification(
        *(
            {"id": k, "attribute": k, "technique": f"of_{k}", "limit": "NLT 70.0 %", "alert": "NLT 75.0 %"}
            for k in "abc"
        ),
        {"id": "d", "attribute": "a", "technique": "of_a", "limit": "report", "required": False},
    )
    candidates = []
    for name in "abc":
        value, of = values.get(name, 80.0), {"name": name, "technique": f"of_{name}"}
        if value == "invalid":
            candidates.append(Candidate(full(**of), "S1", "invalid"))
        elif value == "<90":
            candidates.append(Candidate(full(**of, qualifier="<", bound=90.0), "S1"))
        elif value is not None:
            candidates.append(Candidate(full(value, **of), "S1"))
    found = spec.check(candidates)
    assert (found.overall, found.exit_code) == (overall, exit_code)


def test_an_evaluation_reads_back_and_prints(tmp_path: Any) -> None:
    found = specification({"limit": "NLT 70.0 %"}, {"limit": "NMT 75.0 %"}).check([full(80.04)], lot="L1")
    found.save(tmp_path / "l.json")
    again = Evaluation.load(tmp_path / "l.json")
    assert again == found
    assert again["t1"].trace[-1].code == "limit"
    lines = str(found).splitlines()
    assert lines[0] == "Lot L1: OOS"
    assert lines[-1] == "Evaluation against specification S version 1 (draft); not a batch disposition."
    assert "80.0 %" in lines[3]
    assert "OOS" in lines[3]
    assert lines[1].index("verdict") == lines[2].index("PASS") == lines[3].index("OOS")
    with pytest.raises(KeyError):
        found["t9"]


def test_internal_limits_judge_numbers_only() -> None:
    with pytest.raises(SpecificationError, match="action"):
        specification({"limit": "conforms", "action": "NLT 75.0 %"})
