"""Figures of a charge-detection mass spectrum, and of lists of masses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from aavqc.attributes import CLASSES
from aavqc.documents import Sample
from aavqc.report.arrays import Arrays
from aavqc.report.cdms_methods import calibration_picture, funnel_picture, methods_picture
from aavqc.report.cdms_sample import class_edges, class_shares, ions_used, mixture_peaks, particle_name
from aavqc.report.pictures import Picture, flag_note, missing, together
from aavqc.report.style import (
    BLACK,
    COLOURS,
    GREY,
    HATCHES,
    VERMILLION,
    interval_note,
    legend_above,
    new_figure,
    panels,
    value_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

PROTON_MDA = 1.007276467e-6
OUTSIDE = "sub_capsid"
BINS = 160
"""Of a mass distribution, within what is shown."""

SPARSE = 40.0
"""Ions to an occupied bin from which on finer bins are worth it."""


def cdms_figures(sample: Sample, arrays: Arrays) -> list[Picture]:
    """Return the figures of one sample: ions, masses, methods, funnel, calibration.

    Parameters
    ----------
    sample : Sample
    arrays : mapping of str to array
        Of the sample's record, by their own names.
    """
    return [
        _map_picture(sample, arrays),
        _mass_picture(sample, arrays),
        methods_picture(sample),
        funnel_picture(sample),
        calibration_picture(sample),
    ]


# ---------------------------------------------------------------- m/z × charge


def _map_picture(sample: Sample, arrays: Arrays) -> Picture:
    name, title = "cdms-map", "Ions by m/z and charge"
    if not arrays.get("mz", np.empty(0)).size:
        what = "a list of masses has no m/z and no charge" if "mass_counts" in arrays else "no ion was used"
        return missing(name, title, what)
    figure = new_figure(3.6)
    draw_map(panels(figure, 1)[0][0], sample, arrays)
    used = ions_used(sample)
    edges = class_edges(sample)
    caption = together(
        f"{arrays['mz'].size:,} of {used:,} ions in use, drawn by the seed and the input's hash. m/z "
        "in thousand Th, charge in elementary charges.",
        "Lines are of equal mass: dashed the class bounds, dotted the expected masses of the empty capsid "
        "and of that with the designed genome."
        if edges
        else "",
        flag_note(sample, ["mz_below_charge", "charge_drift", "injection_time_trend"]),
    )
    alt = (
        f"Map of single ions: m/z from {arrays['mz'].min():,.0f} to {arrays['mz'].max():,.0f} Th, charges "
        f"from {arrays['charge'].min():.0f} to {arrays['charge'].max():.0f}."
    )
    return Picture(name, title, caption, alt, figure)


def draw_map(ax: Axes, sample: Sample, arrays: Arrays) -> None:
    """Draw ions by m/z and charge, coloured by class of mass."""
    mz, charge = arrays["mz"] / 1e3, arrays["charge"]
    mass = charge * (mz * 1e-3 - PROTON_MDA)
    edges = class_edges(sample)
    size = 5.0 if mz.size <= 2000 else 2.5
    ax.set_rasterization_zorder(1.5)
    for name, inside in _members(mass, edges):
        colour = COLOURS[name] if edges else COLOURS["full"]
        ax.plot(mz[inside], charge[inside], ".", ms=size, mew=0, color=colour, alpha=0.75, zorder=1)
    low, high = (np.quantile(mz, q) for q in (0.002, 0.998))
    bottom, top = (np.quantile(charge, q) for q in (0.002, 0.998))
    x = np.linspace(low - 0.05 * (high - low), high + 0.12 * (high - low), 100)
    bottom, top = bottom - 0.1 * (top - bottom) - 1, top + 0.1 * (top - bottom) + 1
    lines = [(e, "--", GREY) for e in (edges or [])[1:-1]]
    lines += [(m / 1e6, ":", BLACK) for m in arrays.get("expected_da", ())]
    for at, style, colour in lines:
        z = at / (x * 1e-3 - PROTON_MDA)
        ax.plot(x, z, style, color=colour, lw=0.9, zorder=2)
    ax.set(xlim=(x[0], x[-1]), ylim=(max(bottom, 0), top), xlabel="m/z / kTh", ylabel="charge / e")
    if edges:
        for name in CLASSES:
            ax.plot([], [], "o", ms=4, color=COLOURS[name], label=name)
        legend_above(ax, 4)


def _members(mass: NDArray[np.float64], edges: Sequence[float] | None) -> list[tuple[str, Any]]:
    """Return a mask of each class; what is in none comes first."""
    if edges is None:
        return [(OUTSIDE, np.ones(mass.size, bool))]
    masks = [
        (name, (mass >= low) & (mass < high))
        for name, (low, high) in zip(CLASSES, pairwise(edges), strict=True)
    ]
    return [(OUTSIDE, (mass < edges[0]) | (mass >= edges[-1])), *masks]


# ---------------------------------------------------------------- masses


def _mass_picture(sample: Sample, arrays: Arrays) -> Picture:
    name, title = "cdms-mass", "Distribution of masses"
    if not arrays.get("mass_counts", np.zeros(0)).any():
        return missing(name, title, "no mass was measured, or the arrays beside the result hold none")
    figure = new_figure(3.4)
    ax = panels(figure, 1)[0][0]
    draw_masses(ax, sample, arrays)
    shares, edges = class_shares(sample), class_edges(sample)
    kernel = sample.diagnostics.get("distribution") or {}
    expected = [f"{m / 1e6:.3f}" for m in arrays.get("expected_da", ())]
    what = particle_name(sample)
    caption = together(
        f"Histogram of the measured masses of {ions_used(sample):,} {what}, their noise included.",
        f"Black line: Gaussian kernel estimate, its SD {100 * kernel['bandwidth']:.2g} % of the mass."
        if kernel
        else "",
        f"Dashed: class bounds at {', '.join(f'{e:.3f}' for e in edges[1:-1])} MDa." if edges else "",
        f"Dotted: expected masses of the empty capsid and of that with the designed genome, "
        f"{' and '.join(expected)} MDa."
        if expected
        else "",
        "Red line: the mixture's peaks, charge noise taken out." if edges and mixture_peaks(sample) else "",
        "The legend gives percent of monomeric capsids." if shares else "",
        interval_note(shares) if shares else "",
        flag_note(sample, ["windows_biased", "classes_merged", "mass_scale", "sigma_z_inconsistent"]),
    )
    peaks = ", ".join(f"{p['mass_mda']:.3f}" for p in sample.diagnostics["peaks"][:8])
    alt = f"Histogram of masses with peaks at {peaks or 'no mass'} MDa."
    if shares:
        alt += " " + "; ".join(f"{a.name.removeprefix('percent_')} {value_text(a)}" for a in shares) + "."
    return Picture(name, title, caption, alt, figure)


def draw_masses(ax: Axes, sample: Sample, arrays: Arrays) -> None:
    """Draw the histogram of masses by class, with bounds, expected masses and the mixture's peaks."""
    if not arrays.get("mass_counts", np.zeros(0)).any():
        ax.text(0.5, 0.5, "no masses", ha="center", transform=ax.transAxes)
        return
    edges, counts = arrays["mass_edges_da"] / 1e6, arrays["mass_counts"]
    bounds = class_edges(sample)
    low, high = _mass_range(edges, counts, bounds, arrays)
    edges, counts = _coarser(edges, counts, low, high)
    shares = {a.name.removeprefix("percent_"): a for a in class_shares(sample)}
    centres = (edges[1:] + edges[:-1]) / 2
    for name, inside in _members(centres, bounds):
        label = f"{name} {value_text(shares[name])}" if name in shares else None
        colour = COLOURS[name] if bounds else COLOURS["full"]
        held = np.where(inside, counts, 0)
        ax.stairs(
            held,
            edges,
            fill=True,
            facecolor=colour,
            edgecolor=BLACK if HATCHES[name] and bounds else colour,
            hatch=HATCHES[name] if bounds else "",
            lw=0,
            label=label,
        )
    ax.stairs(counts, edges, color=BLACK, lw=0.5)
    if "mass_kde_da" in arrays:
        kernel = arrays["mass_kde_per_da"] * 1e6 * float(edges[1] - edges[0])
        ax.plot(arrays["mass_kde_da"] / 1e6, kernel, color=BLACK, lw=0.9)
    for bound in (bounds or [])[1:-1]:
        ax.axvline(bound, color=GREY, lw=0.8, ls="--", zorder=0)
    for mass in arrays.get("expected_da", ()):
        ax.axvline(mass / 1e6, color=BLACK, lw=0.9, ls=":")
    top = float(counts[(edges[:-1] >= low) & (edges[1:] <= high)].max(initial=1.0))
    peaks = mixture_peaks(sample) if bounds else []  # other particles' peaks have tails that are no normal's
    if peaks:
        x = np.linspace(low, high, 600)
        step = float(edges[1] - edges[0])
        y = np.sum([_normal(x, p, step) for p in peaks], axis=0)
        ax.plot(x, y, color=VERMILLION, lw=1.1, label="mixture, noise-free")
        top = max(top, float(y.max()))
    ax.set(xlim=(low, high), ylim=(0, 1.06 * top), xlabel="mass / MDa", ylabel=particle_name(sample))
    if bounds:
        legend_above(ax, 3)


def _normal(x: NDArray[np.float64], peak: dict[str, float], step: float) -> NDArray[np.float64]:
    sd = max(peak["sd_mda"], step / 4)
    height = peak["ions"] * step / (sd * math.sqrt(2 * math.pi))
    y: NDArray[np.float64] = height * np.exp(-0.5 * ((x - peak["mass_mda"]) / sd) ** 2)
    return y


def _mass_range(
    edges: NDArray[np.float64],
    counts: NDArray[Any],
    bounds: Sequence[float] | None,
    arrays: Arrays,
) -> tuple[float, float]:
    """Return what is shown: all classes where there are some, else where 99.6 % of the masses lie."""
    total = np.cumsum(counts) / max(counts.sum(), 1)
    low, high = (float(edges[int(np.searchsorted(total, q))]) for q in (0.002, 0.998))
    if bounds:
        marked = [*bounds[1:-1], *(m / 1e6 for m in arrays.get("expected_da", ()))]
        low = min(max(low, 0.85 * bounds[0]), *marked)
        high = min(max(high, *marked), bounds[-1])
    margin = 0.04 * (high - low) + 2 * float(edges[1] - edges[0])
    return max(low - margin, 0.0), high + margin


def _coarser(
    edges: NDArray[np.float64], counts: NDArray[Any], low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Add bins up where they hold few, or are more than a figure shows."""
    inside = (edges[:-1] >= low) & (edges[1:] <= high)
    occupied = counts[inside & (counts > 0)]
    by = max(int(np.count_nonzero(inside)) // BINS, 1)
    if occupied.size and occupied.mean() < SPARSE:
        by = max(by, min(int(SPARSE / occupied.mean()), max(int(np.count_nonzero(inside)) // 50, 1)))
    whole = counts.size // by * by
    return edges[: whole + 1 : by], counts[:whole].reshape(-1, by).sum(axis=1)
