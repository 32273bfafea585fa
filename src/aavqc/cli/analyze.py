"""``analyze``: one path, one technique, numbers with their uncertainty."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from aavqc.cli.output import LogJson, command, data_channel, parse_set, printable, talk, talk_flag
from aavqc.errors import EXIT_INCOMPLETE, EXIT_INVALID, EXIT_OK, UsageError


@command
def analyze(
    path: Annotated[str, typer.Argument(help="File, folder or zip of one technique.")],
    method: Annotated[
        str | None,
        typer.Option("--method", help="A TOML file, or one of aav-sv (AUC), aav-cdms, aav-ddpcr."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value; wins over method and sample sheet. Repeatable."),
    ] = None,
    samples: Annotated[
        str | None,
        typer.Option("--samples", help="Sample sheet, or a plate's layout (CSV, XLSX)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result document on stdout.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A long table on stdout.")] = False,
    log_json: LogJson = False,
) -> int:
    """Analyze an export: attributes with intervals, flags, warnings.

    With --json the settings in force stand under payload.method.settings; each is a key for --set
    (nested ones dotted: extinction.rel_sd=0.03). The reference of the documentation explains them.
    """
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other")
    with data_channel() as out:
        from aavqc.analysis import analyze_all
        from aavqc.documents import canonical

        result = analyze_all(
            path,
            method,
            parse_set(settings or []),
            samples=samples,
            progress=lambda name: talk(f"analyzing {name}", record=name),
        )
        if as_json:
            out.write(canonical(result.document()).decode() + "\n")
        elif as_csv:
            from aavqc.batch.jobs import job_id
            from aavqc.batch.tables import RESULT_COLUMNS, result_rows
            from aavqc.textfiles import to_csv

            out.write(to_csv(RESULT_COLUMNS, result_rows(result.payload, job_id(result.payload))))
        else:
            out.write(printable(repr(result)) + "\n")
    if as_json or as_csv:
        for sample in result.samples:
            for flag in sample.flags:
                talk_flag(sample, flag)
            for warning in sample.warnings:
                talk(f"{sample.sample_id}: {warning}", logging.WARNING, sample_id=sample.sample_id)
    flags = [flag for sample in result.samples for flag in sample.flags]
    if any(sample.status == "invalid" for sample in result.samples):
        return EXIT_INVALID
    return EXIT_INCOMPLETE if any(flag.id == "constant_required" for flag in flags) else EXIT_OK
