"""Direct Mass Technology databases: ions, facts of the run, and databases that are refused."""

from __future__ import annotations

import gzip
import io
import sqlite3
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aavqc.analysis import read
from aavqc.errors import InputError
from aavqc.parsers import survey
from aavqc.records import IonTable

ION = (
    "Id integer primary key autoincrement not null, StoriGroupId integer, ScanNumber integer,"
    " IonNumber integer, Mz float, Slope float, InverseInjectionTimeSeconds float, RSquared float,"
    " TimeOfBirth float, TimeOfDeath float, Charge integer, ChargeScore float, IsMultiIonProduct integer"
)
ROWS = [
    (1, 1, 7, 84, 25000.5, 1.25e7, 5.0, 0.999, 0.008, 0.512, 250, 1.0, 0),
    (2, 1, 7, 85, 26000.25, 1.5e7, 5.0, 0.998, 0.0, 0.4, 300, 1.0, 1),
    (3, 1, 9, 3, 24000.125, 7.9e7, 5.0, 0.997, 0.01, 0.512, 0, None, 0),
]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    def database(
        rows: Iterable[tuple[Any, ...]] = ROWS, script: str = "", ion: str = ION, name: str = "run.dmt"
    ) -> Path:
        path = tmp_path / name
        with sqlite3.connect(path) as opened:
            opened.execute(f"CREATE TABLE Ion ({ion})")
            for row in rows:
                opened.execute(f"INSERT INTO Ion VALUES ({', '.join('?' * len(row))})", row)
            opened.executescript(script)
        opened.close()
        return path

    return database


def table(path: Path) -> IonTable:
    record = read(path)
    assert isinstance(record, IonTable)
    return record


def error(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read(path)
    assert caught.value.file == path.name
    assert str(path.parent) not in str(caught.value)
    return caught.value


def test_ions_come_with_all_that_is_known_of_them(make: Callable[..., Path]) -> None:
    record = table(make())
    assert record.mz.tolist() == [25000.5, 26000.25, 24000.125]
    assert record.intensity is not None
    assert record.intensity.tolist() == [1.25e7, 1.5e7, 7.9e7]
    assert record.scan is not None
    assert record.scan.tolist() == [7, 7, 9]
    assert record.injection_time_ms is not None
    assert record.injection_time_ms.tolist() == [200.0] * 3
    assert record.multi_ion is not None
    assert record.multi_ion.tolist() == [False, True, False]
    assert record.extra["r_squared"].tolist() == [0.999, 0.998, 0.997]
    assert record.extra["time_of_death"].tolist() == [0.512, 0.4, 0.512]
    assert np.isnan(record.extra["charge_score"][2])
    assert not record.flux_scaled  # a slope is never multiplied by injection time


def test_parameters_log_rejections_and_calibration_are_kept(make: Callable[..., Path]) -> None:
    script = """
    CREATE TABLE DbMetadata (MetadataKey varchar, Value varchar);
    INSERT INTO DbMetadata VALUES ('i2ms_version', '1.10');
    CREATE TABLE Parameter (Id integer, GroupName varchar, Name varchar, Value varchar);
    INSERT INTO Parameter VALUES (1, 'STORI Processor', 'RSquaredThreshold', '0.996');
    CREATE TABLE LogLine (Id integer, DateStamp bigint, Line varchar);
    INSERT INTO LogLine VALUES (1, 638485295491412807, 'Info: From: Z:\\Group\\My Data\\run 1.RAW');
    INSERT INTO LogLine VALUES (2, 638485295692553996, 'Info: Using default coefficient');
    CREATE TABLE ThresholdAggregate (Id varchar, Name varchar, "Order" integer, Count integer);
    INSERT INTO ThresholdAggregate VALUES ('FailedRSquaredCutoff', 'Failed', 8, 39);
    INSERT INTO ThresholdAggregate VALUES ('IonCreated', 'Ion Created', 0, 621);
    CREATE TABLE CalibrationChargeState (Id integer, Charge integer, Slope float, StandardDeviation float);
    INSERT INTO CalibrationChargeState VALUES (1, 1, 50000.0, 0), (2, 2, 100000.0, 0);
    CREATE TABLE StoriGroup (Id integer, FilePath varchar, ScanCount integer, "Offset" integer);
    INSERT INTO StoriGroup VALUES (1, 'Z:\\Group\\My Data\\run 1.RAW', 4743, 0);
    """
    facts = table(make(script=script)).acquisition
    assert facts["software"] == {"i2ms_version": "1.10"}
    assert facts["parameters"] == {"STORI Processor": {"RSquaredThreshold": "0.996"}}
    assert facts["log"][0] == {"time": "2024-04-12T14:39:09", "line": "Info: From: run 1.RAW"}
    assert facts["rejections"] == [
        {"step": "IonCreated", "ions": 621},
        {"step": "FailedRSquaredCutoff", "ions": 39},
    ]
    assert facts["calibration"] == {"charges": 2, "slope": 50000.0, "default": True}
    assert facts["runs"] == [{"file": "run 1.RAW", "scans": 4743}]


def test_nothing_is_written_into_the_folder_nor_locked(make: Callable[..., Path]) -> None:
    """UniDec writes a folder of settings beside the data, and reads it back another time."""
    path = make()
    before = (path.stat().st_mtime_ns, path.read_bytes(), sorted(p.name for p in path.parent.iterdir()))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")  # another program has it open
    first = table(path)
    writer.execute("ROLLBACK")
    writer.close()
    assert before == (
        path.stat().st_mtime_ns,
        path.read_bytes(),
        sorted(p.name for p in path.parent.iterdir()),
    )
    (path.parent / "run_unidecfiles").mkdir()
    (path.parent / "run_unidecfiles" / "run_conf.dat").write_text("CDslope 1\n")
    assert repr(table(path)) == repr(first)


def test_gzipped_zipped_and_from_a_stream_are_the_same(make: Callable[..., Path]) -> None:
    path = make(name="a.i2ms")
    packed = path.with_name("b.dmt.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with zipfile.ZipFile(path.with_name("c.zip"), "w") as archive:
        archive.write(path, "inside.dmt")
    stream = read(io.BytesIO(path.read_bytes()), name="d.dmt")
    assert isinstance(stream, IonTable)
    for record in (table(path), table(packed), table(path.with_name("c.zip")), stream):
        assert record.mz.tolist() == [25000.5, 26000.25, 24000.125]


def test_names_with_signs_that_mean_something_in_a_uri(make: Callable[..., Path]) -> None:
    assert table(make(name="50% #1?mode=rw.dmt")).mz.size == 3


def test_scans_of_several_runs_are_told_apart(make: Callable[..., Path]) -> None:
    rows = [(*r[:1], group, *r[2:]) for r, group in zip(ROWS, (1, 2, 2), strict=True)]
    record = table(make(rows))
    assert record.scan is not None
    assert record.scan.tolist() == [1, 2, 3]
    assert "2 runs" in record.remarks[0]


def test_another_programs_database_is_refused_by_name_and_ignored_otherwise(tmp_path: Path) -> None:
    for name in ("other.dmt", "other.sqlite"):
        with sqlite3.connect(tmp_path / name) as opened:
            opened.execute("CREATE TABLE people (name text)")
        opened.close()
    caught = error(tmp_path / "other.dmt")
    assert "another program" in caught.message
    assert (caught.expected, caught.found) == ("a table Ion", "people")
    found = {row.name: row.status for row in survey(tmp_path).files}
    assert found["other.sqlite"] == "ignored"


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dmt").write_text("a letter to the reader\n")
    assert "not what the name says" in error(tmp_path / "a.dmt").message
    (tmp_path / "b.dmt").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        read(tmp_path / "b.dmt")


def test_damaged_databases_are_refused(make: Callable[..., Path]) -> None:
    rng = np.random.default_rng(1)
    rows = [(i, 1, i // 9, i, *rng.uniform(2e4, 3e4, 2), 5.0, 0.99, 0, 0.5, 9, 1, 0) for i in range(1, 900)]
    path = make(rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in error(path).message
    page = bytearray(whole)
    page[3 * 4096 : 4 * 4096] = rng.bytes(4096)
    path.write_bytes(bytes(page))
    assert "damaged" in error(path).message


@pytest.mark.parametrize(
    "script",
    [
        "CREATE VIEW Spy AS SELECT * FROM Ion;",
        "CREATE TRIGGER Spy AFTER INSERT ON Ion BEGIN DELETE FROM Ion; END;",
        "CREATE VIRTUAL TABLE Spy USING fts5(text);",
    ],
)
def test_databases_that_run_code_are_refused(make: Callable[..., Path], script: str) -> None:
    assert "runs code" in error(make(script=script)).message


def test_a_view_in_place_of_the_ions_is_refused(tmp_path: Path) -> None:
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS Mz, i AS Slope FROM n"
    )
    with sqlite3.connect(tmp_path / "a.dmt") as opened:
        opened.execute(f"CREATE VIEW Ion AS {endless}")
    opened.close()
    assert "runs code" in error(tmp_path / "a.dmt").message


def test_computed_columns_are_refused(make: Callable[..., Path]) -> None:
    path = make([(1, 2.0)], ion="Mz float, Slope float, Bomb blob AS (zeroblob(900000000))")
    assert "computed" in error(path).message


def test_values_that_are_no_numbers_are_named(make: Callable[..., Path]) -> None:
    caught = error(make([ROWS[0], (*ROWS[1][:5], "high", *ROWS[1][6:])]))
    assert (caught.line, caught.expected, caught.found) == (2, "a number for intensity", "'high'")


def test_a_missing_column_and_an_empty_table_are_named(make: Callable[..., Path]) -> None:
    assert error(make([(1.0,)], ion="Mz float")).expected == "Slope"
    assert error(make([], name="b.dmt")).message == "no ions"
