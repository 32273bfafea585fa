"""Figures of a digital PCR plate, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from aavqc.documents import Payload, Sample, Well
from aavqc.report.arrays import Arrays
from aavqc.report.ddpcr_calls import calls_picture
from aavqc.report.ddpcr_integrity import integrity_picture
from aavqc.report.ddpcr_replicates import replicates_picture
from aavqc.report.pictures import Picture, flag_note, missing, together
from aavqc.report.plate_rows import by_column, rows_of_sample
from aavqc.report.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SERIES,
    VERMILLION,
    drawable,
    label_wells,
    legend_above,
    new_figure,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

MOST_WELLS = 24
"""Shown side by side; of more, the first."""

MOST_PANELS = 6
MOST_CHANNELS = 6
ROLES_BESIDE = ("ntc", "blank")
NO_DROPLETS = "the export has counts and no droplets"


def ddpcr_figures(payload: Payload, sample: Sample, arrays: Arrays) -> list[Picture]:
    """Return the figures of one sample of a plate: droplets, calls, replicates, integrity.

    Parameters
    ----------
    payload : Payload
        Of the plate, for its rows and its wells without template.
    sample : Sample
    arrays : mapping of str to array
        Of the plate's record, by their own names.
    """
    rows = rows_of_sample(payload, sample)
    return [
        _droplets_picture(payload, sample, rows, arrays),
        _clusters_picture(sample, rows, arrays),
        calls_picture(sample, rows),
        replicates_picture(sample, rows),
        integrity_picture(sample),
    ]


def _wells(rows: Sequence[Well], arrays: Arrays) -> list[str]:
    """Return the wells of some rows that have droplets, down the plate's columns."""
    return sorted({r.well for r in rows if f"droplets/{r.well}" in arrays}, key=by_column)


def _channels(wells: Sequence[str], arrays: Arrays) -> list[str]:
    """Return the channels of some wells, in the order of their first."""
    found: dict[str, None] = {}
    for well in wells:
        names = arrays.get(f"channels/{well}")
        count = arrays[f"droplets/{well}"].shape[1]
        found |= dict.fromkeys(names.tolist() if names is not None else [f"Ch{i + 1}" for i in range(count)])
    return list(found)[:MOST_CHANNELS]


def _amplitude(well: str, channel: str, arrays: Arrays) -> NDArray[np.float64] | None:
    names = _channels([well], arrays)
    if channel not in names:
        return None
    values: NDArray[np.float64] = arrays[f"droplets/{well}"][:, names.index(channel)].astype(float)
    return values


def _targets(rows: Sequence[Well], channel: str) -> str:
    names = dict.fromkeys(r.target for r in rows if r.channel == channel and r.target != channel)
    return f"{drawable(channel, 16)}, {drawable(', '.join(names))}" if names else drawable(channel)


def _thresholds(rows: Sequence[Well], well: str, channel: str) -> list[float]:
    """Return the thresholds of a well and channel, ascending: one a target that is told apart there."""
    found = {r.threshold for r in rows if r.well == well and r.channel == channel}
    return sorted(x for x in found if x is not None)


# ---------------------------------------------------------------- droplets by well


def _droplets_picture(payload: Payload, sample: Sample, rows: Sequence[Well], arrays: Arrays) -> Picture:
    name, title = "ddpcr-droplets", "Droplets by well, with thresholds"
    wells = _wells(rows, arrays)
    if not wells:
        return missing(name, title, NO_DROPLETS)
    beside = _without_template(payload, sample) if sample.role not in ROLES_BESIDE else []
    empty = [w for w in _wells(beside, arrays) if w not in wells]
    channels = _channels(wells, arrays)
    figure = new_figure(0.5 + 1.9 * len(channels))
    known, told = [*rows, *beside], [*wells[:MOST_WELLS], *empty[:2]]
    for ax, channel in zip((p[0] for p in panels(figure, len(channels))), channels, strict=True):
        draw_droplets(ax, known, arrays, told, channel)
        if empty:
            ax.axvline(min(len(wells), MOST_WELLS) - 0.5, color=GREY, lw=0.8, ls=":")
    kept = max(arrays[f"droplets/{w}"].shape[0] for w in told)
    caption = together(
        f"Amplitudes of at most {kept:,} droplets a well, drawn by the seed and the input's hash; blue above "
        "the threshold (line), grey below.",
        f"The first {MOST_WELLS} of {len(wells)} wells." if len(wells) > MOST_WELLS else "",
        f"Right of the dotted line: wells without template ({', '.join(empty[:2])})." if empty else "",
        "" if any(r.threshold is not None for r in rows) else "No threshold is stated.",
        flag_note(sample, ["rain_heavy", "no_call", "few_droplets", "saturated", "ntc_positive"]),
    )
    alt = f"Droplet amplitudes of {len(told)} wells in {', '.join(_targets(rows, c) for c in channels)}."
    return Picture(name, title, caption, alt, figure)


def _without_template(payload: Payload, sample: Sample) -> list[Well]:
    """Return the rows of the plate's wells without template."""
    blanks = [s for s in payload.samples if s.role in ROLES_BESIDE and s.record == sample.record]
    return [row for s in blanks for row in rows_of_sample(payload, s)]


def draw_plate(ax: Axes, payload: Payload, arrays: Arrays) -> None:
    """Draw the droplets of a plate in its first channel; counts where there are none."""
    rows = payload.wells or []
    wells = _wells(rows, arrays)
    if wells:
        draw_droplets(ax, rows, arrays, wells, _channels(wells, arrays)[0])
    else:
        draw_counts(ax, rows)
    ax.set_xlabel("well")


def draw_counts(ax: Axes, rows: Sequence[Well]) -> None:
    """Draw the concentration in each well of a plate, by target."""
    counted = [r for r in rows if r.copies_per_ul is not None]
    wells = sorted({r.well for r in counted}, key=by_column)
    for i, target in enumerate(dict.fromkeys(r.target for r in counted)):
        own = [r for r in counted if r.target == target]
        series = SERIES[i % len(SERIES)]
        at = [wells.index(r.well) for r in own]
        ax.plot(
            at,
            [r.copies_per_ul or 0.0 for r in own],
            series["marker"],
            color=series["color"],
            label=drawable(target),
        )
    label_wells(ax, wells)
    ax.set_ylabel("copies µL⁻¹")
    legend_above(ax, 4)


def draw_droplets(ax: Axes, rows: Sequence[Well], arrays: Arrays, wells: Sequence[str], channel: str) -> None:
    """Draw the amplitudes of one channel, well beside well, with the threshold of each."""
    ax.set_rasterization_zorder(1.5)
    for i, well in enumerate(wells):
        amplitude = _amplitude(well, channel, arrays)
        if amplitude is None:
            continue
        thresholds = _thresholds(rows, well, channel)
        above = amplitude > min(thresholds, default=np.inf)
        x = i - 0.42 + 0.84 * np.random.default_rng(0).random(amplitude.size)
        ax.plot(x[~above], amplitude[~above], ".", ms=1.1, mew=0, color="#777777", zorder=1)
        ax.plot(x[above], amplitude[above], ".", ms=1.1, mew=0, color=BLUE, zorder=1)
        if thresholds:
            ax.hlines(thresholds, i - 0.46, i + 0.46, color=VERMILLION, lw=1.2, zorder=2)
    ax.set_xlim(-0.6, len(wells) - 0.4)
    label_wells(ax, wells)
    ax.set_ylabel(f"amplitude\n{_targets(rows, channel)}")


# ---------------------------------------------------------------- two channels


def _clusters_picture(sample: Sample, rows: Sequence[Well], arrays: Arrays) -> Picture:
    name, title = "ddpcr-clusters", "Droplets in two channels, with gates"
    wells = _wells(rows, arrays)
    if not wells:
        return missing(name, title, NO_DROPLETS)
    channels = _channels(wells, arrays)
    if len(channels) < 2:
        return missing(name, title, "droplets of one channel")
    pairs = list(combinations(channels, 2))
    # of two channels a panel a well, of more a panel a pair with the droplets of all wells
    views = [([w], pairs[0]) for w in wells] if len(pairs) == 1 else [(wells, pair) for pair in pairs]
    views = views[:MOST_PANELS]
    columns = 2 if len(views) in (2, 4) else min(len(views), 3)
    rows_of_panels = -(-len(views) // columns)
    figure = new_figure(0.55 + 2.1 * rows_of_panels)
    alike = len(pairs) == 1
    axes = [ax for row in panels(figure, rows_of_panels, columns, sharex=alike, sharey=alike) for ax in row]
    for i, (ax, (some, pair)) in enumerate(zip(axes, views, strict=False)):
        draw_clusters(ax, rows, arrays, some, pair)
        ax.set_title(some[0] if alike else "all wells", fontsize=8)
        if not alike or i + columns >= len(views):
            ax.set_xlabel(_targets(rows, pair[0]))
            ax.tick_params(labelbottom=True)
        if not alike or i % columns == 0:
            ax.set_ylabel(_targets(rows, pair[1]))
    for ax in axes[len(views) :]:
        ax.set_axis_off()
    total = len(wells) if alike else len(pairs)
    caption = together(
        "Amplitudes of a droplet in two channels, lines are the gates. Grey: negative for both; blue: "
        "positive for the horizontal target, orange: for the vertical one, green: for both.",
        "Black: droplets whose call is less sure than 9 in 10."
        if any(f"membership/{w}" in arrays for w in wells)
        else "",
        f"{len(views)} of {total} {'wells' if alike else 'pairs of channels'} are shown."
        if total > len(views)
        else "",
        flag_note(sample, ["rain_heavy", "no_call"]),
    )
    alt = f"Droplets of {', '.join(wells[:MOST_PANELS])} by their amplitudes in {' and '.join(channels[:2])}."
    return Picture(name, title, caption, alt, figure)


def draw_clusters(
    ax: Axes, rows: Sequence[Well], arrays: Arrays, wells: Sequence[str], pair: tuple[str, str]
) -> None:
    """Draw droplets by their amplitudes in two channels, with the gates of each well."""
    ax.set_rasterization_zorder(1.5)
    for well in wells:
        x, y = (_amplitude(well, channel, arrays) for channel in pair)
        if x is None or y is None:
            continue
        gates = [_thresholds(rows, well, channel) for channel in pair]
        right, up = (v > min(g, default=np.inf) for v, g in zip((x, y), gates, strict=True))
        for inside, colour in (
            (~right & ~up, "#888888"),
            (right & ~up, BLUE),
            (~right & up, ORANGE),
            (right & up, GREEN),
        ):
            ax.plot(x[inside], y[inside], ".", ms=1.3, mew=0, color=colour, zorder=1)
        sure = arrays.get(f"membership/{well}")
        if sure is not None and sure.size == x.size:
            ax.plot(x[sure < 0.9], y[sure < 0.9], ".", ms=1.8, mew=0, color=BLACK, zorder=1.2)
        for gate in gates[0]:
            ax.axvline(gate, color=VERMILLION, lw=0.9)
        for gate in gates[1]:
            ax.axhline(gate, color=VERMILLION, lw=0.9)
