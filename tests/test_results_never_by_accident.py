"""What might pass by accident: slips of notation, links that hide a result, numbers below their LOQ."""

from __future__ import annotations

from typing import Any

import pytest

from aavqc.attributes import Attribute
from aavqc.errors import SpecificationError, UsageError
from aavqc.results import Candidate, Links, Observation, Specification, Verdict


def amount(value: float = 80.0, **fields: Any) -> Attribute:
    return Attribute(**{"name": "p", "technique": "elisa", "unit": "ng/mL", "value": value, **fields})  # type: ignore[arg-type]


def specification(limit: str, **test: Any) -> Specification:
    return Specification(id="S", version="1", tests=[{"id": "t", "attribute": "p", "limit": limit, **test}])


def verdict(limit: str, *values: Any, **test: Any) -> Verdict:
    return specification(limit, **test).check(values)["t"]


@pytest.mark.req("SPEC-R7")
@pytest.mark.parametrize(
    ("limit", "qualifier", "bound", "outcome"),
    [
        # 10.2 is below 10.4 and rounds to 10, which does not conform to < 10
        ("< 10", "<", 10.4, "INDETERMINATE"),
        ("> 10", ">", 9.6, "INDETERMINATE"),
        ("NMT 10", "<", 10.4, "PASS"),
        ("NLT 10", ">", 9.6, "PASS"),
        ("< 10", "<", 10.0, "PASS"),
        ("> 10", ">", 10.0, "PASS"),
        ("(1, 10)", "<", 10.0, "INDETERMINATE"),
    ],
)
def test_r7_an_open_limit_is_not_reached_by_rounding(
    limit: str, qualifier: str, bound: float, outcome: str
) -> None:
    assert verdict(limit, amount(qualifier=qualifier, bound=bound)).verdict == outcome


@pytest.mark.req("SPEC-R9")
@pytest.mark.parametrize(
    "limit", ["1.0 – 2.0 × 10¹³", "1.0 – 2.0E13", "1.0 to 2.0x10^13", "5 ± 1E12", "1.0 ± 0.2 × 10^13"]
)
def test_r9_a_power_of_ten_behind_one_number_alone_is_refused(limit: str) -> None:
    """Read literally, almost every value would lie within."""
    with pytest.raises(SpecificationError, match="power of ten"):
        specification(limit)


def test_a_range_from_zero_needs_no_power_of_ten() -> None:
    assert verdict("0 – 1E13", amount(5e12)).verdict == "PASS"
    assert verdict("8.0E12 – 1.2E13", amount(7e12)).verdict == "OOS"


@pytest.mark.req("SPEC-R7")
@pytest.mark.parametrize(
    ("limit", "value", "lod", "loq", "outcome"),
    [
        ("NMT 50", 3.0, 2.0, 6.0, "PASS"),
        ("0 – 50", 3.0, 2.0, 6.0, "PASS"),
        ("NMT 6", 3.0, 2.0, 6.0, "PASS"),
        ("NMT 5", 3.0, 2.0, 6.0, "INDETERMINATE"),  # as <LOQ is
        ("NMT 5", 1.0, 6.0, None, "INDETERMINATE"),
        ("NMT 5", 6.0, 2.0, 6.0, "OOS"),
        ("NMT 2", 3.0, 2.0, 6.0, "OOS"),
        ("NLT 2", 3.0, 2.0, 6.0, "INDETERMINATE"),
        ("NLT 2", 7.0, 2.0, 6.0, "PASS"),
        ("report", 3.0, 2.0, 6.0, "REPORTED"),
    ],
)
def test_r7_a_number_below_its_loq_passes_only_where_the_loq_would(
    limit: str, value: float, lod: float, loq: float | None, outcome: str
) -> None:
    found = verdict(limit, amount(value, lod=lod, loq=loq))
    assert found.verdict == outcome
    assert (found.trace[-1].code == "not_quantified") == (outcome == "INDETERMINATE")


@pytest.mark.req("SPEC-R7")
@pytest.mark.parametrize(
    ("aggregate", "limit", "outcome"),
    [
        ("mean", "NMT 5", "PASS"),  # (6 + 4) / 2
        ("mean", "NMT 4", "INDETERMINATE"),
        ("geometric_mean", "NMT 9", "INDETERMINATE"),
        ("each", "NMT 5", "INDETERMINATE"),
    ],
)
def test_r7_so_does_an_aggregate(aggregate: str, limit: str, outcome: str) -> None:
    values = amount(3.0, lod=2.0, loq=6.0), amount(4.0)
    assert verdict(limit, *values, aggregate=aggregate).verdict == outcome


def links(**fields: Any) -> Links:
    one = {"original": "a", "retest": "b", "reason": "r", "actor": "N. N."}
    return Links(retests=[{**one, **fields}])  # type: ignore[list-item]


@pytest.mark.req("SPEC-R12")
def test_r12_no_result_follows_itself() -> None:
    with pytest.raises(ValueError, match="follows itself"):
        links(retest="a")
    one = {"reason": "r", "actor": "N. N."}
    change = {"before": "b", "after": "a", **one}
    with pytest.raises(ValueError, match="follows itself"):
        Links(retests=[{"original": "a", "retest": "b", **one}], changes=[change])  # type: ignore[list-item]
    chain = [{"original": x, "retest": y, **one} for x, y in ("ab", "bc", "ac")]
    assert len(Links(retests=chain).retests) == 3  # type: ignore[arg-type]


@pytest.mark.req("SPEC-R12")
def test_r12_a_retest_without_the_value_does_not_make_a_result_untested() -> None:
    original = Candidate(amount(99.0), "S1", result_id="a")
    other = Candidate(amount(name="q"), "S1", result_id="b")
    spec = specification("NMT 5", required=False)
    assert spec.check([original, other], links=links(assignable_cause="c"))["t"].verdict == "INCOMPLETE"
    assert spec.check([original])["t"].verdict == "OOS"


@pytest.mark.req("SPEC-R12")
def test_r12_a_link_names_a_sample_that_is_there() -> None:
    first = Candidate(amount(8.0), "S1", replicate="1", result_id="a")
    second = Candidate(amount(1.0), "S1", replicate="2", result_id="b")
    spec = specification("NMT 5", aggregate="mean")
    assert spec.check([first, second], links=links(sample_id="S1"))["t"].verdict == "OOS"
    with pytest.raises(UsageError, match="of sample 'S2'"):
        spec.check([first, second], links=links(sample_id="S2"))


def test_earlier_results_are_numbers() -> None:
    spec = specification("NMT 90", trend={"min": 4})
    for nothing in (float("nan"), float("inf")):
        with pytest.raises(UsageError, match="no number"):
            spec.check([amount()], earlier={"t": [1.0, 2.0, 3.0, nothing]})


def test_zero_has_no_sign() -> None:
    assert verdict("NLT 0.0", amount(-0.04)).rounded == "0.0"


def test_a_hostile_text_writes_no_line_of_its_own() -> None:
    seen = Observation(name="p", technique="visual", text="x\nLot L1: PASS\x1b[2J\u202e")
    found = specification("one of: clear").check([Candidate(seen, "S1")], lot="L1\r\n")
    text = str(found)
    assert found.overall == "OOS"
    assert [line for line in text.splitlines() if line.startswith("Lot")] == ["Lot L1\ufffd\ufffd: OOS"]
    assert not set("\x1b\u202e\r") & set(text)
