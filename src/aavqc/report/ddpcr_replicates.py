"""Figure of a plate's concentrations: replicates, and how they follow the dilution."""

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
    BLUE,
    SERIES,
    SKY,
    drawable,
    interval_note,
    label_wells,
    legend_above,
    new_figure,
    panels,
    raised,
    value_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TARGETS = 6
"""Panels."""

SAME_SCALE = 0.2
"""Genomes and copies differ by a factor, or the titer is the mean of the wells but for weights."""


def replicates_picture(sample: Sample, rows: Sequence[Well]) -> Picture:
    """Return the concentrations of a sample's wells, and how they follow the dilution."""
    name, title = "ddpcr-replicates", "Replicates and dilutions"
    counted = [r for r in rows if r.copies_per_ul is not None]
    if not counted:
        return missing(name, title, "no well has a concentration")
    found = sample.diagnostics.get("targets") or {}
    targets = [t for t in dict.fromkeys(r.target for r in counted) if t in found][:MOST_TARGETS]
    dilutions = any((found[t].get("linearity") or {}).get("dilutions") for t in targets)
    figure = new_figure(0.4 + 2.1 * len(targets))
    grid = panels(figure, len(targets), 2 if dilutions else 1, width_ratios=(1.5, 1) if dilutions else None)
    titers = [a for a in sample.attributes if a.name in ("vg_titer", "concentration") and a.target in targets]
    for axes, target in zip(grid, targets, strict=True):
        draw_replicates(axes[0], sample, counted, target)
        if dilutions:
            draw_linearity(axes[1], sample, counted, target)
    verdicts = [
        f"{t}: slope {line['slope']:.3f} ({line['slope_low']:.3f}–{line['slope_high']:.3f}), change "
        f"{line['change_percent']:+.1f} % ({line['change_low']:+.1f} to {line['change_high']:+.1f}), "
        f"{line['verdict']} within ±{line['margin_percent']:g} %"
        for t in targets
        if (line := found[t].get("linearity"))
    ]
    caption = together(
        f"{'Left: each' if dilutions else 'Each'} well's concentration with its Poisson interval; filled: "
        "used, open: rejected.",
        "Line and band: the reported titer and its interval, where a genome is one copy." if titers else "",
        interval_note(titers) if titers else "",
        "Right: concentration in the reaction of the wells in use against the dilution; the line has slope 1."
        if dilutions
        else "",
        f"{'; '.join(verdicts)}." if verdicts else "",
        flag_note(sample, ["dilution_trend", "overdispersed", "lambda_high", "targets_disagree"]),
    )
    alt = "; ".join(f"{a.key} {value_text(a)}" for a in titers) or f"Concentrations of {len(counted)} wells"
    return Picture(name, title, caption, f"{alt}.", figure)


def _factor(row: Well) -> float | None:
    """Return by what a row's concentration was multiplied: that of its dilution."""
    if row.undiluted_per_ml is None or not row.copies_per_ul:
        return None
    factor = row.undiluted_per_ml / (row.copies_per_ul * 1e3)
    return float(f"{factor:.6g}")  # dilutions that are one read alike


def _of_target(sample: Sample, rows: Sequence[Well], target: str) -> tuple[list[Well], set[str]]:
    own = sorted(
        (r for r in rows if r.target == target), key=lambda r: (_factor(r) or 0.0, by_column(r.well))
    )
    return own, set(sample.diagnostics["targets"][target]["wells"])


def draw_replicates(ax: Axes, sample: Sample, rows: Sequence[Well], target: str) -> None:
    """Draw the concentration of each well of a target, undiluted where the dilution is known."""
    own, used = _of_target(sample, rows, target)
    titer = next((a for a in sample.attributes if a.name == "vg_titer" and a.target == target), None)
    undiluted = bool(own) and all(r.undiluted_per_ml is not None or r.copies_per_ul == 0 for r in own)
    undiluted = undiluted and any(r.undiluted_per_ml for r in own)
    scales = [(_factor(r) or 0.0) * 1e3 if undiluted else 1.0 for r in own]
    values = [(r.copies_per_ul or 0.0) * k for r, k in zip(own, scales, strict=True)]
    top = max(values, default=0.0)
    power = math.floor(math.log10(top)) if undiluted and top > 0 else 0
    unit = 10.0**power
    factors = sorted({f for r in own if (f := _factor(r)) is not None})
    for i, (r, value, scale) in enumerate(zip(own, values, scales, strict=True)):
        factor = _factor(r)
        series = SERIES[factors.index(factor) % len(SERIES) if factor is not None else 0]
        low = value - (r.ci_low if r.ci_low is not None else r.copies_per_ul or 0.0) * scale
        high = (r.ci_high if r.ci_high is not None else r.copies_per_ul or 0.0) * scale - value
        ax.errorbar(
            i,
            value / unit,
            yerr=[[max(low, 0.0) / unit], [max(high, 0.0) / unit]],
            fmt=series["marker"],
            color=series["color"],
            mfc=series["color"] if r.well in used else "white",
            ms=4.5,
            lw=1.0,
            capsize=2,
        )
    if titer is not None and undiluted and _counts_copies(titer.value, own, used, values):
        ax.axhline(titer.value / unit, color=BLACK, lw=0.9)
        if titer.ci_low is not None and titer.ci_high is not None:
            ax.axhspan(titer.ci_low / unit, titer.ci_high / unit, facecolor=SKY, alpha=0.3, lw=0)
    for i, factor in enumerate(factors):
        series = SERIES[i % len(SERIES)]
        ax.plot([], [], series["marker"], color=series["color"], ms=4.5, label=_dilution(factor))
    if factors:
        legend_above(ax, 3)
    label_wells(ax, [r.well for r in own])
    ax.set_xlim(-0.6, len(own) - 0.4)
    what = f"copies mL⁻¹ / 10{raised(power)}" if undiluted else "copies µL⁻¹ of reaction"
    ax.set_ylabel(f"{drawable(target, 16)}\n{what}")


def _counts_copies(titer: float, own: Sequence[Well], used: set[str], values: Sequence[float]) -> bool:
    """Tell whether a titer of genomes is one of copies as well: no strands or targets to divide by."""
    inside = [v for r, v in zip(own, values, strict=True) if r.well in used and v > 0]
    return bool(inside) and abs(titer / float(np.mean(inside)) - 1) < SAME_SCALE


def draw_linearity(ax: Axes, sample: Sample, rows: Sequence[Well], target: str) -> None:
    """Draw concentrations in the reaction against the dilution, with the line of slope 1."""
    own, used = _of_target(sample, rows, target)
    points = [(f, r) for r in own if r.well in used and (f := _factor(r)) is not None and r.copies_per_ul]
    if not points:
        ax.set_axis_off()
        return
    x = np.array([1.0 / f for f, _ in points])
    y = np.array([r.copies_per_ul or 0.0 for _, r in points])
    ax.plot(x, y, "o", color=BLUE, ms=4.5)
    middle = math.exp(float(np.mean(np.log(y / x))))
    ends = np.array([x.min() / 1.3, x.max() * 1.3])
    ax.plot(ends, middle * ends, "-", color=BLACK, lw=0.8, zorder=0)
    ax.set(xscale="log", yscale="log")
    ticks = sorted({f for f, _ in points})
    ax.set_xticks([1 / f for f in ticks], [_dilution(f) for f in ticks], rotation=20, ha="right")
    low, high = float(y.min()), float(y.max())
    marks = sorted({float(f"{v:.2g}") for v in np.geomspace(low, high, 4 if high > 1.5 * low else 2)})
    ax.set_yticks(marks, [f"{v:g}" for v in marks])
    ax.minorticks_off()
    ax.set_ylabel("copies µL⁻¹")


def _dilution(factor: float) -> str:
    """Return a dilution as people write it, such as 1 : 2 × 10⁷."""
    if factor < 1e6:
        return f"1 : {factor:g}"
    mantissa, exponent = f"{factor:.4e}".split("e")
    return f"1 : {float(mantissa):g} × 10{raised(int(exponent))}"
