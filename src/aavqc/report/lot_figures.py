"""Figures of a lot: each attribute on its limits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aavqc.attributes import Attribute, censored
from aavqc.documents import ResultDocument
from aavqc.errors import AavqcError
from aavqc.quantities import UNITS
from aavqc.report.pictures import Picture, missing, together
from aavqc.report.style import (
    BLACK,
    BLUE,
    GREY,
    VERMILLION,
    drawable,
    interval_note,
    new_figure,
    number_text,
    styled,
)
from aavqc.report.ternary import agreement_picture
from aavqc.results import Evaluation, Verdict
from aavqc.results.basis import OF_LABEL
from aavqc.results.limits import Grammar, Limit, Side, conversion, parse_limit
from aavqc.results.verdict import Source, result_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN = 0.46
"""Height of a row."""

MOST_ROWS = 40
Scale = Callable[[float], float]
MOST_SOURCES = 12


def lot_figures(evaluation: Evaluation, documents: Mapping[str, ResultDocument]) -> list[Picture]:
    """Return the figures of a lot: attributes on their limits, and whether methods agree.

    Parameters
    ----------
    evaluation : Evaluation
    documents : mapping of job to ResultDocument
        The results that the verdicts name; others are ignored.

    Returns
    -------
    list of Picture
        Those that can't be drawn say why.
    """
    with styled():
        return [_limits_picture(evaluation, documents), agreement_picture(evaluation, documents)]


@dataclass(frozen=True)
class Point:
    """A result on its row: value, interval and bound, in the unit of the row."""

    value: float
    low: float | None
    high: float | None
    qualifier: str | None
    scope: str | None


@dataclass(frozen=True)
class JudgedRow:
    """A test with what was found and the limits that could be read; numbers in the verdict's unit."""

    verdict: Verdict
    points: tuple[Point, ...]
    limit: tuple[float | None, float | None]

    @property
    def span(self) -> tuple[float, float]:
        """Return the range that shows all of it, with margins."""
        marked = [x for x in self.limit if x is not None]
        for p in self.points:
            marked += [x for x in (p.value, p.low, p.high) if x is not None]
        low, high = min(marked), max(marked)
        margin = 0.3 * (high - low) or 0.1 * abs(high) or 1.0
        return low - margin, high + margin


def _limits_picture(evaluation: Evaluation, documents: Mapping[str, ResultDocument]) -> Picture:
    name, title = "lot-limits", "Each attribute on its limits"
    rows = rows_of(evaluation, documents)
    if not rows:
        return missing(name, title, "no test has a number")
    drawn = rows[:MOST_ROWS]
    figure = new_figure(0.35 + ROW_IN * len(drawn))
    figure.set_layout_engine("none")
    height = figure.get_size_inches()[1]
    ax = figure.add_axes((0.27, 0.1 / height, 0.33, 1 - 0.35 / height))
    draw_limits(ax, drawn)
    left_out = len(evaluation.verdicts) - len(drawn)
    used = [a for row in drawn for a in _attributes(row.verdict, documents)]
    caption = together(
        "Each row has a scale of its own. Blue: what the limit accepts; bars at its ends; the mark is the "
        "result (circle within its limit, cross out of it, diamond not decided or reported only), the line "
        "its interval; an arrow stands for a censored result.",
        interval_note(used),
        f"Tests without a number, or more than can be shown: {left_out}." if left_out else "",
        evaluation.statement,
    )
    told = [(r.verdict, reported(r.verdict) or "no result") for r in drawn]
    alt = "; ".join(f"{v.test}: {result}, limit {v.limit}, {v.verdict}" for v, result in told)
    return Picture(name, title, caption, f"{alt}.", figure)


def reported(verdict: Verdict) -> str | None:
    """Return the result as it is reported, with the bound of what is not detected."""
    text = result_text(verdict)
    if text is not None and text.startswith("<") and {s.qualifier for s in verdict.sources} == {"ND"}:
        return censored("ND", text.removeprefix("<"))
    return verdict.detection or text


def deciding(verdict: Verdict, documents: Mapping[str, ResultDocument]) -> Verdict:
    """Return the verdict with the interval of the one among several results that decides it."""
    if verdict.n < 2 or verdict.aggregated is None:
        return verdict
    same = [a for a in _attributes(verdict, documents) if math.isclose(a.value, verdict.aggregated)]
    if len(same) != 1 or same[0].unit != verdict.unit:
        return verdict
    (a,) = same
    return replace(verdict, ci_low=a.ci_low, ci_high=a.ci_high, coverage=a.coverage, scope=a.scope)


def rows_of(evaluation: Evaluation, documents: Mapping[str, ResultDocument]) -> list[JudgedRow]:
    """Return the tests that have numbers, with limits and results in one unit each."""
    rows = []
    for verdict in evaluation.verdicts:
        points = tuple(p for s in verdict.sources[:MOST_SOURCES] if (p := _point(verdict, s, documents)))
        if not points and verdict.aggregated is not None:  # judged in percent of a label
            points = (Point(verdict.aggregated, verdict.ci_low, verdict.ci_high, None, verdict.scope),)
        if points:
            rows.append(JudgedRow(verdict, points, _limits(verdict)))
    return rows


def _point(verdict: Verdict, source: Source, documents: Mapping[str, ResultDocument]) -> Point | None:
    if source.value is None:
        return None
    attribute = _attribute(verdict, source, documents)
    factor = _factor(source.unit, verdict.unit)
    if factor is None:
        return None
    bounds: tuple[float | None, float | None] = (None, None)
    if source.qualifier is not None and source.bound is not None:
        return Point(source.bound * factor, None, None, source.qualifier, None)
    if attribute is not None and attribute.ci_low is not None and attribute.ci_high is not None:
        bounds = attribute.ci_low * factor, attribute.ci_high * factor
    return Point(source.value * factor, *bounds, None, attribute.scope if attribute else None)


def _attributes(verdict: Verdict, documents: Mapping[str, ResultDocument]) -> list[Attribute]:
    found = (_attribute(verdict, source, documents) for source in verdict.sources)
    return [a for a in found if a is not None]


def _attribute(verdict: Verdict, source: Source, documents: Mapping[str, ResultDocument]) -> Attribute | None:
    """Return the attribute that a source is, with its interval; None where its result is not there."""
    document = documents.get(source.result_id or "")
    for sample in document.samples if document else []:
        if sample.sample_id == source.sample_id and sample.role == "sample":
            for a in sample.attributes:
                same = a.name == verdict.attribute and a.value == source.value
                if same and verdict.target in (None, a.target):
                    return a
    return None


def _limits(verdict: Verdict) -> tuple[float | None, float | None]:
    """Return the ends of a limit in the verdict's unit; None where it has none, or can't be read alone.

    A unit that the specification declares an alias of is known to the specification only; the limit's
    text stands beside the row in any case.
    """
    limit = _read(verdict.limit, "1" if verdict.unit == OF_LABEL else None)
    if limit is None or limit.kind != "range":
        return None, None
    if limit.label is not None:
        return _end(limit.low, 1.0), _end(limit.high, 1.0)
    if limit.in_percent is not None and verdict.unit == "%":
        limit = limit.in_percent
    factor = _factor(limit.unit, verdict.unit)
    if factor is None:
        return None, None
    return _end(limit.low, factor), _end(limit.high, factor)


def _end(side: Side | None, factor: float) -> float | None:
    return None if side is None else float(side.value) * factor


def _read(text: str, label: str | None) -> Limit | None:
    for decimal in (".", ","):
        try:
            return parse_limit(text, Grammar("usp", None, decimal), label)
        except AavqcError:
            continue
    return None


def _factor(unit: str | None, to: str | None) -> float | None:
    """Return the factor from one unit to another; None where they do not measure the same."""
    if unit is None or to is None or unit == to:
        return 1.0
    if unit not in UNITS or to not in UNITS:
        return None
    try:
        return float(conversion(unit, to))
    except AavqcError:
        return None


def draw_limits(ax: Axes, rows: Sequence[JudgedRow]) -> None:
    """Draw each row on a scale of its own: limit, results, intervals; words at both sides."""
    for i, row in enumerate(rows):
        low, high = row.span

        def at(x: float, low: float = low, high: float = high) -> float:
            return (x - low) / (high - low)

        ax.axhline(i, color="#CCCCCC", lw=0.6, zorder=0)
        _draw_limit(ax, i, [None if x is None else at(x) for x in row.limit])
        offsets = _spread(len(row.points))
        for point, off in zip(row.points, offsets, strict=True):
            _draw_point(ax, i + off, row, point, at)
        _words(ax, i, row)
    ax.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
    ax.set_axis_off()


def _spread(n: int) -> list[float]:
    return [0.0] if n == 1 else [0.5 * (k / (n - 1) - 0.5) for k in range(n)]


def _draw_limit(ax: Axes, i: int, ends: Sequence[float | None]) -> None:
    low, high = ends
    if low is None and high is None:
        return
    left, right = (0.0 if low is None else low), (1.0 if high is None else high)
    ax.fill_between([left, right], i - 0.3, i + 0.3, facecolor="#DCEBF7", lw=0, zorder=0.5)
    for end in (low, high):
        if end is not None:
            ax.plot([end, end], [i - 0.34, i + 0.34], color=BLACK, lw=1.4, zorder=1)


MARKS = {"PASS": ("o", BLUE), "OOT": ("o", BLUE), "OOS": ("X", VERMILLION)}


def _draw_point(ax: Axes, y: float, row: JudgedRow, point: Point, at: Scale) -> None:
    marker, colour = MARKS.get(row.verdict.verdict, ("D", GREY))
    x = at(point.value)
    if point.qualifier is not None:
        step = -0.12 if point.qualifier in ("<", "ND") else 0.12
        ax.annotate(
            "",
            (x + step, y),
            (x, y),
            arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 1.2},
            zorder=3,
        )
        return
    if point.low is not None and point.high is not None:
        ax.plot([at(point.low), at(point.high)], [y, y], color=BLACK, lw=1.3, zorder=2)
        for end in (point.low, point.high):
            ax.plot([at(end)] * 2, [y - 0.08, y + 0.08], color=BLACK, lw=1.0, zorder=2)
    ax.plot(x, y, marker, color=colour, ms=5.0, mec="white", mew=0.6, zorder=3)


def _words(ax: Axes, i: int, row: JudgedRow) -> None:
    verdict = row.verdict
    place = ax.get_yaxis_transform()
    what = [verdict.attribute.replace("_", " "), verdict.target, verdict.technique]
    ax.text(
        -0.04, i - 0.16, drawable(verdict.test, 22), transform=place, ha="right", va="center", weight="bold"
    )
    ax.text(
        -0.04,
        i + 0.2,
        drawable(", ".join(w for w in what if w), 28),
        transform=place,
        ha="right",
        va="center",
        fontsize=8,
        color="#404040",
    )
    scopes = dict.fromkeys(p.scope for p in row.points if p.scope is not None)
    result = _result(row)
    scope = f", scope {'/'.join(scopes)}" if scopes else ""
    ax.text(1.03, i - 0.16, drawable(f"{verdict.verdict}  {result}{scope}", 37), transform=place, va="center")
    limit = f"limit {verdict.limit}"
    ax.text(1.03, i + 0.2, drawable(limit, 39), transform=place, va="center", fontsize=8, color="#404040")


def _result(row: JudgedRow) -> str:
    text = reported(row.verdict)
    return text or "; ".join(number_text(p.value) for p in row.points[:3])
