"""Times of droplet digital PCR: reading amplitudes, and a plate from files to titers.

Floor of reading: the bytes of the files, hashed once (about 1 GB/s) and turned into numbers once;
pandas' C reader on the files alone is the ratio's denominator, measured in the same run.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aavqc.analysis import analyze, read
from aavqc.parsers.amplitudes import read_amplitudes
from aavqc.parsers.sources import from_stream
from aavqc.simulate.ddpcr import DdpcrSimulation, simulate


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plate")
    simulate(folder, DdpcrSimulation())
    return folder


def test_amplitudes_of_20000_droplets(benchmark: Any) -> None:
    values = np.random.default_rng(0).normal(3000, 500, (20_000, 2)).tolist()
    text = "Ch1 Amplitude,Ch2 Amplitude,Cluster\n" + "\n".join(f"{a:.4f},{b:.4f},1" for a, b in values)
    file = from_stream(io.BytesIO(text.encode()), "p_A01_Amplitude.csv")
    droplets, _ = benchmark(lambda: read_amplitudes(file, {}))
    assert droplets.amplitude.shape == (20_000, 2)


def test_plate_of_six_wells_from_files_to_titers(benchmark: Any, plate: Path) -> None:
    result = benchmark(lambda: analyze(read(plate), dilution_factor=1e7))
    assert len(result.payload.wells) == 12


def test_reading_96_wells_with_1_700_000_droplets(benchmark: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for well in (f"{row}{column:02d}" for row in "ABCDEFGH" for column in range(1, 13)):
        holds = rng.random((17_700, 2)) < 0.3
        amplitude = np.where(holds, rng.normal(6000, 400, holds.shape), rng.normal(1500, 100, holds.shape))
        codes = np.array([[1, 4], [2, 3]])[holds[:, 0].astype(int), holds[:, 1].astype(int)]
        lines = [f"{a:.7g},{b:.7g},{c}" for (a, b), c in zip(amplitude.tolist(), codes.tolist(), strict=True)]
        text = "\r\n".join(["Ch1 Amplitude,Ch2 Amplitude,Cluster", *lines, ""])
        (tmp_path / f"p_{well}_Amplitude.csv").write_bytes(text.encode())
    files = sorted(tmp_path.iterdir())

    def alone() -> None:
        for path in files:
            pd.read_csv(path)

    plate = benchmark.pedantic(lambda: read(tmp_path), rounds=5, warmup_rounds=1)
    assert sum(d.amplitude.shape[0] for d in plate.droplets.values()) == 96 * 17_700
    floor = best(alone, 3)
    benchmark.extra_info["bytes"] = sum(path.stat().st_size for path in files)
    benchmark.extra_info["pandas_s"] = floor
    benchmark.extra_info["ratio_to_pandas"] = benchmark.stats.stats.min / floor


def best(function: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)
