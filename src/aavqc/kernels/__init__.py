"""Numba kernels: arrays in, arrays out; no I/O, no classes, no global state.

Every kernel is made by :func:`kernel` and called with arrays from :func:`as_input`, so
that each has exactly one signature and is compiled once. A kernel and all that it calls
stand in one file: Numba's cache does not see a callee change in another.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

P = ParamSpec("P")
R = TypeVar("R")

KERNELS: list[Any] = []
"""Every dispatcher made, for the test that each has one signature."""


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function on first call and cache the machine code on disk.

    Plain ``njit(cache=True)``: no eager signatures, no ``fastmath``, no ``parallel``. Where
    no cache folder is writable the kernel is compiled in each process, and works.
    ``AAVQC_NO_JIT_CACHE=1`` does the same on purpose.
    """
    import numba

    wanted = os.environ.get("AAVQC_NO_JIT_CACHE", "") in ("", "0")
    try:
        compiled = numba.njit(cache=wanted, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # "no locator available": nowhere to write a cache
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    KERNELS.append(compiled)
    return cast("Callable[P, R]", compiled)


def as_input(values: ArrayLike) -> NDArray[np.float64]:
    """Return a C-contiguous, writable-typed array: the one mutability that kernels see.

    A read-only array is another Numba signature, compiled again; so a read-only or
    non-contiguous array is copied here, any other is passed through.
    """
    array = np.ascontiguousarray(values, dtype=np.float64)
    return array if array.flags.writeable else array.copy()
