"""``check``: results that exist already, judged against specifications."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aavqc.cli.judging import FailOn, LinksFile, OtherResults, final, narrowed_to, to_json
from aavqc.cli.output import LogJson, command, data_channel
from aavqc.errors import InputError, UsageError, worst_exit

if TYPE_CHECKING:
    from aavqc.results import Specification


@command
def check(
    paths: Annotated[list[str], typer.Argument(help="Result documents, or one OUT folder.")],
    specs: Annotated[
        list[str], typer.Option("--spec", help="Specification, several, or a folder of their versions.")
    ],
    other: OtherResults = None,
    links: LinksFile = None,
    tested: Annotated[
        str | None,
        typer.Option("--tested", help="Date of test: judge by the versions in force."),
    ] = None,
    manufactured: Annotated[
        str | None,
        typer.Option("--manufactured", help="Date of manufacture, likewise."),
    ] = None,
    fail_on: FailOn = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The certificate table as CSV.")] = False,
    log_json: LogJson = False,
) -> int:
    """Judge results that exist already against specifications."""
    narrowed = narrowed_to(fail_on)
    with data_channel() as channel:
        from aavqc.batch.jobs import job_id
        from aavqc.batch.judge import judge_results
        from aavqc.documents import ResultDocument
        from aavqc.results import Evaluations, Links, load_results

        specifications = _specifications(specs, tested, manufactured)
        files, lots, problems = _result_files(paths)
        loaded = [ResultDocument.load(f) for f in files]
        evaluations = judge_results(
            {job_id(document.payload): document.payload for document in loaded},
            specifications,
            lots=lots,
            other=load_results(*other or []),
            links=Links.load(links) if links else None,
            problems=problems,
        )
        if as_json:
            several = Evaluations(schema="aavqc.evaluations/1", evaluations=evaluations)
            channel.write(to_json(evaluations[0] if len(evaluations) == 1 else several))
        elif as_csv:
            for i, evaluation in enumerate(evaluations):
                channel.write(evaluation.certificate.to_csv(header=i == 0))
        else:
            channel.write("".join(f"{evaluation}\n" for evaluation in evaluations))
    codes = Counter(e.exit_code for e in evaluations)
    return final(codes, worst_exit(set(codes)), narrowed)


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


def _result_files(
    paths: list[str],
) -> tuple[list[Path], dict[str, list[Specification]], dict[str | None, list[str]]]:
    """Return the result documents of the paths, and an OUT's lots with the problems of their rows."""
    from aavqc.documents import Manifest

    files: list[Path] = []
    lots: dict[str, list[Specification]] = {}
    problems: dict[str | None, list[str]] = {}
    for text in paths:
        path = Path(text)
        if not path.exists():
            raise InputError("no such file or folder", file=text)
        if path.is_file():
            files.append(path)
            continue
        manifest = Manifest.of_batch(path)
        files += [path / "results" / f"{job}.json" for job in manifest.jobs]
        lots |= {e.lot: [] for e in manifest.evaluations if e.lot and manifest.jobs}
        for e in manifest.evaluations:
            told = problems.setdefault(e.lot, [])
            told += [problem for problem in e.problems if problem not in told]
    return files, lots, problems
