"""The virtual CDMS instrument: files that can be read back, with the truth beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import UsageError
from aavqc.records import FloatArray, IonTable
from aavqc.simulate.cdms import CdmsSimulation, simulate

SETTINGS = {"charge_slope": 112_100, "serotype": "AAV2", "design_length": 4700}


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate(tmp_path / folder, CdmsSimulation(seed=seed, ions=500))
    for name in ("cdms.csv", "cdms.mzML", "truth.json"):
        first, again, other = ((tmp_path / f / name).read_bytes() for f in "abc")
        assert first == again
        assert first != other


def test_both_formats_hold_the_same_ions(tmp_path: Path) -> None:
    simulate(tmp_path, CdmsSimulation(ions=800, noise=0.0))
    csv, mzml = read(tmp_path / "cdms.csv"), read(tmp_path / "cdms.mzML")
    assert isinstance(csv, IonTable)
    assert isinstance(mzml, IonTable)
    assert np.sort(mzml.mz) == pytest.approx(np.sort(csv.mz), abs=1e-3)
    assert mzml.intensity is not None
    assert mzml.injection_time_ms is not None
    assert csv.intensity is not None
    assert np.ptp(mzml.injection_time_ms) > 50
    charge = np.sort(mzml.intensity * mzml.injection_time_ms / 1000)
    assert charge == pytest.approx(np.sort(csv.intensity), rel=1e-6)


@pytest.mark.parametrize("kind", ["csv", "mzml"])
def test_analysis_finds_the_truth(tmp_path: Path, kind: str) -> None:
    truth = simulate(
        tmp_path,
        CdmsSimulation(ions=6000, formats=[kind], sigma_z_a=0.3, sigma_z_b=0.0, split=0, multi_ion=0),
    )
    assert truth == json.loads((tmp_path / "truth.json").read_text())
    found = analyze(tmp_path, **SETTINGS).attributes
    drawn = {row["nt"]: row["ions"] / 60 for row in truth["species"]}
    # assembly by chance (SD 48 kDa) moves some 0.1 % of ions across the bounds, 3 SD away
    assert found["percent_empty"].value == pytest.approx(drawn[0], abs=0.5)
    assert found["percent_partial"].value == pytest.approx(drawn[2350], abs=0.5)
    assert found["percent_full"].value == pytest.approx(drawn[4700], abs=1.0)
    assert found["packaged_length"].value == pytest.approx(4700, abs=40)


@pytest.mark.parametrize("kind", ["csv", "mzml"])
def test_intervals_hold_the_truth_of_the_default_run(tmp_path: Path, kind: str) -> None:
    truth = simulate(tmp_path, CdmsSimulation(formats=[kind]))  # type: ignore[list-item]
    result = analyze(tmp_path, **SETTINGS)
    drawn = {row["nt"]: 100 * row["ions"] / 12_000 for row in truth["species"]}
    for name, share in (("empty", drawn[0]), ("partial", drawn[2350]), ("full", drawn[4700])):
        found = result.attributes[f"percent_{name}"]
        assert (found.ci_low or 0.0) <= share <= (found.ci_high or 0.0)
    assert result.attributes["percent_overfull"].ci_low == 0.0
    assert "windows_biased" in {f.id for f in result.samples[0].flags}
    funnel = {row["step"]: row["ions"] for row in result.samples[0].diagnostics["funnel"]}
    if kind == "csv":
        marked = sum(line.endswith(",1") for line in (tmp_path / "cdms.csv").read_text().splitlines())
        assert funnel["dropped: signal of several ions"] == marked > 0


FORMATS = {
    "csv": ("cdms.csv", "ion-list"),
    "mzml": ("cdms.mzML", "mzml"),
    "dmt": ("cdms.dmt", "dmt"),
    "stori": ("cdms_stori", "stori-text"),
    "npz": ("cdms.npz", "ion-list"),
    "parquet": ("cdms.parquet", "ion-parquet"),
    "mass_list": ("cdms_masses.csv", "mass-list"),
    "photometry": ("cdms_photometry.csv", "mass-list"),
}


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    simulate(folder, CdmsSimulation(ions=4000, noise=0.0, instrument="elit", formats=list(FORMATS)))
    return folder


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_read_and_finds_the_composition(everything: Path, kind: str) -> None:
    name, known = FORMATS[kind]
    record = read(everything / name)
    assert record.format == known
    truth = json.loads((everything / "truth.json").read_text())
    drawn = {row["nt"]: 100 * row["ions"] / 4000 for row in truth["species"]}
    result = analyze(record, **SETTINGS)
    assert result.samples[0].status == "valid"
    for name, share in (("empty", drawn[0]), ("partial", drawn[2350]), ("full", drawn[4700])):
        found = result.attributes[f"percent_{name}"]
        # photometry leaves out 5 % of events that leave the surface: another sample of the same capsids
        slack = 0.0 if kind != "photometry" else 3 * 100 * np.sqrt(0.05 / 4000)
        assert (found.ci_low or 0.0) - slack <= share <= (found.ci_high or 0.0) + slack


def test_every_format_of_ions_holds_the_same(everything: Path) -> None:
    for name in ("cdms.mzML", "cdms.dmt", "cdms_stori", "cdms.npz", "cdms.parquet"):
        record, first = read(everything / name), read(everything / "cdms.csv")
        assert isinstance(record, IonTable)
        assert isinstance(first, IonTable)
        assert np.sort(record.mz) == pytest.approx(np.sort(first.mz), abs=2e-3)
        assert record.scan is not None
        assert first.scan is not None
        assert np.bincount(record.scan).tolist() == np.bincount(first.scan).tolist()


def charges(folder: Path, **settings: Any) -> tuple[FloatArray, IonTable]:
    plain = {"seed": 5, "ions": 6000, "multi_ion": 0.0, "split": 0.0, "formats": ["npz"], "noise": 0.0}
    simulate(folder, CdmsSimulation.model_validate(plain | settings))
    record = read(folder)
    assert isinstance(record, IonTable)
    assert record.intensity is not None
    return record.intensity.astype(np.float64) / 112_100, record


@pytest.mark.parametrize(
    ("kind", "at_160"), [("elit", 0.2), ("orbitrap", float(np.hypot(1.74, 0.017 * 160)))]
)
def test_kinds_of_instruments_have_their_charge_noise(tmp_path: Path, kind: str, at_160: float) -> None:
    noiseless = charges(tmp_path / "a", sigma_z_a=0.0, sigma_z_b=0.0)[0]
    noisy = charges(tmp_path / "b", instrument=kind)[0]
    # SD of an SD of 6,000: 0.9 %; charges spread by 3 % about 160, and with them b z
    assert np.std(noisy - noiseless) == pytest.approx(at_160, rel=0.05)


def test_drift_changes_the_signal_over_the_scans(tmp_path: Path) -> None:
    steady, record = charges(tmp_path / "a")
    drifted, _ = charges(tmp_path / "b", drift=-0.04)
    assert record.scan is not None
    expected = 1 - 0.04 * (record.scan - 1) / 59
    assert drifted / steady == pytest.approx(expected, rel=1e-9)


def test_split_peaks_share_their_signal_within_a_scan(tmp_path: Path) -> None:
    whole, _ = charges(tmp_path / "a")
    parts, record = charges(tmp_path / "b", split_peaks=0.1)
    extra = parts.size - whole.size
    assert extra == pytest.approx(600, abs=4 * np.sqrt(6000 * 0.1 * 0.9))
    assert parts.sum() == pytest.approx(whole.sum(), rel=1e-9)
    near = analyze(record, **SETTINGS, neighbour_distance=1.0).samples[0].diagnostics["funnel"]
    dropped = {row["step"]: row["ions"] for row in near}["dropped: another ion of the scan within 1 Th"]
    assert dropped >= 2 * extra


def test_vp_ratio_moves_the_capsid_and_its_spread(tmp_path: Path) -> None:
    lists = {}
    for name, ratio in (("usual", [1, 1, 10]), ("vp3", [0, 0, 1])):
        settings = {"vp_ratio": ratio, "species": ["0:1"], "adducts": 0.0, "sigma_z_a": 0.0, "sigma_z_b": 0.0}
        charge, record = charges(tmp_path / name, **settings, mz_resolution=1e6)
        lists[name] = charge * (record.mz - 1.007276467)
    assert np.std(lists["usual"]) == pytest.approx(47.6e3, rel=0.05)
    assert np.std(lists["vp3"]) < 5e3
    assert lists["vp3"].mean() == pytest.approx(3.7404e6 - 5 * (21.88e3 + 6.51e3), rel=1e-4)
    with pytest.raises(UsageError, match="vp_ratio"):
        simulate(tmp_path, CdmsSimulation(vp_ratio=[0, 0, 0]))


def test_thermal_noise_is_left_out_as_it_is_read(tmp_path: Path) -> None:
    simulate(tmp_path, CdmsSimulation(ions=1500, noise=0.0, noise_a_scan=1200, formats=["mzml"]))
    record = read(tmp_path)
    assert isinstance(record, IonTable)
    assert record.mz.size == 1500
    assert record.dropped["in the noise band"] == record.rows_read - 1500 > 60_000


def test_the_example_lot_stays_small(tmp_path: Path) -> None:
    simulate(tmp_path, CdmsSimulation(formats=["csv"]))
    simulate(tmp_path, CdmsSimulation(ions=3000, formats=["mzml"]))
    assert (tmp_path / "cdms.csv").stat().st_size < 900_000
    assert (tmp_path / "cdms.mzML").stat().st_size < 300_000


@pytest.mark.parametrize("species", [["4700"], ["a:b"], ["4700:0"], ["4700:1", "4700:2"], ["-5:1"]])
def test_species_that_make_no_sense_are_refused(tmp_path: Path, species: list[str]) -> None:
    with pytest.raises(UsageError, match="species"):
        simulate(tmp_path, CdmsSimulation(species=species))
