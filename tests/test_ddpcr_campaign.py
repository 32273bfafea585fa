"""Droplet digital PCR against truth: coverage of titers, bias with λ, integrity.

Plates are made droplet by droplet here: volumes, molecules, pipetting, amplitudes with rain. None of
the library's formulas makes them. They are gated, counted and analysed as exports of amplitudes are.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aavqc.ddpcr import TechniqueSettings, analyze
from aavqc.documents import Sample, SheetRow
from aavqc.records import DropletPlate, Droplets, InputFile, readonly

LOG = Path(__file__).resolve().parents[1] / "docs" / "validation" / "ddpcr-campaign.md"
DROPLETS = 15_000
NEGATIVE, POSITIVE = (1500.0, 90.0), (6500.0, 300.0)


@dataclass(frozen=True)
class Case:
    """Plates of one kind: copies a droplet, wells of each sample, CV of pipetting, rain, samples."""

    density: float
    wells: int = 4
    well_cv: float = 0.015
    rain: float = 0.005
    samples: int = 1


CASES = (
    Case(0.1),
    Case(0.5),
    Case(0.9),
    Case(0.9, wells=8),
    Case(0.9, well_cv=0.0),
    Case(1.5, well_cv=0.01),
    Case(0.9, wells=2, well_cv=0.0, samples=8),
    Case(0.9, wells=2, samples=8),
    Case(0.9, wells=3, well_cv=0.0, samples=8),
    Case(0.9, wells=3, samples=8),
    Case(0.9, wells=3, well_cv=0.03, samples=8),
)


def plate(
    random: np.random.Generator,
    species: Mapping[str, float],
    wells: int,
    *,
    well_cv: float = 0.0,
    rain: float = 0.0,
    volume_cv: float = 0.03,
) -> DropletPlate:
    """Return a plate with a blank in the last well; species as ``"110"``: λ."""
    targets = len(next(iter(species)))
    made = {}
    for i in range(wells + 1):
        scale = 0.0 if i == wells else 1 + well_cv * random.standard_normal()
        volume = np.clip(1 + volume_cv * random.standard_normal(DROPLETS), 0, None)
        holds = np.zeros((DROPLETS, targets), bool)
        for pattern, density in species.items():
            inside = random.poisson(np.clip(density * scale * volume, 0, None)) > 0
            holds |= inside[:, None] & np.array([sign == "1" for sign in pattern])
        made[f"{'ABCDEFGH'[i % 8]}{i // 8 + 1:02d}"] = amplitudes(random, holds, rain)
    return DropletPlate(
        name="plate",
        sample_id="plate",
        format="quantasoft",
        inputs=(InputFile("plate_A01_Amplitude.csv", "0" * 64, 1),),
        software="amplitudes without a table",
        rows=(),
        droplets={
            well: Droplets(
                amplitude=readonly(a), positive=None, channels=tuple(f"Ch{c + 1}" for c in range(targets))
            )
            for well, a in made.items()
        },
        partition_volume_nl=0.85,
        partition_volume_source="software",
    )


def amplitudes(random: np.random.Generator, holds: NDArray[np.bool_], rain: float) -> NDArray[np.float64]:
    """Return the amplitudes of droplets that hold targets, shape (n, channels)."""
    grown = np.where(random.random(holds.shape) < rain, random.random(holds.shape), 1.0)
    level = NEGATIVE[0] + np.where(holds, (POSITIVE[0] - NEGATIVE[0]) * grown, 0.0)
    return level + np.where(holds, POSITIVE[1], NEGATIVE[1]) * random.standard_normal(holds.shape)


def analysed(record: DropletPlate, samples: int = 1, **settings: object) -> list[Sample]:
    """Return the samples, which share all wells but the blank, the last."""
    *wells, blank = record.droplets
    each = len(wells) // samples
    used = TechniqueSettings(calls="own", dilution_factor=1.0, roles={blank: "ntc"}, **settings)  # type: ignore[arg-type]
    rows = [
        SheetRow(export="plate", lot="L", sample_id=f"S{i}", part=";".join(wells[i * each : (i + 1) * each]))
        for i in range(samples)
    ]
    outcome = analyze(record, used, [(row, used) for row in rows])
    return [s for s in outcome.samples if s.lot]


@dataclass(frozen=True)
class Coverage:
    """What samples of one kind showed: how many inside, width over the empirical one, bias."""

    case: Case
    tried: int
    inside: int
    ratio: float
    bias: float


def coverage(case: Case, plates: int) -> Coverage:
    errors, halves, inside = [], [], 0
    truth = case.density / 0.85e-3
    for seed in range(max(plates // case.samples, 1)):
        random = np.random.default_rng(
            [seed, round(1000 * case.density), case.wells, round(1e4 * case.well_cv)]
        )
        wells = case.wells * case.samples
        record = plate(random, {"1": case.density}, wells, well_cv=case.well_cv, rain=case.rain)
        for sample in analysed(record, case.samples):
            found = sample.attribute_set["concentration"]
            assert found.ci_low is not None
            assert found.ci_high is not None
            inside += found.ci_low <= truth <= found.ci_high
            errors.append(math.log(found.value / truth))
            halves.append(math.log(found.ci_high / found.ci_low) / 2)
    ratio = float(np.mean(halves)) / (1.96 * float(np.std(errors)))
    return Coverage(case, len(errors), inside, ratio, float(np.mean(errors)))


def bias(density: float, plates: int, volume_cv: float, assumed_cv: float, rain: float) -> float:
    """Return the mean relative error of the concentration."""
    errors = []
    for seed in range(plates):
        random = np.random.default_rng([7, seed, round(100 * density)])
        record = plate(random, {"1": density}, 8, volume_cv=volume_cv, rain=rain)
        found = analysed(record, volume_cv=assumed_cv)[0].attribute_set["concentration"]
        errors.append(found.value * 0.85e-3 / density - 1)
    return float(np.mean(errors))


def integrity_errors(level: float, intact: float, plates: int) -> tuple[list[float], int]:
    """Return the errors in points of percent, and how many intervals hold the truth."""
    broken = (1 - intact) * level
    species = {"111": intact * level, "110": 0.5 * broken, "001": 0.3 * broken, "100": 0.2 * broken}
    errors, inside = [], 0
    for seed in range(plates):
        random = np.random.default_rng([11, seed, round(100 * level), round(100 * intact)])
        record = plate(random, species, 4, well_cv=0.01, rain=0.002, volume_cv=0.03)
        sample = analysed(record, lysis="pre_lysis", volume_cv=0.03)[0]
        found = sample.attribute_set["genome_integrity_raw"]
        errors.append(found.value - 100 * intact)
        inside += (found.ci_low or 0) <= 100 * intact <= (found.ci_high or 0)
    return errors, inside


def table(covered: Sequence[Coverage], biases: Sequence[str], intact: Sequence[str]) -> str:
    """Return the log."""
    lines = [
        "# Droplet digital PCR against truth",
        "",
        "Plates made droplet by droplet by `tests/test_ddpcr_campaign.py`, version 0.1.0, 2026-11-29:",
        "15,000 droplets a well, one blank, volumes with a CV of 3 % unless stated, gated here",
        "(`calls = own`), Wilson's interval of 95 %.",
        "",
        "## Intervals of a concentration",
        "",
        "Width is the mean half-width over 1.96 empirical SDs.",
        "",
        "| λ | samples a plate | wells each | CV between wells | rain | samples | inside | width | bias |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {c.case.density:g} | {c.case.samples} | {c.case.wells} | {100 * c.case.well_cv:g} % "
        f"| {100 * c.case.rain:g} % | {c.tried} | {100 * c.inside / c.tried:.1f} % | {c.ratio:.2f} "
        f"| {100 * c.bias:+.2f} % |"
        for c in covered
    ]
    total, inside = sum(c.tried for c in covered), sum(c.inside for c in covered)
    lines += [f"| all | | | | | {total} | {100 * inside / total:.1f} % | | |", ""]
    lines += ["## Bias with λ", "", "Eight wells, volumes with a CV of 5 %.", ""]
    lines += ["| λ | rain | corrected for | plates | bias |", "|---|---|---|---|---|", *biases, ""]
    lines += ["## Genome integrity", "", "Three targets, four wells, species 111, 110, 001 and 100.", ""]
    lines += ["| λ | intact | plates | mean error | SD | largest | inside |", "|---|---|---|---|---|---|---|"]
    return "\n".join([*lines, *intact]) + "\n"


def test_coverage_bias_and_integrity() -> None:
    """8 samples of each kind; more by ``AAVQC_DDPCR_PLATES``, logged by ``AAVQC_VALIDATION``."""
    plates = int(os.environ.get("AAVQC_DDPCR_PLATES", "8"))
    covered = [coverage(case, plates) for case in CASES]
    few = max(plates // 4, 6)
    biases, intact = [], []
    for density in (0.5, 1.0, 2.0, 3.0):
        for rain, assumed in ((0.0, 0.0), (0.0, 0.05), (0.005, 0.05)):
            found = bias(density, few, 0.05, assumed, rain)
            biases.append(
                f"| {density:g} | {100 * rain:g} % | {100 * assumed:g} % | {few} | {100 * found:+.2f} % |"
            )
            if not rain:  # 3 SD of the mean of so many wells, beside the 1 % that scatter may cost
                sd = math.sqrt(math.expm1(density) / (8 * DROPLETS * few)) / density
                assert abs(found) < 0.01 + 3 * sd
    for level in (0.2, 0.5, 1.0):
        for share in (0.3, 0.6, 0.9):
            errors, inside = integrity_errors(level, share, few)
            worst, spread = max(abs(e) for e in errors), float(np.std(errors))
            intact.append(
                f"| {level:g} | {100 * share:g} % | {few} | {np.mean(errors):+.2f} | {spread:.2f} "
                f"| {worst:.2f} | {inside} |"
            )
            assert abs(np.mean(errors)) < 2
    log = table(covered, biases, intact)
    sys.stdout.write(log)
    if os.environ.get("AAVQC_VALIDATION"):
        LOG.parent.mkdir(parents=True, exist_ok=True)
        LOG.write_text(log, encoding="utf-8")
    total, inside = sum(c.tried for c in covered), sum(c.inside for c in covered)
    assert inside / total > 0.95 - 3 * math.sqrt(0.05 * 0.95 / total) - 0.02


@pytest.mark.parametrize("density", [0.1, 1.0])
def test_the_made_plate_holds_what_it_says(density: float) -> None:
    record = plate(np.random.default_rng(1), {"1": density}, 1)
    values = record.droplets["A01"].amplitude[:, 0]
    expected = DROPLETS * -math.expm1(-density)
    assert np.count_nonzero(values > 4000) == pytest.approx(expected, abs=4 * math.sqrt(expected))
    assert np.count_nonzero(record.droplets["B01"].amplitude > 4000) == 0
