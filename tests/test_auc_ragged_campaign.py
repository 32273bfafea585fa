"""What scans of different radial range cost: all data, each where it has data, the common range."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc.records import VelocityScans
from aavqc.simulate.auc import AucSimulation, simulate
from test_auc_ragged import AAV, ragged

LOG = Path(__file__).resolve().parents[1] / "docs" / "validation" / "auc-ragged.md"

WAYS: dict[str, dict[str, Any]] = {
    "all scans whole": {},
    "ragged, each where it has data": {},
    "ragged, the common range 6.26–6.69 cm": {"fit_range": "6.26,6.69"},
}
TRUTH = {"empty": 25.0, "partial": 15.0, "full": 60.0}


def errors(seed: int) -> list[list[float]]:
    """Errors of the three classes (points) and of the meniscus (cm) in each way."""
    with tempfile.TemporaryDirectory() as folder:
        simulate(Path(folder), AucSimulation(seed=seed, scans=30, ti_noise=0.01, ri_noise=0.01))
        record = aavqc.read(folder)
    assert isinstance(record, VelocityScans)
    rows = []
    for name, settings in WAYS.items():
        used = record if name.startswith("all") else ragged(record)
        result = aavqc.analyze(used, **AAV, noise="ti,ri", **settings)
        found = [result.attributes[f"percent_{c}"].value - value for c, value in TRUTH.items()]
        rows.append([*found, result.samples[0].diagnostics["meniscus"] - 6.05])
    return rows


def table(found: np.ndarray) -> str:
    """The log of a campaign; ``found`` has the shape (runs, ways, 4)."""
    text = [
        "# Scans of different radial range",
        "",
        f"{len(found)} runs by `aavqc.simulate.auc` (25/15/60 % empty, partial, full; 30 scans at",
        "15,000 rpm, 0.6 OD, noise 0.004, noise constant in time and in radius 0.01 each; meniscus",
        "at 6.05 cm, not given).",
        "Every third scan is cut off at 6.7 cm, and the last ten begin at 6.25 cm. Written by",
        f"`tests/test_auc_ragged_campaign.py`, version {aavqc.__version__}.",
        "",
        "| way | empty: bias, SD (points) | partial | full | meniscus: bias, SD (cm) |",
        "|---|---|---|---|---|",
    ]
    for i, name in enumerate(WAYS):
        bias, sd = found[:, i].mean(axis=0), found[:, i].std(axis=0, ddof=1)
        classes = " | ".join(f"{b:+.2f}, {s:.2f}" for b, s in zip(bias[:3], sd[:3], strict=True))
        text.append(f"| {name} | {classes} | {bias[3]:+.5f}, {sd[3]:.5f} |")
    return "\n".join([*text, ""])


@pytest.mark.campaign
def test_what_different_ranges_cost() -> None:
    """40 runs; fewer by ``AAVQC_CAMPAIGN_RUNS=n``."""
    runs = int(os.environ.get("AAVQC_CAMPAIGN_RUNS", "40"))
    found = np.array([errors(500 + seed) for seed in range(runs)])
    log = table(found)
    sys.stdout.write(log)
    if os.environ.get("AAVQC_VALIDATION"):
        LOG.write_text(log, encoding="utf-8")
    rms = np.sqrt((found**2).mean(axis=0))
    # no worse than half again of what the whole data give, and better than the common range
    assert (rms[1, :3] < 1.5 * rms[0, :3] + 0.1).all(), rms
    assert (rms[1, :3] < rms[2, :3]).all(), rms


def test_the_log_has_a_row_a_way() -> None:
    log = table(np.arange(24.0).reshape(2, 3, 4))
    assert "| all scans whole | +6.00, 8.49 | +7.00, 8.49 | +8.00, 8.49 | +9.00000, 8.48528 |" in log
    assert log.count("\n| ragged") == 2
