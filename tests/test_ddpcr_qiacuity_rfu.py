"""QIAcuity's fluorescence by partition: channels joined, invalid partitions, volumes, refusals."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import InputError
from aavqc.parsers import formats, qiacuity_rfu, survey
from aavqc.records import DropletPlate
from aavqc.simulate.ddpcr import DdpcrSimulation, simulate
from format_samples import qiacuity_rfu as sample

HEADER = "Well,Sample,Channel,Cycled volume,Threshold,Partition,Is invalid,Is positive,RFU"


def channel(
    token: str = "G", wells: str = "A1", total: int = 8510, invalid: int = 10, header: str = HEADER
) -> str:
    lines = ["sep=,", header]
    for well in wells.split():
        for i in range(total):
            positive, rejected = int(i % 4 == 0), int(i >= total - invalid)
            rfu = 20 + 60 * positive + i % 7
            lines.append(f"{well},S1,{token},2.8,45.5,{i + 1},{rejected},{positive},{rfu}")
    return "\n".join([*lines, ""])


def plate(folder: Path, files: dict[str, str]) -> DropletPlate:
    for name, text in files.items():
        (folder / name).write_text(text)
    record = read(folder)
    assert isinstance(record, DropletPlate)
    return record


def test_the_channels_of_a_plate_are_one_record(tmp_path: Path) -> None:
    truth = simulate(tmp_path, DdpcrSimulation(format="qiacuity_rfu", droplets=8000, targets=["ITR", "CAG"]))
    found = read(tmp_path)
    assert isinstance(found, DropletPlate)
    assert (found.name, found.sample_id) == ("EX24-001", "EX24-001")
    assert [(r.well, r.channel) for r in found.rows[:3]] == [
        ("A01", "Green"),
        ("A01", "Yellow"),
        ("B01", "Green"),
    ]
    for at, target in enumerate(("ITR", "CAG")):
        for row in found.rows[at::2]:
            assert row.accepted == truth["wells"][row.well]["accepted"]
            assert row.positives == truth["wells"][row.well]["called_positive"][target]
            assert row.partition_volume_nl == pytest.approx(0.325, rel=0.12)
    total = 6 * 8510
    left = total - sum(w["accepted"] for w in truth["wells"].values())
    assert found.remarks == (qiacuity_rfu.REMARK, f"{left} of {total} partitions are invalid, and left out")
    assert next(f for f in formats() if f.name == "qiacuity-rfu").support == "experimental"
    reasons = {r.name: r.reason for r in survey(tmp_path).files if r.status == "ignored"}
    assert reasons["EX24-001_RFU_img1_REF_1.csv"] == "the reference channel is no target"
    result = analyze(tmp_path, roles={"NTC": "ntc"}, lysis="in_droplet", dilution_factor=1e7)
    titer = result.samples[0].attribute_set["vg_titer[Green]"]
    assert titer.value == pytest.approx(1e13, rel=0.1)
    assert "genome_integrity_raw" in result.samples[0].attribute_set
    own = analyze(tmp_path, roles={"NTC": "ntc"}, calls="own")
    for one, other in zip(result.payload.wells or [], own.payload.wells or [], strict=True):
        assert (one.calls, other.calls) == ("vendor", "own")
        assert one.positives_own == other.positives == pytest.approx(one.positives, rel=0.02)


def test_a_zip_and_other_columns(tmp_path: Path) -> None:
    header = HEADER.replace("RFU", "Quality,RFU").replace("Is positive", "Position")
    rows = channel(header=header).splitlines()
    text = "\n".join([*rows[:2], *(",0,".join(row.rsplit(",", 1)) for row in rows[2:]), ""])
    with zipfile.ZipFile(tmp_path / "run.zip", "w") as archive:
        archive.writestr("run_RFU_img1_Fr_1.csv", text.replace(",G,", ",Fr,"))
    found = read(tmp_path / "run.zip")
    assert isinstance(found, DropletPlate)
    (row,) = found.rows
    assert (row.channel, row.accepted, row.positives) == ("Far Red", 8500, None)
    assert found.droplets["A01"].positive is None
    (well,) = analyze(tmp_path / "run.zip").payload.wells or []
    assert (well.calls, well.positives) == ("own", 2125)


def test_a_channel_without_its_column_is_named_by_its_file(tmp_path: Path) -> None:
    text = channel().replace("Channel", "Colour")
    assert plate(tmp_path, {"p_RFU_img1_Y_2.csv": text}).rows[0].channel == "Yellow"
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="no channel"):
        plate(tmp_path / "b", {"p.csv": text})


@pytest.mark.parametrize(
    ("total", "invalid", "volume"),
    [(8510, 10, None), (8510, 0, 0.32), (25_800, 0, 0.77), (4000, 0, None)],
)
def test_where_the_volume_is_from(tmp_path: Path, total: int, invalid: int, volume: float | None) -> None:
    found = plate(tmp_path, {"p_G_1.csv": channel(total=total, invalid=invalid)})
    assert found.partition_volume_nl == volume
    reported = found.rows[0].partition_volume_nl
    assert reported == (pytest.approx(2.8e3 / 8510) if invalid else None)
    flags = {f.id for f in analyze(tmp_path).samples[0].flags}
    assert ("partition_volume_default" in flags) == (volume is not None)
    assert ("partition_volume_unknown" in flags) == (not invalid and volume is None)


def test_an_implausible_volume_is_not_taken(tmp_path: Path) -> None:
    found = plate(tmp_path, {"p_G_1.csv": channel().replace(",2.8,", ",2800,")})
    assert (found.rows[0].partition_volume_nl, found.partition_volume_nl) == (None, 0.32)


def test_decimal_commas(tmp_path: Path) -> None:
    text = sample().decode().replace(".", "~").replace(",", ";").replace("~", ",")
    found, plain = (plate(tmp_path, {"p.csv": t}) for t in (text, sample().decode()))
    assert found.rows == plain.rows
    for well in plain.droplets:
        assert np.array_equal(found.droplets[well].amplitude, plain.droplets[well].amplitude)


def test_a_partition_that_is_invalid_in_one_channel_is_left_out_of_all(tmp_path: Path) -> None:
    files = {"p_G_1.csv": channel("G", total=100, invalid=3), "p_Y_1.csv": channel("Y", total=100, invalid=5)}
    found = plate(tmp_path, files)
    assert {r.accepted for r in found.rows} == {95}
    blank = channel("G", total=100, invalid=3).splitlines()
    blank[-1] = blank[-1].rsplit(",", 1)[0] + ","  # an invalid partition may have no RFU
    assert plate(tmp_path, {"p_G_1.csv": "\n".join([*blank, ""])}).rows == found.rows


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Is invalid", "Is odd", "expected column Is invalid"),
        ("A1,S1,G,2.8,45.5,3,0,0,22", "A1,S1,G,2.8,45.5,3,0,0,", "line 5: no partition"),
        ("A1,S1,G,2.8,45.5,3,0,0,22", "A1,S1,G,2.8,45.5,3,0,0,many", "line 5: no partition"),
        ("A1,S1,G,2.8,45.5,3,0,0,22", "A1,S1,G,2.8", "line 5.*neither 0 nor 1"),
        ("A1,S1,G,2.8,45.5,3,0,0,22", "A1,S1,G,2.8,45.5,2,0,0,22", "a partition twice"),
        ("A1,S1,G,2.8,45.5,3,0,0,22", "A01,S1,G,2.8,45.5,3,0,0,22", "a well written in two ways"),
        ("A1,S1,G,2.8,45.5,3,0,0,22", "A1,S1,G,2.8,45.5,3,maybe,0,22", "line 5.*neither 0 nor 1"),
        ("A1,S1,G,2.8,45.5,1,", "Mean,S1,G,2.8,45.5,1,", "line 3.*no well"),
        (",G,2.8,45.5,1,", ",G,2.8,high,1,", "line 3.*no number in column Threshold"),
        (",G,", ",REF,", "no channel but the reference"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refused:
        plate(tmp_path, {"p.csv": channel(total=50).replace(old, new)})
    assert refused.value.file == "p.csv"


def test_channels_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="other partitions of well A01"):
        plate(tmp_path, {"p_G_1.csv": channel("G", total=50), "p_Y_1.csv": channel("Y", total=49)})
    with pytest.raises(InputError, match="channel Green twice"):
        plate(tmp_path, {"p_Y_1.csv": channel("G", total=50)})
    header = "\n".join(channel().splitlines()[:2])
    with pytest.raises(InputError, match="a plate without a well"):
        plate(tmp_path, {"p_G_1.csv": header + "\n", "p_Y_1.csv": channel("Y", total=50)})
