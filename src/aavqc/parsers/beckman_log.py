"""The scan log of a Beckman instrument (``cell4abs.log``): when each scan began by the wall clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

SCAN_LOG = re.compile(rb"XL-\w{1,9} Version [^\n]{0,200}Scan Log")

_NAMED = re.compile(rb"file name: {0,9}([^\s,]{1,40})")
_STARTED = re.compile(
    rb"Scan sequence \d{1,9} started (\d\d/\d\d/\d\d) @ (\d\d:\d\d:\d\d), file name: ([^\s,]{1,40})[ \t\r]*\n"
    rb"speed: *\d{1,9}, time: *(\d{1,9}),"
)


@dataclass(frozen=True)
class LogEntry:
    """One scan of a log: its file, the instrument's seconds and the wall clock at its start."""

    file: str
    time_s: float
    started: datetime


def parse_log(data: bytes) -> list[LogEntry]:
    """Read the entries of a scan log; what is no whole entry is passed over.

    Dates are month/day/year, as the instrument writes them.

    Examples
    --------
    >>> parse_log(b"Scan sequence 00001 started 04/13/24 @ 10:47:17, file name: 00001.RA4\\n"
    ...           b"speed: 06000, time: 0055326, temp: 20.0, w2t: 2.19E+010\\n")[0].started
    datetime.datetime(2024, 4, 13, 10, 47, 17)
    """
    found = []
    for match in _STARTED.finditer(data):
        day, clock, name, seconds = (group.decode("latin-1") for group in match.groups())
        try:
            started = datetime.strptime(f"{day} {clock}", "%m/%d/%y %H:%M:%S")
        except ValueError:
            continue
        found.append(LogEntry(name.upper(), float(seconds), started))
    return found


def logged_scans(head: bytes) -> frozenset[str]:
    """Return the names of scans at the start of a log, in capitals."""
    return frozenset(m[1].decode("latin-1").upper() for m in _NAMED.finditer(head))
