"""Naica (experimental) and digital PCR in the Allotrope Simple Model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import InputError
from aavqc.parsers import formats, naica, survey
from aavqc.records import DropletPlate
from format_samples import absoluteq_summary, asm_document, naica_table, qiacuity_list

RAW = "Blue,Green,x,y,index\n5000.5,120,1,1,0\n-3,118.5,2,1,1\n"


def plate(folder: Path, files: dict[str, bytes | str]) -> DropletPlate:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    record = read(folder)
    assert isinstance(record, DropletPlate)
    return record


def test_naica_s_table(tmp_path: Path) -> None:
    found = plate(tmp_path, {"t.csv": naica_table()})
    assert [(r.well, r.channel, r.sample, r.accepted, r.positives, r.copies_per_ul) for r in found.rows] == [
        ("A01", "Blue", "S1", 20000, 5000, 486.1),
        ("A01", "Green", "S1", 20000, 0, 0.0),
    ]
    assert found.remarks == (naica.REMARK,)
    assert next(f for f in formats() if f.name == "naica").support == "experimental"


def test_naica_s_wells_of_two_chips_are_refused(tmp_path: Path) -> None:
    text = naica_table().decode() + "2-A1,S2,1,1,19999,0,0,20000\n"
    with pytest.raises(InputError, match="two chips"):
        plate(tmp_path, {"t.csv": text})


def test_naica_s_droplets_take_the_compensated_data(tmp_path: Path) -> None:
    files: dict[str, bytes | str] = {
        "RawData/run_A1_RawData.csv": RAW.replace("5000.5", "1"),
        "RawData/run_A1_CompensatedData.csv": RAW,
        "RawData/run_B1_RawData.csv": RAW,
    }
    found = plate(tmp_path, files)
    assert list(found.droplets) == ["A01", "B01"]
    assert found.droplets["A01"].channels == ("Blue", "Green")
    assert found.droplets["A01"].amplitude.tolist() == [[5000.5, 120], [-3, 118.5]]
    assert found.droplets["A01"].positive is None
    assert {r.name: r.status for r in survey(tmp_path).files}["RawData/run_A1_RawData.csv"] == "ignored"


def test_naica_s_damaged_droplets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no readable raw data"):
        plate(tmp_path, {"run_A1_RawData.csv": RAW.replace("-3", "many")})


def test_measurements_of_the_simple_model(tmp_path: Path) -> None:
    found = plate(tmp_path, {"a.json": asm_document()})
    assert found.software == "QIAcuity"
    assert [(r.well, r.target, r.sample, r.accepted, r.positives, r.threshold) for r in found.rows] == [
        ("A01", "ITR", "S1", 8000, 4000, 19.5),
        ("B01", "ITR", "NTC", 8000, 0, 19.5),
    ]
    result = analyze(tmp_path, partition_volume_nl=0.334)
    assert [s.sample_id for s in result.samples] == ["NTC", "S1"]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("positive partition count", "value"), 4001, "total partition count"),
        (("positive partition count", "value"), "many", "finite number"),
        (("number concentration", "unit"), None, "unit of number concentration"),
        (("number concentration", "unit"), "mg", "unit of number concentration"),
    ],
)
def test_a_fault_in_the_model_is_named(
    tmp_path: Path, path: tuple[str, str], value: object, words: str
) -> None:
    document = json.loads(asm_document())
    first = document["dPCR aggregate document"]["dPCR document"][0]["measurement aggregate document"]
    measurement = first["measurement document"][0]["processed data aggregate document"]
    measurement["processed data document"][0][path[0]][path[1]] = value
    with pytest.raises(InputError, match=words):
        plate(tmp_path, {"a.json": json.dumps(document)})


def test_units_in_millilitres_are_converted(tmp_path: Path) -> None:
    text = asm_document().decode().replace("#/μL", "#/mL")
    assert plate(tmp_path, {"a.json": text}).rows[0].copies_per_ul == pytest.approx(2.0794)


@pytest.mark.parametrize(("data", "lines"), [(naica_table(), 1), (qiacuity_list(), 2)])
def test_a_table_that_ends_with_its_header_has_failed_at_the_next_line(
    data: bytes, lines: int, tmp_path: Path
) -> None:
    header = b"".join(data.splitlines(keepends=True)[:lines])
    with pytest.raises(InputError, match="a plate without a well") as refused:
        plate(tmp_path, {"t.csv": header})
    assert (refused.value.file, refused.value.line) == ("t.csv", lines + 1)
    assert (refused.value.expected, refused.value.found) == ("a row a well", "the end of the file")


def test_a_quantasoft_table_without_its_rows_is_no_plate_of_its_amplitudes(
    example_lot: Path, tmp_path: Path
) -> None:
    header = (example_lot / "ddpcr" / "EX24-001.csv").read_bytes().splitlines(keepends=True)[0]
    amplitudes = (example_lot / "ddpcr" / "EX24-001_A01_Amplitude.csv").read_bytes()
    with pytest.raises(InputError, match=r"EX24-001.csv, line 2: a plate without a well"):
        plate(tmp_path, {"EX24-001.csv": header, "EX24-001_A01_Amplitude.csv": amplitudes})


def test_a_document_without_measurements_and_a_summary_of_averages_have_failed(tmp_path: Path) -> None:
    empty = json.loads(asm_document())
    empty["dPCR aggregate document"]["dPCR document"] = []
    averages = b"".join(absoluteq_summary().splitlines(keepends=True)[:3])
    for name, data in (("p.json", json.dumps(empty)), ("s.csv", averages)):
        with pytest.raises(InputError, match=f"{name}: a plate without a well"):
            plate(tmp_path / name, {name: data})
