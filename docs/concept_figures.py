"""Figures of the concept pages, drawn from the library's own functions and simulators."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import bdtr

from aavqc.attributes import CLASSES
from aavqc.auc.composition import gain_per_nucleotide
from aavqc.auc.settings import TechniqueSettings
from aavqc.capsid import length_bounds
from aavqc.ddpcr.poisson import copies_per_droplet, poisson_interval
from aavqc.intervals import clopper_pearson, wilson
from aavqc.report.style import COLOURS, STYLE
from aavqc.simulate.cdms_ions import CdmsSimulation, draw_ions

LINE_STYLES = ("-", "--", ":")


def all_figures() -> dict[str, bytes]:
    """Return every figure as SVG by name: the same bytes from the same code."""
    drawings = {
        "capsids": (capsids, 2),
        "charge-noise": (charge_noise, 1),
        "poisson": (poisson, 1),
        "coverage": (coverage, 1),
    }
    return {name: _svg(draw, panels) for name, (draw, panels) in drawings.items()}


def capsids(length_axes: Axes, signal_axes: Axes) -> None:
    """Draw s, and the signal of a particle at 260 nm, by packaged length."""
    settings = TechniqueSettings(serotype="AAV2", design_length=4700)
    length = np.linspace(0, 6000, 121)
    length_axes.plot(length, 64.5 * (1 + gain_per_nucleotide(settings) * length), color="black")
    length_axes.set(ylabel="s20,w / S", title="an unchanged shell, empty at 64.5 S")
    absorbance = (3.72e6 + 8750 * length) / 3.72e6
    signal_axes.plot(length, absorbance, color="black")
    signal_axes.set(ylabel="ε(L) / ε(empty), 260 nm", title="constants of the example lot")
    edges = [0.0, *(length_bounds(settings) or ()), 6000.0]
    for axes in (length_axes, signal_axes):
        for name, low, high in zip(CLASSES, edges, edges[1:], strict=False):
            axes.axvspan(low, high, color=COLOURS[name], alpha=0.4, lw=0)
            at_top = low < 3000  # where the line is not
            place = axes.get_ylim()[1 if at_top else 0]
            axes.text(
                (low + high) / 2, place, name, ha="center", va="top" if at_top else "bottom", rotation=90
            )
        axes.set_xlabel("packaged length / nt")


def charge_noise(axes: Axes) -> None:
    """Draw the same lot as instruments of three charge noises see it."""
    for noise, style in zip((0.4, 1.5, 3.0), LINE_STYLES, strict=True):
        settings = CdmsSimulation(
            ions=60_000, sigma_z_a=noise, sigma_z_b=0.0, multi_ion=0.0, split=0.0, seed=1
        )
        species = [(0.0, 0.30), (2350.0, 0.12), (4700.0, 0.50), (5500.0, 0.08)]
        ions = draw_ions(settings, species, np.random.default_rng(settings.seed))
        mass = ions.charge_observed * (ions.mz - 1.00728) / 1e6
        counts, edges = np.histogram(mass, bins=120, range=(3.2, 6.2), density=True)
        middle = (edges[1:] + edges[:-1]) / 2
        axes.plot(middle, counts, style, color="black", lw=1, label=f"σ_z = {noise} e")
    axes.set(xlabel="mass / MDa", ylabel="density / MDa⁻¹")
    axes.legend(fontsize=8)


def poisson(axes: Axes) -> None:
    """Draw the half-width of the interval of λ by λ, for three numbers of droplets."""
    for n, style in zip((5_000, 15_000, 60_000), LINE_STYLES, strict=True):
        counts = {round(-n * math.expm1(-density)) for density in np.geomspace(0.01, 6, 150)}
        points = []
        for k in sorted(counts):
            density, (low, high) = copies_per_droplet(k, n), poisson_interval(k, n)
            if density is not None and high is not None:
                points.append((density, 50 * (high - low) / density))
        axes.plot(*zip(*points, strict=True), style, color="black", lw=1, label=f"{n:,} droplets")
    axes.set(xscale="log", yscale="log", xlabel="λ, copies a droplet", ylabel="half-width of interval / %")
    axes.set_xticks([0.01, 0.1, 1, 6])
    axes.set_yticks([1, 2, 5, 10, 20])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    axes.legend()


def coverage(axes: Axes) -> None:
    """Draw how often two intervals of a share hold the truth, counted exactly, for 100 particles."""
    n = 100
    truth = np.linspace(0.005, 0.5, 400)
    for method, style in ((wilson, "-"), (clopper_pearson, "--")):
        bounds = [method(k, n) for k in range(n + 1)]
        holds = np.zeros(truth.size)
        for k, (low, high) in enumerate(bounds):
            chance = bdtr(k, n, truth) - (bdtr(k - 1, n, truth) if k else 0.0)
            holds += np.where((low <= truth) & (truth <= high), chance, 0.0)
        axes.plot(
            100 * truth, 100 * holds, style, color="black", lw=1, label=method.__name__.replace("_", "–")
        )
    axes.axhline(95, color=COLOURS["empty"], lw=1)
    axes.set(xlabel="true share / %", ylabel="intervals that hold it / %", ylim=(88, 100))
    axes.legend(fontsize=8)


def _svg(draw: Callable[..., None], panels: int) -> bytes:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.6), layout="constrained")
        draw(*np.atleast_1d(figure.subplots(1, panels)))
        stream = BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
