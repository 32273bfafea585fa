"""Intensity scans: which channel is the sample is found, or set, or said to be unclear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc.auc.channels import channels_of
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Sample
from aavqc.simulate.auc import AucSimulation, simulate

SETTINGS: dict[str, Any] = {"design_length": 4700, "resolution": 60}
QUICK: dict[str, Any] = {"optics": "intensity", "scans": 20, "radial_step": 0.006}


def exchange_columns(folder: Path) -> None:
    for path in sorted(folder.rglob("*.RI1")):
        first, second, *rows = path.read_text(encoding="ascii").splitlines()
        turned = [f"{r}{b:>15}{a:>15}" for r, a, b in (row.split() for row in rows)]
        path.write_text("\r\n".join([first, second, *(f"   {row}" for row in turned), ""]), encoding="ascii")


def analysed(folder: Path, **settings: Any) -> Sample:
    return aavqc.analyze(folder, **SETTINGS, **settings).samples[0]


def choice(sample: Sample) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in sample.diagnostics["choices"] if c["what"] == "sample_channel")
    return found


def test_columns_may_stand_either_way(tmp_path: Path) -> None:
    simulate(tmp_path, AucSimulation(seed=3, ti_noise=0.02, ri_noise=0.05, **QUICK))
    straight = analysed(tmp_path)
    exchange_columns(tmp_path)
    turned = analysed(tmp_path)
    assert (choice(straight)["value"], choice(turned)["value"]) == ("first", "second")
    assert "a boundary moves in it" in choice(turned)["reason"]
    assert [a.value for a in turned.attributes] == [a.value for a in straight.attributes]
    assert turned.status == "valid"


def test_the_channel_can_be_set(tmp_path: Path) -> None:
    simulate(tmp_path, AucSimulation(seed=3, **QUICK))
    exchange_columns(tmp_path)
    right = analysed(tmp_path, sample_channel="second")
    assert (right.status, choice(right)["reason"]) == ("valid", "set by the user")
    (wrong,), (right_way,) = (
        channels_of((aavqc.read(tmp_path),), TechniqueSettings(sample_channel=which))
        for which in ("first", "second")
    )
    assert float(wrong.grid.signal.min()) < -0.1 < float(right_way.grid.signal.min())


@pytest.mark.parametrize("optics", ["ti", "ri", "both"])
@pytest.mark.parametrize("species", ["0:1", "4700:1"])
def test_the_sign_survives_faint_signals_in_systematic_noise(
    optics: str, species: str, tmp_path: Path
) -> None:
    noise = {"ti_noise": 0.02 * (optics != "ri"), "ri_noise": 0.1 * (optics != "ti")}
    simulate(tmp_path, AucSimulation(seed=8, od=0.1, species=[species], **QUICK, **noise))
    for expected in ("first", "second"):
        (channel,) = channels_of((aavqc.read(tmp_path),), TechniqueSettings())
        found = {c.what: c for c in channel.column.choices}["sample_channel"]
        assert (found.value, "boundary moves" in found.reason) == (expected, True)
        exchange_columns(tmp_path)


def test_where_nothing_moves_the_first_is_taken_and_said(tmp_path: Path) -> None:
    simulate(tmp_path, AucSimulation(seed=3, od=1e-6, **QUICK))
    (channel,) = channels_of((aavqc.read(tmp_path),), TechniqueSettings())
    found = {c.what: c for c in channel.column.choices}["sample_channel"]
    assert found.value == "first"
    assert "sample_channel_unclear" in [f.id for f in channel.column.flags]


def test_a_wavelength_without_signal_goes_by_another_of_the_cell(tmp_path: Path) -> None:
    dark = {"capsid": {"320": 1e-3}, "nucleotide": {"320": 1e-6}}
    simulate(tmp_path, AucSimulation(seed=3, wavelengths=[260.0, 320.0], extinction=dark, **QUICK))
    exchange_columns(tmp_path)
    channels = channels_of((aavqc.read(tmp_path),), TechniqueSettings())
    found = [next(c for c in one.column.choices if c.what == "sample_channel") for one in channels]
    assert [c.value for c in found] == ["second", "second"]
    assert found[1].reason == "as at another wavelength of the cell"
    assert np.ptp(channels[0].grid.signal) > 0.3


@pytest.mark.parametrize("seed", [0, 7])
def test_what_the_windows_add_to_all_scans_is_no_gradient_at_rest(seed: int, tmp_path: Path) -> None:
    """As large as half a faint sample, it has maxima that stay where they are when all has sedimented."""
    species = ["0:0.25", "4700:0.75"]
    simulate(
        tmp_path, AucSimulation(seed=seed, species=species, od=0.1, ti_noise=0.05, **QUICK | {"scans": 40})
    )
    sample = analysed(tmp_path)
    shares = {a.name: a for a in sample.attributes}
    assert sample.status == "valid"
    assert shares["percent_full_signal"].value == pytest.approx(97.0, abs=3.0)
