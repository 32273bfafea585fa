"""Direct Mass Technology results (``.dmt``, ``.i2ms``): an SQLite database of single ions.

Ions are in the table ``Ion``, with the slope of each one's signal over time as its intensity.
The software's parameters, log, counts of rejected signals and calibration are kept with the
record. Its charges rest on that calibration, which is a default slope unless one was made.
The database is opened read-only and immutable: nothing is written beside it, no lock is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.columns import columns_by_role, plain_name
from aavqc.parsers.dmt_facts import acquisition_facts
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.ion_record import ion_table
from aavqc.parsers.ion_text import ROLES, UNUSED
from aavqc.parsers.sources import SourceFile
from aavqc.records import FloatArray, IonTable

if TYPE_CHECKING:
    import sqlite3

_MAGIC = b"SQLite format 3\0"
_SUFFIXES = (".dmt", ".i2ms")
_ROWS = 20_000
"""Rows taken at a time."""

_LEAST_ROW = 8
"""Bytes that a row of ions takes at least: more rows than that allows are no rows."""

_STEPS_A_BYTE, _STEPS_AT_ONCE = 40, 1_000_000
"""Steps of SQLite's machine that a file is worth: a row of 70 bytes takes some 30."""

_LONGEST = 1_000_000
"""Length of one value: SQLite itself refuses more."""


def read(export: Export) -> IonTable:
    """Read the ions of one database.

    Returns
    -------
    IonTable
        ``intensity`` is the slope; ``acquisition`` holds what the software states.

    Raises
    ------
    InputError
        The database is damaged, is another program's, holds views, triggers or computed
        columns, lacks a column, or has a value that is no number.
    """
    import sqlite3

    (file,) = export.files
    try:
        with _opened(file) as database:
            _check(database, file.name)
            columns, remarks = _columns(database, file)
            facts = acquisition_facts(database)
    except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
        raise InputError(
            "damaged, or no SQLite database", file=file.name, found=str(error)[:200], hint="export it again"
        ) from error
    return ion_table(export, columns, remarks, facts)


def sniff(head: bytes, basename: str) -> bool:
    """Tell an SQLite database by its magic, and whose it is by its name or its tables."""
    return head.startswith(_MAGIC) and (basename.lower().endswith(_SUFFIXES) or b"StoriGroup" in head)


@contextmanager
def _opened(file: SourceFile) -> Iterator[sqlite3.Connection]:
    """Yield a connection that is read-only and trusts nothing in the schema."""
    import sqlite3

    path = None if file.gzipped else file.on_disk
    uri = ":memory:" if path is None else f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        if path is None:
            database.deserialize(file.read())
        database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
        steps = iter(range(20 + file.size * _STEPS_A_BYTE // _STEPS_AT_ONCE))
        database.set_progress_handler(lambda: next(steps, None) is None, _STEPS_AT_ONCE)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
        yield database


def _check(database: sqlite3.Connection, name: str) -> None:
    """Refuse what is damaged, foreign, or computes as it is read."""
    tables = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    found = sorted(str(t) for kind, t, _ in tables if kind == "table")
    odd = next(
        (
            f"{kind} {t}"
            for kind, t, sql in tables
            if kind in ("view", "trigger") or "VIRTUAL" in str(sql).upper().split("(")[0]
        ),
        None,
    )
    if odd is not None:
        raise InputError(
            "the database runs code as it is read",
            file=name,
            expected="plain tables, as the instrument's software writes them",
            found=str(odd)[:100],
        )
    if "Ion" not in found:
        raise InputError(
            "an SQLite database of another program",
            file=name,
            expected="a table Ion",
            found=", ".join(found)[:200] or "no tables",
        )
    problem = database.execute("PRAGMA quick_check(1)").fetchone()
    if problem is None or problem[0] != "ok":
        raise InputError("the database is damaged", file=name, found=str(problem and problem[0])[:200])
    if any(hidden for *_, hidden in database.execute("PRAGMA table_xinfo('Ion')")):
        raise InputError("the table Ion has computed columns", file=name, expected="stored values")


def _columns(database: sqlite3.Connection, file: SourceFile) -> tuple[dict[str, FloatArray], list[str]]:
    """Read the known columns of the table of ions, a block of rows at a time."""
    names = [str(row[1]) for row in database.execute("PRAGMA table_info('Ion')")]
    roles = [ROLES.get(plain_name(n)) for n in names]
    wanted = columns_by_role(names, roles, file.name, 1)
    missing = [role for role in ("mz", "intensity") if role not in wanted]
    if missing:
        raise InputError(
            "column missing in table Ion",
            file=file.name,
            expected={"mz": "Mz", "intensity": "Slope"}[missing[0]],
            found=", ".join(names)[:200],
        )
    unused = [n for n, role in zip(names, roles, strict=True) if role is None and plain_name(n) not in UNUSED]
    listed = ", ".join('"' + names[i].replace('"', '""') + '"' for i in wanted.values())
    cursor = database.execute(f"SELECT {listed} FROM Ion")
    blocks: list[FloatArray] = [np.empty((0, len(wanted)))]
    read, most = 0, file.size // _LEAST_ROW * (1000 if file.gzipped else 1)
    while rows := cursor.fetchmany(_ROWS):
        read += len(rows)
        if read > most:
            raise InputError("more rows than the file can hold", file=file.name, expected=f"at most {most}")
        blocks.append(_numbers(rows, list(wanted), read - len(rows), file.name))
    if not read:
        raise InputError("no ions", file=file.name, expected="rows in table Ion")
    table = np.concatenate(blocks)
    columns = {role: table[:, i] for i, role in enumerate(wanted)}
    return columns, [f"column {name!r} of table Ion is not used" for name in unused]


def _numbers(rows: list[tuple[Any, ...]], roles: list[str], before: int, name: str) -> FloatArray:
    """Turn rows into numbers, NULL into NaN; SQLite lets any value stand in any column."""
    for i, row in enumerate(rows):
        for role, value in zip(roles, row, strict=True):
            if not (value is None or isinstance(value, (int, float))):
                raise InputError(
                    "not a number in table Ion",
                    file=name,
                    line=before + i + 1,
                    expected=f"a number for {role}",
                    found=repr(value)[:80],
                )
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(roles))


FORMAT = Format(
    name="dmt",
    title="Direct Mass Technology ions (SQLite)",
    vendor="Thermo Fisher STORIboard, Proteinaceous",
    technique="cdms",
    extensions=_SUFFIXES,
    claims=(r".*\.(dmt|i2ms)",),
    reads="m/z, slope, scan, injection time, R², lifetimes, multi-ion marks; parameters, log, rejections",
    unread="counts of each scan; the software's charges are not used without a calibration of their own",
    sniff=sniff,
    group=each_file_a_record("dmt", "cdms"),
    read=read,
)
