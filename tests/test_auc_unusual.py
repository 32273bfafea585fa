"""Samples and settings that are rarely met: every one ends in numbers that hold, or in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc.auc.capsids import windows_of_species
from aavqc.auc.resolve import Resolved
from aavqc.auc.search import Found, Parameters
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import AssayError
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate

GIVEN = {
    "design_length": 4700,
    "resolution": 60,
    "extinction.capsid.260": 3.72e6,
    "extinction.nucleotide.260": 8750,
}
CLASSES = ("empty", "partial", "full", "overfull")

Run = Callable[..., Path]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def make(**given: Any) -> Path:
        simulate(tmp_path, AucSimulation(**{"seed": 3, "scans": 30, "radial_step": 0.006, **given}))
        return tmp_path

    return make


@pytest.mark.parametrize(("length", "named"), [(4700, "full"), (0, "empty")])
def test_capsids_of_one_kind_are_all_of_it(run: Run, length: int, named: str) -> None:
    found = aavqc.analyze(run(species=[f"{length}:1"]), **GIVEN).attributes
    for name in CLASSES:
        one = found[f"percent_{name}"]
        assert one.value == pytest.approx(100.0 if name == named else 0.0, abs=0.5)
        assert (one.qualifier == "ND") == (name != named)
    # what is not detected may be there: 1.96 standard deviations where the limit is 3.3
    limits = [found[f"percent_{name}"].lod for name in CLASSES if name != named]
    assert found[f"percent_{named}"].ci_low == pytest.approx(100.0 - 1.96 / 3.3 * sum(limits), abs=1e-3)


def test_what_is_no_capsid_is_bounded_where_none_is_found(run: Run) -> None:
    """Slow protein passes for baseline: the bound says how much of it may be there, and of aggregates."""
    without = aavqc.analyze(run(species=["4700:1"]), **GIVEN).attributes
    for name in ("aggregate", "sub_capsid"):
        one = without[f"percent_{name}_signal"]
        assert (one.value, one.qualifier, one.bound) == (0.0, "ND", one.lod)
        assert one.lod is not None
        assert 0 < one.lod < 1.5
    beside = aavqc.analyze(run(species=["4700:1"], protein_signal=0.01), **GIVEN).attributes
    small = beside["percent_sub_capsid_signal"]
    assert small.ci_low is not None
    assert small.ci_high is not None
    assert small.ci_low <= 1.0 <= small.ci_high
    dna = aavqc.analyze(run(species=["4700:1"], free_dna_signal=0.03), **GIVEN).attributes
    fragments = dna["percent_sub_capsid_signal"]
    assert fragments.qualifier is None
    assert fragments.value == pytest.approx(3.0, abs=0.3)


@pytest.mark.parametrize(
    ("s", "signal", "anchor"),
    [
        # short partials, merged with a few empties: at 72 S they leave no place for the full peak
        ([72.5, 103.0], [0.02, 0.5], "full peak"),
        ([64.5, 73.0, 105.0], [0.005, 0.05, 0.5], "empty and full peaks"),
        ([72.5, 101.0, 108.5], [0.07, 0.5, 0.01], "full peak"),
        # long partials without full ones: the empties are where they belong
        ([65.0, 93.0], [0.05, 0.5], "empty peak"),
        ([65.0, 106.0], [0.02, 0.5], "empty and full peaks"),
        ([85.0, 106.0], [0.2, 0.5], "full peak"),
    ],
)
def test_what_anchors_the_classes(s: list[float], signal: list[float], anchor: str) -> None:
    nothing = np.zeros((0, 0))
    found = Found(Parameters((6.0,), (7.2,), 13.7), {}, np.array(s), np.array([signal]), 1.0)
    resolved = Resolved(found.s, found.amounts, found, [], nothing)
    windows = windows_of_species(resolved, build(TechniqueSettings, {"design_length": 4700}))
    assert windows is not None
    assert windows.anchor == anchor


def test_a_few_empties_and_short_partials_do_not_turn_full_into_partial(run: Run) -> None:
    folder = run(species=["0:0.02", "936:0.08", "4700:0.9"], rpm=20000)
    sample = aavqc.analyze(folder, **GIVEN).attributes
    for name, truth in zip(CLASSES, (2.0, 8.0, 90.0, 0.0), strict=True):
        one = sample[f"percent_{name}"]
        assert one.ci_low - 0.5 <= truth <= one.ci_high + 0.5
    assert sample["percent_full"].value == pytest.approx(90.0, abs=3.0)


@pytest.mark.parametrize("given", [{"resolution": 10}, {"s_range": [1.0, 400.0]}])
def test_a_coarse_grid_of_s_merges_no_classes(run: Run, given: dict[str, Any]) -> None:
    sample = aavqc.analyze(run(), **(GIVEN | given)).samples[0]
    found = {a.name: a for a in sample.attributes}
    for name, truth in zip(CLASSES, (25.0, 15.0, 60.0, 0.0), strict=True):
        assert found[f"percent_{name}"].value == pytest.approx(truth, abs=1.0)
    assert "species_misfit" not in {f.id for f in sample.flags}


def test_a_range_of_s_without_all_classes_is_no_composition(run: Run) -> None:
    sample = aavqc.analyze(run(), **(GIVEN | {"s_range": [80.0, 100.0]})).samples[0]
    assert sample.status == "invalid"
    assert {"s_range_cuts_classes", "species_misfit"} <= {f.id for f in sample.flags}


def test_cells_of_two_samples_are_not_one(run: Run, tmp_path: Path) -> None:
    folder = run(species=["0:0.25", "4700:0.75"])
    other = AucSimulation(seed=4, cell=2, scans=30, radial_step=0.006, species=["0:0.6", "4700:0.4"])
    simulate(folder, other)
    sample = aavqc.analyze(folder, **(GIVEN | {"together": True})).samples[0]
    assert "cells_differ" in {f.id for f in sample.flags}


def test_two_cells_of_a_wavelength_each_measure_no_length_by_light(run: Run) -> None:
    folder = run(species=["0:0.4", "4700:0.6"], radius_growth=0.08)
    other = {"cell": 2, "wavelengths": [280.0], "radius_growth": 0.08, "species": ["0:0.4", "4700:0.6"]}
    simulate(folder, AucSimulation(seed=4, scans=30, radial_step=0.006, **other))
    at_280 = {"extinction.capsid.280": 6.61e6, "extinction.nucleotide.280": 4700}
    sample = aavqc.analyze(folder, **(GIVEN | at_280 | {"together": True})).samples[0]
    said = {f.id: f.message for f in sample.flags}.get("lengths_disagree", "")
    assert "coefficient" not in said


def test_a_regulated_method_assumes_no_constant(run: Run) -> None:
    folder = run(species=["0:0.4", "4700:0.6"])
    sample = aavqc.analyze(folder, **GIVEN, regulated=True, density=1.0).samples[0]
    assert {a.name for a in sample.attributes} == {"total_signal", "s_weight_average"}
    messages = [f.message for f in sample.flags if f.id == "constant_required"]
    assert [m.partition(": set ")[2] for m in messages] == ["viscosity, dilution_factor"]


def test_fluorescence_is_neither_absorbance_nor_particles(run: Run) -> None:
    """Its numbers are the detector's: no optical density, no coefficient, no titer."""
    folder = run(optics="fluorescence", od=300.0, noise=2.0, wavelengths=[488.0])
    at_488 = {"extinction.capsid.488": 3.72e6, "extinction.nucleotide.488": 8750, "dilution_factor": 10}
    solvent = {"density": 1.0, "viscosity": 1.002}
    sample = aavqc.analyze(folder, **(GIVEN | at_488 | solvent), regulated=True).samples[0]
    found = {a.name: a for a in sample.attributes}
    assert found["total_signal"].unit == "FU"
    assert found["total_signal"].value == pytest.approx(300.0, rel=0.01)
    assert found["percent_empty_signal"].value == pytest.approx(25.0, abs=0.5)  # labels are alike
    assert not any(name.startswith("percent_") and not name.endswith("_signal") for name in found)
    assert not {"cp_titer_optical", "vg_titer_optical", "packaged_length"} & set(found)
    assert not sample.flags
    assert any("fluorescence counts labels" in text for text in sample.warnings)
    assert sample.diagnostics["choices"][0]["reason"] == "the only one measured"


def test_absorbance_and_fluorescence_of_a_sample_are_not_fitted_together(run: Run) -> None:
    folder = run(scans=10)
    simulate(folder, AucSimulation(seed=3, scans=10, cell=2, optics="fluorescence", od=300.0, noise=2.0))
    with pytest.raises(AssayError, match="several optics"):
        aavqc.analyze(folder, **GIVEN, together=True)


def test_a_stray_scan_is_left_out_and_named(tmp_path: Path) -> None:
    simulate(tmp_path, AucSimulation(seed=5, wavelengths=[260.0, 280.0], scans=12, radial_step=0.01))
    path = sorted(tmp_path.glob("*.RA1"))[6]
    first, header, rest = path.read_bytes().split(b"\r\n", 2)
    fields = header.split()
    path.write_bytes(b"\r\n".join([first, b" ".join([*fields[:6], b"265", *fields[7:]]), rest]))
    sample = aavqc.analyze(tmp_path, design_length=4700, resolution=40).samples[0]
    assert "1 scan(s) at 265 nm are not used: fewer than can be fitted" in sample.warnings
    assert sample.status == "valid"
