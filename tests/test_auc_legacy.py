"""Fixed windows of s in percent of signal, beside the particle result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc.auc.legacy import legacy_rows
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import UsageError
from aavqc.records import FloatArray, InputFile
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate

WINDOWS = [40.0, 75.0, 95.0, 125.0]


def gaussians(s: FloatArray, *peaks: tuple[float, float]) -> FloatArray:
    found: FloatArray = sum(  # type: ignore[assignment]
        area * np.exp(-0.5 * ((s - at) / 2.0) ** 2) / (2.0 * np.sqrt(2 * np.pi)) for at, area in peaks
    )
    return found


def test_windows_hold_what_was_put_into_them() -> None:
    s = np.linspace(10, 200, 400)
    amounts = gaussians(s, (20, 0.1), (60, 1.0), (85, 2.0), (110, 6.0), (150, 0.9)) * np.gradient(s)
    rows = {name: value for name, _, value, _ in legacy_rows(s, amounts, WINDOWS)}
    assert rows == {
        "percent_empty_legacy": pytest.approx(100 / 9, abs=0.01),
        "percent_partial_legacy": pytest.approx(200 / 9, abs=0.01),
        "percent_full_legacy": pytest.approx(600 / 9, abs=0.01),
        "percent_sub_capsid_legacy": pytest.approx(1.0, abs=0.01),
        "percent_aggregate_legacy": pytest.approx(9.0, abs=0.01),
    }


def test_a_bound_between_points_parts_a_cell() -> None:
    s, flat = np.linspace(50, 150, 11), np.ones(11)
    rows = {name: value for name, _, value, _ in legacy_rows(s, flat, [50.0, 57.0, 92.0, 120.0, 150.0])}
    # between 50 and 150 a flat distribution is shared by length alone
    assert rows["percent_empty_legacy"] == pytest.approx(7.0)
    assert rows["percent_partial_legacy"] == pytest.approx(35.0)
    assert rows["percent_overfull_legacy"] == pytest.approx(30.0)
    assert rows["percent_sub_capsid_legacy"] == pytest.approx(100 * 0.5 / 11)


def test_no_windows_no_rows() -> None:
    assert legacy_rows(np.linspace(10, 30, 20), np.ones(20), None) == []


def test_nothing_between_the_bounds_is_no_division_by_zero() -> None:
    s = np.linspace(10, 30, 20)
    rows = {name: value for name, _, value, _ in legacy_rows(s, np.ones(20), WINDOWS)}
    assert rows["percent_full_legacy"] == 0.0
    assert rows["percent_sub_capsid_legacy"] == pytest.approx(100.0)


@pytest.mark.parametrize("bad", ["40,75,95", "40,95,75,125", "0,75,95,125", "1,2,3,4,5,6"])
def test_wrong_windows_are_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="s_windows"):
        build(TechniqueSettings, {"s_windows": bad})


def test_beside_the_particle_result_of_a_run_with_an_interval(tmp_path: Path) -> None:
    truth: dict[str, Any] = simulate(tmp_path, AucSimulation(seed=31, scans=24))
    settings = {"design_length": 4700, "extinction.capsid.260": 3.72e6, "extinction.nucleotide.260": 8750}
    result = aavqc.analyze(tmp_path, **settings, s_windows="50,75,96,125", resolution=80)
    for one, name in zip(truth["species"], ("empty", "partial", "full"), strict=True):
        found = result.attributes[f"percent_{name}_legacy"]
        assert found.value == pytest.approx(100 * one["signal_fraction"]["260"], abs=1.0)
        assert found.ci_low is not None
        assert found.ci_high is not None
        assert found.ci_low <= found.value <= found.ci_high
        assert found.scope == "fit"
    # empties hardly absorb: the signal has a quarter of the particles' share
    assert result.attributes["percent_empty_legacy"].value < 0.3 * result.attributes["percent_empty"].value


def test_a_saved_distribution_is_bridged_without_design_length() -> None:
    s = np.linspace(20, 160, 561)
    record = aavqc.Distribution(
        name="d", sample_id="d", format="test", inputs=(InputFile("d", "00", 1),),
        x=s, y=gaussians(s, (64, 1.0), (104, 3.0)), kind="c(s)", unit="S",
    )  # fmt: skip
    found = aavqc.analyze(record, s_windows=WINDOWS).attributes
    assert found["percent_full_legacy"].value == pytest.approx(75.0, abs=0.01)
    assert found["percent_full_legacy"].ci_low is None
    assert "percent_full_signal" not in found
