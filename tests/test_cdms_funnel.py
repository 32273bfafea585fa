"""Filters: neighbours within a scan, limits, and a funnel that accounts for every ion."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aavqc.analysis import analyze, read
from aavqc.cdms.charge import charges
from aavqc.cdms.funnel import select
from aavqc.cdms.neighbours import crowded
from aavqc.cdms.settings import TechniqueSettings
from aavqc.errors import UsageError
from aavqc.records import InputFile, IonTable, readonly

N = 200


def table(**fields: Any) -> IonTable:
    rng = np.random.default_rng(1)
    defaults: dict[str, Any] = {
        "mz": readonly(np.sort(rng.uniform(20_000, 30_000, N))),
        "intensity": readonly(np.full(N, 150e5)),
        "charge": None,
        "scan": readonly(np.arange(N) % 40, np.int64),
        "rows_read": N,
    }
    inputs = (InputFile("ions.csv", "ab" * 32, 1),)
    return IonTable(
        name="ions.csv", sample_id="ions", format="ion-list", inputs=inputs, **{**defaults, **fields}
    )


def funnel(record: IonTable, **settings: Any) -> tuple[dict[str, int], list[str]]:
    sample = analyze(record, charge_slope=1e5, **settings).samples[0]
    rows = {row["step"]: row["ions"] for row in sample.diagnostics["funnel"]}
    assert rows["read"] == sum(n for step, n in rows.items() if step != "read")
    return rows, [f.message for f in sample.flags if f.id == "filter_not_applied"]


def test_neighbours_are_of_the_same_scan_whatever_the_order() -> None:
    rng = np.random.default_rng(2)
    mz, scan = rng.uniform(0, 300, 500), rng.integers(0, 20, 500)
    apart = np.abs(mz[:, None] - mz[None, :]) + 1e9 * np.eye(500)
    apart[scan[:, None] != scan[None, :]] = np.inf
    assert np.array_equal(crowded(mz, scan, np.ones(500, bool), 1.0), apart.min(axis=1) <= 1.0)


@pytest.mark.parametrize("order", ["by scan", "none"])
def test_ions_are_selected_part_by_part_as_at_once(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts end with a scan, so that none of its ions loses a neighbour; no ion's numbers change."""
    rng = np.random.default_rng(6)
    scan = rng.integers(0, 40, 2000)
    fields: dict[str, Any] = {
        "mz": readonly(rng.uniform(100, 400, 2000)),
        "intensity": readonly(rng.uniform(5e5, 400e5, 2000)),
        "scan": readonly(np.sort(scan) if order == "by scan" else scan, np.int64),
        "injection_time_ms": readonly(rng.uniform(10, 100, 2000), np.float32),
        "multi_ion": readonly(rng.random(2000) < 0.05, bool),
        "extra": {"r_squared": readonly(rng.random(2000))},
        "rows_read": 2000,
    }
    limits = {"neighbour_distance": 0.5, "z_range": [20, 300], "min_r_squared": 0.1, "min_intensity": 20e5}
    settings = TechniqueSettings(charge_slope=1e5, mz_range=[150, 390], **limits)
    record = table(**fields)
    found = {}
    for part in (10_000, 60):
        monkeypatch.setattr("aavqc.records.ion_columns.PART", part)
        charge = charges(record, settings).charge
        assert charge is not None
        found[part] = select(record, charge, settings)
    whole, parts = found.values()
    assert 0 < whole.mass.size < 2000
    assert whole.funnel == parts.funnel
    assert whole.flags == parts.flags
    for name in ("mz", "charge", "mass", "index"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    # against plain columns
    z = np.asarray(record.intensity) / 1e5
    same = np.asarray(scan if order == "none" else np.sort(scan))
    near = crowded(record.mz, same, z >= 10, 0.5)
    kept = ~fields["multi_ion"] & ~near & (record.mz >= 150) & (record.mz <= 390) & (z >= 20) & (z <= 300)
    kept &= (fields["extra"]["r_squared"] >= 0.1) & (record.mz >= z)
    assert np.array_equal(whole.index, np.flatnonzero(kept))
    assert np.array_equal(whole.mass, z[kept] * (record.mz[kept] - 1.007276467))


@pytest.mark.parametrize(("distance", "kept"), [(0.5, 80_983), (1.0, 78_510), (5.0, 72_030)])
def test_real_ions_are_filtered_by_scan_not_by_row(distance: float, kept: int, reference_data: Path) -> None:
    """UniDecCD compares rows that are sorted by m/z and keeps 2,408, 752 and 88 of them."""
    record = read(reference_data / "cdms" / "bgal_groel" / "BgalGroEL_Ion.csv.gz")
    assert isinstance(record, IonTable)
    near = crowded(record.mz, record.scan, np.ones(record.mz.size, bool), distance)
    assert np.count_nonzero(~near) == kept


def test_noise_is_nobodys_neighbour() -> None:
    mz = np.linspace(20_000, 30_000, N)
    mz[1::2] = mz[::2] + 0.1
    intensity = np.where(np.arange(N) % 2, 2e5, 150e5)  # every second signal: 2 e
    scans = readonly(np.arange(N) // 2, np.int64)
    rows, _ = funnel(
        table(mz=readonly(mz), intensity=readonly(intensity), scan=scans), neighbour_distance=1.0
    )
    assert rows["used"] == N // 2
    assert rows["dropped: another ion of the scan within 1 Th"] == 0


def test_each_limit_drops_what_is_below_it_and_what_has_no_number() -> None:
    quality = np.linspace(0.0, 1.0, N)
    quality[0] = np.nan
    extra = {
        "r_squared": readonly(quality),
        "s_to_n": readonly(100 * quality),
        "time_of_birth": readonly(np.zeros(N)),
        "time_of_death": readonly(quality),
    }
    record = table(extra=extra)
    low = int(np.count_nonzero(~(quality >= 0.25)))
    for setting, name, limit in (
        ("min_r_squared", "R² below 0.25", 0.25),
        ("min_s_to_n", "S/N below 25", 25.0),
        ("min_lifetime_s", "lifetime below 0.25", 0.25),
    ):
        rows, flags = funnel(record, **{setting: limit})
        assert rows[f"dropped: {name}"] == low
        assert not flags
    charge = np.linspace(20.0, 200.0, N)
    rows, _ = funnel(table(intensity=readonly(charge * 1e5)), z_range=[50, 150], min_intensity=3e6)
    assert rows["dropped: intensity below 3e+06"] == np.count_nonzero(charge < 30)
    assert rows["dropped: charge outside z_range"] == np.count_nonzero(
        (charge >= 30) & ((charge < 50) | (charge > 150))
    )


def test_min_intensity_is_in_the_unit_of_the_slope() -> None:
    times = np.repeat([50.0, 200.0], N // 2)
    flux = 150e5 / (times / 1000)
    record = table(intensity=readonly(flux), injection_time_ms=readonly(times), flux_scaled=True)
    assert funnel(record, min_intensity=149e5)[0]["used"] == N
    assert funnel(record, min_intensity=151e5)[0]["used"] == 0


@pytest.mark.parametrize("setting", ["neighbour_distance", "min_r_squared", "min_s_to_n", "min_lifetime_s"])
def test_a_filter_that_the_file_has_no_column_for_is_flagged(setting: str) -> None:
    rows, flags = funnel(table(scan=None), **{setting: 0.5})
    assert rows["used"] == N
    assert len(flags) == 1
    assert setting in flags[0]


@pytest.mark.parametrize("setting", ["mz_range", "z_range"])
def test_a_range_that_is_none_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match=setting):
        funnel(table(), **{setting: [5, 1]})


def test_mz_below_the_charge_is_left_out_and_flagged() -> None:
    mz = np.linspace(20_000, 30_000, N)
    mz[:20] = 140.0
    sample = analyze(table(mz=readonly(mz)), charge_slope=1e5).samples[0]
    rows = {row["step"]: row["ions"] for row in sample.diagnostics["funnel"]}
    assert rows["dropped: m/z below the charge"] == 20
    flag = next(f for f in sample.flags if f.id == "mz_below_charge")
    assert flag.value == pytest.approx(10.0)
    swapped = table(mz=readonly(np.full(N, 150.0)), intensity=readonly(np.full(N, 25_000e5)))
    assert analyze(swapped, charge_slope=1e5).samples[0].status == "invalid"
