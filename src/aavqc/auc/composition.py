"""From c(s) to capsid classes: s as a function of packaged length for one shell.

A capsid with L nucleotides sediments as its empty shell does, with the buoyant mass of the
DNA added and the friction unchanged:

    s(L) = s_empty [1 + L m (1 − v_D ρ) / (M_c (1 − v_c ρ))]

Mass m and volume v_D of the nucleotide belong to one salt form (see :mod:`aavqc.capsid`). Where the
sample shows that fuller capsids are larger, s(L) is divided by the growth of the radius.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import CLASSES
from aavqc.auc.grid import SignalGrid
from aavqc.auc.particle import dna_of, shell_mass
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.water import to_water
from aavqc.capsid import NUCLEOTIDE_MASS, length_bounds
from aavqc.records import FloatArray

S20W_EMPTY = 64.5
"""s20,w of an empty capsid in S, where the sample shows none (published: 63–66 S)."""

SEARCH = 0.08
"""A species is looked for within this fraction of its expected s."""

SUBCAPSID = 0.75
"""What sediments slower than this fraction of the empty capsid is no capsid."""

AGGREGATE = 1.15
"""What sediments faster than this multiple of a capsid at 1.5 × the design length is a multimer."""

LEAST_EMPTY = 0.03
"""An empty peak with less than this share of the full one's signal calibrates no lengths."""

NUCLEOTIDE_REL_SD = 0.06
"""Of the DNA's coefficient over the capsid's where none is stated: 5 % for the state of the DNA in the
capsid, and 1 nm of the monochromator, which is 3 %. A default to be confirmed."""

PUBLISHED: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "sommer2003-denatured": (
        {"260": 3.72e6, "280": 6.61e6},
        {"260": 20.0 * NUCLEOTIDE_MASS, "280": 11.1 * NUCLEOTIDE_MASS},
    )
}
"""Extinction of capsid and nucleotide by set. AAV2 denatured; DNA 20 and 11.1 L/(g cm), which is
the convention for double strands: Sommer et al. (2003) Mol Ther 7:122. A default to be confirmed.
The simulator has a table of its own on purpose: a virtual run must not know what the fit assumes."""


@dataclass(frozen=True)
class ClassWindows:
    """Limits of the classes on the s axis of the data, in S as measured.

    ``edges`` part sub-capsid | empty | partial | full | overfull | aggregate.
    ``slope`` is the relative gain of buoyant mass a nucleotide, ``growth`` that of the radius.
    ``anchor`` says what s_empty rests on; ``s_full`` is that of the full peak where it anchors too.
    """

    s_empty: float
    slope: float
    edges: tuple[float, ...]
    anchor: str
    growth: float = 0.0
    s_full: float | None = None

    def length(self, s: FloatArray) -> FloatArray:
        """Packaged length (nt) at s, not below 0."""
        return lengths_at(s, self.s_empty, self.slope, self.growth)

    def index(self, s: FloatArray) -> NDArray[np.intp]:
        """0 sub-capsid, 1–4 the classes, 5 aggregate."""
        return np.searchsorted(np.array(self.edges), s, side="right")

    def name(self, s: float) -> str:
        """Name of the window that holds one s."""
        return ("sub_capsid", *CLASSES, "aggregate")[int(self.index(np.array([s]))[0])]

    def percent(self, s: FloatArray, amounts: FloatArray) -> dict[str, float]:
        """Shares of the four classes in amounts at each s: percent of their sum."""
        index = self.index(s)
        shares = [float(amounts[index == i + 1].sum()) for i in range(len(CLASSES))]
        total = sum(shares)
        return {c: 100.0 * x / total if total > 0 else 0.0 for c, x in zip(CLASSES, shares, strict=True)}

    def percent_outside(self, s: FloatArray, signal: FloatArray) -> dict[str, float]:
        """Shares of what is no capsid: percent of all signal."""
        index, total = self.index(s), float(signal.sum())
        return {
            name: 100.0 * float(signal[index == which].sum()) / total if total > 0 else 0.0
            for name, which in (("aggregate", 5), ("sub_capsid", 0))
        }


def class_windows(s: FloatArray, signal: FloatArray, settings: TechniqueSettings) -> ClassWindows | None:
    """Translate ``class_bounds`` into s, anchored on what the sample shows.

    Parameters
    ----------
    s, signal : array
        The distribution, s as measured in S.
    settings : TechniqueSettings

    Returns
    -------
    ClassWindows, or None without ``design_length`` or where no capsid is seen.
    """
    bounds = length_bounds(settings)
    if bounds is None or settings.design_length is None:
        return None
    slope = gain_per_nucleotide(settings)
    expected, reach = expected_empty(settings), search_reach(settings)
    gain_full = 1 + slope * settings.design_length
    empty = _strongest(s, signal, expected, reach)
    full = _strongest(s, signal, expected * gain_full, reach)
    anchored = _anchor_on(empty, full, gain_full)
    if anchored is None:
        return None
    s_empty, anchor = anchored
    return windows_from(s_empty, slope, settings, anchor)


def windows_from(
    s_empty: float,
    slope: float,
    settings: TechniqueSettings,
    anchor: str,
    growth: float = 0.0,
    s_full: float | None = None,
) -> ClassWindows:
    """Return the windows for an s of the empty capsid and what it rests on; ``design_length`` is set."""
    design = settings.design_length or 0.0
    s = s_empty * np.linspace(1.0, 1.0 + 2.0 * slope * design, 2000)
    lengths = (*(f * design for f in settings.class_bounds), 1.5 * design)
    upper = np.interp(lengths, lengths_at(s, s_empty, slope, growth), s).tolist()
    edges = (SUBCAPSID * s_empty, *upper[:3], AGGREGATE * upper[3])
    return ClassWindows(s_empty, slope, edges, anchor, growth, s_full)


def lengths_at(s: FloatArray, s_empty: float, slope: float, growth: float) -> FloatArray:
    """Return the packaged length (nt) at s: what buoyancy and friction together make it.

    ``growth`` is the relative gain of the radius by the time that s has grown by as much again:
    s/s_empty = (1 + slope L) / (1 + growth (s/s_empty − 1)).
    """
    ratio = s / s_empty
    mass = ratio * (1.0 + growth * np.maximum(ratio - 1.0, 0.0))
    result: FloatArray = np.maximum((mass - 1.0) / slope, 0.0)
    return result


def search_reach(settings: TechniqueSettings) -> float:
    """Return within which fraction of its expected s a species is looked for."""
    return SEARCH if to_water(settings) is not None else 2 * SEARCH


def expected_empty(settings: TechniqueSettings) -> float:
    """Return where an empty capsid is looked for, in S as measured."""
    return S20W_EMPTY / (to_water(settings) or 1.0)


def gain_per_nucleotide(settings: TechniqueSettings) -> float:
    """Return by what fraction of the empty capsid's s a packaged nucleotide raises s."""
    density = settings.density if settings.density is not None else 1.0
    dna = dna_of(settings)
    added = dna.nucleotide_mass * (1 - dna.vbar * density)
    return added / (shell_mass(settings) * (1 - settings.vbar * density))


def s20w_of(
    s: float, windows: ClassWindows | None, settings: TechniqueSettings, temperature_c: float
) -> float | None:
    """Return s20,w of what sediments at s, by the buoyancy of its packaged length where it is a capsid."""
    capsid = windows is not None and windows.name(s) in CLASSES
    length = float(windows.length(np.array([s]))[0]) if windows is not None and capsid else 0.0
    factor = to_water(settings, temperature_c, length)
    return None if factor is None else s * factor


def _anchor_on(
    empty: tuple[float, float] | None, full: tuple[float, float] | None, gain_full: float
) -> tuple[float, str] | None:
    """Return s_empty and what it rests on, from s and amount of an empty and a full species.

    The larger anchors; a smaller empty one, above the share ``LEAST_EMPTY`` of it, that fits the full one's
    prediction is preferred: lengths are then measured and not assumed. None where there is neither.
    """
    if full is not None and (empty is None or full[1] > empty[1]):
        s_empty = full[0] / gain_full
        if (
            empty is not None
            and empty[1] > LEAST_EMPTY * full[1]
            and abs(empty[0] / s_empty - 1) < SEARCH / 2
        ):
            return empty[0], "empty peak"
        return s_empty, "full peak"
    return None if empty is None else (empty[0], "empty peak")


def _strongest(
    s: FloatArray, signal: FloatArray, expected: float, reach: float
) -> tuple[float, float] | None:
    """Signal-weighted s and amount of the highest peak near an expected s."""
    near = np.flatnonzero((s > expected * (1 - reach)) & (s < expected * (1 + reach)))
    if not near.size or signal[near].max() <= 1e-3 * signal.sum():
        return None
    top = int(near[np.argmax(signal[near])])
    if top in (near[0], near[-1]) and 0 < top < s.size - 1:
        beside = signal[top - 1] if top == near[0] else signal[top + 1]
        if beside > signal[top]:  # the flank of a peak that lies elsewhere
            return None
    around = (s > s[top] * 0.96) & (s < s[top] * 1.04)
    amount = float(signal[around].sum())
    return float((s[around] * signal[around]).sum() / amount), amount


def extinction_at(settings: TechniqueSettings, wavelength: float | None) -> tuple[float, float] | None:
    """Return extinction of capsid and nucleotide (M⁻¹ cm⁻¹) within 2 nm of a wavelength.

    What is given wins over the named published set. None where the wavelength is not known.
    """
    if wavelength is None:
        return None
    given = settings.extinction
    published = PUBLISHED.get(given.set or "", ({}, {}))
    found = []
    for table in ({**published[0], **given.capsid}, {**published[1], **given.nucleotide}):
        near = [nm for nm in sorted(table) if abs(float(nm) - wavelength) <= 2.0]
        if not near:
            return None
        found.append(table[min(near, key=lambda nm: abs(float(nm) - wavelength))])
    return found[0], found[1]


def coefficients_of(settings: TechniqueSettings, grid: SignalGrid) -> tuple[float, float] | None:
    """Return the signal of 1 mol/L of capsids and of nucleotides in 1 cm, in the grid's unit.

    Extinction coefficients for absorbance; for interference fringes are path × increment ×
    concentration / wavelength. None where a constant is not given, and for fluorescence: what a
    particle emits follows from its labels, which no coefficient here counts.
    """
    if grid.unit == "OD":
        return extinction_at(settings, grid.wavelength_nm)
    if grid.unit != "fringes":
        return None
    protein, dna = settings.increment.protein, dna_of(settings)
    if protein is None or grid.wavelength_nm is None:
        return None
    per_gram = 1e-3 / (grid.wavelength_nm * 1e-7)  # mol/L × g/mol is g/L; nm in cm
    return protein * shell_mass(settings) * per_gram, dna.increment * dna.nucleotide_mass * per_gram


def percentages(
    windows: ClassWindows, s: FloatArray, signal: FloatArray, extinction: tuple[float, float] | None
) -> dict[str, float]:
    """Return the four classes in percent of capsids, and of signal where no extinction is given."""
    if extinction is None:
        return windows.percent(s, signal)
    return windows.percent(s, particles_in(windows, s, signal, extinction))


def particles_in(
    windows: ClassWindows, s: FloatArray, signal: FloatArray, extinction: tuple[float, float]
) -> FloatArray:
    """Return the particles behind the signal at each s, in mol/L times the path.

    Each s has its own particle extinction ε(L) = ε_capsid + L ε_nucleotide. The empty peak is taken at
    its mean: its width is the fit's, and spread over L > 0 would cost it particles.
    """
    empty = windows.index(s) == 1
    at = np.where(empty, (s * signal)[empty].sum() / max(signal[empty].sum(), 1e-300), s)
    found: FloatArray = signal / (extinction[0] + extinction[1] * windows.length(at))
    return found
