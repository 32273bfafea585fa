"""Check that the store says what the files of OUT say: every row is made again and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.batch.recorder import stored_verdicts
from aavqc.documents import Manifest
from aavqc.errors import InputError, VerificationError, quoted
from aavqc.results import Evaluation

if TYPE_CHECKING:
    from aavqc.store import Plain, Row, Store


def check_store(
    store: Store,
    chain: str,
    manifest: Manifest,
    documents: Callable[[], Iterable[tuple[str, str, Plain]]],
    evaluations: Mapping[str, Evaluation],
) -> Iterator[VerificationError]:
    """Yield the first difference of each table from the files.

    Parameters
    ----------
    store : Store
    chain : str
        The audit trail's identity.
    manifest : Manifest
    documents : callable
        Gives job, SHA-256 of the file and content of every result that is as it was written, in
        the order of jobs. The rows of others are not compared.
    evaluations : mapping of file to Evaluation
        Likewise.
    """
    from aavqc.store import attribute_rows, export_rows, method_row, result_row

    jobs: set[str] = set()
    known: dict[str, Row] = {}
    for job, _, document in documents():
        jobs.add(job)
        method = method_row(document["payload"])
        known[method["sha256"]] = method
    altered = set(manifest.jobs) - jobs

    def stored(table: str) -> Iterator[Row]:
        return (row for row in store.rows(table, chain=chain) if row.get("job") not in altered)

    def by_path(rows: Iterable[Row]) -> list[Row]:
        return sorted(rows, key=lambda row: str(row["path"]))  # databases differ in the order of text

    entries = [entry for entry in manifest.evaluations if entry.file in evaluations]
    verdicts = stored_verdicts(entries, [evaluations[entry.file] for entry in entries])
    try:
        exports = by_path(store.rows("exports", chain=chain))
        yield from _differ(store, "exports", by_path(export_rows(manifest)), exports, "path")
        results = (result_row(document, job, sha256) for job, sha256, document in documents())
        yield from _differ(store, "results", results, stored("results"), "job")
        attributes = (row for job, _, d in documents() for row in attribute_rows(d["payload"], job))
        yield from _differ(store, "attributes", attributes, stored("attributes"), "job")
        for sha256, method in sorted(known.items()):
            yield from _differ(store, "methods", [method], store.rows("methods", sha256=sha256), "name")
        for file in sorted(evaluations):
            expected = [row for row in verdicts if row["file"] == file]
            found = store.rows("verdicts", chain=chain, file=file)
            yield from _differ(store, "verdicts", expected, found, "test")
    except InputError as error:
        yield altered_store(error)


def altered_store(error: InputError) -> VerificationError:
    """Return the finding for a store that can't be read."""
    return VerificationError(
        "altered bytes: the store can't be read", file=Path(error.file or "").name, found=error.found
    )


def _differ(
    store: Store, table: str, expected: Iterable[Row], found: Iterable[Row], label: str
) -> Iterator[VerificationError]:
    """Yield the first column of the first row that is not as expected."""
    from aavqc.store import storable

    name = Path(store.name).name
    for row, stored in zip_longest(expected, found):
        if row is None or stored is None:
            kind = "added to" if row is None else "taken from"
            yield VerificationError(
                f"altered bytes: a row {kind} {table}", file=name, found=(row or stored or {}).get(label)
            )
            return
        for column, value in storable(row).items():
            if stored[column] != value:
                yield VerificationError(
                    f"altered bytes: {table}.{column} of {row[label]}",
                    file=name,
                    expected=_shown(value),
                    found=_shown(stored[column]),
                )
                return


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return quoted(value)
