"""Whether the methods of a lot agree: on paper, at the edges, and with what is not known."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aavqc.attributes import Attribute
from aavqc.errors import UsageError
from aavqc.results import Specification
from aavqc.results.agreement import Agreement, MethodComparison, agreement
from aavqc.results.consensus import consensus
from aavqc.results.simplex import Composition, amount_variances, log_ratios, parts_of, shares_of

Z = 1.959963985
CLASSES = ("empty", "partial", "full", "overfull")


def number(name: str, technique: str, value: float, sd: float | None, **fields: Any) -> Attribute:
    unit = "%" if name.startswith("percent") else "nt" if "length" in name else "vg/mL"
    unit = "cp/mL" if name.startswith("cp") else unit
    ends = {} if sd is None else {"ci_low": value - Z * sd, "ci_high": value + Z * sd, "coverage": 0.95}
    scope = None if sd is None else "procedure"
    return Attribute(**{"name": name, "technique": technique, "value": value, "unit": unit, "scope": scope,
                        **ends, **fields})  # type: ignore[arg-type]  # fmt: skip


def shares(technique: str, *percent: float, sd: float | None = 1.0, **fields: Any) -> list[Attribute]:
    return [number(f"percent_{n}", technique, p, sd, **fields) for n, p in zip(CLASSES, percent, strict=True)]


def only(found: Agreement) -> MethodComparison:
    (comparison,) = found.comparisons
    return comparison


def test_two_titers_on_paper() -> None:
    """A ratio of 1.2 with 5 % on each side: z = ln 1.2 / (0.05 √2)."""
    for ratio, answer in ((1.2, "disagree"), (1.1, "agree")):
        found = only(
            agreement(
                [
                    number("vg_titer", "ddpcr", 1e13, 0.05e13, target="ITR"),
                    number("vg_titer_optical", "auc", ratio * 1e13, ratio * 0.05e13),
                ]
            )
        )
        z = math.log(ratio) / (0.05 * math.sqrt(2))
        assert found.answer == answer
        assert found.p == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.05)
        assert found.odd is None
    assert found.methods == ["ddpcr", "auc (optical)"]
    assert "agree" in found.statement


def test_uncertainties_that_no_composition_can_have_make_no_disagreement() -> None:
    """8 % of each share: that of 66 % is more than all the others can account for."""
    given = [
        number(f"percent_{n}", technique, p, 0.08 * p)
        for technique, percents in (("auc", (20, 10, 66, 4)), ("cdms", (21, 9.5, 65.5, 4)))
        for n, p in zip(CLASSES, percents, strict=True)
    ]
    assert only(agreement(given)).answer == "agree"


def test_three_lengths_name_the_odd_one() -> None:
    lengths = [
        number("packaged_length", "auc", 4300.0, 60.0),
        number("packaged_length", "cdms", 4690.0, 60.0),
    ]
    assert "cause unknown" in only(agreement(lengths)).statement
    found = only(agreement(lengths, design_length=4700))
    assert (found.answer, found.odd, found.methods) == ("disagree", "auc", ["auc", "cdms", "design"])
    both = [replace(lengths[0], value=4300.0), number("packaged_length", "cdms", 4310.0, 60.0)]
    assert only(agreement(both, design_length=4700)).odd == "design"
    apart = [lengths[0], number("packaged_length", "cdms", 5100.0, 60.0)]
    found = only(agreement(apart, design_length=4700))
    assert (found.answer, found.odd) == ("disagree", None)


def test_scope_procedure_or_not_assessable() -> None:
    for fields in ({"scope": "fit"}, {"scope": "run"}, {"sd": None}):
        given = shares("auc", 12, 8, 77, 3, **fields) + shares("cdms", 40, 8, 49, 3)
        found = agreement(given)
        assert (only(found).answer, only(found).p, found.combined) == ("not assessable", None, [])
        assert only(found).statement.endswith("scope procedure by auc")
    # two that are known are compared, and the third is named
    found = agreement(given + shares("mass_photometry", 39, 8, 50, 3))
    assert only(found).answer == "agree"
    assert "auc not assessable" in only(found).statement
    assert agreement(shares("auc", 12, 8, 77, 3)).comparisons == []


def test_the_specification_states_a_procedures_precision() -> None:
    tests = [
        {
            "id": f"{t}-{n}",
            "attribute": f"percent_{n}",
            "technique": t,
            "limit": "report",
            "precision": "SD 1 %",
        }
        for t in ("auc", "cdms")
        for n in CLASSES
    ]
    spec = Specification(id="S", version="1", tests=tests)
    given = shares("auc", 12, 8, 77, 3, sd=None) + shares("cdms", 40, 8, 49, 3, sd=None)
    assert only(agreement(given)).answer == "not assessable"
    assert only(agreement(spec.stated(given))).answer == "disagree"


@pytest.mark.parametrize(
    ("one", "other", "parts"),
    [
        ((12, 8, 77, 3), (12, 8, 77, 3), "empty, partial, full, overfull"),
        ((12, 8, 80, 0), (12, 8, 77, 3.5), "empty, partial, full+overfull"),
        ((12, 2, 83, 3.5), (12, 8, 76.5, 3.5), "empty, partial+full, overfull"),
        ((0, 10, 87, 3), (12, 8, 77, 3), "empty+partial, full, overfull"),
        ((0, 0, 100, 0), (0, 0, 100, 0), "empty+partial+full+overfull"),
    ],
)
def test_classes_below_their_limit_join_a_neighbour(
    one: tuple[float, ...], other: tuple[float, ...], parts: str
) -> None:
    """The limit of detection is 3.3 SD; here the SD is 0.9."""
    found = agreement(shares("auc", *one, sd=0.9) + shares("cdms", *other, sd=0.9))
    assert only(found).question == f"composition ({parts})"
    assert sum(c.percent for c in found.combined) == pytest.approx(100 if found.combined else 0)


def test_a_class_that_was_not_detected_is_censored_first() -> None:
    cdms = shares("cdms", 12, 8, 79.5, 0.5)
    cdms[3] = replace(cdms[3], value=0.0, qualifier="ND", bound=0.3, scope="fit", ci_low=0.0, ci_high=0.3)
    found = only(agreement(shares("auc", 12, 8, 75, 5) + cdms))
    assert found.question == "composition (empty, partial, full+overfull)"
    assert found.answer == "agree"


@pytest.mark.parametrize(
    ("ratio", "carrying", "answer"),
    [
        (0.80, None, "agree"),  # full + overfull
        (0.90, None, "agree"),  # all partial capsids carry the amplicon
        (0.85, 0.5, "agree"),
        (0.70, None, "disagree"),
        (1.05, None, "disagree"),
        (0.92, 0.0, "disagree"),
    ],
)
def test_genomes_a_capsid_are_expected_by_composition(
    ratio: float, carrying: float | None, answer: str
) -> None:
    given = [
        *shares("auc", 10, 10, 77, 3, sd=0.5),
        number("vg_titer", "ddpcr", ratio * 1e13, ratio * 0.03e13, target="ITR"),
        number("cp_titer", "elisa", 1e13, 0.03e13),
    ]
    found = only(agreement(given, carrying=carrying))
    assert (found.answer, found.odd) == (answer, None)
    assert f"{ratio:.2g}" in found.question
    with pytest.raises(UsageError):
        agreement(given, carrying=1.5)


def test_amounts_behind_counted_shares_are_counts() -> None:
    """Multinomial shares: the variance of an amount is p / N."""
    p, n = np.array([0.12, 0.08, 0.77, 0.03]), 5000
    found = amount_variances(Composition(p, np.sqrt(p * (1 - p) / n), (False,) * 4))
    assert found == pytest.approx(p / n, rel=1e-9)
    # no amounts give one SD for all classes: then none is taken for less than stated
    same = Composition(p, np.full(4, 0.02), (False,) * 4)
    implied = (np.eye(4) - p[:, None]) ** 2 @ amount_variances(same)
    assert (implied >= 0.02**2 * (1 - 1e-9)).all()


def test_log_ratios_have_the_covariance_of_a_simulation() -> None:
    rng = np.random.default_rng(1)
    p, n = np.array([0.12, 0.08, 0.77, 0.03]), 5000
    counts = rng.multinomial(n, p, 2000)
    parts = [(0,), (1,), (2,), (3,)]
    c = Composition(p, np.sqrt(p * (1 - p) / n), (False,) * 4)
    _, covariance = log_ratios(c, parts, p)
    drawn = np.array([log_ratios(replace_shares(c, k / n), parts, p)[0] for k in counts])
    assert np.cov(drawn.T) == pytest.approx(covariance, rel=0.16, abs=3e-4)


def replace_shares(c: Composition, found: np.ndarray[Any, Any]) -> Composition:
    return Composition(found, c.sds, c.censored)


def test_consensus_of_equal_methods_is_their_mean() -> None:
    values = [np.array([v]) for v in (1.0, 2.0, 3.0)]
    found = consensus(values, [np.eye(1)] * 3, 0.05)
    # Q = 2 with 2 degrees of freedom: p = exp(-1), and biases of no size
    assert found.p == pytest.approx(math.exp(-1))
    assert found.mean == pytest.approx([2.0])
    wide = consensus([10 * v for v in values], [np.eye(1)] * 3, 0.05)
    # equal weights whatever the biases: their SD is that of the values, up to the median of Q
    assert wide.mean == pytest.approx([20.0])
    assert wide.covariance[0, 0] == pytest.approx(200 / (2 * math.log(2)) / 3, rel=1e-6)
    assert wide.quantile == pytest.approx(4.30265, abs=1e-4)


def test_shares_come_back_from_their_coordinates() -> None:
    c = Composition(np.array([0.12, 0.08, 0.77, 0.03]), np.full(4, 0.008), (False,) * 4)
    coordinates, covariance = log_ratios(c, parts_of([c]), c.shares)
    back = shares_of(coordinates, covariance, 1.96)
    assert [s for s, _, _ in back] == pytest.approx(c.shares)
    assert all(0 < low < share < high < 1 for share, low, high in back)


@settings(max_examples=25)
@given(st.permutations(range(12)))
def test_the_order_of_attributes_changes_nothing(order: list[int]) -> None:
    given = shares("auc", 12, 8, 77, 3) + shares("cdms", 14, 9, 74, 3) + shares("mp", 30, 8, 59, 3)
    assert agreement([given[i] for i in order]) == agreement(given)


def test_no_specification_can_cite_the_combined_estimate() -> None:
    given = shares("auc", 12, 8, 77, 3, sd=0.8) + shares("cdms", 14, 9, 74, 3, sd=0.8)
    combined = agreement(given).combined
    assert [c.classes for c in combined] == [[n] for n in CLASSES]
    tests = [{"id": "t", "attribute": "percent_full", "technique": "combined", "limit": "NLT 0 %"}]
    assert Specification(id="S", version="1", tests=tests).check(given).overall == "INCOMPLETE"
    with pytest.raises(UsageError):
        Specification(id="S", version="1", tests=tests).check(combined)  # type: ignore[arg-type]
