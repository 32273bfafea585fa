"""Shared fixtures: where the reference data and the example lot are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Folder of real exports; tests skip where it is absent, but never in CI."""
    path = Path(os.environ.get("AAVQC_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        message = f"no reference data at {path}: set AAVQC_REFERENCE_DATA"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture(scope="session")
def example_lot() -> Path:
    """The committed example lot."""
    return ROOT / "data" / "example_lot"


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports that a test has just written are whole: a batch need not wait long to see that."""
    monkeypatch.setattr("aavqc.batch.settle.QUIET_S", 0.02)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each kernel has been compiled for one signature only, whatever the tests did with it."""
    from aavqc.kernels import KERNELS

    several = {k.__name__: k.signatures for k in KERNELS if len(k.signatures) > 1}
    if several:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"FAILED kernels with more than one signature: {several}", red=True)
