"""Models and regularisation: each recovers what a virtual run of another scheme holds."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

import aavqc
from aavqc.auc.cs import basis, fit_columns, project, steps
from aavqc.auc.grid import SignalGrid
from aavqc.auc.models import capsid_band, diffusion_from_frictional_ratio, shape_of
from aavqc.auc.normal import Normal, chi2, normal_equations, solve
from aavqc.auc.regularise import f_ratio, regularise
from aavqc.auc.settings import TechniqueSettings
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate

KNOWN: dict[str, Any] = {"meniscus": 6.05, "bottom": 7.2, "fit": [], "density": 1.0, "viscosity": 1.002}
"""Nothing of the cell is left to be found: the model alone is tested."""

AAV: dict[str, Any] = {
    **KNOWN,
    "design_length": 4700,
    "s_range": "40,160",
    "extinction.capsid.260": 3.72e6,
    "extinction.nucleotide.260": 8750,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("auc") / "run"
    return folder, simulate(folder, AucSimulation(seed=11, scans=24))


# ---------------------------------------------------------------- noise and regularisation


@pytest.mark.parametrize("noise", [["ti", "ri"], ["ti"], ["ri"], []])
@pytest.mark.parametrize("points", [1, 3, 8, 13])
def test_projection_against_plain_means(noise: list[str], points: int) -> None:
    values = np.random.default_rng(points).normal(size=(3, 5, points))
    mean, over_scans, over_points = (values.mean(axis=a, keepdims=True) for a in ((1, 2), 1, 2))
    taken = {"ti": over_scans, "ri": over_points}
    wanted = values - (sum(taken[n] for n in noise) - (len(noise) - 1) * mean)
    assert np.allclose(project(values, noise), wanted, atol=1e-14)
    assert np.allclose(values, wanted, atol=1e-14), "in place"


def test_double_centring_is_the_joint_fit_of_both_kinds_of_noise() -> None:
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(3, 8, 12))
    data = np.tensordot([1.0, 0.4, 2.0], columns, 1) + rng.normal(size=(8, 1)) + rng.normal(size=(1, 12))
    data += 0.1 * rng.normal(size=data.shape)
    ti = np.kron(np.ones((8, 1)), np.eye(12))
    ri = np.kron(np.eye(8), np.ones((12, 1)))
    explicit = np.linalg.lstsq(np.hstack([columns.reshape(3, -1).T, ti, ri]), data.ravel(), rcond=None)[0][:3]
    noise = ["ti", "ri"]
    amounts = solve(normal_equations(project(columns.copy(), noise), project(data.copy(), noise)))
    assert np.allclose(amounts, explicit, atol=1e-9)


@pytest.mark.parametrize(("points", "ratio"), [(10_000, 1.009398), (100_000, 1.002962)])
def test_f_ratio_has_the_published_values(points: int, ratio: float) -> None:
    assert f_ratio(0.68, points) == pytest.approx(ratio, abs=5e-7)


@pytest.fixture(scope="module")
def blurred() -> Normal:
    """Two peaks seen through a wide blur, with noise."""
    rng = np.random.default_rng(3)
    x, centre = np.linspace(0, 1, 2000), np.linspace(0, 1, 100)
    columns = np.exp(-0.5 * ((x[None, :] - centre[:, None]) / 0.06) ** 2)
    truth = np.exp(-0.5 * ((centre - 0.3) / 0.03) ** 2) + 0.5 * np.exp(-0.5 * ((centre - 0.7) / 0.02) ** 2)
    data = truth @ columns + 0.05 * rng.normal(size=x.size)
    return normal_equations(columns[:, None, :], data[None, :])


@pytest.mark.parametrize("kind", ["maxent", "tikhonov"])
def test_regularisation_ends_at_the_f_test(blurred: Normal, kind: str) -> None:
    amounts = solve(blurred)
    least = chi2(blurred, amounts)
    limit = least * f_ratio(0.68, blurred.points)
    smooth = regularise(blurred, amounts, kind, 0.68)
    assert (smooth >= 0).all()
    assert limit - 0.05 * (limit - least) <= chi2(blurred, smooth) <= limit
    assert smooth.sum() == pytest.approx(amounts.sum(), rel=0.02)
    assert np.abs(np.diff(smooth, 2)).sum() < 0.3 * np.abs(np.diff(amounts, 2)).sum()


def test_maximum_entropy_is_where_its_gradient_vanishes(blurred: Normal) -> None:
    amounts = solve(blurred)
    c = regularise(blurred, amounts, "maxent", 0.68)
    pull = blurred.factor.T @ (blurred.right - blurred.factor @ c)
    entropy = np.log(c / amounts.mean())
    alpha = float(pull @ entropy / (entropy @ entropy))
    assert alpha > 0
    assert np.allclose(pull, alpha * entropy, atol=1e-4 * np.abs(pull).max())


def test_no_confidence_no_penalty(blurred: Normal) -> None:
    amounts = solve(blurred)
    assert regularise(blurred, amounts, "none", 0.68) is amounts
    assert regularise(blurred, amounts, "maxent", 0.0) is amounts


# ---------------------------------------------------------------- laws


def test_invariant_d_goes_on_with_one_frictional_ratio_beside_the_capsids() -> None:
    settings = build(TechniqueSettings, {"design_length": 4700, "density": 1.0, "viscosity": 1.002})
    band = capsid_band(settings)
    assert band is not None
    low, high = band
    assert low < 64.0
    assert 110.0 < high < 160.0
    shape = shape_of("cs_invariant_d", settings, 20.0)
    inside = shape.to_d(np.linspace(low, high, 5), 13.7, 0.0)
    assert np.ptp(inside) == 0.0
    for s in (np.array([2.0, 10.0, low]), np.array([high, 180.0, 400.0])):
        sphere = diffusion_from_frictional_ratio(s * 1e-13, 1.0, 0.73, 1.0, 1.002, 20.0)
        ratio = (sphere / shape.to_d(s, 13.7, 0.0)) ** (2 / 3)
        assert ratio == pytest.approx(np.full(3, ratio[0]))
    assert shape.to_d(np.array([low, high]), 13.7, 0.0) == pytest.approx(inside[:2])


def test_without_a_design_length_d_is_one_for_all() -> None:
    settings = build(TechniqueSettings, {"model": "cs_invariant_d"})
    assert (
        np.ptp(shape_of("cs_invariant_d", settings, 20.0).to_d(np.array([1.0, 50.0, 500.0]), 13.7, 0.0))
        == 0.0
    )


def test_steps_stand_where_the_boundary_is_and_are_diluted() -> None:
    radii = np.linspace(6.1, 7.1, 501)
    w = np.array([4e9, 1.2e10])
    grid = SignalGrid(
        w=w, radii=radii, signal=np.zeros((2, 501)), omega2=1e6, ramp_s=0.0, temperature_c=20.0,
        wavelength_nm=260.0, unit="OD",
    )  # fmt: skip
    for scan, angle in zip(steps(grid, np.array([80.0]), 6.0)[0], w, strict=True):
        boundary = 6.0 * np.exp(80e-13 * angle)
        assert np.interp(0.5, scan / scan[-1], radii) == pytest.approx(boundary, abs=0.002)
        assert scan[-1] == pytest.approx((6.0 / boundary) ** 2)


@pytest.fixture
def empty_grid() -> SignalGrid:
    return SignalGrid(
        w=np.linspace(1e9, 1.5e10, 60), radii=np.linspace(6.1, 7.1, 400), signal=np.ones((60, 400)),
        omega2=2.467e6, ramp_s=40.0, temperature_c=20.0, wavelength_nm=260.0, unit="OD",
    )  # fmt: skip


def test_a_basis_is_the_same_for_any_number_of_threads(
    empty_grid: SignalGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, d = np.linspace(40, 160, 21), np.full(21, 1.57e-7)
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
        found.append(basis(empty_grid, s, d, 6.05, 7.2))
    assert np.array_equal(found[0], found[1])


def test_a_fit_needs_little_more_memory_than_its_basis(empty_grid: SignalGrid) -> None:
    s, d = np.linspace(40, 160, 60), np.full(60, 1.57e-7)
    signal = basis(empty_grid, s[20:21], d[:1], 6.05, 7.2)[0]
    grid = replace(empty_grid, signal=signal)
    tracemalloc.start()
    columns = project(basis(grid, s, d, 6.05, 7.2), ["ti", "ri"])
    fitted = fit_columns(grid, s, columns, ["ti", "ri"], regularisation="tikhonov", confidence=0.68)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * columns.nbytes
    assert fitted.amounts.sum() == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("s_range", ["0,15", "15,1", "-3,15", "nan,15", "1,inf"])
def test_a_range_of_s_that_cannot_be_is_refused(run: tuple[Path, dict[str, Any]], s_range: str) -> None:
    with pytest.raises(aavqc.UsageError, match="s_range"):
        aavqc.analyze(run[0], **{**AAV, "s_range": s_range})


# ---------------------------------------------------------------- virtual runs


@pytest.mark.parametrize(
    ("settings", "algorithm"),
    [
        ({"model": "cs_invariant_d", "fit": "radius"}, "auc.cs/1"),
        ({"model": "cs_invariant_d", "fit": "radius", "regularisation": "maxent"}, "auc.cs/1"),
        ({"model": "cs", "fit": "frictional_ratio"}, "auc.cs/1"),
        ({"model": "cs_ff0"}, "auc.cs_ff0/1"),
        ({"model": "species"}, "auc.species/1"),
    ],
)
def test_each_model_recovers_the_classes(
    run: tuple[Path, dict[str, Any]], settings: dict[str, Any], algorithm: str
) -> None:
    result = aavqc.analyze(run[0], **{**AAV, **settings})
    assert algorithm in result.payload.algorithms
    found = {name: a.value for name, a in result.attributes.items()}
    # 25 % empty are 3 % of the signal, 0.018 OD: one SD of it is 0.7 points of particles
    for name, truth in (("empty", 25.0), ("partial", 15.0), ("full", 60.0), ("overfull", 0.0)):
        assert found[f"percent_{name}"] == pytest.approx(truth, abs=2.0)
    sample = result.samples[0]
    assert sample.diagnostics["rmsd"] == pytest.approx(0.004, rel=0.05)
    assert [p["class"] for p in sample.diagnostics["peaks"]] == ["empty", "partial", "full"]
    for attribute in result.attributes.values():
        assert attribute.ci_low <= attribute.value <= attribute.ci_high


def test_a_class_that_a_model_does_not_show_is_bounded(tmp_path: Path) -> None:
    """By about what resolved species are: the same signal in the same noise."""
    simulate(tmp_path, AucSimulation(seed=4, scans=30, species=["4700:1"]))
    auto, own, table = (
        aavqc.analyze(tmp_path, **AAV, model=model).attributes for model in ("auto", "species", "cs_ff0")
    )
    for name in ("percent_empty", "percent_empty_signal", "percent_partial", "percent_overfull_signal"):
        assert (own[name].value, own[name].qualifier, own[name].bound) == (0.0, "ND", own[name].lod)
        for one in (own[name], table[name]):
            assert 0.5 * auto[name].lod < one.lod < 3.0 * auto[name].lod
    assert own["percent_full"].ci_low == pytest.approx(auto["percent_full"].ci_low, abs=0.5)


def test_the_bound_holds_what_a_model_has_no_species_for(run: tuple[Path, dict[str, Any]]) -> None:
    """A fit of one species to three: what it leaves over is not said to be nothing."""
    folder, truth = run
    found = aavqc.analyze(folder, **AAV, model="species", species="107:1.5e-7").attributes
    for true in truth["species"][:2]:
        name = "percent_empty" if true["packaged_nt"] == 0 else "percent_partial"
        assert found[name].qualifier == "ND"
        assert found[f"{name}_signal"].bound > 100 * true["signal_fraction"]["260"]
        assert found[name].bound > 100 * true["particle_fraction"]


def test_species_find_s_d_and_signal_within_their_errors(run: tuple[Path, dict[str, Any]]) -> None:
    folder, truth = run
    start = "62:1.3e-7,88:1.8e-7,105:1.3e-7"
    diagnostics = aavqc.analyze(folder, **AAV, model="species", species=start).samples[0].diagnostics
    assert len(diagnostics["species"]) == 3
    for found, true in zip(diagnostics["species"], truth["species"], strict=True):
        assert abs(found["s"] - true["s"]) < 4 * found["s_sd"] + 0.02
        assert abs(found["d"] - true["D"]) < 4 * found["d_sd"]
        assert abs(found["signal"] - true["signal"]["260"]) < 4 * found["signal_sd"] + 0.001
    last = diagnostics["species"][2]
    assert last["s_sd"] < 0.05
    assert last["d_sd"] < 0.02 * last["d"]


def test_the_interval_of_s_covers_what_noise_does_to_a_species(run: tuple[Path, dict[str, Any]]) -> None:
    result = aavqc.analyze(run[0], **AAV, model="species", species="1")
    average = result.attributes["s_weight_average"]
    only = result.samples[0].diagnostics["species"][0]
    assert average.value == pytest.approx(only["s"], abs=1e-6)
    assert average.ci_high - average.ci_low == pytest.approx(2 * 1.96 * only["s_sd"], rel=0.3)


@pytest.mark.parametrize("species", ["65", "0", "65:x", "65:1e-7:2", "-65:1e-7", "65:nan"])
def test_species_that_cannot_be_are_refused(run: tuple[Path, dict[str, Any]], species: str) -> None:
    with pytest.raises(aavqc.UsageError, match="species"):
        aavqc.analyze(run[0], **AAV, model="species", species=species, resolution=40)


def test_the_table_of_ff0_sums_to_the_distribution(run: tuple[Path, dict[str, Any]]) -> None:
    diagnostics = aavqc.analyze(run[0], **AAV, model="cs_ff0", resolution=150).samples[0].diagnostics
    table = np.array(diagnostics["ff0"]["signal"])
    ratios = np.array(diagnostics["ff0"]["frictional_ratio"])
    assert table.shape == (ratios.size, 50)
    assert np.allclose(table.sum(axis=0), diagnostics["distribution"]["signal"])
    # s, D and the protein's v-bar make 1.13 of a full capsid
    full = table[:, np.array(diagnostics["ff0"]["s"]) > 95.0].sum(axis=1)
    assert (ratios * full).sum() / full.sum() == pytest.approx(1.13, abs=0.06)


def test_lsg_of_what_hardly_diffuses(tmp_path: Path) -> None:
    """A particle of 65 S and 1 GDa: D is 6e-10 cm²/s."""
    folder = tmp_path / "run"
    simulate(folder, AucSimulation(seed=5, scans=20, species=["0:1"], capsid_mass=1e9))
    result = aavqc.analyze(folder, **KNOWN, model="lsg", s_range="60,70")
    sample = result.samples[0]
    assert sample.diagnostics["frictional_ratio"] is None
    assert sample.diagnostics["radius_nm"] is None
    # the front is as wide as a radial step: a mean over the step is not quite its value
    assert sample.diagnostics["rmsd"] == pytest.approx(0.004, rel=0.1)
    assert [p["s"] for p in sample.diagnostics["peaks"]] == [pytest.approx(65.0, abs=0.1)]
    assert result.attributes["total_signal"].value == pytest.approx(0.6, abs=0.002)
