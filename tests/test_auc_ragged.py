"""Scans of different radial range: the noise is taken out by least squares, no point is lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc.auc.channels import wavelengths_of
from aavqc.auc.choices import Selection, select_scans
from aavqc.auc.column import find_column
from aavqc.auc.cs import fit_columns, project
from aavqc.auc.grid import SignalGrid, on_grid
from aavqc.auc.residuals import point_noise, step_gain
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import AssayError, UsageError
from aavqc.records import BoolArray, FloatArray, Scan, VelocityScans, readonly
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate

AAV: dict[str, Any] = {
    "density": 1.0, "viscosity": 1.002, "design_length": 4700, "s_range": "40,160", "resolution": 80,
    "extinction.capsid.260": 3.72e6, "extinction.nucleotide.260": 8750,
    "extinction.rel_sd": 0.0,
}  # fmt: skip


def staggered(scans: int, points: int) -> BoolArray:
    """Each scan sees another piece of the radius, as far as that there are gaps within one."""
    k, j = np.arange(points), np.arange(scans)[:, None]
    seen: BoolArray = (k >= j % 4) & (k < points - (3 * j) % 5) & ~((j == 2) & (k > 4) & (k < 8))
    return seen


def dense_projection(values: FloatArray, seen: BoolArray, noise: list[str]) -> FloatArray:
    """Take out the least-squares fit by an explicit design matrix."""
    scans, points = seen.shape
    columns = [np.ones(seen.size)]
    if "ti" in noise:
        columns += list(np.tile(np.eye(points), (1, scans)))
    if "ri" in noise:
        columns += list(np.repeat(np.eye(scans), points, axis=1))
    design, use = np.array(columns).T, seen.ravel()
    out = np.zeros(seen.size)
    fitted = design[use] @ np.linalg.lstsq(design[use], values.ravel()[use], rcond=None)[0]
    out[use] = values.ravel()[use] - fitted
    return out.reshape(seen.shape)


@pytest.mark.parametrize("noise", [["ti", "ri"], ["ti"], ["ri"], []])
def test_projection_of_a_ragged_rectangle_is_the_least_squares_fit(noise: list[str]) -> None:
    values = np.random.default_rng(3).normal(size=(3, 7, 15))
    seen = staggered(7, 15)
    wanted = np.array([dense_projection(v, seen, noise) for v in values])
    assert np.allclose(project(values, noise, seen), wanted, atol=1e-12)
    assert not values[:, ~seen].any()


def test_scans_without_a_radius_in_common_have_offsets_of_their_own() -> None:
    seen = np.zeros((6, 10), dtype=bool)
    seen[:3, :5] = seen[3:, 5:] = True
    values = np.random.default_rng(4).normal(size=(1, 6, 10))
    wanted = dense_projection(values[0], seen, ["ti", "ri"])
    assert np.allclose(project(values, ["ti", "ri"], seen)[0], wanted, atol=1e-12)


@pytest.mark.parametrize("noise", [["ti", "ri"], ["ti"], ["ri"], []])
def test_a_full_rectangle_is_centred_alike_both_ways(noise: list[str]) -> None:
    values = np.random.default_rng(5).normal(size=(2, 6, 9))
    full = np.ones((6, 9), dtype=bool)
    assert np.allclose(project(values.copy(), noise, full), project(values.copy(), noise), atol=1e-13)


def test_noise_and_points_count_what_was_seen() -> None:
    rng = np.random.default_rng(6)
    seen = np.ones((30, 200), dtype=bool)
    seen[:12, 120:] = False
    residual = np.where(seen, rng.normal(0.0, 0.005, seen.shape), 0.0)
    assert point_noise(residual, seen) == pytest.approx(0.005, rel=0.05)
    model = np.where(seen, np.linspace(0.0, 1.0, 200) ** 3, 0.0)
    gain, _ = step_gain(model, np.where(seen, 0.02 * model + 0.3, 0.0), seen)
    assert np.allclose(gain, 0.02, atol=1e-12)
    grid = SignalGrid(
        w=np.linspace(1e9, 1e10, 30), radii=np.linspace(6.1, 7.0, 200), signal=model + residual,
        omega2=2.4e6, ramp_s=30.0, temperature_c=20.0, wavelength_nm=None, unit="OD", seen=seen,
    )  # fmt: skip
    columns = project(rng.random((2, 30, 200)), [], seen)
    assert fit_columns(grid, np.array([1.0, 2.0]), columns, []).normal.points == seen.sum()


# ---------------------------------------------------------------- a whole run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> VelocityScans:
    folder = tmp_path_factory.mktemp("ragged") / "run"
    simulate(folder, AucSimulation(seed=21, scans=30, ti_noise=0.01, ri_noise=0.01))
    record = aavqc.read(folder)
    assert isinstance(record, VelocityScans)
    return record


def cut(scan: Scan, low: float, high: float) -> Scan:
    keep = (scan.radius_cm >= low) & (scan.radius_cm <= high)
    return replace(
        scan, radius_cm=readonly(scan.radius_cm[keep]), signal=readonly(scan.signal[keep]), signal_sd=None
    )


def ragged(record: VelocityScans) -> VelocityScans:
    """Every third scan ends at 6.7 cm, and the last ten begin at 6.25 cm."""
    scans = tuple(
        cut(s, 6.25 if i >= 20 else 0.0, 6.7 if i % 3 == 1 else 9.0) for i, s in enumerate(record.scans)
    )
    return replace(record, scans=scans)


def selection_of(record: VelocityScans, settings: TechniqueSettings) -> Selection:
    return select_scans(record, wavelengths_of(record, settings)[0], settings)


def grid_of(record: VelocityScans, **settings: Any) -> SignalGrid:
    built = build(TechniqueSettings, settings)
    found = selection_of(record, built)
    return on_grid(record, found.scans, find_column(record, found, built), built)


def test_the_grid_knows_what_each_scan_saw(run: VelocityScans) -> None:
    grid = grid_of(ragged(run))
    assert grid.seen is not None
    assert grid.radii[0] < 6.1
    assert grid.radii[-1] > 7.1
    for row, scan in zip(grid.seen, ragged(run).scans, strict=False):
        inside = (grid.radii >= scan.radius_cm[0]) & (grid.radii <= scan.radius_cm[-1])
        assert np.array_equal(row, inside)
    assert grid_of(run).seen is None


def test_radii_that_a_scan_leaves_out_are_not_made_up(run: VelocityScans) -> None:
    holes = []
    for i, s in enumerate(run.scans):
        keep = (s.radius_cm < 6.5) | (s.radius_cm > 6.6) if i % 2 else s.radius_cm > 0
        holes.append(
            replace(s, radius_cm=readonly(s.radius_cm[keep]), signal=readonly(s.signal[keep]), signal_sd=None)
        )
    grid = grid_of(replace(run, scans=tuple(holes)))
    assert grid.seen is not None
    gap = (grid.radii > 6.5) & (grid.radii < 6.597)
    assert grid.seen[0].all()
    assert not grid.seen[1][gap].any()
    assert grid.seen[1][~gap].mean() > 0.99


def test_jitter_of_the_ends_leaves_the_rectangle_full(run: VelocityScans) -> None:
    moved = tuple(
        replace(s, radius_cm=readonly(s.radius_cm + 0.001 * (i % 3))) for i, s in enumerate(run.scans)
    )
    assert grid_of(replace(run, scans=moved)).seen is None


def test_both_ways_recover_the_truth_and_the_ragged_one_uses_more(run: VelocityScans) -> None:
    parts = ragged(run)
    whole = aavqc.analyze(parts, **AAV, noise="ti,ri")
    common = aavqc.analyze(parts, **AAV, noise="ti,ri", fit_range="6.26,6.69", meniscus=6.05)
    truth = {"empty": 25.0, "partial": 15.0, "full": 60.0}
    widths = []
    for result, within in ((whole, 1.5), (common, 6.0)):
        for name, value in truth.items():
            assert result.attributes[f"percent_{name}"].value == pytest.approx(value, abs=within)
        full = result.attributes["percent_full"]
        assert full.ci_low is not None
        assert full.ci_high is not None
        widths.append(full.ci_high - full.ci_low)
    sample = whole.samples[0]
    assert widths[0] < 0.7 * widths[1]
    assert sample.diagnostics["rmsd"] == pytest.approx(0.004, rel=0.05)
    assert sample.diagnostics["meniscus"] == pytest.approx(6.05, abs=0.003)
    assert any("each is fitted where it has data" in w for w in sample.warnings)
    assert not any("radial range" in w for w in common.samples[0].warnings)


def test_a_scan_that_broke_off_is_left_out(run: VelocityScans) -> None:
    broken = replace(run, scans=(*run.scans[:9], cut(run.scans[9], 0.0, 6.2), *run.scans[10:]))
    settings = build(TechniqueSettings, {})
    kept = selection_of(broken, settings)
    assert broken.scans[9] not in kept.scans
    assert "short_scans" in {f.id for f in find_column(broken, kept, settings).flags}


def test_scans_without_a_common_radius_are_refused(run: VelocityScans) -> None:
    apart = tuple(cut(s, 0.0, 6.5) if i < 15 else cut(s, 6.5, 9.0) for i, s in enumerate(run.scans))
    with pytest.raises(AssayError, match="share hardly any radius"):
        selection_of(replace(run, scans=apart), build(TechniqueSettings, {}))


def test_files_of_two_ranges_make_one_run(tmp_path: Path, run: VelocityScans) -> None:
    """The real thing: a folder whose scans were taken on two ranges."""
    simulate(tmp_path, AucSimulation(seed=22, scans=20))
    for i in range(11, 21):
        path = tmp_path / f"{i:05d}.RA1"
        lines = path.read_bytes().split(b"\r\n")
        path.write_bytes(b"\r\n".join([*lines[:2], *lines[2 + 90 :]]))
    result = aavqc.analyze(tmp_path, **AAV)
    assert result.attributes["percent_full"].value == pytest.approx(60.0, abs=1.5)
    assert any("each is fitted" in w for w in result.samples[0].warnings)


def test_radii_that_the_user_leaves_out_are_in_no_scan(run: VelocityScans) -> None:
    plain, cut_out = grid_of(run), grid_of(run, exclude_radii="6.5-6.6,6.9-6.92")
    kept = (plain.radii < 6.5) | ((plain.radii > 6.6) & (plain.radii < 6.9)) | (plain.radii > 6.92)
    assert np.array_equal(cut_out.radii, plain.radii[kept])
    assert np.array_equal(cut_out.signal, plain.signal[:, kept])
    assert cut_out.seen is None
    both = grid_of(ragged(run), exclude_radii="6.5-6.6")
    assert both.seen is not None
    assert both.seen.shape == both.signal.shape
    assert not ((both.radii > 6.5) & (both.radii < 6.6)).any()
    scratched = replace(
        run,
        scans=tuple(
            replace(s, signal=readonly(s.signal + 1.0 * (abs(s.radius_cm - 6.55) < 0.02))) for s in run.scans
        ),
    )
    with pytest.raises(AssayError, match="density gradient"):
        grid_of(scratched)
    assert grid_of(scratched, exclude_radii="6.52-6.58").signal.max() < 0.9


@pytest.mark.parametrize("bad", ["6.5", "6.6-6.5", "a-b", "6.5-6.6-6.7"])
def test_pieces_that_are_none_are_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="exclude_radii"):
        build(TechniqueSettings, {"exclude_radii": bad})


def test_nothing_left_is_refused(run: VelocityScans) -> None:
    with pytest.raises(UsageError, match="exclude_radii"):
        grid_of(run, exclude_radii="5.0-8.0")
