"""What a command says on stderr: sentences for a person, or with ``--log-json`` JSON lines only."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Annotated, Any, TextIO

import typer

from aavqc.logs import JsonLines, fields

if TYPE_CHECKING:
    from aavqc.documents import Flag, Sample

LogJson = Annotated[bool, typer.Option("--log-json", help="JSON lines on stderr, and nothing else.")]

log = logging.getLogger("aavqc.cli")

FOREIGN = "aavqc.stderr"
"""Logger of what libraries write to stderr themselves."""

KEEP = 1 << 20
"""Bytes of what others wrote that are kept before the file is emptied."""


def talk(message: str, level: int = logging.INFO, **said: Any) -> None:
    """Say something to the person, or with its fields to the machine, that called."""
    log.log(level, "%s", message, extra=fields(**said))


def talk_flag(sample: Sample, flag: Flag) -> None:
    """Say what a reviewer must know of a sample."""
    level = logging.INFO if flag.severity == "info" else logging.WARNING
    said = {"record": sample.record, "sample_id": sample.sample_id, "flag": flag.id}
    talk(f"{sample.sample_id}: {flag.severity}: {flag.message}", level, **said)


def printable(text: str) -> str:
    """Escape the characters of a file's name or content that would steer a terminal."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda c: f"\\x{ord(c[0]):02x}", text)


@contextmanager
def talking(json_lines: bool) -> Iterator[None]:
    """Show what the library and its commands say, while a command runs; all is as before afterwards."""
    with _json_handler() if json_lines else _text_handler() as handler:
        library = logging.getLogger("aavqc")
        level = library.level
        library.setLevel(logging.INFO)
        library.addHandler(handler)
        try:
            yield
        finally:
            library.removeHandler(handler)
            library.setLevel(level)


@contextmanager
def _text_handler() -> Iterator[logging.Handler]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Text())
    if sys.stderr.isatty():  # progress has a bar there
        handler.addFilter(lambda record: record.name == log.name or record.levelno >= logging.WARNING)
    yield handler


class _Text(logging.Formatter):
    """The sentence alone; whose it is, where it warns and is not of the command itself."""

    def format(self, record: logging.LogRecord) -> str:
        warns = record.levelno >= logging.WARNING and record.name != log.name
        shown = printable(f"{'warning: ' if warns else ''}{record.getMessage()}")
        if record.name == log.name and record.exc_info:
            shown += "\n" + self.formatException(record.exc_info)
        return shown


@contextmanager
def _json_handler() -> Iterator[logging.Handler]:
    """Bend file descriptor 2 into a file, and give back what libraries write there as JSON lines.

    A file and no pipe: a library in C++ that holds the interpreter can't wait for us to read.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile("a+b") as aside, os.fdopen(saved, "w", encoding="ascii") as stream:
        os.dup2(aside.fileno(), 2)
        handler = _Lines(stream, aside)
        try:
            yield handler
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            handler.flush_foreign()


class _Lines(logging.StreamHandler[TextIO]):
    """JSON lines; before each, what others wrote to stderr meanwhile."""

    def __init__(self, stream: TextIO, aside: IO[bytes]) -> None:
        super().__init__(stream)
        self.setFormatter(JsonLines())
        self._aside = aside
        self._seen = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; the caller holds the handler's lock."""
        self.flush_foreign()
        super().emit(record)

    def flush_foreign(self) -> None:
        """Write a line for each that libraries wrote."""
        self._aside.seek(self._seen)
        text = self._aside.read()
        self._seen += len(text)
        if self._seen > KEEP:
            self._aside.truncate(0)
            self._seen = 0
        for line in filter(str.strip, text.decode("utf-8", "replace").splitlines()):
            super().emit(logging.makeLogRecord({"name": FOREIGN, "levelname": "INFO", "msg": line}))
