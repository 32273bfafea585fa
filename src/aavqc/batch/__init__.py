"""Batch: a folder of exports → results, evaluations, tables; one bad file costs no other.

:func:`run` walks the folder, joins exports with the sample sheet, analyzes each export as a
job of its own (in this process or on any executor), saves its result as the job ends, judges
each lot against the specification, and writes OUT. Run again, it computes only what is not
there yet. It computes nothing itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aavqc.batch.outcome import BatchReport
    from aavqc.batch.run_folder import run

__all__ = ["BatchReport", "run"]

_HOME = {"BatchReport": "outcome", "run": "run_folder"}


def __getattr__(name: str) -> Any:
    """Load on first use: a worker, which runs jobs alone, then loads neither store nor tables."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
