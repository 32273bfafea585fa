"""``report``: the pages that people look at, made again of a batch's documents."""

from __future__ import annotations

from typing import Annotated

import typer

from aavqc.cli.output import command, data_channel, printable, talk
from aavqc.errors import EXIT_OK


def register(app: typer.Typer) -> None:
    """Add the commands of this group."""
    app.command()(report)


@command
def report(out: Annotated[str, typer.Argument(help="Output folder of a batch.")]) -> int:
    """Make the index and the report of each lot anew, as HTML and PDF, in OUT/report."""
    with data_channel() as channel:
        from aavqc.report.write import can_write_pdf, write_reports

        pdf = can_write_pdf()
        if not pdf:
            talk("no PDF: that needs pip install 'aavqc[pdf]'")
        written = write_reports(out, pdf=pdf)
        talk(f"reports of lots: {written.made}")
        channel.write(f"{printable(str(written.index))}\n")
    return EXIT_OK
