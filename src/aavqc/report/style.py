"""How figures look: colours that any colour vision tells apart, and a second mark for grey prints."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aavqc.attributes import Attribute, censored, figures_apart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, SKY, GREEN, ORANGE = "#0072B2", "#56B4E9", "#009E73", "#E69F00"
VERMILLION, PURPLE, GREY, BLACK = "#D55E00", "#CC79A7", "#8C8C8C", "#000000"
"""Okabe & Ito (2008), Color Universal Design."""

COLOURS = {
    "sub_capsid": "#C8C8C8",
    "empty": SKY,
    "partial": ORANGE,
    "full": BLUE,
    "overfull": VERMILLION,
    "aggregate": PURPLE,
}
HATCHES = {
    "sub_capsid": "",
    "empty": "----",
    "partial": "////",
    "full": "",
    "overfull": "xxx",
    "aggregate": "\\\\\\\\",
}
"""Of the classes; the hatch tells them apart where there is no colour."""

MOST_LABELS = 28
"""Wells that are named side by side over the width of a figure."""

SERIES: list[dict[str, Any]] = [
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": VERMILLION, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
    {"color": ORANGE, "marker": "D", "linestyle": ":"},
    {"color": PURPLE, "marker": "v", "linestyle": (0, (5, 1, 1, 1, 1, 1))},
    {"color": BLACK, "marker": "P", "linestyle": (0, (1, 3))},
]
"""Of targets, wavelengths, standards and methods, in their order."""

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 8.5,
    "axes.labelsize": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 6),
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.width": 0.8,
    "ytick.major.width": 0.8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "hatch.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "text.parse_math": False,  # names of samples and targets are text, whatever they hold
    "text.usetex": False,
    "savefig.dpi": 150,
    "savefig.bbox": None,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "savefig.facecolor": "auto",
    "svg.fonttype": "path",
    "svg.hashsalt": "aavqc",
    "svg.image_inline": True,
}
WIDTH = 6.4
"""Inches."""

LONGEST = 32


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style and no other: what a user has set of matplotlib comes back afterwards."""
    from matplotlib import style

    with style.context(["default", STYLE]):
        yield


def new_figure(height: float) -> Figure:
    """Return an empty figure that pyplot does not know."""
    from matplotlib.figure import Figure

    return Figure(figsize=(WIDTH, height), layout="constrained")


def legend_above(ax: Axes, columns: int = 2) -> None:
    """Put the legend above the axes, where it covers nothing."""
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.2, columnspacing=1.5
    )


def panels(figure: Figure, rows: int, columns: int = 1, **kwargs: Any) -> Sequence[Sequence[Axes]]:
    """Return axes as rows of a list."""
    grid = figure.subplots(rows, columns, squeeze=False, **kwargs)
    return [list(row) for row in grid]


def drawable(text: str, longest: int = LONGEST) -> str:
    """Return a name as a figure can show it: no control characters, no glyph that its font lacks.

    Examples
    --------
    >>> drawable("a\\nb" + "c" * 50, 8)
    'a bcccc…'
    """
    known = _glyphs()
    kept = []
    for character in text[: 4 * longest]:
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp"):
            kept.append(" ")
        else:
            kept.append(character if ord(character) in known else "□")
    name = "".join(kept).strip()
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap())


def number_text(value: float, figures: int = 4) -> str:
    """Return a number in a few figures; large and small ones with a power of ten.

    Examples
    --------
    >>> [number_text(x) for x in (79.6678, 0.65, 4704.3, 9.852e12, 0.0)]
    ['79.67', '0.6500', '4704', '9.852 × 10¹²', '0']
    >>> number_text(100, 3)
    '100'
    """
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e6:
        return f"{value:#.{figures}g}".rstrip(".") if abs(value) < 10**figures else f"{value:.0f}"
    mantissa, exponent = f"{value:.{figures - 1}e}".split("e")
    return f"{mantissa} × 10{raised(int(exponent))}"


def raised(power: int) -> str:
    """Return a power as it stands above the line.

    Examples
    --------
    >>> raised(-12)
    '⁻¹²'
    """
    return str(power).translate(_RAISED)


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def value_text(a: Attribute) -> str:
    """Return value and interval of an attribute, without its name.

    Examples
    --------
    >>> value_text(Attribute(name="percent_full", technique="auc", value=61.2, unit="%",
    ...                      ci_low=60.1, ci_high=62.4, coverage=0.95, scope="fit"))
    '61.2 % (60.1–62.4)'
    """
    unit = "" if a.unit == "1" else f" {a.unit}"
    figures = 3 if a.unit == "%" else 4
    if a.qualifier is not None and a.bound is not None:
        return censored(a.qualifier, f"{number_text(a.bound, figures)}{unit}")
    text = f"{number_text(a.value, figures)}{unit}"
    if a.ci_low is None or a.ci_high is None:
        return text
    figures = figures_apart(a.ci_low, a.ci_high, figures)
    return f"{text} ({number_text(a.ci_low, figures)}–{number_text(a.ci_high, figures)})"


_COVERS = {
    "fit": "this fit",
    "run": "the cells or wells and preparations of this run",
    "procedure": "the procedure's intermediate precision",
}


def interval_note(attributes: Sequence[Attribute]) -> str:
    """Say what the intervals of some attributes cover, in one sentence."""
    scopes = [a.scope for a in attributes if a.scope is not None and a.ci_low is not None]
    if not scopes:
        return "No interval is stated."
    covered = sorted({a.coverage for a in attributes if a.scope is not None and a.coverage is not None})
    share = ", ".join(f"{100 * c:g} %" for c in covered)
    return f"Intervals ({share}) cover {' or '.join(_COVERS[s] for s in dict.fromkeys(scopes))}."


def label_wells(ax: Axes, wells: Sequence[str], most: int = MOST_LABELS) -> None:
    """Name wells below an axis; of more than there is room for, every second, third, fourth."""
    every = -(-len(wells) // most) or 1
    upright = len(wells) > most // 2
    ax.set_xticks(range(0, len(wells), every), wells[::every], rotation=90 if upright else 0)
