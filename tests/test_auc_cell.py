"""Choices of scans, kinds of experiment that are refused, checks of the fit range."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import erfc

from aavqc.auc.channels import channels_of, wavelengths_of
from aavqc.auc.choices import Selection, select_scans
from aavqc.auc.column import Column, find_column
from aavqc.auc.grid import on_grid
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import AssayError, UsageError
from aavqc.parsers import read_export, survey
from aavqc.records import FloatArray, InputFile, Optics, Scan, VelocityScans, readonly
from aavqc.settings import build

OMEGA2 = (15000.0 * 2 * math.pi / 60) ** 2
NOISE = 0.004
DEFAULT = TechniqueSettings()
RADII = np.linspace(5.9, 7.2, 500)
Profile = Callable[[FloatArray, float], FloatArray]


def boundary(s: float = 65e-13, signal: float = 0.6) -> Profile:
    """A diffusing boundary in a sector-shaped cell, meniscus at 6.05 cm."""

    def at(r: FloatArray, t: float) -> FloatArray:
        middle, width = 6.05 * np.exp(s * OMEGA2 * t), np.sqrt(4 * 1.6e-7 * t)
        c = signal * np.exp(-2 * s * OMEGA2 * t) * 0.5 * erfc((middle - r) / width)
        return np.where(r >= 6.05, c, 0.0)

    return at


def band(r: FloatArray, t: float) -> FloatArray:
    """A lamella that sediments from 6.1 cm at 65 S."""
    middle = 6.1 * np.exp(65e-13 * OMEGA2 * t)
    return 0.8 * np.exp(-(((r - middle) / 0.05) ** 2))


def gradient(r: FloatArray, t: float) -> FloatArray:
    """Two bands that gather at rest out of a uniform load."""
    gone = np.exp(-t / 3000.0)
    bands = np.exp(-(((r - 6.45) / 0.04) ** 2)) + 0.4 * np.exp(-(((r - 6.65) / 0.04) ** 2))
    return 0.3 * gone + 1.5 * (1 - gone) * bands


def equilibrium(r: FloatArray, t: float) -> FloatArray:
    return 0.05 * np.exp(1.6 * (r**2 - 6.0**2) / 4)


def run(
    profile: Profile,
    scans: int = 40,
    step_s: float = 200.0,
    optics: Optics = "absorbance",
    noise: float = NOISE,
    seed: int = 1,
) -> VelocityScans:
    rng = np.random.default_rng(seed)
    made = []
    for i in range(scans):
        t = step_s * (i + 1)
        values = profile(RADII, t) + noise * rng.standard_normal(RADII.size)
        scan = Scan(
            file=f"{i + 1:05d}.RA1", description="lot 7", radius_cm=readonly(RADII),
            signal=readonly(values), time_s=t, omega2_t=OMEGA2 * t, rpm=15000.0,
            temperature_c=20.0, wavelength_nm=260.0,
        )  # fmt: skip
        made.append(scan)
    return VelocityScans(
        name="#cell1", sample_id="x", format="test", inputs=(InputFile("a", "00", 1),), cell=1,
        optics=optics, scans=tuple(made), wavelengths=(260.0,),
    )  # fmt: skip


def changed(record: VelocityScans, index: int, **values: object) -> VelocityScans:
    scans = list(record.scans)
    scans[index] = dataclasses.replace(scans[index], **values)  # type: ignore[arg-type]
    return dataclasses.replace(record, scans=tuple(scans))


def selection_of(record: VelocityScans, settings: TechniqueSettings) -> Selection:
    return select_scans(record, wavelengths_of(record, settings)[0], settings)


def choose_scans(record: VelocityScans, settings: TechniqueSettings) -> tuple[Scan, ...]:
    return selection_of(record, settings).scans


def column_of(record: VelocityScans, settings: TechniqueSettings = DEFAULT) -> Column:
    return find_column(record, selection_of(record, settings), settings)


def flags_of(record: VelocityScans, settings: TechniqueSettings = DEFAULT) -> dict[str, str]:
    found = {f.id: f.message for f in column_of(record, settings).flags}
    found.pop("meniscus_not_seen", None)  # the synthetic scans have no optical artefact
    return found


def test_a_clean_run_is_used_whole_without_a_flag() -> None:
    record = run(boundary())
    assert choose_scans(record, DEFAULT) == record.scans
    assert flags_of(record) == {}
    reasons = {c.what: c.reason for c in column_of(record).choices}
    assert set(reasons) >= {"first_scan", "last_scan", "scans_used", "meniscus", "fit_range"}
    assert all(reasons.values())


# ---------------------------------------------------------------- scans to use


def test_scans_before_the_rotor_is_at_speed_are_left_out() -> None:
    record = run(boundary())
    for i, rpm in enumerate((9000.0, 14800.0)):
        record = changed(record, i, rpm=rpm)
    assert choose_scans(record, DEFAULT) == record.scans[2:]
    (choice,) = [c for c in column_of(record).choices if c.what == "first_scan"]
    assert (choice.value, choice.reason) == ("00003.RA1", "the rotor is at speed")


@pytest.mark.parametrize("where", [(20, 21, 22), (0, 1, 2), (39,)])
def test_mixed_speeds_are_refused(where: tuple[int, ...]) -> None:
    record = run(boundary())
    for i in where:
        record = changed(record, i, rpm=14000.0)
    with pytest.raises(AssayError, match="mixed speeds"):
        choose_scans(record, DEFAULT)


def test_scans_after_the_last_boundary_are_left_out_but_for_a_baseline() -> None:
    record = run(boundary(), scans=100, step_s=300.0)
    # the boundary leaves the scans (7.1 cm) at ln(7.1/6.05) / (s ω²), and its tail a little later
    leaves = math.log(7.1 / 6.05) / (65e-13 * OMEGA2) / 300.0
    assert leaves + 8 < len(choose_scans(record, DEFAULT)) < leaves + 18
    slow = run(lambda r, t: boundary()(r, t) + boundary(8e-13, 0.1)(r, t), scans=100, step_s=300.0)
    assert len(choose_scans(slow, DEFAULT)) == 100


def test_the_user_names_the_scans() -> None:
    record = run(boundary(), scans=100, step_s=300.0)
    assert choose_scans(record, build(TechniqueSettings, {"scans": "11,90"})) == record.scans[10:90]
    assert choose_scans(record, build(TechniqueSettings, {"scans": "1,100,5"})) == record.scans[::5]
    for wrong in ("0,5", "9,3", "101,120", "1,50,0"):
        with pytest.raises(UsageError, match="setting scans"):
            choose_scans(record, build(TechniqueSettings, {"scans": wrong}))
    with pytest.raises(AssayError, match="too few scans"):
        choose_scans(record, build(TechniqueSettings, {"scans": "1,4"}))


@pytest.mark.parametrize("index", [0, 1, 17, 38, 39])
@pytest.mark.parametrize("kind", ["flash", "offset"])
def test_an_outlying_scan_is_left_out_by_name(index: int, kind: str) -> None:
    record = run(boundary())
    signal = record.scans[index].signal.copy()
    if kind == "flash":
        signal[200:230] += 1.0
    else:
        signal += 0.1
    record = changed(record, index, signal=readonly(signal))
    kept = choose_scans(record, DEFAULT)
    assert {s.file for s in record.scans} - {s.file for s in kept} == {record.scans[index].file}
    assert record.scans[index].file in flags_of(record)["outlying_scan"]
    named = build(TechniqueSettings, {"scans": "1,40"})
    assert choose_scans(record, named) == record.scans
    assert "kept" in flags_of(record, named)["outlying_scan"]


def test_neighbouring_outliers_do_not_hide_each_other() -> None:
    record = run(boundary())
    for i in (20, 21):
        record = changed(record, i, signal=readonly(record.scans[i].signal + 0.2 * (i - 20.5)))
    kept = choose_scans(record, DEFAULT)
    assert {s.file for s in record.scans} - {s.file for s in kept} == {"00021.RA1", "00022.RA1"}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("scans", "step_s"), [(10, 800.0), (20, 400.0), (60, 100.0), (200, 40.0)])
def test_no_scan_of_a_clean_run_is_outlying(seed: int, scans: int, step_s: float) -> None:
    assert flags_of(run(boundary(), scans, step_s, seed=seed)) == {}


# ---------------------------------------------------------------- other experiments


@pytest.mark.parametrize(
    ("profile", "named"),
    [
        (band, "a band sedimentation experiment"),
        (gradient, "a density gradient experiment"),
        (equilibrium, "a sedimentation equilibrium experiment"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_experiments_are_refused_by_name(profile: Profile, named: str, seed: int) -> None:
    with pytest.raises(AssayError, match=f"{named} can't be analysed") as caught:
        choose_scans(run(profile, seed=seed), DEFAULT)
    assert caught.value.found
    assert caught.value.expected == "scans of one speed in which a boundary moves"


def test_equilibrium_shows_in_fringes_too() -> None:
    def fringes(r: FloatArray, t: float) -> FloatArray:
        return 5 * equilibrium(r, t) + np.sin(t)

    with pytest.raises(AssayError, match="equilibrium"):
        choose_scans(run(fringes, optics="interference"), DEFAULT)


@pytest.mark.parametrize(
    "profile",
    [
        boundary(65e-13, 0.05),
        boundary(300e-13),
        boundary(4e-13),
        lambda r, t: boundary(65e-13, 0.2)(r, t) + boundary(107e-13, 0.4)(r, t) + 0.1,
        lambda r, t: boundary()(r, t) + 0.03 * np.sin(25 * r),
        lambda r, t: boundary()(r, t) + 0.2 * np.exp(-(((r - 6.6) / 0.02) ** 2)),
        lambda r, t: np.full(r.size, 0.02),
    ],
    ids=["faint", "fast", "slow", "two and a baseline", "ripple", "scratch", "blank"],
)
def test_velocity_runs_are_not_taken_for_others(profile: Profile) -> None:
    assert len(choose_scans(run(profile, scans=60), DEFAULT)) > 10


# ---------------------------------------------------------------- data that can't be right


def test_a_value_that_is_not_finite_is_refused_with_its_file() -> None:
    record = run(boundary())
    signal = record.scans[7].signal.copy()
    signal[100] = np.nan
    with pytest.raises(AssayError, match="not finite") as caught:
        choose_scans(changed(record, 7, signal=readonly(signal)), DEFAULT)
    assert caught.value.file == "00008.RA1"


def test_order_and_repeats_of_scans_do_not_matter() -> None:
    record = run(boundary())
    shuffled = dataclasses.replace(record, scans=record.scans[::-1] + record.scans[5:7])
    assert [s.time_s for s in choose_scans(shuffled, DEFAULT)] == [s.time_s for s in record.scans]
    assert flags_of(shuffled)["duplicate_scans"].startswith("2 scans")


def test_scans_of_two_runs_are_refused() -> None:
    record = run(boundary())
    late = changed(record, 25, omega2_t=record.scans[25].omega2_t - OMEGA2 * 400.0)
    with pytest.raises(AssayError, match="two runs") as caught:
        choose_scans(late, DEFAULT)
    assert caught.value.file == "00026.RA1"


def test_different_descriptions_are_flagged() -> None:
    message = flags_of(changed(run(boundary()), 3, description="lot 8"))["descriptions_differ"]
    assert "'lot 7' (39 scans), 'lot 8' (1 scans)" in message


def test_clipped_data_are_invalid_and_clean_ones_are_not() -> None:
    def clipped(r: FloatArray, t: float) -> FloatArray:
        return boundary(signal=3.5)(r, t)

    record = run(clipped)
    cut = dataclasses.replace(
        record,
        scans=tuple(dataclasses.replace(s, signal=readonly(np.minimum(s.signal, 3.0))) for s in record.scans),
    )
    (flag,) = [f for f in column_of(cut).flags if f.id == "clipped"]
    assert (flag.severity, flag.limit) == ("invalid", 0.05)
    assert "clipped" not in flags_of(record)
    assert "clipped" not in flags_of(run(boundary(), noise=0.0))


def test_a_missing_plateau_is_flagged() -> None:
    late = run(lambda r, t: boundary()(r, t + 5500.0))
    assert "no_plateau" in flags_of(late)
    sloping = run(lambda r, t: boundary()(r, t) + 0.4 * (r - 6.0))
    assert "no_plateau" in flags_of(sloping)


# ---------------------------------------------------------------- the grid and real data


def test_calibration_reaches_the_grid() -> None:
    record = run(boundary())
    settings = build(
        TechniqueSettings,
        {
            "calibration.time_factor": 1.02,
            "calibration.radial_magnification": 1.01,
            "calibration.temperature_offset": -0.3,
        },
    )
    grids = []
    for s in (DEFAULT, settings):
        found = selection_of(record, s)
        grids.append(on_grid(record, found.scans, find_column(record, found, s), s))
    plain, true = grids
    np.testing.assert_allclose(true.w, 1.02 * plain.w, rtol=1e-12)
    assert true.temperature_c == pytest.approx(plain.temperature_c - 0.3)
    assert np.diff(true.radii)[0] == pytest.approx(1.01 * np.diff(plain.radii)[0], rel=1e-9)
    assert true.omega2 == plain.omega2


def test_a_fringe_jump_in_the_air_of_a_real_run_costs_no_scan(reference_data: Path) -> None:
    """Scan 40 of the BSA run is a whole fringe off, but only above the meniscus at 6.23 cm."""
    (export,) = survey(reference_data / "auc" / "bsa_sv").exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    assert choose_scans(record, DEFAULT) == record.scans
    assert flags_of(record) == {}
    jumped = record.scans[40].signal + 1.0 * (record.scans[40].radius_cm > 6.6)
    inside = changed(record, 40, signal=readonly(jumped))
    assert {s.file for s in record.scans} - {s.file for s in choose_scans(inside, DEFAULT)} == {"00041.IP4"}


def test_scans_of_each_wavelength_are_flagged_and_their_choice_has_a_reason() -> None:
    first = run(boundary())
    second = [
        dataclasses.replace(s, file=f"b{s.file}", wavelength_nm=280.0) for s in run(boundary(), seed=1).scans
    ]
    second[20] = dataclasses.replace(second[20], signal=readonly(second[20].signal + 0.3))
    record = dataclasses.replace(first, scans=(*first.scans, *second), wavelengths=(260.0, 280.0))
    at_260, at_280 = channels_of((record,), DEFAULT)
    assert "outlying_scan" not in {f.id for f in at_260.column.flags}
    (flag,) = [f for f in at_280.column.flags if f.id == "outlying_scan"]
    assert second[20].file in flag.message
    assert at_280.column.meniscus == at_260.column.meniscus
    given = build(TechniqueSettings, {"extinction.capsid.280": 6.6e6, "extinction.nucleotide.280": 4700})
    for settings, reasons in (
        (DEFAULT, ["one of those measured"] * 2),
        (given, ["it has extinction coefficients"]),
        (build(TechniqueSettings, {"wavelength": 280}), ["set by the user"]),
    ):
        choices = [c.column.choices[0] for c in channels_of((record,), settings)]
        assert [c.what for c in choices] == ["wavelength_nm"] * len(reasons)
        assert [c.reason for c in choices] == reasons
    assert channels_of((first,), DEFAULT)[0].column.choices[0].reason == "the only one measured"
