"""What the commands share: data on stdout, and ends as the contract says."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TextIO

import typer

from aavqc.cli.stderr import LogJson, log, printable, talk, talk_flag, talking
from aavqc.errors import EXIT_BUG, EXIT_INTERRUPTED, EXIT_OK, AavqcError, error_document
from aavqc.logs import fields

__all__ = ["LogJson", "command", "data_channel", "parse_set", "printable", "talk", "talk_flag"]


@contextmanager
def data_channel() -> Iterator[TextIO]:
    """Yield the only way to stdout while the work runs.

    File descriptor 1 is bent to stderr meanwhile: libraries in C++ print there as they like.
    """
    sys.stdout.flush()
    try:
        saved = os.dup(1)
    except OSError:  # no such descriptor: an embedding that has closed it
        yield sys.stdout
        return
    os.dup2(2, 1)
    try:
        with os.fdopen(saved, "w", encoding="utf-8", newline="\n", closefd=False) as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


def command(function: Callable[..., int]) -> Callable[..., None]:
    """Turn a function that returns an exit code into a command that ends as the contract says."""

    @wraps(function)
    def run(**options: Any) -> None:
        with talking(bool(options.pop("log_json", False))):
            raise typer.Exit(_ended(function, options))

    return run


def _ended(function: Callable[..., int], options: dict[str, Any]) -> int:
    """Call a command's function; tell what ends it otherwise than by its exit code."""
    as_json = bool(options.get("as_json"))
    try:
        return function(**options)
    except AavqcError as error:
        return fail(error, as_json)
    except KeyboardInterrupt:
        return interrupted(as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK
    except typer.Exit:
        raise
    except Exception as error:  # the last resort: say that it is a bug  # noqa: BLE001
        return bug(error, as_json)


def fail(error: AavqcError, as_json: bool) -> int:
    """Tell a library error: one line on stderr, with ``--json`` the document on stdout."""
    document = error.document()
    talk(f"error: {error}", logging.ERROR, error=document["error"], exit=error.exit_code)
    if as_json:
        print_error(document)
    return error.exit_code


def bug(error: Exception, as_json: bool) -> int:
    """Tell of a bug, exit 70: what to do with it, and the traceback, on stderr."""
    said = "error: this is a bug in aavqc, not in your data; please report it with the lines below"
    document = error_document(EXIT_BUG, type(error).__name__, str(error))
    log.error(said, exc_info=error, extra=fields(error=document["error"], exit=EXIT_BUG))
    if as_json:
        print_error(document)
    return EXIT_BUG


def interrupted(as_json: bool) -> int:
    """Tell that a person ended the command."""
    document = error_document(EXIT_INTERRUPTED, "Interrupted", "interrupted")
    talk("interrupted", logging.ERROR, error=document["error"], exit=EXIT_INTERRUPTED)
    if as_json:
        print_error(document)
    return EXIT_INTERRUPTED


def print_error(document: dict[str, Any]) -> None:
    """Print an error document on stdout: in ASCII, for a path may be no valid text."""
    sys.stdout.write(json.dumps(document) + "\n")


def parse_set(pairs: list[str]) -> dict[str, str]:
    """Read ``--set K=V`` options."""
    from aavqc.errors import UsageError

    found = {}
    for pair in pairs:
        key, sign, value = pair.partition("=")
        if not sign or not key.strip():
            raise UsageError("--set", expected="key=value", found=repr(pair))
        found[key.strip()] = value
    return found
