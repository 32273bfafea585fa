"""The command line: one module a command group; nothing heavy is imported for ``--help``."""

from __future__ import annotations

import logging
import sys

import typer

from aavqc import __version__
from aavqc.cli.analyze import analyze
from aavqc.cli.batch import batch, demo
from aavqc.cli.check import check
from aavqc.cli.export import export
from aavqc.cli.inspect import formats, inspect
from aavqc.cli.output import print_error
from aavqc.cli.report import report
from aavqc.cli.schema import schema
from aavqc.cli.selftest import selftest
from aavqc.cli.sign import sign
from aavqc.cli.simulate import simulate
from aavqc.cli.stderr import talk, talking
from aavqc.cli.verify import verify
from aavqc.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, error_document

app = typer.Typer(
    name="aavqc",
    help="AAV vector quality control: from AUC, CDMS and ddPCR exports to verdicts with uncertainty. "
    "Begin with: aavqc demo",
    epilog="Exit codes: 0 pass, 1 OOS, 2 usage, 3 unreadable input, 4 invalid assay, 5 incomplete, "
    "6 not verified, 70 bug.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for run in (
    demo, batch, check, report, verify, sign, export, formats, inspect, analyze, simulate, schema, selftest,
):  # fmt: skip
    app.command()(run)


@app.callback(invoke_without_command=True)
def version_option(
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
) -> None:
    """AAV vector quality control: from AUC, CDMS and ddPCR exports to verdicts with uncertainty."""
    if version:
        sys.stdout.write(f"aavqc {__version__}\n")
        raise typer.Exit(0)


def main() -> None:
    """Run the command line and end the process with the contract's exit code."""
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except Exception as error:  # commands end in typer.Exit: what arrives here is a wrong call  # noqa: BLE001
        code = _usage(error)
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: Exception) -> int:
    """End a wrong call: the command-line library's own errors know how to show themselves."""
    if type(error).__name__ == "Abort":
        return EXIT_INTERRUPTED
    show = getattr(error, "show", None)
    if show is None:
        raise error
    if type(error).__name__ == "NoArgsIsHelpError":
        show()
        return EXIT_OK
    document = error_document(EXIT_USAGE, "UsageError", str(error))
    if "--log-json" in sys.argv:
        with talking(json_lines=True):
            talk(f"error: {error}", logging.ERROR, error=document["error"], exit=EXIT_USAGE)
    else:
        show()
    if "--json" in sys.argv:
        print_error(document)
    return EXIT_USAGE
