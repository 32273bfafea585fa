"""Parsers of other packages run in a process beside the batch's.

A plug-in that crashes its process there costs the file that it looked at, and no batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from aavqc import parsers
from aavqc.batch.pool import LocalPool, local_pool
from aavqc.errors import InputError
from aavqc.parsers import Format, Grouping
from aavqc.parsers.plugins import PlugIn
from aavqc.parsers.sources import SourceFile

log = logging.getLogger(__name__)

MOST_DEATHS = 3
"""Processes that a plug-in may take with it before it is left out of the batch."""


@contextmanager
def formats_apart(executor: Executor | None) -> Iterator[tuple[Sequence[Format], Executor | None]]:
    """Yield the known formats, and where jobs run.

    Where some are of other packages, what tells files apart in those is called in a process beside this
    one, and jobs that were to run here run there.
    """
    known = parsers.formats()
    if not any(isinstance(f, PlugIn) for f in known):
        yield known, executor
        return
    with local_pool(1) as pool:
        yield [apart(f, pool) if isinstance(f, PlugIn) else f for f in known], executor or pool


def apart(known: PlugIn, pool: LocalPool) -> Format:
    """Return a format whose functions that tell files apart are called in a pool's process.

    ``sniff`` raises an InputError where the process died on a file, which may still be another format's.
    """
    deaths: list[str] = []

    def called(function: str, file: str, *arguments: Any) -> Any:
        """Return what the plug-in returns, or None where it took its process with it."""
        if len(deaths) >= MOST_DEATHS:
            return None
        try:
            return pool.submit(_call, known.name, function, *arguments).result()
        except Exception as error:  # its process died, or it returned what can't travel  # noqa: BLE001
            deaths.append(file)
            log.warning("parser plug-in %s failed in %s of %s: %r", known.name, function, file, error)
            if len(deaths) == MOST_DEATHS:
                log.warning("parser plug-in %s is left out of this batch", known.name)
            return None

    def sniff(head: bytes, basename: str) -> bool:
        before = len(deaths)
        recognised = bool(called("sniff", basename, head, basename))
        if len(deaths) > before:
            raise _crashed(known, basename)
        return recognised

    def group(files: Sequence[SourceFile]) -> Grouping:
        if not files:
            return Grouping()
        grouping: Grouping | None = called("group", files[0].name, files)
        return grouping or Grouping(failed={f.name: _crashed(known, f.name) for f in files})

    def withdraw(grouping: Grouping, unread: Collection[str]) -> Grouping:
        return called("withdraw", "", grouping, list(unread)) or grouping

    return replace(known, sniff=sniff, group=group, withdraw=known.withdraw and withdraw)


def _call(name: str, function: str, *arguments: Any) -> Any:
    known = next(f for f in parsers.formats() if f.name == name)
    of_the_plug_in: Callable[..., Any] = getattr(known, function)
    return of_the_plug_in(*arguments)


def _crashed(known: Format, file: str) -> InputError:
    return InputError(f"the parser plug-in {known.name!r} failed", file=file, found="its process died")
