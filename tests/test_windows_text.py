"""Exports that Windows saved again, in UTF-16 or its code page: read, with the encoding recorded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import InputError
from aavqc.parsers import survey
from aavqc.result import Result
from aavqc.simulate.ddpcr import DdpcrSimulation, simulate


def numbers(result: Result) -> list[tuple[str, float, float | None]]:
    return [(str(a.target), a.value, a.ci_high) for s in result.samples for a in s.attributes]


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plate of two wells, its table with µ in the header."""
    folder = tmp_path_factory.mktemp("plate")
    settings = DdpcrSimulation(samples=["Prüfling:1e13:1e7:A01", "NTC:0:1:B01"], droplets=3000)
    simulate(folder, settings.model_copy(update={"format": "qx_manager"}))
    return folder


def rewritten(folder: Path, to: Path, encoding: str) -> Path:
    """Copy a plate with all of its texts in another encoding."""
    shutil.copytree(folder, to)
    for path in to.glob("*.csv"):
        path.write_bytes(path.read_bytes().decode("utf-8-sig").encode(encoding))
    return to


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252"])
def test_a_plate_in_another_encoding_has_the_same_numbers(plate: Path, tmp_path: Path, encoding: str) -> None:
    plain = analyze(plate, dilution_factor=1e7)
    found = analyze(rewritten(plate, tmp_path / "p", encoding), dilution_factor=1e7)
    assert numbers(plain)
    assert numbers(found) == numbers(plain)
    assert [s.sample_id for s in found.samples] == [s.sample_id for s in plain.samples]
    told = {w for s in found.samples for w in s.warnings if "is read as" in w}
    expected = {"utf-16": "UTF-16", "cp1252": "Windows-1252"}.get(encoding)
    assert all(expected is not None and w.endswith(expected) for w in told)
    assert bool(told) == (expected is not None)
    assert not any("is read as" in w for s in plain.samples for w in s.warnings)


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
def test_the_hash_is_that_of_the_file_as_stored(plate: Path, tmp_path: Path, encoding: str) -> None:
    import hashlib

    folder = rewritten(plate, tmp_path / "p", encoding)
    for file in read(folder).inputs:
        assert file.sha256 == hashlib.sha256((folder / file.name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["auc/00001.RA1", "cdms/run1.csv"])
def test_other_text_in_utf16_is_read_too(name: str, example_lot: Path, tmp_path: Path) -> None:
    text = (example_lot / name).read_bytes().decode()
    (tmp_path / Path(name).name).write_bytes(text.encode("utf-16"))
    record = read(tmp_path)
    assert record.remarks[-1] == f"{Path(name).name} is read as UTF-16"


def test_damaged_utf8_is_no_code_page(plate: Path, tmp_path: Path) -> None:
    shutil.copytree(plate, tmp_path / "p")
    table = next(p for p in (tmp_path / "p").glob("*.csv") if "Amplitude" not in p.name)
    table.write_bytes(table.read_bytes().replace("ü".encode(), b"\xc3x", 1))
    with pytest.raises(InputError, match="wrong encoding"):
        read(tmp_path / "p")


def test_half_a_character_of_utf16_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("Well,Sample".encode("utf-16") + b"\0")
    assert survey(tmp_path).files[0].status == "failed"
