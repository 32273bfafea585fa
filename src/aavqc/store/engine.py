"""Connections: one engine a store, whole transactions, errors of the library's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from aavqc.errors import InputError, UsageError


def engine_of(url: str | URL) -> Engine:
    """Return the engine of a store's URL; nothing is opened yet.

    Raises
    ------
    UsageError
        No such kind of database, or its driver is not installed.
    """
    try:
        engine = create_engine(make_url(url), poolclass=NullPool)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        told = isinstance(error, (NoSuchModuleError, ImportError))  # others quote the URL with its password
        raise UsageError(
            "--store: no database that can be used",
            expected="sqlite:///FILE, or another URL of SQLAlchemy with its driver installed",
            found=str(error).splitlines()[0] if told else "no URL",
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
def transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection whose work is kept as a whole, or not at all.

    Raises
    ------
    InputError
        The database can't be opened, read or written.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except (SQLAlchemyError, UnicodeDecodeError) as error:
        cause = getattr(error, "orig", None) or error
        raise InputError(
            "the store can't be used", file=name_of(engine), found=str(cause).splitlines()[0]
        ) from error


def _leave_transactions_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # the driver's own habit leaves table definitions outside


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
