"""One job: read an export, analyze it, return the bytes of its result.

A job is run in this process or in a worker; it is a function of its own fields alone.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aavqc.analysis import analyze_record
from aavqc.documents import Method, Payload, ResultDocument, SheetRow, digest
from aavqc.errors import AavqcError
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


@dataclass(frozen=True)
class Done:
    """What became of a job: a result, or the error that ended it.

    ``bug`` holds the traceback of an error that is not the input's fault.
    """

    record: str
    document: ResultDocument | None = None
    arrays: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    error: AavqcError | None = None
    bug: str | None = None


def job_id(payload: Payload) -> str:
    """Return a job's identity: a hash of inputs, method and algorithms, 32 hex digits."""
    parts: dict[str, Any] = payload.model_dump(mode="json", include={"inputs", "method", "algorithms"})
    return digest(parts)[:32]


def run_job(job: Job) -> Done:
    """Run one job; no error leaves it, so that the rest of a batch goes on."""
    try:
        record = read_export(job.export)
        result = analyze_record(record, job.method, rows=job.rows)
        return Done(job.export.name, result.document(job.actor, job.reason), result.arrays)
    except AavqcError as error:
        return Done(job.export.name, error=error)
    except Exception:  # a bug in one analysis must not cost the others  # noqa: BLE001
        return Done(job.export.name, bug=traceback.format_exc())
