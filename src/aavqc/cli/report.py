"""``report``: the pages that people look at, made again of a batch's documents."""

from __future__ import annotations

from typing import Annotated

import typer

from aavqc.cli.output import command, data_channel, printable, talk
from aavqc.errors import EXIT_OK


@command
def report(out: Annotated[str, typer.Argument(help="Output folder of a batch.")]) -> int:
    """Make the reports of a batch anew: HTML and, with fpdf2, PDF.

    They are OUT/report/index.html, and of each lot a .html and a .pdf beside it.
    """
    with data_channel() as channel:
        from aavqc.report.write import can_write_pdf, write_reports

        pdf = can_write_pdf()
        if not pdf:
            talk("no PDF: that needs pip install 'aavqc[pdf]'")
        written = write_reports(out, pdf=pdf)
        kinds = "HTML and PDF" if pdf else "HTML"
        talk(f"reports of lots: {written.made}, as {kinds}, in {written.index.parent}")
        channel.write(f"{printable(str(written.index))}\n")
    return EXIT_OK
