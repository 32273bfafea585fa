"""Input as it really arrives: broken, cut, misnamed, hostile. Each ends as the contract says."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from aavqc import cli
from aavqc.errors import InputError
from aavqc.parsers import survey

SCAN = "auc/00001.RA1"
TABLE = "ddpcr/EX24-001.csv"
DROPLETS = "ddpcr/EX24-001_A01_Amplitude.csv"
IONS = "cdms/run1.csv"
SPECTRA = "cdms/run2.mzML"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def error(self) -> dict[str, Any]:
        """Return the error document, which must be all that is on stdout."""
        document = json.loads(self.out)
        jsonschema.validate(document, json.loads(files("aavqc").joinpath("schemas/error.json").read_text()))
        assert document["error"]["exit"] == self.code
        details: dict[str, Any] = document["error"]
        return details


Command = Callable[..., Ended]


@pytest.fixture
def aavqc(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a command line in this process."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["aavqc", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Ended(int(end.value.code or 0), out, err)

    return run


def process(*arguments: object) -> Ended:
    """Run a command line in a process of its own, as a user does."""
    done = subprocess.run(
        [sys.executable, "-m", "aavqc", *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Ended(done.returncode, done.stdout, done.stderr)


# ---------------------------------------------------------------- one broken file


def _cut_mid_line(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    middle = len(lines) // 2
    return b"".join([*lines[:middle], lines[middle][:8]])


def _cut_at_line(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(lines[: len(lines) // 2])


def _without(column: str) -> Callable[[bytes], bytes]:
    def drop(data: bytes) -> bytes:
        rows = list(csv.reader(io.StringIO(data.decode())))
        at = rows[0].index(column)
        return "\n".join(",".join(c for i, c in enumerate(row) if i != at) for row in rows).encode()

    return drop


def _line(number: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        lines = data.split(b"\n")
        lines[number - 1] = change(lines[number - 1])
        return b"\n".join(lines)

    return edit


def _comma(line: bytes) -> bytes:
    return line.replace(b".", b",", 1)


def _utf16(data: bytes) -> bytes:
    return data.decode().encode("utf-16")


RUBBISH = b"\x7fELF\x02\x01\x01\0" + bytes(range(256)) * 20
BOMB = (
    b'<?xml version="1.0"?>\n<!DOCTYPE mzML [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
    + b']>\n<mzML xmlns="http://psi.hupo.org/ms/mzml">&j;</mzML>'
)


def _sqlite(_: bytes) -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table ions (mz real)")
        content = database.serialize()
    database.close()
    return bytes(content)


BROKEN: dict[str, tuple[str, Callable[[bytes], bytes], int | None]] = {
    "scan empty": (SCAN, lambda _: b"", 1),
    "scan cut in a line": (SCAN, _cut_mid_line, 224),
    "scan cut at a line": (SCAN, _cut_at_line, 223),
    "scan is rubbish": (SCAN, lambda _: RUBBISH, 1),
    "scan of another cell": (SCAN, _line(2, lambda x: x.replace(b"R 1", b"R 2")), 2),
    "scan without a column": (SCAN, _line(9, lambda x: x[: x.rindex(b" ")].rstrip()), 9),
    "scan with decimal commas": (SCAN, _line(7, _comma), 7),
    "scan with an endless number": (SCAN, _line(7, lambda _: b"9" * 200_000 + b"x 1 1"), 7),
    "scan of sqlite": (SCAN, _sqlite, 1),
    "table empty": (TABLE, lambda _: b"", 1),
    "table without a column": (TABLE, _without("Negatives"), 1),
    "table with decimal commas": (TABLE, _line(2, lambda x: x.replace(b"970,", b'"970,5",', 1)), 2),
    "table cut in a line": (TABLE, lambda d: d[: d.rindex(b"Absolute")], None),
    "droplets cut in a line": (DROPLETS, lambda d: d[: d.index(b",", 5000)], None),
    "droplets with decimal commas": (DROPLETS, _line(5, _comma), 5),
    "droplets are rubbish": (DROPLETS, lambda _: RUBBISH, 1),
    "ions without a column": (IONS, _without("Mz"), 1),
    "ions with decimal commas": (IONS, _line(6, _comma), 6),
    "ions with an endless number": (IONS, _line(6, lambda x: x.replace(b".", b"9" * 200_000 + b"x")), 6),
    "ions cut in a line": (IONS, lambda d: d[: d.index(b",", 5000)], None),
    "spectra empty": (SPECTRA, lambda _: b"", 1),
    "spectra cut": (SPECTRA, _cut_mid_line, None),
    "spectra are rubbish": (SPECTRA, lambda _: RUBBISH, 1),
    "spectra in UTF-16": (SPECTRA, _utf16, 1),
    "spectra with an entity bomb": (SPECTRA, lambda _: BOMB, 2),
    "spectra in no encoding": (SPECTRA, lambda d: d.replace(b"utf-8", b"utf" + b"9" * 400), 1),
    "array outside its list": (SPECTRA, lambda d: d.replace(b"<cvList", b"<binary>AA==</binary><cvList"), 3),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_refused_with_its_place(
    case: str, aavqc: Command, example_lot: Path, tmp_path: Path
) -> None:
    file, damage, line = BROKEN[case]
    folder = tmp_path / "run"
    folder.mkdir()
    beside = {SCAN: ["auc/00002.RA1", "auc/00003.RA1"], DROPLETS: [TABLE]}.get(file, [])
    for name in beside:
        shutil.copy(example_lot / name, folder)
    name = Path(file).name
    (folder / name).write_bytes(damage((example_lot / file).read_bytes()))
    ended = aavqc("analyze", folder, "--json")
    error = ended.error()
    assert ended.code == 3, ended.err
    assert error["file"] == name
    assert error["line"] == line or (line is None and error["line"] is not None)
    assert error["message"]
    assert error["expected"] or error["found"]


@pytest.mark.parametrize("name", ["notes.doc", "lot.sqlite"])
def test_rubbish_under_a_name_that_others_bear_too_is_no_export(
    name: str, aavqc: Command, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(_sqlite(b"") if name == "lot.sqlite" else RUBBISH)
    ended = aavqc("analyze", tmp_path, "--json")
    error = ended.error()
    assert ended.code == 3
    assert name in error["found"]
    assert error["expected"]


# ---------------------------------------------------------------- paths


def test_paths_that_are_no_export(aavqc: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "00001.RA1").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in ("missing", "empty", "00001.RA1", "loop", "x" * 300):
        ended = aavqc("analyze", tmp_path / path, "--json")
        assert ended.code == 3, path
        assert ended.error()["file"] == str(tmp_path / path)
    error = aavqc("analyze", tmp_path / "missing", "--json").error()
    assert (error["expected"], error["found"]) == ("a file, folder or zip", "nothing there")


def test_exports_of_several_techniques_are_refused_in_words(aavqc: Command, example_lot: Path) -> None:
    error = aavqc("analyze", example_lot, "--json").error()
    assert (error["expected"], error["found"]) == ("exports of one technique", "auc, cdms, ddpcr")


def test_a_folder_that_can_not_be_read(
    aavqc: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    ended = aavqc("analyze", tmp_path, "--json")
    assert ended.code == 3
    assert "Permission denied" in ended.error()["message"]


def test_a_loop_of_folders_ends(example_lot: Path, tmp_path: Path) -> None:
    shutil.copy(example_lot / IONS, tmp_path)
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    found = survey(tmp_path)
    assert [e.name for e in found.exports] == ["run1.csv"]
    assert {row.name: row.status for row in found.files}["self"] == "failed"


@pytest.mark.parametrize("name", ["two\nlines", "red\x1b[31m", "x" * 250, "=cmd", "µ×", b"caf\xe9"])
def test_odd_names_are_analyzed_like_any(
    name: str | bytes, aavqc: Command, example_lot: Path, tmp_path: Path
) -> None:
    path = tmp_path / (os.fsdecode(name) + ".csv")
    path.write_bytes((example_lot / IONS).read_bytes()[:40_000].rpartition(b"\n")[0])
    for target in (tmp_path, path):
        ended = aavqc("inspect", target, "--json")
        assert ended.code == 0, ended.err
        assert json.loads(ended.out)["files"][0]["status"] == "used"
        assert "\x1b" not in ended.err


@pytest.mark.parametrize(
    "name",
    ["a.csv", "a.TSV", "a.txt", "a.dat", "a.npz", "a.mzML", "a.auc", "a.mwrs", "a.zip", "a.csv.gz", "1.RA1"],
)
@pytest.mark.parametrize("seed", range(3))
def test_rubbish_under_the_name_of_an_export_has_failed(name: str, seed: int, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(random.Random(seed).randbytes(60 if seed else 20_000))
    (row,) = survey(tmp_path).files
    assert (row.name, row.status) == (name, "failed")
    assert row.error is not None
    assert row.error.message == "the content is not what the name says"
    assert row.error.expected
    assert row.error.found == "binary data"


@pytest.mark.parametrize(
    "data",
    [
        b"Dear reader,\n\tthis is a note.\n",
        "20 \u00b5M in PBS at 20 \u00b0C\r\n".encode("latin-1"),
        ("x" * 8191 + "\u00b5").encode(),
        "a note \u00b5\n".encode("utf-8-sig"),
    ],
    ids=["ascii", "latin-1", "cut in a character", "byte-order mark"],
)
def test_plain_text_of_another_kind_is_ignored(data: bytes, tmp_path: Path) -> None:
    for name in ("notes.txt", "notes.csv", "notes"):
        (tmp_path / name).write_bytes(data)
    assert {(r.status, r.reason) for r in survey(tmp_path).files} == {("ignored", "not a known export")}


def test_what_is_empty_or_missing_is_said(tmp_path: Path) -> None:
    for name in ("a.csv", "1.RA1", "a.zip", "notes"):
        (tmp_path / name).touch()
    _zip(tmp_path / "none.zip", {})
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    rows = {r.name: (r.status, r.error.message if r.error else r.reason) for r in survey(tmp_path).files}
    assert rows == {
        "1.RA1": ("failed", "the file is empty"),
        "a.csv": ("failed", "the file is empty"),
        "a.zip": ("failed", "the file is empty"),
        "gone.csv": ("failed", "missing, or a link that leads nowhere"),
        "none.zip": ("ignored", "empty archive"),
        "notes": ("ignored", "empty file"),
    }


def test_an_archive_in_an_archive_is_ignored(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", {"a": b"x"})
    _zip(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes()})
    inner.unlink()
    (row,) = survey(tmp_path).files
    assert (row.name, row.status) == ("outer.zip!/inner.zip", "ignored")


def test_a_pipe_or_device_in_the_folder_does_not_hold_it_up(example_lot: Path, tmp_path: Path) -> None:
    shutil.copy(example_lot / IONS, tmp_path)
    os.mkfifo(tmp_path / "00001.RA1")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    ended = process("inspect", tmp_path, "--json")
    assert ended.code == 3
    rows = {row["name"]: row["status"] for row in json.loads(ended.out)["files"]}
    assert rows == {"00001.RA1": "failed", "run1.csv": "used", "zero.csv": "failed"}


def test_a_huge_file_is_not_taken_into_memory(example_lot: Path, tmp_path: Path) -> None:
    path = tmp_path / "00001.RA1"
    path.write_bytes((example_lot / SCAN).read_bytes())
    os.truncate(path, 1 << 28)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    from aavqc.analysis import analyze_all

    with pytest.raises(InputError, match="too large"):
        analyze_all(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


# ---------------------------------------------------------------- archives


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_zip_bomb_and_path_out_of_the_zip_are_refused(aavqc: Command, tmp_path: Path) -> None:
    hostile = {
        "bomb.zip": {f"{i}.csv": bytes(40_000_000) for i in range(3)},
        "slip.zip": {"../../evil.csv": b"mz,z\n1,1\n"},
    }
    for name, members in hostile.items():
        ended = aavqc("analyze", _zip(tmp_path / name, members), "--json")
        assert ended.code == 3
        error = ended.error()
        assert error["file"].startswith(name)
        assert error["found"]
    assert not list(tmp_path.parent.glob("evil.csv"))


def test_a_gzip_that_unfolds_without_end_is_refused(tmp_path: Path) -> None:
    import gzip

    from aavqc.analysis import analyze_all

    with gzip.open(tmp_path / "ions.csv.gz", "wb") as stream:
        stream.write(b"mz,intensity\n")
        for _ in range(100):
            stream.write(b"20000,100000000\n" * (1 << 16))
    with pytest.raises(InputError, match="too large"):
        analyze_all(tmp_path)


def test_an_array_that_unfolds_beyond_its_spectrum_is_refused(example_lot: Path, tmp_path: Path) -> None:
    import base64
    import re
    import zlib

    from aavqc.analysis import read_all

    folded = base64.b64encode(zlib.compress(bytes(100_000_000), 9))
    whole = (example_lot / SPECTRA).read_bytes()
    (tmp_path / "a.mzML").write_bytes(re.sub(rb"<binary>[^<]*<", b"<binary>" + folded + b"<", whole, count=1))
    with pytest.raises(InputError, match="beyond the spectrum's length"):
        read_all(tmp_path)


def test_an_empty_zip_has_a_row(tmp_path: Path) -> None:
    _zip(tmp_path / "x.zip", {"folder/": b"", ".hidden": b"x"})
    assert [(r.name, r.status) for r in survey(tmp_path).files] == [("x.zip", "ignored")]


# ---------------------------------------------------------------- a batch


@pytest.fixture
def lot(example_lot: Path, tmp_path: Path) -> Path:
    """A lot of three scans, two ion lists and a plate."""
    folder = tmp_path / "lot"
    shutil.copytree(example_lot, folder, ignore=shutil.ignore_patterns("000[1-9]?.RA1", "0000[4-9].RA1"))
    return folder


def _batch(aavqc: Command, folder: Path, out: Path) -> tuple[Ended, dict[str, Any], dict[str, Any]]:
    ended = aavqc("batch", folder, "--out", out, "--workers", 1, "--json")
    manifest = json.loads((out / "manifest.json").read_text())
    verdicts = {
        v["test"]: v
        for path in (out / "lots").glob("*.json")
        for v in json.loads(path.read_text())["verdicts"]
    }
    return ended, {entry["path"]: entry for entry in manifest["files"]}, verdicts


def test_one_bad_file_costs_no_other(aavqc: Command, lot: Path, tmp_path: Path) -> None:
    scan = lot / "auc/00002.RA1"
    scan.write_bytes(_cut_mid_line(scan.read_bytes()))
    reference, files_before, before = _batch(aavqc, lot, tmp_path / "before")
    assert reference.code == 3
    assert files_before["auc/00002.RA1"]["status"] == "failed"
    for file, technique in ((DROPLETS, "ddpcr"), (SPECTRA, "cdms")):
        path = lot / file
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rindex(b",") if technique == "ddpcr" else len(whole) // 2])
        ended, entries, verdicts = _batch(aavqc, lot, tmp_path / technique)
        path.write_bytes(whole)
        assert ended.code == 3
        assert json.loads(ended.out)["schema"] == "aavqc.batch/1"
        assert entries[file]["status"] == "failed"
        assert len(entries[file]["reason"]) > 20
        assert entries[file]["reason"] in ended.err
        others = {t for t, v in before.items() if v["technique"] not in (technique, None)}
        assert {v["verdict"] for t, v in before.items() if t in others} >= {"PASS"}
        assert {t: verdicts[t]["verdict"] for t in others} == {t: before[t]["verdict"] for t in others}
        assert {t: verdicts[t]["rounded"] for t in others} == {t: before[t]["rounded"] for t in others}


def test_an_output_that_can_not_be_written_is_a_wrong_call(aavqc: Command, lot: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
        ended = aavqc("batch", lot, "--out", out, "--json")
        assert ended.code == 2
        assert ended.error()["file"] == str(out)


# ---------------------------------------------------------------- sample sheets


HEADER = "export,part,lot,sample_id\n"
SHEETS: dict[str, tuple[bytes, int]] = {
    "a blank": (HEADER.encode() + b"cdms/run1.csv,,,a\n", 2),
    "twice": (HEADER.encode() + b"run1.csv,,L,a\n./run1.csv,,L,b\n", 3),
    "a well in two spellings": (HEADER.encode() + b"EX24-001.csv,B01;A01,L,a\nEX24-001.csv,a1,L,b\n", 3),
    "a column twice": (b"export,part,lot,sample_id,lot\na.csv,,L,a,M\n", 1),
    "a bad number": (b"export,part,lot,sample_id,dilution_factor\na.csv,,L,a,1e5x\n", 2),
    "semicolons": (b"export;part;lot;sample_id\na.csv;;L;a\n", 1),
    "too many cells": (HEADER.encode() + b"a.csv,,L,a,b\n", 2),
    "an open quote": (HEADER.encode() + b'"a.csv,,L,a\n' + b"x" * 200_000, 2),
    "UTF-16": ((HEADER + "a.csv,,L,a\n").encode("utf-16"), 1),
    "latin-1": (HEADER.encode() + b"a.csv,,L,caf\xe9\n", 2),
    "an unknown role": (b"export,part,lot,sample_id,role\na.csv,,L,a,samples\n", 2),
}


@pytest.mark.parametrize("case", SHEETS)
def test_a_bad_sample_sheet_is_refused_with_its_line(
    case: str, aavqc: Command, example_lot: Path, tmp_path: Path
) -> None:
    content, line = SHEETS[case]
    (tmp_path / "lot").mkdir()
    for file in (IONS, TABLE):
        shutil.copy(example_lot / file, tmp_path / "lot")
    (tmp_path / "lot" / "samples.csv").write_bytes(content)
    ended = aavqc("batch", tmp_path / "lot", "--out", tmp_path / "out", "--json")
    error = ended.error()
    assert ended.code in (2, 3)
    assert (error["file"], error["line"]) == ("samples.csv", line)


def test_a_sheet_with_old_mac_line_ends_is_read(tmp_path: Path) -> None:
    from aavqc.sheet import load_sheet

    (tmp_path / "samples.csv").write_bytes(b"export,lot,sample_id\ra.csv,L,a\rb.csv,L,b\r")
    assert [row.sample_id for row in load_sheet(tmp_path / "samples.csv", ())] == ["a", "b"]


# ---------------------------------------------------------------- wrong calls


def test_wrong_calls_say_what_is_right(aavqc: Command, example_lot: Path, tmp_path: Path) -> None:
    ions, plate = example_lot / IONS, example_lot / TABLE
    calls: list[tuple[tuple[object, ...], str]] = [
        (("analyze", ions, "--set", "charge_slop=3"), "charge_slope"),
        (("analyze", ions, "--set", "charge_slope=many"), "charge_slope"),
        (("analyze", ions, "--set", "charge_slope"), "key=value"),
        (("analyze", ions, "--set", "mz_range=5,1", "--set", "charge_slope=581000"), "mz_range"),
        (("analyze", plate, "--set", "class_bounds=1"), "class_bounds"),
        (("analyze", ions, "--method", "aav-svv"), "aav-sv"),
        (("analyze", ions, "--method", "aav-ddpcr"), "cdms"),
        (("analyze", example_lot), "batch"),
        (("analyze", ions, "--csv"), "exclude"),
        (("batch", example_lot, "--out", example_lot / "out"), "inside"),
        (("batch", example_lot, "--out", tmp_path / "o", "--fail-on", "everything"), "oos"),
    ]
    for call, said in calls:
        ended = aavqc(*call, "--json")
        assert ended.code == 2, call
        error = ended.error()
        assert said in json.dumps(error), call
        assert said in ended.err, call
    assert not (example_lot / "out").exists()


def test_a_wrong_word_on_the_command_line(tmp_path: Path) -> None:
    for arguments in (("analyse", "x", "--json"), ("analyze", "x", "--jsno", "--json")):
        ended = process(*arguments)
        assert ended.code == 2
        assert ended.error()["message"]


METHOD = 'schema = "aavqc.method/1"\nname = "x"\nversion = "1"\ntechnique = "cdms"\n'
METHODS: dict[str, str] = {
    "endless number": "[settings]\ndesign_length = inf\n",
    "endless nesting": "[settings]\n" + ".".join("a" * 3000) + " = 1\n",
    "endless integer": "[settings]\nseed = 0x" + "f" * 9000 + "\n",
    "unknown setting": "[settings]\nseeed = 1\n",
    "no table": "settings = 3\n",
}


@pytest.mark.parametrize("case", METHODS)
def test_a_bad_method_is_a_wrong_call(case: str, aavqc: Command, example_lot: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(METHOD + METHODS[case])
    ended = aavqc("analyze", example_lot / IONS, "--method", path, "--json")
    assert ended.code == 2
    assert ended.error()["message"]


@pytest.mark.parametrize("text", ["NaN", "1e999", '"\\ud800"', "[" * 100_000, "{", ""])
def test_a_result_that_is_no_json(text: str, aavqc: Command, example_lot: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(f'{{"schema": "aavqc.result/1", "payload": {text}')
    ended = aavqc("check", path, "--spec", example_lot / "specification.toml", "--json")
    assert ended.code == 3
    assert ended.error()["file"] == "r.json"
