"""Whether methods agree on the composition of a lot: empty, partial and full in a triangle."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aavqc.attributes import Attribute
from aavqc.documents import ResultDocument
from aavqc.report.pictures import Picture, missing, together
from aavqc.report.style import BLACK, GREY, SERIES, drawable, interval_note, new_figure, panels
from aavqc.results import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CORNERS = ("empty", "partial", "full")
PLACES = {"empty": (0.0, 0.0), "full": (1.0, 0.0), "partial": (0.5, math.sqrt(3) / 2)}
ZOOM_BELOW = 0.6
"""A second triangle shows the part that the results take up, where its side is shorter than this."""

Shares = tuple[float, float, float]


@dataclass(frozen=True)
class Measured:
    """Shares of empty, partial and full of their sum by one method, with the ends of their intervals."""

    method: str
    shares: Shares
    ends: tuple[tuple[float, float] | None, ...]
    attributes: tuple[Attribute, ...]
    overfull: float


def agreement_picture(evaluation: Evaluation, documents: Mapping[str, ResultDocument]) -> Picture:
    """Return the triangle of a lot's compositions, with what the evaluation says of their agreement."""
    name, title = "lot-agreement", "Composition by each method"
    found = measured(evaluation, documents)
    if not found:
        return missing(name, title, "no method lists empty, partial and full capsids")
    origin = _origin(found)
    side = 1 - sum(origin)
    zoomed = side < ZOOM_BELOW
    figure = new_figure(3.3)
    (axes,) = panels(figure, 1, 2) if zoomed else panels(figure, 1, 1)
    draw_ternary(axes[0], found)
    if zoomed:
        draw_ternary(axes[1], found, origin)
        _outline(axes[0], origin)
    axes[-1].legend(loc="upper right", bbox_to_anchor=(1.0, 1.02), borderaxespad=0)
    statements = [
        c.statement
        for c in (evaluation.agreement.comparisons if evaluation.agreement else [])
        if c.answer != "not assessable"
    ]
    overfull = max(m.overfull for m in found)
    caption = together(
        "Percent of empty, partial and full monomeric capsids, of the sum of the three "
        f"(overfull, at most {overfull:.2g} %, left out); every sample of the lot is a mark.",
        "Right: the small triangle enlarged." if zoomed else "",
        "Each line is the interval of one class, the ratio of the other two held.",
        interval_note([a for m in found for a in m.attributes]),
        "; ".join(statements) + "." if statements else "",
        "Information for a person, and no verdict.",
    )
    alt = "; ".join(
        f"{m.method}: " + ", ".join(f"{c} {100 * x:.1f} %" for c, x in zip(CORNERS, m.shares, strict=True))
        for m in found
    )
    return Picture(name, title, caption, f"{alt}.", figure)


def measured(evaluation: Evaluation, documents: Mapping[str, ResultDocument]) -> list[Measured]:
    """Return the compositions of a lot's samples, in the order of methods, then documents."""
    found = []
    for job in sorted(documents):
        for sample in documents[job].samples:
            if sample.role != "sample" or sample.status == "invalid":
                continue
            if evaluation.lot is not None and sample.lot not in (evaluation.lot, None):
                continue
            named = {a.name: a for a in sample.attributes}
            if all(f"percent_{c}" in named for c in CORNERS):
                found.append(_measured(documents[job].payload.technique, named))
    return sorted((m for m in found if m is not None), key=lambda m: m.method)


def _measured(method: str, named: Mapping[str, Attribute]) -> Measured | None:
    rows = [named[f"percent_{c}"] for c in CORNERS]
    total = sum(a.value for a in rows)
    if total <= 0:
        return None
    e, p, f = (a.value / total for a in rows)
    ends = tuple(
        (max(a.ci_low / total, 0.0), min(a.ci_high / total, 1.0))
        if a.ci_low is not None and a.ci_high is not None
        else None
        for a in rows
    )
    overfull = named.get("percent_overfull")
    return Measured(method, (e, p, f), ends, tuple(rows), overfull.value if overfull else 0.0)


def draw_ternary(ax: Axes, found: Sequence[Measured], origin: Shares = (0.0, 0.0, 0.0)) -> None:
    """Draw compositions in the triangle above some least shares (all of it by default)."""
    side = 1 - sum(origin)
    _frame(ax, origin, side)
    methods = list(dict.fromkeys(m.method for m in found))
    seen: set[str] = set()
    for m in found:
        series = SERIES[methods.index(m.method) % len(SERIES)]
        for k, ends in enumerate(m.ends):
            if ends is not None:
                line = [_place(_moved(m.shares, k, x), origin, side) for x in ends]
                ax.plot(*zip(*line, strict=True), color=series["color"], lw=1.0, solid_capstyle="butt")
        x, y = _place(m.shares, origin, side)
        label = m.method.upper() if m.method in ("auc", "cdms") else drawable(m.method, 16)
        ax.plot(
            x,
            y,
            series["marker"],
            color=series["color"],
            mfc="none",
            ms=6,
            mew=1.2,
            label=None if m.method in seen else label,
        )
        seen.add(m.method)


def _moved(shares: Shares, k: int, value: float) -> Shares:
    """Return the composition with one share changed and the ratio of the others held."""
    rest = (1 - value) / (1 - shares[k]) if shares[k] < 1 else 0.0
    e, p, f = (value if i == k else share * rest for i, share in enumerate(shares))
    return e, p, f


def _place(shares: Shares, origin: Shares, side: float) -> tuple[float, float]:
    x = y = 0.0
    for corner, share, least in zip(CORNERS, shares, origin, strict=True):
        weight = (share - least) / side
        x += weight * PLACES[corner][0]
        y += weight * PLACES[corner][1]
    return x, y


def _frame(ax: Axes, origin: Shares, side: float) -> None:
    """Draw the triangle with five steps along each side, labelled in percent."""
    corners = [PLACES[c] for c in ("empty", "full", "partial", "empty")]
    ax.plot(*zip(*corners, strict=True), color=BLACK, lw=0.9)
    for k in range(3):
        for step in range(5):
            line = []
            for rest in ((k + 1) % 3, (k + 2) % 3):
                shares = list(origin)
                shares[k] += side * step / 5
                shares[rest] += side * (1 - step / 5)
                line.append(_place((shares[0], shares[1], shares[2]), origin, side))
            if step:
                ax.plot(*zip(*line, strict=True), color="#D0D0D0", lw=0.5, zorder=0)
            # read counter-clockwise: empty on the left side, full below, partial on the right
            dx, dy, ha = OFFSETS[CORNERS[k]]
            ax.annotate(
                f"{100 * (origin[k] + side * step / 5):.3g}",
                line[0],
                xytext=(dx, dy),
                textcoords="offset points",
                ha=ha,
                va="center",
                fontsize=8,
                color="#404040",
            )
    for k, corner in enumerate(CORNERS):
        x, y = PLACES[corner]
        dx, dy, ha = ((-8, -24, "center"), (0, 14, "center"), (8, -24, "center"))[k]
        ax.annotate(
            f"{corner} / %", (x, y), xytext=(dx, dy), textcoords="offset points", ha=ha, weight="bold"
        )
    ax.set(xlim=(-0.16, 1.16), ylim=(-0.2, 1.02), aspect="equal")
    ax.set_axis_off()


OFFSETS = {"empty": (-5, 3, "right"), "partial": (5, 3, "left"), "full": (0, -8, "center")}
"""Of the numbers along each side, in points."""


def _origin(found: Sequence[Measured]) -> Shares:
    """Return the least shares of a triangle that holds all marks and intervals, its side in steps of 5 %."""
    least = []
    for k in range(3):
        lows = []
        for m in found:
            for j, ends in enumerate(m.ends):
                lows += [_moved(m.shares, j, x)[k] for x in ends or ()]
            lows.append(m.shares[k])
        least.append(min(lows))
    margin = 0.15 * (1 - sum(least))
    low = [max(math.floor(100 * (x - margin)), 0) for x in least]
    for _ in range(-(100 - sum(low)) % 5):
        low[low.index(max(low))] -= 1  # the largest can spare it
    e, p, f = (x / 100 for x in low)
    return e, p, f


def _outline(ax: Axes, origin: Shares) -> None:
    """Mark the part that the second triangle enlarges."""
    side = 1 - sum(origin)
    corners = []
    for k in (0, 2, 1, 0):
        shares = list(origin)
        shares[k] += side
        corners.append(_place((shares[0], shares[1], shares[2]), (0.0, 0.0, 0.0), 1.0))
    ax.plot(*zip(*corners, strict=True), color=GREY, lw=0.9, ls="--")
