"""The tables of the store, version 1.

Types and constraints are those that SQLite and PostgreSQL share. What a document holds is kept as
its canonical bytes; the columns beside it are an index that can be made again from it.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, Integer, LargeBinary, MetaData, Table, Text

metadata = MetaData()


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _text(*names: str) -> list[Column[str]]:
    return [Column(name, Text) for name in names]


def _numbers(*names: str) -> list[Column[float]]:
    return [Column(name, Double) for name in names]


schema_version = Table(
    "schema_version", metadata, Column("version", Integer, primary_key=True, autoincrement=False)
)

chains = Table(
    "chains",
    metadata,
    _key("chain"),  # hash of its first entry: the identity of an output folder
    Column("length", Integer, nullable=False),
    Column("head", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    _key("run"),
    *_text("chain", "actor", "reason", "source", "begun", "ended", "aavqc"),
)

exports = Table(
    "exports",
    metadata,
    _key("chain"),
    _key("path"),
    *_text("sha256", "status", "reason", "record", "job"),
)

methods = Table(
    "methods",
    metadata,
    _key("sha256"),
    *_text("name", "version", "technique"),
    Column("document", LargeBinary, nullable=False),
)

specifications = Table(
    "specifications",
    metadata,
    _key("sha256"),
    *_text("id", "version", "status", "purpose"),
    Column("document", LargeBinary, nullable=False),
)

results = Table(
    "results",
    metadata,
    _key("chain"),
    _key("job"),
    *_text("technique", "method_sha256", "aavqc", "created", "payload_sha256", "file_sha256"),
    Column("payload", LargeBinary, nullable=False),
)

attributes = Table(
    "attributes",
    metadata,
    _key("chain"),
    _key("job"),
    Column("n", Integer, primary_key=True, autoincrement=False),
    *_text("lot", "sample_id", "record", "role", "preparation", "replicate", "status"),
    *_text("technique", "name", "target"),
    *_numbers("value"),
    *_text("unit"),
    *_numbers("ci_low", "ci_high", "coverage"),
    *_text("scope", "qualifier"),
    *_numbers("bound", "lod", "loq"),
)

verdicts = Table(
    "verdicts",
    metadata,
    _key("chain"),
    _key("file"),
    Column("n", Integer, primary_key=True, autoincrement=False),
    *_text("lot", "specification_sha256", "test", "attribute", "technique", "target", "limit"),
    *_text("rounded", "unit", "verdict", "reason"),
)
