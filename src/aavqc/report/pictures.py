"""A figure with the words that belong to it, and its bytes: the same whenever and wherever made."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aavqc.documents import Sample
from aavqc.errors import UsageError
from aavqc.report.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RASTER_DPI = 150
"""Of what is a picture inside the SVG: droplets, ions, bitmaps."""


@dataclass(frozen=True)
class Picture:
    """One figure of a result or a lot.

    Attributes
    ----------
    id : str
        Of the kind of figure, such as ``auc-scans``; unique among those of one sample.
    title, caption, alt : str
        Plain text. The caption states units, what intervals cover and the flags that concern it;
        ``alt`` says what is seen to those who see no picture.
    figure : matplotlib.figure.Figure or None
    reason : str or None
        Why there is no figure.
    """

    id: str
    title: str
    caption: str
    alt: str
    figure: Figure | None
    reason: str | None = None

    def svg(self) -> bytes:
        """Return the figure as a document of its own, letters as paths.

        Raises
        ------
        UsageError
            There is no figure.
        """
        return self._saved("svg", {"Date": None, "Creator": None, "Format": None, "Type": None}, RASTER_DPI)

    def png(self, dpi: int = 150) -> bytes:
        """Return the figure as a PNG.

        Raises
        ------
        UsageError
            There is no figure.
        """
        return self._saved("png", {"Software": None}, dpi)

    def _saved(self, kind: str, metadata: dict[str, None], dpi: int) -> bytes:
        if self.figure is None:
            raise UsageError(f"{self.id} has no figure", found=self.reason)
        stream = io.BytesIO()
        with styled():
            layout = self.figure.get_layout_engine()
            if layout is not None:  # once: saving would find it again, and draw all to do so
                layout.execute(self.figure)
                self.figure.set_layout_engine(None)  # "none" leaves a place holder, drawn for too
            self.figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
        return stream.getvalue()


def missing(name: str, title: str, reason: str) -> Picture:
    """Return what stands where a figure can't be drawn."""
    return Picture(name, title, "", "", None, reason)


def flag_note(sample: Sample, ids: Sequence[str]) -> str:
    """Return the messages of some of a sample's flags as sentences."""
    return " ".join(f"{f.severity.capitalize()}: {f.message}." for f in sample.flags if f.id in ids)


def together(*sentences: str) -> str:
    """Join sentences, leaving out empty ones."""
    return " ".join(s.strip() for s in sentences if s.strip())
