"""The manifest: a row for every file seen, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aavqc.batch.outputs import lot_file
from aavqc.documents import EvaluationEntry, FileEntry, Manifest
from aavqc.errors import AavqcError
from aavqc.parsers import FileRow
from aavqc.results import Evaluation


def make_manifest(
    files: Sequence[FileRow],
    problems: Sequence[str],
    of_lots: Mapping[str | None, Sequence[str]],
    job_of: Mapping[str, str],
    failed: Mapping[str, str],
    errors: Iterable[AavqcError],
    evaluations: Sequence[Evaluation],
) -> Manifest:
    """Return the manifest of a batch.

    Parameters
    ----------
    files : sequence of FileRow
        Every file seen.
    problems : sequence of str
        What of the sample sheet does not fit the exports.
    of_lots : mapping of lot to problems
        Those of the lot's own rows.
    job_of : mapping of record to job
        Of records that gave a result.
    failed : mapping of record to reason
    errors : iterable of AavqcError
        They name the files at fault.
    evaluations : sequence of Evaluation
    """
    return Manifest(
        schema="aavqc.manifest/1",
        files=_file_entries(files, job_of, failed, errors),
        problems=list(problems),
        evaluations=[
            EvaluationEntry(
                lot=e.lot,
                specification=e.specification.id,
                overall=e.overall,
                file=lot_file(e, evaluations),
                problems=list(of_lots.get(e.lot, ())),
            )
            for e in evaluations
        ],
    )


def _file_entries(
    files: Sequence[FileRow],
    job_of: Mapping[str, str],
    failed: Mapping[str, str],
    errors: Iterable[AavqcError],
) -> list[FileEntry]:
    """A row a file; of a record that failed, the file at fault is failed and the rest are not used."""
    named = {e.file for e in errors if e.file}
    blamed = {row.record for row in files if row.name in named}
    entries = []
    for row in files:
        status, reason = row.status, row.reason
        if row.record is not None and row.record in failed:
            culprit = row.name in named or row.record not in blamed
            status = "failed" if culprit else "ignored"
            reason = failed[row.record] if culprit else f"record failed: {failed[row.record]}"
        entries.append(
            FileEntry(
                path=row.name,
                sha256=row.sha256,
                status=status,
                reason=reason,
                record=row.record,
                job=job_of.get(row.record) if row.record else None,
            )
        )
    return entries
