"""Time of the figures of a lot, warm, beside the floor: as many empty figures, laid out and saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import aavqc
from aavqc.report.pictures import Picture
from aavqc.report.plots import figures, styled
from aavqc.report.style import new_figure, panels
from aavqc.result import Result

LOT = Path(__file__).resolve().parents[1] / "data" / "example_lot"


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [
        aavqc.analyze(LOT / "auc", method=LOT / "method_auc.toml"),
        aavqc.analyze(LOT / "cdms" / "run1.csv", method=LOT / "method_cdms.toml"),
        aavqc.analyze(
            LOT / "ddpcr" / "EX24-001.csv", method=LOT / "method_ddpcr.toml", samples=LOT / "samples.csv"
        ),
    ]


def drawn(results: list[Result]) -> list[bytes]:
    pictures = [p for r in results for p in figures(r.payload, r.arrays, r.samples[0])]
    return [p.svg() for p in pictures if p.figure is not None]


def test_all_figures_of_three_techniques(benchmark: Any, results: list[Result]) -> None:
    made = drawn(results)  # warm
    started = time.process_time()
    for _ in made:
        with styled():
            figure = new_figure(3.0)
            panels(figure, 1)
        Picture("x", "x", "x", "x", figure).svg()
    floor = time.process_time() - started
    started = time.process_time()
    benchmark.pedantic(drawn, args=(results,), rounds=1)
    took = time.process_time() - started
    benchmark.extra_info.update(
        figures=len(made), bytes=sum(map(len, made)), cpu_s=took, floor_cpu_s=floor, ratio=took / floor
    )
