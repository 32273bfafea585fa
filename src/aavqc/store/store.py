"""The store of results: what the batches of a laboratory have found, for trending and for audit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from sqlalchemy import URL, Connection, Table, delete, insert, select, update

from aavqc.documents import Manifest
from aavqc.store.engine import engine_of, name_of, reading, written
from aavqc.store.migrations import is_current, migrate
from aavqc.store.rows import Plain, Row, attribute_rows, export_rows, method_row, result_row, storable
from aavqc.store.tables import (
    attributes,
    chains,
    exports,
    methods,
    results,
    runs,
    specifications,
    verdicts,
)

Item = TypeVar("Item")

AT_ONCE = 50
"""Results that are held in memory while they are stored."""


@dataclass(frozen=True)
class Anchor:
    """Length and head of an audit trail; ``chain`` is the hash of its first entry."""

    chain: str
    length: int
    head: str


class Store:
    """A database of runs, exports, results, attributes, verdicts, methods and specifications.

    Parameters
    ----------
    place : Path or str
        Path of a SQLite file, or the URL (text) of any database that SQLAlchemy has a driver for.

    Raises
    ------
    UsageError
        No usable URL, or a store that a later release made.
    InputError
        The database can't be opened.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Store(Path(folder) / "aavqc.sqlite").anchors()
    []
    """

    def __init__(self, place: str | Path) -> None:
        url = URL.create("sqlite", database=str(place)) if isinstance(place, Path) else place
        self._engine = engine_of(url)
        self.name = name_of(self._engine)
        with reading(self._engine) as connection:
            current = is_current(connection, self.name)
        if not current:
            written(self._engine, migrate)

    def begin(self, run: Row, anchor: Anchor) -> None:
        """Keep that a run has begun, and the head of the audit trail as it stands now."""

        def keep(connection: Connection) -> None:
            _insert(connection, runs, [run], anchor.chain)
            _anchor(connection, anchor)

        written(self._engine, keep)

    def end(
        self,
        run: str,
        ended: str,
        anchor: Anchor,
        *,
        manifest: Manifest,
        documents: Callable[[], Iterable[tuple[str, str, Plain]]],
        verdict_rows: Sequence[Row],
        specification_rows: Sequence[Row],
    ) -> None:
        """Mirror an output folder and keep the head of its audit trail, in one transaction.

        Parameters
        ----------
        run, ended : str
            Which run, and when it ended.
        anchor : Anchor
        manifest : Manifest
            Results that it no longer names are dropped: the audit trail keeps the history.
        documents : callable
            Gives (job, sha256 of the file, document) of the results that are new or other than
            stored, as JSON has them; called again where another writer came between.
        verdict_rows, specification_rows : sequence of dict
            Columns of the tables, without the chain.
        """
        chain = anchor.chain
        named = set(manifest.jobs)

        def keep(connection: Connection) -> None:
            stored = set(connection.scalars(select(results.c.job).where(results.c.chain == chain)))
            for job in sorted(stored - named):
                _drop(connection, chain, job)
            known: dict[str, Row] = {}
            for some in batched(documents(), AT_ONCE):
                for job in sorted(stored & {job for job, _, _ in some}):
                    _drop(connection, chain, job)
                known |= {row["sha256"]: row for row in (method_row(d["payload"]) for _, _, d in some)}
                _insert(connection, results, [result_row(d, job, sha) for job, sha, d in some], chain)
                found = [row for job, _, d in some for row in attribute_rows(d["payload"], job)]
                _insert(connection, attributes, found, chain)
            for table, rows in ((exports, export_rows(manifest)), (verdicts, verdict_rows)):
                connection.execute(delete(table).where(table.c.chain == chain))
                _insert(connection, table, rows, chain)
            connection.execute(update(runs).where(runs.c.run == run).values(ended=ended))
            _anchor(connection, anchor)
            _share(connection, specifications, specification_rows)
            _share(connection, methods, known.values())

        written(self._engine, keep)

    def advance(self, anchor: Anchor) -> None:
        """Keep the head of an audit trail that was added to after its run had ended."""
        written(self._engine, lambda connection: _anchor(connection, anchor))

    def anchors(self) -> list[Anchor]:
        """Return the head of every audit trail that the store knows."""
        with reading(self._engine) as connection:
            found = connection.execute(select(chains).order_by(chains.c.chain)).mappings()
            return [Anchor(**row) for row in found]

    def file_hashes(self, chain: str) -> dict[str, str]:
        """Return the SHA-256 of the file of every stored result, by job."""
        columns = select(results.c.job, results.c.file_sha256).where(results.c.chain == chain)
        with reading(self._engine) as connection:
            return {job: sha256 for job, sha256 in connection.execute(columns)}

    def rows(self, table: str, **where: str) -> Iterator[Row]:
        """Yield the rows of a table whose columns have these values, in the order of its key."""
        source = _TABLES[table]
        query = select(source).order_by(*source.primary_key.columns)
        for column, value in where.items():
            query = query.where(source.c[column] == value)
        with (
            reading(self._engine) as connection,
            connection.execution_options(yield_per=AT_ONCE).execute(query) as found,
        ):
            for row in found.mappings():
                yield dict(row)

    def history(
        self,
        name: str,
        *,
        technique: str | None = None,
        target: str | None = None,
        lots: Sequence[str] | None = None,
    ) -> list[Row]:
        """Return every stored value of an attribute, for trending.

        Parameters
        ----------
        name : str
            Such as ``percent_full``.
        technique, target : str, optional
        lots : sequence of str, optional
            Default: all.

        Returns
        -------
        list of dict
            The columns of the table ``attributes`` and ``created``, ``method``, ``method_version``
            and ``aavqc`` of the result; in the order of creation, then sample. Only samples that
            are valid and whose role is ``sample``.
        """
        query = (
            select(
                attributes,
                results.c.created,
                results.c.aavqc,
                methods.c.name.label("method"),
                methods.c.version.label("method_version"),
            )
            .join(
                results,
                (attributes.c.chain == results.c.chain) & (attributes.c.job == results.c.job),
            )
            .join(methods, results.c.method_sha256 == methods.c.sha256)
            .where(attributes.c.name == name, attributes.c.role == "sample", attributes.c.status == "valid")
            .order_by(results.c.created, attributes.c.chain, attributes.c.job, attributes.c.n)
        )
        for column, wanted in ((attributes.c.technique, technique), (attributes.c.target, target)):
            query = query if wanted is None else query.where(column == wanted)
        if lots is not None:
            query = query.where(attributes.c.lot.in_(lots))
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


_TABLES = {
    table.name: table for table in (runs, exports, results, attributes, verdicts, methods, specifications)
}


def batched(items: Iterable[Item], n: int) -> Iterator[list[Item]]:
    """Yield lists of at most ``n`` items.

    Examples
    --------
    >>> list(batched("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    left = iter(items)
    while some := list(islice(left, n)):
        yield some


def _anchor(connection: Connection, anchor: Anchor) -> None:
    connection.execute(delete(chains).where(chains.c.chain == anchor.chain))
    connection.execute(insert(chains), vars(anchor))


def _drop(connection: Connection, chain: str, job: str) -> None:
    for table in (results, attributes):
        connection.execute(delete(table).where(table.c.chain == chain, table.c.job == job))


def _insert(connection: Connection, table: Table, rows: Sequence[Row], chain: str) -> None:
    if rows:
        connection.execute(insert(table), [{**storable(row), "chain": chain} for row in rows])


def _share(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """Insert documents that output folders share, or mend them.

    In one order and last: who waits for another's row waits for no other, and not for long.
    """
    for row in sorted({row["sha256"]: storable(row) for row in rows}.values(), key=lambda row: row["sha256"]):
        same = table.c.sha256 == row["sha256"]
        stored = connection.execute(select(table).where(same)).mappings().first()
        if stored is None:
            connection.execute(insert(table), row)
        elif dict(stored) != row:
            connection.execute(update(table).where(same).values(row))
