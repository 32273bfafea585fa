"""``schema``: the JSON Schemas of what leaves the library."""

from __future__ import annotations

from typing import Annotated

import typer

from aavqc.cli.output import command, data_channel
from aavqc.errors import EXIT_OK, UsageError, nearest


@command
def schema(
    name: Annotated[
        str,
        typer.Argument(
            help="result, error, specification, method, samples, links, other, calibration,"
            " charge-calibration, evaluation, evaluations, certificate, manifest, batch, audit, signature,"
            " verification, selftest or asm-shaped."
        ),
    ],
) -> int:
    """Print the JSON Schema of a document."""
    from importlib.resources import files

    folder = files("aavqc.schemas")
    known = sorted(p.name.removesuffix(".json") for p in folder.iterdir() if p.name.endswith(".json"))
    if name not in known:
        raise UsageError(f"no schema {name!r}", hint=nearest(name, known))
    with data_channel() as out:
        out.write((folder / f"{name}.json").read_text(encoding="utf-8"))
    return EXIT_OK
