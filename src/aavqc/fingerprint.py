"""The numerical platform that a result was computed on: what its last digits can depend on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version

from aavqc.documents import Platform


@cache
def numerical_platform() -> Platform:
    """Return CPU, BLAS and the versions that numbers can depend on."""
    import llvmlite.binding as llvm

    # numpy's own BLAS: the library that fits call
    import numpy as np  # noqa: F401
    from threadpoolctl import threadpool_info

    blas = sorted(
        f"{lib['internal_api']} {lib['version']} {lib.get('architecture', '')}".strip()
        for lib in threadpool_info()
        if lib["user_api"] == "blas"
    )
    return Platform(
        machine=platform.machine(),
        cpu=llvm.get_host_cpu_name(),
        blas="; ".join(blas),
        versions={p: version(p) for p in ("numpy", "scipy", "numba", "llvmlite")},
    )
