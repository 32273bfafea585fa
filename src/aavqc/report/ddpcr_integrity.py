"""Figure of genome integrity: the species of a multiplex, and integrity by each estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aavqc.documents import Sample
from aavqc.report.pictures import Picture, flag_note, missing, together
from aavqc.report.style import BLACK, BLUE, SKY, drawable, interval_note, new_figure, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def integrity_picture(sample: Sample) -> Picture:
    """Return the species of a multiplex and the integrity by each estimate."""
    name, title = "ddpcr-integrity", "Genome integrity"
    found = sample.diagnostics.get("integrity")
    if not found:
        return missing(name, title, "no two targets in one well, or no molecules")
    figure = new_figure(2.9)
    draw_integrity(panels(figure, 1, 2, width_ratios=(1.7, 1))[0], sample)
    stated = _integrities(sample)
    relative = any(a.name == "genome_integrity_normalised" for a in stated)
    caption = together(
        "Left: molecules by the targets that they bear, in percent of all with any "
        f"({', '.join(found['targets'])}; λ of all {found['lambda_any']:.3g} a droplet).",
        "Right: naive, droplets positive for all of those positive for any; raw, molecules with chance "
        "co-occurrence taken out.",
        "Normalised: raw in percent of the linear control's." if relative else "",
        interval_note(stated) if stated else "Lysis is not stated: an estimate, and no attribute.",
        flag_note(sample, ["integrity_lambda_high", "detection_failure"]),
    )
    alt = f"Integrity {found['integrity_percent']:.1f} % of molecules, naive {found['naive_percent']:.1f} %."
    return Picture(name, title, caption, alt, figure)


def _integrities(sample: Sample) -> list[Any]:
    return [a for a in sample.attributes if a.name.startswith("genome_integrity")]


def draw_integrity(axes: Sequence[Axes], sample: Sample) -> None:
    """Draw the species of a multiplex, and integrity by each estimate, in two axes."""
    left, right = axes
    found: Mapping[str, Any] = sample.diagnostics["integrity"]
    total = sum(found["species"].values()) or 1.0
    ranked = sorted(found["species"].items(), key=lambda item: (-item[0].count("1"), item[0]))[:10]
    for i, (species, density) in enumerate(ranked):
        complete = "0" not in species
        left.barh(
            i,
            100 * density / total,
            color=BLUE if complete else SKY,
            hatch="" if complete else "////",
            edgecolor=BLACK,
            lw=0.5,
            height=0.65,
        )
        left.annotate(
            f"{100 * density / total:.1f}",
            (100 * density / total, i),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    labels = [
        drawable(" + ".join(t for t, bit in zip(found["targets"], s, strict=False) if bit == "1"), 26)
        for s, _ in ranked
    ]
    left.set_yticks(range(len(ranked)), labels)
    left.invert_yaxis()
    left.set(xlabel="molecules / %", xlim=(0, 115))
    rows = [("naive", found["naive_percent"], None), ("raw", found["integrity_percent"], None)]
    stated = {a.name.removeprefix("genome_integrity_"): a for a in _integrities(sample)}
    rows = [(n, stated[n].value, stated[n]) if n in stated else (n, v, None) for n, v, _ in rows]
    if "normalised" in stated:
        rows.append(("normalised", stated["normalised"].value, stated["normalised"]))
    for i, (label, value, a) in enumerate(rows):
        reported = a is not None or label == "raw"
        right.bar(i, value, 0.6, color=BLUE if reported else "#DDDDDD", edgecolor=BLACK, lw=0.5)
        if a is not None and a.ci_low is not None and a.ci_high is not None:
            error = [[max(value - a.ci_low, 0.0)], [max(a.ci_high - value, 0.0)]]
            right.errorbar(i, value, yerr=error, fmt="none", color=BLACK, capsize=3, lw=1.0)
        top = max(value, a.ci_high or value) if a is not None else value
        right.text(i, top + 1, f"{value:.1f}", ha="center", va="bottom", fontsize=8)
    right.set_xticks(range(len(rows)), [label for label, *_ in rows])
    right.set(ylabel="complete molecules / %", ylim=(0, max(112.0, 1.12 * max(v for _, v, _ in rows))))
