"""The way from a plate and its settings to samples, wells and what plots need."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aavqc.ddpcr.background import backgrounds
from aavqc.ddpcr.calls import OwnCall, blank_wells, own_calls
from aavqc.ddpcr.chain import dilution_of
from aavqc.ddpcr.clusters import call_memberships
from aavqc.ddpcr.flags import NO_TEMPLATE
from aavqc.ddpcr.gate import Gate
from aavqc.ddpcr.integrity import Integrity
from aavqc.ddpcr.joint import Joint, joint_counts, linked_per_ul
from aavqc.ddpcr.names import unknown_names
from aavqc.ddpcr.pipetting import Scatter
from aavqc.ddpcr.sample import Plate, plate_integrity, sample_result
from aavqc.ddpcr.samples import Plan, plan
from aavqc.ddpcr.selection import Selection, selections
from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.ddpcr.suitability import with_suitability
from aavqc.ddpcr.wells import WellCount, count_wells, interval_of, vendor_of, well_document
from aavqc.documents import Outcome, Role, SheetRow, generator
from aavqc.records import DropletPlate

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALGORITHMS = ["ddpcr.poisson/3", "ddpcr.titer/6"]
GATING = ["ddpcr.gate/3", "ddpcr.clusters/2"]
INTEGRITY = "ddpcr.integrity/4"
SURE = 0.9
"""Probability of its cluster from which on a droplet's call is clear."""

PLOTTED = 5000
"""Droplets a well that are kept for plots."""


def analyze(
    record: DropletPlate,
    settings: TechniqueSettings,
    parts: Sequence[tuple[SheetRow, TechniqueSettings]] = (),
) -> Outcome:
    """Analyze a plate.

    Parameters
    ----------
    record : DropletPlate
    settings : TechniqueSettings
        For the wells that no part names.
    parts : sequence of (SheetRow, TechniqueSettings)
        Rows of the sample sheet that name this plate or wells of it.

    Returns
    -------
    Outcome
        One sample a lot, sample id and role, a row for each well and target, droplets for plots.

    Raises
    ------
    UsageError
        Wells that two parts name; a step of the dilution chain that is none.
    """
    planned = plan(record, settings, parts)
    blanks = [w for p in planned if p.role in NO_TEMPLATE for w in p.wells]
    own = own_calls(record, blank_wells(record, blanks), _recipes(settings))
    counts = count_wells(record, {well: p.settings for p in planned for well in p.wells}, own)
    by_well: dict[str, list[WellCount]] = {}
    for count in counts:
        by_well.setdefault(count.well, []).append(count)
    owner = {well: p for p in planned for well in p.wells}
    joints = {well: joint_counts(record, well, group) for well, group in by_well.items()}
    alone = {
        well: found
        for well, found in joints.items()
        if not any(member in by_well for c in by_well[well] for member in c.merged_from)
    }
    vendor = vendor_of(record)
    grouped = _grouped(planned)
    selected = [selections(group, by_well) for group in grouped]
    scatters = [_scatter(found) for found in selected]
    arrays = _plot_arrays(record, settings, own)
    plate = Plate(
        record=record,
        joints=alone,
        backgrounds=backgrounds(counts, blanks),
        control=_control(alone, planned),
        unclear=_unclear(arrays),
        vendor=vendor,
        remarks=[
            *record.remarks,
            *unknown_names(settings, [s for _, s in parts], planned, {c.target for c in counts}),
            *_unused_gates(settings, counts),
        ],
    )
    return Outcome(
        samples=with_suitability(
            [
                sample_result(plate, group, selected[i], scatters[:i] + scatters[i + 1 :])
                for i, group in enumerate(grouped)
            ],
            settings,
        ),
        algorithms=[*ALGORITHMS, *(GATING if own else []), *([INTEGRITY] if any(joints.values()) else [])],
        wells=[
            well_document(
                c,
                owner[c.well].sample_id,
                interval_of(c, counts, owner[c.well].settings, vendor),
                linked_per_ul(c, by_well[c.well], joints[c.well]),
                dilution_of(owner[c.well].settings, None, c.chain),
            )
            for c in counts
        ],
        arrays=arrays,
    )


def _control(joints: Mapping[str, Sequence[Joint]], planned: Sequence[Plan]) -> Integrity | None:
    """Return the integrity of the plate's linear intact control."""
    controls = [p for p in planned if p.role == "linear_control"]
    return plate_integrity(joints, controls) if controls else None


def _unused_gates(settings: TechniqueSettings, counts: Sequence[WellCount]) -> list[str]:
    """Say that gates which are stated make no number here."""
    gated = set(settings.gates) & {c.target for c in counts}
    if not gated or settings.calls == "vendor" or any(c.calls == "own" for c in counts):
        return []
    return [
        "gates are not used for any concentration: the calls are the vendor's (calls=own takes the gates')"
    ]


def _recipes(settings: TechniqueSettings) -> dict[str, Gate]:
    """Return the gates that the method gives; without a baseline they apply as they are."""
    return {
        target: Gate(threshold, settings.gate_baselines.get(target, math.nan))
        for target, threshold in settings.gates.items()
    }


def _grouped(planned: Sequence[Plan]) -> list[list[Plan]]:
    groups: dict[tuple[str | None, str, Role], list[Plan]] = {}
    for part in planned:
        lot = part.row.lot if part.row is not None else None
        groups.setdefault((lot, part.sample_id, part.role), []).append(part)
    return list(groups.values())


def _scatter(selected: Sequence[Selection]) -> Scatter:
    """Return how much the wells of a sample scatter: by the target that tells it best, as all share them."""
    return max((s.scatter for s in selected), key=lambda s: s.information, default=Scatter(0.0, 0))


def _plot_arrays(
    record: DropletPlate, settings: TechniqueSettings, own: Mapping[tuple[str, str], OwnCall]
) -> dict[str, NDArray[Any]]:
    """Return at most 5000 droplets a well, evenly from all of its file, from a start drawn by the seed.

    With the names of their channels, the vendor's calls where there are any, and the probability of
    those made here. Amplitudes in single precision: a plate of 96 wells is kept in half of the bytes.
    """
    random = generator(settings.seed, record.inputs)
    arrays: dict[str, NDArray[Any]] = {}
    shown: dict[str, NDArray[np.float64]] = {}
    limits = np.finfo(np.float32)
    for well, droplets in record.droplets.items():
        total = droplets.amplitude.shape[0]
        kept = np.arange(total)
        if total > PLOTTED:
            kept = ((np.arange(PLOTTED) + random.random()) * (total / PLOTTED)).astype(np.intp)
        shown[well] = droplets.amplitude.take(kept, axis=0)
        arrays[f"droplets/{well}"] = np.clip(shown[well], limits.min, limits.max).astype(np.float32)
        arrays[f"channels/{well}"] = np.array(droplets.channels, dtype=np.str_)
        if droplets.positive is not None:
            arrays[f"calls/{well}"] = droplets.positive[kept]
    channels = {well: droplets.channels for well, droplets in record.droplets.items()}
    for well, found in call_memberships(shown, channels, own).items():
        arrays[f"membership/{well}"] = found
    return arrays


def _unclear(arrays: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Return, by well, the share of droplets whose call is less sure than 9 in 10."""
    return {
        name.partition("/")[2]: float(np.mean(found < SURE))
        for name, found in arrays.items()
        if name.startswith("membership/") and found.size
    }
