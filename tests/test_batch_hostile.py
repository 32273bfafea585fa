"""Folders that mean harm, plug-ins that crash, and the habits of Windows: the rest goes on."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from aavqc.batch import BatchReport, run
from aavqc.batch.watch import changes
from aavqc.parsers import formats, plugins, sources
from aavqc.parsers.formats import each_file_a_record
from aavqc.textfiles import csv_line

TABLE = "ddpcr/EX24-001.csv"


@pytest.fixture
def table(example_lot: Path) -> bytes:
    return (example_lot / TABLE).read_bytes()


@pytest.fixture
def folder(tmp_path: Path, table: bytes) -> Path:
    """Two plates."""
    found = tmp_path / "exports"
    (found / "below").mkdir(parents=True)
    (found / "a.csv").write_bytes(table)
    (found / "below" / "b.csv").write_bytes(table)
    return found


def rows(report: BatchReport) -> dict[str, tuple[str, str]]:
    return {f.path: (f.status, f.reason) for f in report.manifest.files}


def attributes(out: Path) -> list[list[str]]:
    """Value and interval of all attributes, whatever the files are called."""
    with open(out / "results.csv", newline="", encoding="utf-8") as stream:
        return sorted([r["attribute"], r["value"], r["ci_low"], r["ci_high"]] for r in csv.DictReader(stream))


# ---------------------------------------------------------------- plug-ins


PLUGIN = """
import os, sys
from aavqc.parsers import Format
from aavqc.parsers.formats import each_file_a_record

def sniff(head, name):
    if head.startswith(b"SNIFF"):
        raise RuntimeError("in sniff")
    if head.startswith(b"KILL"):
        os.abort()
    if head.startswith(b"PRINT"):
        print("to stdout")
    return head.startswith((b"ABORT", b"EXIT", b"RAISE"))

def read(export):
    word = export.files[0].head.split()[0]
    if word == b"ABORT":
        os.abort()
    if word == b"EXIT":
        sys.exit(0)
    raise ZeroDivisionError("in read")

def group(files):
    raise ValueError("in group")

FORMAT = Format(name="crash", title="Crash", vendor="none", technique="cdms", extensions=(".crash",),
                reads="nothing", sniff=sniff, read=read, group=each_file_a_record("crash", "cdms"))
BROKEN = Format(name="broken", title="Broken", vendor="none", technique="cdms", extensions=(".b",),
                reads="nothing", sniff=lambda head, _: head.startswith(b"BROKEN"), read=read, group=group)
"""


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, str]:
    """An environment in which a plug-in is installed that crashes."""
    site = tmp_path / "site"
    about = site / "crash-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "crash_plugin.py").write_text(PLUGIN)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: crash\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[aavqc.parsers]\ncrash = crash_plugin:FORMAT\nbroken = crash_plugin:BROKEN\n"
        "gone = nowhere:FORMAT\nodd = os:name\n"
    )
    paths = filter(None, (str(site), os.environ.get("PYTHONPATH")))
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_plug_in_that_crashes_costs_its_own_files_only(
    workers: str, folder: Path, tmp_path: Path, installed: dict[str, str]
) -> None:
    (folder / "group.b").write_text("BROKEN\n")
    for word in ("ABORT", "EXIT", "RAISE", "SNIFF", "KILL", "PRINT"):
        (folder / f"{word.lower()}.crash").write_text(f"{word} now\n")
    done = subprocess.run(
        [sys.executable, "-m", "aavqc", "batch", folder, "--out", tmp_path / "out", "--workers", workers],
        env=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    found = {f["path"]: f for f in json.loads((tmp_path / "out" / "manifest.json").read_text())["files"]}
    assert found["a.csv"]["status"] == found["below/b.csv"]["status"] == "used"
    assert "died twice" in found["abort.crash"]["reason"]
    assert "SystemExit" in found["exit.crash"]["reason"]
    assert "ZeroDivisionError" in found["raise.crash"]["reason"]
    assert found["sniff.crash"]["status"] == found["print.crash"]["status"] == "ignored"
    assert found["group.b"]["status"] == found["kill.crash"]["status"] == "failed"
    assert "ValueError: in group" in found["group.b"]["reason"]
    assert "the parser plug-in 'crash' failed" in found["kill.crash"]["reason"]
    assert "its process died" in found["kill.crash"]["reason"]


def test_a_file_beyond_all_exports_is_refused_unread(folder: Path, tmp_path: Path) -> None:
    with open(folder / "sparse.dmt", "wb") as stream:
        stream.write(b"SQLite format 3\0")
        stream.truncate(10 << 30)
    report = run(folder, tmp_path / "out")
    (entry,) = (f for f in report.manifest.files if f.path == "sparse.dmt")
    assert (entry.status, entry.sha256) == ("failed", None)  # no hash: not a byte of it was read
    assert "too large" in entry.reason
    assert len(report.results) == 2


ENTITIES = b'<?xml version="1.0"?>\n<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>\n'


def zipped(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def a_view() -> bytes:
    """An SQLite database with a view that never ends in place of the ions."""
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS Mz, i AS Slope FROM n"
    )
    with closing(sqlite3.connect(":memory:")) as opened:
        opened.execute(f"CREATE VIEW Ion AS {endless}")
        return opened.serialize()


def test_files_that_mean_harm_cost_themselves_only(folder: Path, tmp_path: Path, table: bytes) -> None:
    refused = {
        "bomb.zip": zipped({f"{i}.csv": bytes(40_000_000) for i in range(3)}),
        "slip.zip": zipped({"../../evil.csv": table}),
        "entities.mzML": ENTITIES + b'<mzML xmlns="http://psi.hupo.org/ms/mzml">&b;</mzML>',
        "entities.rdml": zipped({"rdml_data.xml": ENTITIES + b'<rdml version="1.3">&b;</rdml>'}),
        "view.dmt": a_view(),
    }
    for name, data in refused.items():
        (folder / name).write_bytes(data)
    (folder / "nul.zip").write_bytes(zipped({"a~b\x1b[2J\n.csv": table}).replace(b"a~b", b"a\0b"))
    report = run(folder, tmp_path / "out")
    used = {name for name, (status, _) in rows(report).items() if status == "used"}
    assert used == {"a.csv", "below/b.csv", "nul.zip!/a"}  # a name ends at its NUL
    assert {name for name, (status, _) in rows(report).items() if status == "failed"} == set(refused)
    assert not report.bugs
    assert not list(tmp_path.parent.rglob("evil.csv"))


def test_a_guarded_format_works_as_it_did(folder: Path) -> None:
    known = next(f for f in formats() if f.name == "quantasoft")
    held = plugins.guarded(known)
    file = sources.from_disk(folder / "a.csv", "a.csv")
    assert held.sniff(file.head, "a.csv")
    assert held.group([file]).exports == known.group([file]).exports
    assert held.read(held.group([file]).exports[0]).inputs == (file.input,)
    assert each_file_a_record("x", "cdms")([file]).exports[0].name == "a.csv"


# ---------------------------------------------------------------- folders and files


def test_names_that_steer_terminals_and_spreadsheets(tmp_path: Path, table: bytes) -> None:
    names = [
        "two\nlines",
        "red\x1b[31m",
        "=cmd|'x'!A1",
        "-2+3",
        "tab\there",
        "\\back\\slash",
        'quo"te,',
        "µ×",
    ]
    folder = tmp_path / "exports"
    folder.mkdir()
    for name in names:
        (folder / f"{name}.csv").write_bytes(table)
    (folder / os.fsdecode(b"caf\xe9.csv")).write_bytes(table)
    report = run(folder, tmp_path / "out")
    assert set(rows(report)) == {f"{n}.csv" for n in [*names, "caf\\xe9"]}
    assert {status for status, _ in rows(report).values()} == {"used"}
    with open(tmp_path / "out" / "results.csv", newline="", encoding="utf-8") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert "'=cmd|'x'!A1.csv" in cells
    assert "two\nlines.csv" in cells
    for cell in cells:
        assert cell[:1] not in ("=", "@", "\t", "\r")
        assert cell[:1] not in ("+", "-") or float(cell) < 0


@pytest.mark.parametrize("number", ["-1.5", "-1.50E-3", "+2", "-0.5 %", "-3.2E12 vg/mL"])
def test_negative_numbers_stay_numbers_as_text_too(number: str) -> None:
    assert csv_line([number]) == f"{number}\n"


@pytest.mark.parametrize(
    "text", ["=1", "+cmd|' /C calc'!A0", "-2+3", "-1 =A1", "-1e", "@SUM(A1)", "＝1", "\t=1", "\n=1", "-"]
)
def test_formulas_are_defused(text: str) -> None:
    assert csv_line([text]).lstrip('"').startswith("'")


def test_loops_of_links_end_and_a_link_to_a_file_is_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "below" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "self.csv").symlink_to(folder / "self.csv")
    (folder / "twin.csv").symlink_to(folder / "a.csv")
    report = run(folder, tmp_path / "out")
    found = rows(report)
    assert set(found) == {"a.csv", "below/b.csv", "self.csv", "twin.csv"}
    assert found["self.csv"][0] == "failed"
    assert len(report.results) == 3


def test_a_folder_below_that_can_not_be_read_has_a_row(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if os.fspath(path).endswith("below"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    report = run(folder, tmp_path / "out")
    assert rows(report)["below"][0] == "failed"
    assert rows(report)["a.csv"][0] == "used"
    assert report.exit_code == 3


def test_a_file_that_another_program_holds_fails_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Windows refuses a locked file, and any system one without permission."""
    real = open

    def refuse(path: object, *args: object, **kwargs: object) -> object:
        if str(path).endswith("b.csv"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr("builtins.open", refuse)
    report = run(folder, tmp_path / "out")
    assert rows(report)["below/b.csv"] == ("failed", "below/b.csv: can't be read (Permission denied)")
    assert rows(report)["a.csv"][0] == "used"


# ---------------------------------------------------------------- habits of Windows


def test_line_ends_and_code_pages_change_no_number(tmp_path: Path, table: bytes) -> None:
    unix = table.replace(b"\r\n", b"\n")
    text = unix.decode().replace("EX24-001", "Prüfling 5 µL")
    written = {
        "unix": unix,
        "windows": unix.replace(b"\n", b"\r\n"),
        "cp1252": text.replace("\n", "\r\n").encode("cp1252"),
        "utf-16": text.encode("utf-16"),
        "bom": text.encode("utf-8-sig"),
    }
    found = {}
    for name, data in written.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_bytes(data)
        report = run(tmp_path / name, tmp_path / f"{name}-out")
        found[name] = attributes(tmp_path / f"{name}-out")
        assert rows(report)["a.csv"][0] == "used"
    assert found["unix"]
    assert found["windows"] == found["unix"]
    assert found["cp1252"] == found["bom"] == found["utf-16"]


def test_backslashes_long_paths_and_read_only_files(tmp_path: Path, table: bytes) -> None:
    deep = "/".join(["folder of the instrument, run of the day"] * 8)
    folder = tmp_path / "exports"
    (folder / deep).mkdir(parents=True)
    path = folder / deep / "a.csv"
    path.write_bytes(table)
    path.chmod(0o444)
    assert len(str(path)) > 300
    typed = f"{deep}/a.csv".replace("/", "\\")
    lot = "L" * 300 + "/..\\:*?"
    sheet = f'export,part,lot,sample_id\r\n"{typed}",a01;b1,{lot},S 1\r\n'
    (folder / "samples.csv").write_bytes(b"\xef\xbb\xbf" + sheet.encode())
    report = run(folder, tmp_path / "out")
    assert report.manifest.problems == []
    assert len(report.results) == 1
    (document,) = report.results.values()
    assert {s.lot for s in document.samples if s.sample_id == "S 1"} == {lot}
    assert path.stat().st_mode & 0o777 == 0o444


# ---------------------------------------------------------------- watch, and the time left


def test_a_watch_takes_up_what_arrives_and_repeats_nothing(
    folder: Path, tmp_path: Path, table: bytes
) -> None:
    arriving = iter(["c.csv", "d.csv"])
    passes = changes(folder, wait=lambda _: (folder / next(arriving)).write_bytes(table))
    kept = []
    for _ in range(2):
        next(passes)
        report = run(folder, tmp_path / "out")
        kept.append((report.kept, len(report.results)))
    again = changes(folder, wait=lambda _: (folder / next(arriving)).write_bytes(table))
    for _ in range(2):  # the process ended, and another one began
        next(again)
        report = run(folder, tmp_path / "out")
        kept.append((report.kept, len(report.results)))
    assert kept == [(0, 2), (2, 3), (3, 3), (3, 4)]


def test_a_terminal_shows_the_time_left(folder: Path, tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    environment = dict(os.environ) | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [sys.executable, "-m", "aavqc", "batch", folder, "--out", tmp_path / "out", "--workers", "1"],
        stderr=follower,
        stdout=subprocess.DEVNULL,
        env=environment,
    )
    os.close(follower)
    shown = b""
    try:
        while block := os.read(leader, 4096):
            shown += block
    except OSError:  # the other end is closed: all was read
        pass
    os.close(leader)
    process.wait()
    assert b"2/2" in shown
    assert b"0:00:00" in shown
    assert process.returncode == 0
