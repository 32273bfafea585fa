"""The virtual run's hard cases: each does to the data what it says, and the truth says it too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc.errors import UsageError
from aavqc.records import VelocityScans
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate
from aavqc.simulate.sedimentation import sediment

SMALL: dict[str, Any] = {"scans": 6, "radial_step": 0.01, "noise": 0.0}


def run(out: Path, **settings: Any) -> tuple[dict[str, Any], VelocityScans]:
    truth = simulate(out, build(AucSimulation, {**SMALL, **settings}))
    record = aavqc.read(out)
    assert isinstance(record, VelocityScans)
    return truth, record


def plateau(record: VelocityScans, scan: int = 0) -> float:
    return float(np.interp(6.9, record.scans[scan].radius_cm, record.scans[scan].signal))


def test_a_smear_shares_the_particles_and_counts_its_nucleotides(tmp_path: Path) -> None:
    truth, record = run(tmp_path, species="0:0.3,4700:0.5", smear="500-4000:0.2", interval_s=30)
    smear = [p for p in truth["species"] if p["packaged_nt"] not in (0, 4700)]
    assert sum(p["particle_fraction"] for p in smear) == pytest.approx(0.2)
    lengths = [p["packaged_nt"] for p in smear]
    assert min(lengths) > 500
    assert max(lengths) < 4000
    assert np.mean(lengths) == pytest.approx(2250)
    assert plateau(record) == pytest.approx(0.6, rel=0.05)
    # a genome each by count, but by nucleotides 0.5 + 0.2 · 2250/4700
    assert truth["genomes_per_ml"] == pytest.approx(0.7 * truth["capsids_per_ml"])
    equivalents = (0.5 + 0.2 * 2250 / 4700) * truth["capsids_per_ml"]
    assert truth["genome_equivalents_per_ml"] == pytest.approx(equivalents)
    # Beer and Lambert, from the extinction of what is in the cell
    mean = 3.72e6 + 8750 * (0.5 * 4700 + 0.2 * 2250)
    assert truth["capsids_per_ml"] == pytest.approx(0.6 / 1.2 / mean * 6.02214076e20)


def test_a_wavelength_that_is_off_changes_the_signal_but_not_the_header(tmp_path: Path) -> None:
    settings = {"wavelengths": "260,280", "species": "0:0.5,4700:0.5", "interval_s": 30}
    right, _ = run(tmp_path / "a", **settings)
    wrong, record = run(tmp_path / "b", **settings, wavelength_offset_nm=2)
    assert record.wavelengths == (260.0, 280.0)
    empty, full = wrong["species"]
    # slopes 0.025 and −0.01 a nm of the capsid, −0.006 and −0.05 of the nucleotide
    at_260 = (3.72e6 * 1.05 + 4700 * 8750 * 0.988) / (3.72e6 * 1.05)
    at_280 = (6.61e6 * 0.98 + 4700 * 4700 * 0.90) / (6.61e6 * 0.98)
    assert full["signal"]["260"] / empty["signal"]["260"] == pytest.approx(at_260)
    assert full["signal"]["280"] / empty["signal"]["280"] == pytest.approx(at_280)
    assert wrong["signal"]["280"] != pytest.approx(right["signal"]["280"], rel=0.02)


def test_scatter_goes_with_mass_squared_and_wavelength(tmp_path: Path) -> None:
    truth, _ = run(tmp_path, wavelengths="260,280", species="0:0.5,4700:0.5", scatter=0.1, interval_s=30)
    empty, full = truth["species"]
    assert empty["signal"]["280"] / empty["signal"]["260"] == pytest.approx(
        (6.61e6 + 0.372e6 * (260 / 280) ** 4) / (1.1 * 3.72e6)
    )
    heavier = ((3.74e6 + 4700 * 308.95) / 3.74e6) ** 2
    assert full["signal"]["260"] / empty["signal"]["260"] == pytest.approx(
        (3.72e6 + 4700 * 8750 + 0.372e6 * heavier) / (1.1 * 3.72e6)
    )


def test_protein_and_dna_outside_of_capsids_have_their_share_of_signal(tmp_path: Path) -> None:
    truth, record = run(tmp_path, protein_signal=0.1, free_dna_signal=0.2, wavelengths="260,280")
    protein, dna = truth["others"]
    assert (protein["kind"], dna["kind"]) == ("protein", "dna")
    assert protein["signal_fraction"]["260"] == pytest.approx(0.1)
    assert dna["signal_fraction"]["260"] == pytest.approx(0.2)
    assert protein["signal"]["280"] / protein["signal"]["260"] == pytest.approx(6.61 / 3.72)
    assert sum(p["signal"]["260"] for p in truth["species"]) == pytest.approx(0.42)
    assert sum(p["particle_fraction"] for p in truth["species"]) == pytest.approx(1.0)
    # when capsids have gone, the others stand where radial dilution puts their plateaus
    w = record.scans[10].omega2_t
    left = 0.06 * np.exp(-2 * protein["s"] * 1e-13 * w) + 0.12 * np.exp(-2 * dna["s"] * 1e-13 * w)
    assert plateau(record, 10) == pytest.approx(left, rel=0.01)
    plain, _ = run(tmp_path / "plain", wavelengths="260,280", interval_s=30)
    assert truth["capsids_per_ml"] == pytest.approx(0.7 * plain["capsids_per_ml"])


def test_convection_mixes_early_scans_only(tmp_path: Path) -> None:
    settings = {"scans": 20, "species": "4700:1"}
    _, calm = run(tmp_path / "a", **settings)
    _, mixed = run(tmp_path / "b", **settings, convection_cm=0.08)
    differences = []
    for a, b in zip(calm.scans, mixed.scans, strict=True):
        inside = (a.radius_cm > 6.08) & (a.radius_cm < 7.1)
        differences.append(float(np.abs(a.signal - b.signal)[inside].max()))
    assert differences[1] > 0.02
    assert max(differences[4:]) == 0.0
    a, b = calm.scans[1], mixed.scans[1]
    column = (a.radius_cm > 6.06) & (a.radius_cm < 7.14)
    mass = [float(np.trapezoid(s.signal[column] * s.radius_cm[column], s.radius_cm[column])) for s in (a, b)]
    assert mass[1] == pytest.approx(mass[0], rel=0.03)


def test_a_gradient_slows_the_boundary_as_the_drift_equation_says() -> None:
    s, omega2, meniscus, bottom, slowing = 100e-13, 2.467e6, 6.05, 7.2, 0.2
    times = [1500.0, 3000.0]
    radius = np.linspace(6.1, 7.1, 2001)
    c = sediment(
        s, 2e-8, meniscus=meniscus, bottom=bottom, times_s=times, omega2_t=lambda t: omega2 * t,
        radius_cm=radius, slowing=slowing,
    )  # fmt: skip
    for time, scan in zip(times, c, strict=True):
        boundary, steps = meniscus, 20_000
        for _ in range(steps):
            local = s * (1 - slowing * (boundary - meniscus) / (bottom - meniscus))
            boundary += local * omega2 * boundary * time / steps
        step = np.gradient(scan, radius)
        found = radius[np.argmax(step)]
        assert found == pytest.approx(boundary, abs=0.003)


def test_cells_of_one_run_differ_in_loading_alone(tmp_path: Path) -> None:
    truth = simulate(
        tmp_path, build(AucSimulation, {**SMALL, "loadings": "0.6,0.3,0.12", "cell": 2, "interval_s": 30})
    )
    records = aavqc.read_all(tmp_path)
    assert [r.cell for r in records if isinstance(r, VelocityScans)] == [2, 3, 4]
    levels = [plateau(r) for r in records if isinstance(r, VelocityScans)]
    assert levels == pytest.approx([levels[0], levels[0] / 2, levels[0] / 5], rel=1e-4)
    assert [c["loading"] for c in truth["cells"]] == pytest.approx([1.0, 0.5, 0.2])


def test_speeds_and_wavelengths_have_folders(tmp_path: Path) -> None:
    settings = {
        **SMALL,
        "speeds": "12000,20000",
        "wavelengths": "260,280",
        "layout": "folders",
        "species": "0:1",
    }
    simulate(tmp_path, build(AucSimulation, settings))
    assert (tmp_path / "12000rpm" / "280" / "00006.RA1").is_file()
    records = [r for r in aavqc.read_all(tmp_path) if isinstance(r, VelocityScans)]
    assert [r.scans[0].rpm for r in records] == [12000.0, 20000.0]
    assert all(r.wavelengths == (260.0, 280.0) for r in records)
    assert all(len(r.scans) == 12 for r in records)
    # either run goes on until the slowest has pelleted
    assert records[0].scans[-1].time_s > 2 * records[1].scans[-1].time_s


@pytest.mark.parametrize(
    "bad",
    [
        {"smear": "4000-500:0.2"},
        {"smear": "500:0.2"},
        {"loadings": "0.6,-1"},
        {"loadings": "0.1,0.2", "cell": 8},
        {"speeds": "12000,12000"},
        {"speeds": "12"},
        {"protein_signal": 0.6, "free_dna_signal": 0.5},
        {"wavelengths": "300", "extinction.capsid.300": 1e6, "extinction.nucleotide.300": 1,
         "wavelength_offset_nm": 1},
    ],
)  # fmt: skip
def test_hard_cases_that_make_no_run_are_refused(tmp_path: Path, bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        simulate(tmp_path, build(AucSimulation, {**SMALL, **bad}))
