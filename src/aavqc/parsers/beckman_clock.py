"""Wall-clock times of scans: from the scan log, else from the archive that holds them.

Times of files on a disk are never taken: copying destroys them, and the same bytes must give
the same result wherever they lie.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from aavqc.errors import InputError
from aavqc.parsers.beckman_log import SCAN_LOG, parse_log
from aavqc.parsers.sources import SourceFile
from aavqc.records import Clock, Scan

MAX_LOG = 1 << 24

SAME_SCAN_S = 1800.0
"""A log gives the instrument's time at the start of a scan, the scan's header that within it."""


def read_clock(scans: Sequence[Scan], files: Sequence[SourceFile]) -> Clock | None:
    """Return the wall-clock times of scans, in their order; None where they are not known.

    An archive's times are taken only where they ascend from scan to scan.

    Raises
    ------
    InputError
        A scan log can't be read.
    """
    logs = [f for f in files if SCAN_LOG.match(f.head)]
    logged = _elapsed(_from_logs(scans, logs))
    if logged is not None:
        return Clock("log", logged)
    archived = _from_archives(scans, {f.name: f for f in files})
    known = [t for t in archived if t is not None]
    if len(known) < len(scans) or not all(a < b for a, b in pairwise(known)):
        return None
    elapsed = _elapsed(archived)
    return Clock("zip", elapsed) if elapsed is not None else None


def _from_logs(scans: Sequence[Scan], logs: Sequence[SourceFile]) -> list[datetime | None]:
    entries = {
        (f"{log.folder}/{entry.file}" if log.folder else entry.file).upper(): entry
        for log in logs
        for entry in parse_log(log.read(MAX_LOG))
    }
    found: list[datetime | None] = []
    for scan in scans:
        entry = entries.get(scan.file.removesuffix(".gz").upper())
        of_this_scan = entry is not None and abs(entry.time_s - scan.time_s) <= SAME_SCAN_S
        found.append(entry.started if entry is not None and of_this_scan else None)
    return found


def _from_archives(scans: Sequence[Scan], files: dict[str, SourceFile]) -> list[datetime | None]:
    times: dict[str, dict[str, datetime | None]] = {}
    found: list[datetime | None] = []
    for scan in scans:
        file = files[scan.file]
        if file.member is None:
            return [None] * len(scans)
        archive = file.name.partition("!/")[0]
        if archive not in times:
            times[archive] = _member_times(file)
        found.append(times[archive].get(file.member))
    return found


def _member_times(file: SourceFile) -> dict[str, datetime | None]:
    stored = io.BytesIO(file.data) if file.data is not None else file.path
    if stored is None:
        return {}
    try:
        with zipfile.ZipFile(stored) as archive:
            members = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError("no readable zip", file=file.name, found=str(error)) from error
    return {m.filename: _time(m.date_time) for m in members}


def _time(fields: tuple[int, int, int, int, int, int]) -> datetime | None:
    try:
        return datetime(*fields)
    except ValueError:
        return None


def _elapsed(times: Sequence[datetime | None]) -> tuple[float | None, ...] | None:
    known = [t for t in times if t is not None]
    if len(known) < 2:
        return None
    first = min(known)
    return tuple(None if t is None else (t - first).total_seconds() for t in times)
