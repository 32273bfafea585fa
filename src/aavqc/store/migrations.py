"""Versions of the store's tables, each with the step that leads to it.

A step that a release has shipped is never changed: the next version is a further step.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, insert, inspect, select, update

from aavqc.errors import UsageError
from aavqc.store.tables import metadata, schema_version

STEPS: tuple[Callable[[Connection], None], ...] = (metadata.create_all,)


def is_current(connection: Connection, name: str) -> bool:
    """Tell whether a store is at this release's version, or must be brought there.

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
    return version == len(STEPS)


def migrate(connection: Connection) -> None:
    """Bring a store to this release's version, in the caller's transaction.

    Who comes second at the same time waits for the row, and finds nothing left to do.
    """
    version = stored_version(connection, lock=True)
    for step in STEPS[version:]:
        step(connection)
    if version == 0:
        connection.execute(insert(schema_version), {"version": len(STEPS)})
    else:
        connection.execute(update(schema_version).values(version=len(STEPS)))


def stored_version(connection: Connection, *, lock: bool = False) -> int:
    """Return the version of a store; 0 where there are no tables yet."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    query = select(schema_version.c.version)
    return connection.execute(query.with_for_update() if lock else query).scalar() or 0
