"""Time of judging: ten thousand lots against thirty tests, on one core.

The floor beside it is what no judgement can do without: each value made a decimal of 15
figures, rounded and compared once.
"""

from __future__ import annotations

import time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
import pytest

from aavqc.attributes import Attribute
from aavqc.results import Evaluation, Specification, agreement

LOTS, TESTS = 10_000, 30

Lots = list[list[Attribute]]


@pytest.fixture(scope="module")
def specification() -> Specification:
    limits = ("NLT 70.0 %", "NMT 79.5 %", "70.0 – 80.0 %")
    tests = [
        {"id": f"t{i}", "attribute": f"a{i}", "technique": "auc", "limit": limits[i % 3]}
        | ({"alert": "NLT 71.0 %"} if i % 3 == 0 else {})
        for i in range(TESTS)
    ]
    return Specification(id="S", version="1", status="approved", tests=tests)


@pytest.fixture(scope="module")
def lots() -> Lots:
    values = np.random.default_rng(0).uniform(69.5, 80.5, (LOTS, TESTS)).tolist()
    return [
        [
            Attribute(
                name=f"a{i}",
                technique="auc",
                value=value,
                unit="%",
                ci_low=value - 1,
                ci_high=value + 1,
                coverage=0.95,
                scope="fit",
            )
            for i, value in enumerate(row)
        ]
        for row in values
    ]


def judge(specification: Specification, lots: Lots) -> Evaluation:
    for attributes in lots:
        last = specification.check(attributes, lot="L")
    return last


def floor(lots: Lots) -> int:
    low, place = Decimal("70.0"), Decimal("0.1")
    return sum(Decimal(f"{a.value:.15g}").quantize(place, ROUND_HALF_UP) >= low for row in lots for a in row)


def test_ten_thousand_lots_of_thirty_tests(benchmark: Any, specification: Specification, lots: Lots) -> None:
    started = time.perf_counter()
    floor(lots)
    benchmark.extra_info["floor_s"] = time.perf_counter() - started
    evaluation = benchmark.pedantic(judge, (specification, lots), rounds=3)
    assert len(evaluation.verdicts) == TESTS


def test_agreement_of_three_methods(benchmark: Any) -> None:
    given = [
        Attribute(
            name=f"percent_{name}",
            technique=technique,
            value=value,
            unit="%",
            ci_low=value - 1.2,
            ci_high=value + 1.2,
            coverage=0.95,
            scope="procedure",
        )
        for technique in ("auc", "cdms", "mass_photometry")
        for name, value in (("empty", 12.0), ("partial", 8.0), ("full", 77.0), ("overfull", 3.0))
    ]
    assert len(benchmark(lambda: agreement(given)).combined) == 4
