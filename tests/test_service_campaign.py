"""Campaign: fifty clients at once, each with an export of 20 MB; writes docs/validation/service.md."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

import aavqc
from service_client import Service, form, service

LOG = Path(__file__).resolve().parents[1] / "docs" / "validation" / "service.md"
CLIENTS = 50
PADDING = 18_000_000


@pytest.mark.campaign
def test_fifty_clients_with_large_uploads(example_lot: Path) -> None:
    files = {p.name: p.read_bytes() for p in sorted((example_lot / "ddpcr").glob("*.csv"))}
    body = form(files | {"report.pdf": b"%PDF-1.4" + bytes(PADDING)})
    with service() as running:
        assert running.post(form(files))[0] == 200
        before, started = running.peak_bytes, time.perf_counter()
        with ThreadPoolExecutor(CLIENTS) as clients:
            answers = list(clients.map(lambda _: timed(running, body), range(CLIENTS)))
        seconds, after = time.perf_counter() - started, running.peak_bytes
        analysts = max(running.peak_of(pid) for pid in running.workers)
    statuses = Counter(status for status, _, _ in answers)
    waits = sorted(wait for _, _, wait in answers)
    LOG.write_text(
        f"""# Fifty uploads at once

The example service with two processes, on one machine of two cores with its clients: {CLIENTS} clients
that begin at once, each with the ddPCR plate of the example lot, droplets and all, and a file of
{PADDING / 1e6:.0f} MB beside it. Written by `pytest -m campaign tests/test_service_campaign.py`, version
{aavqc.__version__}, {date.today()}; seconds are of a busy machine.

| | |
|---|---|
| sent at once | {CLIENTS} × {len(body) / 1e6:.1f} MB = {CLIENTS * len(body) / 1e6:.0f} MB |
| answers by status | {", ".join(f"{n} × {status}" for status, n in statuses.items())} |
| different payloads among them | {len({payload for _, payload, _ in answers})} |
| all answered after | {seconds:.1f} s |
| wait of a client, least / median / most | {waits[0]:.1f} / {waits[CLIENTS // 2]:.1f} / {waits[-1]:.1f} s |
| peak memory of the server's process | {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after |
| peak memory of a process that analyzes | {analysts / 1e6:.0f} MB |
"""
    )
    assert statuses == {200: CLIENTS}
    assert len({payload for _, payload, _ in answers}) == 1
    assert after - before < 100_000_000  # a tenth of what was sent at once


def timed(running: Service, body: bytes) -> tuple[int, str, float]:
    started = time.perf_counter()
    status, document = running.post(body)
    return status, json.dumps(document["payload"]), time.perf_counter() - started
