"""The AUC fit: kernel against a plain solution, noise removal, search, composition."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import aavqc
from aavqc.auc.choices import Selection
from aavqc.auc.column import find_column
from aavqc.auc.composition import class_windows, percentages
from aavqc.auc.cs import normal_equations, project, solve
from aavqc.auc.peaks import find_peaks
from aavqc.auc.settings import TechniqueSettings
from aavqc.records import InputFile, Scan, VelocityScans, readonly
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate

EXTINCTION = {"extinction.capsid.260": 3.72e6, "extinction.nucleotide.260": 8750}


def test_projection_removes_systematic_noise_exactly() -> None:
    rng = np.random.default_rng(1)
    clean = rng.normal(size=(7, 11))
    ti, ri = rng.normal(size=(1, 11)), rng.normal(size=(7, 1))
    assert np.allclose(
        project(clean + ti + ri, ["ti", "ri"]), project(clean.copy(), ["ti", "ri"]), atol=1e-12
    )
    assert np.allclose(project(clean + ti, ["ti"]), project(clean.copy(), ["ti"]), atol=1e-12)
    assert np.allclose(project(clean + ri, ["ri"]), project(clean.copy(), ["ri"]), atol=1e-12)
    assert np.allclose(project(clean + 3.0, []), project(clean.copy(), []), atol=1e-12)


def test_normal_equations_give_the_least_squares_amounts() -> None:
    rng = np.random.default_rng(2)
    columns = rng.normal(size=(4, 9, 13))
    truth = np.array([0.0, 2.0, 0.5, 1.0])
    amounts = solve(normal_equations(columns, np.tensordot(truth, columns, 1)))
    assert np.allclose(amounts, truth, atol=1e-5)


def test_peaks_are_parted_by_valleys() -> None:
    s = np.linspace(0, 10, 101)
    signal = 2 * np.exp(-(((s - 3) / 0.5) ** 2)) + np.exp(-(((s - 7) / 0.5) ** 2))
    peaks = find_peaks(s, signal, np.full(101, 0.5))
    assert [round(p.s, 2) for p in peaks] == [3.0, 7.0]
    assert [round(p.fraction, 3) for p in peaks] == [0.667, 0.333]


def test_classes_from_packaged_length() -> None:
    settings = build(TechniqueSettings, {"design_length": 4700, "density": 1.0, "viscosity": 1.002})
    s = np.linspace(40, 160, 241)
    signal = np.where(np.isclose(s, 65.0), 1.0, 0.0) + np.where(np.isclose(s, 107.0), 3.0, 0.0)
    windows = class_windows(s, signal, settings)
    assert windows is not None
    assert windows.s_empty == pytest.approx(65.0)
    # 8.9 S per kb for 65 S, 3.74 MDa and v 0.73/0.55 in water
    assert windows.s_empty * windows.slope * 1000 == pytest.approx(8.9, abs=0.1)
    share = percentages(windows, s, signal, None)
    assert share == {
        "empty": pytest.approx(25.0), "partial": 0.0, "full": pytest.approx(75.0), "overfull": 0.0,
    }  # fmt: skip
    particles = percentages(windows, s, signal, (3.72e6, 8750.0))
    full = 3.72e6 + 8750.0 * windows.length(np.array([107.0]))[0]
    assert particles["empty"] == pytest.approx(100 * (1 / 3.72e6) / (1 / 3.72e6 + 3 / full))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("auc") / "run"
    simulate(folder, AucSimulation(seed=7, scans=40))
    return folder


def test_simulated_aav_is_recovered(simulated: Path) -> None:
    result = aavqc.analyze(simulated, design_length=4700, density=1.0, viscosity=1.002, **EXTINCTION)
    diagnostics = result.samples[0].diagnostics
    assert diagnostics["meniscus"] == pytest.approx(6.05, abs=0.003)
    assert diagnostics["rmsd"] == pytest.approx(0.004, rel=0.05)
    found = {name: a.value for name, a in result.attributes.items()}
    for name, truth in (("empty", 25.0), ("partial", 15.0), ("full", 60.0), ("overfull", 0.0)):
        assert found[f"percent_{name}"] == pytest.approx(truth, abs=1.0)
    parts = [found[f"percent_{name}"] for name in ("empty", "partial", "full", "overfull")]
    assert sum(parts) == pytest.approx(100.0)
    assert {a.scope for a in result.attributes.values()} == {"fit"}


def test_without_extinction_signal_only_and_it_says_so(simulated: Path) -> None:
    result = aavqc.analyze(simulated, design_length=4700, resolution=60)
    names = set(result.attributes)
    assert "percent_full_signal" in names
    assert "percent_full" not in names
    warnings = " ".join(result.samples[0].warnings)
    assert "extinction" in warnings
    assert "density and viscosity" in warnings
    assert all(p["s20w"] is None for p in result.samples[0].diagnostics["peaks"])


def test_without_design_length_no_composition(simulated: Path) -> None:
    result = aavqc.analyze(simulated, resolution=60)
    assert not any(name.startswith("percent") for name in result.attributes)
    assert any("design_length" in w for w in result.samples[0].warnings)


def test_same_bytes_again(simulated: Path) -> None:
    from aavqc.documents import canonical

    first, second = (aavqc.analyze(simulated, resolution=40, seed=3).payload for _ in range(2))
    assert canonical(first) == canonical(second)


def flat_scans(n: int, value: float = 0.0) -> VelocityScans:
    rng = np.random.default_rng(5)
    radii = np.linspace(5.9, 7.2, 400)
    scans = tuple(
        Scan(
            file=f"{i}.RA1",
            description="",
            radius_cm=readonly(radii),
            signal=readonly(value + 0.004 * rng.normal(size=400)),
            time_s=300.0 * (i + 1),
            omega2_t=2.467e6 * 300.0 * (i + 1),
            rpm=15000.0,
            temperature_c=20.0,
            wavelength_nm=260.0,
        )
        for i in range(n)
    )
    return VelocityScans(
        name="#cell1", sample_id="x", format="test", inputs=(InputFile("a", "00", 1),), cell=1,
        optics="absorbance", scans=scans, wavelengths=(260.0,),
    )  # fmt: skip


def test_a_cell_without_boundary_gives_no_number_that_counts() -> None:
    sample = aavqc.analyze(flat_scans(20)).samples[0]
    assert sample.status == "invalid"
    assert "no_boundary" in {f.id for f in sample.flags}


def test_one_scan_is_refused() -> None:
    with pytest.raises(aavqc.AssayError, match="too few scans"):
        aavqc.analyze(flat_scans(1))


def test_limits_outside_the_data_are_refused() -> None:
    record = flat_scans(5)
    selection = Selection(record.scans, (), ())
    with pytest.raises(aavqc.UsageError, match="fit range"):
        find_column(record, selection, build(TechniqueSettings, {"fit_range": "5.0,7.0"}))
    with pytest.raises(aavqc.UsageError, match="meniscus"):
        find_column(record, selection, build(TechniqueSettings, {"meniscus": 7.0, "fit_range": "6.1,7.0"}))
