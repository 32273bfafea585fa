"""Shared fixtures: where the reference data and the example lot are, and a database server."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from aavqc.batch import BatchReport, run
from aavqc.report.write import write_reports
from hostile_lots import hostile_batch
from postgres_server import Server, binaries, server

hypothesis.settings.register_profile("aavqc", deadline=None)  # times belong into benchmarks
hypothesis.settings.load_profile("aavqc")

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server; tests skip where it is not installed, but never in CI."""
    programs = binaries()
    if programs is None:
        message = "no PostgreSQL server: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with server(programs) as running:
        yield running


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """URL of an empty database."""
    return postgres.database()


@pytest.fixture(scope="session")
def example_batch(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> BatchReport:
    """The example lot, analyzed and judged once; tests read it, and change copies."""
    return run(example_lot, tmp_path_factory.mktemp("example") / "out", actor="tester", reason="test")


@pytest.fixture(scope="session")
def example_reports(example_batch: BatchReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of the example lot with its reports."""
    out = tmp_path_factory.mktemp("reports") / "out"
    shutil.copytree(example_batch.out, out)
    write_reports(out)
    return out


@pytest.fixture(scope="session")
def hostile_reports(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of lots whose names mean harm, with its reports."""
    out = hostile_batch(example_lot, tmp_path_factory.mktemp("hostile")).out
    write_reports(out)
    return out


@pytest.fixture(scope="session")
def peers() -> Path:
    """Commands of an environment of its own with others' software, see ``.ci/peers.txt``.

    Tests skip where it is absent, but never in CI.
    """
    path = os.environ.get("AAVQC_PEERS")
    if path is None:
        message = "no environment of .ci/peers.txt: set AAVQC_PEERS to its bin"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return Path(path)


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports that a test has just written are whole: a batch need not wait long to see that."""
    monkeypatch.setattr("aavqc.batch.settle.QUIET_S", 0.02)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: at the end it would keep one worker while the other has nothing."""
    items.sort(key=lambda item: not item.path.stem.endswith(("_campaign", "_soak")))


SEVERAL_SIGNATURES: dict[str, int] = {}
"""Kernels that were compiled more than once, in this process and in those of workers."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Each kernel has been compiled for one signature only, whatever the tests did with it."""
    from aavqc.kernels import KERNELS

    SEVERAL_SIGNATURES.update({k.__name__: len(k.signatures) for k in KERNELS if len(k.signatures) > 1})
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["several_signatures"] = SEVERAL_SIGNATURES
    elif SEVERAL_SIGNATURES:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"FAILED kernels with more than one signature: {SEVERAL_SIGNATURES}", red=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a worker that ends."""
    SEVERAL_SIGNATURES.update(getattr(node, "workeroutput", {}).get("several_signatures", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """After ``pytest -m req``: the traceability matrix, each requirement with its tests."""
    if config.option.markexpr != "req":
        return
    rows: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "skipped", "error"):
        for report in terminalreporter.getreports(outcome):
            for requirement in dict(report.user_properties).get("req", "").split():
                name = report.nodeid.partition("[")[0]
                rows.setdefault(f"{requirement}  {name}", Counter())[outcome] += 1
    terminalreporter.section("traceability: requirement, test, outcomes")
    for row in sorted(rows, key=_natural):
        counts = ", ".join(f"{n} {outcome}" for outcome, n in rows[row].items())
        terminalreporter.write_line(f"{row}  {counts}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Carry the requirements of a test into its report, from any worker."""
    named = " ".join(mark.args[0] for mark in item.iter_markers("req"))
    if named:
        item.user_properties.append(("req", named))


def _natural(text: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"([0-9]+)", text)]
