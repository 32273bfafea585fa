"""Plots of results and lots, as matplotlib figures.

Each function draws into given axes or returns a figure that pyplot does not know; nothing global
is changed. :func:`plot` is the overview of a result, :func:`figures` and :func:`lot_figures` are what
belongs into a report, with captions. The functions named ``draw_…`` draw one thing into given axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aavqc.documents import Payload, ResultDocument, Sample
from aavqc.errors import UsageError
from aavqc.report.arrays import Arrays, arrays_of, load_arrays
from aavqc.report.auc_figures import auc_figures, draw_distribution, draw_length, draw_species
from aavqc.report.auc_scans import draw_bitmap, draw_channels, draw_residuals, draw_scans
from aavqc.report.cdms_figures import cdms_figures, draw_map, draw_masses
from aavqc.report.cdms_methods import draw_calibration, draw_funnel, draw_methods, draw_standards
from aavqc.report.ddpcr_calls import draw_calls
from aavqc.report.ddpcr_figures import ddpcr_figures, draw_clusters, draw_droplets, draw_plate
from aavqc.report.ddpcr_integrity import draw_integrity
from aavqc.report.ddpcr_replicates import draw_linearity, draw_replicates
from aavqc.report.lot_figures import draw_limits, lot_figures, rows_of
from aavqc.report.pictures import Picture
from aavqc.report.style import drawable, new_figure, panels, styled
from aavqc.report.ternary import draw_ternary, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from aavqc.result import Result

__all__ = [
    "Picture",
    "arrays_of",
    "draw",
    "draw_bitmap",
    "draw_calibration",
    "draw_calls",
    "draw_channels",
    "draw_clusters",
    "draw_distribution",
    "draw_droplets",
    "draw_funnel",
    "draw_integrity",
    "draw_length",
    "draw_limits",
    "draw_linearity",
    "draw_map",
    "draw_masses",
    "draw_methods",
    "draw_plate",
    "draw_replicates",
    "draw_residuals",
    "draw_scans",
    "draw_species",
    "draw_standards",
    "draw_ternary",
    "figures",
    "load_arrays",
    "lot_figures",
    "measured",
    "plot",
    "rows_of",
    "styled",
]


def plot(result: Result | ResultDocument, arrays: Arrays | None = None) -> Figure:
    """Plot a result: the distribution or masses of each sample, or the droplets of a plate.

    Parameters
    ----------
    result : Result or ResultDocument
        As :func:`aavqc.analyze` returns it, or as a batch stored it.
    arrays : mapping of str to array, optional
        With a ResultDocument its arrays, from :func:`load_arrays`; a Result has its own.

    Returns
    -------
    matplotlib.figure.Figure
        Not shown and not registered with pyplot: ``figure.savefig(...)``.
    """
    samples = result.samples if result.payload.technique != "ddpcr" else result.samples[:1]
    with styled():
        figure = new_figure(max(3.0 * len(samples), 1.0))
        if samples:
            for (ax,), sample in zip(panels(figure, len(samples)), samples, strict=True):
                draw(ax, result, sample, arrays)
                if len(samples) > 1:
                    ax.set_title(drawable(sample.sample_id), loc="right")
    return figure


def draw(ax: Axes, result: Result | ResultDocument, sample: Sample, arrays: Arrays | None = None) -> None:
    """Draw one sample's distribution or masses into given axes; of a plate, the droplets of all wells."""
    payload = result.payload
    arrays = getattr(result, "arrays", None) if arrays is None else arrays
    if arrays is None:
        raise UsageError(
            "a stored result is drawn with its arrays",
            expected='load_arrays("OUT/arrays/JOB.npz") beside the document',
        )
    own = arrays_of(sample.record, arrays)
    if payload.technique == "auc":
        draw_distribution(ax, sample)
    elif payload.technique == "cdms":
        draw_masses(ax, sample, own)
    else:
        draw_plate(ax, payload, own)


def figures(payload: Payload, arrays: Arrays, sample: Sample) -> list[Picture]:
    """Return all figures of one sample of a result, in the order of a report.

    Parameters
    ----------
    payload : Payload
        Of a :class:`~aavqc.Result` or a :class:`~aavqc.ResultDocument`.
    arrays : mapping of str to array
        ``result.arrays``, or from :func:`load_arrays`. What can be drawn without them is.
    sample : Sample
        One of the payload's.

    Returns
    -------
    list of Picture
        Those that can't be drawn say why.
    """
    own = arrays_of(sample.record, arrays)
    with styled():
        if payload.technique == "auc":
            return auc_figures(sample, own)
        if payload.technique == "cdms":
            return cdms_figures(sample, own)
        return ddpcr_figures(payload, sample, own)
