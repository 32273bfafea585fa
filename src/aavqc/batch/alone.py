"""One run at a time writes to an output folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aavqc.errors import UsageError


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold an output folder; the system lets go of it when the process ends, however it does.

    Where the system or the share has no such locks (Windows, some network disks) nothing is held:
    the audit trail still shows that two runs wrote.

    Raises
    ------
    UsageError
        Another run holds it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    held = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                "another run writes to this output folder", file=str(out), hint="wait until it has ended"
            ) from None
        except OSError:  # no locks on this disk
            pass
        yield
    finally:
        os.close(held)
