"""One flipped bit in any byte that a batch rests on or leaves: found, and its file named first."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import aavqc
from aavqc.batch import run
from aavqc.batch.verify import verify
from test_verify_out import small_lot

LOG = Path(__file__).resolve().parents[1] / "docs" / "validation" / "flipped-bytes.md"
FILES = {
    "raw file": ("lot", "**/*"),
    "result": ("out", "results/*"),
    "lot document": ("out", "lots/*"),
    "audit trail": ("out", "audit.jsonl"),
    "arrays": ("out", "arrays/*"),
    "manifest and tables": ("out", "*[st].[cj]s*[vn]"),
}
PAYLOADS = "payload column of the store"


@dataclass(frozen=True)
class Place:
    """Bytes that can be read and written, and the file that must be named."""

    file: str
    read: Callable[[], bytes]
    write: Callable[[bytes], object]


def files(base: Path, kind: str) -> list[Place]:
    folder, pattern = FILES[kind]
    paths = sorted(p for p in (base / folder).glob(pattern) if p.is_file())
    return [Place(p.relative_to(base / folder).as_posix(), p.read_bytes, p.write_bytes) for p in paths]


def payloads(base: Path) -> list[Place]:
    database = base / "out" / "aavqc.sqlite"

    def execute(statement: str, *values: object) -> list[tuple[bytes]]:
        with closing(sqlite3.connect(database)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def place(job: str) -> Place:
        return Place(
            database.name,
            lambda: execute("SELECT payload FROM results WHERE job = ?", job)[0][0],
            lambda data: execute("UPDATE results SET payload = ? WHERE job = ?", data, job),
        )

    return [place(str(job)) for (job,) in execute("SELECT job FROM results ORDER BY job")]


def flipped(base: Path, kind: str, count: int) -> tuple[int, int]:
    """Flip ``count`` bits, one after the other; return how many were found, and how many files had one."""
    draw = np.random.default_rng([count, len(kind)])
    places = payloads(base) if kind == PAYLOADS else files(base, kind)
    found, touched = 0, set()
    for _ in range(count):
        place = places[draw.integers(len(places))]
        before = place.read()
        changed = bytearray(before)
        changed[draw.integers(len(before))] ^= 1 << draw.integers(8)
        place.write(bytes(changed))
        report = verify(base / "out", source=base / "lot", again=False)
        found += bool(report.findings) and report.findings[0].file == place.file
        place.write(before)
        touched.add(place.file)
    assert verify(base / "out", source=base / "lot", again=False).findings == []
    return found, len(touched)


@pytest.mark.parametrize("kind", [*FILES, PAYLOADS])
def test_a_flipped_bit_is_found_and_its_file_named(kind: str, example_lot: Path, tmp_path: Path) -> None:
    run(small_lot(example_lot, tmp_path), tmp_path / "out")
    assert flipped(tmp_path, kind, 6)[0] == 6


@pytest.mark.campaign
def test_campaign_of_flipped_bits(example_lot: Path, tmp_path: Path) -> None:
    count = int(os.environ.get("AAVQC_FLIPS", "100"))
    shutil.copytree(example_lot, tmp_path / "lot")
    run(tmp_path / "lot", tmp_path / "out")
    found = {kind: flipped(tmp_path, kind, count) for kind in [*FILES, PAYLOADS]}
    LOG.write_text(log(found, count), encoding="utf-8")
    assert all(n == count for n, _ in found.values())


def log(found: dict[str, tuple[int, int]], count: int) -> str:
    text = [
        "# One flipped bit",
        "",
        "The example lot, run once; then one random bit of one random byte flipped in one file at a time,",
        "`aavqc verify OUT --no-rerun`, and the byte put back. Found means: exit 6, and the file that was",
        "changed is the first one named. Written by `pytest -m campaign tests/test_verify_campaign.py`,",
        f"version {aavqc.__version__}, {date.today()}.",
        "",
        "| where | flipped | found and named | files that had one |",
        "|---|---|---|---|",
        *(f"| {kind} | {count} | {n} | {touched} |" for kind, (n, touched) in found.items()),
        "",
    ]
    return "\n".join(text)
