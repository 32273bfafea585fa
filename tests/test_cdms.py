"""CDMS: charge, masses, peaks, classes, and what is flagged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aavqc.analysis import analyze, read
from aavqc.cdms.peaks import SIGNIFICANCE, _prominent
from aavqc.documents import canonical
from aavqc.errors import UsageError
from aavqc.records import FloatArray, InputFile, IonTable, readonly
from aavqc.report.cdms_figures import cdms_figures
from aavqc.result import Result

SLOPE = 112_100.0
AAV = {"charge_slope": SLOPE, "serotype": "AAV2", "design_length": 4700}
WINDOW = {**AAV, "report_by": "window"}
EMPTY, PARTIAL, FULL = 3.7404e6, 3.7404e6 + 2350 * 308.95, 3.7404e6 + 4700 * 308.95


def ion_table(mass: FloatArray, z: FloatArray, **fields: Any) -> IonTable:
    defaults: dict[str, Any] = {
        "mz": readonly(mass / z + 1.007276467),
        "intensity": readonly(z * SLOPE),
        "charge": None,
        "scan": readonly(np.arange(mass.size) // 50, np.int64),
        "rows_read": mass.size,
    }
    inputs = (InputFile("ions.csv", "ab" * 32, 1),)
    return IonTable(
        name="ions.csv", sample_id="ions", format="ion-list", inputs=inputs, **{**defaults, **fields}
    )


@pytest.fixture
def sample() -> Callable[..., IonTable]:
    def make(
        empty: int = 300, partial: int = 120, full: int = 500, noise: float = 0.3, **fields: Any
    ) -> IonTable:
        rng = np.random.default_rng(3)
        centres = np.repeat([EMPTY, PARTIAL, FULL], [empty, partial, full])
        mass = rng.normal(centres, 2e4)
        charge = np.rint(155 * (mass / 3.74e6) ** 0.15)
        record = ion_table(mass, charge, **fields)
        noisy = (charge + rng.normal(0, noise, mass.size)) * SLOPE
        return ion_table(mass, charge, **{"intensity": readonly(noisy), "mz": record.mz, **fields})

    return make


def flags(result: Result) -> dict[str, str]:
    return {f.id: f.severity for f in result.samples[0].flags}


def test_classes_are_counted_ion_by_ion_and_sum_to_100(sample: Callable[..., IonTable]) -> None:
    found = analyze(sample(), **WINDOW).attributes
    for name, ions in (("empty", 300), ("partial", 120), ("full", 500), ("overfull", 0)):
        assert found[f"percent_{name}"].value == pytest.approx(100 * ions / 920, abs=1e-9)
    total = sum(found[f"percent_{n}"].value for n in ("empty", "partial", "full", "overfull"))
    assert total == pytest.approx(100, abs=1e-9)
    full = found["percent_full"]
    assert (full.scope, full.coverage, full.unit) == ("fit", 0.95, "%")
    assert full.ci_low is not None
    assert full.ci_high is not None
    assert full.ci_low < full.value < full.ci_high
    assert full.lod == pytest.approx(300 / 920)


def test_intervals_are_goodmans(sample: Callable[..., IonTable]) -> None:
    found = analyze(sample(300, 120, 580), **WINDOW).attributes["percent_empty"]
    # 300 of 1000, four classes: published figure of Goodman's interval
    assert (found.ci_low, found.ci_high) == (pytest.approx(26.51, abs=0.01), pytest.approx(33.73, abs=0.01))


def test_a_class_without_ions_is_nd_with_the_upper_limit_as_bound(sample: Callable[..., IonTable]) -> None:
    over = analyze(sample(), **WINDOW).attributes["percent_overfull"]
    assert (over.value, over.qualifier, over.ci_low) == (0.0, "ND", 0.0)
    assert over.bound == over.ci_high
    assert over.bound is not None
    assert over.bound > 0


def test_aggregates_and_fragments_are_shares_of_all_ions_outside_the_sum() -> None:
    mass = np.concatenate([np.full(90, EMPTY), np.full(6, 2 * EMPTY), np.full(4, 1e6)])
    found = analyze(ion_table(mass, np.full(100, 150.0)), **WINDOW).attributes
    assert found["percent_empty"].value == pytest.approx(100.0)
    assert found["percent_aggregate_signal"].value == pytest.approx(6.0)
    assert found["percent_sub_capsid_signal"].value == pytest.approx(4.0)


def test_masses_and_packaged_length(sample: Callable[..., IonTable]) -> None:
    found = analyze(sample(), **WINDOW, mass_unit="kDa").attributes
    # SD of a median of 300 and of 500 masses of SD 2.2e4 Da
    assert found["mass_empty"].value == pytest.approx(EMPTY / 1e3, abs=4 * 1.6)
    assert found["mass_full"].value == pytest.approx(FULL / 1e3, abs=4 * 1.3)
    length = found["packaged_length"]
    assert length.value == pytest.approx(4700, abs=4 * 7)
    assert length.ci_low is not None
    assert length.ci_high is not None
    assert length.ci_low < 4700 < length.ci_high


def test_peaks_report_ions_not_areas(sample: Callable[..., IonTable]) -> None:
    peaks = analyze(sample(2000, 1000, 4000), **AAV).samples[0].diagnostics["peaks"]
    assert [p["mass_mda"] for p in peaks] == pytest.approx([EMPTY / 1e6, PARTIAL / 1e6, FULL / 1e6], rel=2e-3)
    # a peak ends at 5 % of its height: a Gaussian has 98.6 % of its ions within
    assert [p["ions"] for p in peaks] == pytest.approx([2000, 1000, 4000], rel=0.025)
    assert [p["fraction"] for p in peaks] == pytest.approx([p["ions"] / 7000 for p in peaks])


def one_by_one(density: FloatArray, noise: float) -> list[int]:
    """Give up the maximum that stands out least, one at a time."""
    tops = [i for i in range(1, density.size - 1) if density[i - 1] < density[i] >= density[i + 1]]
    while tops:
        excess = []
        for k, top in enumerate(tops):
            beside = [*tops[max(k - 1, 0) : k], *tops[k + 1 : k + 2]]
            valleys = [density[min(top, other) : max(top, other) + 1].min() for other in beside]
            saddle = max(valleys, default=0.0)
            excess.append((density[top] - saddle) / np.sqrt(noise * (density[top] + saddle)))
        if min(excess) >= SIGNIFICANCE:
            break
        del tops[int(np.argmin(excess))]
    return tops


@pytest.mark.parametrize("seed", range(8))
def test_peaks_are_those_that_are_left_when_the_least_goes_first(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steep = [0.5, 5.0, 50.0, 500.0][seed % 4]
    density = np.abs(np.cumsum(rng.normal(0, steep, 600))) + rng.integers(0, 3, 600)
    assert _prominent(density, 1.0) == one_by_one(density, 1.0)


@pytest.mark.parametrize("bandwidth", [None, 0.004, 0.02])
def test_the_kernel_estimate_is_a_sum_of_gaussians_of_the_stated_width(
    bandwidth: float | None, sample: Callable[..., IonTable]
) -> None:
    record = sample()
    result = analyze(record, bandwidth=bandwidth, **AAV)
    stated = result.samples[0].diagnostics["distribution"]
    width = stated["bandwidth"]
    assert stated["histogram_step_da"] == 1e4
    assert width == bandwidth or (bandwidth is None and 0.005 <= width <= 0.03)
    at, per_da = (result.arrays[f"ions.csv/mass_kde_{name}"] for name in ("da", "per_da"))
    assert record.intensity is not None
    mass = record.intensity / SLOPE * (record.mz - 1.007276467)
    apart = (np.log(at)[:, None] - np.log(mass)[None, :]) / width
    exact = np.exp(-0.5 * apart**2).sum(axis=1) / (width * np.sqrt(2 * np.pi) * at)
    assert np.abs(per_da - exact).max() < 0.02 * exact.max()
    assert np.trapezoid(per_da, at) == pytest.approx(mass.size, rel=1e-3)
    counts = result.arrays["ions.csv/mass_counts"]
    assert counts.sum() == np.count_nonzero(mass < result.arrays["ions.csv/mass_edges_da"][-1])


def test_the_figure_of_masses_states_the_bandwidth(sample: Callable[..., IonTable]) -> None:
    result = analyze(sample(), bandwidth=0.012, **AAV)
    arrays = {name.removeprefix("ions.csv/"): values for name, values in result.arrays.items()}
    captions = [picture.caption for picture in cdms_figures(result.samples[0], arrays)]
    assert any("Gaussian kernel estimate, its SD 1.2 % of the mass" in caption for caption in captions)


def test_without_design_length_there_is_no_composition(sample: Callable[..., IonTable]) -> None:
    result = analyze(sample(), charge_slope=SLOPE)
    assert list(result.attributes) == []
    assert result.samples[0].status == "valid"
    assert "design_length" in result.samples[0].warnings[0]


def test_without_a_calibration_the_vendors_charges_are_not_trusted(sample: Callable[..., IonTable]) -> None:
    result = analyze(sample(charge=readonly(np.full(920, 300.0))), design_length=4700)
    assert result.samples[0].status == "invalid"
    assert flags(result) == {"charge_calibration": "invalid"}
    assert "charge_slope" in result.samples[0].flags[0].message
    assert list(result.attributes) == []


def test_charges_of_a_file_without_intensity_are_used() -> None:
    charge = np.full(100, 150.0)
    record = ion_table(np.full(100, EMPTY), charge, intensity=None, charge=readonly(charge))
    assert analyze(record, design_length=4700, serotype="AAV2").attributes["percent_empty"].value == 100.0


def test_intercept_is_taken_off() -> None:
    charge = np.full(100, 150.0)
    record = ion_table(np.full(100, EMPTY), charge, intensity=readonly(charge * SLOPE + 3e5))
    result = analyze(record, **WINDOW, charge_intercept=3e5)
    assert result.attributes["mass_empty"].value == pytest.approx(EMPTY / 1e6, rel=1e-12)


def test_injection_time_multiplies_where_intensity_is_flux_scaled() -> None:
    """One ion seen at 50, 100 and 200 ms has one charge."""
    charge, times = np.full(90, 150.0), np.repeat([50.0, 100.0, 200.0], 30)
    flux = readonly(charge * SLOPE / (times / 1000))
    record = ion_table(
        np.full(90, EMPTY), charge, intensity=flux, flux_scaled=True, injection_time_ms=readonly(times)
    )
    assert np.ptp(analyze(record, **AAV).arrays["ions.csv/charge"]) < 1e-9
    slope = ion_table(np.full(90, EMPTY), charge, injection_time_ms=readonly(times))
    assert np.ptp(analyze(slope, **AAV).arrays["ions.csv/charge"]) < 1e-9


def test_unknown_injection_time_is_flagged() -> None:
    record = ion_table(np.full(90, EMPTY), np.full(90, 150.0), flux_scaled=True)
    assert flags(analyze(record, **AAV))["injection_time_unknown"] == "warning"


def test_funnel_accounts_for_every_row() -> None:
    charge = np.concatenate([np.full(80, 150.0), np.full(15, 3.0), np.full(5, 300.0)])
    multi = readonly(np.arange(100) >= 95, np.bool_)
    record = ion_table(
        charge * 25000, charge, multi_ion=multi, rows_read=107, dropped={"intensity is not positive": 7}
    )
    sample = analyze(record, **AAV, mz_range=[1000, 90000]).samples[0]
    funnel = {row["step"]: row["ions"] for row in sample.diagnostics["funnel"]}
    assert funnel["read"] == 107
    assert funnel["used"] == 80
    assert funnel["dropped: signal of several ions"] == 5
    assert funnel["dropped: charge below 10 e"] == 15
    assert sum(n for step, n in funnel.items() if step != "read") == 107


@pytest.mark.parametrize("ions", [0, 49, 50])
def test_fewer_than_50_ions_are_invalid(ions: int) -> None:
    result = analyze(ion_table(np.full(ions, EMPTY), np.full(ions, 150.0)), **AAV)
    assert (result.samples[0].status == "invalid") == (ions < 50)
    assert ("too_few_ions" in flags(result)) == (ions < 50)


@pytest.mark.parametrize(
    ("charges", "status", "used"), [([0, -3], "invalid", 0), ([0, -3, 150], "valid", 60)]
)
def test_charges_of_zero_and_below_are_no_ions(
    charges: list[int], status: str, used: int, tmp_path: Path
) -> None:
    rows = [f"25000,{charge},{scan}" for scan in range(60) for charge in charges]
    (tmp_path / "ions.csv").write_text("mz,charge,scan\n" + "\n".join(rows), encoding="utf-8")
    (sample,) = analyze(tmp_path / "ions.csv", design_length=4700, serotype="AAV2").samples
    funnel = {row["step"]: row["ions"] for row in sample.diagnostics["funnel"]}
    assert (sample.status, funnel["used"]) == (status, used)
    assert funnel["dropped: charge is not positive"] == 120
    assert ("too_few_ions" in {f.id for f in sample.flags}) == (used == 0)


def test_an_intercept_that_makes_charges_negative_leaves_no_ion(sample: Callable[..., IonTable]) -> None:
    found = analyze(sample(), charge_intercept=1e9, **AAV).samples[0]
    funnel = {row["step"]: row["ions"] for row in found.diagnostics["funnel"]}
    assert (funnel["dropped: charge below 10 e"], funnel["used"], found.status) == (920, 0, "invalid")


def test_one_scan_is_flagged(sample: Callable[..., IonTable]) -> None:
    assert "single_scan" not in flags(analyze(sample(), **AAV))
    assert flags(analyze(sample(scan=readonly(np.ones(920), np.int64)), **AAV))["single_scan"] == "warning"


def test_a_wrong_slope_is_flagged(sample: Callable[..., IonTable]) -> None:
    assert "mass_scale" not in flags(analyze(sample(), **AAV))
    assert flags(analyze(sample(), **{**AAV, "charge_slope": 0.98 * SLOPE}))["mass_scale"] == "warning"


def test_noise_that_moves_ions_across_a_bound_is_flagged(sample: Callable[..., IonTable]) -> None:
    assert "windows_biased" not in flags(analyze(sample(3000, 1200, 5000), **AAV))
    result = analyze(sample(3000, 1200, 5000, noise=3.5), **AAV)
    assert flags(result)["windows_biased"] == "info"  # reported is the mixture
    assert flags(analyze(sample(3000, 1200, 5000, noise=3.5), **WINDOW))["windows_biased"] == "warning"
    calibration = result.samples[0].diagnostics["calibration"]
    assert calibration["sigma_z_source"] == "all peaks"


def test_a_regulated_method_assumes_no_capsid_mass(sample: Callable[..., IonTable]) -> None:
    without = {key: value for key, value in AAV.items() if key != "serotype"}
    result = analyze(sample(), **without, regulated=True)
    assert flags(result)["constant_required"] == "warning"
    assert list(result.attributes) == []
    assert "constant_required" not in flags(analyze(sample(), **AAV, regulated=True))
    assert "constant_required" not in flags(analyze(sample(), **without))


def blurred(shares: list[float], ions: int, noise: float, seed: int) -> IonTable:
    """Ions of capsids assembled by chance, of 0, 2350, 4700 and 5640 nt, with charge noise."""
    rng = np.random.default_rng(seed)
    length = rng.choice([0, 2350, 4700, 5640], ions, p=shares)
    subunits = rng.multinomial(60, [1 / 12, 1 / 12, 10 / 12], ions)
    mass = EMPTY + (subunits[:, :2] - 5) @ np.array([21.88e3, 6.51e3]) + length * 308.95
    charge = np.rint(155 * (mass / 3.74e6) ** 0.15)
    table = ion_table(mass, charge)
    return ion_table(
        mass, charge, mz=table.mz, intensity=readonly((charge + rng.normal(0, noise, ions)) * SLOPE)
    )


@pytest.mark.parametrize("noise", [0.3, 3.0])
@pytest.mark.parametrize("shares", [[0.12, 0.08, 0.80, 0.0], [0.30, 0.12, 0.50, 0.08]])
def test_intervals_hold_the_truth_where_blur_crosses_a_bound(shares: list[float], noise: float) -> None:
    inside = 0
    for seed in range(4):
        found = analyze(blurred(shares, 3_000, noise, seed), **WINDOW).attributes
        bounds = [found[f"percent_{c}"] for c in ("empty", "partial", "full", "overfull")]
        inside += all(
            (a.ci_low or 0.0) <= 100 * share <= (a.ci_high or 0.0)
            for a, share in zip(bounds, shares, strict=True)
        )
    assert inside >= 3  # at 95 % fewer than 3 of 4 come with a chance of 1.4 %


def test_a_shift_beyond_half_the_counting_interval_is_flagged() -> None:
    result = analyze(blurred([0.12, 0.08, 0.80, 0.0], 12_000, 1.0, 1), **WINDOW)
    flag = next(f for f in result.samples[0].flags if f.id == "windows_biased")
    over, full = result.attributes["percent_overfull"], result.attributes["percent_full"]
    assert (flag.value or 0) == pytest.approx(over.value, abs=0.3)  # none is overfull in truth
    assert over.ci_low == 0.0
    assert (full.ci_low or 0) <= full.value < 80 <= (full.ci_high or 0)
    unfolded = result.samples[0].diagnostics["methods"]["window"]["unfolded_percent"]
    assert sum(unfolded.values()) == pytest.approx(100, abs=1e-9)
    assert unfolded["full"] == pytest.approx(80, abs=3 * 0.37)  # SD of a share of 12,000 ions
    assert "windows_biased" not in flags(analyze(blurred([0.6, 0.4, 0, 0], 12_000, 0.3, 1), **WINDOW))


def test_charge_noise_comes_from_the_full_peak_where_there_is_no_empty_one() -> None:
    calibration = (
        analyze(blurred([0.0, 0.02, 0.98, 0.0], 6_000, 2.0, 2), **AAV).samples[0].diagnostics["calibration"]
    )
    assert calibration["sigma_z_source"] == "all peaks"
    assert calibration["sigma_z"] == pytest.approx(2.0, abs=0.15)


def test_standards_are_compared_with_the_peaks(sample: Callable[..., IonTable]) -> None:
    settings = {**AAV, "standards.capsid": 3.7404e6, "standards.other": 1e6}
    capsid, other = analyze(sample(), **settings).samples[0].diagnostics["calibration"]["standards"]
    assert capsid["deviation_percent"] == pytest.approx(0, abs=0.3)
    assert other["found_da"] is None


@pytest.mark.parametrize(
    "settings",
    [
        {"mz_range": [5, 1]},
        {"serotype": "AAV99"},
        {"design_length": 20000},
    ],
)
def test_settings_that_can_not_be_followed_are_usage_errors(
    settings: dict[str, Any], sample: Callable[..., IonTable]
) -> None:
    with pytest.raises(UsageError):
        analyze(sample(), **{**AAV, **settings})


def test_equal_input_gives_equal_bytes(sample: Callable[..., IonTable]) -> None:
    first, second = (analyze(sample(6000, 0, 3000), **AAV) for _ in range(2))
    assert canonical(first.payload) == canonical(second.payload)
    assert first.arrays["ions.csv/mz"].size == 5000
    for name, values in first.arrays.items():
        assert np.array_equal(values, second.arrays[name])


def test_real_mixture_of_two_proteins(reference_data: Path) -> None:
    path = reference_data / "cdms" / "bgal_groel" / "BgalGroEL_Ion.csv.gz"
    peaks = analyze(path, charge_slope=110_000).samples[0].diagnostics["peaks"]
    galactosidase = min(peaks, key=lambda p: abs(p["mass_mda"] - 0.4664))
    groel = min(peaks, key=lambda p: abs(p["mass_mda"] - 0.8024))
    assert galactosidase["mass_mda"] == pytest.approx(0.4664, rel=0.02)
    assert groel["mass_mda"] == pytest.approx(0.8024, rel=0.02)
    share = galactosidase["ions"] / (galactosidase["ions"] + groel["ions"])
    assert share == pytest.approx(0.535, abs=0.01)


@pytest.mark.parametrize("name", ["elit_sz0.4", "orbi_sz1.5"])
def test_windows_find_the_simulated_composition(name: str, reference_data: Path, tmp_path: Path) -> None:
    with np.load(reference_data / "cdms" / "sim_aav" / f"aav2_zsize_{name}.npz") as archive:
        data, lengths = archive["data"], archive["truth_nt"]
    np.savez(tmp_path / "ions.npz", data=data)
    found = analyze(tmp_path / "ions.npz", **WINDOW).attributes
    counts, _ = np.histogram(lengths, [-1, 470, 3995, 5170, np.inf])
    for cls, count in zip(("empty", "partial", "full", "overfull"), counts, strict=True):
        share = found[f"percent_{cls}"]
        assert share.value == pytest.approx(100 * count / lengths.size, abs=0.6)
        assert (share.ci_low or 0.0) <= 100 * count / lengths.size <= (share.ci_high or 0.0)


def test_windows_at_3_e_are_flagged_and_the_intervals_hold_the_truth(
    reference_data: Path, tmp_path: Path
) -> None:
    with np.load(reference_data / "cdms" / "sim_aav" / "aav2_zsize_orbi_sz3.0.npz") as archive:
        data, lengths = archive["data"], archive["truth_nt"]
    np.savez(tmp_path / "ions.npz", data=data)
    result = analyze(tmp_path / "ions.npz", **WINDOW)
    assert flags(result)["windows_biased"] == "warning"
    counts, _ = np.histogram(lengths, [-1, 470, 3995, 5170, np.inf])
    for cls, count in zip(("empty", "partial", "full", "overfull"), counts, strict=True):
        share = result.attributes[f"percent_{cls}"]
        assert (share.ci_low or 0.0) <= 100 * count / lengths.size <= (share.ci_high or 0.0)


def test_real_ions_without_slope_are_invalid(reference_data: Path) -> None:
    record = read(reference_data / "cdms" / "bgal_groel" / "BgalGroEL_Ion.csv.gz")
    assert analyze(record).samples[0].status == "invalid"
