"""Threads of one process: the same payloads as one after the other, and the process as it was before."""

from __future__ import annotations

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from aavqc.blas import OneThread
from aavqc.documents import canonical
from aavqc.simulate import run as simulate
from aavqc.textfiles import write_bytes


@pytest.fixture(scope="module")
def exports(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, dict[str, str]]]:
    """A small export of each technique, and a workbook, with what sets it."""
    folder = tmp_path_factory.mktemp("threads")
    simulate("auc", folder / "auc", 1, {"scans": "12", "radial_step": "0.015"})
    plate = example_lot / "ddpcr" / "EX24-001.csv"
    ions = (example_lot / "cdms" / "run1.csv").read_bytes().splitlines(keepends=True)
    write_bytes(folder / "ions.csv", b"".join(ions[:1500]))
    workbook(plate, folder / "plate.xlsx")
    auc = {"design_length": "4700", "extinction.capsid.260": "3.72e6", "extinction.nucleotide.260": "8750"}
    auc |= {"model": "cs", "resolution": "30"}
    return [
        (folder / "auc", auc),
        (plate, {"dilution_factor": "1e7"}),
        (folder / "ions.csv", {"design_length": "4700", "charge_slope": "112100"}),
        (folder / "plate.xlsx", {}),
    ]


def workbook(table: Path, to: Path) -> None:
    import csv

    from openpyxl import Workbook

    book = Workbook()
    for row in csv.reader(table.read_text(encoding="utf-8").splitlines()):
        book.active.append(row)
    book.save(to)


def state() -> object:
    """What belongs to the process and not to a thread."""
    threads = {lib["filepath"]: lib["num_threads"] for lib in threadpool_info()}
    return list(warnings.filters), warnings.showwarning, dict(os.environ), threads, os.getcwd()


def payload(export: tuple[Path, dict[str, str]]) -> bytes:
    from aavqc.analysis import analyze_all

    return canonical(analyze_all(export[0], None, export[1]).payload)


def test_four_threads_give_the_payloads_of_one(exports: list[tuple[Path, dict[str, str]]]) -> None:
    alone = [payload(export) for export in exports]
    before = state()
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(payload, exports * 2))
    assert together == alone * 2
    assert state() == before


def test_the_limit_of_blas_holds_until_the_last_thread_is_out() -> None:
    """Two that overlap: the first to leave does not lift it for the other; the last restores it."""
    one_thread, at, seen = OneThread(), Barrier(2, timeout=30), []

    def threads_of_blas() -> list[int]:
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    def first() -> None:
        with one_thread:
            at.wait()  # one is in
            at.wait()  # both are in
        at.wait()  # one is out

    def second() -> None:
        at.wait()
        with one_thread:
            at.wait()
            at.wait()
            seen.extend(threads_of_blas())

    with threadpool_limits(limits=2, user_api="blas"):
        running = [Thread(target=first), Thread(target=second)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert set(seen) == {1}
        assert set(threads_of_blas()) == {2}
