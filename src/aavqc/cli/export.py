"""``export``: what a batch has found, in a form that other systems read."""

from __future__ import annotations

from typing import Annotated

import typer

from aavqc.cli.output import command, printable, talk
from aavqc.errors import EXIT_OK


@command
def export(
    out: Annotated[str, typer.Argument(help="Output folder of a batch.")],
    path: Annotated[str, typer.Argument(help="File; for asm a new folder, for ro-crate either (.zip).")],
    to: Annotated[str, typer.Option("--to", help="csv, parquet, asm or ro-crate.")],
) -> int:
    """Write the results of a batch in a form that other systems read."""
    from aavqc.exchange import export as write

    written = write(out, to, path)
    talk(f"{len(written)} file(s) written: {printable(path)}")
    return EXIT_OK
