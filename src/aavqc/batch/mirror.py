"""Check that the store says what the files of OUT say: every row is made again and compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aavqc.batch.recorder import stored_verdicts
from aavqc.documents import Manifest, ResultDocument
from aavqc.errors import InputError, VerificationError
from aavqc.results import Evaluation

if TYPE_CHECKING:
    from aavqc.store import Row, Store


def check_store(
    store: Store,
    chain: str,
    manifest: Manifest,
    documents: Iterable[tuple[str, str, ResultDocument]],
    evaluations: Mapping[str, Evaluation],
) -> Iterator[VerificationError]:
    """Yield what the store says otherwise than the files.

    Parameters
    ----------
    store : Store
    chain : str
        The audit trail's identity.
    manifest : Manifest
    documents : iterable of (job, sha256 of the file, document)
    evaluations : mapping of file to Evaluation
        Where one could not be read, its rows are not compared.
    """
    from aavqc.store import attribute_rows, export_rows, method_row, result_row

    known = {}
    try:
        yield from _differ(store, "exports", export_rows(manifest), "path", chain=chain)
        for job, sha256, document in documents:
            payload = document.payload
            yield from _differ(
                store, "results", [result_row(document, job, sha256)], "job", chain=chain, job=job
            )
            yield from _differ(store, "attributes", attribute_rows(payload, job), "n", chain=chain, job=job)
            method = method_row(payload)
            known[method["sha256"]] = method
        for sha256, method in sorted(known.items()):
            yield from _differ(store, "methods", [method], "name", sha256=sha256)
        read = [entry for entry in manifest.evaluations if entry.file in evaluations]
        rows = stored_verdicts(read, [evaluations[entry.file] for entry in read])
        for entry in read:
            expected = [row for row in rows if row["file"] == entry.file]
            yield from _differ(store, "verdicts", expected, "test", chain=chain, file=entry.file)
    except InputError as error:
        yield altered_store(error)


def altered_store(error: InputError) -> VerificationError:
    """Return the finding for a store that can't be read."""
    return VerificationError(
        "altered bytes: the store can't be read", file=Path(error.file or "").name, found=error.found
    )


def _differ(
    store: Store, table: str, expected: list[Row], label: str, **where: str
) -> Iterator[VerificationError]:
    """Yield the first column of the first row that is not as expected."""
    found = store.rows(table, **where)
    keys = store.key(table)
    expected = sorted(expected, key=lambda row: tuple(row[k] for k in keys if k in row))
    for row, stored in zip(expected, found, strict=False):
        for column, value in row.items():
            if stored[column] != value:
                yield VerificationError(
                    f"altered bytes: {table}.{column} of {row[label]}",
                    file=Path(store.name).name,
                    expected=_shown(value),
                    found=_shown(stored[column]),
                )
                return
    if len(found) != len(expected):
        yield VerificationError(
            f"altered bytes: rows of {table} were added or removed",
            file=Path(store.name).name,
            expected=f"{len(expected)} for {', '.join(where.values())}",
            found=str(len(found)),
        )


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}…"
