"""A virtual digital PCR instrument: AAV titer plates with known truth in any vendor's format.

Partitions differ in volume, genomes fall into them by Poisson's law, some genomes carry only
some of the targets, some positive partitions end in the rain between the clusters, a dye leaks
into the next channel. The table is what the vendor's software would make of these partitions,
by arithmetic of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aavqc.documents import Document
from aavqc.errors import UsageError
from aavqc.simulate import chip_layouts, exchange_layouts, qx_layouts
from aavqc.simulate.plate import SimulatedPlate, SimulatedWell
from aavqc.simulate.quantasoft_layout import quantasoft_17

NEGATIVE = (1450.0, 1180.0, 980.0, 720.0, 610.0, 540.0)
POSITIVE = (6900.0, 4650.0, 4300.0, 3900.0, 3500.0, 3200.0)
SPREAD = (0.075, 0.055, 0.06, 0.06, 0.07, 0.07)
"""Amplitude of the clusters by channel, and their relative SD (of the negatives' and positives' mean)."""

FormatName = Literal[
    "quantasoft_1.6",
    "quantasoft_1.7",
    "qx_manager",
    "qx_one",
    "qx600",
    "qx600_workbook",
    "qiacuity_old",
    "qiacuity_mean",
    "qiacuity",
    "qiacuity_rfu",
    "absoluteq_results",
    "absoluteq_summary",
    "absoluteq_multichannel",
    "absoluteq_partitions",
    "rdml",
    "asm",
    "naica",
]


@dataclass(frozen=True)
class _Layout:
    """How a format is written, its partition volume, and how many targets it takes."""

    write: Callable[[Path, SimulatedPlate], None]
    volume_nl: float
    most_targets: int


_LAYOUTS: dict[str, _Layout] = {
    "quantasoft_1.6": _Layout(qx_layouts.quantasoft_16, 0.91, 2),
    "quantasoft_1.7": _Layout(quantasoft_17, 0.85, 2),
    "qx_manager": _Layout(qx_layouts.qx_manager, 0.85, 2),
    "qx_one": _Layout(qx_layouts.qx_one, 0.87, 4),
    "qx600": _Layout(qx_layouts.qx600, 0.795, 6),
    "qx600_workbook": _Layout(qx_layouts.qx600_workbook, 0.795, 6),
    "qiacuity_old": _Layout(chip_layouts.qiacuity_old, 0.75, 5),
    "qiacuity_mean": _Layout(chip_layouts.qiacuity_mean, 0.75, 5),
    "qiacuity": _Layout(chip_layouts.qiacuity, 0.325, 5),
    "qiacuity_rfu": _Layout(chip_layouts.qiacuity_rfu, 0.325, 5),
    "absoluteq_results": _Layout(chip_layouts.absoluteq_results, 0.432, 4),
    "absoluteq_summary": _Layout(chip_layouts.absoluteq_summary, 0.432, 4),
    "absoluteq_multichannel": _Layout(chip_layouts.absoluteq_multichannel, 0.432, 4),
    "absoluteq_partitions": _Layout(chip_layouts.absoluteq_partitions, 0.432, 4),
    "rdml": _Layout(exchange_layouts.rdml, 0.85, 6),
    "asm": _Layout(exchange_layouts.asm, 0.85, 6),
    "naica": _Layout(exchange_layouts.naica, 0.59, 6),
}
_VOLUME_BY_WELL = {"qx_one": 0.06, "qiacuity": 0.03, "qiacuity_rfu": 0.03}
"""Relative SD of the partition volume between wells, where the instrument measures it."""


class DdpcrSimulation(Document):
    """What the virtual plate holds. A sample is written ``name:vg_per_ml:dilution:wells``."""

    seed: int = Field(0, ge=0)
    format: FormatName = "quantasoft_1.7"
    plate: str = "EX24-001"
    targets: list[str] = Field(["ITR", "transgene"], min_length=1, max_length=6)
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
    species: list[str] = Field(
        [],
        description="fragments by the targets that they carry, and their share: 111:0.8,100:0.2; "
        "needed for more than two targets, in place of intact_fraction",
    )
    droplets: int = Field(15_000, ge=100, le=100_000, description="accepted a well, on average")
    partition_volume_nl: float | None = Field(
        None, gt=0, description="default: what the format's software assumes"
    )
    volume_cv: float = Field(0.03, ge=0, le=0.5, description="of droplets in a well")
    well_cv: float = Field(0.015, ge=0, le=0.5, description="of pipetting between wells")
    rain: float = Field(0.01, ge=0, le=0.5, description="fraction of positive droplets between the clusters")
    cross_talk: float = Field(0.0, ge=0, le=0.5, description="of a channel's signal, seen in the next")


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
    layout, species = _LAYOUTS[settings.format], _species(settings)
    if len(settings.targets) > layout.most_targets:
        raise UsageError(
            "setting targets",
            expected=f"at most {layout.most_targets} for {settings.format}",
            found=f"{len(settings.targets)}",
        )
    volume = settings.partition_volume_nl or layout.volume_nl
    out.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(settings.seed)
    wells: dict[str, Any] = {}
    written: list[SimulatedWell] = []
    count = len(settings.targets)
    thresholds = tuple((low + high) / 2 for low, high in zip(NEGATIVE, POSITIVE, strict=True))[:count]
    for entry in entries:
        for well in entry.wells:
            own = volume
            if settings.format in _VOLUME_BY_WELL:
                own *= math.exp(_VOLUME_BY_WELL[settings.format] * random.standard_normal())
            density = entry.vg_per_ml / entry.dilution * 1e-3 * own * 1e-3
            holds = _molecules(random, density, settings, species)
            amplitude = _amplitudes(random, holds, settings)
            positive = amplitude > np.array(thresholds)
            written.append(SimulatedWell(well, entry.name, entry.dilution, amplitude, positive, own))
            wells[well] = {
                "sample": entry.name,
                "accepted": int(holds.shape[0]),
                "copies_per_droplet": density,
                "with_target": dict(zip(settings.targets, holds.sum(axis=0).tolist(), strict=True)),
                "called_positive": dict(zip(settings.targets, positive.sum(axis=0).tolist(), strict=True)),
            }
    layout.write(out, SimulatedPlate(settings.plate, settings.targets, thresholds, written))
    truth = {
        "schema": "aavqc.truth/1",
        "technique": "ddpcr",
        "settings": settings.model_dump(mode="json") | {"partition_volume_nl": volume},
        "samples": {
            e.name: {"vg_per_ml": e.vg_per_ml, "dilution_factor": e.dilution, "wells": list(e.wells)}
            for e in entries
        },
        "intact_fraction": settings.intact_fraction if not species else None,
        "species": species,
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


def _species(settings: DdpcrSimulation) -> dict[str, float]:
    """Return pattern of targets → share of the fragments, which sum to 1."""
    count = len(settings.targets)
    found: dict[str, float] = {}
    for text in settings.species:
        pattern, _, share = text.partition(":")
        try:
            value = float(share)
        except ValueError:
            value = math.nan
        if (
            len(pattern) != count
            or set(pattern) - {"0", "1"}
            or "1" not in pattern
            or not 0 < value < math.inf
        ):
            raise UsageError(
                "setting species",
                expected=f"{count} places of 0 and 1, and a share, such as {'1' * count}:0.8",
                found=repr(text),
            )
        found[pattern] = found.get(pattern, 0.0) + value
    if count > 2 and not found:
        raise UsageError("setting species", expected="the fragments of more than two targets", found="none")
    return {pattern: share / math.fsum(found.values()) for pattern, share in found.items()}


def _molecules(
    random: np.random.Generator, density: float, settings: DdpcrSimulation, species: dict[str, float]
) -> NDArray[np.bool_]:
    """Return which droplets hold which target, shape (droplets, targets).

    Without species each target is on ``density`` genomes a droplet; a fraction of the genomes
    with either target has both, the rest is split evenly. With species ``density`` counts all
    fragments.
    """
    count = int(random.normal(settings.droplets, 0.04 * settings.droplets))
    volume = 1 + settings.volume_cv * random.standard_normal(count)
    density *= 1 + settings.well_cv * random.standard_normal()
    expected = np.clip(density * volume, 0, None)
    if species:
        held = np.zeros((count, len(settings.targets)), dtype=np.bool_)
        for pattern, share in species.items():
            carries = np.array([place == "1" for place in pattern])
            held |= (random.poisson(share * expected) > 0)[:, None] & carries
        return held
    if len(settings.targets) == 1:
        return random.poisson(expected)[:, None] > 0
    both = 2 * settings.intact_fraction / (1 + settings.intact_fraction)
    linked = random.poisson(both * expected)
    single = [random.poisson((1 - both) * expected) for _ in range(2)]
    return np.stack([linked + alone > 0 for alone in single], axis=1)


def _amplitudes(
    random: np.random.Generator, holds: NDArray[np.bool_], settings: DdpcrSimulation
) -> NDArray[np.float64]:
    levels, noise = [], []
    for channel, inside in enumerate(holds.T):
        low, high, cv = NEGATIVE[channel], POSITIVE[channel], SPREAD[channel]
        grown = np.where(random.random(inside.size) < settings.rain, random.random(inside.size), 1.0)
        levels.append(np.where(inside, low + (high - low) * grown, low))
        noise.append(cv * np.where(inside, high, low) * random.standard_normal(inside.size))
    for channel in range(1, len(levels)):
        levels[channel] = levels[channel] + settings.cross_talk * (
            levels[channel - 1] - NEGATIVE[channel - 1]
        )
    return np.round(np.stack([a + b for a, b in zip(levels, noise, strict=True)], axis=1), 3)
