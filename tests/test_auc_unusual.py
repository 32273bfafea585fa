"""Samples and settings that are rarely met: every one ends in numbers that hold, or in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import aavqc
from aavqc.simulate.auc import AucSimulation, simulate

GIVEN = {
    "design_length": 4700,
    "resolution": 60,
    "extinction.capsid.260": 3.72e6,
    "extinction.nucleotide.260": 8750,
}
CLASSES = ("empty", "partial", "full", "overfull")

Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def make(**given: Any) -> Path:
        simulate(tmp_path, AucSimulation(**{"seed": 3, "scans": 30, "radial_step": 0.006, **given}))
        return tmp_path

    return make


@pytest.mark.parametrize(("length", "named"), [(4700, "full"), (0, "empty")])
def test_capsids_of_one_kind_are_all_of_it(run: Run, length: int, named: str) -> None:
    found = aavqc.analyze(run(species=[f"{length}:1"]), **GIVEN).attributes
    for name in CLASSES:
        one = found[f"percent_{name}"]
        assert one.value == pytest.approx(100.0 if name == named else 0.0, abs=0.5)
        assert (one.qualifier == "ND") == (name != named)
