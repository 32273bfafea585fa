"""What commands that judge share: options, and an end with every count and the one code for all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from aavqc.cli.output import talk
from aavqc.errors import EXIT_OK, UsageError, worst_exit

if TYPE_CHECKING:
    from aavqc.documents import Document

FAIL_ON = {"oos": 1, "invalid": 4, "input": 3, "incomplete": 5}

OtherResults = Annotated[
    list[str] | None,
    typer.Option("--other", help="Results from elsewhere, CSV or JSON."),
]
LinksFile = Annotated[
    str | None, typer.Option("--links", help="Retests, manual changes, earlier lots; TOML.")
]
FailOn = Annotated[
    str | None,
    typer.Option(
        "--fail-on",
        help="Which of oos,invalid,input,incomplete set the exit code; default all. Others always do.",
    ),
]


def final(codes: Counter[int], code: int, narrowed: set[int] | None) -> int:
    """Print every count, and end with the one that stands for all."""
    names = {1: "OOS", 2: "usage", 3: "unreadable", 4: "invalid", 5: "incomplete", 70: "bug"}
    counted = ", ".join(f"{names.get(c, c)} {n}" for c, n in sorted(codes.items()) if c != EXIT_OK and n)
    if counted:
        talk(f"counts: {counted}", counts={str(c): n for c, n in sorted(codes.items()) if n})
    return narrow(codes, code, narrowed)


def narrow(codes: Iterable[int], code: int, narrowed: set[int] | None) -> int:
    """Return the code to end with: the worst of those that count."""
    return code if narrowed is None else worst_exit({c for c in codes if c in narrowed})


def narrowed_to(fail_on: str | None) -> set[int] | None:
    """Return the exit codes that count, or None where all do."""
    if fail_on is None:
        return None
    words = [word.strip().lower() for word in fail_on.split(",") if word.strip()]
    unknown = [word for word in words if word not in FAIL_ON]
    if unknown:
        raise UsageError("--fail-on", expected=", ".join(FAIL_ON), found=", ".join(unknown))
    return {FAIL_ON[word] for word in words} | {2, 6, 70}


def to_json(document: Document) -> str:
    """Return a document as the one line that ``--json`` prints."""
    return json.dumps(document.model_dump(mode="json", by_alias=True), ensure_ascii=False) + "\n"
