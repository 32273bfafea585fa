"""Write OUT: each file whole or not at all, and nothing in it that depends on the order of work."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from aavqc.batch.tables import RESULT_COLUMNS, VERDICT_COLUMNS, result_rows, to_csv, verdict_rows
from aavqc.documents import Manifest, ResultDocument, canonical, digest
from aavqc.textfiles import write_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aavqc.results import Evaluation

MAX_STEM = 200


def write_outputs(
    out: Path,
    manifest: Manifest,
    results: Mapping[str, ResultDocument],
    arrays: Mapping[str, Mapping[str, NDArray[Any]]],
    evaluations: Sequence[Evaluation],
) -> None:
    """Write results, arrays, evaluations, tables and, last, the manifest."""
    rows = []
    for job, document in results.items():
        document.save(out / "results" / f"{job}.json")
        write_bytes(out / "arrays" / f"{job}.npz", npz_bytes(arrays.get(job, {})))
        rows += result_rows(document.payload, job)
    verdicts = []
    for evaluation in evaluations:
        verdicts += verdict_rows(evaluation)
        write_bytes(out / lot_file(evaluation, evaluations), canonical(evaluation) + b"\n")
    rows.sort(key=lambda row: tuple(str(row[c]) for c in ("lot", "sample_id", "technique", "run_id")))
    write_bytes(out / "results.csv", to_csv(RESULT_COLUMNS, rows).encode())
    write_bytes(out / "verdicts.csv", to_csv(VERDICT_COLUMNS, verdicts).encode())
    write_bytes(out / "manifest.json", canonical(manifest) + b"\n")


def lot_file(evaluation: Evaluation, among: Sequence[Evaluation]) -> str:
    """Return the name below OUT; a lot judged by several specifications has a file for each."""
    several = sum(e.lot == evaluation.lot for e in among) > 1
    lot = f"{evaluation.lot or ''}~{evaluation.specification.id}" if several else evaluation.lot or ""
    return f"lots/{_file_stem(lot)}.json"


def _file_stem(lot: str) -> str:
    """Percent-encode a lot; one longer than file systems take is cut and told apart by its hash."""
    stem = quote(lot, safe="~ ")
    stem = f"%2E{stem[1:]}" if stem.startswith(".") else stem  # a hidden file is not found
    return stem if len(stem) <= MAX_STEM else f"{stem[: MAX_STEM - 33]}~{digest(lot)[:32]}"


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return an ``.npz`` with the same bytes for the same arrays (no dates in it)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name.replace('/', '|')}.npy"), member.getvalue())
    return stream.getvalue()
