"""Formats of other packages, held so that a fault of theirs costs only their own files."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from aavqc.errors import AavqcError, InputError
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.plugin_host import HostDied, PluginHost
from aavqc.parsers.sources import SourceFile
from aavqc.records import Record

log = logging.getLogger(__name__)

GROUP = "aavqc.parsers"

_host: ContextVar[PluginHost | None] = ContextVar("plugin host", default=None)


def installed_formats() -> Iterator[Format]:
    """Yield the formats of the entry-point group ``aavqc.parsers``, by name."""
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        known = _loaded(entry)
        if known is not None:
            yield guarded(known, entry.value)


def _loaded(entry: EntryPoint) -> Format | None:
    try:
        found = entry.load()
    except (Exception, SystemExit):  # a plug-in's fault must not take the library down
        log.warning("parser plug-in %s can't be loaded", entry.value, exc_info=True)
        return None
    if not isinstance(found, Format):
        log.warning("parser plug-in %s is no Format", entry.value)
        return None
    return found


@contextmanager
def apart() -> Iterator[None]:
    """Let ``sniff`` and ``group`` of plug-ins run in a process of their own, which may die."""
    host = PluginHost()
    before = _host.set(host)
    try:
        yield
    finally:
        _host.reset(before)
        host.end()


def guarded(known: Format, entry: str | None = None) -> Format:
    """Return a format whose functions raise the library's errors only.

    A fault in ``sniff`` means that the file is not recognised, one in ``group`` fails the files,
    one in ``read`` the export. Where the process of :func:`apart` dies in ``sniff`` that raises an
    InputError: the file may still be another format's.

    Parameters
    ----------
    known : Format
    entry : str, optional
        Its entry point, ``module:NAME``, to find it by in another process.
    """

    def ask(function: str, *args: Any) -> Any:
        host = _host.get()
        if host is None or entry is None:
            return getattr(known, function)(*args)
        return host.call(entry, function, *args)

    def fault(where: str, file: str, error: BaseException) -> InputError:
        log.warning("parser plug-in %s failed in %s", known.name, where, exc_info=error)
        return InputError(
            f"the parser plug-in {known.name!r} failed",
            file=file,
            found=f"{type(error).__name__}: {error}"[:200],
        )

    def sniff(head: bytes, basename: str) -> bool:
        try:
            return bool(ask("sniff", head, basename))
        except HostDied as error:
            raise fault("sniff", basename, error) from error
        except (Exception, SystemExit) as error:  # noqa: BLE001
            fault("sniff", basename, error)
            return False

    def group(files: Sequence[SourceFile]) -> Grouping:
        try:
            grouping: Grouping = ask("group", files)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return Grouping(failed={f.name: fault("group", f.name, error) for f in files})
        return grouping

    def read(export: Export) -> Record:
        try:
            return known.read(export)
        except AavqcError:
            raise
        except (Exception, SystemExit) as error:
            raise fault("read", export.files[0].name, error) from error

    return replace(known, sniff=sniff, group=group, read=read)
