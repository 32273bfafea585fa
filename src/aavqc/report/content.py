"""What a report says, apart from how it looks: HTML and PDF are made of the same content."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from aavqc.attributes import figures_apart

if TYPE_CHECKING:
    from aavqc.report.pictures import Picture

CellKind = Literal["number", "code", "verdict", "text"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    text : str
    kind : {'text', 'number', 'code', 'verdict'}
        How it is set: numbers to the right, hashes in fixed width, verdicts with their sign.
    link : str or None
        Anchor (``#auc``) or relative address.
    sort : str or None
        What a column is sorted by where that is not the text: a number in full precision.
    """

    text: str
    kind: CellKind = "text"
    link: str | None = None
    sort: str | None = None


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table; the first cell of a row names it.

    Attributes
    ----------
    caption : str
        Says what the rows are, with what the reader must know to read them.
    columns : tuple of str
        With units.
    rows : tuple of Row
    empty : str
        What stands in its place where it has no rows.
    filtered : bool
        Offer to narrow the rows by text and verdict.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    empty: str = "None."
    filtered: bool = False

    @property
    def kinds(self) -> tuple[CellKind, ...]:
        """Of the columns; one of numbers may hold dashes and words for what can't be had."""
        columns = [{cell.kind for cell in column} for column in zip(*self.rows, strict=True)]
        return tuple(next((k for k in get_args(CellKind) if k in kinds), "text") for kinds in columns)


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; a warning is set apart, a link leads to a section."""

    text: str
    warning: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """The overall verdict, and what it is an evaluation of."""

    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A figure, drawn when the page is written."""

    picture: Picture


@dataclass(frozen=True, slots=True)
class Blanks:
    """Lines to be filled in by hand on paper."""

    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page that can be linked to."""

    id: str
    title: str
    blocks: tuple[Block, ...]


Block = Table | Text | Headline | Image | Blanks | Section


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report.

    Attributes
    ----------
    title : str
    summary : tuple of Block
        Before the contents.
    sections : tuple of Section
    identity : str
        What each printed page says of what it is a page of.
    source : str
        SHA-256 of all that the page is made of; equal to that of an earlier page, it is the same.
    """

    title: str
    summary: tuple[Block, ...]
    sections: tuple[Section, ...]
    source: str
    identity: str = ""


_REPLACED = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shown(text: str) -> str:
    """Return text that can't write lines of its own, nor turn what stands beside it around.

    Control characters and marks of direction become the replacement character.

    Examples
    --------
    >>> shown("lot\\u202e1\\n2")
    'lot�1 2'
    """
    return "".join(_shown(c) for c in text) if not text.isprintable() else text


def _shown(char: str) -> str:
    if char in "\n\t":
        return " "
    return "\ufffd" if char in _DIRECTIONS or unicodedata.category(char) in _REPLACED else char


def cells(*texts: str) -> Row:
    """Return cells of plain text."""
    return tuple(map(Cell, texts))


def interval(low: float | None, high: float | None) -> Cell:
    """Return an interval, or that it is not stated."""
    if low is None or high is None:
        return Cell("not stated")
    figures = figures_apart(low, high)
    return Cell(f"{short(low, figures)} – {short(high, figures)}")


def number(value: object) -> Cell:
    """Return a number to four digits, sorted by all of them; what can't be had is a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Cell("–", "number", sort="")
    return Cell(short(value), "number", sort=repr(value))


def short(value: float, figures: int = 4) -> str:
    """Return a number to four significant digits, with a power of ten where it is long.

    Examples
    --------
    >>> short(9852375839462.36), short(0.5), short(12000)
    ('9.852E12', '0.5', '12000')
    """
    if isinstance(value, int) and abs(value) < 10**7:
        return str(value)
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, power = f"{value:.{figures - 1}E}".partition("E")
        return f"{mantissa}E{int(power)}"
    text = f"{value:.{figures}g}"
    return f"{value:.0f}" if "e" in text else text


def counted(n: int, what: str) -> str:
    """Return how many there are.

    Examples
    --------
    >>> counted(1, "test"), counted(8, "warning")
    ('1 test', '8 warnings')
    """
    return f"{n} {what}{'' if n == 1 else 's'}"


def words(value: object) -> str:
    """Return any plain value in words: lists with commas, what is not there as a dash."""
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return short(value)
    if isinstance(value, list | tuple):
        return ", ".join(words(v) for v in value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {words(v)}" for name, v in value.items())
    return str(value)
