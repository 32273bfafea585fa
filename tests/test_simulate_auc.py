"""The virtual run: its solver against an independent one, its physics, its files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import aavqc
from aavqc.errors import UsageError
from aavqc.parsers import read_export, survey
from aavqc.records import FloatArray, VelocityScans
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate
from aavqc.simulate.sedimentation import nodes, ramp_omega2_t, sediment

SMALL = {"scans": 6, "radial_step": 0.01}


def run(out: Path, **settings: object) -> tuple[dict[str, object], VelocityScans]:
    truth = simulate(out, build(AucSimulation, {**SMALL, **settings}))
    (export,) = survey(out).exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    return truth, record


def staircase_omega2_t(time_s: float) -> float:
    """Integral of ω² of a rotor that steps up by 400 rpm at the start of each second, to 20 000."""
    whole = int(time_s)
    rpm = np.minimum(400.0 * np.arange(1, whole + 2), 20000.0)
    omega2 = (rpm * np.pi / 30.0) ** 2
    return float(omega2[:whole].sum() + (time_s - whole) * omega2[whole])


def test_solver_against_independent_finite_volumes(reference_data: Path) -> None:
    path = reference_data / "auc" / "ultrascan3" / "A_independent_FV_richardson.csv"
    table = np.loadtxt(path, delimiter=",")
    radius, expected = table[:, 0], table[:, 1:].T
    times = [300.0 + 60.0 * i for i in range(expected.shape[0])]
    found = sediment(
        65e-13,
        1.836752e-7,
        meniscus=6.0,
        bottom=7.2,
        times_s=times,
        omega2_t=staircase_omega2_t,
        radius_cm=radius,
    )
    error = (found - expected)[:, radius < 7.15]
    assert np.sqrt(np.mean(error**2)) < 4e-6  # the reference agrees with itself to 1.7e-6
    assert np.abs(error).max() < 1e-4


def column_mass(radius: FloatArray, c: FloatArray) -> float:
    """Integrate a piecewise linear c in x = r²/2 exactly."""
    return float(np.trapezoid(c, 0.5 * radius**2))


@pytest.mark.parametrize("s", [2.0, 65.0, 110.0])
def test_mass_is_conserved(s: float) -> None:
    omega2 = (15000.0 * np.pi / 30.0) ** 2
    radius = nodes(s * 1e-13 * omega2 / 1.6e-7, 6.05, 7.2)
    c = sediment(
        s * 1e-13,
        1.6e-7,
        meniscus=6.05,
        bottom=7.2,
        times_s=[100.0, 2000.0, 8000.0],
        omega2_t=lambda t: omega2 * t,
        radius_cm=radius,
    )
    loaded = 0.5 * (7.2**2 - 6.05**2)
    for scan in c:
        assert column_mass(radius, scan) == pytest.approx(loaded, rel=1e-8)


def test_plateau_dilutes_as_the_sector_demands() -> None:
    s, times = 65e-13, [1000.0, 3000.0, 5000.0]
    c = sediment(
        s,
        1.6e-7,
        meniscus=6.05,
        bottom=7.2,
        times_s=times,
        omega2_t=lambda t: ramp_omega2_t(t, 15000.0, 400.0),
        radius_cm=np.array([7.0]),
    )
    expected = [np.exp(-2.0 * s * ramp_omega2_t(t, 15000.0, 400.0)) for t in times]
    np.testing.assert_allclose(c[:, 0], expected, rtol=2e-6)


def test_column_comes_to_the_boltzmann_profile() -> None:
    s, D, omega2 = 4.3e-13, 6e-7, (9000.0 * np.pi / 30.0) ** 2
    radius = np.linspace(6.9, 7.2, 61)
    c = sediment(
        s,
        D,
        meniscus=6.9,
        bottom=7.2,
        times_s=[4e5],
        omega2_t=lambda t: omega2 * t,
        radius_cm=radius,
    )[0]
    sigma = s * omega2 / D
    top, end = 0.5 * 6.9**2, 0.5 * 7.2**2
    expected = (
        sigma * (end - top) * np.exp(sigma * (0.5 * radius**2 - end)) / (1 - np.exp(-sigma * (end - top)))
    )
    np.testing.assert_allclose(c, expected, rtol=1e-5)


def test_truth_of_the_default_run(tmp_path: Path) -> None:
    truth, _ = run(tmp_path / "a")
    empty, partial, full = truth["species"]  # type: ignore[misc]
    assert [p["particle_fraction"] for p in truth["species"]] == pytest.approx([0.25, 0.15, 0.60])  # type: ignore[attr-defined]
    assert full["s"] == pytest.approx(106.8, abs=0.4)  # reference value for 4.7 kb on a 65 S capsid
    assert empty["D"] == pytest.approx(1.569e-7, rel=1e-3)
    assert partial["D"] == pytest.approx(full["D"], rel=1e-12)
    assert sum(p["signal"]["260"] for p in (empty, partial, full)) == pytest.approx(0.6)
    ratio = full["signal"]["260"] / empty["signal"]["260"] * 0.25 / 0.60
    assert ratio == pytest.approx((3.72e6 + 4700 * 8750) / 3.72e6)
    stored = json.loads((tmp_path / "a" / "truth.json").read_bytes())
    assert stored == truth


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / name, seed=seed)
    a, b, c = ((tmp_path / n / "00003.RA1").read_bytes() for n in "abc")
    assert a == b
    assert a != c


def test_scans_carry_the_noise_that_was_asked_for(tmp_path: Path) -> None:
    _, noisy = run(tmp_path / "noisy", noise=0.004, radial_step=0.003)
    _, clean = run(tmp_path / "clean", noise=0.0, radial_step=0.003)
    residuals, sds = [], []
    for a, b in zip(noisy.scans, clean.scans, strict=True):
        inside = (a.radius_cm > 6.08) & (a.radius_cm < 7.1)
        assert a.signal_sd is not None
        residuals.append((a.signal - b.signal)[inside])
        sds.append(a.signal_sd[inside])
    everything = np.concatenate(residuals)
    # the SD of n normal numbers scatters by 1/sqrt(2n); four of these
    assert np.std(everything) == pytest.approx(0.004, rel=4 / np.sqrt(2 * everything.size))
    replicate = np.sqrt(np.mean(np.concatenate(sds) ** 2))
    assert replicate == pytest.approx(0.004 * np.sqrt(5), rel=4 / np.sqrt(8 * everything.size))


def test_round_trip_within_the_printed_digits(tmp_path: Path) -> None:
    truth, record = run(tmp_path / "lot", noise=0.0, scans=4)
    assert (record.sample_id, record.experiment) == ("lot-cell1", "velocity")
    radius = record.scans[0].radius_cm
    inside = (radius > 6.08) & (radius < 7.1)
    expected = sum(
        p["signal"]["260"]
        * sediment(
            p["s"] * 1e-13,
            p["D"],
            meniscus=6.05,
            bottom=7.2,
            times_s=[s.time_s for s in record.scans],
            omega2_t=lambda t: ramp_omega2_t(t, 15000.0, 400.0),
            radius_cm=radius,
        )
        for p in truth["species"]  # type: ignore[attr-defined]
    )
    for scan, signal in zip(record.scans, expected, strict=True):
        assert scan.omega2_t == pytest.approx(ramp_omega2_t(scan.time_s, 15000.0, 400.0), rel=6e-5)
        np.testing.assert_allclose(scan.signal[inside], signal[inside], rtol=1e-5, atol=1e-6)


def test_the_slowest_capsid_has_pelleted_at_the_end(tmp_path: Path) -> None:
    _, record = run(tmp_path / "a", noise=0.0)
    last = record.scans[-1]
    assert np.abs(last.signal[(last.radius_cm > 6.08) & (last.radius_cm < 7.0)]).max() < 0.001
    first = record.scans[0]
    assert first.signal[(first.radius_cm > 6.5) & (first.radius_cm < 7.0)].min() > 0.55


def test_wavelengths_take_turns_and_share_the_capsids(tmp_path: Path) -> None:
    truth, record = run(tmp_path / "a", wavelengths="260,280", noise=0.0, interval_s=120)
    assert record.wavelengths == (260.0, 280.0)
    assert [s.wavelength_nm for s in record.scans[:4]] == [260.0, 280.0, 260.0, 280.0]
    plateau = [float(np.interp(6.9, s.radius_cm, s.signal)) for s in record.scans[:2]]
    signal = truth["signal"]
    assert plateau[1] / plateau[0] == pytest.approx(signal["280"] / signal["260"], rel=0.01)  # type: ignore[index]


def test_intensity_is_the_light_that_the_absorbance_leaves(tmp_path: Path) -> None:
    _, dark = run(tmp_path / "ri", optics="intensity", noise=0.0)
    _, absorbance = run(tmp_path / "ra", noise=0.0)
    for a, b in zip(dark.scans, absorbance.scans, strict=True):
        inside = (a.radius_cm > 6.08) & (a.radius_cm < 7.1)
        assert a.reference is not None
        np.testing.assert_allclose(-np.log10(a.signal / a.reference)[inside], b.signal[inside], atol=1e-5)


def test_interference_has_systematic_noise_of_both_kinds(tmp_path: Path) -> None:
    settings = {"optics": "interference", "wavelengths": "675", "noise": 0.0}
    _, plain = run(tmp_path / "a", **settings, ti_noise=0.0, ri_noise=0.0)
    _, noisy = run(tmp_path / "b", **settings)
    inside = (plain.scans[0].radius_cm > 6.08) & (plain.scans[0].radius_cm < 7.1)
    added = np.array([b.signal - a.signal for a, b in zip(plain.scans, noisy.scans, strict=True)])[:, inside]
    by_scan, by_radius = added.mean(axis=1, keepdims=True), added.mean(axis=0)
    np.testing.assert_allclose(added, by_radius + by_scan - added.mean(), atol=2e-5)
    assert by_scan.std() > 0.005
    assert by_radius.std() > 0.005


def test_species_by_s_and_d_share_the_signal_with_capsids(tmp_path: Path) -> None:
    mixture = "0:0.4,4700:0.6,155:1.1e-7:0.05"
    truth, record = run(tmp_path, species=mixture, wavelengths="260,280")
    (free,) = truth["others"]  # type: ignore[misc]
    assert (free["kind"], free["s"], free["D"], free["particle_fraction"]) == ("free", 155.0, 1.1e-7, 0.0)
    assert free["signal_fraction"] == pytest.approx({"260": 0.05, "280": 0.05})
    assert truth["signal"]["260"] == pytest.approx(0.6)  # type: ignore[index]
    # M = sRT / D(1 − vρ): twice a capsid's in mass, and larger
    assert free["mass_da"] == pytest.approx(155e-13 * 8.314e7 * 293.15 / (1.1e-7 * 0.27), rel=1e-3)
    assert record.wavelengths == (260.0, 280.0)


def test_a_run_may_hold_no_capsids(tmp_path: Path) -> None:
    proteins = {"species": "4.4:6.1e-7:0.9,6.6:4.5e-7:0.1", "rpm": 50000, "optics": "interference", "od": 2}
    truth, _ = run(tmp_path, **proteins, wavelengths="675", scans=40)
    assert truth["species"] == []
    assert [s["signal"]["675"] for s in truth["others"]] == pytest.approx([1.8, 0.2])  # type: ignore[attr-defined]
    found = aavqc.analyze(tmp_path, model="cs", s_range="0.1,15").samples[0]
    shares = {round(p["s"], 1): p["fraction"] for p in found.diagnostics["peaks"]}
    assert shares == pytest.approx({4.4: 0.9, 6.6: 0.1}, abs=0.01)


def test_aggregates_are_found_as_they_were_made(tmp_path: Path) -> None:
    species = "0:0.4,4700:0.6,155:1.1e-7:0.05,230:9e-8:0.03"
    run(tmp_path, species=species, scans=40, radial_step=0.004)
    found = aavqc.analyze(tmp_path, design_length=4700).attributes["percent_aggregate_signal"]
    assert found.value == pytest.approx(8.0, abs=0.3)


def test_an_outlying_scan_sees_its_share_and_no_other_does(tmp_path: Path) -> None:
    noiseless = {"noise": 0.0}
    _, usual = run(tmp_path / "a", **noiseless)
    truth, odd = run(tmp_path / "b", **noiseless, outlier_scans="3:0.5")
    assert "outlier_scans" in truth["settings"]  # type: ignore[operator]
    for i, (a, b) in enumerate(zip(usual.scans, odd.scans, strict=True)):
        column = (a.radius_cm > 6.1) & (a.radius_cm < 7.1)
        share = 0.5 if i == 2 else 1.0
        np.testing.assert_allclose(b.signal[column], share * a.signal[column], atol=2e-5)


def test_fluorescence_is_in_its_own_units_and_counts_labels(tmp_path: Path) -> None:
    truth, record = run(tmp_path, optics="fluorescence", od=300, noise=2, wavelengths="488")
    assert (record.optics, record.scans[0].file) == ("fluorescence", "00001.FI1")
    assert [s["signal"]["488"] for s in truth["species"]] == pytest.approx([75, 45, 180])  # type: ignore[attr-defined]
    assert "capsids_per_ml" not in truth


def test_files_look_like_the_instrument_s(tmp_path: Path) -> None:
    run(tmp_path, noise=0.004, interval_s=300)
    lines = (tmp_path / "00001.RA1").read_bytes().split(b"\r\n")
    assert lines[1] == b"R 1 20.0 15000 0000098 1.8012E08 260 5"
    assert {len(line) for line in lines[2:-1]} == {40}
    assert lines[2].startswith(b"   5.9000 ")
    assert lines[-1] == b""
    assert (tmp_path / "00002.RA1").read_bytes().split(b"\r\n")[1].split()[4] == b"0000398"


@pytest.mark.parametrize(
    "bad",
    [
        {"species": "4700"},
        {"species": "4700:-1"},
        {"species": "nan:1"},
        {"species": "4.4:6e-7:0"},
        {"species": "4.4:0e-7:1"},
        {"species": "0:6e-7:1"},
        {"species": "4.4:6e-7:0.95,4700:1"},
        {"species": "4.4:6e-7:1", "protein_signal": 0.1},
        {"outlier_scans": "0:0.5"},
        {"outlier_scans": "3"},
        {"wavelengths": "260,262"},
        {"bottom": 6.1},
        {"wavelengths": "230"},
    ],
)
def test_settings_that_make_no_run_are_refused(tmp_path: Path, bad: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        run(tmp_path, **bad)
