"""Figures of a sedimentation velocity result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from aavqc.attributes import CLASSES
from aavqc.documents import Sample
from aavqc.report.arrays import Arrays
from aavqc.report.auc_scans import channels_picture, scans_picture, seen_range, unit_of
from aavqc.report.pictures import Picture, missing, together
from aavqc.report.style import (
    BLACK,
    COLOURS,
    GREY,
    HATCHES,
    interval_note,
    legend_above,
    new_figure,
    panels,
    value_text,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

WINDOWS = ("sub_capsid", *CLASSES, "aggregate")


def auc_figures(sample: Sample, arrays: Arrays) -> list[Picture]:
    """Return the figures of one sample: scans and fit, distributions, channels.

    Parameters
    ----------
    sample : Sample
    arrays : mapping of str to array
        Of the sample's record, by their own names.
    """
    made = [scans_picture(sample, arrays), _distribution_picture(sample), _length_picture(sample, arrays)]
    if sample.diagnostics.get("channels"):
        made.append(channels_picture(sample, arrays))
    return made


# ---------------------------------------------------------------- distributions


def _distribution_picture(sample: Sample) -> Picture:
    name, title = "auc-distribution", "Distribution of sedimentation coefficients"
    figure = new_figure(3.0)
    draw_distribution(panels(figure, 1)[0][0], sample)
    found = sample.diagnostics
    windows = found.get("class_windows")
    shares = _shares(sample)
    law = {"lsg": "ls-g*(s)", "species": "discrete species", "distribution": "the distribution as saved"}.get(
        str(found["model"]), "c(s)"
    )
    caption = together(
        f"{law.capitalize() if law[0] != 'c' else law} of the {_where(found)}signal against s as measured "
        "(not s20,w).",
        "Dashed: bounds of the classes, from packaged length."
        if windows
        else "No classes: no design_length, or no capsid is seen.",
        "Triangles: species that were resolved, on which the composition rests."
        if any("length_nt" in p for p in found["peaks"])
        else "Triangles: peaks.",
        f"The legend gives percent of {_of_what(shares)}." if shares else "",
        interval_note(shares) if shares else "",
    )
    peaks = ", ".join(f"{p['s']:.1f} S ({100 * p['fraction']:.0f} %)" for p in found["peaks"][:6])
    alt = f"Distribution of sedimentation coefficients with peaks at {peaks or 'no s'} of the signal."
    return Picture(name, title, caption, alt, figure)


def draw_distribution(ax: Axes, sample: Sample) -> None:
    """Draw the distribution on s with the capsid classes."""
    found = sample.diagnostics
    s = np.array(found["distribution"]["s"])
    density = np.array(found["distribution"]["signal"]) / np.gradient(s)
    windows = found.get("class_windows")
    _fill(ax, s, density, windows["edges"] if windows else None, sample)
    peaks = [p["s"] for p in found["peaks"]]
    ax.plot(peaks, np.zeros(len(peaks)), "^", color=BLACK, ms=4.5, clip_on=False, zorder=4)
    low, high = seen_range(s, density)
    if windows:
        low, high = min(low, 0.93 * windows["edges"][1]), max(high, 1.06 * windows["edges"][3])
    ax.set_xlim(max(low, s[0]), min(high, s[-1]))
    unit = found.get("signal_unit")
    ax.set(xlabel="sedimentation coefficient as measured / S")
    ax.set_ylabel(f"distribution / ({unit} S⁻¹)" if unit else "distribution / (signal S⁻¹)")


def _length_picture(sample: Sample, arrays: Arrays) -> Picture:
    name, title = "auc-length", "Distribution of packaged length"
    found = sample.diagnostics
    windows = found.get("class_windows")
    if not windows or "class_bounds" not in windows:
        return missing(name, title, "no packaged lengths: no fit with a design_length, or no capsid seen")
    if "length_nt" not in arrays:
        return missing(name, title, "the arrays beside the result hold no packaged lengths")
    figure = new_figure(3.9)
    (top,), (bottom,) = panels(figure, 2, sharex=True, gridspec_kw={"height_ratios": (1.7, 1)})
    draw_length(top, sample, arrays)
    species = draw_species(bottom, sample)
    bottom.set_xlabel("packaged length / nt")
    shares = _shares(sample)
    bounds = ", ".join(f"{100 * b:g}" for b in windows["class_bounds"])
    caption = together(
        f"Top: the distribution of the {_where(found)}signal on packaged length; below 0 lies what is slower "
        "than an empty capsid.",
        f"Bottom: {species} of each species that was resolved." if species else "",
        f"Dashed: class bounds at {bounds} % of {windows['design_length']:g} nt (dotted: the design).",
        f"Lengths follow from s, anchored on {windows['anchor']}.",
        f"The legend gives percent of {_of_what(shares)}." if shares else "",
        interval_note(shares) if shares else "",
    )
    alt = "Signal against packaged length: " + "; ".join(
        f"{a.name.removeprefix('percent_').removesuffix('_signal')} {value_text(a)}" for a in shares
    )
    return Picture(name, title, caption, f"{alt}.", figure)


def draw_length(ax: Axes, sample: Sample, arrays: Arrays) -> None:
    """Draw the distribution on packaged length with the capsid classes."""
    windows = sample.diagnostics["class_windows"]
    length, signal = arrays["length_nt"], np.array(sample.diagnostics["distribution"]["signal"])
    density = 1e3 * signal / np.gradient(length)
    design = windows["design_length"]
    ends = np.interp([windows["edges"][0], windows["edges"][-1]], arrays["s"], length)
    edges = [float(ends[0]), *(b * design for b in windows["class_bounds"]), float(ends[1])]
    _fill(ax, length, density, edges, sample)
    ax.axvline(design, color=BLACK, lw=0.8, ls=":")
    low, high = seen_range(length, density)
    ax.set_xlim(max(min(low, -0.12 * design), -0.6 * design), min(max(high, 1.25 * design), 2.2 * design))
    ax.set_ylabel(f"signal / ({unit_of(sample, '')} knt⁻¹)")


def draw_species(ax: Axes, sample: Sample) -> str:
    """Draw the resolved species as bars at their lengths; returns what their height is of."""
    windows = sample.diagnostics["class_windows"]
    rows = [p for p in sample.diagnostics["peaks"] if p.get("length_nt") is not None]
    what = "particles" if any(p.get("particles_mol_l") is not None for p in rows) else "signal"
    heights = [float(p.get("particles_mol_l") or 0.0) if what == "particles" else p["signal"] for p in rows]
    total = sum(heights) or 1.0
    design = windows["design_length"]
    for row, height in zip(rows, heights, strict=True):
        ax.bar(
            row["length_nt"],
            100 * height / total,
            width=0.02 * design,
            color=COLOURS[row["class"] or "sub_capsid"],
            hatch=HATCHES[row["class"] or "sub_capsid"],
            edgecolor=BLACK,
            lw=0.5,
        )
        if height > 0.02 * total:
            ax.annotate(
                f"{100 * height / total:.1f}",
                (row["length_nt"], 100 * height / total),
                xytext=(0, 1.5),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    for bound in windows["class_bounds"]:
        ax.axvline(bound * design, color=GREY, lw=0.8, ls="--", zorder=0)
    ax.set_ylabel(f"{what} / %")
    ax.set_ylim(0, 112 * max(heights, default=1.0) / total)
    return f"percent of {what}" if rows else ""


def _fill(
    ax: Axes,
    x: NDArray[np.float64],
    density: NDArray[np.float64],
    edges: Sequence[float] | None,
    sample: Sample,
) -> None:
    """Fill a distribution by class, the bounds cut exactly, and name classes with their shares."""
    ax.plot(x, density, color=BLACK, lw=1.0)
    ax.set_ylim(0, float(density.max()) * 1.08 or 1.0)
    if edges is None:
        return
    shares = {a.name.removeprefix("percent_").removesuffix("_signal"): a for a in _shares(sample)}
    limits = [-np.inf, *edges, np.inf]
    for name, (low, high) in zip(WINDOWS, pairwise(limits), strict=True):
        inner = x[(x > low) & (x < high)]
        at = np.array([e for e in (low, *inner, high) if x[0] <= e <= x[-1]])
        value = np.interp(at, x, density)
        if at.size < 2 or not value.any():
            value = np.zeros(at.size)
            if name not in shares:
                continue
        share = f" {value_text(shares[name])}" if name in shares else ""
        ax.fill_between(
            at,
            value,
            facecolor=COLOURS[name],
            edgecolor=BLACK if HATCHES[name] else COLOURS[name],
            hatch=HATCHES[name],
            lw=0,
            alpha=0.85,
            label=f"{name.replace('_', '-')}{share}",
        )
    for edge in edges[1:-1]:
        ax.axvline(edge, color=GREY, lw=0.8, ls="--", zorder=0)
    legend_above(ax)


def _shares(sample: Sample) -> list[Any]:
    """Return the composition: of particles where there is one, else of signal."""
    named = {a.name: a for a in sample.attributes}
    for end in ("", "_signal"):
        if all(f"percent_{c}{end}" in named for c in CLASSES):
            return [named[f"percent_{c}{end}"] for c in CLASSES]
    return []


def _of_what(shares: Sequence[Any]) -> str:
    of_signal = shares[0].name.endswith("_signal")
    return "the capsids' signal" if of_signal else "monomeric capsids by number"


def _where(found: dict[str, Any]) -> str:
    wavelength = found.get("wavelength_nm")
    return f"{wavelength:.0f} nm " if wavelength else ""
