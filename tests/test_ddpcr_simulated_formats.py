"""Every vendor's format: written by the simulator, read back, the truth found again."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import UsageError
from aavqc.records import DropletPlate
from aavqc.simulate.ddpcr import DdpcrSimulation, FormatName, simulate
from test_fuzz import Stuck, limits, mutate_export, read_folder

FORMATS = get_args(FormatName)
TWO = ("quantasoft_1.6", "quantasoft_1.7", "qx_manager")
SAMPLES = ["S1:1e13:1e7:A01;B01", "S2:1e13:1e6:A02", "NTC:0:1:A12"]
SPECIES = {2: ["11:0.7", "10:0.2", "01:0.1"], 3: ["111:0.6", "110:0.2", "001:0.2"]}


def settings_of(name: str, **others: Any) -> DdpcrSimulation:
    count = 2 if name in TWO else 3
    values: dict[str, Any] = {
        "format": name,
        "targets": ["ITR", "CMV", "polyA"][:count],
        "species": SPECIES[count],
        "samples": SAMPLES,
        "droplets": 2500,
    }
    return DdpcrSimulation.model_validate(values | others)


def record_of(folder: Path) -> DropletPlate:
    record = read(folder)
    assert isinstance(record, DropletPlate)
    return record


@pytest.mark.parametrize("name", FORMATS)
def test_the_truth_is_read_back(name: str, tmp_path: Path) -> None:
    truth = simulate(tmp_path, settings_of(name))
    found = record_of(tmp_path)
    targets = list(truth["settings"]["targets"])
    assert len(found.rows) == 4 * len(targets)
    for row in found.rows:
        expected = truth["wells"][row.well]
        target = targets[found.rows.index(row) % len(targets)] if row.target not in targets else row.target
        if row.target in targets:
            assert row.positives == expected["called_positive"][target]
        assert row.accepted == expected["accepted"]
        if row.sample and not name.endswith("multichannel"):
            assert row.sample == expected["sample"]
    volume = truth["settings"]["partition_volume_nl"]
    if found.partition_volume_nl is not None:
        assert found.partition_volume_nl == volume


@pytest.mark.parametrize("name", FORMATS)
def test_concentrations_are_those_of_the_volume(name: str, tmp_path: Path) -> None:
    simulate(tmp_path, settings_of(name))
    for row in record_of(tmp_path).rows:
        if not row.copies_per_ul or not row.negatives or row.accepted is None:
            continue
        volume = row.partition_volume_nl or record_of(tmp_path).partition_volume_nl
        if volume is None:
            continue
        density = np.log(row.accepted / row.negatives)
        assert row.copies_per_ul == pytest.approx(1e3 * density / volume, rel=6e-3)


def test_joint_counts_come_back(tmp_path: Path) -> None:
    for name in ("qx600", "qx600_workbook", "absoluteq_multichannel"):
        truth = simulate(tmp_path / name, settings_of(name))
        found = record_of(tmp_path / name)
        (entry,) = found.clusters["A01"]
        assert sum(entry.counts.values()) == truth["wells"]["A01"]["accepted"]
        called = truth["wells"]["A01"]["called_positive"].values()
        sums = [sum(n for p, n in entry.counts.items() if p[at] == "1") for at in range(3)]
        assert sums == list(called), name
        assert found.remarks == () or "names of the samples" in found.remarks[0]


def test_droplets_come_back_with_their_calls(tmp_path: Path) -> None:
    for name in ("quantasoft_1.6", "qx_manager", "absoluteq_partitions", "rdml"):
        truth = simulate(tmp_path / name, settings_of(name))
        droplets = record_of(tmp_path / name).droplets["B01"]
        assert droplets.positive is not None, name
        called = list(truth["wells"]["B01"]["called_positive"].values())
        assert (droplets.positive == 1).sum(axis=0).tolist() == called, name


def test_species_share_the_fragments(tmp_path: Path) -> None:
    wells = ";".join(f"{row}{column:02d}" for column in (1, 2) for row in "ABCDEFGH")
    settings = settings_of("asm", samples=[f"S:2e12:1e7:{wells}"], droplets=10_000, rain=0.0)
    truth = simulate(tmp_path, settings)
    total = sum(w["accepted"] for w in truth["wells"].values())
    density = truth["wells"]["A01"]["copies_per_droplet"]
    for target, share in {"ITR": 0.8, "CMV": 0.8, "polyA": 0.8}.items():
        held = sum(w["with_target"][target] for w in truth["wells"].values())
        expected = total * -np.expm1(-share * density)
        assert abs(held - expected) < 5 * np.sqrt(expected) + 0.03 * expected


def test_cross_talk_raises_the_next_channel_alone(tmp_path: Path) -> None:
    plates = {}
    for leak in (0.0, 0.1):
        settings = settings_of("absoluteq_partitions", cross_talk=leak, rain=0.0)
        simulate(tmp_path / str(leak), settings)
        plates[leak] = record_of(tmp_path / str(leak)).droplets["A01"].amplitude
    raised = plates[0.1] - plates[0.0]
    assert not raised[:, 0].any()
    first_positive = plates[0.0][:, 0] > 4000
    assert raised[first_positive, 1] == pytest.approx(0.1 * (6900 - 1450), abs=0.01)
    assert not raised[~first_positive, 1].any()


def test_the_instrument_s_own_volume_by_well(tmp_path: Path) -> None:
    simulate(tmp_path, settings_of("qiacuity"))
    volumes = {r.well: r.partition_volume_nl for r in record_of(tmp_path).rows}
    assert len(set(volumes.values())) == 4
    result = analyze(tmp_path, dilution_factor=1e7)
    assert {s.sample_id for s in result.samples} == {"S1", "S2", "NTC"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"species": []},
        {"species": ["11:1"]},
        {"species": ["000:1"]},
        {"species": ["111:-1"]},
        {"species": ["111"]},
        {"format": "quantasoft_1.7"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        simulate(tmp_path, settings_of("rdml", **wrong))


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        simulate(tmp_path / folder, settings_of("rdml"))
    assert (tmp_path / "a" / "EX24-001.rdml").read_bytes() == (tmp_path / "b" / "EX24-001.rdml").read_bytes()
    assert json.loads((tmp_path / "a" / "truth.json").read_text(encoding="utf-8"))["species"]["111"] == 0.6


def small_export(name: str, folder: Path) -> dict[str, bytes]:
    simulate(folder, settings_of(name, samples=["S1:1e13:1e7:A01", "NTC:0:1:B01"], droplets=120))
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name != "truth.json"}


def run_case(files: dict[str, bytes], number: int, seed: str, folder: Path) -> str:
    for name, data in mutate_export(random.Random(seed), files, number).items():
        (folder / name).write_bytes(data)
    with limits():
        return read_folder(folder)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_files_are_read_or_refused(name: str, tmp_path: Path) -> None:
    files = small_export(name, tmp_path / "whole")
    (tmp_path / "warm").mkdir()
    assert run_case(files, 1, "-", tmp_path / "warm") in ("survived", "failed")
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        run_case(files, number, f"{name}-{number}", folder)


@pytest.mark.campaign
@pytest.mark.parametrize("name", FORMATS)
def test_campaign_of_damaged_files(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = int(os.environ.get("AAVQC_FUZZ_CASES", "5000"))
    files = small_export(name, tmp_path)
    outcomes: Counter[str] = Counter()
    wrong = []
    for number in range(cases):
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcomes[run_case(files, number, f"{name}-{number}", Path(folder))] += 1
            except (Exception, Stuck) as error:  # counted, not swallowed  # noqa: BLE001
                wrong.append(f"{name}-{number}: {type(error).__name__}: {str(error)[:200]}")
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {cases} cases, {dict(sorted(outcomes.items()))}, {len(wrong)} wrong\n")
    assert not wrong, "\n".join(wrong[:20])
