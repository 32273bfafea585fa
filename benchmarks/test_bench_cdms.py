"""Reading and analysing single ions, by size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aavqc.analysis import analyze, read
from aavqc.simulate.cdms import CdmsSimulation, simulate


@pytest.mark.parametrize("ions", [10_000, 100_000])
@pytest.mark.parametrize("kind", ["csv", "mzml"])
def test_read(benchmark: Any, tmp_path: Path, ions: int, kind: str) -> None:
    simulate(tmp_path, CdmsSimulation(ions=ions, formats=[kind]))
    assert benchmark(read, tmp_path).rows_read >= ions


@pytest.mark.parametrize("ions", [10_000, 100_000, 1_000_000])
def test_analyze(benchmark: Any, tmp_path: Path, ions: int) -> None:
    simulate(tmp_path, CdmsSimulation(ions=ions, formats=["csv"]))
    record = read(tmp_path)
    result = benchmark(analyze, record, charge_slope=112_100, serotype="AAV2", design_length=4700)
    assert result.samples[0].status == "valid"
