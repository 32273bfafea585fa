"""Does the library compute here what it should? Reference vectors on the user's own machine.

In this order: the installed files, equations and published numbers that no one here wrote, the
example lot against its truth; with a folder of real exports, what others found in them.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from aavqc import __version__
from aavqc.errors import UsageError
from aavqc.fingerprint import numerical_platform
from aavqc.selftest.check import Check, SelfTest
from aavqc.selftest.equations import EQUATIONS
from aavqc.selftest.installed import installed_files
from aavqc.selftest.lot import example_lot
from aavqc.selftest.real import REAL

__all__ = ["Check", "SelfTest", "run"]


def run(
    reference_data: str | Path | None = None, progress: Callable[[Check], None] | None = None
) -> SelfTest:
    """Compute all reference vectors and compare.

    Parameters
    ----------
    reference_data : path, optional
        Folder of real exports, laid out as ``docs/validation`` says; without it those checks are
        skipped, and listed as skipped.
    progress : callable, optional
        Called with each check as it is done.

    Returns
    -------
    SelfTest

    Raises
    ------
    UsageError
        There is no such folder.

    Examples
    --------
    >>> run().passed
    True
    """
    folder = None if reference_data is None else Path(reference_data)
    if folder and not folder.is_dir():
        raise UsageError("--reference-data", expected="a folder", found=str(folder))
    checks = []
    for check in _all(folder):
        checks.append(check)
        if progress:
            progress(check)
    return SelfTest(
        schema="aavqc.selftest/1",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        aavqc=__version__,
        python=platform.python_version(),
        platform=numerical_platform(),
        passed=all(c.status != "failed" for c in checks),
        checks=checks,
    )


def _all(folder: Path | None) -> Iterator[Check]:
    for vector in (installed_files, *EQUATIONS, example_lot):
        yield from _survived(vector.__name__, vector)
    for real in REAL:
        if folder is None:
            name, needs = _said(real.__name__), "needs --reference-data, a folder of real exports"
            yield Check(name=name, source="real exports", expected="", found=needs, status="skipped")
        else:
            yield from _survived(real.__name__, partial(real, folder))


def _survived(name: str, vector: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield the checks of a vector; what ends it is a failure to tell of, not the end of the others."""
    try:
        yield from vector()
    except Exception as error:  # a self-test tells of all  # noqa: BLE001
        found = f"{type(error).__name__}: {error}"
        yield Check(name=_said(name), source="", expected="to end", found=found, status="failed")


def _said(name: str) -> str:
    return name.replace("_", " ")
