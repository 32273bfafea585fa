"""Joint counts: cluster exports of QX Manager, and the quadrants of its tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from aavqc.analysis import analyze, read, read_all
from aavqc.errors import InputError
from aavqc.records import DropletPlate

PREAMBLE = (
    "Target value of 0 = negative\n"
    "Target value of 1 = positive\n"
    "Target value of u = unclassified(Advanced Classification Method)\n\n"
)
HEADER = "Well,Target 1,Target 2,Target 3,Count,Ch1 Mean,Ch1 StdDev,Cluster ID"
SECOND = "\r\n\r\nWell,Cluster 1,Cluster 2,Angle,S Value\r\nA01,NNN,PNN,N/A,4.734,\r\nA01,NNN,NPN,N/A,4.142,"
CLUSTERS = [
    "A01,0,0,0,1900,302.8,29.5,1,",
    "A01,1,0,0,50,3855.1,720.7,2,",
    "A01,1,1,0,30,3855.1,720.7,3,",
    "A01,0,1,1,20,373.0,71.8,4,",
    "B01,0,0,,1200,302.8,29.5,1,",
    "B01,1,0,,300,302.8,29.5,2,",
]
TABLE_HEADER = (
    "Well,Sample description 1,Target,Conc(copies/µL),Status,SampleType,TargetType,DyeName(s),"
    "TotalConfMax,TotalConfMin,PoissonConfMax,PoissonConfMin,Accepted Droplets,Positives,Negatives,"
    "Copies/uL linked molecules,MeanAmplitudeOfPositives,ExperimentComments,MergedWells,"
    "Ch1+Ch2+,Ch1+Ch2-,Ch1-Ch2+,Ch1-Ch2-,Ch3+Ch4+,Ch3+Ch4-,Ch3-Ch4+,Ch3-Ch4-,Ch5+Ch6+"
)


def table_row(well: str, target: str, dye: str, accepted: int, positives: int, quadrants: str) -> str:
    return (
        f"{well},S1,{target},50,OK,Unknown,Unknown,{dye},60,40,55,45,{accepted},{positives},"
        f"{accepted - positives},12.5,4000,,,{quadrants},0,20,0,1980,"
    )


TABLE = "\n".join(
    [
        TABLE_HEADER,
        table_row("A01", "ITR", "FAM", 2000, 80, "30,50,20,1900"),
        table_row("A01", "CMV", "HEX", 2000, 50, "30,50,20,1900"),
        table_row("A01", "polyA", "Cy5", 2000, 20, "30,50,20,1900"),
        table_row("B01", "ITR", "FAM", 1500, 300, "0,300,0,1200"),
        table_row("B01", "CMV", "HEX", 1500, 0, "0,300,0,1200"),
    ]
)


def export(lines: list[str] | None = None) -> str:
    return PREAMBLE + "\r\n".join([HEADER, *(lines or CLUSTERS)]) + SECOND


def plate(folder: Path, files: dict[str, str]) -> DropletPlate:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    record = read(folder)
    assert isinstance(record, DropletPlate)
    return record


def test_a_cluster_export_alone_is_a_plate(tmp_path: Path) -> None:
    found = plate(tmp_path, {"run.csv": export()})
    (entry,) = found.clusters["A01"]
    assert entry.targets == ("Target 1", "Target 2", "Target 3")
    assert entry.counts == {"000": 1900, "100": 50, "110": 30, "011": 20}
    assert found.clusters["B01"][0].targets == ("Target 1", "Target 2")
    assert [(r.well, r.target, r.accepted, r.positives) for r in found.rows] == [
        ("A01", "Target 1", 2000, 80),
        ("A01", "Target 2", 2000, 50),
        ("A01", "Target 3", 2000, 20),
        ("B01", "Target 1", 1500, 300),
        ("B01", "Target 2", 1500, 0),
    ]
    assert found.partition_volume_nl is None


def test_an_unclassified_droplet_is_in_no_cluster(tmp_path: Path) -> None:
    found = plate(tmp_path, {"run.csv": export([*CLUSTERS, "A01,u,1,0,7,1,1,9,"])})
    entry = found.clusters["A01"][0]
    assert (entry.unclassified, sum(entry.counts.values())) == (7, 2000)


def test_clusters_bear_the_names_of_their_table(tmp_path: Path) -> None:
    found = plate(tmp_path, {"run.csv": TABLE, "clusters of it.csv": export()})
    assert found.clusters["A01"][0].targets == ("ITR", "CMV", "polyA")
    assert found.clusters["B01"][0].targets == ("ITR", "CMV")
    assert len(found.inputs) == 2
    assert found.remarks == ()


def test_clusters_of_another_plate_are_left_out_and_said(tmp_path: Path) -> None:
    other = [line.replace(",1900,", ",1899,") for line in CLUSTERS]
    found = plate(tmp_path, {"run.csv": TABLE, "x.csv": export(other)})
    assert found.clusters["A01"][0].targets == ("ITR", "CMV")  # the table's own quadrants
    assert found.clusters["B01"][0].counts == {"00": 1200, "10": 300}
    assert found.remarks == ("cluster counts do not agree with the table in A01: not used",)


def test_quadrants_of_a_table_are_joint_counts(tmp_path: Path) -> None:
    found = plate(tmp_path, {"run.csv": TABLE})
    (entry,) = found.clusters["A01"]
    assert entry.targets == ("ITR", "CMV")
    assert entry.counts == {"11": 30, "10": 50, "01": 20, "00": 1900}
    assert {r.linkage_per_ul for r in found.rows} == {12.5}
    assert (found.rows[0].total_low, found.rows[0].total_high) == (40.0, 60.0)


def test_quadrants_that_are_blank_or_zero_are_no_joint_counts(tmp_path: Path) -> None:
    text = TABLE.replace("30,50,20,1900", "0.00,0.00,0.00,0.00").replace("0,300,0,1200", ",,,")
    assert plate(tmp_path, {"run.csv": text}).clusters == {}


def test_two_cluster_exports_beside_two_tables_need_names(tmp_path: Path) -> None:
    named = {"a.csv": TABLE, "b.csv": TABLE, "a_clusters.csv": export(), "b_clusters.csv": export()}
    for name, text in named.items():
        (tmp_path / name).write_bytes(text.encode())
    records = read_all(tmp_path)
    assert [[i.name for i in r.inputs] for r in records] == [
        ["a.csv", "a_clusters.csv"],
        ["b.csv", "b_clusters.csv"],
    ]
    (tmp_path / "a_clusters.csv").rename(tmp_path / "c.csv")
    with pytest.raises(InputError, match="ambiguous cluster counts"):
        read_all(tmp_path)


NEW = (
    "Target Value of 0 = negative\nTarget Value of 1 = positive\n"
    "Target Value of u = unclassified (Advanced Classification Mode)\n\n"
    "Ch1Amplitude,Ch2Amplitude,1,2,3,\n"
)


def test_calls_by_target_give_joint_counts_where_a_channel_has_two(tmp_path: Path) -> None:
    lines = ["5,900,1,0,1,", "800,5,0,0,0,", "800,6,u,0,0,", "4,901,1,0,1,"]
    found = plate(tmp_path / "a", {"p_A01_Amplitude.csv": NEW + "\n".join(lines)})
    assert found.droplets["A01"].positive is None
    assert found.droplets["A01"].amplitude.tolist() == [[5, 900], [800, 5], [800, 6], [4, 901]]
    (entry,) = found.clusters["A01"]
    assert (entry.targets, entry.unclassified) == (("1", "2", "3"), 1)
    assert entry.counts == {"101": 2, "000": 1}


def test_commas_at_the_ends_of_some_lines_change_nothing(tmp_path: Path) -> None:
    header = "Ch1 Amplitude,Ch2 Amplitude,Cluster\n"
    for name, body in {
        "all": "1,2,1,\n3,4,2,\n",
        "none": "1,2,1\n3,4,2\n",
        "some": "1,2,1\n3,4,2,\n",
    }.items():
        found = plate(tmp_path / name, {"p_A01_Amplitude.csv": header + body})
        assert found.droplets["A01"].amplitude.tolist() == [[1, 2], [3, 4]], name


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("A01,1,0,0,50", "A01,2,0,0,50"), 7, "0, 1 or u"),
        (("A01,1,0,0,50", "A01,1,0,0,"), 7, "whole number"),
        (("A01,1,0,0,50", "A01,1,0,,50"), 7, "other targets"),
        (("A01,1,0,0,50", "A01,0,0,0,50"), 7, "twice"),
        (("A01,1,0,0,50", "Z9Z,1,0,0,50"), 7, "no well"),
    ],
)
def test_a_fault_in_a_cluster_export_is_named(
    tmp_path: Path, change: tuple[str, str], line: int, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        plate(tmp_path, {"run.csv": export().replace(*change, 1)})
    assert (caught.value.file, caught.value.line) == ("run.csv", line)


def test_real_clusters_agree_with_their_workbook(reference_data: Path) -> None:
    found = read(reference_data / "ddpcr" / "q4ddpcr")
    assert isinstance(found, DropletPlate)
    assert (len(found.rows), len(found.clusters), found.remarks) == (176, 56, ())
    assert found.software == "QX Manager 2, six colours"
    for row in found.rows:
        (entry,) = found.clusters[row.well]
        at = entry.targets.index(row.target)
        positives = sum(n for pattern, n in entry.counts.items() if pattern[at] == "1")
        assert (sum(entry.counts.values()), positives) == (row.accepted, row.positives)


def test_real_clusters_alone_are_analysed(reference_data: Path, tmp_path: Path) -> None:
    data = (reference_data / "ddpcr" / "q4ddpcr" / "CSV-file.csv").read_bytes()
    (tmp_path / "clusters.csv").write_bytes(data)
    result = analyze(tmp_path, partition_volume_nl=0.795)
    assert len(result.payload.wells or []) == 176
    assert all(w.positives is not None for w in result.payload.wells or [])
