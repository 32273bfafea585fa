"""Files that are still being written: wait until they are still."""

from __future__ import annotations

import time
from pathlib import Path

from aavqc.parsers.sources import walk

QUIET_S = 1.0
"""A file is whole when its size and its time of change stood still for so long."""

PATIENCE_S = 60.0
"""The longest wait; a file that changes beyond it has failed."""

Stamp = tuple[int, int]


def still_changing(folder: Path) -> frozenset[Path]:
    """Wait, at most :data:`PATIENCE_S`, until no file below a folder changes; return those that still do.

    Only files that were changed in the last second are waited for, by the clock of this
    machine: a file server's clock that runs ahead costs one wait, one that lags behind is
    caught by the hash that is taken again after reading.
    """
    end = time.monotonic() + PATIENCE_S
    before = stamps(folder)
    since = time.time() - QUIET_S
    moving = {path for path, (_, changed) in before.items() if changed / 1e9 > since}
    while moving:
        if time.monotonic() >= end:
            return frozenset(moving)
        time.sleep(QUIET_S)
        now = stamps(folder)
        moving = {path for path, stamp in now.items() if before.get(path) != stamp}
        before = now
    return frozenset()


def stamps(folder: Path) -> dict[Path, Stamp]:
    """Return size and time of change (ns) of every file below a folder that can be looked at."""
    found = {}
    for path, _ in walk(folder):
        try:
            state = path.stat()
        except OSError:  # gone since it was listed, or a link that leads nowhere
            continue
        found[path] = (state.st_size, state.st_mtime_ns)
    return found
