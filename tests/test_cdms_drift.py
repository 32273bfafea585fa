"""Charges that drift over the run or follow the injection time are flagged; others are not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from aavqc.cdms.drift import drifts
from aavqc.cdms.funnel import select
from aavqc.cdms.peaks import distribution
from aavqc.cdms.settings import TechniqueSettings
from aavqc.records import IonTable, readonly
from cdms_lists import SLOPE, Lot, draw

SETTINGS = TechniqueSettings(serotype="AAV2", design_length=4700, charge_slope=SLOPE)
LOT = Lot((0.25, 0.15, 0.50, 0.10), ions=6000)


def judged(record: IonTable) -> tuple[dict[str, Any], list[str]]:
    assert record.intensity is not None
    ions = select(record, np.asarray(record.intensity, np.float64) / SLOPE, SETTINGS)
    facts, flags = drifts(record, ions, distribution(ions.mass).peaks)
    return facts, [flag.id for flag in flags]


def injected(spread: float, exponent: float, seed: int = 3) -> IonTable:
    """Return a list of scans of differing injection times; intensity grows with a power of it."""
    record = draw(LOT, seed)
    assert record.intensity is not None
    assert record.scan is not None
    times = 100 * spread ** (np.random.default_rng(seed).integers(0, 3, 200) - 1.0)
    each = times[record.scan]
    return replace(
        record,
        intensity=readonly(record.intensity * (each / 100) ** exponent),
        injection_time_ms=readonly(each),
    )


@pytest.mark.parametrize("drift", [0.01, -0.02])
@pytest.mark.parametrize("clock", ["time_s", "scan"])
def test_a_drift_over_the_run_is_measured_and_flagged(drift: float, clock: str) -> None:
    record = draw(replace(LOT, drift=drift), 1)
    record = record if clock == "time_s" else replace(record, time_s=None)
    facts, flags = judged(record)
    assert flags == ["charge_drift"]
    # the feet of a peak cut off part of it: what is left moves less
    assert facts["time_percent"] == pytest.approx(100 * drift, rel=0.25)


def test_lists_without_trend_are_not_flagged() -> None:
    for seed in range(20):  # 5 SE: one in two million
        facts, flags = judged(draw(LOT, seed))
        assert flags == []
        assert abs(facts["time_percent"]) < 5 * facts["time_percent_se"]
        assert facts["injection_time_percent"] is None


def test_a_composition_that_changes_is_no_drift() -> None:
    first, then = (
        draw(replace(LOT, shares=(0.9, 0, 0.1, 0)), 4),
        draw(replace(LOT, shares=(0.1, 0, 0.9, 0)), 5),
    )
    assert first.intensity is not None
    assert then.intensity is not None
    both = replace(
        first,
        mz=readonly(np.concatenate([first.mz, then.mz])),
        intensity=readonly(np.concatenate([first.intensity, then.intensity])),
        scan=readonly(np.arange(12_000) // 50, np.int64),
        time_s=None,
        rows_read=12_000,
    )
    assert judged(both)[1] == []


@pytest.mark.parametrize("spread", [1.03, 2.0])
@pytest.mark.parametrize("exponent", [1.0, -1.0])
def test_charges_that_follow_the_injection_time_are_flagged(spread: float, exponent: float) -> None:
    """At a factor of 2 each species makes three peaks, and none of them shows the trend."""
    assert judged(injected(spread, exponent))[1] == ["injection_time_trend"]


@pytest.mark.parametrize("spread", [1.03, 2.0])
def test_injection_times_that_leave_charges_alone_are_not(spread: float) -> None:
    for seed in range(5):
        assert judged(injected(spread, 0.0, seed))[1] == []
