"""Connections: one engine a store, whole transactions, errors of the library's own."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from aavqc.errors import InputError, UsageError

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECT_S = 10
"""Seconds to wait for a server, or for the lock on a file."""

PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Waits, at most, before a transaction is done again that another writer came between; at least half of
each: those that met do not meet again."""

_CONFLICTS = {
    "40001": "could not be serialized",
    "40P01": "deadlock",
    "55P03": "lock not available",
    "23505": "the same key at the same time",
    "42P07": "the same table at the same time",
    "42710": "the same table at the same time",  # told by the type of its rows
}
"""SQLSTATE of PostgreSQL for what goes away when it is done again."""


def engine_of(url: str | URL) -> Engine:
    """Return the engine of a store's URL; nothing is opened yet.

    Raises
    ------
    UsageError
        No such kind of database, or its driver is not installed.
    """
    try:
        made = make_url(url)
        if made.drivername in ("postgres", "postgresql"):
            made = made.set(drivername="postgresql+psycopg")
        engine = create_engine(made, poolclass=NullPool, connect_args=_patience(made))
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError) as error:
        told = isinstance(error, (NoSuchModuleError, ImportError))  # others quote the URL with its password
        raise UsageError(
            "--store: no database that can be used",
            expected="sqlite:///FILE, postgresql://USER@HOST/DATABASE, or another URL of SQLAlchemy",
            found=str(error).splitlines()[0] if told else "no URL",
            hint="the driver of PostgreSQL: pip install 'aavqc[postgres]'" if told else None,
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_transactions_to_us)
        event.listen(engine, "begin", _begin)
    return engine


def name_of(engine: Engine) -> str:
    """Return how to name a store to people: never with its password."""
    if engine.dialect.name == "sqlite":
        return engine.url.database or ":memory:"
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one state of the store.

    Raises
    ------
    InputError
        The database can't be opened or read.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        raise _unusable(engine, error) from error


def written(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Do work that is kept as a whole, or not at all; again, where another writer came between.

    Parameters
    ----------
    engine : Engine
    work : callable(Connection)
        Begins anew each time that it is called.

    Raises
    ------
    InputError
        The database can't be opened or written.
    """
    writer = engine.execution_options(writes=True)
    pauses = iter(PAUSES_S)
    while True:
        try:
            with writer.begin() as connection:
                return work(connection)
        except (SQLAlchemyError, UnicodeError) as error:
            conflict, pause = _conflict(error), next(pauses, None)
            if pause is None or conflict is None:
                raise _unusable(engine, error) from error
        log.info("the store has another writer (%s): once more", conflict)
        time.sleep(random.uniform(pause / 2, pause))


def _conflict(error: Exception) -> str | None:
    """Say what another writer did that made this one fail, or None where it did nothing."""
    if not isinstance(error, DBAPIError):
        return None
    state = getattr(error.orig, "sqlstate", None)
    if state is None and "database is locked" in str(error.orig):
        return "database is locked"
    return _CONFLICTS.get(state or "")


def _unusable(engine: Engine, error: Exception) -> InputError:
    cause = getattr(error, "orig", None) or error
    found = (str(cause).strip() or type(cause).__name__).splitlines()[0]
    return InputError("the store can't be used", file=name_of(engine), found=found)


def _patience(url: URL) -> dict[str, Any]:
    """Return how long a driver shall wait, where its own habit is for ever or hardly at all."""
    if url.get_backend_name() == "sqlite":
        return {"timeout": CONNECT_S}
    if url.drivername == "postgresql+psycopg" and "connect_timeout" not in url.query:
        return {"connect_timeout": CONNECT_S}
    return {}


def _leave_transactions_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own habit leaves table definitions outside


def _begin(connection: Connection) -> None:
    """Take the lock of a writer at once: it can't be had later, when another wrote meanwhile."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
