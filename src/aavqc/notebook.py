"""What a notebook shows: small tables, everything in them escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

MOST_ROWS = 200
"""A notebook is no report: of more rows the first are shown, and how many more there are."""


def html_table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[str]], notes: Iterable[str] = ()
) -> str:
    """Return a table as HTML, with no script and no style of its own.

    Parameters
    ----------
    caption : str
    header : sequence of str
    rows : sequence of sequences of str
        As long as the header.
    notes : iterable of str
        A line each, below.

    Examples
    --------
    >>> html_table("a & b", ["x"], [["<i>"]]).partition("<tbody>")[2]
    '<tr><td dir="auto">&lt;i&gt;</td></tr></tbody></table>'
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows[:MOST_ROWS])
    more = [f"… {len(rows) - MOST_ROWS} more rows"] if len(rows) > MOST_ROWS else []
    below = "".join(f'<div dir="auto">{escape(note)}</div>' for note in [*more, *notes])
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"{below}"
    )


def _cells(row: Sequence[str]) -> str:
    return "".join(f'<td dir="auto">{escape(cell)}</td>' for cell in row)
