"""Five million centroids from mzML to filtered ions, against pyOpenMS's bare stream of the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aavqc.simulate.cdms import CdmsSimulation, simulate

BARE = """
import pyopenms
class Nothing:
    centroids = 0
    def consumeSpectrum(self, spectrum): self.centroids += spectrum.size()
    def consumeChromatogram(self, chromatogram): pass
    def setExpectedSize(self, spectra, chromatograms): pass
    def setExperimentalSettings(self, settings): pass
def run(path):
    consumer, reader = Nothing(), pyopenms.MzMLFile()
    reader.setLogType(pyopenms.LogType.NONE)
    reader.transform(path, consumer)
    return consumer.centroids
"""

OURS = """
import pyopenms
from aavqc.analysis import read
from aavqc.cdms.charge import charges
from aavqc.cdms.funnel import select
from aavqc.cdms.settings import TechniqueSettings
from aavqc.parsers import formats
formats()  # what is imported once is counted on neither side
def run(path):
    settings = TechniqueSettings(charge_slope=112_100, mz_range=[15_000, 40_000], neighbour_distance=0.5)
    record = read(path)
    return select(record, charges(record, settings).charge, settings).mass.size
"""

MEASURE = """
import json, sys, time
started, used = time.perf_counter(), time.process_time()
found = run(sys.argv[1])
seconds, cpu = time.perf_counter() - started, time.process_time() - used
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"found": found, "seconds": seconds, "cpu_s": cpu, "peak_mb": peak / 1024}))
"""


def measured(code: str, path: Path) -> dict[str, float]:
    """Run in a process of its own, whose highest memory is its own; with byte code, as installed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(path.parent / "bytecode")
    command = [sys.executable, "-c", code + MEASURE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
@pytest.mark.benchmark(group="cdms")
@pytest.mark.parametrize("band", [True, False], ids=["noise band", "no noise band"])
def test_cdms_five_million_centroids(benchmark: Any, tmp_path: Path, band: bool) -> None:
    """Ratio of processor time in one run, median of five pairs; peak memory of each process."""
    noise: dict[str, float] = {"ions": 20_000, "noise": 0.0, "noise_a_scan": 2766}
    if not band:
        noise = {"ions": 1_666_000, "noise": 2.0, "noise_a_scan": 0}
    settings = CdmsSimulation.model_validate({"scans": 1800, "formats": ["mzml"], **noise})
    simulate(tmp_path, settings)
    path = tmp_path / "cdms.mzML"
    pairs = [(measured(BARE, path), measured(OURS, path)) for _ in range(1 if benchmark.disabled else 5)]
    ratios = [ours["cpu_s"] / bare["cpu_s"] for bare, ours in pairs]
    benchmark.extra_info |= {
        "centroids": pairs[0][0]["found"],
        "ions": pairs[0][1]["found"],
        "file_mb": path.stat().st_size / 1e6,
        "bare_s": float(np.median([bare["cpu_s"] for bare, _ in pairs])),
        "ours_s": float(np.median([ours["cpu_s"] for _, ours in pairs])),
        "ratio": float(np.median(ratios)),
        "bare_peak_mb": max(bare["peak_mb"] for bare, _ in pairs),
        "peak_mb": max(ours["peak_mb"] for _, ours in pairs),
    }
    benchmark.pedantic(measured, args=(OURS, path), rounds=1)
