"""QuantaSoft and QX Manager: tables, amplitudes, and what belongs together."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import read, read_all
from aavqc.errors import AavqcError, InputError
from aavqc.parsers import read_export, survey
from aavqc.parsers.quantasoft import FORMAT
from aavqc.records import DropletPlate

HEADER_44 = (
    "Well,Sample,TypeAssay,Assay,Status,Concentration,PoissonConfMax,PoissonConfMin,Positives,Negatives,"
    "AcceptedDroplets,FractionalAbundance,MeanAmplitudeofPositives,ExperimentComments,MergedWells"
)
HEADER_73 = (
    "Well,Sample description 1,Target,Conc(copies/µL),Status,Status Reason,SampleType,TargetType,DyeName(s),"
    "PoissonConfMax,PoissonConfMin,Accepted Droplets,Positives,Negatives,Threshold1,"
    "MeanAmplitudeOfPositives,ExperimentComments,MergedWells"
)
ROW_44 = '"{well}","S1",Ch{ch}Unknown,"{target}","Manual",141,147,134,1901,13919,15820,,,""'
OLD = "Ch1 Amplitude,Ch2 Amplitude,Cluster\n100.5,200.5,1\n900,200,2\n900,800,3\n100,800,4\n5,5,0\n"


def table_44(*rows: tuple[str, int, str]) -> str:
    return "\n".join([HEADER_44, *(ROW_44.format(well=w, ch=c, target=t) for w, c, t in rows)]) + "\n"


def row_73(well: str, dye: str, conc: str, merged: str = "", target: str = "ITR") -> str:
    return f"{well},S1,{target},{conc},OK,,Unknown,Unknown,{dye},160,140,15000,1800,13200,4000,7000,,{merged}"


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read_plate(folder: Path) -> DropletPlate:
    record = read(folder)
    assert isinstance(record, DropletPlate)
    return record


def test_old_table_with_rows_shorter_than_the_header(tmp_path: Path) -> None:
    plate = read_plate(
        write(tmp_path, {"p.csv": table_44(("B01", 1, "ITR"), ("A02", 1, "ITR"), ("A01", 2, "x"))})
    )
    assert [(r.well, r.channel, r.target) for r in plate.rows] == [
        ("A01", "Ch2", "x"),
        ("B01", "Ch1", "ITR"),
        ("A02", "Ch1", "ITR"),
    ]
    first = plate.rows[0]
    assert (first.accepted, first.positives, first.negatives) == (15820, 1901, 13919)
    assert (first.copies_per_ul, first.ci_low, first.ci_high) == (141.0, 134.0, 147.0)
    assert (first.sample, first.sample_type, first.status, first.line) == ("S1", "Unknown", "Manual", 4)
    assert (plate.partition_volume_nl, plate.partition_volume_source) == (0.91, "software")


def test_new_table_with_byte_order_mark_destroyed_micro_and_tabs(tmp_path: Path) -> None:
    header = "\ufeff" + HEADER_73.replace("µ", "\ufffd")
    rows = [
        row_73("A01", "FAM", "150"),
        row_73("A01", "HEX", "No Call", target="x"),
        row_73("B01", "Cy5.5", "1000000"),
    ]
    text = "\r\n".join([header, *rows]) + "\r\n"
    plates = [
        read_plate(write(tmp_path / name, {"p.csv": content}))
        for name, content in {"commas": text, "tabs": text.replace(",", "\t")}.items()
    ]
    assert plates[0].rows == plates[1].rows
    assert [(r.channel, r.copies_per_ul, r.threshold) for r in plates[0].rows] == [
        ("Ch1", 150.0, 4000.0),
        ("Ch2", None, 4000.0),
        ("Ch4", None, 4000.0),
    ]
    assert plates[0].partition_volume_nl == 0.85


def test_semicolons_may_part_numbers_with_decimal_commas(tmp_path: Path) -> None:
    header = HEADER_73.replace(",", ";")
    row = row_73("A01", "FAM", "150.25").replace(",", ";").replace("150.25", "150,25")
    (read_row,) = read_plate(write(tmp_path / "a", {"p.csv": f"{header}\n{row}\n"})).rows
    assert read_row.copies_per_ul == 150.25
    other = row_73("B01", "FAM", "1.5").replace(",", ";")
    with pytest.raises(InputError, match="decimal point") as caught:
        read(write(tmp_path / "b", {"p.csv": f"{header}\n{row}\n{other}\n"}))
    assert caught.value.line == 3


def test_dyes_of_the_second_channel_and_others(tmp_path: Path) -> None:
    for dye in ("HEX", "VIC", "SUN", "VIC/HEX", "HEX / VIC", "Yakima Yellow"):
        text = "\n".join([HEADER_73, row_73("A01", dye, "150")])
        plate = read_plate(write(tmp_path / dye.replace("/", "-"), {"p.csv": text}))
        assert ([r.channel for r in plate.rows], plate.remarks) == (["Ch2"], ())
    for dye in ("Quasar 705", "FAM/HEX"):
        text = "\n".join([HEADER_73, row_73("A01", dye, "150")])
        plate = read_plate(write(tmp_path / f"other {dye.replace('/', '-')}", {"p.csv": text}))
        assert [r.channel for r in plate.rows] == [dye]
        assert dye in plate.remarks[0]


def test_a_target_without_a_name_bears_its_channel_s(tmp_path: Path) -> None:
    rows = [row_73("A01", "FAM", "150", target=""), row_73("A01", "HEX", "150", target="")]
    plate = read_plate(write(tmp_path, {"p.csv": "\n".join([HEADER_73, *rows])}))
    assert [r.target for r in plate.rows] == ["Ch1", "Ch2"]


def test_columns_of_six_colours_and_of_qx_one_set_the_volume(tmp_path: Path) -> None:
    for extra, volume in ((",Ch3+Ch4+", None), (",Ch3+Ch4+,Ch5+Ch6+", 0.795)):
        text = f"{HEADER_73}{extra}\n{row_73('A01', 'FAM', '150')}{',' * extra.count(',')}\n"
        assert read_plate(write(tmp_path / str(volume), {"p.csv": text})).partition_volume_nl == volume


def test_merged_rows_say_what_they_stand_for(tmp_path: Path) -> None:
    rows = [row_73("A01", "FAM", "1"), row_73("M01", "FAM", "1", '"(A01,B01)"')]
    plate = read_plate(write(tmp_path, {"p.csv": "\n".join([HEADER_73, *rows])}))
    assert {r.well: r.merged_from for r in plate.rows} == {"A01": (), "M01": ("A01", "B01")}


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("Positives,Neg", "Positivs,Neg"), 1, ("Positives", "Positivs")),
        (("Well,", "Hole,"), 1, ("column Well",)),
        (("1901", '"1901,5"'), 2, ("decimal comma", "Positives")),
        (("1901", "1901,5"), 2, ("sum of positives",)),
        (("1901", "19.01"), 2, ("whole number", "19.01")),
        (("1901", "many"), 2, ("Positives", "many")),
        (("1901", "14901"), 2, ("sum of positives",)),
        (('"A01"', '"X99Z"'), 2, ("no well", "X99Z")),
        ((",15820,,,", ",15820"), 2, ("fields",)),
        (('"B01"', '"A01"'), 3, ("twice", "line 2")),
        (('"A01"', '"M01"'), 2, ("MergedWells",)),
    ],
)
def test_a_fault_in_a_table_is_named_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int, words: tuple[str, ...]
) -> None:
    good = table_44(("A01", 1, "ITR"), ("B01", 1, "ITR"))
    assert len(read_plate(write(tmp_path / "good", {"p.csv": good})).rows) == 2
    with pytest.raises(InputError) as caught:
        read(write(tmp_path / "bad", {"p.csv": good.replace(*change, 1)}))
    assert caught.value.line == line
    assert caught.value.file == "p.csv"
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("between", [";", "\t"])
def test_amplitudes_may_have_decimal_commas(tmp_path: Path, between: str) -> None:
    new = "Target Value of 0 = negative\n\nCh1Amplitude,Ch2Amplitude,x,ITR,\n5.25,900.5,1,0,\n800,5.5,u,1,\n"
    for i, text in enumerate((OLD, new)):
        other = text.replace(",", between).replace(".", ",")
        found = [
            read_plate(write(tmp_path / f"{i}{n}", {"p_A01_Amplitude.csv": t})).droplets["A01"]
            for n, t in (("points", text), ("commas", other))
        ]
        assert found[0].amplitude.tolist() == found[1].amplitude.tolist()
        calls = [d.positive for d in found]
        assert calls[0] is not None
        assert calls[1] is not None
        assert calls[0].tolist() == calls[1].tolist()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["Ch", "Assay"])
def test_old_amplitudes(tmp_path: Path, end: str, name: str) -> None:
    content = OLD.replace("\n", end).replace("Ch", name)
    droplets = read_plate(write(tmp_path, {"p_B3_Amplitude.csv": content})).droplets["B03"]
    assert droplets.channels == ("Ch1", "Ch2")
    assert droplets.amplitude.tolist() == [[100.5, 200.5], [900, 200], [900, 800], [100, 800], [5, 5]]
    assert droplets.positive is not None
    assert droplets.positive.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1], [-1, -1]]


def test_amplitudes_without_clusters_have_no_calls(tmp_path: Path) -> None:
    plate = read_plate(write(tmp_path, {"run_x_A01_Amplitude.csv": "Ch1 Amplitude,Ch2 Amplitude\r1,2\r3,4"}))
    assert plate.droplets["A01"].positive is None
    assert plate.rows == ()
    assert plate.name == "run_x"


def test_new_amplitudes_follow_the_names_of_the_targets(tmp_path: Path) -> None:
    preamble = (
        "Target Value of 0 = negative\nTarget Value of 1 = positive\nTarget Value of u = unclassified\n\n"
    )
    body = "Ch1Amplitude,Ch2Amplitude,x,ITR,\n5,900,1,0,\n800,5,u,1,\n"
    table = "\n".join([HEADER_73, row_73("A01", "FAM", "1"), row_73("A01", "HEX", "1", target="x")])
    plate = read_plate(write(tmp_path, {"p.csv": table, "p_A01_Amplitude.csv": preamble + body}))
    calls = plate.droplets["A01"].positive
    assert calls is not None
    assert calls.tolist() == [[0, 1], [1, -1]]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("900,200,2", "900,200"), 3),
        (("900,200,2", "900,200,2,2"), 3),
        (("900,800,3", "900,800,7"), 4),
        (("900,800,3", "nan,800,3"), 4),
        (("900,800,3", "9x0,800,3"), 4),
        (("900,800,3", "9_0,800,3"), 4),
        (("900,800,3", ""), 4),
        (("900,800,3", "900,800,3" + "," * 400_000), 4),
        (("100.5,200.5,1", "1," * 400_000), 2),
        (("100.5,200.5", "100,5,200,5"), 2),
    ],
)
def test_a_fault_in_amplitudes_is_named_with_its_line(
    tmp_path: Path, change: tuple[str, str], line: int
) -> None:
    with pytest.raises(InputError) as caught:
        read(write(tmp_path, {"p_A01_Amplitude.csv": OLD.replace(*change)}))
    assert (caught.value.line, caught.value.file) == (line, "p_A01_Amplitude.csv")


def test_a_table_takes_the_plate_with_its_stem_beside_it_or_one_below(tmp_path: Path) -> None:
    table = table_44(("A01", 1, "ITR"))
    files = {f"{n}.csv": table for n in ("a", "b", "c")} | {
        "a_A01_Amplitude.csv": OLD,
        "sub/b_A01_Amplitude.csv": OLD,
    }
    found = survey(write(tmp_path, files))
    assert {e.name: [f.name for f in e.files] for e in found.exports} == {
        "a.csv": ["a.csv", "a_A01_Amplitude.csv"],
        "b.csv": ["b.csv", "sub/b_A01_Amplitude.csv"],
        "c.csv": ["c.csv"],
    }


def test_a_table_alone_takes_the_only_plate(tmp_path: Path) -> None:
    files = {
        "t.csv": table_44(("A01", 1, "x")),
        "amp/p_A01_Amplitude.csv": OLD,
        "amp/p_B01_Amplitude.csv": OLD,
    }
    (export,) = survey(write(tmp_path, files)).exports
    assert (export.name, export.sample_id, len(export.files)) == ("t.csv", "t", 3)
    assert list(read_export(export).droplets) == ["A01", "B01"]  # type: ignore[attr-defined]


def test_two_foreign_plates_are_ambiguous(tmp_path: Path) -> None:
    files = {"t.csv": table_44(("A01", 1, "x")), "p_A01_Amplitude.csv": OLD, "q_A01_Amplitude.csv": OLD}
    found = survey(write(tmp_path, files))
    assert found.exports == []
    assert {r.name: r.status for r in found.files} == {
        "t.csv": "failed",
        "p_A01_Amplitude.csv": "ignored",
        "q_A01_Amplitude.csv": "ignored",
    }
    with pytest.raises(InputError, match="ambiguous amplitudes"):
        read(tmp_path)


def test_amplitudes_without_a_table_are_plates_of_their_own(tmp_path: Path) -> None:
    files = {"d/p_A01_Amplitude.csv": OLD, "d/p_B01_Amplitude.csv": OLD, "d/q_A01_Amplitude.csv": OLD}
    records = read_all(write(tmp_path, files))
    assert [(r.name, len(r.inputs)) for r in records] == [("d/p", 2), ("d/q", 1)]


@pytest.mark.parametrize("name", ["p.csv", "p.TSV", "p.xlsx", "../p.csv"])
@pytest.mark.parametrize("content", [b"", b"no table\n", bytes(range(256)) * 8])
def test_amplitudes_whose_table_is_destroyed_are_no_plate(tmp_path: Path, name: str, content: bytes) -> None:
    files: dict[str, str | bytes] = {"d/p_A01_Amplitude.csv": OLD, "d/q_A01_Amplitude.csv": OLD}
    (tmp_path / "d").mkdir()
    found = survey(write(tmp_path, files | {f"d/{name}": content}))
    assert [e.name for e in found.exports] == ["d/q"]
    rows = {r.name: (r.status, r.reason) for r in found.files}
    table = name[3:] if name.startswith("../") else f"d/{name}"
    assert rows["d/p_A01_Amplitude.csv"] == ("ignored", "its table failed")
    assert rows[table][0] == "failed"
    assert table in rows[table][1]


def test_other_files_take_no_amplitudes_away(tmp_path: Path) -> None:
    good: dict[str, str | bytes] = {"d/p_A01_Amplitude.csv": OLD, "d/p.csv": table_44(("A01", 1, "x"))}
    other = {"d/p.xlsx": b"PK", "d/p.txt": b"notes", "d/e/p.csv": b"notes", "q.csv": b"notes"}
    (export,) = survey(write(tmp_path, good | other)).exports
    assert [f.name for f in export.files] == ["d/p.csv", "d/p_A01_Amplitude.csv"]


def test_a_sheet_named_like_a_plate_is_no_table(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"samples_A01_Amplitude.csv": OLD, "samples.csv": "export,part\n"}
    assert [e.name for e in survey(write(tmp_path, files)).exports] == ["samples"]


def test_broken_bytes_never_raise_anything_but_errors_of_ours(tmp_path: Path) -> None:
    table = table_44(*((f"{row}0{column}", 1, "ITR") for row in "ABC" for column in range(1, 4))).encode()
    draw = random.Random(5)
    for round_ in range(300):
        files = {"p.csv": table, "p_A01_Amplitude.csv": OLD.encode()}
        name = draw.choice(sorted(files))
        data = bytearray(files[name])
        for _ in range(draw.randint(1, 6)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        cut = draw.randrange(len(data)) if draw.random() < 0.3 else len(data)
        folder = write(tmp_path / str(round_), files | {name: bytes(data[:cut])})
        try:
            read_all(folder)
        except AavqcError:
            continue


def test_sniffs_nothing_else() -> None:
    for head in (
        b"Well,Target 1,Target 2,Angle,S Value\nA01,NN,PN,N/A,4.7,",
        b"Run,Date,Instrument,Plate,Group,Name,Well,Total,Dye,Target,Conc. cp/uL,SD,CV%,95%CI,Positives\n",
        b"mz,intensity,charge\n1,2,3\n",
        b"",
    ):
        assert not FORMAT.sniff(head, "x.csv")


def test_reads_all_real_tables(reference_data: Path) -> None:
    folders = {"edna_monis": (19, 1112), "nipd_quantasoft": (5, 428), "daattali_ddpcr/read_quant": (1, 12)}
    for folder, expected in folders.items():
        records = [r for r in read_all(reference_data / "ddpcr" / folder) if isinstance(r, DropletPlate)]
        assert (len(records), sum(len(r.rows) for r in records)) == expected
    merged = [
        r for p in read_all(reference_data / "ddpcr" / "nipd_quantasoft") for r in p.rows if r.merged_from
    ]  # type: ignore[attr-defined]
    assert len(merged) == 64


def test_real_droplets_are_those_of_the_table(reference_data: Path) -> None:
    for folder in ("podcall", "daattali_ddpcr/small"):
        plate = read_plate(reference_data / "ddpcr" / folder)
        assert len(plate.rows) == 10
        for row in plate.rows:
            droplets = plate.droplets[row.well]
            assert droplets.positive is not None
            calls = droplets.positive[:, droplets.channels.index(row.channel)]
            assert (calls.size, np.count_nonzero(calls == 1)) == (row.accepted, row.positives)
