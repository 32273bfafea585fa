"""Rules and statistics behind the flags of a velocity fit, on arrays made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import aavqc
from aavqc.attributes import Attribute
from aavqc.auc.capsids import Capsids
from aavqc.auc.channels import Channel
from aavqc.auc.column import Column
from aavqc.auc.composition import ClassWindows
from aavqc.auc.composition_flags import composition_flags
from aavqc.auc.cs import Fitted, normal_equations
from aavqc.auc.fit import Fit, SampleFit, fit_sample
from aavqc.auc.flags import flags_of, sample_flags
from aavqc.auc.grid import SignalGrid
from aavqc.auc.peaks import Peak
from aavqc.auc.residuals import (
    bitmap,
    neighbour_correlation,
    point_noise,
    runs_z,
    step_gain,
    systematic_by_scan,
)
from aavqc.auc.resolve import Resolved
from aavqc.auc.search import Found, Parameters, Problem
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.records import InputFile, Scan, VelocityScans, readonly

OMEGA2 = (15000 * 2 * np.pi / 60) ** 2
SCANS, POINTS = 40, 300
NOISE = 0.005
S = 90.0


def white(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, NOISE, (SCANS, POINTS))


def a_fit(residual: np.ndarray, loading: float = 0.6, scans: int = SCANS) -> Fit:
    """A fit of one step that moves at 90 S, with residuals as given; noise kinds: none."""
    residual = residual[:scans]
    w = OMEGA2 * np.linspace(300.0, 4500.0, SCANS)[:scans]
    radii = np.linspace(6.08, 7.10, POINTS)
    boundary = 6.05 * np.exp(S * 1e-13 * w)[:, None]
    model = loading / (1 + np.exp(-(radii - boundary) / 0.02)) * np.exp(-2 * S * 1e-13 * w)[:, None]
    s = np.array([60.0, S, 120.0])
    amounts = np.array([0.0, loading, 0.0])
    signal = model + residual
    # the residual of a fit without systematic noise is free of a constant
    residual = residual - residual.mean()
    rmsd = float(np.sqrt(np.mean(residual**2)))
    normal = normal_equations(np.stack([model, model**2, np.ones_like(model)]), signal)
    known = {"s": s, "signal": amounts, "amounts": amounts, "rmsd": rmsd, "residual": residual}
    column = Column(6.05, 6.03, 6.07, 7.2, 7.18, 7.22, float(radii[0]), float(radii[-1]))
    grid = SignalGrid(w, radii, signal, OMEGA2, 37.5, 20.0, 260.0, "OD")
    return Fit(
        channel=Channel(a_record(1.0), 0, column, (), grid, [], NOISE),
        meniscus=6.05,
        bottom=7.2,
        distribution=Fitted(**known, normal=normal),
        peaks=[Peak(S, loading, 1.0, 80.0, 100.0)],
    )


def flags(
    fit: Fit, record: VelocityScans | None = None, settings: TechniqueSettings | None = None
) -> list[Flag]:
    if record is not None:
        fit = replace(fit, channel=replace(fit.channel, record=record))
    return flags_of(fit, settings or TechniqueSettings())


def flag(
    fit: Fit, name: str, record: VelocityScans | None = None, settings: TechniqueSettings | None = None
) -> Flag | None:
    return next((f for f in flags(fit, record, settings) if f.id == name), None)


def test_white_noise_raises_no_flag() -> None:
    assert flags(a_fit(white())) == []


def test_noise_is_told_from_smooth_misfit_and_systematic_noise() -> None:
    rng = np.random.default_rng(1)
    wave = 0.05 * np.sin(np.linspace(0, 6, POINTS))[None, :] * np.cos(np.linspace(0, 5, SCANS))[:, None]
    ti, ri = rng.normal(0, 0.05, (1, POINTS)), rng.normal(0, 0.05, (SCANS, 1))
    # 12 000 points, every five of which overlap: the median's SD is some 2 %
    assert point_noise(white() + wave + ti + ri) == pytest.approx(NOISE, rel=0.06)


def test_noise_survives_interpolation_onto_a_grid() -> None:
    fine = white(2)
    half_way = 0.5 * (fine[:, 1:] + fine[:, :-1])
    assert point_noise(half_way) == pytest.approx(NOISE / np.sqrt(2), rel=0.06)


def test_too_little_data_give_no_noise() -> None:
    assert point_noise(np.ones((1, 300))) == 0.0
    assert point_noise(np.ones((9, 4))) == 0.0


def test_neighbour_correlation_is_the_share_of_what_is_systematic() -> None:
    both = white() + NOISE * np.sqrt(2) * np.sin(np.linspace(0, 9, POINTS))[None, :]
    radius, time = neighbour_correlation(both)
    assert radius == pytest.approx(0.5, abs=0.04)
    assert time == pytest.approx(0.5, abs=0.04)
    assert neighbour_correlation(white()) == pytest.approx((0.0, 0.0), abs=4 / np.sqrt(SCANS * POINTS))


def test_runs_by_hand() -> None:
    # every third point: + + - - + -, so 4 runs; 3 of each sign: 4 expected, variance 18·12/(36·5)
    signs = np.repeat([1.0, 1.0, -1.0, -1.0, 1.0, -1.0], 3)
    assert runs_z(signs[None, :]) == pytest.approx(0.0, abs=1e-12)
    # two runs only
    signs = np.repeat([1.0, 1.0, 1.0, -1.0, -1.0, -1.0], 3)
    assert runs_z(signs[None, :]) == pytest.approx(-2 / np.sqrt(18 * 12 / (36 * 5)))
    assert abs(runs_z(white())) < 4
    assert runs_z(np.ones((3, 30))) == 0.0


def test_smoothed_residual_is_in_units_of_its_noise() -> None:
    assert systematic_by_scan(white(), NOISE, 9).mean() == pytest.approx(1.0, abs=0.15)
    assert systematic_by_scan(np.full((2, 40), NOISE), NOISE, 16) == pytest.approx([4.0, 4.0])


def test_step_gain_ignores_the_offset_of_a_scan() -> None:
    model = np.tile(np.repeat([0.0, 0.5], 20), (3, 1))
    residual = np.array([0.0, 0.02, -0.05])[:, None] * model + np.array([0.0, 1.0, -2.0])[:, None]
    gain, weight = step_gain(model, residual)
    assert gain == pytest.approx([0.0, 0.02, -0.05])
    assert weight == pytest.approx([40 * 0.25**2] * 3)


def test_bitmap_is_grey_at_zero_and_clipped() -> None:
    assert bitmap(np.array([[0.0, 1.0, -1.0, 0.02]]), 0.005).tolist() == [[128, 255, 1, 255]]
    assert bitmap(np.zeros((2, 2)), 0.0).tolist() == [[128, 128], [128, 128]]


def test_rmsd_is_invalid_only_where_the_misfit_matters() -> None:
    wave = np.sin(np.linspace(0, 20, POINTS))[None, :] * np.ones((SCANS, 1))
    assert flag(a_fit(white()), "rmsd_above_noise") is None
    found = flag(a_fit(white() + 0.01 * wave), "rmsd_above_noise")
    assert found is not None
    assert found.severity == "warning"
    assert found.value == pytest.approx(np.sqrt(1 + 2.0), rel=0.08)
    assert flag(a_fit(white() + 0.05 * wave), "rmsd_above_noise").severity == "invalid"  # type: ignore[union-attr]
    # optics that blur noise have a tiny noise from point to point; no result suffers
    small = flag(a_fit(0.001 * white() + 0.0015 * wave), "rmsd_above_noise")
    assert small is None


def test_residual_runs_wants_an_effect_that_matters() -> None:
    wave = np.sin(np.linspace(0, 20, POINTS))[None, :] * np.ones((SCANS, 1))
    found = flag(a_fit(white() + 0.005 * wave), "residual_runs")
    assert found is not None
    assert found.value == pytest.approx(1 / 3, abs=0.05)
    assert "z = -" in found.message
    assert flag(a_fit(white() + 0.005 * wave, loading=3.0), "residual_runs") is None


def test_mass_balance_sees_lost_material() -> None:
    clean = a_fit(white())
    lost = np.where(np.arange(SCANS) < 16, 0.0, -0.05)[:, None] * (clean.grid.signal - white())
    found = flag(a_fit(white() + lost), "mass_balance")
    assert found is not None
    assert found.value == pytest.approx(0.05, rel=0.15)
    assert "lower" in found.message


def test_convection_is_misfit_of_the_first_scans() -> None:
    bump = 0.03 * np.exp(-(((np.linspace(6.08, 7.10, POINTS) - 6.2) / 0.06) ** 2))[None, :]
    early = np.where(np.arange(SCANS) < 8, 1.0, 0.0)[:, None] * bump
    assert flag(a_fit(white() + early), "convection") is not None
    assert flag(a_fit(white() + early[::-1]), "convection") is None
    assert flag(a_fit(white() + bump), "convection") is None


def test_saturation_limit_is_a_setting() -> None:
    fit = a_fit(white(), loading=1.1)
    assert flag(fit, "saturation") is None
    found = flag(fit, "saturation", settings=TechniqueSettings(linear_limit=0.9))
    assert found is not None
    assert found.limit == 0.9
    assert flag(a_fit(white(), loading=1.5), "saturation") is not None
    spike = white()
    spike[3, 7] = 2.0
    assert flag(a_fit(spike), "saturation") is None


def test_few_scans_counts_those_in_which_the_boundary_moves() -> None:
    assert flag(a_fit(white()), "few_scans") is None
    found = flag(a_fit(white(), scans=9), "few_scans")
    assert found is not None
    assert found.value == 9.0


def test_no_boundary_is_invalid_and_says_nothing_of_residuals() -> None:
    found = flags(a_fit(white(), loading=0.004))
    assert [(f.id, f.severity) for f in found] == [("no_boundary", "invalid")]


def test_meniscus_at_the_edge_of_where_it_may_be() -> None:
    fit = a_fit(white())
    moved = replace(fit, meniscus=6.07)
    assert flag(moved, "meniscus_at_edge") is not None


def a_record(factor: float, rpm: float = 15000.0, start: float = 300.0) -> VelocityScans:
    scans = tuple(
        Scan(
            file=f"{k:05d}.RA1",
            description="",
            radius_cm=readonly([6.0, 6.1]),
            signal=readonly([0.0, 0.1]),
            time_s=round(factor * t),
            omega2_t=float(f"{OMEGA2 * (t - 25):.4e}"),
            rpm=rpm,
            temperature_c=20.0,
            wavelength_nm=260.0,
        )
        for k, t in enumerate(start + 60.0 * np.arange(40), 1)
    )
    return VelocityScans(
        name="r#cell1",
        sample_id="r",
        format="test",
        inputs=(InputFile("00001.RA1", "0" * 64, 1),),
        cell=1,
        optics="absorbance",
        scans=scans,
        wavelengths=(260.0,),
    )


@pytest.mark.parametrize("factor", [0.9, 0.99, 1.01, 1.05])
def test_a_clock_that_is_off_is_seen(factor: float) -> None:
    found = flag(a_fit(white()), "time_stamps", record=a_record(factor))
    assert found is not None
    assert found.value == pytest.approx(abs(1 / factor - 1), abs=5e-4)


def test_a_speed_that_is_off_is_seen() -> None:
    assert flag(a_fit(white()), "time_stamps", record=a_record(1.0, rpm=14800.0)) is not None


@pytest.mark.parametrize("factor", [0.997, 1.0, 1.003])
def test_rounding_of_the_header_is_no_fault(factor: float) -> None:
    assert flag(a_fit(white()), "time_stamps", record=a_record(factor)) is None


def test_real_bsa_is_valid(reference_data: Path) -> None:
    record = aavqc.read(reference_data / "auc" / "bsa_sv")
    assert isinstance(record, VelocityScans)
    thinned = replace(record, scans=record.scans[::4])
    settings = TechniqueSettings(s_range=[0.5, 15.0], resolution=60)
    found = flags_of(fit_sample((thinned,), settings).fits[0], settings)
    assert [f.id for f in found if f.severity == "invalid"] == []
    assert "time_stamps" not in {f.id for f in found}


def a_sample(*fits: Fit) -> SampleFit:
    cell = Parameters((6.05,), (7.2,), 1.2)
    problem = Problem(tuple(f.channel for f in fits), lambda s, shape, growth: s, cell, cell, {})
    found = Found(cell, {}, np.zeros(0), np.zeros((len(fits), 0)), 0.0)
    return SampleFit(fits, problem, found, "cs", None, None, None)


def test_of_several_channels_the_most_severe_flag_counts() -> None:
    mild = bad = a_fit(white(), loading=1.5)  # each above the linear limit
    clips = Flag(id="saturation", severity="invalid", message="the detector's end")
    bad = replace(bad, channel=replace(bad.channel, column=replace(bad.column, flags=(clips,))))
    for fits in ((mild, bad), (bad, mild)):
        (flag,) = [f for f in sample_flags(a_sample(*fits), [], TechniqueSettings()) if f.id == "saturation"]
        assert flag.severity == "invalid"


@pytest.mark.parametrize(("by_light", "flagged"), [(True, True), (False, False)])
def test_a_length_by_s_is_held_to_its_own_limit_beside_scatter(by_light: bool, flagged: bool) -> None:
    # 320 nm measures scatter: two wavelengths in one fit need not make two lengths
    fit = a_fit(white())
    far = replace(fit, channel=replace(fit.channel, grid=replace(fit.grid, wavelength_nm=320.0)))
    s, edges = np.array([65.0, 107.0]), (50.0, 70.0, 95.0, 115.0, 150.0)
    windows = ClassWindows(65.0, 1.4e-4, edges, "empty and full peaks", s_full=107.0)
    sample = a_sample(fit, far)
    covariance, bases = np.eye(2), np.ones((2, 2)) if by_light else None
    sample = replace(
        sample,
        resolved=Resolved(s, np.ones((2, 2)), sample.found, [], covariance),
        windows=windows,
        capsids=Capsids(windows, s, np.array([0.0, 4700.0]), s, np.ones((1, 2)), bases),
    )
    length = Attribute(
        name="packaged_length", technique="auc", value=4700 * 1.07, unit="nt",
        ci_low=4980.0, ci_high=5080.0, coverage=0.95, scope="fit",
    )  # fmt: skip
    found = composition_flags(sample, [length], TechniqueSettings(design_length=4700))
    assert ("lengths_disagree" in {f.id for f in found}) is flagged
