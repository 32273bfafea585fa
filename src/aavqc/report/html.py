"""Content as one HTML file that needs no network and no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from html import escape
from importlib.resources import files
from itertools import count
from typing import TYPE_CHECKING

from aavqc.report.content import (
    Blanks,
    Block,
    Cell,
    Headline,
    Image,
    Page,
    Section,
    Table,
    Text,
    shown,
)

if TYPE_CHECKING:
    from aavqc.report.pictures import Picture

SIGNS = {
    "PASS": "✓",
    "OOS": "✗",
    "OOT": "!",
    "INVALID": "⊘",
    "INDETERMINATE": "?",
    "INCOMPLETE": "…",
    "REPORTED": "i",
}
"""Stand before the verdicts' words, so that no verdict is told by its colour."""


class Markup(str):
    """HTML that is safe as it stands; any other text is escaped."""

    __slots__ = ()


def element(tag: str, *children: str, **attributes: str | None) -> Markup:
    """Return an element; text and attributes are escaped, attributes of None are left out.

    Examples
    --------
    >>> element("td", "<img onerror=x>", class_="code")
    '<td class="code">&lt;img onerror=x&gt;</td>'
    """
    stated = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(shown(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    inner = "".join(c if isinstance(c, Markup) else escape(shown(c)) for c in children)
    return Markup(f"<{tag}{stated}>{inner}</{tag}>")


def to_html(page: Page) -> bytes:
    """Return a page as a UTF-8 HTML document."""
    ids = count(1)
    style, script = _part("style.css") + _running(page.identity), _part("script.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        _void("meta", http_equiv="Content-Security-Policy", content=policy),
        _void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _void("meta", name="aavqc-source", content=page.source),
        element("title", page.title),
        element("style", Markup(style)),
    )
    body = element(
        "body",
        element("a", "Skip to the content", class_="skip", href="#content"),
        element("header", element("h1", page.title), *(_blocks(page.summary, ids, 2)), class_="summary"),
        _contents(page.sections),
        element("main", *(_blocks(page.sections, ids, 2)), id="content", tabindex="-1"),
        element("script", Markup(script)),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}\n{body}</html>\n'.encode()


@cache
def _part(name: str) -> str:
    return (files("aavqc.report") / name).read_text(encoding="utf-8")


def _running(identity: str) -> str:
    """Return the rule that heads each printed page; letters and digits apart, all is escaped."""
    escaped = "".join(c if c.isascii() and c.isalnum() else f"\\{ord(c):X} " for c in shown(identity))
    return f'@page {{ @top-left {{ content: "{escaped}"; font: 8pt sans-serif; }} }}\n' if identity else ""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _void(tag: str, **attributes: str) -> Markup:
    return Markup(element(tag, **attributes).removesuffix(f"</{tag}>"))


def _contents(sections: tuple[Section, ...]) -> Markup:
    if len(sections) < 2:
        return Markup("")
    return element(
        "nav",
        element("h2", "Contents", id="contents"),
        element("ol", *(_entry(section) for section in sections)),
        aria_labelledby="contents",
    )


def _entry(section: Section) -> Markup:
    inner = [b for b in section.blocks if isinstance(b, Section)]
    link = element("a", section.title, href=f"#{section.id}")
    return element("li", link, *([element("ol", *map(_entry, inner))] if inner else []))


def _blocks(blocks: tuple[Block, ...], ids: Iterator[int], level: int) -> Iterator[Markup]:
    for block in blocks:
        yield _html(block, ids, level)


def _html(block: Block, ids: Iterator[int], level: int) -> Markup:
    match block:
        case Section():
            heading = element(f"h{min(level, 6)}", block.title, id=block.id, tabindex="-1")
            inner = _blocks(block.blocks, ids, level + 1)
            return element("section", heading, *inner, aria_labelledby=block.id)
        case Text(warning=True):
            return element("p", element("strong", "Warning: "), block.text, class_="warning")
        case Text():
            return element("p", element("a", block.text, href=block.link) if block.link else block.text)
        case Headline():
            return element("p", _verdict(block.verdict), " ", block.text, class_="headline")
        case Blanks():
            return _blanks(block)
        case Image():
            return _figure(block.picture, f"f{next(ids)}")
        case Table():
            if not block.rows:
                return element("p", element("strong", block.caption), " ", block.empty)
            return _table(block, f"t{next(ids)}")
    raise TypeError(block)


def _blanks(block: Blanks) -> Markup:
    lines = [element("tr", element("th", label, scope="row"), element("td")) for label in block.labels]
    caption = element("caption", "To be filled in by hand on the printed report")
    return element("table", caption, element("tbody", *lines), class_="blanks")


def _figure(picture: Picture, name: str) -> Markup:
    title = element("strong", picture.title)
    if picture.figure is None:
        return element("figure", element("figcaption", title, " ", f"Not drawn: {picture.reason}."))
    caption = element("figcaption", title, " ", picture.caption, id=name)
    source = f"data:image/svg+xml;base64,{base64.b64encode(picture.svg()).decode()}"
    image = _void("img", src=source, alt=picture.alt)
    return element("figure", image, caption, aria_labelledby=name)


def _table(block: Table, name: str) -> Markup:
    head = element("tr", *map(_heading, block.columns, block.kinds))
    table = element(
        "table",
        element("caption", element("span", block.caption), id=name),
        element("thead", head),
        element("tbody", *(element("tr", *_cells(row)) for row in block.rows)),
        class_="wide" if len(block.columns) > 4 else None,
        data_filter="" if block.filtered else None,
    )
    return element("div", table, class_="scroll", tabindex="0", role="group", aria_labelledby=name)


def _heading(title: str, kind: str) -> Markup:
    return element("th", title, scope="col", class_="number" if kind == "number" else None)


def _cells(row: tuple[Cell, ...]) -> Iterator[Markup]:
    for i, cell in enumerate(row):
        kind = cell.kind if cell.kind in ("number", "code") else None
        text: str = _verdict(cell.text) if cell.kind == "verdict" else cell.text
        inner = element("a", text, href=cell.link) if cell.link else text
        if i == 0:
            yield element("th", inner, scope="row", class_=kind, data_sort=cell.sort)
        else:
            yield element("td", inner, class_=kind, data_sort=cell.sort)


def _verdict(verdict: str) -> Markup:
    if verdict not in SIGNS:
        return Markup(escape(shown(verdict)))
    sign = element("span", SIGNS[verdict], aria_hidden="true")
    return element("span", sign, f" {verdict}", class_=f"verdict {verdict.lower()}")
