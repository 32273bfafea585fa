"""Plots of results, as matplotlib figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aavqc.documents import Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aavqc.analysis import Result

COLOURS = {
    "sub_capsid": "#bbbbbb",
    "empty": "#4477aa",
    "partial": "#ccbb44",
    "full": "#228833",
    "overfull": "#ee6677",
    "aggregate": "#aa3377",
}
"""Of the classes; told apart by people with any colour vision (P. Tol's bright scheme)."""

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "svg.hashsalt": "aavqc",
}


def plot(result: Result) -> Figure:
    """Plot a result, one panel a sample: c(s), masses, or droplets by well.

    Parameters
    ----------
    result : Result
        As :func:`aavqc.analyze` returns it.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown and not registered with pyplot: ``figure.savefig(...)``.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = result.samples if result.technique != "ddpcr" else result.samples[:1]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.8 * len(panels)), layout="constrained")
        axes = figure.subplots(len(panels), squeeze=False)[:, 0]
        for ax, sample in zip(axes, panels, strict=True):
            draw(ax, result, sample)
    return figure


def draw(ax: Axes, result: Result, sample: Sample) -> None:
    """Draw one sample's panel into given axes; of a plate, all wells."""
    prefix = f"{sample.record}/"
    arrays = {k.removeprefix(prefix): v for k, v in result.arrays.items() if k.startswith(prefix)}
    if result.technique == "auc":
        _distribution(ax, sample)
    elif result.technique == "cdms":
        _masses(ax, sample, arrays)
    else:
        _droplets(ax, result, arrays)


def _distribution(ax: Axes, sample: Sample) -> None:
    found = sample.diagnostics["distribution"]
    s, signal = np.array(found["s"]), np.array(found["signal"])
    density = signal / (s[1] - s[0])
    unit = sample.diagnostics["signal_unit"]
    ax.plot(s, density, color="black", lw=1.2)
    windows = sample.diagnostics["class_windows"]
    if windows is not None:
        limits = [s[0], *windows["edges"], s[-1]]
        for (name, colour), low, high in zip(COLOURS.items(), limits, limits[1:], strict=False):
            inside = (s >= low) & (s <= high)
            if inside.any():
                ax.fill_between(s, density, where=inside.tolist(), color=colour, alpha=0.55, lw=0, label=name)
        ax.legend(fontsize=8, ncols=2)
    ax.set(
        xlabel="sedimentation coefficient as measured / S",
        ylabel=f"c(s) / ({unit} S⁻¹)",
        title=sample.sample_id,
    )
    ax.set_ylim(bottom=0)


def _masses(ax: Axes, sample: Sample, arrays: dict[str, Any]) -> None:
    if "mass_edges_da" in arrays:
        edges, counts = arrays["mass_edges_da"] / 1e6, arrays["mass_counts"]
        ax.stairs(counts, edges, fill=True, color="#888888", alpha=0.8)
        used = np.flatnonzero(counts)
        if used.size:
            ax.set_xlim(max(edges[used[0]] - 0.2, 0), edges[used[-1] + 1] + 0.2)
    windows = (sample.diagnostics.get("methods") or {}).get("window") or {}
    bounds = windows.get("edges_mda") or []
    names = ("empty", "partial", "full", "overfull")
    for name, low, high in zip(names, bounds, bounds[1:], strict=False):
        ax.axvspan(low, high, color=COLOURS[name], alpha=0.25, lw=0, label=name)
    if bounds:
        ax.set_xlim(0.9 * bounds[0], bounds[-2] + 0.5)
        ax.legend(fontsize=8, ncols=2)
    ax.set(xlabel="mass / MDa", ylabel="ions", title=sample.sample_id)


def _droplets(ax: Axes, result: Result, arrays: dict[str, Any]) -> None:
    wells = sorted(
        {k.split("/")[1] for k in arrays if k.startswith("droplets/")}, key=lambda w: (w[1:], w[0])
    )
    rows = {(w.well, w.channel): w for w in result.payload.wells or []}
    for i, well in enumerate(wells):
        amplitude = arrays[f"droplets/{well}"][:, 0]
        calls = arrays.get(f"calls/{well}")
        positive = calls[:, 0] == 1 if calls is not None else np.zeros(amplitude.size, bool)
        # exports are sorted by amplitude: the golden ratio spreads neighbours over the width
        x = i - 0.4 + 0.8 * (np.arange(amplitude.size) * 0.618033988749895 % 1.0)
        ax.plot(x[~positive], amplitude[~positive], ",", color="#777777")
        ax.plot(x[positive], amplitude[positive], ",", color=COLOURS["full"])
        row = rows.get((well, "Ch1"))
        if row is not None and row.threshold is not None:
            ax.hlines(row.threshold, i - 0.4, i + 0.4, color=COLOURS["aggregate"], lw=1)
    ax.set_xticks(range(len(wells)), wells)
    target = next((w.target for w in result.payload.wells or [] if w.channel == "Ch1"), "Ch1")
    ax.set(xlabel="well", ylabel=f"amplitude {target}", title="droplets and threshold")
