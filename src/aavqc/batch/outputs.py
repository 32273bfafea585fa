"""OUT: each file whole or not at all, and nothing in it that depends on the order of work."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from aavqc.batch.tables import RESULT_COLUMNS, VERDICT_COLUMNS, verdict_rows
from aavqc.documents import Manifest, ResultDocument, canonical, digest
from aavqc.errors import UsageError
from aavqc.textfiles import csv_line, to_csv, write_bytes, write_together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aavqc.results import Evaluation

MAX_STEM = 200


class Results(Mapping[str, ResultDocument]):
    """The results of a batch by job, each read from OUT when it is asked for."""

    def __init__(self, out: Path, jobs: Iterable[str]) -> None:
        self._out = out
        self._jobs = dict.fromkeys(sorted(jobs))

    def __getitem__(self, job: str) -> ResultDocument:
        if job not in self._jobs:
            raise KeyError(job)
        return ResultDocument.load(self._out / "results" / f"{job}.json")

    def __iter__(self) -> Iterator[str]:
        return iter(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)


def result_file(job: str) -> str:
    """Return the name of a job's result below OUT."""
    return f"results/{job}.json"


def arrays_file(job: str) -> str:
    """Return the name of the arrays beside it."""
    return f"arrays/{job}.npz"


def save_results(
    out: Path, ended: Mapping[str, tuple[ResultDocument, Mapping[str, NDArray[Any]]]]
) -> tuple[dict[str, str], dict[str, UsageError]]:
    """Write results that ended together; the arrays first, for a result says that its job is done.

    Parameters
    ----------
    out : Path
    ended : mapping of job to document and arrays

    Returns
    -------
    written : dict of file to SHA-256
    failed : dict of job to UsageError
    """
    arrays = {job: npz_bytes(of_it) for job, (_, of_it) in ended.items()}
    written, failed = _written(out, arrays, arrays_file)
    results = {job: canonical(d) + b"\n" for job, (d, _) in ended.items() if job not in failed}
    more, failed_too = _written(out, results, result_file)
    return written | more, failed | failed_too


def _written(
    out: Path, contents: Mapping[str, bytes], name: Callable[[str], str]
) -> tuple[dict[str, str], dict[str, UsageError]]:
    errors = write_together({out / name(job): data for job, data in contents.items()})
    failed = {job: errors[out / name(job)] for job in contents if out / name(job) in errors}
    hashes = {name(j): sha256(data).hexdigest() for j, data in contents.items() if j not in failed}
    return hashes, failed


def write_outputs(
    out: Path,
    manifest: Manifest,
    lines: Iterable[tuple[tuple[str, ...], bytes]],
    evaluations: Sequence[Evaluation],
) -> None:
    """Write evaluations, tables and, last, the manifest."""
    verdicts = []
    for evaluation in evaluations:
        verdicts += verdict_rows(evaluation)
        write_bytes(out / lot_file(evaluation, evaluations), canonical(evaluation) + b"\n")
    ordered = [line for _, line in sorted(lines, key=itemgetter(0))]
    write_bytes(out / "results.csv", b"".join([csv_line(RESULT_COLUMNS).encode(), *ordered]))
    write_bytes(out / "verdicts.csv", to_csv(VERDICT_COLUMNS, verdicts).encode())
    write_bytes(out / "manifest.json", canonical(manifest) + b"\n")


def lot_file(evaluation: Evaluation, among: Sequence[Evaluation]) -> str:
    """Return the name below OUT; a lot judged by several specifications has a file for each."""
    several = sum(e.lot == evaluation.lot for e in among) > 1
    named = (evaluation.lot or "", *((evaluation.specification.id,) if several else ()))
    return f"lots/{_file_stem(*named)}.json"


def _file_stem(*names: str) -> str:
    """Percent-encode names, ``~`` between; what is longer than file systems take is cut, and has a hash."""
    stem = "~".join(quote(name, safe="").replace("~", "%7E") for name in names)
    stem = f"%2E{stem[1:]}" if stem.startswith(".") else stem  # a hidden file is not found
    return stem if len(stem) <= MAX_STEM else f"{stem[: MAX_STEM - 33]}~{digest(names)[:32]}"


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return an ``.npz`` with the same bytes for the same arrays (no dates in it)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name.replace('/', '|')}.npy"), member.getvalue())
    return stream.getvalue()
