"""Times of droplet digital PCR: reading amplitudes, gating, and a full plate from files to titers.

Ratios are to pandas' C reader on the same files; the floor is reading and hashing their bytes.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aavqc.analysis import analyze, read
from aavqc.ddpcr.calls import own_calls
from aavqc.ddpcr.species import pattern_probabilities, species
from aavqc.parsers.amplitudes import read_amplitudes
from aavqc.parsers.sources import from_stream
from aavqc.records import DropletPlate
from aavqc.simulate.ddpcr import DdpcrSimulation, simulate

WELLS = [f"{row}{column:02d}" for column in range(1, 13) for row in "ABCDEFGH"]


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plate of 96 wells and 1.7 million droplets in two channels."""
    folder = tmp_path_factory.mktemp("plate")
    samples = [f"S{i}:1e13:{10 ** (6.7 + (i % 8) / 8):.4g}:{w}" for i, w in enumerate(WELLS[:-8])]
    blanks = [f"NTC{i}:0:1:{w}" for i, w in enumerate(WELLS[-8:])]
    simulate(folder, DdpcrSimulation(samples=samples + blanks, droplets=17_700))
    return folder


def ratio(
    function: Callable[[], Any],
    floor: Callable[[], Any],
    rounds: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return the best time of one over that of the other, run in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for each, found in zip((function, floor), times, strict=True):
            started = clock()
            each()
            found.append(clock() - started)
    return min(times[0]) / min(times[1])


def test_amplitudes_of_20000_droplets(benchmark: Any) -> None:
    values = np.random.default_rng(0).normal(3000, 500, (20_000, 2)).tolist()
    text = "Ch1 Amplitude,Ch2 Amplitude,Cluster\n" + "\n".join(f"{a:.4f},{b:.4f},1" for a, b in values)
    file = from_stream(io.BytesIO(text.encode()), "p_A01_Amplitude.csv")
    droplets, _ = benchmark(lambda: read_amplitudes(file, {}))
    assert droplets.amplitude.shape == (20_000, 2)


def test_reading_96_wells(benchmark: Any, plate: Path) -> None:
    files = sorted(plate.glob("*_Amplitude.csv"))
    record = benchmark.pedantic(lambda: read(plate), rounds=5, warmup_rounds=1)
    assert isinstance(record, DropletPlate)
    benchmark.extra_info["megabytes"] = round(sum(f.stat().st_size for f in files) / 1e6, 1)
    found = ratio(lambda: read(plate), lambda: [pd.read_csv(file) for file in files])
    benchmark.extra_info["ratio_to_pandas_reader"] = round(found, 2)
    hashed = ratio(lambda: read(plate), lambda: [hashlib.sha256(file.read_bytes()) for file in files])
    benchmark.extra_info["ratio_to_reading_and_hashing"] = round(hashed, 2)


def test_plate_of_96_wells_from_files_to_titers(benchmark: Any, plate: Path) -> None:
    files = sorted(plate.glob("*_Amplitude.csv"))

    def floor() -> int:
        return sum(len(pd.read_csv(file)) for file in files)

    def whole() -> Any:
        return analyze(read(plate), dilution_factor=1e7, calls="own")

    droplets = floor()
    whole()
    benchmark.extra_info.update(
        droplets=droplets,
        megabytes=round(sum(f.stat().st_size for f in files) / 1e6, 1),
        ratio_to_pandas_reader=round(ratio(whole, floor), 2),
        ratio_by_processor_time=round(ratio(whole, floor, clock=time.process_time), 2),
    )
    result = benchmark(whole)
    assert len(result.payload.wells) == 192
    assert droplets > 1_600_000
    assert all(w.calls == "own" for w in result.payload.wells)


def test_gating_of_96_wells(benchmark: Any, plate: Path) -> None:
    record = read(plate)
    assert isinstance(record, DropletPlate)
    benchmark.extra_info["droplets"] = sum(d.amplitude.shape[0] for d in record.droplets.values())
    calls = benchmark(lambda: own_calls(record))
    assert len(calls) == 192


@pytest.mark.parametrize("targets", [2, 4, 6])
def test_species_of_a_multiplex(benchmark: Any, targets: int) -> None:
    random = np.random.default_rng(1)
    density = random.exponential(0.3 / 2**targets, 2**targets)
    density[0] = 0.0
    counts = random.multinomial(15_000, pattern_probabilities(density)).astype(np.int64)
    found = benchmark(lambda: species(counts))
    assert found is not None
