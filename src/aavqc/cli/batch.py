"""``demo`` and ``batch``: from a folder to verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from aavqc.cli.judging import FailOn, LinksFile, OtherResults, final, narrow, narrowed_to, to_json
from aavqc.cli.output import LogJson, command, data_channel, talk
from aavqc.cli.run_batch import run_batch, where_jobs_run
from aavqc.errors import InputError, UsageError


@command
def demo(
    out: Annotated[str, typer.Option("--out", help="Where to put the lot and its results.")] = "aavqc-demo",
) -> int:
    """Run the example lot end to end: exports, results, evaluation."""
    import shutil

    from aavqc.example import carried

    target = Path(out)
    with carried("example_lot") as lot, carried("specifications") as specifications:
        _refuse_edited(lot, target / "lot")
        _refuse_edited(specifications, target / "specifications")
        shutil.copytree(lot, target / "lot", dirs_exist_ok=True)
        shutil.copytree(specifications, target / "specifications", dirs_exist_ok=True)
    talk(f"the example lot is in {target / 'lot'}")
    with data_channel() as channel, where_jobs_run(0) as executor:
        report = run_batch(target / "lot", target / "results", executor=executor)
        channel.write("".join(f"{evaluation}\n" for evaluation in report.evaluations))
    return report.exit_code


def _refuse_edited(carried: Path, there: Path) -> None:
    """Refuse to write over a file that someone has changed."""
    for path in sorted(carried.rglob("*")):
        copy = there / path.relative_to(carried)
        if path.is_file() and copy.is_file() and copy.read_bytes() != path.read_bytes():
            raise UsageError(
                "changed since the demo wrote it",
                file=str(copy),
                expected="the example as the package carries it",
                hint="choose another --out, or move the file; `aavqc batch` runs a lot with changes",
            )


@command
def batch(
    folder: Annotated[str, typer.Argument(help="Folder of exports; it is never written to.")],
    out: Annotated[str, typer.Option("--out", help="Output folder, outside FOLDER.")],
    samples: Annotated[str | None, typer.Option("--samples", help="Sample sheet or layout.")] = None,
    methods: Annotated[list[str] | None, typer.Option("--method", help="Method, one a technique.")] = None,
    specs: Annotated[list[str] | None, typer.Option("--spec", help="Specification.")] = None,
    other: OtherResults = None,
    links: LinksFile = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="0: one a core.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of each worker.")] = 1,
    memory: Annotated[
        float | None,
        typer.Option("--memory", min=0.1, help="GB that all workers may take; default half of it all."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", help="Run on this dask.distributed scheduler: tcp://host:port."),
    ] = None,
    watched: Annotated[bool, typer.Option("--watch", help="Go on as files arrive, until Ctrl-C.")] = False,
    actor: Annotated[str | None, typer.Option("--actor", help="Who runs this.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.")] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="URL of the database of results; default OUT/aavqc.sqlite."),
    ] = None,
    fail_on: FailOn = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    log_json: LogJson = False,
) -> int:
    """Analyze and judge all exports below a folder. A bad file does not stop the rest."""
    narrowed = narrowed_to(fail_on)
    if watched and as_json:
        raise UsageError("--watch", expected="without --json, which prints one document at the end")
    options: dict[str, Any] = {"samples": samples, "methods": methods or [], "specification": specs or None}
    options |= {"memory": None if memory is None else int(memory * 1e9), "store": store}
    options |= {"other": other or (), "links": links}
    options |= {"actor": actor, "reason": reason}
    with data_channel() as channel, where_jobs_run(workers, threads, scheduler) as executor:
        from aavqc.batch.summary import BatchDocument

        for _ in _passes(Path(folder), watched):
            try:
                report = run_batch(folder, out, executor=executor, **options)
            except (UsageError, InputError) as error:
                if not watched:
                    raise
                talk(f"error: {error}")  # of a sample sheet that is being edited, say
                continue
            if as_json:
                code = narrow(report.exit_codes, report.exit_code, narrowed)
                channel.write(to_json(BatchDocument.of(report, code)))
            else:
                channel.write("".join(f"{evaluation}\n" for evaluation in report.evaluations))
            channel.flush()
    return final(report.exit_codes, report.exit_code, narrowed)


def _passes(folder: Path, watched: bool) -> Iterable[None]:
    """Once, or with ``--watch`` whenever the folder has changed."""
    if not watched:
        return [None]
    from aavqc.batch.watch import changes

    return changes(folder)
