"""Droplets called here: one gate an assay, found on the plate or given as a recipe."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aavqc.ddpcr.baseline import Baselines, find_baselines
from aavqc.ddpcr.density import density, modes
from aavqc.ddpcr.gate import Gate, find_gate
from aavqc.records import DropletPlate, Droplets, FloatArray

Assay = tuple[str, str]
"""Channel and target."""

ENOUGH = 200_000
"""Droplets of a plate that show whether a dye bleeds; more change nothing."""

BLED = 0.15
"""Droplets without a dye in a population, as a share of what independence gives, below which it is bleed."""

CLEAR = 4.0
"""SDs above the negatives from which on a population is none of them, as for a gate."""

STAYED = 0.25
"""Droplets with a dye among the negatives, as a share of those above, from which on it does not bleed."""

NEAR = 0.6
"""Part of the way to the uppermost population within which a dye may bleed."""


@dataclass(frozen=True)
class OwnCall:
    """Droplets of one well and channel as called here.

    Attributes
    ----------
    accepted, positives : int
    threshold : float
        In this well: the gate's, shifted as its negatives are.
    gate : Gate
    """

    accepted: int
    positives: int
    threshold: float
    gate: Gate


def own_calls(
    record: DropletPlate,
    blanks: Collection[str] = (),
    recipes: Mapping[str, Gate] | None = None,
) -> dict[tuple[str, str], OwnCall]:
    """Call the droplets of a plate.

    Parameters
    ----------
    record : DropletPlate
    blanks : collection of str
        Wells that are declared to hold no template.
    recipes : mapping of str to Gate, optional
        Target → gate to use instead of finding one.

    Returns
    -------
    dict
        By well and channel. A channel that several targets share in a well, or whose droplets
        form one population that nothing identifies, is left out.
    """
    assays = _assays(record)
    given = recipes or {}
    gates: dict[Assay, tuple[Gate, Mapping[str, float]]] = {}
    bases: dict[Assay, Baselines] = {}
    for assay, wells in assays.items():
        if assay[1] in given:
            gates[assay] = _given(given[assay[1]], wells, blanks)
        elif (found := find_gate(wells, blanks)) is not None:
            gates[assay], bases[assay] = (found[0], found[1].shift), found[1]
    for assay in list(gates):
        bled = _bled(assay, bases[assay], assays, gates) if assay in bases else None
        if bled is not None and (found := find_gate(assays[assay], blanks, bled)) is not None:
            gates[assay] = found[0], found[1].shift
    calls = {}
    for (channel, target), (gate, shift) in gates.items():
        for well, amplitude in assays[channel, target].items():
            threshold = gate.threshold + shift[well]
            positives = int(np.count_nonzero(amplitude > threshold))
            calls[well, channel] = OwnCall(amplitude.size, positives, threshold, gate)
    return calls


def _assays(record: DropletPlate) -> dict[Assay, dict[str, FloatArray]]:
    """Return the amplitudes by assay and well; droplets that the vendor gated out are left out."""
    targets: dict[tuple[str, str], list[str]] = {}
    for row in record.rows:
        targets.setdefault((row.well, row.channel), []).append(row.target)
    assays: dict[Assay, dict[str, FloatArray]] = {}
    for well, droplets in record.droplets.items():
        amplitude = accepted_amplitudes(droplets)
        for at, channel in enumerate(droplets.channels):
            named = targets.get((well, channel), [channel])
            if len(named) == 1:
                values = amplitude[:, at].copy()
                assays.setdefault((channel, named[0]), {})[well] = values
    return dict(sorted(assays.items()))


def accepted_amplitudes(droplets: Droplets) -> FloatArray:
    """Return the amplitudes of the droplets that the vendor did not gate out, shape (n, channels)."""
    if droplets.positive is None or droplets.positive.min(initial=0) >= 0:
        return droplets.amplitude
    return droplets.amplitude[(droplets.positive >= 0).all(axis=1)]


def _given(
    gate: Gate, wells: Mapping[str, FloatArray], blanks: Collection[str]
) -> tuple[Gate, Mapping[str, float]]:
    """Return a recipe and how far each well's negatives lie above the recipe's."""
    base = find_baselines(wells, blanks)
    if base is None or not np.isfinite(gate.baseline):
        return gate, dict.fromkeys(wells, 0.0)
    return gate, {well: base.level + shift - gate.baseline for well, shift in base.shift.items()}


def _bled(
    assay: Assay,
    found: Baselines,
    assays: Mapping[Assay, Mapping[str, FloatArray]],
    gates: Mapping[Assay, tuple[Gate, Mapping[str, float]]],
) -> float | None:
    """Return the amplitude of the highest population that is another channel's dye, or None.

    Droplets positive in the other channel form two populations or more above the negatives here, and
    few of them (the dye's rain) stay among those. The lower ones are the dye where droplets that are
    negative there have none at that place; the uppermost is always a target's.
    """
    channel = assay[0]
    bled = []
    for other in gates:
        shared = sorted(assays[assay].keys() & assays[other].keys())
        if other[0] == channel or not shared:
            continue
        gate, shift = gates[other]
        step = max(sum(assays[assay][w].size for w in shared) // ENOUGH, 1)
        inside = [assays[other][w][::step] > gate.threshold + shift[w] for w in shared]
        mine = [assays[assay][w][::step] - found.shift[w] for w in shared]
        with_dye = np.concatenate([v[i] for v, i in zip(mine, inside, strict=True)])
        without = np.concatenate([v[~i] for v, i in zip(mine, inside, strict=True)])
        found_there = modes(density([with_dye], [0.0], *found.range, 2 * found.smoothing))
        populations = [m for m in found_there if m.amplitude > found.level + CLEAR * found.sd]
        stayed = sum(m.droplets for m in found_there) - sum(m.droplets for m in populations)
        if not populations or stayed > STAYED * populations[0].droplets:
            continue
        for mode in populations[:-1]:
            edge = max(mode.valley_below, (found.level + mode.amplitude) / 2)
            near = mode.amplitude - found.level < NEAR * (populations[-1].amplitude - found.level)
            rivals = np.count_nonzero((without > edge) & (without < mode.valley_above))
            if not near or rivals >= BLED * mode.droplets * without.size / with_dye.size:
                break
            bled.append(mode.amplitude)
    return max(bled, default=None)


def blank_wells(record: DropletPlate, declared: Sequence[str]) -> set[str]:
    """Return the wells without template: declared here, or by the export's own sample type."""
    typed = {row.well for row in record.rows if row.sample_type.strip().lower() in ("ntc", "blank")}
    return typed | set(declared)
