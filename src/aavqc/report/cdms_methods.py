"""Figures of how masses were counted: methods, funnel, charge calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aavqc.attributes import CLASSES
from aavqc.documents import Sample
from aavqc.report.cdms_sample import class_edges, class_shares, ions_used, mixture_peaks, particle_name
from aavqc.report.pictures import Picture, flag_note, missing, together
from aavqc.report.style import (
    BLACK,
    COLOURS,
    GREEN,
    GREY,
    SERIES,
    drawable,
    interval_note,
    legend_above,
    new_figure,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# ---------------------------------------------------------------- methods


def methods_picture(sample: Sample) -> Picture:
    """Return the classes by each method."""
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
    shares = class_shares(sample)
    caption = together(
        "Percent of monomeric capsids by each method; the bar is the reported value with its interval.",
        interval_note(shares),
        "Windows count ions between the class bounds, blur included; the mixture and the deconvolution take "
        "the charge noise out."
        if class_edges(sample) and mixture_peaks(sample)
        else "",
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
    shares = {a.name.removeprefix("percent_"): a for a in class_shares(sample)}
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


NOISE = "dropped: charge below"
"""So begins the step of the funnel that takes what is no signal."""


def funnel_picture(sample: Sample) -> Picture:
    """Return the funnel from what was read to what is used."""
    name, title = "cdms-funnel", "Which ions are used"
    funnel = sample.diagnostics.get("funnel") or []
    if not funnel or not funnel[0]["ions"]:
        return missing(name, title, "no row was read")
    figure = new_figure(0.75 + 0.27 * len(funnel))
    draw_funnel(panels(figure, 1)[0][0], sample)
    noise = next((r["step"] for r in funnel if r["step"].startswith(NOISE) and r["ions"]), None)
    caption = together(
        f"From {funnel[0]['ions']:,} rows or peaks that were read to {ions_used(sample):,} "
        f"{particle_name(sample)} in use, each reason with what it took (hatched); what several reasons take "
        "counts under the first.",
        f"{noise.removeprefix('dropped: ').capitalize()}: noise peaks of the spectra, not ions."
        if noise
        else "",
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
    ax.set_yticks(range(len(funnel)), [drawable(row["step"].removeprefix("dropped: "), 44) for row in funnel])
    ax.invert_yaxis()
    ax.set_xlim(0, 1.28 * read)
    ax.set_xlabel("rows")


# ---------------------------------------------------------------- calibration


def calibration_picture(sample: Sample) -> Picture:
    """Return the residuals of the charge calibration, or of its standards."""
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
            label=drawable(name),
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
        ax.plot(row["expected_da"] / 1e6, row["deviation_percent"], **_point(i), label=drawable(row["name"]))
    ax.axhline(0, color=GREEN, lw=0.8)
    reach = 1.3 * max(abs(row["deviation_percent"]) for row in rows) or 1.0
    ax.set(xlabel="known mass / MDa", ylabel="deviation / %", ylim=(-reach, reach))
    legend_above(ax, 4)


def _point(i: int) -> dict[str, Any]:
    return {k: v for k, v in SERIES[i % len(SERIES)].items() if k != "linestyle"} | {"linestyle": "none"}
