"""Figures of a sedimentation velocity result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from aavqc.documents import Sample
from aavqc.report.arrays import Arrays
from aavqc.report.pictures import Picture, flag_note, missing, together
from aavqc.report.style import (
    BLACK,
    CLASSES,
    COLOURS,
    GREY,
    HATCHES,
    SERIES,
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

WINDOWS = ("sub_capsid", *CLASSES, "aggregate")
VISIBLE = 2e-3
"""Share of the largest value from which on a distribution is shown."""

MOST_CHANNELS = 6

NO_SCANS = "the arrays beside the result hold no scans"


def auc_figures(sample: Sample, arrays: Arrays) -> list[Picture]:
    """Return the figures of one sample: scans and fit, distributions, channels.

    Parameters
    ----------
    sample : Sample
    arrays : mapping of str to array
        Of the sample's record, by their own names.
    """
    made = [_scans_picture(sample, arrays), _distribution_picture(sample), _length_picture(sample, arrays)]
    if sample.diagnostics.get("channels"):
        made.append(_channels_picture(sample, arrays))
    return made


# ---------------------------------------------------------------- scans, fit, residuals


def _scans_picture(sample: Sample, arrays: Arrays) -> Picture:
    name, title = "auc-scans", "Scans, fit and residuals"
    if "scans" not in arrays or "fit" not in arrays:
        integrated = sample.diagnostics.get("model") == "distribution"
        return missing(name, title, "a distribution without its scans" if integrated else NO_SCANS)
    found = sample.diagnostics
    figure = new_figure(5.4)
    (top,), (middle,), (bottom,) = panels(
        figure, 3, sharex=True, gridspec_kw={"height_ratios": (3.2, 1.1, 1.4)}
    )
    draw_scans(top, sample, arrays)
    draw_residuals(middle, sample, arrays)
    draw_bitmap(bottom, arrays)
    bottom.set_xlabel("radius / cm")
    unit = found["signal_unit"]
    noise = " and ".join(_NOISE[n] for n in found.get("noise_removed") or [])
    caption = together(
        f"Top: {arrays['scans'].shape[0]} of {found['scans_used']} scans (points, dark to light with "
        f"time) and the fit (lines); signal in {unit}.",
        f"{noise.capitalize()} noise is taken out of both." if noise and found["model"] in _APART else "",
        f"Middle: their residuals. Root mean square deviation of all scans {found['rmsd']:.3g} {unit}.",
        "Bottom: residuals of all scans, each a row, the first on top; grey is 0, black and white are −4 and "
        "+4 times the noise of a point. A good fit shows no pattern.",
        flag_note(sample, [f.id for f in sample.flags]),
    )
    alt = (
        f"Sedimentation boundaries at {arrays['scans'].shape[0]} times from "
        f"{arrays['radius_cm'][0]:.2f} to {arrays['radius_cm'][-1]:.2f} cm with the fitted lines, "
        f"the residuals and their bitmap; rmsd {found['rmsd']:.3g} {unit}."
    )
    return Picture(name, title, caption, alt, figure)


_NOISE = {"ti": "time-invariant", "ri": "radius-invariant"}
_APART = ("cs", "cs_invariant_d", "lsg")


def draw_scans(ax: Axes, sample: Sample, arrays: Arrays, suffix: str = "") -> None:
    """Draw scans as points and the fit as lines, dark to light with time."""
    import matplotlib as mpl

    radius, scans, fitted = (arrays[f"{name}{suffix}"] for name in ("radius_cm", "scans", "fit"))
    colours = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, len(scans)))
    every = max(radius.size // 130, 1)
    ax.set_rasterization_zorder(1.5)  # all points are one picture
    for colour, scan, line in zip(colours, scans, fitted, strict=True):
        ax.plot(radius[::every], scan[::every], ".", ms=2.6, mew=0, color=colour, alpha=0.7, zorder=1)
        ax.plot(radius, line, "-", lw=0.7, color=colour)
    minutes = arrays[f"time_s{suffix}"] / 60
    ax.set_ylabel(f"signal / {_unit(sample, suffix)}")
    ax.margins(x=0.01)
    ax.set_title(f"{minutes[0]:.0f} to {minutes[-1]:.0f} min at speed", loc="right", fontsize=8)


def draw_residuals(ax: Axes, sample: Sample, arrays: Arrays) -> None:
    """Draw the residuals of the scans shown, one over the other."""
    radius, residual = arrays["radius_cm"], arrays["scans"] - arrays["fit"]
    ax.set_rasterization_zorder(1.5)
    for scan in residual:
        ax.plot(radius, scan, "-", lw=0.4, color=BLACK, alpha=0.35, zorder=1)
    ax.axhline(0, color=VERMILLION, lw=0.8, zorder=2)
    reach = float(np.nanquantile(np.abs(residual), 0.999)) * 1.15 or 1.0
    ax.set_ylim(-reach, reach)
    ax.set_ylabel(f"residual / {_unit(sample, '')}")


def draw_bitmap(ax: Axes, arrays: Arrays, suffix: str = "") -> None:
    """Draw the residuals of all scans as a picture in greys."""
    picture, radius = arrays[f"residual_bitmap{suffix}"], arrays[f"radius_cm{suffix}"]
    extent = (float(radius[0]), float(radius[-1]), picture.shape[0] + 0.5, 0.5)
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255, aspect="auto", extent=extent, interpolation="nearest")
    ax.set_ylabel("scan")


def _unit(sample: Sample, suffix: str) -> str:
    channels = sample.diagnostics.get("channels")
    row = channels[int(suffix[1:])] if suffix and channels else sample.diagnostics
    return str(row.get("signal_unit") or "signal")


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
    low, high = _seen(s, density)
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
    edges = [-0.5 * design, *(b * design for b in windows["class_bounds"]), 2.0 * design]
    _fill(ax, length, density, edges, sample)
    ax.axvline(design, color=BLACK, lw=0.8, ls=":")
    low, high = _seen(length, density)
    ax.set_xlim(max(min(low, -0.12 * design), -0.6 * design), min(max(high, 1.25 * design), 2.2 * design))
    ax.set_ylabel(f"signal / ({_unit(sample, '')} knt⁻¹)")


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
        if at.size < 2 or not (value > VISIBLE * density.max()).any():
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


def _seen(x: NDArray[np.float64], density: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range in which there is something, with a margin."""
    there = np.flatnonzero(density > VISIBLE * density.max())
    if not there.size:
        return float(x[0]), float(x[-1])
    low, high = float(x[there[0]]), float(x[there[-1]])
    margin = 0.08 * (high - low) + float(x[1] - x[0])
    return low - margin, high + margin


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


# ---------------------------------------------------------------- channels


def _channels_picture(sample: Sample, arrays: Arrays) -> Picture:
    name, title = "auc-wavelengths", "Wavelengths and cells that were fitted together"
    channels = sample.diagnostics["channels"][:MOST_CHANNELS]
    suffixes = [f"_{i}" if i else "" for i in range(len(channels))]
    if not all(f"{k}{x}" in arrays for k in ("scans", "fit", "residual_bitmap", "signal") for x in suffixes):
        return missing(name, title, NO_SCANS)
    figure = new_figure(1.0 + 1.35 * len(channels) + 1.6)
    layout: list[Any] = [[f"scans{x}", f"bitmap{x}"] for x in suffixes] + [["together", "together"]]
    heights = [1.35] * len(channels) + [1.7]
    axes: dict[Any, Axes] = figure.subplot_mosaic(layout, height_ratios=heights, width_ratios=(1.5, 1))
    for channel, suffix in zip(channels, suffixes, strict=True):
        draw_scans(axes[f"scans{suffix}"], sample, arrays, suffix)
        draw_bitmap(axes[f"bitmap{suffix}"], arrays, suffix)
        axes[f"scans{suffix}"].set_title(
            f"{_label(channel, channels)}, rmsd {channel['rmsd']:.2g} {channel['signal_unit']}", fontsize=8
        )
    axes[f"scans{suffixes[-1]}"].set_xlabel("radius / cm")
    axes[f"bitmap{suffixes[-1]}"].set_xlabel("radius / cm")
    draw_channels(axes["together"], sample, arrays)
    caption = together(
        "Left: scans and fit of each channel; right: residuals of all its scans (grey 0, black and white ±4 "
        "times the noise). Below: the distribution in each channel, on one axis of s as measured.",
        "Species, cell and shape are shared; amounts are each channel's own.",
        f"{len(channels)} of {len(sample.diagnostics['channels'])} channels are shown."
        if len(channels) < len(sample.diagnostics["channels"])
        else "",
    )
    alt = "Scans with fit, residuals and distributions of " + ", ".join(_label(c, channels) for c in channels)
    return Picture(name, title, caption, f"{alt}.", figure)


def draw_channels(ax: Axes, sample: Sample, arrays: Arrays) -> None:
    """Draw the distribution of each channel on one axis of s."""
    channels = sample.diagnostics["channels"][:MOST_CHANNELS]
    s = arrays["s"]
    reach = []
    for i, (channel, series) in enumerate(zip(channels, SERIES, strict=False)):
        density = arrays[f"signal_{i}" if i else "signal"] / np.gradient(s)
        line = {k: v for k, v in series.items() if k != "marker"}
        ax.plot(s, density, **line, label=_label(channel, channels))
        reach.append(_seen(s, density))
    ax.set_xlim(max(min(low for low, _ in reach), s[0]), min(max(high for _, high in reach), s[-1]))
    ax.set_ylim(bottom=0)
    ax.set(xlabel="sedimentation coefficient as measured / S", ylabel="distribution / (signal S⁻¹)")
    ax.legend()


def _label(channel: dict[str, Any], among: Sequence[dict[str, Any]]) -> str:
    wavelength = channel["wavelength_nm"]
    name = (
        "interference"
        if wavelength is None or channel["signal_unit"] == "fringes"
        else f"{wavelength:.0f} nm"
    )
    if len({c["record"] for c in among}) > 1:
        cell = str(channel["record"]).rpartition("#")[2]
        name = f"{name} {cell[:16]} {channel['rpm'] / 1e3:.0f} krpm"
    return name
