"""The store: the same values as the results, versions that migrate, SQL that two databases share."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from aavqc.batch import BatchReport, run
from aavqc.documents import canonical
from aavqc.errors import InputError, UsageError
from aavqc.store import Store, migrations, tables
from test_verify_out import small_lot


@pytest.fixture(scope="module")
def lot(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_lot(example_lot, tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def done(lot: Path) -> BatchReport:
    return run(lot, lot.parent / "out", actor="A. Nalyst", reason="test")


@pytest.fixture
def store(done: BatchReport) -> Store:
    return Store(done.out / "aavqc.sqlite")


def test_the_store_holds_what_the_results_hold(done: BatchReport, store: Store) -> None:
    ((job, document),) = done.results.items()
    (row,) = store.rows("results")
    assert (row["job"], row["payload"]) == (job, canonical(document.payload))
    stored = [(r["sample_id"], r["name"], r["target"], r["value"]) for r in store.rows("attributes")]
    assert stored == [
        (s.sample_id, a.name, a.target, a.value) for s in document.samples for a in s.attributes
    ]
    assert [(r["path"], r["sha256"]) for r in store.rows("exports")] == [
        (f.path, f.sha256) for f in done.manifest.files
    ]
    (evaluation,) = done.evaluations
    assert [(r["test"], r["verdict"]) for r in store.rows("verdicts")] == [
        (v.test, v.verdict) for v in evaluation.verdicts
    ]
    (specification,) = store.rows("specifications")
    assert specification["sha256"] == evaluation.specification.sha256
    (method,) = store.rows("methods")
    assert method["name"] == document.payload.method.name
    (begun,) = store.rows("runs")
    assert (begun["actor"], begun["reason"]) == ("A. Nalyst", "test")
    assert begun["begun"] <= begun["ended"]


def test_history_is_of_valid_samples_with_their_lots_and_methods(done: BatchReport, store: Store) -> None:
    ((_, document),) = done.results.items()
    expected = [
        a.value
        for s in document.samples
        if s.role == "sample" and s.status == "valid"
        for a in s.attributes
        if (a.name, a.target) == ("vg_titer", "CAG")
    ]
    found = store.history("vg_titer", technique="ddpcr", target="CAG", lots=["EX24-001"])
    assert [row["value"] for row in found] == expected
    assert {row["method"] for row in found} == {document.payload.method.name}
    assert store.history("vg_titer", lots=["another"]) == []
    assert store.history("vg_titer", target="another") == []


def test_several_output_folders_share_one_store(lot: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'lab.sqlite'}"
    for name in ("one", "two"):
        run(lot, tmp_path / name, store=url)
    shared = Store(url)
    assert len(shared.anchors()) == 2
    assert len({row["chain"] for row in shared.rows("results")}) == 2
    assert not (tmp_path / "one" / "aavqc.sqlite").exists()


def test_results_that_a_batch_no_longer_has_leave_the_store(lot: Path, tmp_path: Path) -> None:
    copy = tmp_path / "lot"
    shutil.copytree(lot, copy)
    run(copy, tmp_path / "out")
    method = copy / "method_ddpcr.toml"
    method.write_text(method.read_text() + "coverage = 0.9\n")
    report = run(copy, tmp_path / "out")
    assert [r["job"] for r in Store(tmp_path / "out" / "aavqc.sqlite").rows("results")] == list(
        report.results
    )


def test_a_store_migrates_step_by_step_and_keeps_its_rows(
    done: BatchReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.sqlite"
    shutil.copy(done.out / "aavqc.sqlite", path)
    before = list(Store(path).rows("results"))

    def second(connection: object) -> None:
        connection.execute(text("ALTER TABLE runs ADD COLUMN host TEXT"))  # type: ignore[attr-defined]

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, second))
    assert list(Store(path).rows("results")) == before
    engine = create_engine(f"sqlite:///{path}")
    assert "host" in {column["name"] for column in inspect(engine).get_columns("runs")}
    with engine.connect() as connection:
        assert migrations.stored_version(connection) == 2
    engine.dispose()


def test_a_migration_that_fails_leaves_the_store_as_it_was(
    done: BatchReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.sqlite"
    shutil.copy(done.out / "aavqc.sqlite", path)

    def failing(connection: object) -> None:
        connection.execute(text("ALTER TABLE runs ADD COLUMN host TEXT"))  # type: ignore[attr-defined]
        connection.execute(text("ALTER TABLE nothing ADD COLUMN host TEXT"))  # type: ignore[attr-defined]

    with monkeypatch.context() as patched:
        patched.setattr(migrations, "STEPS", (*migrations.STEPS, failing))
        with pytest.raises(InputError, match="the store can't be used"):
            Store(path)
    assert "host" not in next(Store(path).rows("runs"))
    assert sqlite3_columns(path) == {column.name for column in tables.runs.columns}


def sqlite3_columns(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    try:
        return {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
    finally:
        connection.close()


def test_a_store_of_a_later_release_is_refused(
    done: BatchReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "later.sqlite"
    shutil.copy(done.out / "aavqc.sqlite", path)
    monkeypatch.setattr(migrations, "STEPS", ())
    with pytest.raises(UsageError, match="later release"):
        Store(path)


def no_database(path: Path) -> str:
    path.write_bytes(b"no database" * 100)
    return f"sqlite:///{path}"


@pytest.mark.parametrize(
    ("place", "error"),
    [
        (no_database, InputError),
        (lambda path: f"sqlite:///{path}/in/no/folder", InputError),
        (lambda _: "no url", UsageError),
        (lambda _: "nosuchdatabase://host/name", UsageError),
    ],
)
def test_a_store_that_can_not_be_used_is_said_before_the_work(
    lot: Path, tmp_path: Path, place: Callable[[Path], str], error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"store|database"):
        run(lot, tmp_path / "out", store=place(tmp_path / "x"))
    assert not (tmp_path / "out" / "results").exists()


def test_a_password_is_never_shown() -> None:
    for url in ("postgresql+nosuchdriver://me:secret@host/db", "//me:secret@host"):
        with pytest.raises(UsageError) as caught:
            Store(url)
        assert "secret" not in str(caught.value)


def test_the_tables_are_those_that_postgresql_can_have_too() -> None:
    for table in tables.metadata.sorted_tables:
        made = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
        assert "BLOB" not in made
        assert "PRIMARY KEY" in made
