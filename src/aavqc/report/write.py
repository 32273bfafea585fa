"""The reports of a batch's OUT, made of its documents alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from aavqc.documents import EvaluationEntry, FileEntry, Manifest, ResultDocument
from aavqc.errors import InputError
from aavqc.report.arrays import Arrays, load_arrays
from aavqc.report.html import to_html
from aavqc.report.index import index_page, page_name
from aavqc.report.lot import lot_page, source
from aavqc.results import Evaluation
from aavqc.textfiles import write_bytes


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the reports.

    Attributes
    ----------
    index : Path
    made, kept : int
        Reports of lots that were written, and that were there already of the same results.
    """

    index: Path
    made: int
    kept: int


def write_reports(
    out: str | Path, *, changed: bool = False, pdf: bool = False, executor: Executor | None = None
) -> Written:
    """Write the index and the report of each lot of a batch's OUT to ``OUT/report``.

    Parameters
    ----------
    out : path
        Output folder of a batch.
    changed : bool
        Keep the reports that were made of the same results; else each is made anew.
    pdf : bool
        Write each report of a lot as PDF too.
    executor : concurrent.futures.Executor, optional
        Where reports of lots are made; it needs to see ``out``.

    Raises
    ------
    InputError
        OUT is no output folder of a batch, or a document in it is not what was written.
    UsageError
        A report can't be written, or PDF is wanted and its library is not there.

    Examples
    --------
    >>> write_reports("nowhere")
    Traceback (most recent call last):
    aavqc.errors.InputError: nowhere: no output folder of a batch: expected manifest.json, found none in it
    """
    out = Path(out)
    manifest = Manifest.of_batch(out)
    evaluations = [Evaluation.load(out / entry.file) for entry in manifest.evaluations]
    index = out / "report" / "index.html"
    write_bytes(index, to_html(index_page(manifest, evaluations)))
    make = partial(_write_lot, out, changed=changed, pdf=pdf)
    tasks = list(_tasks(out, manifest))
    if executor is None or len(tasks) < 2:
        made = [make(*task) for task in tasks]
    else:
        futures: list[Future[bool]] = [executor.submit(make, *task) for task in tasks]
        made = [future.result() for future in futures]
    return Written(index, sum(made), len(made) - sum(made))


class _Arrays(Mapping[str, Arrays]):
    """Arrays by job, each read when it is drawn from: a lot may have thousands."""

    def __init__(self, folder: Path, jobs: list[str]) -> None:
        self._folder = folder
        self._jobs = jobs

    def __getitem__(self, job: str) -> Arrays:
        return load_arrays(self._folder / f"{job}.npz")

    def __iter__(self) -> Iterator[str]:
        return iter(self._jobs)

    def __len__(self) -> int:
        return len(self._jobs)


def can_write_pdf() -> bool:
    """Tell whether the library that writes PDF is installed (``pip install 'aavqc[pdf]'``)."""
    return find_spec("fpdf") is not None


def _tasks(out: Path, manifest: Manifest) -> Iterator[tuple[EvaluationEntry, list[str], Manifest]]:
    """Yield each lot with its jobs, and what of the manifest is about them."""
    jobs = manifest.jobs
    lots = {job: _lots_of(out / "results" / f"{job}.json") for job in jobs}
    assigned = any(lots.values())
    by_job: dict[str, list[FileEntry]] = {}
    left: dict[PurePosixPath, list[FileEntry]] = {}
    for entry in manifest.files:
        if entry.job is not None:
            by_job.setdefault(entry.job, []).append(entry)
        elif entry.status != "used":
            left.setdefault(PurePosixPath(entry.path).parent, []).append(entry)
    of_lot: dict[str | None, list[str]] = {}
    for job in jobs:
        for lot in lots[job]:
            of_lot.setdefault(lot, []).append(job)
    for evaluated in manifest.evaluations:
        own = of_lot.get(evaluated.lot, []) if assigned else jobs
        files = [entry for job in own for entry in by_job[job]]
        folders = dict.fromkeys(folder for entry in files for folder in PurePosixPath(entry.path).parents)
        files += [entry for folder in folders for entry in left.get(folder, [])]
        files.sort(key=lambda entry: entry.path.encode())
        yield evaluated, own, Manifest(schema="aavqc.manifest/1", files=files, problems=[])


def _lots_of(path: Path) -> frozenset[str]:
    """Return the lots of a result's samples; its document is checked when it is used."""
    try:
        payload = json.loads(path.read_bytes())["payload"]
        return frozenset(s["lot"] for s in payload["samples"] if s["lot"] is not None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError("no result document", file=path.name, found=str(error)[:80]) from error


def _write_lot(
    out: Path, entry: EvaluationEntry, jobs: list[str], files: Manifest, *, changed: bool, pdf: bool
) -> bool:
    """Write the report of a lot, and tell whether it was made or kept."""
    evaluation = Evaluation.load(out / entry.file)
    documents = {job: ResultDocument.load(out / "results" / f"{job}.json") for job in jobs}
    path = out / "report" / f"{page_name(entry)}.html"
    if changed and _made_of(path, source(evaluation, documents, files)):
        return False
    page = lot_page(evaluation, documents, _Arrays(out / "arrays", jobs), files)
    write_bytes(path, to_html(page))
    if pdf:
        from aavqc.report.pdf import to_pdf

        write_bytes(path.with_suffix(".pdf"), to_pdf(page))
    return True


def _made_of(path: Path, sha256: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return f'name="aavqc-source" content="{sha256}"'.encode() in stream.read(4096)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", file=path.name) from error
