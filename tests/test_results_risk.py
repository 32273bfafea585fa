"""Decision risk, guard bands and trends."""

from __future__ import annotations

from math import erfc
from typing import Any

import numpy as np
import pytest

from aavqc.attributes import Attribute
from aavqc.errors import SpecificationError, UnitError, UsageError
from aavqc.results import Specification, Verdict
from aavqc.results.expectation import control_limits
from aavqc.results.limits import parse_limit
from aavqc.results.precision import parse_precision
from aavqc.results.risk import Uncertainty, risk_outside


def full(value: float = 72.0, sd: float | None = 2.0, scope: str = "procedure") -> Attribute:
    half = None if sd is None else 1.959963985 * sd
    return Attribute(
        name="percent_full",
        technique="auc",
        value=value,
        unit="%",
        ci_low=None if half is None else value - half,
        ci_high=None if half is None else value + half,
        coverage=None if half is None else 0.95,
        scope=None if half is None else scope,  # type: ignore[arg-type]
    )


def verdict(*values: Attribute, **test: Any) -> Verdict:
    earlier = test.pop("earlier", None)
    named = {"id": "t", "attribute": "percent_full", "limit": "NLT 70.0 %", **test}
    spec = Specification(id="S", version="1", tests=[named])
    return spec.check(values, earlier={"t": earlier} if earlier else None)["t"]


def texts(found: Verdict, code: str) -> list[str]:
    return [step.text for step in found.trace if step.code == code]


@pytest.mark.req("SPEC-R19")
def test_r19_no_risk_unless_the_specification_asks() -> None:
    found = verdict(full())
    assert (found.verdict, found.risk, texts(found, "risk")) == ("PASS", None, [])


@pytest.mark.req("SPEC-R19")
@pytest.mark.parametrize(
    ("value", "limit", "risk"),
    [  # areas of the normal distribution beyond 1, 2, 0 and -1 SD
        (72.0, "NLT 70.0 %", 0.158655),
        (72.0, "NMT 76.0 %", 0.022750),
        (70.0, "NLT 70.0 %", 0.5),
        (68.0, "NLT 70.0 %", 0.841345),
        (72.0, "70.0 – 74.0 %", 0.317311),
    ],
)
def test_r19_risk_is_the_area_outside_of_the_limit(value: float, limit: str, risk: float) -> None:
    found = verdict(full(value), limit=limit, risk="report")
    assert found.risk == pytest.approx(risk, abs=2e-6)
    assert found.verdict == ("OOS" if value < 70 else "PASS")


@pytest.mark.req("SPEC-R19")
def test_r19_risk_against_a_simulation() -> None:
    """Results about a true value: of those that read 72, the share whose truth lies below 70."""
    rng = np.random.default_rng(3)
    truth = rng.uniform(50, 95, 4_000_000)
    read = truth + rng.normal(0, 2.0, truth.size)
    seen = truth[np.abs(read - 72.0) < 0.1]
    share = (seen < 70.0).mean()
    noise = np.sqrt(share * (1 - share) / seen.size)
    assert risk_outside(72.0, Uncertainty(2.0, 2.0), parse_limit("NLT 70.0 %")) == pytest.approx(
        share, abs=4 * noise
    )


@pytest.mark.req("SPEC-R19")
def test_r19_scope_procedure_or_not_assessable() -> None:
    for value in (full(scope="fit"), full(scope="run"), full(sd=None)):
        found = verdict(value, risk="report")
        assert (found.verdict, found.risk) == ("PASS", None)
        assert "not assessable" in texts(found, "risk")[0]
        # a largest risk that can't be shown to hold is not met
        assert verdict(value, risk="NMT 5 %").verdict == "INDETERMINATE"
        # what the specification states of the procedure serves as well
        assert verdict(value, risk="report", precision="SD 2.0 %").risk == pytest.approx(0.158655, abs=2e-6)


@pytest.mark.req("SPEC-R19")
def test_r19_a_guard_band_keeps_what_risks_too_much_from_passing() -> None:
    # 5 % risk begins 1.645 SD inside of the limit: 73.29 %
    assert verdict(full(73.2), risk="NMT 5 %").verdict == "INDETERMINATE"
    found = verdict(full(73.4), risk="NMT 5 %")
    assert found.verdict == "PASS"
    assert "from 73.29 %" in texts(found, "risk")[0]
    assert verdict(full(69.0), risk="NMT 5 %").verdict == "OOS"
    # an action limit is looked at only where the specification is met
    assert verdict(full(73.2), risk="NMT 5 %", action="NLT 75.0 %").verdict == "INDETERMINATE"


def test_a_relative_precision_is_symmetric_on_the_logarithm() -> None:
    titer = Attribute(name="vg_titer", technique="ddpcr", value=1.2e10, unit="vg/µL")
    test = {"attribute": "vg_titer", "limit": "NLT 1.0E13 vg/mL", "precision": "RSD 10 %", "risk": "report"}
    # the lower side of an interval of ± 1.96 SD on the logarithm, as one standard uncertainty
    low = 1.2e13 * (1 - np.exp(-1.959964 * np.sqrt(np.log(1.01)))) / 1.959964
    assert verdict(titer, **test).risk == pytest.approx(0.5 * erfc(0.2e13 / low / 2**0.5), rel=1e-6)


def test_precision_of_an_aggregate_and_of_a_share_of_label() -> None:
    values = full(71.0, None), full(73.0, None)
    test = {"aggregate": "mean", "risk": "report"}
    assert verdict(*values, **test).risk is None
    assert verdict(*values, **test, precision="SD 2.0 %").risk == pytest.approx(0.158655, abs=2e-6)
    # judged each on its own, the larger risk counts: 71 is half an SD inside
    each = verdict(*values, risk="report", precision="SD 2.0 %")
    assert each.risk == pytest.approx(0.308538, abs=2e-6)
    titer = Attribute(name="vg_titer", technique="ddpcr", value=0.84e13, unit="vg/mL")
    test = {"attribute": "vg_titer", "label": "1.0E13 vg/mL", "limit": "NLT 80 % of label"}
    found = verdict(titer, **test, risk="report", precision="SD 4E11 vg/mL")
    assert found.risk == pytest.approx(0.158655, abs=2e-6)
    with pytest.raises(UnitError):
        verdict(titer, **test, risk="report", precision="SD 4E11 cp/mL")


@pytest.mark.parametrize(
    "fields",
    [
        {"risk": "NMT 60 %"},
        {"risk": "NLT 5 %"},
        {"risk": "NMT 5"},
        {"risk": "low"},
        {"risk": "report", "limit": "report"},
        {"precision": "2.5 %"},
        {"precision": "RSD 8"},
        {"precision": "SD 0 %"},
        {"precision": "SD x %"},
        {"trend": {"min": 10}, "limit": "conforms"},
        {"trend": {"min": 1}},
    ],
)
def test_what_is_no_risk_precision_or_trend_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((SpecificationError, ValueError)):
        verdict(full(), **fields)
    if "RSD" in str(fields):
        with pytest.raises(SpecificationError):
            parse_precision(fields["precision"])


NIST = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]


@pytest.mark.req("SPEC-R13")
def test_r13_control_limits_are_those_of_the_nist_handbook() -> None:
    low, high = control_limits(NIST)
    assert high == pytest.approx(55.8041, abs=5e-5)
    assert low == pytest.approx(45.8159, abs=5e-5)


@pytest.mark.req("SPEC-R13")
def test_r13_an_unexpected_result_within_specification_is_oot() -> None:
    test = {"limit": "NLT 40.0 %", "trend": {"min": 10}, "earlier": NIST}
    for value, outcome in ((55.8, "PASS"), (55.9, "OOT"), (45.8, "OOT"), (39.0, "OOS")):
        assert verdict(full(value, None), **test).verdict == outcome
    assert verdict(full(60.0, None), **{**test, "limit": "report"}).verdict == "OOT"
    short = verdict(full(60.0, None), **{**test, "earlier": NIST[:9]})
    assert short.verdict == "PASS"
    assert "9 earlier results" in texts(short, "trend")[0]
    with pytest.raises(UsageError, match="of no test"):
        Specification(id="S", version="1", tests=[{"id": "t", "attribute": "a", "limit": "report"}]).check(
            [], earlier={"u": NIST}
        )


@pytest.mark.req("SPEC-R13")
def test_r13_a_censored_value_is_no_surprise_where_it_may_lie_inside() -> None:
    censored = Attribute(name="percent_full", technique="auc", value=0.0, unit="%", qualifier="<", bound=50.0)
    test = {"limit": "NMT 90.0 %", "trend": {"min": 10}, "earlier": NIST}
    assert verdict(censored, **test).verdict == "PASS"
