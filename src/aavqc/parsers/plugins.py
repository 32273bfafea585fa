"""Formats of other packages, held so that a fault of theirs costs only their own files."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from importlib.metadata import EntryPoint, entry_points

from aavqc.errors import AavqcError, InputError
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.sources import SourceFile
from aavqc.records import Record

log = logging.getLogger(__name__)

GROUP = "aavqc.parsers"


class PlugIn(Format):
    """A format of another package, guarded; where it runs may be a process of its own."""


def installed_formats() -> Iterator[PlugIn]:
    """Yield the formats of the entry-point group ``aavqc.parsers``, by name."""
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        known = _loaded(entry)
        if known is not None:
            yield guarded(known)


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


def guarded(known: Format) -> PlugIn:
    """Return a format whose functions raise the library's errors only.

    A fault in ``sniff`` means that the file is not recognised, one in ``group`` fails the files,
    one in ``read`` the export; after one in ``withdraw`` nothing is taken back.
    """

    def fault(where: str, file: str, error: BaseException) -> InputError:
        log.warning("parser plug-in %s failed in %s", known.name, where, exc_info=error)
        return InputError(
            f"the parser plug-in {known.name!r} failed",
            file=file,
            found=f"{type(error).__name__}: {error}"[:200],
        )

    def sniff(head: bytes, basename: str) -> bool:
        try:
            return bool(known.sniff(head, basename))
        except (Exception, SystemExit) as error:  # noqa: BLE001
            fault("sniff", basename, error)
            return False

    def group(files: Sequence[SourceFile]) -> Grouping:
        try:
            grouping = known.group(files)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            return Grouping(failed={f.name: fault("group", f.name, error) for f in files})
        return grouping

    def withdraw(grouping: Grouping, unread: Collection[str]) -> Grouping:
        try:
            return known.withdraw(grouping, unread) if known.withdraw else grouping
        except (Exception, SystemExit) as error:  # noqa: BLE001
            fault("withdraw", "", error)
            return grouping

    def read(export: Export) -> Record:
        try:
            return known.read(export)
        except AavqcError:
            raise
        except (Exception, SystemExit) as error:
            raise fault("read", export.files[0].name, error) from error

    described = {field.name: getattr(known, field.name) for field in fields(known)}
    own = {"sniff": sniff, "group": group, "read": read, "withdraw": known.withdraw and withdraw}
    return PlugIn(**described | own)
