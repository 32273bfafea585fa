"""A virtual droplet reader: QuantaSoft 1.7 exports of AAV titer plates with known truth.

Droplets differ in volume, genomes fall into them by Poisson's law, some genomes carry only
one of two targets, some positive droplets end in the rain between the clusters. The table
is what the vendor's software would make of these droplets, by arithmetic of its own.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aavqc.documents import Document
from aavqc.errors import UsageError
from aavqc.simulate.quantasoft_layout import ClusterCounts, amplitude_file, table_file

NEGATIVE = (1450.0, 1180.0)
POSITIVE = (6900.0, 4650.0)
SPREAD = (0.075, 0.055)
"""Amplitude of the clusters by channel, and their relative SD (of the negatives' and positives' mean)."""


class DdpcrSimulation(Document):
    """What the virtual plate holds. A sample is written ``name:vg_per_ml:dilution:wells``."""

    seed: int = Field(0, ge=0)
    plate: str = "EX24-001"
    targets: list[str] = Field(["ITR", "transgene"], min_length=1, max_length=2)
    samples: list[str] = Field(
        [
            "EX24-001 1e7:1.0e13:1e7:A01;B01",
            "EX24-001 2e7:1.0e13:2e7:C01;D01",
            "PC:5.0e12:1e7:E01",
            "NTC:0:1:F01",
        ],
        min_length=1,
    )
    intact_fraction: float = Field(
        0.92, ge=0, le=1, description="of genomes with either target that have both"
    )
    droplets: int = Field(15_000, ge=100, le=100_000, description="accepted a well, on average")
    partition_volume_nl: float = Field(0.85, gt=0)
    volume_cv: float = Field(0.03, ge=0, le=0.5, description="of droplets in a well")
    well_cv: float = Field(0.015, ge=0, le=0.5, description="of pipetting between wells")
    rain: float = Field(0.01, ge=0, le=0.5, description="fraction of positive droplets between the clusters")


@dataclass(frozen=True)
class _Entry:
    name: str
    vg_per_ml: float
    dilution: float
    wells: tuple[str, ...]


def simulate(out: Path, settings: DdpcrSimulation) -> dict[str, Any]:
    """Write a plate's table, its amplitudes and ``truth.json``.

    Parameters
    ----------
    out : Path
        Folder, made where it does not exist.
    settings : DdpcrSimulation

    Returns
    -------
    dict
        The truth: titer of each sample, and by well copies a droplet before pipetting, the
        droplets that hold a target, and those that the virtual software calls positive.

    Raises
    ------
    UsageError
        A sample that is not written as ``name:vg_per_ml:dilution:wells``, a well used twice.
    """
    entries = [_entry(text) for text in settings.samples]
    used = [well for entry in entries for well in entry.wells]
    if len(set(used)) < len(used):
        raise UsageError("setting samples", expected="each well once", found=", ".join(used))
    out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(settings.seed)
    counted: list[tuple[str, str, ClusterCounts]] = []
    wells: dict[str, Any] = {}
    thresholds = tuple((low + high) / 2 for low, high in zip(NEGATIVE, POSITIVE, strict=True))
    for entry in entries:
        density = entry.vg_per_ml / entry.dilution * 1e-3 * settings.partition_volume_nl * 1e-3
        for well in entry.wells:
            holds = _molecules(random, density, settings)
            amplitude = _amplitudes(random, holds, settings.rain)
            positive = amplitude > np.array(thresholds)[: len(settings.targets)]
            amplitude_file(out / f"{settings.plate}_{well}_Amplitude.csv", amplitude, positive)
            counts = ClusterCounts.of(amplitude, positive)
            counted.append((well, entry.name, counts))
            wells[well] = {
                "sample": entry.name,
                "accepted": int(holds.shape[0]),
                "copies_per_droplet": density,
                "with_target": dict(zip(settings.targets, holds.sum(axis=0).tolist(), strict=True)),
                "called_positive": dict(zip(settings.targets, positive.sum(axis=0).tolist(), strict=True)),
            }
    table_file(
        out / f"{settings.plate}.csv", settings.targets, counted, thresholds, settings.partition_volume_nl
    )
    truth = {
        "schema": "aavqc.truth/1",
        "technique": "ddpcr",
        "settings": settings.model_dump(mode="json"),
        "samples": {
            e.name: {"vg_per_ml": e.vg_per_ml, "dilution_factor": e.dilution, "wells": list(e.wells)}
            for e in entries
        },
        "intact_fraction": settings.intact_fraction,
        "wells": wells,
    }
    text = json.dumps(truth, indent=1, ensure_ascii=False) + "\n"
    (out / "truth.json").write_bytes(text.encode())
    return truth


def _entry(text: str) -> _Entry:
    try:
        name, titer, dilution, wells = text.rsplit(":", 3)
        entry = _Entry(name, float(titer), float(dilution), tuple(wells.split(";")))
        known = all(w[0] in "ABCDEFGH" and 1 <= int(w[1:]) <= 12 and len(w) == 3 for w in entry.wells)
    except (ValueError, IndexError):
        known = False
    if not known or not 0 <= entry.vg_per_ml < math.inf or not 0 < entry.dilution < math.inf:
        raise UsageError(
            "setting samples",
            expected="name:vg_per_ml:dilution:wells such as S1:1e13:1e7:A01;B01",
            found=repr(text),
        )
    return entry


def _molecules(random: np.random.Generator, density: float, settings: DdpcrSimulation) -> NDArray[np.bool_]:
    """Return which droplets hold which target, shape (droplets, targets).

    Each target is on ``density`` genomes a droplet; a fraction of the genomes with either
    target has both, the rest is split evenly.
    """
    count = int(random.normal(settings.droplets, 0.04 * settings.droplets))
    volume = 1 + settings.volume_cv * random.standard_normal(count)
    density *= 1 + settings.well_cv * random.standard_normal()
    expected = np.clip(density * volume, 0, None)
    if len(settings.targets) == 1:
        return random.poisson(expected)[:, None] > 0
    both = 2 * settings.intact_fraction / (1 + settings.intact_fraction)
    linked = random.poisson(both * expected)
    single = [random.poisson((1 - both) * expected) for _ in range(2)]
    return np.stack([linked + alone > 0 for alone in single], axis=1)


def _amplitudes(random: np.random.Generator, holds: NDArray[np.bool_], rain: float) -> NDArray[np.float64]:
    channels = []
    for channel, inside in enumerate(holds.T):
        low, high, cv = NEGATIVE[channel], POSITIVE[channel], SPREAD[channel]
        grown = np.where(random.random(inside.size) < rain, random.random(inside.size), 1.0)
        level = np.where(inside, low + (high - low) * grown, low)
        channels.append(level + cv * np.where(inside, high, low) * random.standard_normal(inside.size))
    return np.round(np.stack(channels, axis=1), 3)
