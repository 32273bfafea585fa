"""Figures of a charge-detection mass spectrum, and of lists of masses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from aavqc.attributes import Attribute
from aavqc.documents import Sample
from aavqc.report.arrays import Arrays
from aavqc.report.pictures import Picture, flag_note, missing, together
from aavqc.report.style import (
    BLACK,
    CLASSES,
    COLOURS,
    GREEN,
    GREY,
    HATCHES,
    SERIES,
    VERMILLION,
    interval_note,
    legend_above,
    new_figure,
    panels,
    shown,
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
        _methods_picture(sample),
        _funnel_picture(sample),
        _calibration_picture(sample),
    ]


def _edges(sample: Sample) -> list[float] | None:
    """Return the class bounds in MDa that the reported method uses: five, or None."""
    methods = sample.diagnostics.get("methods") or {}
    for name in ("mixture", "window"):
        edges = (methods.get(name) or {}).get("edges_mda")
        if edges:
            return [float(e) for e in edges]
    return None


def _particles(sample: Sample) -> str:
    """Name what was weighed: ions, or particles of mass photometry."""
    photometry = (sample.diagnostics.get("calibration") or {}).get("instrument") == "mass_photometry"
    return "particles" if photometry else "ions"


# ---------------------------------------------------------------- m/z × charge


def _map_picture(sample: Sample, arrays: Arrays) -> Picture:
    name, title = "cdms-map", "Ions by m/z and charge"
    if not arrays.get("mz", np.empty(0)).size:
        what = "a list of masses has no m/z and no charge" if "mass_counts" in arrays else "no ion was used"
        return missing(name, title, what)
    figure = new_figure(3.6)
    draw_map(panels(figure, 1)[0][0], sample, arrays)
    used = _used(sample)
    edges = _edges(sample)
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
    edges = _edges(sample)
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


def _used(sample: Sample) -> int:
    return next((row["ions"] for row in sample.diagnostics["funnel"] if row["step"] == "used"), 0)


# ---------------------------------------------------------------- masses


def _mass_picture(sample: Sample, arrays: Arrays) -> Picture:
    name, title = "cdms-mass", "Distribution of masses"
    if not arrays.get("mass_counts", np.zeros(0)).any():
        return missing(name, title, "no mass was measured, or the arrays beside the result hold none")
    figure = new_figure(3.4)
    ax = panels(figure, 1)[0][0]
    draw_masses(ax, sample, arrays)
    shares, edges = _shares(sample), _edges(sample)
    expected = [f"{m / 1e6:.3f}" for m in arrays.get("expected_da", ())]
    what = _particles(sample)
    caption = together(
        f"Histogram of the measured masses of {_used(sample):,} {what}, charge noise included.",
        f"Dashed: class bounds at {', '.join(f'{e:.3f}' for e in edges[1:-1])} MDa." if edges else "",
        f"Dotted: expected masses of the empty capsid and of that with the designed genome, "
        f"{' and '.join(expected)} MDa."
        if expected
        else "",
        "Line: the mixture's peaks, charge noise taken out." if _peaks(sample, "mixture") else "",
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
    bounds = _edges(sample)
    low, high = _mass_range(edges, counts, bounds, arrays)
    edges, counts = _coarser(edges, counts, low, high)
    shares = {a.name.removeprefix("percent_"): a for a in _shares(sample)}
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
    for bound in (bounds or [])[1:-1]:
        ax.axvline(bound, color=GREY, lw=0.8, ls="--", zorder=0)
    for mass in arrays.get("expected_da", ()):
        ax.axvline(mass / 1e6, color=BLACK, lw=0.9, ls=":")
    top = float(counts[(edges[:-1] >= low) & (edges[1:] <= high)].max(initial=1.0))
    peaks = _peaks(sample, "mixture")
    if peaks:
        x = np.linspace(low, high, 600)
        step = float(edges[1] - edges[0])
        y = np.sum([_normal(x, p, step) for p in peaks], axis=0)
        ax.plot(x, y, color=VERMILLION, lw=1.1, label="mixture, noise-free")
        top = max(top, float(y.max()))
    ax.set(xlim=(low, high), ylim=(0, 1.06 * top), xlabel="mass / MDa", ylabel=_particles(sample))
    if bounds or peaks:
        legend_above(ax, 3)


def _normal(x: NDArray[np.float64], peak: dict[str, float], step: float) -> NDArray[np.float64]:
    sd = max(peak["sd_mda"], step / 4)
    height = peak["ions"] * step / (sd * math.sqrt(2 * math.pi))
    y: NDArray[np.float64] = height * np.exp(-0.5 * ((x - peak["mass_mda"]) / sd) ** 2)
    return y


def _peaks(sample: Sample, method: str) -> list[dict[str, float]]:
    methods = sample.diagnostics.get("methods") or {}
    return list((methods.get(method) or {}).get("peaks") or [])


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


def _shares(sample: Sample) -> list[Attribute]:
    named = {a.name: a for a in sample.attributes}
    return [named[f"percent_{c}"] for c in CLASSES if f"percent_{c}" in named]


# ---------------------------------------------------------------- methods


def _methods_picture(sample: Sample) -> Picture:
    name, title = "cdms-methods", "Classes by each method"
    methods = {
        method: row
        for method, row in (sample.diagnostics.get("methods") or {}).items()
        if row and all(f"percent_{c}" in row for c in CLASSES)
    }
    if not methods:
        return missing(name, title, "no classes: no design_length, or no capsid was seen")
    figure = new_figure(2.6)
    draw_methods(panels(figure, 1, 4)[0], sample)
    shares = _shares(sample)
    caption = together(
        "Percent of monomeric capsids by each method; the bar is the reported value with its interval.",
        interval_note(shares),
        "Windows count ions between the class bounds, blur included; the mixture and the deconvolution take "
        "the charge noise out.",
    )
    alt = "; ".join(
        f"{method}: " + ", ".join(f"{c} {row[f'percent_{c}']:.2f} %" for c in CLASSES)
        for method, row in sorted(methods.items())
    )
    return Picture(name, title, caption, f"Percent of capsids. {alt}.", figure)


def draw_methods(axes: Sequence[Axes], sample: Sample) -> None:
    """Draw each class in one of four axes: the methods as points, the reported value as a band."""
    methods = sample.diagnostics["methods"]
    names = [m for m in ("window", "mixture", "deconvolution") if methods.get(m)]
    shares = {a.name.removeprefix("percent_"): a for a in _shares(sample)}
    for ax, name in zip(axes, CLASSES, strict=True):
        for i, (method, series) in enumerate(zip(names, SERIES, strict=False)):
            value = methods[method].get(f"percent_{name}")
            if value is not None:
                ax.plot(i, value, series["marker"], color=series["color"], ms=5.5, zorder=3)
        a = shares.get(name)
        values = [methods[m][f"percent_{name}"] for m in names if f"percent_{name}" in methods[m]]
        if a is not None and a.ci_low is not None and a.ci_high is not None:
            ax.axhspan(a.ci_low, a.ci_high, facecolor=COLOURS[name], alpha=0.35, lw=0)
            values += [a.ci_low, a.ci_high]
        if a is not None and a.qualifier is None:
            ax.axhline(a.value, color=BLACK, lw=0.9)
        margin = 0.15 * (max(values) - min(values)) + 0.02
        ax.set_ylim(min(values) - margin, max(values) + margin)
        ax.set_xlim(-0.6, len(names) - 0.4)
        ax.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
        ax.set_title(name)
    axes[0].set_ylabel("monomeric capsids / %")


# ---------------------------------------------------------------- funnel


def _funnel_picture(sample: Sample) -> Picture:
    name, title = "cdms-funnel", "Which ions are used"
    funnel = sample.diagnostics.get("funnel") or []
    if not funnel or not funnel[0]["ions"]:
        return missing(name, title, "no row was read")
    figure = new_figure(0.75 + 0.27 * len(funnel))
    draw_funnel(panels(figure, 1)[0][0], sample)
    caption = (
        f"From {funnel[0]['ions']:,} rows or peaks that were read to {_used(sample):,} {_particles(sample)} "
        "in use, each reason with what it took (hatched); what several reasons take counts under the first."
    )
    alt = "; ".join(f"{row['step']}: {row['ions']:,}" for row in funnel)
    return Picture(name, title, caption, f"{alt}.", figure)


def draw_funnel(ax: Axes, sample: Sample) -> None:
    """Draw what was read, what each reason took, and what is used."""
    funnel = sample.diagnostics["funnel"]
    read = left = funnel[0]["ions"]
    for i, row in enumerate(funnel):
        taken = row["step"] not in ("read", "used")
        if taken:
            left -= row["ions"]
            ax.barh(
                i, row["ions"], left=left, color="#DDDDDD", hatch="////", edgecolor=GREY, lw=0.5, height=0.7
            )
        else:
            ax.barh(i, row["ions"], color=COLOURS["full"] if row["step"] == "used" else GREY, height=0.7)
        end = left + row["ions"] if taken else row["ions"]
        text = f"{row['ions']:,} ({100 * row['ions'] / read:.3g} %)"
        ax.annotate(
            text, (end, i), xytext=(3, 0), textcoords="offset points", va="center", fontsize=8, zorder=4
        )
    ax.set_yticks(range(len(funnel)), [shown(row["step"].removeprefix("dropped: "), 44) for row in funnel])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.28 * read)
    ax.set_xlabel("rows")


# ---------------------------------------------------------------- calibration


def _calibration_picture(sample: Sample) -> Picture:
    name, title = "cdms-calibration", "Residuals of the charge calibration"
    calibration = sample.diagnostics.get("calibration") or {}
    fitted, standards = calibration.get("fitted"), calibration.get("standards") or []
    compared = [row for row in standards if row["deviation_percent"] is not None]
    if fitted:
        figure = new_figure(2.9)
        draw_calibration(panels(figure, 1)[0][0], fitted)
        caption = together(
            f"Intensity of the lines of the standards about the model {fitted['model']}, in percent; the "
            "size of a point grows with its ions.",
            f"Their SD is {100 * fitted['residual_rel_sd']:.2f} %; dashed, the limit of "
            f"{100 * fitted['residual_limit']:g} % up to which a calibration is suitable.",
            flag_note(sample, ["charge_calibration", "charge_extrapolated", "charge_drift"]),
        )
        alt = f"Residuals of {len(fitted['lines'])} lines, SD {100 * fitted['residual_rel_sd']:.2f} %."
        return Picture(name, title, caption, alt, figure)
    if compared:
        figure = new_figure(2.4)
        draw_standards(panels(figure, 1)[0][0], compared)
        caption = together(
            "Deviation of the peak nearest to each standard from its known mass, in percent. The charge "
            f"calibration is given ({calibration.get('source')}), not fitted.",
            flag_note(sample, ["charge_calibration", "charge_drift"]),
        )
        alt = "; ".join(f"{row['name']} {row['deviation_percent']:+.2f} %" for row in compared)
        return Picture(name, title, caption, f"Deviation of standards: {alt}.", figure)
    source = calibration.get("source")
    given = f"the calibration is given ({source}), with no standards" if source else "there is no calibration"
    return missing(name, title, f"{given} in this file")


def draw_calibration(ax: Axes, fitted: dict[str, Any]) -> None:
    """Draw the residuals of the calibration's lines against their charge."""
    names = list(dict.fromkeys(line["standard"] for line in fitted["lines"]))
    most = max(line["ions"] for line in fitted["lines"])
    for i, name in enumerate(names):
        series = SERIES[i % len(SERIES)]
        lines = [line for line in fitted["lines"] if line["standard"] == name]
        ax.scatter(
            [line["charge"] for line in lines],
            [line["residual_percent"] for line in lines],
            s=[8 + 40 * line["ions"] / most for line in lines],
            marker=series["marker"],
            facecolor="none",
            edgecolor=series["color"],
            label=shown(name),
        )
    limit = 100 * fitted["residual_limit"]
    ax.axhline(0, color=BLACK, lw=0.8)
    for sign in (-1, 1):
        ax.axhline(sign * limit, color=GREY, lw=0.8, ls="--")
    ax.set(xlabel="charge / e", ylabel="residual / %")
    legend_above(ax, 4)


def draw_standards(ax: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """Draw how far the standards' peaks are off their known masses."""
    for i, row in enumerate(rows):
        ax.plot(row["expected_da"] / 1e6, row["deviation_percent"], **_point(i), label=shown(row["name"]))
    ax.axhline(0, color=GREEN, lw=0.8)
    reach = 1.3 * max(abs(row["deviation_percent"]) for row in rows) or 1.0
    ax.set(xlabel="known mass / MDa", ylabel="deviation / %", ylim=(-reach, reach))
    legend_above(ax, 4)


def _point(i: int) -> dict[str, Any]:
    return {k: v for k, v in SERIES[i % len(SERIES)].items() if k != "linestyle"} | {"linestyle": "none"}
