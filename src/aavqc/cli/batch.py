"""``demo``, ``batch`` and ``check``: from a folder to verdicts."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from aavqc.cli.output import LogJson, command, data_channel, talk, talk_flag
from aavqc.errors import EXIT_BUG, EXIT_OK, InputError, UsageError, worst_exit

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from aavqc.batch import BatchReport
    from aavqc.batch.jobs import Done
    from aavqc.documents import Document
    from aavqc.results import Specification

FAIL_ON = {"oos": 1, "invalid": 4, "input": 3, "incomplete": 5}


OtherResults = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option("--other", help="Results from elsewhere, CSV or JSON."),
]
LinksFile = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--links", help="Retests and manual changes, TOML."),
]
FailOn = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option("--fail-on", help="Comma list of oos, invalid, input, incomplete."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command()(demo)
    app.command()(batch)
    app.command()(check)


@command
def demo(
    out: Annotated[str, typer.Option("--out", help="Where to put the lot and its results.")] = "aavqc-demo",
) -> int:
    """Run the example lot end to end: exports, results, evaluation."""
    import shutil
    from importlib.resources import as_file, files

    target = Path(out)
    beside_sources = Path(__file__).parents[3] / "data"  # of an editable install
    for name, to in (("example_lot", "lot"), ("specifications", "specifications")):
        with as_file(files("aavqc") / f"_{name}") as carried:
            source = carried if carried.is_dir() else beside_sources / name
            shutil.copytree(source, target / to, dirs_exist_ok=True)
    talk(f"the example lot is in {target / 'lot'}")
    with data_channel() as channel, _executor(0) as executor:
        report = _run_batch(target / "lot", target / "results", executor=executor)
        channel.write("".join(f"{evaluation}\n" for evaluation in report.evaluations))
    return report.exit_code


@command
def batch(
    folder: Annotated[str, typer.Argument(help="Folder of exports; it is never written to.")],
    out: Annotated[str, typer.Option("--out", help="Output folder, outside FOLDER.")],
    samples: Annotated[Optional[str], typer.Option("--samples", help="Sample sheet or layout.")] = None,  # noqa: UP045
    methods: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--method", help="Method, one a technique."),
    ] = None,
    specs: Annotated[Optional[list[str]], typer.Option("--spec", help="Specification.")] = None,  # noqa: UP045
    other: OtherResults = None,
    links: LinksFile = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="0: one a core.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of each worker.")] = 1,
    memory: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--memory", min=0.1, help="GB that all workers may take; default half of it all."),
    ] = None,
    scheduler: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--scheduler", help="Run on this dask.distributed scheduler: tcp://host:port."),
    ] = None,
    watched: Annotated[bool, typer.Option("--watch", help="Go on as files arrive, until Ctrl-C.")] = False,
    actor: Annotated[Optional[str], typer.Option("--actor", help="Who runs this.")] = None,  # noqa: UP045
    reason: Annotated[Optional[str], typer.Option("--reason", help="Why.")] = None,  # noqa: UP045
    store: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--store", help="URL of the database of results; default OUT/aavqc.sqlite."),
    ] = None,
    fail_on: FailOn = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    log_json: LogJson = False,
) -> int:
    """Analyze and judge everything below a folder; a bad file does not stop the rest."""
    narrowed = _narrowed(fail_on)
    if watched and as_json:
        raise UsageError("--watch", expected="without --json, which prints one document at the end")
    options: dict[str, Any] = {"samples": samples, "methods": methods or [], "specification": specs or None}
    options |= {"memory": None if memory is None else int(memory * 1e9), "store": store}
    options |= {"other": other or (), "links": links}
    options |= {"actor": actor, "reason": reason}
    with data_channel() as channel, _executor(workers, threads, scheduler) as executor:
        from aavqc.batch.summary import BatchDocument

        for _ in _passes(Path(folder), watched):
            try:
                report = _run_batch(folder, out, executor=executor, **options)
            except (UsageError, InputError) as error:
                if not watched:
                    raise
                talk(f"error: {error}")  # of a sample sheet that is being edited, say
                continue
            if as_json:
                channel.write(_json(BatchDocument.of(report)))
            else:
                channel.write("".join(f"{evaluation}\n" for evaluation in report.evaluations))
            channel.flush()
    return _final(report.exit_codes, report.exit_code, narrowed)


@command
def check(
    paths: Annotated[list[str], typer.Argument(help="Result documents, or one OUT folder.")],
    specs: Annotated[
        list[str], typer.Option("--spec", help="Specification, several, or a folder of their versions.")
    ],
    other: OtherResults = None,
    links: LinksFile = None,
    tested: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--tested", help="Date of test: judge by the versions in force."),
    ] = None,
    manufactured: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--manufactured", help="Date of manufacture, likewise."),
    ] = None,
    fail_on: FailOn = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The certificate table as CSV.")] = False,
    log_json: LogJson = False,
) -> int:
    """Judge results that exist already against specifications."""
    narrowed = _narrowed(fail_on)
    with data_channel() as channel:
        from aavqc.batch.jobs import job_id
        from aavqc.batch.judge import judge_results
        from aavqc.documents import ResultDocument
        from aavqc.results import Evaluations, Links, load_results

        specifications = _specifications(specs, tested, manufactured)
        files, lots = _result_files(paths)
        loaded = [ResultDocument.load(f) for f in files]
        evaluations = judge_results(
            {job_id(document.payload): document.payload for document in loaded},
            specifications,
            lots=lots,
            other=load_results(*other or []),
            links=Links.load(links) if links else None,
        )
        if as_json:
            several = Evaluations(schema="aavqc.evaluations/1", evaluations=evaluations)
            channel.write(_json(evaluations[0] if len(evaluations) == 1 else several))
        elif as_csv:
            for i, evaluation in enumerate(evaluations):
                channel.write(evaluation.certificate.to_csv(header=i == 0))
        else:
            channel.write("".join(f"{evaluation}\n" for evaluation in evaluations))
    codes = Counter(e.exit_code for e in evaluations)
    return _final(codes, worst_exit(set(codes)), narrowed)


def _specifications(paths: list[str], tested: str | None, manufactured: str | None) -> list[Specification]:
    """Load specifications; with a date, those of them that were in force."""
    from aavqc.results import Specification, select

    files: list[Path] = []
    for path in map(Path, paths):
        inside = [p for p in path.iterdir() if p.suffix in (".toml", ".json")] if path.is_dir() else [path]
        files += sorted(inside)
    if not files:
        raise InputError("no specification in it", file=", ".join(paths), expected=".toml or .json")
    specifications = [Specification.load(path) for path in files]
    if tested is None and manufactured is None:
        return specifications
    return select(
        specifications,
        tested=_day("--tested", tested),
        manufactured=_day("--manufactured", manufactured),
    )


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(option, expected="a date such as 2026-03-01", found=repr(text)) from None


def _result_files(paths: list[str]) -> tuple[list[Path], dict[str, list[Specification]]]:
    """Return the result documents of the paths, and the lots that an OUT's manifest names."""
    from aavqc.documents import Manifest

    files: list[Path] = []
    lots: dict[str, list[Specification]] = {}
    for text in paths:
        path = Path(text)
        if not path.exists():
            raise InputError("no such file or folder", file=text)
        if path.is_file():
            files.append(path)
            continue
        if not (path / "manifest.json").exists():
            raise InputError(
                "no output folder of a batch", file=text, expected="manifest.json", found="none in it"
            )
        manifest = Manifest.load(path / "manifest.json")
        jobs = sorted({f.job for f in manifest.files if f.job})
        files += [path / "results" / f"{job}.json" for job in jobs]
        lots |= {e.lot: [] for e in manifest.evaluations if e.lot and jobs}
    return files, lots


def _passes(folder: Path, watched: bool) -> Iterable[None]:
    """Once, or with ``--watch`` whenever the folder has changed."""
    if not watched:
        return [None]
    from aavqc.batch.watch import changes

    return changes(folder)


def _run_batch(folder: str | Path, out: str | Path, **options: Any) -> BatchReport:
    """Run a batch, show its progress, and say what it came to."""
    from aavqc.batch import run

    with _progress() as on_done:
        report = run(folder, out, on_done=on_done, **options)
    for error in report.errors:
        talk(f"failed: {error}", logging.ERROR, error=error.document()["error"])
    for trace in report.bugs:
        talk(f"a bug in aavqc, please report it:\n{trace}", logging.ERROR, exit=EXIT_BUG)
    for problem in report.manifest.problems:
        talk(f"sample sheet: {problem}", logging.WARNING)
    for payload in report.payloads.values():
        for sample in payload.samples:
            for flag in sample.flags:
                if flag.severity != "info":
                    talk_flag(sample, flag)
    status = Counter(entry.status for entry in report.manifest.files)
    talk(
        f"files: {status['used']} used, {status['ignored']} ignored, {status['failed']} failed; "
        f"results: {len(report.payloads)} in {report.out / 'results'}"
        + (f", {report.kept} of them from before, nothing computed again" if report.kept else "")
    )
    for evaluation in report.evaluations:
        talk(
            f"lot {evaluation.lot}: {evaluation.overall} by specification {evaluation.specification.id}",
            lot=evaluation.lot,
            overall=evaluation.overall,
            specification=evaluation.specification.id,
        )
    _report(report.out, options["executor"])
    return report


def _report(out: Path, executor: Executor | None) -> None:
    """Write the reports of lots whose results changed; results stand whatever becomes of these."""
    from aavqc.batch.pool import LocalPool
    from aavqc.report.write import write_reports

    local = executor if isinstance(executor, LocalPool) else None  # a cluster need not see OUT
    try:
        written = write_reports(out, changed=True, executor=local)
    except Exception as error:  # a report costs no result, and verdicts alone set the exit code  # noqa: BLE001
        talk(f"no report: {type(error).__name__}: {error}; `aavqc report {out}` tries again")
    else:
        talk(f"report: {written.index}")


def _final(codes: Counter[int], code: int, narrowed: set[int] | None) -> int:
    """Print every count, and end with the one that stands for all."""
    names = {1: "OOS", 2: "usage", 3: "unreadable", 4: "invalid", 5: "incomplete", 70: "bug"}
    counted = ", ".join(f"{names.get(c, c)} {n}" for c, n in sorted(codes.items()) if c != EXIT_OK and n)
    if counted:
        talk(f"counts: {counted}", counts={str(c): n for c, n in sorted(codes.items()) if n})
    if narrowed is None:
        return code
    return worst_exit({c for c in codes if c in narrowed})


def _narrowed(fail_on: str | None) -> set[int] | None:
    if fail_on is None:
        return None
    words = [word.strip().lower() for word in fail_on.split(",") if word.strip()]
    unknown = [word for word in words if word not in FAIL_ON]
    if unknown:
        raise UsageError("--fail-on", expected=", ".join(FAIL_ON), found=", ".join(unknown))
    return {FAIL_ON[word] for word in words} | {2, 6, 70}


def _json(document: Document) -> str:
    return json.dumps(document.model_dump(mode="json", by_alias=True), ensure_ascii=False) + "\n"


@contextmanager
def _executor(workers: int, threads: int = 1, scheduler: str | None = None) -> Iterator[Executor | None]:
    """Yield where jobs run: a cluster, a pool, or with one worker this process."""
    if scheduler is not None:
        from aavqc.batch.cluster import cluster

        with cluster(scheduler) as remote:
            yield remote
    elif workers == 1:
        yield None
    else:
        from aavqc.batch.pool import local_pool

        with local_pool(workers or os.cpu_count() or 1, threads) as pool:
            yield pool


@contextmanager
def _progress() -> Iterator[Callable[[Done, int, int], None] | None]:
    """Yield what shows progress: a bar on a terminal; elsewhere the library's log has a line a job."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("analyzing", total=None)

        def step(done: Done, n: int, total: int) -> None:
            bar.update(task, total=total, completed=n, description=done.record[:40])

        yield step
