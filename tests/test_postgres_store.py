"""The store on a real PostgreSQL server: same tables, same rows, many writers, clear errors."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from aavqc.batch import run
from aavqc.batch.verify import verify
from aavqc.cli import app
from aavqc.documents import Manifest, canonical
from aavqc.errors import InputError, UsageError
from aavqc.store import Anchor, Store, migrations
from postgres_server import PASSWORD, Server
from test_verify_out import small_lot

TABLES = ("exports", "results", "attributes", "verdicts", "methods", "specifications")


@pytest.fixture(scope="module")
def lot(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_lot(example_lot, tmp_path_factory.mktemp("postgres"))


@pytest.fixture
def aavqc(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line: its exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        return (app([str(a) for a in arguments], standalone_mode=False), *capfd.readouterr())

    return call


def content(store: Store, table: str) -> list[dict[str, object]]:
    """The rows of a table without what differs from run to run."""
    differs = ("chain", "created", "file_sha256")
    rows = [{k: v for k, v in row.items() if k not in differs} for row in store.rows(table)]
    return sorted(rows, key=repr)


def test_postgresql_holds_the_rows_that_sqlite_holds(lot: Path, tmp_path: Path, postgres_url: str) -> None:
    run(lot, tmp_path / "file")
    report = run(lot, tmp_path / "server", store=postgres_url, actor="A. Nalyst")
    assert report.exit_code == run(lot, tmp_path / "server", store=postgres_url).exit_code
    file, server = Store(tmp_path / "file" / "aavqc.sqlite"), Store(postgres_url)
    for table in TABLES:
        assert content(server, table) == content(file, table) != [], table
    assert [(row["actor"], row["ended"] is not None) for row in server.rows("runs")].count(
        ("A. Nalyst", True)
    ) == 1
    ((job, document),) = report.results.items()
    (row,) = server.rows("results")
    assert (row["job"], row["payload"]) == (job, canonical(document.payload))
    assert [r["value"] for r in server.history("vg_titer")] == [r["value"] for r in file.history("vg_titer")]
    assert not (tmp_path / "server" / "aavqc.sqlite").exists()


def test_batch_and_verify_from_the_command_line(
    lot: Path, tmp_path: Path, postgres: Server, aavqc: Callable[..., tuple[int, str, str]]
) -> None:
    url, out = postgres.database(), tmp_path / "out"
    code, _, said = aavqc("batch", lot, "--out", out, "--store", url, "--workers", "1")
    assert code == 5, said  # the other techniques' tests are missing
    assert PASSWORD not in (out / "audit.jsonl").read_text()
    assert aavqc("verify", out, "--store", url)[0] == 0
    postgres.execute("UPDATE attributes SET value = value + 1", database=url.rpartition("/")[2])
    code, _, said = aavqc("verify", out, "--store", url, "--no-rerun")
    assert code == 6
    assert "attributes.value" in said
    assert aavqc("verify", out, "--no-rerun")[0] == 6  # the store is not in OUT: it says so
    code, _, said = aavqc("verify", out, "--store", postgres.url("nowhere"), "--no-rerun")
    assert (code, PASSWORD in said) == (3, False)


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_many_output_folders_are_stored_at_once(
    lot: Path, tmp_path: Path, postgres_url: str, isolation: str
) -> None:
    """Nobody made the tables before, and all of them bring the same method and specification."""
    url = f"{postgres_url}?options=-c%20default_transaction_isolation%3D{isolation.replace(' ', '%5C%20')}"
    outs = [tmp_path / f"out{i}" for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(lambda out: run(lot, out, store=url), outs))
    assert [report.errors for report in reports] == [[]] * 8
    store = Store(url)
    assert len(store.anchors()) == len(list(store.rows("results"))) == 8
    assert len(list(store.rows("methods"))) == len(list(store.rows("specifications"))) == 1
    for out in outs:
        assert verify(out, store=url, again=False).findings == []


def manifest() -> Manifest:
    return Manifest(files=[], problems=[])


def document(name: str) -> dict[str, object]:
    return {"sha256": name, "id": name, "version": "1", "status": "draft", "purpose": "", "document": b"{}"}


def keep(url: str, who: int, shared: Sequence[str]) -> None:
    store, anchor = Store(url), Anchor(f"chain{who}", 1, "head")
    store.begin({"run": f"run{who}"}, anchor)
    store.end(
        f"run{who}", "now", anchor,
        manifest=manifest(), documents=list, verdict_rows=[],
        specification_rows=[document(name) for name in shared],
    )  # fmt: skip


def test_writers_that_share_documents_in_any_order_do_not_lock_each_other_out(postgres_url: str) -> None:
    names = [f"spec{i:02}" for i in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda who: keep(postgres_url, who, names[:: 1 if who % 2 else -1]), range(24)))
    store = Store(postgres_url)
    assert [row["sha256"] for row in store.rows("specifications")] == names
    assert all(row["ended"] == "now" for row in store.rows("runs"))
    assert len(store.anchors()) == 24


def test_a_writer_that_is_the_victim_of_a_deadlock_begins_again(
    postgres: Server, caplog: pytest.LogCaptureFixture
) -> None:
    from aavqc.store.engine import engine_of, written

    url = postgres.database()
    postgres.execute(
        "CREATE TABLE held (n integer PRIMARY KEY, by text)",
        "INSERT INTO held VALUES (1, ''), (2, '')",
        database=url.rpartition("/")[2],
    )
    caplog.set_level(logging.INFO, logger="aavqc")

    def crossing(first: int) -> None:
        def work(connection: Connection) -> None:
            for n in (first, 3 - first):
                connection.execute(
                    text("UPDATE held SET by = by || :who WHERE n = :n"), {"who": first, "n": n}
                )
                connection.execute(text("SELECT pg_sleep(0.3)"))

        written(engine_of(url), work)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(crossing, (1, 2)))
    assert "deadlock" in caplog.text
    with engine_of(url).begin() as connection:
        rows = connection.execute(text("SELECT by FROM held")).scalars().all()
    assert [sorted(row) for row in rows] == [["1", "2"], ["1", "2"]]


@pytest.mark.parametrize("made", ["TABLE made (n integer)", "TYPE made AS (n integer)"])
def test_a_writer_whose_tables_another_one_made_meanwhile_begins_again(postgres: Server, made: str) -> None:
    """The server tells it by the table or by the type of its rows, by how far the other one had come."""
    from aavqc.store.engine import engine_of, written

    url = postgres.database()
    postgres.execute(f"CREATE {made}", database=url.rpartition("/")[2])
    attempts: list[int] = []

    def work(connection: Connection) -> int:
        attempts.append(1)
        if len(attempts) == 1:
            connection.execute(text(f"CREATE {made}"))
        return len(attempts)

    assert written(engine_of(url), work) == 2


def test_a_store_migrates_once_however_many_come_at_once(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.database()
    Store(url)

    def second(connection: Connection) -> None:
        connection.execute(text("SELECT pg_sleep(0.2)"))
        connection.execute(text("ALTER TABLE runs ADD COLUMN host TEXT"))

    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, second))
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(Store, [url] * 4))) == 4
    postgres.execute("UPDATE schema_version SET version = 9", database=url.rpartition("/")[2])
    with pytest.raises(UsageError, match="later release"):
        Store(url)


def test_text_with_a_nul_is_stored_and_verified(lot: Path, tmp_path: Path, postgres_url: str) -> None:
    odd = tmp_path / "lot"
    shutil.copytree(lot, odd)
    sheet = odd / "samples.csv"
    sheet.write_text(sheet.read_text().replace("EX24-001,", "EX24-001\0,"))
    report = run(odd, tmp_path / "out", store=postgres_url)
    lots = {s.lot for p in report.payloads.values() for s in p.samples}
    if not any("\0" in (lot or "") for lot in lots):
        pytest.fail(f"the sheet's reader took the NUL away: {lots}")
    assert verify(tmp_path / "out", store=postgres_url, again=False).findings == []


# ---------------------------------------------------------------- what can go wrong


def test_a_server_that_is_down_or_refuses_is_said_before_the_work(
    lot: Path, tmp_path: Path, postgres: Server
) -> None:
    postgres.execute("CREATE ROLE reader LOGIN PASSWORD 'r'", "CREATE DATABASE guarded")
    closed = "postgresql://u:hidden@127.0.0.1:1/aavqc"
    for url, words in (
        (closed, "onnection"),
        (postgres.url(password="hidden"), "password authentication failed"),
        (postgres.url("nowhere"), "does not exist"),
        (postgres.url("guarded", "reader", "r"), "permission denied"),
    ):
        with pytest.raises(InputError) as caught:
            run(lot, tmp_path / "out", store=url)
        assert words in str(caught.value)
        assert "hidden" not in str(caught.value)
        assert caught.value.exit_code == 3
    for url in ("postgresql://u:hidden@host:port/db", "postgresql", "postgresql+nodriver://u:hidden@h/db"):
        with pytest.raises(UsageError) as refused:
            run(lot, tmp_path / "out", store=url)
        assert "hidden" not in str(refused.value)
    assert not (tmp_path / "out" / "results").exists()


def test_rights_to_read_are_enough_to_verify(lot: Path, tmp_path: Path, postgres: Server) -> None:
    url = postgres.database()
    name = url.rpartition("/")[2]
    run(lot, tmp_path / "out", store=url)
    postgres.execute(
        "CREATE ROLE auditor LOGIN PASSWORD 'a'",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor",
        database=name,
    )
    read_only = postgres.url(name, "auditor", "a")
    assert verify(tmp_path / "out", store=read_only, again=False).findings == []
    with pytest.raises(InputError, match="permission denied"):
        run(lot, tmp_path / "another", store=read_only)


def test_a_store_that_is_lost_on_the_way_costs_no_result_and_hides_no_verdict(
    lot: Path, tmp_path: Path, postgres: Server, aavqc: Callable[..., tuple[int, str, str]]
) -> None:
    url, out = postgres.database(), tmp_path / "out"
    name = url.rpartition("/")[2]
    Store(url)
    postgres.execute("ALTER TABLE results RENAME TO gone", database=name)
    arguments = ("batch", lot, "--out", out, "--store", url, "--workers", "1", "--json")
    code, printed, _ = aavqc(*arguments)
    summary = json.loads(printed)
    assert code == summary["exit"] == 3
    assert [e["message"] for e in summary["errors"]] == ["the store can't be used"]
    assert summary["evaluations"][0]["overall"] == "INCOMPLETE"
    (kept,) = (out / "results").iterdir()
    before = kept.read_bytes()
    postgres.execute("ALTER TABLE gone RENAME TO results", database=name)
    assert aavqc(*arguments)[0] == 5
    assert kept.read_bytes() == before
    assert verify(out, store=url, again=False).findings == []
