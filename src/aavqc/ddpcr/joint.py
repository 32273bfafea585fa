"""How many droplets of a well are positive for which targets together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from aavqc.ddpcr.calls import accepted_amplitudes
from aavqc.ddpcr.wells import WellCount
from aavqc.kernels import as_input
from aavqc.kernels.gating import count_patterns
from aavqc.records import DropletPlate, WellClusters

MOST = 6
"""Targets of a multiplex that species can be told apart for."""


_PARTNERS = {f"Ch{c}": f"Ch{c + 1 if c % 2 else c - 1}" for c in range(1, 7)}
"""Channels that the vendor's software reports linkage for: 1 and 2, 3 and 4, 5 and 6."""


@dataclass(frozen=True)
class Joint:
    """Droplets of one well by pattern.

    Attributes
    ----------
    well : str
    targets : tuple of str
    counts : int64 array, shape (2**targets,)
        Bit t of the index: positive for target t.
    hidden : tuple of float
        By target: droplets below the gate that may be positive, as a share of those above; empty for a
        vendor's calls.
    """

    well: str
    targets: tuple[str, ...]
    counts: NDArray[np.int64]
    hidden: tuple[float, ...] = ()


def joint_counts(record: DropletPlate, well: str, counts: Sequence[WellCount]) -> list[Joint]:
    """Return the joint counts of a well, by the calls in use.

    The export's own where the vendor's calls are used and it has them, else those of its droplets.

    Parameters
    ----------
    record : DropletPlate
    well : str
    counts : sequence of WellCount
        Of this well.
    """
    by_channel = {c.channel: c for c in counts}
    if len(by_channel) < len(counts) or all(c.calls == "vendor" for c in counts):
        listed = [_exported(well, c) for c in record.clusters.get(well, ()) if 2 <= len(c.targets) <= MOST]
        if listed:
            return listed
    droplets = record.droplets.get(well)
    if droplets is None or any(c.disagrees for c in counts):
        return []
    used = [c for c in droplets.channels if c in by_channel and by_channel[c].calls]
    if not 2 <= len(used) <= MOST or len({by_channel[c].calls for c in used}) > 1:
        return []
    at = [droplets.channels.index(c) for c in used]
    found = np.zeros(2 ** len(used), np.int64)
    if by_channel[used[0]].calls == "own":
        thresholds = np.array([by_channel[c].threshold for c in used], dtype=np.float64)
        amplitude = accepted_amplitudes(droplets)
        whole = at == list(range(amplitude.shape[1]))
        count_patterns(as_input(amplitude if whole else amplitude[:, at]), thresholds, found)
    elif droplets.positive is not None:
        calls = droplets.positive[:, at][(droplets.positive >= 0).all(axis=1)].astype(np.float64)
        count_patterns(as_input(calls), np.full(len(used), 0.5), found)
    targets = tuple(by_channel[c].target for c in used)
    return [Joint(well, targets, found, tuple(by_channel[c].hidden for c in used))]


def linked_per_ul(count: WellCount, well: Sequence[WellCount], joints: Sequence[Joint]) -> float | None:
    """Return the molecules (copies/µL) that bear the target and that of the channel it is paired with.

    Parameters
    ----------
    count : WellCount
    well : sequence of WellCount
        Of the same well.
    joints : sequence of Joint
        Of the same well.
    """
    pair = next((j for j in joints if len(j.targets) == 2 and count.target in j.targets), None)
    if pair is None:
        partner = next((c.target for c in well if c.channel == _PARTNERS.get(count.channel)), None)
        pair = next((_margin(j, count.target, partner) for j in joints if partner in j.targets), None)
    if pair is None or count.volume_nl is None or count.positives is None:
        return None
    density = linked(pair, count.volume_cv)
    return None if density is None else density / count.volume_nl * 1e3


def linked(joint: Joint, volume_cv: float = 0.0) -> float | None:
    """Return copies a droplet of molecules that bear both of two targets.

    ``ln(N N-- / ((N+- + N--)(N-+ + N--)))``, not below 0: as Bio-Rad's software prints it.
    None where no droplet is negative for both.

    Examples
    --------
    >>> round(linked(Joint("A01", ("a", "b"), np.array([13838, 4, 81, 1897]))), 5)
    0.12773
    """
    none, first, second, _ = (int(c) for c in joint.counts)
    total = int(joint.counts.sum())
    if not none:
        return None
    if volume_cv:
        square = volume_cv * volume_cv
        parts = [
            math.expm1(square * math.log(total / k)) / square for k in (none + second, none + first, none)
        ]
        return max(parts[0] + parts[1] - parts[2], 0.0)
    return max(math.log(total * none / ((first + none) * (second + none))), 0.0)


def shown(joint: Joint) -> Joint:
    """Return the counts with the droplets that gates may hide, each target's missed without regard to others.

    Examples
    --------
    >>> shown(Joint("A01", ("a", "b"), np.array([800, 0, 0, 200]), (0.1, 0.0))).counts.tolist()
    [800, 0, 0, 220]
    """
    counts = joint.counts.astype(np.float64)
    index = np.arange(counts.size)
    for target, share in enumerate(joint.hidden):
        positive = index >> target & 1 == 1
        found = share * counts[positive]
        counts[positive] += found
        counts[~positive] -= found
    return replace(joint, counts=np.rint(np.maximum(counts, 0.0)).astype(np.int64))


def _margin(joint: Joint, first: str, second: str | None) -> Joint | None:
    """Add up the patterns that are alike in two targets."""
    if second is None or first not in joint.targets:
        return None
    at = joint.targets.index(first), joint.targets.index(second)
    index = np.arange(joint.counts.size)
    pattern = (index >> at[0] & 1) | (index >> at[1] & 1) << 1
    counts = np.bincount(pattern, joint.counts, minlength=4).astype(np.int64)
    return Joint(joint.well, (first, second), counts)


def _exported(well: str, clusters: WellClusters) -> Joint:
    found = np.zeros(2 ** len(clusters.targets), np.int64)
    for pattern, droplets in clusters.counts.items():
        found[sum(1 << t for t, sign in enumerate(pattern) if sign == "1")] += droplets
    return Joint(well, clusters.targets, found)
