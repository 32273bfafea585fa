"""``selftest``: whether the library computes here what it should."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from aavqc.cli.output import command, data_channel, talk
from aavqc.errors import EXIT_OK, EXIT_VERIFY, UsageError

if TYPE_CHECKING:
    from aavqc.selftest import Check


@command
def selftest(
    reference_data: Annotated[
        str | None,
        typer.Option(
            "--reference-data", help="Folder of real exports, for the checks against others' numbers."
        ),
    ] = None,
    report: Annotated[
        str | None,
        typer.Option("--report", help="Write a page (.html) or a document (.json) of it."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> int:
    """Compare what this machine computes with reference values.

    Ends with 0 where all is as expected, else with 6.
    """
    if report is not None and not report.endswith((".html", ".json")):
        raise UsageError("--report", expected="a name that ends in .html or .json", found=report)
    with data_channel() as channel:
        from pathlib import Path

        from aavqc.report.html import to_html
        from aavqc.selftest import run
        from aavqc.selftest.page import self_test_page
        from aavqc.textfiles import write_bytes

        found = run(reference_data, lambda c: talk(_said(c)))
        document = f"{found.model_dump_json(by_alias=True, indent=1)}\n"
        if report is not None:
            html = report.endswith(".html")
            write_bytes(Path(report), to_html(self_test_page(found)) if html else document.encode())
        failed = [c.name for c in found.checks if c.status == "failed"]
        skipped = sum(c.status == "skipped" for c in found.checks)
        done = len(found.checks) - skipped
        told = f"failed: {', '.join(failed)}" if failed else "all as expected"
        left = f", {skipped} skipped" if skipped else ""
        channel.write(document if as_json else f"{done} checks{left}: {told}\n")
    return EXIT_VERIFY if failed else EXIT_OK


def _said(check: Check) -> str:
    compared = check.found if check.status == "skipped" else f"expected {check.expected}, found {check.found}"
    return f"{check.status}: {check.name}: {compared}"
