"""``simulate``: exports with a known truth, in the vendors' formats."""

from __future__ import annotations

from typing import Annotated

import typer

from aavqc.cli.output import command, parse_set, talk
from aavqc.errors import EXIT_OK, UsageError


@command
def simulate(
    kind: Annotated[str, typer.Argument(help="auc, cdms, ddpcr or lot.")],
    out: Annotated[str, typer.Argument(help="Folder to write to; it is made.")],
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same bytes.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value; truth.json lists the keys. Repeatable."),
    ] = None,
) -> int:
    """Write simulated exports and, beside them, their truth.json."""
    from pathlib import Path

    from aavqc.simulate import KINDS, run

    if kind not in KINDS:
        raise UsageError("simulate", expected=", ".join(KINDS), found=repr(kind))
    run(kind, Path(out), seed, parse_set(settings or []))
    talk(f"simulated {kind} in {out}")
    return EXIT_OK
