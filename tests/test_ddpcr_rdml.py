"""RDML with partitions: counts, droplets, and archives that are bombs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from aavqc.analysis import read
from aavqc.errors import InputError
from aavqc.parsers import rdml
from aavqc.records import DropletPlate
from format_samples import rdml_archive


def members() -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(rdml_archive())) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def archive(files: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return stream.getvalue()


def plate(folder: Path, data: bytes) -> DropletPlate:
    (folder / "run.rdml").write_bytes(data)
    record = read(folder / "run.rdml")
    assert isinstance(record, DropletPlate)
    return record


def test_counts_and_partitions(tmp_path: Path) -> None:
    found = plate(tmp_path, rdml_archive())
    assert [(r.well, r.sample, r.channel, r.target, r.accepted, r.positives) for r in found.rows] == [
        ("A01", "S1", "FAM", "ITR", 3, 1),
        ("A01", "S1", "HEX", "CMV", 3, 0),
        ("B01", "NTC", "FAM", "ITR", 3, 1),
        ("B01", "NTC", "HEX", "CMV", 3, 0),
    ]
    assert {r.partition_volume_nl for r in found.rows} == {0.85}
    droplets = found.droplets["A01"]
    assert droplets.channels == ("FAM", "HEX")
    assert droplets.amplitude.tolist() == [[6000.5, 900], [1200, 850.25], [1100, -3], [5, 9]]
    assert droplets.positive is not None
    assert droplets.positive.tolist() == [[1, 0], [0, 0], [0, 0], [-1, -1]]


def test_bare_xml_without_tables(tmp_path: Path) -> None:
    xml = (
        members()[rdml.DATA]
        .replace("<endPtTable>1.tsv</endPtTable>", "")
        .replace("<endPtTable>13.tsv</endPtTable>", "")
    )
    found = plate(tmp_path, xml.encode())
    assert (len(found.rows), found.droplets) == (4, {})


def test_xml_that_ends_early_is_said_to_end(tmp_path: Path) -> None:
    xml = members()[rdml.DATA]
    with pytest.raises(InputError) as refused:
        plate(tmp_path, xml[: len(xml) // 2].encode())
    assert refused.value.found == "the end of the file"


def test_excluded_data_are_not_counted(tmp_path: Path) -> None:
    files = members()
    files[rdml.DATA] = files[rdml.DATA].replace(
        "<tar id='ITR'/>", "<tar id='ITR'/><excluded>bubble</excluded>", 1
    )
    first = plate(tmp_path, archive(files)).rows[0]
    assert (first.positives, first.accepted, first.status, first.status_reason) == (
        None,
        None,
        "excluded",
        "bubble",
    )


@pytest.mark.parametrize(
    ("member", "change", "words"),
    [
        (rdml.DATA, ("<rdml ", '<!DOCTYPE r [<!ENTITY a "b">]><rdml '), "document type"),
        (rdml.DATA, ("partitions>", "parts>"), "quantitative PCR is not read"),
        (rdml.DATA, ("<pos>1<", "<pos>1.5<"), "no count in element pos"),
        (rdml.DATA, ("<conc>477.0<", "<conc>nan<"), "no number in element conc"),
        (rdml.DATA, ('react id="13"', 'react id="x"'), "no position"),
        (rdml.DATA, ("id='CMV'", "id='ITR'"), "twice"),
        (rdml.DATA, ("1.tsv", "2.tsv"), "partitions/2.tsv"),
        (rdml.DATA, ("</run>", ""), "no readable XML"),
        ("partitions/1.tsv", ("6000.5\tp", "6000.5\tq"), "line 2: no partition in 1.tsv"),
        ("partitions/1.tsv", ("1200\tn\t850.25\tn", "1200\tn\t850.25"), "line 3: no partition"),
        ("partitions/1.tsv", ("-3", "inf"), "line 4: no partition"),
        ("partitions/1.tsv", ("ITR\tITR", "ITR\tCMV"), "each target twice"),
    ],
)
def test_a_fault_is_named(tmp_path: Path, member: str, change: tuple[str, str], words: str) -> None:
    files = members()
    files[member] = files[member].replace(*change)
    with pytest.raises(InputError) as caught:
        plate(tmp_path, archive(files))
    assert caught.value.file == "run.rdml"
    assert words in str(caught.value)


def test_bombs_are_refused(tmp_path: Path) -> None:
    files = members()
    for name, text in {
        "partitions/big.tsv": "0\t" * (40 << 20),
        rdml.DATA: files[rdml.DATA] + " " * (36 << 20),
    }.items():
        with pytest.raises(InputError, match=r"suspiciously large|too large"):
            plate(tmp_path, archive(files | {name: text}))


def test_real_archives_of_quantitative_pcr_are_refused_by_name(reference_data: Path) -> None:
    for path in sorted((reference_data / "ddpcr" / "rdml").glob("*.rdml")):
        with pytest.raises(InputError, match="element partitions"):
            read(path)
