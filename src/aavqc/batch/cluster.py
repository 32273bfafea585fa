"""Jobs on a cluster of ``dask.distributed`` (extra ``dask``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from aavqc.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

CONNECT_S = 10
"""How long a scheduler is waited for."""


class ClusterExecutor(Executor):
    """The workers of a cluster; each call has one BLAS thread."""

    def __init__(self, client: Any) -> None:
        self.workers = max(1, sum(client.nthreads().values()))
        self._executor = client.get_executor(pure=False)

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Hand a call to the scheduler."""
        future: Future[R] = self._executor.submit(_with_one_thread, fn, *args, **kwargs)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Give up what still waits; the cluster stays."""
        self._executor.shutdown(wait=wait and not cancel_futures)


@contextmanager
def cluster(address: str) -> Iterator[ClusterExecutor]:
    """Yield an executor for the workers of a scheduler.

    What is shipped of an export is its path and its hash, never its bytes: workers must see the
    folder under the same path, and one that reads other bytes there gives no result.

    Parameters
    ----------
    address : str
        Such as ``tcp://host:8786``.

    Raises
    ------
    UsageError
        No scheduler answers, it has no workers, or the extra is not installed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "--scheduler needs dask.distributed", hint="pip install 'aavqc[dask]'", found=str(error)
        ) from error
    try:
        client: Any = Client(address, timeout=CONNECT_S, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError("no scheduler answers", expected="tcp://host:port", found=address) from error
    with client:
        if not client.nthreads():
            raise UsageError("the scheduler has no workers", found=address)
        with ClusterExecutor(client) as executor:
            yield executor


def _with_one_thread(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return fn(*args, **kwargs)
