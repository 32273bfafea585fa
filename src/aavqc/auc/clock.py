"""Check the instrument's clock against the wall clock.

Some firmware writes elapsed seconds that are too short by up to 10 %; ∫ω²dt is short alike, so
nothing in the scans shows it, and s comes out too high (Zhao et al. 2013 Anal Biochem 437:104).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from aavqc.auc.settings import Calibration
from aavqc.documents import Flag
from aavqc.records import VelocityScans

LIMIT = 0.01

MIN_SPAN_S = 1800.0
"""Over less, the seconds between a scan's start and its header's time weigh too much."""

PLAUSIBLE = (0.8, 1.25)
"""Outside, the times are not those of the measurement: a folder packed or copied later."""


@dataclass(frozen=True)
class ClockCheck:
    """Where wall-clock times came from, and header time over wall-clock time.

    ``ratio`` is None where the check is not possible; ``reason`` says why.
    """

    source: Literal["log", "zip"] | None
    ratio: float | None
    reason: str


def check_clock(record: VelocityScans) -> ClockCheck:
    """Compare the span of header times with that of wall-clock times."""
    if record.clock is None:
        return ClockCheck(None, None, "not possible: no scan log, no archive with the scans' own times")
    source = record.clock.source
    pairs = [
        (scan.time_s, elapsed)
        for scan, elapsed in zip(record.scans, record.clock.elapsed_s, strict=True)
        if elapsed is not None
    ]
    header, wall = np.array(pairs).T if len(pairs) > 1 else (np.zeros(2), np.zeros(2))
    span = float(wall[-1] - wall[0])
    if span < MIN_SPAN_S or header[-1] <= header[0]:
        return ClockCheck(source, None, f"not possible: wall-clock times over {span:.0f} s only")
    ratio = float((header[-1] - header[0]) / span)
    if not PLAUSIBLE[0] <= ratio <= PLAUSIBLE[1]:
        reason = f"not possible: times over {span:.0f} s by the {source} are not those of these scans"
        return ClockCheck(source, None, reason)
    return ClockCheck(source, ratio, f"{len(pairs)} scans over {span:.0f} s by the {source}")


def clock_flags(check: ClockCheck, calibration: Calibration) -> list[Flag]:
    """Return a warning where the clock, as calibrated, is off by more than 1 %."""
    if check.ratio is None:
        return []
    ratio = check.ratio * calibration.time_factor
    if abs(ratio - 1) <= LIMIT:
        return []
    way, effect = ("short", "high") if ratio < 1 else ("long", "low")
    return [
        Flag(
            id="clock",
            severity="warning",
            message=f"header times are {100 * abs(ratio - 1):.1f} % too {way} by the {check.source}: "
            f"s is {100 * abs(1 / ratio - 1):.1f} % too {effect} (calibration.time_factor "
            f"{1 / check.ratio:.4f} would mend it)",
            value=ratio,
            limit=LIMIT,
        )
    ]
