"""What the commands share: data on stdout, talk on stderr, errors as the contract says."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn, TextIO

import typer

from aavqc.errors import EXIT_BUG, EXIT_INTERRUPTED, AavqcError


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


def talk(message: str) -> None:
    """Say something to the person, on stderr."""
    sys.stderr.write(printable(message) + "\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """Escape the characters of a file's name or content that would steer a terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda c: f"\\x{ord(c[0]):02x}", text)


def command(function: Callable[..., int]) -> Callable[..., None]:
    """Turn a function that returns an exit code into a command that ends as the contract says."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> None:
        as_json = bool(kwargs.get("as_json"))
        try:
            code = function(*args, **kwargs)
        except AavqcError as error:
            fail(error, as_json)
        except KeyboardInterrupt:
            talk("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise typer.Exit(0) from None
        except typer.Exit:
            raise
        except Exception as error:  # the last resort: say that it is a bug  # noqa: BLE001
            bug(error, as_json)
        raise typer.Exit(code)

    return run


def fail(error: AavqcError, as_json: bool) -> NoReturn:
    """End with a library error: one line on stderr, with ``--json`` the document on stdout."""
    talk(f"error: {error}")
    if as_json:
        sys.stdout.write(json.dumps(error.document()) + "\n")  # ASCII: a path may be no valid text
    raise typer.Exit(error.exit_code)


def bug(error: Exception, as_json: bool) -> NoReturn:
    """End with exit 70: the traceback on stderr, and what to do with it."""
    import traceback

    traceback.print_exc()
    talk("error: this is a bug in aavqc, not in your data; please report it with the lines above")
    if as_json:
        details = {"exit": EXIT_BUG, "code": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps({"schema": "aavqc.error/1", "error": details}) + "\n")
    raise typer.Exit(EXIT_BUG)


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
