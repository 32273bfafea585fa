"""Processes that analyze: one upload at a time each, bounded in time and memory.

A thread can't be ended and a fit may run in compiled code, so a job that overruns its time ends its
own process by a signal; what breaks a process costs the one upload. (Needs a POSIX system.)
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from uploads import Limits, Refused, Upload, check_zip

from aavqc.analysis import analyze_all
from aavqc.documents import canonical
from aavqc.errors import AavqcError, InputError, UsageError
from aavqc.methods import builtin


class Analysts:
    """So many processes, and a queue before them."""

    def __init__(self, number: int, limits: Limits) -> None:
        self._limits = limits
        self._free: asyncio.Queue[ProcessPoolExecutor] = asyncio.Queue()
        for _ in range(number):
            self._free.put_nowait(_process(limits))

    async def analyze(self, upload: Upload, actor: str) -> bytes:
        """Wait for a process, and return the result document of an upload.

        Raises
        ------
        AavqcError
            What the library says of the files; Refused where they cost too much time or memory.
        """
        process = await self._free.get()
        started = time.monotonic()
        try:
            return await asyncio.wrap_future(process.submit(analyze_upload, upload, actor, self._limits))
        except BrokenProcessPool:
            process.shutdown(wait=False)
            process = _process(self._limits)
            if time.monotonic() - started < self._limits.analysis_seconds:
                raise Refused("the process that analyzed it died") from None
            raise Refused(
                "the analysis takes too long", expected=f"at most {self._limits.analysis_seconds:g} s"
            ) from None
        finally:
            self._free.put_nowait(process)

    def close(self) -> None:
        """End the processes that are free; a job under way is ended by its time."""
        while not self._free.empty():
            self._free.get_nowait().shutdown(wait=False, cancel_futures=True)


def analyze_upload(upload: Upload, actor: str, limits: Limits) -> bytes:
    """Analyze an upload in a process of its own; return the canonical bytes of its result."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.analysis_seconds)
    try:
        if upload.method is not None and upload.method not in builtin():  # a path would be one of ours
            raise UsageError(f"no method {upload.method[:40]!r}", expected=", ".join(builtin()))
        path = upload.path
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                check_zip(file, limits)
        result = analyze_all(path, upload.method, upload.settings)
        return canonical(result.document(actor=actor)) + b"\n"
    except MemoryError:
        raise InputError(
            "needs too much memory", expected=f"at most {limits.analysis_memory} bytes"
        ) from None
    except AavqcError as error:
        raise _without_folder(error, f"{upload.folder}") from None
    except SystemExit as error:  # a plug-in's: in the server it would end the server
        raise RuntimeError("the analysis ended its process") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _without_folder(error: AavqcError, folder: str) -> AavqcError:
    """Name no path of this computer."""
    for field in ("message", "file", "expected", "found", "hint"):
        text = getattr(error, field)
        if text:
            setattr(error, field, text.replace(f"{folder}/", "").replace(folder, "the upload"))
    return error


def _process(limits: Limits) -> ProcessPoolExecutor:
    """Return a process that is started when it gets its first job."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, initializer=_begin, initargs=(limits.analysis_memory,))


def _begin(memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's: it ends its processes
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _end_with_the_server() -> None:
    """A server that is killed can't end its processes."""
    server = multiprocessing.parent_process()
    if server is not None:
        server.join()
        os._exit(1)
