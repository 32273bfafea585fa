"""Figures of scans with their fit: of a sample, and of all its channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from aavqc.documents import Sample
from aavqc.report.arrays import Arrays
from aavqc.report.pictures import Picture, flag_note, missing, together
from aavqc.report.style import (
    BLACK,
    SERIES,
    VERMILLION,
    new_figure,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

VISIBLE = 2e-3
"""Share of the largest value from which on a distribution is shown."""

MOST_CHANNELS = 6
NO_SCANS = "the arrays beside the result hold no scans"


# ---------------------------------------------------------------- scans, fit, residuals


def scans_picture(sample: Sample, arrays: Arrays) -> Picture:
    """Return scans, fit, residuals and their bitmap of a sample's first channel."""
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
    ax.set_ylabel(f"signal / {unit_of(sample, suffix)}")
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
    ax.set_ylabel(f"residual / {unit_of(sample, '')}")


def draw_bitmap(ax: Axes, arrays: Arrays, suffix: str = "") -> None:
    """Draw the residuals of all scans as a picture in greys."""
    picture, radius = arrays[f"residual_bitmap{suffix}"], arrays[f"radius_cm{suffix}"]
    extent = (float(radius[0]), float(radius[-1]), picture.shape[0] + 0.5, 0.5)
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255, aspect="auto", extent=extent, interpolation="nearest")
    ax.set_ylabel("scan")


def unit_of(sample: Sample, suffix: str = "") -> str:
    """Return the unit of a channel's signal."""
    channels = sample.diagnostics.get("channels")
    row = channels[int(suffix[1:])] if suffix and channels else sample.diagnostics
    return str(row.get("signal_unit") or "signal")


# ---------------------------------------------------------------- channels


def channels_picture(sample: Sample, arrays: Arrays) -> Picture:
    """Return scans, residuals and distributions of all channels."""
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
        reach.append(seen_range(s, density))
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


def seen_range(x: NDArray[np.float64], density: NDArray[np.float64]) -> tuple[float, float]:
    """Return the range in which there is something, with a margin."""
    there = np.flatnonzero(density > VISIBLE * density.max())
    if not there.size:
        return float(x[0]), float(x[-1])
    low, high = float(x[there[0]]), float(x[there[-1]])
    margin = 0.08 * (high - low) + float(x[1] - x[0])
    return low - margin, high + margin
