"""Versions of the store's tables, each with the step that leads to it.

A step that a release has shipped is never changed: the next version is a further step.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, delete, insert, inspect, select

from aavqc.errors import UsageError
from aavqc.store.tables import metadata, schema_version


def _create(connection: Connection) -> None:
    metadata.create_all(connection)


STEPS: tuple[Callable[[Connection], None], ...] = (_create,)


def migrate(connection: Connection, name: str) -> None:
    """Bring a store to this release's version, in the caller's transaction.

    Raises
    ------
    UsageError
        A later release made the store.
    """
    version = stored_version(connection)
    if version > len(STEPS):
        raise UsageError(
            "the store was made by a later release",
            file=name,
            expected=f"version {len(STEPS)} or earlier",
            found=str(version),
        )
    if version == len(STEPS):
        return
    for step in STEPS[version:]:
        step(connection)
    connection.execute(delete(schema_version))
    connection.execute(insert(schema_version), {"version": len(STEPS)})


def stored_version(connection: Connection) -> int:
    """Return the version of a store; 0 where there are no tables yet."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return connection.execute(select(schema_version.c.version)).scalar() or 0
