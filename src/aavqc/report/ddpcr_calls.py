"""Figure of a plate's calls: own counts of positive droplets against the vendor's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from aavqc.documents import Sample, Well
from aavqc.report.pictures import Picture, flag_note, missing, together
from aavqc.report.plate_rows import by_column
from aavqc.report.style import (
    BLACK,
    MOST_LABELS,
    SERIES,
    drawable,
    label_wells,
    legend_above,
    new_figure,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def calls_picture(sample: Sample, rows: Sequence[Well]) -> Picture:
    """Return own against vendor's counts of positive droplets."""
    name, title = "ddpcr-calls", "Positive droplets: own calls against the vendor's"
    both = [r for r in rows if r.positives_own is not None and r.positives_vendor is not None]
    if not both:
        lacks = "own" if any(r.positives_vendor is not None for r in rows) else "vendor"
        why = {"own": "no droplets to call here", "vendor": "the export states no counts"}[lacks]
        return missing(name, title, why)
    figure = new_figure(2.9)
    draw_calls(panels(figure, 1, 2)[0], both)
    off = [(r.positives_own or 0) - (r.positives_vendor or 0) for r in both]
    used = " and ".join(sorted({str(r.calls) for r in both if r.calls}))
    caption = together(
        "Left: counts of each well and target, the line is equality. Right: their difference; the band is "
        "±2 SD of counting a Poisson number as large as the vendor's (both count the same droplets, so "
        "agreement is expected to be better).",
        f"In use: {used} calls." if used else "",
        flag_note(sample, ["amplitudes_of_another_plate"]),
    )
    alt = f"Own minus vendor's positives of {len(both)} rows: from {min(off):+d} to {max(off):+d} droplets."
    return Picture(name, title, caption, alt, figure)


def draw_calls(axes: Sequence[Axes], rows: Sequence[Well]) -> None:
    """Draw own against vendor's positives, and their difference by well, in two axes."""
    left, right = axes
    wells = sorted({r.well for r in rows}, key=by_column)
    targets = list(dict.fromkeys(r.target for r in rows))
    for i, target in enumerate(targets):
        series = SERIES[i % len(SERIES)]
        style = {"marker": series["marker"], "color": series["color"], "ls": "none", "mfc": "none", "ms": 4.5}
        own, vendor, at = [], [], []
        for r in rows:
            if r.target == target and r.positives_own is not None and r.positives_vendor is not None:
                own.append(r.positives_own)
                vendor.append(r.positives_vendor)
                at.append(wells.index(r.well) + 0.12 * (i - (len(targets) - 1) / 2))
        left.plot(vendor, own, **style, label=drawable(target, 20))
        right.plot(at, np.subtract(own, vendor), **style)
    counts = {w: max(r.positives_vendor or 0 for r in rows if r.well == w) for w in wells}
    band = np.array([2 * math.sqrt(counts[w]) for w in wells])
    right.bar(range(len(wells)), 2 * band, 0.8, bottom=-band, color="#E6E6E6", zorder=0)
    right.axhline(0, color=BLACK, lw=0.8)
    off = [abs((r.positives_own or 0) - (r.positives_vendor or 0)) for r in rows]
    reach = 1.15 * max(*band.tolist(), *off, 1.0)
    right.set_ylim(-reach, reach)
    top = 1.08 * max(max(r.positives_vendor or 0, r.positives_own or 0) for r in rows) or 1.0
    left.plot([0, top], [0, top], "-", color=BLACK, lw=0.8, zorder=0)
    left.set(
        xlim=(-0.03 * top, top), ylim=(-0.03 * top, top), xlabel="vendor / droplets", ylabel="own / droplets"
    )
    label_wells(right, wells, MOST_LABELS // 2)
    right.set_ylabel("own − vendor / droplets")
    legend_above(left, min(len(targets), 2))
