"""BLAS at one thread while fits run: the sums of several threads depend on how many there are."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any


class OneThread:
    """A context that threads may enter at the same time: the first sets the limit, the last lifts it.

    The limit is the process's, not a thread's: were each to restore what it found, one would
    lift it while another computes, or leave it behind for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: Any = None

    def __enter__(self) -> None:
        """Set the limit, where nobody has."""
        from threadpoolctl import threadpool_limits

        with self._lock:
            if self._inside == 0:
                _take_control()
                self._limit = threadpool_limits(limits=1, user_api="blas")
            self._inside += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lift it, where nobody else is inside."""
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                _take_control()
                self._limit.restore_original_limits()
                _take_control()


def _take_control() -> None:
    """Let this thread set the limit: from 3.8 threadpoolctl heeds one thread, and no other, in silence."""
    from threadpoolctl import OpenBLASController

    clear = getattr(OpenBLASController, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)


one_thread = OneThread()
