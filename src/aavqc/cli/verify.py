"""``verify``: nothing was altered, and it comes out again."""

from __future__ import annotations

import json
import logging
from typing import Annotated

import typer

from aavqc.cli.judging import LinksFile, OtherResults
from aavqc.cli.output import LogJson, command, data_channel, printable, talk
from aavqc.errors import EXIT_OK


@command
def verify(
    out: Annotated[str, typer.Argument(help="Output folder of a batch.")],
    source: Annotated[
        str | None,
        typer.Option("--source", help="Folder of exports, where it is no longer where it was."),
    ] = None,
    store: Annotated[str | None, typer.Option("--store", help="URL, where the batch was given one.")] = None,
    trust: Annotated[
        list[str] | None,
        typer.Option("--trust", help="Public key of a signer, or root certificate of time stamps (PEM)."),
    ] = None,
    other: OtherResults = None,
    links: LinksFile = None,
    no_rerun: Annotated[bool, typer.Option("--no-rerun", help="Compare bytes, analyze nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
    log_json: LogJson = False,
) -> int:
    """Check files, results, trail and store of a batch; analyze again."""
    with data_channel() as channel:
        from aavqc.batch.summary import VerificationDocument
        from aavqc.batch.verify import verify as check
        from aavqc.signing.timestamps import load_trust

        trusted = load_trust(trust) if trust else None
        report = check(
            out, source=source, store=store, other=other or (), links=links, again=not no_rerun, trust=trusted
        )
        for line in report.checked:
            talk(f"checked: {line}")
        for finding in report.findings[1:]:
            talk(f"also: {finding}", logging.ERROR, error=finding.document()["error"])
        if not report.findings:
            document = VerificationDocument(schema="aavqc.verification/1", checked=report.checked)
            plain = json.dumps(document.model_dump(mode="json", by_alias=True), ensure_ascii=False)
            shown = plain if as_json else f"{printable(out)}: verified"
            channel.write(f"{shown}\n")
    if report.findings:
        raise report.findings[0]
    return EXIT_OK
