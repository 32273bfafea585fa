"""One job: read an export, analyze it, return the bytes of its result.

A job is run in this process or in a worker; it is a function of its own fields alone.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aavqc.analysis import analyze_record, method_used
from aavqc.documents import Method, Payload, ResultDocument, SheetRow, digest
from aavqc.errors import AavqcError, InputError
from aavqc.parsers import Export, read_export

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Job:
    """An export with the method and the sample sheet's rows that apply to it."""

    export: Export
    method: Method
    rows: tuple[SheetRow, ...] = ()
    actor: str | None = None
    reason: str | None = None

    @property
    def key(self) -> str:
        """What is known of the result's identity before the analysis: its inputs and its method."""
        used = method_used(self.export.technique, self.method, rows=self.rows)
        inputs = sorted((f.input for f in self.export.files), key=lambda i: i.name.encode())
        return digest({"inputs": [[i.name, i.sha256] for i in inputs], "method": used.model_dump()})


@dataclass(frozen=True)
class Done:
    """What became of a job: a result, or the error that ended it.

    ``job`` is the identity of a result, see :func:`job_id`. ``bug`` holds the traceback of an error
    that is not the input's fault. A result that was ``kept`` was found finished in OUT: nothing was
    computed.
    """

    record: str
    job: str = ""
    document: ResultDocument | None = None
    arrays: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    error: AavqcError | None = None
    bug: str | None = None
    kept: bool = False


def job_id(payload: Payload) -> str:
    """Return a job's identity: a hash of inputs, method and algorithms, 32 hex digits."""
    parts: dict[str, Any] = payload.model_dump(mode="json", include={"inputs", "method", "algorithms"})
    return digest(parts)[:32]


def key_of(payload: Mapping[str, Any]) -> str:
    """Return the key of the job that a result, as JSON has it, came from: see :attr:`Job.key`."""
    inputs = [[i["name"], i["sha256"]] for i in payload["inputs"]]
    return digest({"inputs": inputs, "method": payload["method"]})


def run_job(job: Job) -> Done:
    """Run one job; no error leaves it, so that the rest of a batch goes on.

    The files are hashed again after they were read: bytes that are not those that the batch
    listed (a share that another program writes to, another disk on another machine) give no
    result.
    """
    try:
        try:
            record = read_export(job.export)
        finally:
            _refuse_other_bytes(job.export)
        result = analyze_record(record, job.method, rows=job.rows)
        document = result.document(job.actor, job.reason)
        return Done(job.export.name, job_id(document.payload), document, result.arrays)
    except AavqcError as error:
        return Done(job.export.name, error=error)
    except MemoryError:
        too_large = InputError("needs more memory than there is", file=job.export.files[0].name)
        return Done(job.export.name, error=too_large)
    except (Exception, SystemExit):  # a bug in one analysis must not cost the others  # noqa: BLE001
        return Done(job.export.name, bug=traceback.format_exc())


def _refuse_other_bytes(export: Export) -> None:
    for file in export.files:
        found = file.stored_sha256()
        if found != file.sha256:
            raise InputError(
                "other bytes than the batch listed",
                file=file.name,
                expected=f"sha256 {file.sha256[:16]}…",
                found=f"{found[:16]}…",
                hint="it was written to meanwhile, or a worker sees another disk: run the batch again",
            )
