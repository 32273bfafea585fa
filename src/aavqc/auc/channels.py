"""Channels: the scans of one cell, speed and wavelength. Those of one sample are fitted together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aavqc.auc.choices import MIN_SCANS, Choice, Selection, select_scans
from aavqc.auc.column import Column, at_another_wavelength, find_column
from aavqc.auc.composition import extinction_at
from aavqc.auc.grid import SignalGrid, on_grid
from aavqc.auc.residuals import point_noise
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import AssayError
from aavqc.records import Scan, VelocityScans

MOST_WAVELENGTHS = 6
"""Fitted together where none is named and none has extinction coefficients; of more, the shortest."""

SCATTER_NM = 310.0
"""From here on capsids absorb nothing."""


@dataclass(frozen=True)
class Channel:
    """What one fit sees of a sample; ``cell`` counts the records, ``noise_sd`` is that of a point."""

    record: VelocityScans
    cell: int
    column: Column
    scans: tuple[Scan, ...]
    grid: SignalGrid
    noise: list[str]
    noise_sd: float

    @property
    def scatter_only(self) -> bool:
        """Tell whether capsids absorb nothing here: what is seen is light scattered."""
        return self.grid.unit == "OD" and (self.grid.wavelength_nm or 0.0) >= SCATTER_NM


def channels_of(records: tuple[VelocityScans, ...], settings: TechniqueSettings) -> list[Channel]:
    """Return the channels of a sample: of each record its wavelengths.

    Wavelengths of one cell share the column that the first of them shows.

    Raises
    ------
    AssayError
        Another kind of experiment, scans that do not belong together, too few of them.
    """
    channels = []
    for cell, record in enumerate(records):
        column: Column | None = None
        selection: Selection | None = None
        for wavelength in wavelengths_of(record, settings):
            selection = select_scans(record, wavelength, settings, selection)
            if column is None:
                here = column = find_column(record, selection, settings)
            else:
                here = at_another_wavelength(column, record, selection)
            here = replace(here, choices=(_choice(record, wavelength, settings), *here.choices))
            grid = on_grid(record, selection.scans, here, settings)
            noise = settings.noise
            if noise is None:
                noise = ["ti", "ri"] if record.optics in ("interference", "intensity") else []
            sd = point_noise(grid.signal, grid.seen) or 1e-6 * float(np.ptp(grid.signal)) or 1.0
            channels.append(Channel(record, cell, here, selection.scans, grid, list(noise), sd))
    units = {c.grid.unit for c in channels}
    if len(units) > 1:
        raise AssayError("cells of several optics can't be fitted together", found=", ".join(sorted(units)))
    return channels


def wavelengths_of(record: VelocityScans, settings: TechniqueSettings) -> list[float | None]:
    """Return the wavelengths to fit: the one asked for, else of those with scans enough."""
    if settings.wavelength is not None or not record.wavelengths:
        return [settings.wavelength]
    few = too_few(record)
    every = [w for w in record.wavelengths if w not in few]
    known = [w for w in every if _has_coefficients(record, w, settings)]
    if known:
        return [w for w in every if w in known or w >= SCATTER_NM]
    return list(every if len(every) <= MOST_WAVELENGTHS else every[:1])


def too_few(record: VelocityScans) -> dict[float, int]:
    """Return the wavelengths of fewer scans than can be fitted, where others have enough, and how many."""
    counted = {w: len(record.at(w)) for w in record.wavelengths}
    few = {w: n for w, n in counted.items() if n < MIN_SCANS}
    return few if len(few) < len(counted) else {}


def _has_coefficients(record: VelocityScans, wavelength: float, settings: TechniqueSettings) -> bool:
    return record.optics != "fluorescence" and extinction_at(settings, wavelength) is not None


def _choice(record: VelocityScans, wavelength: float | None, settings: TechniqueSettings) -> Choice:
    """Return why scans of a wavelength are fitted."""
    if wavelength is None:
        reason = "the export states none"
    elif settings.wavelength is not None:
        reason = "set by the user"
    elif len(record.wavelengths) == 1:
        reason = "the only one measured"
    elif _has_coefficients(record, wavelength, settings):
        reason = "it has extinction coefficients"
    else:
        reason = "one of those measured"
    return Choice("wavelength_nm", wavelength, reason)
