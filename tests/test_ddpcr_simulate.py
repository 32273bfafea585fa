"""The virtual droplet reader, and its truth found again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import UsageError
from aavqc.records import DropletPlate
from aavqc.simulate.ddpcr import DdpcrSimulation, simulate


def _hashes(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def default_plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plate")
    simulate(folder, DdpcrSimulation())
    return folder


def test_same_seed_same_bytes(default_plate: Path, tmp_path: Path) -> None:
    truth = simulate(tmp_path / "again", DdpcrSimulation())
    assert _hashes(tmp_path / "again") == _hashes(default_plate)
    assert json.loads((default_plate / "truth.json").read_text(encoding="utf-8")) == truth
    simulate(tmp_path / "other", DdpcrSimulation(seed=1))
    assert _hashes(tmp_path / "other") != _hashes(default_plate)


def test_layout_is_the_vendor_s(default_plate: Path) -> None:
    header, *lines = (default_plate / "EX24-001.csv").read_text(encoding="utf-8").splitlines()
    assert header.count(",") == 62
    assert len(lines) == 12
    assert all(line.endswith(",") and line.count(",") == 63 and line.startswith('"') for line in lines)
    assert sum(p.stat().st_size for p in default_plate.iterdir()) < 2.6e6


def test_the_vendor_s_numbers_are_ours(default_plate: Path) -> None:
    record = read(default_plate)
    assert isinstance(record, DropletPlate)
    wells = analyze(record, interval="vendor").payload.wells or []
    assert len(wells) == len(record.rows) == 12
    for ours, vendor in zip(wells, record.rows, strict=True):
        for mine, printed in (
            (ours.copies_per_ul, vendor.copies_per_ul),
            (ours.ci_low, vendor.ci_low),
            (ours.ci_high, vendor.ci_high),
        ):
            assert mine == pytest.approx(printed, rel=5.1e-3, abs=1e-9)


def test_the_true_titer_is_found(tmp_path: Path) -> None:
    wells = ";".join(f"{row}{column:02d}" for column in (1, 2, 3) for row in "ABCDEFGH")
    settings = DdpcrSimulation(
        samples=[f"S:1e13:1e7:{wells}"], rain=0.0, volume_cv=0.0, well_cv=0.0, droplets=4000
    )
    simulate(tmp_path, settings)
    sample = analyze(tmp_path, dilution_factor=1e7).samples[0]
    for target in settings.targets:
        # 96,000 droplets at 0.85 copies: the relative SD of the titer is 0.38 %
        assert sample.attribute_set[f"vg_titer[{target}]"].value == pytest.approx(1e13, rel=4 * 0.0038)
    assert not [f for f in sample.flags if f.severity == "invalid"]


def test_intact_genomes_carry_both_targets(tmp_path: Path) -> None:
    for fraction in (0.0, 0.6, 1.0):
        folder = tmp_path / str(fraction)
        settings = DdpcrSimulation(
            samples=["S:1e13:2e7:A01;B01"], intact_fraction=fraction, rain=0.0, volume_cv=0.0, droplets=40_000
        )
        simulate(folder, settings)
        record = read(folder)
        assert isinstance(record, DropletPlate)
        calls = np.concatenate([d.positive for d in record.droplets.values() if d.positive is not None])
        negative = calls == 0
        first, second, either = (-np.log(p) for p in (*negative.mean(axis=0), negative.all(axis=1).mean()))
        linked = first + second - either
        assert linked / either == pytest.approx(fraction, abs=0.03)


def test_one_target_gives_one_channel(tmp_path: Path) -> None:
    simulate(tmp_path, DdpcrSimulation(targets=["ITR"], samples=["S:1e13:1e7:A01"]))
    record = read(tmp_path)
    assert isinstance(record, DropletPlate)
    assert record.droplets["A01"].channels == ("Ch1",)
    assert not analyze(record).samples[0].flags


@pytest.mark.parametrize(
    "sample", ["S:1e13:A01", "S:x:1:A01", "S:1:0:A01", "S:1:1:Z01", "S:1:1:A01;A01", "S:nan:1:A01"]
)
def test_bad_samples_are_refused(tmp_path: Path, sample: str) -> None:
    with pytest.raises(UsageError):
        simulate(tmp_path, DdpcrSimulation(samples=[sample]))
