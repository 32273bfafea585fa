"""From resolved species to capsids: particles, packaged lengths and titers, with what they rest on.

Each species has the signal A_λ = l (n ε_capsid,λ + d ε_nucleotide,λ), n its capsids and d its packaged
nucleotides in mol/L. With the length from s, d = n L(s), every wavelength tells n. With two
wavelengths or more n and d follow without s, and L = d/n is measured a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aavqc.auc.channels import Channel
from aavqc.auc.composition import (
    NUCLEOTIDE_REL_SD,
    ClassWindows,
    coefficients_of,
    expected_empty,
    gain_per_nucleotide,
    lengths_at,
    search_reach,
    windows_from,
)
from aavqc.auc.resolve import Resolved
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.water import to_water
from aavqc.records import FloatArray

NEAR_FULL = (1 / 1.12, 1.05)
"""The full peak is looked for between these multiples of its s in a shell that stays as it is: room
for full capsids up to 12 % larger than empty ones, a default and no published figure."""

BOTH = "empty and full peaks"

AS_EXPECTED = 0.025
"""A peak this near to its expected s (relative) is preferred to a larger one farther away."""

LEAST_PARTNER = 0.1
"""Signal of the full peak that goes with an empty one, over that of the peak that looks most like full."""

UNANCHORED_SD = 0.06
"""Relative SD of a length from s alone: of the partial specific volumes, and of a shell that may grow."""

LEAST = 0.05
"""No constant is less than this share of what is stated: a wide SD draws none below 0."""

WAVELENGTH_SLOPES = {260: (0.03, -0.005), 280: (-0.005, -0.06)}
"""Relative change a nm of a capsid's and a nucleotide's extinction: from the usual shape of
protein and DNA spectra, unverified. The simulator has a table of its own on purpose (0.025, −0.006; −0.01,
−0.05)."""


@dataclass(frozen=True)
class Capsids:
    """What one set of amounts says of the capsids of a sample.

    Attributes
    ----------
    windows : ClassWindows
    by_cell : array, shape (cells, n), or None
        Capsids of each species in mol/L; None without extinction coefficients.
    lengths : array, shape (n,)
        From s, in nt.
    signal : array, shape (n,)
        Of the first channel.
    bases : array, shape (n, 2), or None
        Capsids and nucleotides of each species in mol/L, by the wavelengths alone: the mean of the cells
        that have two or more.
    """

    windows: ClassWindows
    s: FloatArray
    lengths: FloatArray
    signal: FloatArray
    by_cell: FloatArray | None
    bases: FloatArray | None

    @property
    def particles(self) -> FloatArray | None:
        """Capsids of each species in mol/L, the mean of the cells."""
        return None if self.by_cell is None else np.asarray(self.by_cell.mean(axis=0), dtype=np.float64)

    def percent(self, amounts: FloatArray) -> dict[str, float]:
        """Return the shares of the four classes in amounts, shape (n,), in percent."""
        return self.windows.percent(self.s, amounts)


def windows_of_species(resolved: Resolved, settings: TechniqueSettings) -> ClassWindows | None:
    """Return the classes on the s axis, anchored on the species that the sample shows.

    An empty peak gives s of length 0; the full peak, taken to hold the design length, how much the
    shell has grown by then. Where one is missing the shell stays as it is.
    """
    if settings.design_length is None:
        return None
    s, signal = resolved.s, resolved.amounts[0]
    slope = gain_per_nucleotide(settings)
    gain = 1.0 + slope * settings.design_length
    expected, reach = expected_empty(settings), search_reach(settings)
    known = to_water(settings) is not None
    full = _peak(s, signal, expected * gain, (1 - reach, 1 + reach), AS_EXPECTED if known else 0.0)
    least = 0.0 if full is None else LEAST_PARTNER * float(signal[s == full].sum())
    # any species may be the empty one, the largest first: the full one that goes with it decides
    off = np.abs(s / expected - 1.0)
    candidates = s[off <= reach][np.argsort(-signal[off <= reach], kind="stable")].tolist()
    if known:
        candidates.sort(key=lambda one: abs(one / expected - 1.0) > AS_EXPECTED)
    for empty in candidates:
        partner = _peak(s, signal, empty * gain, NEAR_FULL)
        if partner is not None and signal[s == partner].sum() >= least:
            growth = _growth(partner / empty, gain)
            return windows_from(empty, slope, settings, BOTH, growth, partner)
    if candidates and (full is None or _nearer(candidates[0], full / gain, expected)):
        return windows_from(candidates[0], slope, settings, "empty peak")
    return None if full is None else windows_from(full / gain, slope, settings, "full peak")


def _nearer(empty: float, by_full: float, expected: float) -> bool:
    """Tell a partial sample from short partials that look like empties: by the s that is expected.

    ``by_full`` is s of an empty capsid if the full peak is one, in a shell that stays as it is.
    """
    return abs(empty / expected - 1.0) <= abs(by_full / float(np.mean(NEAR_FULL)) / expected - 1.0)


def _growth(ratio: float, gain: float) -> float:
    """Return the growth of the radius that a full peak at s/s_empty = ``ratio`` shows."""
    return (gain / ratio - 1.0) / (ratio - 1.0)


def capsids_of(
    resolved: Resolved, channels: Sequence[Channel], windows: ClassWindows, settings: TechniqueSettings
) -> Capsids:
    """Return what the species are as capsids.

    Parameters
    ----------
    resolved : Resolved
    channels : sequence of Channel
        In the order of its amounts.
    windows : ClassWindows
    settings : TechniqueSettings
        With ``extinction``; without it there are no particles.
    """
    return _capsids(resolved, resolved.amounts, resolved.s, channels, windows, settings, None)


def rigid_lengths(found: Capsids) -> FloatArray:
    """Return the length (nt) of each species by its s alone, in a shell that stays as it is."""
    return lengths_at(found.s, found.windows.s_empty, found.windows.slope, 0.0)


def drawn_capsids(
    resolved: Resolved,
    channels: Sequence[Channel],
    windows: ClassWindows,
    settings: TechniqueSettings,
    rng: np.random.Generator,
    count: int,
) -> list[Capsids]:
    """Draw what the species could be as well: noise, cell, shape, anchor and constants.

    Amounts, s and growth are drawn together from the fit's covariance; extinction coefficients,
    wavelengths, path length and the length's scale from their stated standard deviations. In a smear
    where one species ends and the next begins is open: up to the lesser of two may belong to either.
    """
    channel_count, n = resolved.amounts.shape
    free = resolved.free
    mean = np.concatenate(
        [resolved.amounts.ravel(), [resolved.s[f[1]] if f[0] == "s" else 0.0 for f in free]]
    )
    values, vectors = np.linalg.eigh(resolved.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    at_s = [channel_count * n + i for i, f in enumerate(free) if f[0] == "s"]
    drawn = []
    for _ in range(count):
        x = mean + root @ rng.standard_normal(mean.size)
        amounts = np.maximum(x[: channel_count * n].reshape(channel_count, n), 0.0)
        scale = max(1.0 + _length_sd(windows, settings) * rng.standard_normal(), LEAST)
        moved = _moved(windows, resolved.s, x[at_s], scale, settings)
        for i in resolved.smeared:
            shift = rng.uniform(-1.0, 1.0) * np.minimum(amounts[:, i], amounts[:, i + 1])
            amounts[:, i], amounts[:, i + 1] = amounts[:, i] - shift, amounts[:, i + 1] + shift
        constants = Constants.draw(settings, channels, rng)
        drawn.append(_capsids(resolved, amounts, x[at_s], channels, moved, settings, constants))
    return drawn


@dataclass(frozen=True)
class Constants:
    """Relative errors of the constants in one draw, by channel."""

    capsid: FloatArray
    nucleotide: FloatArray
    path: float

    @classmethod
    def draw(
        cls, settings: TechniqueSettings, channels: Sequence[Channel], rng: np.random.Generator
    ) -> Constants:
        """Draw them; a coefficient errs alike at all wavelengths, each wavelength by itself."""
        given = settings.extinction
        rel_sd = NUCLEOTIDE_REL_SD if given.rel_sd is None else given.rel_sd
        z = rng.standard_normal(3)
        off = (given.wavelength_sd or 0.0) * rng.standard_normal(len(channels))
        slopes = np.array([wavelength_slopes(c.grid.wavelength_nm) for c in channels])
        return cls(
            np.maximum(1.0 + (given.capsid_rel_sd or 0.0) * z[0] + slopes[:, 0] * off, LEAST),
            np.maximum(1.0 + rel_sd * z[1] + slopes[:, 1] * off, LEAST),
            max(1.0 + (settings.path_length_rel_sd or 0.0) * float(z[2]), LEAST),
        )


def wavelength_slopes(wavelength: float | None) -> tuple[float, float]:
    """Return the relative change a nm of capsid and nucleotide extinction; 0 where not known."""
    known = [nm for nm in WAVELENGTH_SLOPES if wavelength is not None and abs(wavelength - nm) <= 5.0]
    return WAVELENGTH_SLOPES[known[0]] if known else (0.0, 0.0)


def _capsids(
    resolved: Resolved,
    amounts: FloatArray,
    s: FloatArray,
    channels: Sequence[Channel],
    windows: ClassWindows,
    settings: TechniqueSettings,
    constants: Constants | None,
) -> Capsids:
    lengths = windows.length(s)
    by_cell: list[FloatArray] = []
    bases: list[FloatArray] = []
    for cell in sorted({c.cell for c in channels}):
        here = [i for i, c in enumerate(channels) if c.cell == cell]
        known = [(i, e) for i in here if (e := coefficients_of(settings, channels[i].grid)) is not None]
        if not known:
            continue
        rows = [i for i, _ in known]
        capsid = np.array([e[0] for _, e in known])
        nucleotide = np.array([e[1] for _, e in known])
        path = settings.path_length_cm
        if constants is not None:
            capsid, nucleotide = capsid * constants.capsid[rows], nucleotide * constants.nucleotide[rows]
            path *= constants.path
        absorbed = (amounts[rows] - _scattered(amounts, here, channels, rows)) / path
        sd = _signal_sd(resolved, rows) + 0.01 * np.abs(resolved.amounts[rows])
        particle = capsid[:, None] + nucleotide[:, None] * lengths[None, :]
        weight = (particle / sd) ** 2
        n = (weight * absorbed / particle).sum(axis=0) / weight.sum(axis=0)
        by_cell.append(n)
        if len(rows) > 1:
            bases.append(_two_parts(absorbed, sd, capsid, nucleotide))
    return Capsids(
        windows,
        s,
        lengths,
        amounts[0],
        np.array(by_cell) if by_cell else None,
        np.mean(bases, axis=0) if bases else None,
    )


def _two_parts(
    absorbed: FloatArray, sd: FloatArray, capsid: FloatArray, nucleotide: FloatArray
) -> FloatArray:
    """Return capsids and nucleotides of each species by weighted least squares over wavelengths."""
    found = np.empty((absorbed.shape[1], 2))
    for k in range(absorbed.shape[1]):
        design = np.stack([capsid, nucleotide], axis=1) / sd[:, k : k + 1]
        found[k] = np.linalg.lstsq(design, absorbed[:, k] / sd[:, k], rcond=None)[0]
    return found


def _scattered(
    amounts: FloatArray, here: list[int], channels: Sequence[Channel], rows: list[int]
) -> FloatArray:
    """Return the light scattered at each wavelength, from where capsids absorb nothing; λ⁻⁴."""
    far = [i for i in here if channels[i].scatter_only and i not in rows]
    if not far:
        return np.zeros((len(rows), amounts.shape[1]))
    nm = np.array([channels[i].grid.wavelength_nm for i in rows], dtype=np.float64)
    scattered: FloatArray = (
        amounts[far[0]] * ((channels[far[0]].grid.wavelength_nm or 1.0) / nm[:, None]) ** 4
    )
    return scattered


def _signal_sd(resolved: Resolved, rows: list[int]) -> FloatArray:
    n = resolved.s.size
    sd = np.sqrt(np.maximum(np.diag(resolved.covariance), 0.0))
    return np.array([sd[i * n : (i + 1) * n] for i in rows]) + 1e-12


def _moved(
    windows: ClassWindows, s: FloatArray, drawn: FloatArray, scale: float, settings: TechniqueSettings
) -> ClassWindows:
    """Return the classes where the species that anchor them lie elsewhere, and lengths on another scale."""

    def at(expected: float) -> float:
        return float(drawn[int(np.argmin(np.abs(s - expected)))])

    slope = windows.slope * scale
    gain = 1.0 + slope * (settings.design_length or 0.0)
    if windows.anchor == "full peak":
        full = at(windows.s_empty * (1.0 + windows.slope * (settings.design_length or 0.0)))
        return windows_from(full / gain, slope, settings, windows.anchor)
    empty, growth = at(windows.s_empty), 0.0
    if windows.s_full is not None:
        growth = _growth(at(windows.s_full) / empty, gain)
    return windows_from(empty, slope, settings, windows.anchor, growth)


def _length_sd(windows: ClassWindows, settings: TechniqueSettings) -> float:
    if settings.length_rel_sd is not None:
        return settings.length_rel_sd
    return 0.0 if windows.anchor != "full peak" else UNANCHORED_SD


def _peak(
    s: FloatArray, signal: FloatArray, expected: float, limits: tuple[float, float], near: float = AS_EXPECTED
) -> float | None:
    """Return the s of the species that is looked for: the largest of those near by, else of all in reach."""
    off = s / expected - 1.0
    for candidates in (
        np.flatnonzero(np.abs(off) <= near),
        np.flatnonzero((s >= limits[0] * expected) & (s <= limits[1] * expected)),
    ):
        if candidates.size:
            return float(s[candidates[np.argmax(signal[candidates])]])
    return None
