"""Watch a folder: say when its files have changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from aavqc.batch.settle import Stamp, stamps
from aavqc.errors import InputError

POLL_S = 5.0
"""Seconds between two looks: polling works on every file system, shares included."""


def changes(folder: Path, wait: Callable[[float], object] = time.sleep) -> Iterator[None]:
    """Yield now, and again whenever a file below a folder came, went or changed; it never ends.

    Each time a batch is run, what it finished before lies in OUT and is kept, so a watch that is
    ended and begun again goes on where it was. A file that changes while the batch runs is seen
    after it.

    Parameters
    ----------
    folder : Path
    wait : callable(seconds)
        Called between two looks.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     passes = changes(Path(folder), wait=lambda _: Path(folder, "a.csv").touch())
    ...     [next(passes) for _ in range(2)]
    [None, None]
    """
    while True:
        seen = _look(folder)
        yield
        while True:
            now = _look(folder)
            if now is not None and now != seen:
                break
            wait(POLL_S)


def _look(folder: Path) -> dict[Path, Stamp] | None:
    try:
        return stamps(folder)
    except InputError:  # a share that is away for a while
        return None
