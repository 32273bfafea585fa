"""What an earlier run finished: results in OUT that hold as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from aavqc import __version__
from aavqc.batch.jobs import Done, Job, job_id, key_of
from aavqc.batch.recorder import Recorder
from aavqc.documents import ResultDocument
from aavqc.errors import AavqcError
from aavqc.fingerprint import numerical_platform


def finished(recorder: Recorder, jobs: Iterable[Job]) -> Iterator[Done]:
    """Yield what became of the jobs whose results lie in OUT, with nothing computed.

    A result holds where it is of the same bytes, the same method with all its settings, and the
    same versions of this library and of those that its numbers come from, and is with its arrays
    what the audit trail says was written. Any other is left alone, and its job runs.
    """
    paths = sorted((recorder.out / "results").glob("*.json"))
    wanted = {job.key: job for job in jobs} if paths else {}
    for path in paths:
        document = _as_written(path) if recorder.intact(path.stem) else None
        if document is None:
            continue
        job = wanted.pop(key_of(document.payload), None)
        if job is not None:
            yield Done(job.export.name, document, kept=True)


def _as_written(path: Path) -> ResultDocument | None:
    try:
        document = ResultDocument.load(path)
    except AavqcError:
        return None
    envelope = document.envelope
    current = envelope.aavqc == __version__ and envelope.platform.versions == numerical_platform().versions
    return document if current and job_id(document.payload) == path.stem else None
