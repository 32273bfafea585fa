"""Absolute Q's exports: results, summary, joint counts by channels, partitions."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import InputError
from aavqc.parsers import survey
from aavqc.parsers.absoluteq import FORMAT
from aavqc.records import DropletPlate
from format_samples import absoluteq_summary

RESULTS = (
    "Run,Date,Instrument,Plate,Group,Name,Well,Total,Dye,Target,Conc. cp/uL,SD,CV%,95%CI,Positives\r\n"
    "r,5/19/2023,Absolute Q 0140,M01,Group 1 (2),,Average,20400.5,VIC,CMV,53.71,69.96,130.24,1.68,460\r\n"
    "r,5/19/2023,Absolute Q 0140,M01,Group 1,Lysate,A1,20413,VIC,CMV,0,,,0,0\r\n"
    "r,5/19/2023,Absolute Q 0140,M01,Group 1,Lysate,B1,20449,VIC,CMV,3.85,,,1.1,34\r\n"
    "r,5/19/2023,Absolute Q 0140,M01,Group 1 (2),,Pooled,40862,FAM,ITR,53.71,,,1.68,60\r\n"
    "r,5/19/2023,Absolute Q 0140,M01,Group 1 (2),,,,FAM,ITR,,,,,\r\n"
    "r,5/19/2023,Absolute Q 0140,M01,Group 1,Lysate,B1,20449,FAM,ITR,2.94,,,1.1,26\r\n"
)
MULTICHANNEL = (
    "Run,Date,Instrument,Plate,Sample,Channels,Count,Copies per microliter,Total\n"
    "r,d,226,M01,Sample B1,,19000,0.00,20000\n"
    "r,d,226,M01,Sample B1,FAM,400,46.0,20000\n"
    "r,d,226,M01,Sample B1,FAM VIC,600,70.0,20000\n"
    "r,d,226,M01,Sample B1,VIC,0,0.00,0\n"
    "r,d,226,M01,Sample A1,,20100,0.00,20100\n"
)
PARTITIONS = (
    "Run,Date,Instrument,Plate,Well ID,Sample,Index,Reject,ROX,FAM,FAM_pos,FAM_target,FAM_threshold,"
    "VIC,VIC_pos,VIC_target,VIC_threshold\r\n"
    "r,d,226,M01,B1,S2,1,False,10824.2,26754.55,True,ITR,13019,5231.7,True,CMV,1372\r\n"
    "r,d,226,M01,B1,S2,2,False,10615.6,-73.7,False,ITR,13019,377.8,False,CMV,1372\r\n"
    "r,d,226,M01,B1,S2,3,True,10.6,99999,True,ITR,13019,377.8,False,CMV,1372\r\n"
    "r,d,226,M01,A1,S1,1,False,10756.3,24592.2,True,ITR,13019,168.1,False,CMV,1372\r\n"
)


def plate(folder: Path, data: str | bytes) -> DropletPlate:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "q.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    record = read(folder)
    assert isinstance(record, DropletPlate)
    assert (record.format, record.partition_volume_nl) == ("absoluteq", 0.432)
    return record


def test_results_without_averages_and_pools(tmp_path: Path) -> None:
    rows = plate(tmp_path, RESULTS).rows
    assert [(r.well, r.channel, r.target, r.accepted, r.positives) for r in rows] == [
        ("A01", "VIC", "CMV", 20413, 0),
        ("B01", "FAM", "ITR", 20449, 26),
        ("B01", "VIC", "CMV", 20449, 34),
    ]
    assert (rows[2].negatives, rows[2].copies_per_ul, rows[2].sample) == (20415, 3.85, "Lysate")
    assert rows[2].ci_low == pytest.approx(2.75)


def test_a_summary_has_a_row_for_each_dye(tmp_path: Path) -> None:
    first, second = plate(tmp_path, absoluteq_summary()).rows
    assert (first.well, first.channel, first.target, first.threshold) == ("A01", "FAM", "ITR", 4000.0)
    assert (second.channel, second.target, second.positives, second.copies_per_ul) == ("VIC", "CMV", 0, 0.0)
    assert first.ci_low == pytest.approx(1604.51 - 33.6)
    assert first.ci_high == pytest.approx(1604.51 + 34.3)
    assert first.dilution is not None
    assert (first.dilution.factor, first.status, first.status_reason) == (10.0, "PASS", "PASS: no issues")


def test_a_summary_may_have_decimal_commas(tmp_path: Path) -> None:
    text = absoluteq_summary().decode()
    assert "1604.51" in text
    german = text.replace(",", ";").replace(".", ",")
    rows = [plate(tmp_path / n, t).rows for n, t in (("a", text), ("b", german))]
    assert [(r.copies_per_ul, r.ci_low, r.positives) for r in rows[0]] == [
        (r.copies_per_ul, r.ci_low, r.positives) for r in rows[1]
    ]


def test_counts_by_channels_are_joint_counts(tmp_path: Path) -> None:
    found = plate(tmp_path, MULTICHANNEL)
    assert list(found.clusters) == ["A01", "B01"]
    (entry,) = found.clusters["B01"]
    assert entry.targets == ("FAM", "VIC")
    assert entry.counts == {"00": 19000, "10": 400, "11": 600, "01": 0}
    assert [(r.well, r.channel, r.accepted, r.positives) for r in found.rows] == [
        ("A01", "FAM", 20100, 0),
        ("A01", "VIC", 20100, 0),
        ("B01", "FAM", 20000, 1000),
        ("B01", "VIC", 20000, 600),
    ]
    assert found.remarks == ("wells are those in the names of the samples",)


def test_samples_that_name_no_well_are_numbered(tmp_path: Path) -> None:
    found = plate(tmp_path, MULTICHANNEL.replace("Sample A1", "vector"))
    assert [(r.well, r.sample) for r in found.rows[::2]] == [("X01", "Sample B1"), ("X02", "vector")]
    assert "names no wells" in found.remarks[0]


def test_partitions_and_what_was_counted_from_them(tmp_path: Path) -> None:
    found = plate(tmp_path, PARTITIONS)
    assert list(found.droplets) == ["A01", "B01"]
    droplets = found.droplets["B01"]
    assert droplets.channels == ("FAM", "VIC")
    assert droplets.amplitude.tolist() == [[26754.55, 5231.7], [-73.7, 377.8], [99999, 377.8]]
    assert droplets.positive is not None
    assert droplets.positive.tolist() == [[1, 1], [0, 0], [-1, -1]]
    assert [(r.well, r.target, r.accepted, r.positives, r.threshold, r.sample) for r in found.rows[2:]] == [
        ("B01", "ITR", 2, 1, 13019.0, "S2"),
        ("B01", "CMV", 2, 1, 1372.0, "S2"),
    ]


@pytest.mark.parametrize(
    ("text", "change", "line", "words"),
    [
        (RESULTS, ("1.1,34", "1.1,30000"), 4, "more positives"),
        (RESULTS, ("A1,20413", "B1,20413"), 4, "twice"),
        (RESULTS, ("A1,20413", "Q,20413"), 3, "no well"),
        (MULTICHANNEL, ("FAM,400", "FAM,many"), 3, "no number"),
        (MULTICHANNEL, ("FAM,400", ",400"), 3, "set of channels twice"),
        (MULTICHANNEL, ("FAM,400", "FAM,401"), 2, "do not add up"),
        (MULTICHANNEL, ("46.0,20000", "46.0,19999"), 3, "another total"),
        (MULTICHANNEL, ("r,d,226,M01,Sample B1,FAM,400,46.0,20000\n", ""), 2, "do not add up"),
        (PARTITIONS, ("24592.2,True", "24592.2,Yes"), 5, "neither True nor False"),
        (PARTITIONS, ("24592.2,True", "nan,True"), 5, "finite"),
        (PARTITIONS, ("24592.2,True", "24592,2,True"), 5, "17 fields"),
        (PARTITIONS, ("24592.2,True", "24592.2,True" + "," * 400_000), 5, "does not fit the header"),
        (PARTITIONS, ("M01,A1", "M01,?"), 5, "no well"),
        (PARTITIONS, ("M01,A1", "M01,b1"), 5, "two ways"),
        (PARTITIONS, ("VIC_threshold", "VIC_limit"), 1, "VIC_threshold"),
    ],
)
def test_a_fault_is_named_with_its_line(
    tmp_path: Path, text: str, change: tuple[str, str], line: int, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        plate(tmp_path, text.replace(*change, 1))
    assert caught.value.line == line


def test_empty_members_of_an_archive_are_ignored(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a_fluorescence.csv", b"")
        archive.writestr("a_summary.csv", absoluteq_summary())
    path = tmp_path / "run.zip"
    path.write_bytes(stream.getvalue())
    assert {r.name: r.status for r in survey(path).files} == {
        "run.zip!/a_fluorescence.csv": "ignored",
        "run.zip!/a_summary.csv": "used",
    }


def test_sniffs_its_own_only(example_lot: Path) -> None:
    for text in (RESULTS, MULTICHANNEL, PARTITIONS):
        assert FORMAT.sniff(text.encode(), "x.csv")
    assert not FORMAT.sniff((example_lot / "ddpcr" / "EX24-001.csv").read_bytes()[:8192], "x.csv")


def test_real_exports_are_analysed(reference_data: Path) -> None:
    folder = reference_data / "ddpcr" / "allotropy_exports" / "appbio_absolute_q" / "testdata"
    rows = {p.stem.split("Q_", 1)[1]: len(analyze(p).payload.wells or []) for p in sorted(folder.iterdir())}
    assert rows == {
        "example01": 16,
        "example02": 16,
        "example03": 16,
        "example04": 16,
        "example05": 32,
        "fluorescence_columns": 64,
        "multichannel": 20,
        "singe2_summary": 16,
        "single1_summary": 16,
        "summary": 16,
        "zip_test": 16,
    }


def test_real_joint_counts_are_those_of_the_summary(reference_data: Path) -> None:
    folder = reference_data / "ddpcr" / "allotropy_exports" / "appbio_absolute_q" / "testdata"
    joint = read(folder / "Appbio_AbsoluteQ_multichannel.csv")
    summary = read(folder / "Appbio_AbsoluteQ_summary.csv")
    assert isinstance(joint, DropletPlate)
    assert isinstance(summary, DropletPlate)
    known = {(r.well, r.channel): (r.accepted, r.positives) for r in summary.rows}
    shared = [r for r in joint.rows if (r.well, r.channel) in known]
    assert len(shared) == 6
    for row in shared:
        assert (row.accepted, row.positives) == known[row.well, row.channel]
