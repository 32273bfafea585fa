"""Refuse, by name, what is no sedimentation velocity experiment.

A boundary leaves its meniscus side empty and a plateau before it. A band has nothing on either
side: thin and moving from the start in band sedimentation, formed and at rest in a density
gradient. A profile that only rises and does not move is at equilibrium.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from aavqc.auc.profiles import Profiles
from aavqc.errors import AssayError
from aavqc.records import FloatArray, VelocityScans

CLEAR = 20.0
"""What counts as structure of a profile: so many times its noise."""

AT_REST = 0.05
"""A profile is at rest where it changes by less than this fraction of its range in the whole run."""

BAND_SHARE = 0.5
"""A band stands alone: on both sides the signal falls below this fraction of its height."""

BAND_MOVES_CM = 0.05

EXPECTED = "scans of one speed in which a boundary moves"


def refuse_equilibrium(record: VelocityScans) -> None:
    """Refuse a run that its speeds and times show to be one to equilibrium.

    Raises
    ------
    AssayError
    """
    if record.experiment != "velocity":
        several = len({s.rpm for s in record.scans}) > 1
        raise _refusal(
            record,
            "a sedimentation equilibrium experiment",
            "several speeds, held for hours" if several else "hours between the scans",
        )


def refuse_other_experiments(record: VelocityScans, profiles: Profiles) -> None:
    """Refuse what the profiles show to be a band, a density gradient or an equilibrium.

    Bands are not looked for in interference and intensities, where noise constant in time may look like one.

    Raises
    ------
    AssayError
    """
    values = profiles.values
    fifth = max(len(values) // 5, 1)
    early, late = values[:fifth].mean(axis=0), values[-fifth:].mean(axis=0)
    at_rest = float(np.sqrt(np.mean((late - early) ** 2))) < AT_REST * np.ptp(late) + profiles.noise
    rises = bool(np.all(np.diff(_smooth(late)) > -3 * profiles.noise)) and late[-1] - late[0] > 0.9 * np.ptp(
        late
    )
    if at_rest and rises and np.ptp(late) > CLEAR * profiles.noise:
        raise _refusal(
            record,
            "a sedimentation equilibrium experiment",
            "a profile that rises to the base and does not move",
        )
    if record.optics in ("interference", "intensity"):
        return
    bands = [_band(_smooth(v), profiles) for v in values]
    first, last = bands[: max(len(bands) // 3, 3)], bands[-fifth:]
    early_at = [r for r in first if r is not None]
    late_at = [r for r in last if r is not None]
    if len(early_at) > 0.6 * len(first) and np.ptp(early_at) > BAND_MOVES_CM and _ascends(early_at):
        raise _refusal(
            record,
            "a band sedimentation experiment",
            f"a band that moves from {early_at[0]:.2f} to {early_at[-1]:.2f} cm with nothing on either side",
        )
    if len(late_at) > 0.6 * len(last) and np.ptp(late_at) <= BAND_MOVES_CM:
        raise _refusal(
            record,
            "a density gradient experiment",
            f"a band at rest at {np.median(late_at):.2f} cm at the end of the run",
        )


def _band(values: FloatArray, profiles: Profiles) -> float | None:
    """Radius of the band that a profile consists of, in cm."""
    height = float(values.max() - values.min())
    seen = float((profiles.values.max(axis=1) - profiles.values.min(axis=1)).max())
    peak = int(np.argmax(values))
    if not 1 < peak < values.size - 2 or height < max(CLEAR * profiles.noise, BAND_SHARE * seen):
        return None
    beside = max(values[:peak].min(), values[peak + 1 :].min()) - values.min()
    return float(profiles.radii[peak]) if beside < BAND_SHARE * height else None


def _ascends(radii: list[float]) -> bool:
    return sum(b < a for a, b in pairwise(radii)) <= len(radii) // 10


def _smooth(values: FloatArray) -> FloatArray:
    padded = np.pad(values, 1, mode="edge")
    smooth: FloatArray = np.median(np.lib.stride_tricks.sliding_window_view(padded, 3), axis=1)
    return smooth


def _refusal(record: VelocityScans, what: str, found: str) -> AssayError:
    return AssayError(
        f"{what} can't be analysed as sedimentation velocity",
        file=record.name,
        expected=EXPECTED,
        found=found,
    )
