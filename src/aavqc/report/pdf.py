"""The content of a report as PDF; fpdf2 (extra ``pdf``) writes it, no browser is asked."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import singledispatchmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aavqc.errors import UsageError
from aavqc.report.content import Blanks, Block, Cell, Headline, Image, Page, Section, Table, Text, shown
from aavqc.report.html import SIGNS

if TYPE_CHECKING:
    from fpdf import FPDF

MARGIN_MM = 14
BODY_PT = 9
TABLE_PT = 7
NARROWEST_MM = 9
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

    @singledispatchmethod
    def _write(self, block: Block, level: int) -> None:
        raise TypeError(block)

    @_write.register
    def _(self, block: Section, level: int) -> None:
        self._heading(block.title, level)
        for inner in block.blocks:
            self._write(inner, level + 1)

    @_write.register
    def _(self, block: Text, level: int) -> None:
        del level
        self._paragraph(f"Warning: {block.text}" if block.warning else block.text)

    @_write.register
    def _(self, block: Headline, level: int) -> None:
        del level
        self._paragraph(f"{_sign(block.verdict)}: {block.text}", BODY_PT + 2, "B")

    @_write.register
    def _(self, block: Blanks, level: int) -> None:
        del level
        rows = [(label, "") for label in block.labels]
        self._table(rows, (1, 2.4), BODY_PT, line=9)

    @_write.register
    def _(self, block: Image, level: int) -> None:
        del level
        picture, pdf = block.picture, self._pdf
        if picture.figure is None:
            self._paragraph(f"{picture.title}: not drawn, {picture.reason}.")
            return
        width, height = picture.figure.get_size_inches() * 25.4
        scale = min(1, pdf.epw / width, 0.75 * pdf.eph / height)
        if pdf.will_page_break(height * scale + 14):
            pdf.add_page()
        pdf.image(io.BytesIO(picture.png()), w=width * scale, alt_text=shown(picture.alt))
        self._paragraph(f"{picture.title}. {picture.caption}", BODY_PT - 1)

    @_write.register
    def _(self, block: Table, level: int) -> None:
        del level
        if not block.rows:
            self._paragraph(f"{block.caption}: {block.empty}")
            return
        if self._pdf.will_page_break(25):
            self._pdf.add_page()
        self._paragraph(block.caption, BODY_PT - 0.5, "B", before=1)
        rows = [[_cell(cell) for cell in row] for row in block.rows]
        texts = [list(block.columns), *rows]
        self._table(texts, _widths(texts, self._pdf.epw), TABLE_PT, line=3.6, heading=True, cells=block.rows)

    def _table(
        self, rows: Iterable[Iterable[str]], widths: Iterable[float], size: float, *, line: float,
        heading: bool = False, cells: tuple[tuple[Cell, ...], ...] = (),
    ) -> None:  # fmt: skip
        from fpdf.fonts import FontFace

        pdf = self._pdf
        pdf.set_font(FONT, "", size)
        options: dict[str, Any] = {"headings_style": FontFace(emphasis="BOLD")} if heading else {}
        kinds = [[c.kind for c in row] for row in cells]
        with pdf.table(
            col_widths=tuple(widths), first_row_as_headings=heading, line_height=line,
            borders_layout="HORIZONTAL_LINES", text_align="LEFT", width=pdf.epw, padding=(0.4, 1, 0.4, 0),
            **options,
        ) as table:  # fmt: skip
            for i, texts in enumerate(rows):
                row = table.row()
                for j, text in enumerate(texts):
                    number = heading and i > 0 and kinds[i - 1][j] == "number"
                    row.cell(self._text(text), align="RIGHT" if number else None)
        pdf.ln(2)


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
    pdf.add_page()
    font = pdf.fonts[FONT.lower()]
    return pdf, frozenset(font.cmap) if isinstance(font, TTFFont) else frozenset()


def _cell(cell: Cell) -> str:
    return _sign(cell.text) if cell.kind == "verdict" else cell.text


def _sign(verdict: str) -> str:
    return f"{SIGNS[verdict]} {verdict}" if verdict in SIGNS else verdict


def _widths(rows: list[list[str]], whole: float) -> list[float]:
    """Return widths of columns in mm by what they hold: long texts wrap, short ones do not."""
    wanted = [min(max(len(row[i]) for row in rows), 46) for i in range(len(rows[0]))]
    rest = whole - NARROWEST_MM * len(wanted)
    return [NARROWEST_MM + rest * width / sum(wanted) for width in wanted]
