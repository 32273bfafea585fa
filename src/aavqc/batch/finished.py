"""What an earlier run finished: results in OUT that hold as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aavqc import __version__
from aavqc.batch.jobs import Done, Job, key_of
from aavqc.batch.recorder import Recorder
from aavqc.documents import ResultDocument
from aavqc.fingerprint import numerical_platform


def finished(recorder: Recorder, jobs: Iterable[Job]) -> Iterator[Done]:
    """Yield what became of the jobs whose results lie in OUT, with nothing computed.

    A result holds where it is of the same bytes, the same method with all its settings, and the
    same versions of this library and of those that its numbers come from, and is with its arrays
    what the audit trail says was written. Any other is left alone, and its job runs.
    """
    paths = sorted((recorder.out / "results").glob("*.json"))
    wanted = {job.key: job for job in jobs} if paths else {}
    now = (__version__, numerical_platform().versions) if paths else None
    for path in paths:
        found = recorder.as_written(path.stem)
        if found is None:
            continue
        made = found["envelope"]
        key = key_of(found["payload"]) if (made["aavqc"], made["platform"]["versions"]) == now else ""
        job = wanted.pop(key, None)
        if job is not None:
            document = ResultDocument.model_validate(found)
            yield Done(job.export.name, path.stem, document, kept=True)
