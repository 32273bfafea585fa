"""Times of droplet digital PCR: reading amplitudes, and a plate from files to titers."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
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
