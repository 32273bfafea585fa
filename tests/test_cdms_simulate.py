"""The virtual CDMS instrument: files that can be read back, with the truth beside them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import UsageError
from aavqc.records import IonTable
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


def test_the_example_lot_stays_small(tmp_path: Path) -> None:
    simulate(tmp_path, CdmsSimulation(formats=["csv"]))
    simulate(tmp_path, CdmsSimulation(ions=3000, formats=["mzml"]))
    assert (tmp_path / "cdms.csv").stat().st_size < 900_000
    assert (tmp_path / "cdms.mzML").stat().st_size < 300_000


@pytest.mark.parametrize("species", [["4700"], ["a:b"], ["4700:0"], ["4700:1", "4700:2"], ["-5:1"]])
def test_species_that_make_no_sense_are_refused(tmp_path: Path, species: list[str]) -> None:
    with pytest.raises(UsageError, match="species"):
        simulate(tmp_path, CdmsSimulation(species=species))
