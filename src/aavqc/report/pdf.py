"""The content of a report as PDF; fpdf2 (extra ``pdf``) writes it, no browser is asked."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aavqc.errors import UsageError
from aavqc.report.content import Blanks, Block, Cell, Headline, Image, Page, Section, Table, Text, shown
from aavqc.report.html import SIGNS

if TYPE_CHECKING:
    from fpdf import FPDF

    from aavqc.report.pictures import Picture

MARGIN_MM = 14
BODY_PT = 9
TABLE_PT = (7, 6, 5.5)
"""The smaller ones where a table does not fit."""
LINE_MM = 3.6
GAP_MM = 2.4
LONGEST_MM = 100
"""A column's width at most, so a word is broken only where it is longer; a SHA-256 has 95 mm."""
KEPT_MM = 70
"""A table that may be so high is not parted between pages."""
SMALLEST = 0.75
"""Of its size, a figure that ends a page."""
HEADING_PT = {1: 16, 2: 13, 3: 11}
FONT = "DejaVu"


def to_pdf(page: Page) -> bytes:
    """Return a page as a PDF document of A4 size; the same page gives the same bytes.

    Characters that the font (DejaVu Sans, as matplotlib carries it) lacks are written as their
    code points, such as ``[U+1F600]``.

    Raises
    ------
    UsageError
        fpdf2 is not installed.
    """
    return _Writer(page).bytes()


class _Writer:
    def __init__(self, page: Page) -> None:
        self._page = page
        self._pdf, self._known = _empty(shown(page.title))
        self._pdf.set_subject(self._text(page.identity))
        self._pdf.add_page()

    def bytes(self) -> bytes:
        pdf = self._pdf
        self._heading(self._page.title, 1)
        for block in self._page.summary:
            self._write(block, 2)
        for section in self._page.sections:
            self._write(section, 2)
        return bytes(pdf.output())

    def _text(self, text: str) -> str:
        return "".join(c if ord(c) in self._known or c == " " else f"[U+{ord(c):04X}]" for c in shown(text))

    def _heading(self, text: str, level: int) -> None:
        size = HEADING_PT.get(level, BODY_PT + 1)
        self._paragraph(text, size, "B", before=2.5 if level > 1 else 0, bookmark=level)

    def _paragraph(
        self, text: str, size: float = BODY_PT, style: str = "", *, before: float = 0, bookmark: int = 0
    ) -> None:
        pdf = self._pdf
        pdf.set_font(FONT, style, size)
        pdf.ln(before)
        if bookmark:
            if pdf.will_page_break(30):
                pdf.add_page()
            pdf.start_section(self._text(text)[:200], bookmark - 1)
            pdf.set_font(FONT, style, size)
        pdf.multi_cell(0, size * 0.5, self._text(text), new_x="LMARGIN", new_y="NEXT", align="L")
        pdf.ln(1)

    def _write(self, block: Block, level: int) -> None:
        match block:
            case Section():
                if self._pdf.will_page_break(_least(block)):
                    self._pdf.add_page()
                self._heading(block.title, level)
                for inner in block.blocks:
                    self._write(inner, level + 1)
            case Text():
                self._paragraph(f"Warning: {block.text}" if block.warning else block.text)
            case Headline():
                self._paragraph(f"{_sign(block.verdict)}: {block.text}", BODY_PT + 2, "B")
            case Blanks():
                rows = [(self._text(label), "") for label in block.labels]
                widths = (85, self._pdf.epw - 85)
                self._table(rows, widths, BODY_PT, right=(False, False), line=9, heading=False)
            case Image():
                self._figure(block.picture)
            case Table() if not block.rows:
                self._paragraph(f"{block.caption}: {block.empty}")
            case Table():
                self._in_parts(block)
            case _:
                raise TypeError(block)

    def _figure(self, picture: Picture) -> None:
        if picture.figure is None:
            self._paragraph(f"{picture.title}: not drawn, {picture.reason}.")
            return
        pdf = self._pdf
        width, height = picture.figure.get_size_inches() * 25.4
        scale = min(1, pdf.epw / width, 0.75 * pdf.eph / height)
        left = (pdf.page_break_trigger - pdf.y - _foot(picture)) / height
        if left < SMALLEST * scale:
            pdf.add_page()
        else:
            scale = min(scale, left)
        pdf.image(io.BytesIO(picture.png()), w=width * scale, alt_text=shown(picture.alt))
        self._paragraph(f"{picture.title}. {picture.caption}", BODY_PT - 1)

    def _in_parts(self, block: Table) -> None:
        """Write a table, in parts below each other where it is too wide."""
        texts = [
            [self._text(t) for t in block.columns],
            *([self._text(_cell(c)) for c in r] for r in block.rows),
        ]
        right = [kind == "number" for kind in block.kinds]
        size, parts = self._columns(texts)
        if self._pdf.will_page_break(_least(block)):
            self._pdf.add_page()
        self._paragraph(block.caption, BODY_PT - 0.5, "B", before=1)
        for part in parts:
            rows = [[row[i] for i in part] for row in texts]
            self._table(rows, list(part.values()), size, right=[right[i] for i in part])

    def _columns(self, rows: list[list[str]]) -> tuple[float, list[dict[int, float]]]:
        """Return a size, and columns with widths in mm that break no word; those that do not fit go below.

        Each further part begins with the first column, which names the row.
        """
        for size in TABLE_PT:
            self._pdf.set_font(FONT, "B", size)
            needed, wanted = [], []
            for column in zip(*rows, strict=True):
                words = {word for text in column for word in text.split(" ")}
                needed.append(min(max(map(self._pdf.get_string_width, words)), LONGEST_MM) + GAP_MM)
                whole = max(map(self._pdf.get_string_width, set(column))) + GAP_MM
                wanted.append(max(min(whole, LONGEST_MM), needed[-1]))
            if sum(needed) <= self._pdf.epw:
                break
        parts: list[list[int]] = [[0]]
        for i in range(1, len(needed)):
            if sum(needed[j] for j in (*parts[-1], i)) > self._pdf.epw:
                parts.append([0])
            parts[-1].append(i)
        return size, [self._spread(part, needed, wanted) for part in parts]

    def _spread(self, part: list[int], needed: list[float], wanted: list[float]) -> dict[int, float]:
        """Return widths in mm: what is needed, and of what is left as much as is wanted."""
        more = sum(wanted[i] - needed[i] for i in part)
        share = min(1.0, (self._pdf.epw - sum(needed[i] for i in part)) / more) if more else 0.0
        return {i: needed[i] + share * (wanted[i] - needed[i]) for i in part}

    def _table(
        self, rows: Iterable[Sequence[str]], widths: Sequence[float], size: float, *, right: Sequence[bool],
        line: float = LINE_MM, heading: bool = True,
    ) -> None:  # fmt: skip
        from fpdf.fonts import FontFace

        pdf = self._pdf
        pdf.set_font(FONT, "", size)
        head = {"headings_style": FontFace(emphasis="BOLD"), "borders_layout": "HORIZONTAL_LINES"}
        options: dict[str, Any] = head if heading else {}
        with pdf.table(
            col_widths=tuple(widths), width=min(sum(widths), pdf.epw), align="LEFT", line_height=line,
            first_row_as_headings=heading, padding=(0.4, 1, 0.4, 0),
            text_align=tuple("RIGHT" if r else "LEFT" for r in right), **options,
        ) as table:  # fmt: skip
            for texts in rows:
                table.row(texts)
        pdf.ln(2)


def _least(block: Block) -> float:
    """Return the height in mm that a block begins with at least, so that no heading stands alone."""
    match block:
        case Section():
            return 14 + max(map(_least, block.blocks[:2]), default=0.0)
        case Table():
            return min(12 + LINE_MM * 1.4 * len(block.rows), KEPT_MM)
        case Blanks():
            return 13.0 * len(block.labels)
        case Image() if block.picture.figure is not None:
            height: float = block.picture.figure.get_figheight() * 25.4
            return SMALLEST * height + _foot(block.picture)
    return 8.0


def _foot(picture: Picture) -> float:
    """Return the height in mm of what stands below a figure."""
    return 8.0 + 4.0 * (len(picture.caption) // 115)


def _empty(title: str) -> tuple[FPDF, frozenset[int]]:
    """Return a document with one empty page, and the characters that its font has."""
    try:
        from fpdf import FPDF
        from fpdf.fonts import TTFFont
    except ImportError as error:
        raise UsageError(
            "PDF needs fpdf2, which is not installed", hint="pip install 'aavqc[pdf]'"
        ) from error
    from datetime import UTC, datetime

    import matplotlib as mpl

    class Document(FPDF):
        def header(self) -> None:
            self.set_font(FONT, "", 7)
            self.set_y(7)
            self.cell(0, 4, self.subject or "", new_x="LMARGIN", new_y="NEXT")
            self.set_y(MARGIN_MM)

        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(FONT, "", 7)
            self.cell(0, 6, f"page {self.page_no()} of {{nb}}", align="R")

    pdf = Document(format="A4")
    fonts = Path(mpl.get_data_path()) / "fonts" / "ttf"
    pdf.add_font(FONT, "", fonts / "DejaVuSans.ttf")
    pdf.add_font(FONT, "B", fonts / "DejaVuSans-Bold.ttf")
    pdf.set_margins(MARGIN_MM, MARGIN_MM)
    pdf.set_auto_page_break(True, 16)
    pdf.set_title(title)
    pdf.set_lang("en")
    pdf.set_creation_date(datetime(2000, 1, 1, tzinfo=UTC))  # the bytes must not know the day
    font = pdf.fonts[FONT.lower()]
    return pdf, frozenset(font.cmap) if isinstance(font, TTFFont) else frozenset()


def _cell(cell: Cell) -> str:
    return _sign(cell.text) if cell.kind == "verdict" else cell.text


def _sign(verdict: str) -> str:
    return f"{SIGNS[verdict]} {verdict}" if verdict in SIGNS else verdict
