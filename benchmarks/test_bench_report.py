"""Time of reports: one lot measured by three techniques, and the index of two thousand lots.

The floor beside each is the bytes that the page has to hold: base64 and UTF-8 of pictures that
are drawn already, and escaping the text of the index once.
"""

from __future__ import annotations

import base64
import time
from html import escape
from pathlib import Path
from typing import Any

import pytest

from aavqc.batch import run
from aavqc.documents import EvaluationEntry, Manifest, canonical
from aavqc.report.write import write_reports
from aavqc.results import Evaluation

LOT = Path(__file__).parents[1] / "data" / "example_lot"
LOTS = 2000


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("lot") / "out"
    run(LOT, place)
    write_reports(place)  # imports and the caches of fonts are warm from here
    return place


@pytest.fixture(scope="module")
def many(out: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OUT of two thousand lots."""
    place = tmp_path_factory.mktemp("many") / "out"
    one = Evaluation.load(out / "lots" / "EX24-001.json")
    (place / "lots").mkdir(parents=True)
    entries = []
    for i in range(LOTS):
        lot = one.model_copy(update={"lot": f"LOT-{i}"})
        name = f"lots/LOT-{i}.json"
        (place / name).write_bytes(canonical(lot))
        entries.append(EvaluationEntry(lot=lot.lot, specification="EX-DP", overall="PASS", file=name))
    manifest = Manifest(schema="aavqc.manifest/1", files=[], problems=[], evaluations=entries)
    (place / "manifest.json").write_bytes(canonical(manifest))
    return place


def test_three_techniques(out: Path, benchmark: Any) -> None:
    begun = time.process_time()
    benchmark.pedantic(write_reports, args=(out,), rounds=2, iterations=1)
    benchmark.extra_info["cpu_s"] = (time.process_time() - begun) / 2
    page = (out / "report" / "EX24-001.html").read_bytes()
    begun = time.perf_counter()
    base64.b64encode(page).decode().encode()
    benchmark.extra_info["floor_s"] = time.perf_counter() - begun
    benchmark.extra_info["bytes"] = len(page)
    assert len(page) <= 5_000_000


def test_index_of_two_thousand_lots(many: Path, benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aavqc.report.write._tasks", lambda *_: [])  # the index alone
    begun = time.process_time()
    benchmark.pedantic(write_reports, args=(many,), rounds=2, iterations=1)
    benchmark.extra_info["cpu_s"] = (time.process_time() - begun) / 2
    page = (many / "report" / "index.html").read_text(encoding="utf-8")
    documents = [path.read_bytes() for path in sorted((many / "lots").iterdir())]
    begun = time.perf_counter()
    escape(page).encode()
    for document in documents:
        document.decode()
    benchmark.extra_info["floor_s"] = time.perf_counter() - begun
    assert page.count("<tr>") > LOTS
