"""Where the negative droplets of each well lie, and by how much wells are shifted."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from aavqc.ddpcr.density import Mode, density, modes
from aavqc.kernels import as_input
from aavqc.kernels.gating import keep_extremes
from aavqc.records import FloatArray

SMOOTHING = 0.006
"""SD of the window that smooths a density, as a fraction of the assay's range."""

LEAST = 0.002
"""Fraction of a well's droplets below which a mode is dust: 6 copies a droplet leave 0.25 % negative."""

ENOUGH = 5000
"""Droplets that tell the SD of a well's negatives within 2 %."""

WIDEST = 1e100
"""Range of amplitudes beyond which their squares are no numbers: no instrument has it."""

APART = 8.0
"""Wells of one mode that differ by more SDs of their negatives than this are of two kinds."""


@dataclass(frozen=True)
class Baselines:
    """Negatives of the wells of an assay.

    Attributes
    ----------
    shift : mapping of str to float
        By well: how far its negatives lie above ``level``.
    level : float
        Amplitude of the negatives: the median over the wells.
    sd : float
        Their spread in a well: the median of robust SDs, from the side without rain.
    range : tuple of float
        Of all droplets, but for a few at either end.
    parted : bool
        A well has two populations or more, or wells of one differ: so what lies low is negative.
    """

    shift: Mapping[str, float]
    level: float
    sd: float
    range: tuple[float, float]
    parted: bool

    @property
    def smoothing(self) -> float:
        """SD of the window that smooths densities."""
        return SMOOTHING * (self.range[1] - self.range[0])


def find_baselines(wells: Mapping[str, FloatArray], blanks: Collection[str]) -> Baselines | None:
    """Find the negatives of each well of an assay.

    A well's negatives are its lowest mode. Of a well with one mode only the other wells tell what
    it is: where it lies far above the negatives of the others, or of the wells without template,
    all of its droplets are positive, and it is shifted by nothing.

    Parameters
    ----------
    wells : mapping of str to array
        Amplitudes of one channel.
    blanks : collection of str
        Wells that are declared to hold no template.

    Returns
    -------
    Baselines or None
        None where there are too few droplets.
    """
    if sum(values.size for values in wells.values()) < 100:
        return None
    low, high = _range(wells)
    if not 0 < high - low < WIDEST:
        return None
    found = {
        well: _well_modes(values, low, high)
        for well, values in wells.items()
        if values.size >= 100 or len(wells) == 1
    }
    lowest = {well: m[0].amplitude for well, m in found.items() if m}
    if not lowest:
        return None
    sd = float(np.median([_left_sd(wells[well], at) for well, at in lowest.items()]))
    sd = max(sd, 1e-4 * (high - low))
    full = _all_positive(found, lowest, blanks, sd)
    negative = {well: at for well, at in lowest.items() if well not in full}
    level = float(np.median(list(negative.values())))
    return Baselines(
        shift={well: negative.get(well, level) - level for well in wells},
        level=level,
        sd=sd,
        range=(low, high),
        parted=bool(full) or bool(set(blanks) & set(wells)) or any(len(m) > 1 for m in found.values()),
    )


def _range(wells: Mapping[str, FloatArray]) -> tuple[float, float]:
    """Return the range of all droplets, but for three at the lower end and two at the upper."""
    lowest, highest = np.full(4, np.inf), np.full(3, -np.inf)
    for values in wells.values():
        keep_extremes(as_input(values), lowest, highest)
    return float(lowest[-1]), float(highest[-1])


def _well_modes(values: FloatArray, low: float, high: float) -> list[Mode]:
    found = modes(density([values], [0.0], low, high, SMOOTHING * (high - low)))
    return [m for m in found if m.droplets >= LEAST * values.size]


def _left_sd(values: FloatArray, mode: float) -> float:
    """Return a robust SD from the droplets below the mode: rain and positives lie above it."""
    some = values[:: max(values.size // ENOUGH, 1)]
    below = some[some < mode]
    return 1.4826 * float(np.median(mode - below)) if below.size > 20 else 0.0


def _all_positive(
    found: Mapping[str, list[Mode]], lowest: Mapping[str, float], blanks: Collection[str], sd: float
) -> set[str]:
    """Return the wells of one mode that lie far above the negatives of other wells."""
    single = {well for well in lowest if len(found[well]) == 1 and well not in blanks}
    reference = [at for well, at in lowest.items() if well not in single]
    if not reference and single:  # no well is known to hold negatives: a wide gap tells two kinds apart
        ordered = sorted(lowest[well] for well in single)
        gaps = [b - a for a, b in itertools.pairwise(ordered)]
        if not gaps or max(gaps) <= 2 * APART * sd:
            return set()
        reference = ordered[: gaps.index(max(gaps)) + 1]
    above = max(reference) + APART * sd
    return {well for well in single if lowest[well] > above}
