"""The capsids of one sample as a mixture: charge noise, mean charges and peaks, learned in turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aavqc.capsid import CapsidMass
from aavqc.cdms.expected import expected_capsid, nucleotide_mass
from aavqc.cdms.mixture import MOST_PEAKS, Mixture, fit_mixture
from aavqc.cdms.noise import (
    ASSUMED,
    ASSUMED_REL_SD,
    GIVEN_REL_SD,
    MZ_REL_SD,
    ChargeNoise,
    agreed,
    noise_of_peak,
)
from aavqc.cdms.noise_fit import Seen, learned
from aavqc.cdms.prior import ChargeLine, Witnessed
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.shape import capsid_shape
from aavqc.records import FloatArray

OTHER_LENGTHS = 20e3
"""SD in Da of the lengths within a peak that is neither empty nor the designed genome (65 nt)."""

ANCHOR_LIMIT = 0.03
"""An empty peak this near to its expected mass is one; bounds are then counted from it."""

ANCHOR_IONS = 50

NOISE_CLEAR = 2.0
"""Cells come so near to the peaks, in SD, where their widths are read: neighbours are no width."""

NOISE_ROUNDS, NOISE_SETTLED = 8, 0.01
"""Rounds in which the noise is read off the peak, and the relative change at which it has settled."""


SEARCHES, SHARPER = 3, 0.01
"""Peaks are looked for again, so often at most, where the blur changed by more than this part."""


@dataclass(frozen=True)
class Capsids:
    """What the mixture says of a sample's capsids.

    Attributes
    ----------
    mixture : Mixture
    edges : array, shape (5,)
        Ends and bounds of the classes, Da, counted from the empty peak where there is one.
    anchor : int or None
        That peak.
    noise : ChargeNoise
    seen : ChargeNoise or None
        What the sample's own peak shows, for comparison with a noise that was given.
    line : ChargeLine or None
    told : Witnessed
        What the mixture was fitted to.
    converged : bool
        The mixture and its noises are at the maximum of the likelihood.
    """

    mixture: Mixture
    edges: FloatArray
    anchor: int | None
    noise: ChargeNoise
    seen: ChargeNoise | None
    line: ChargeLine | None
    told: Witnessed
    converged: bool


def fit_capsids(
    mass: FloatArray, charge: FloatArray, edges: FloatArray, settings: TechniqueSettings
) -> Capsids:
    """Fit the mixture of empty, full and other capsids to single ions.

    Peaks at the expected masses by the measured charge alone, which show the noise and the mean
    charges; the same with the m/z as a second witness; then further peaks, with the bounds where the
    empty peak puts them, and after them the noise by the likelihood of all: in turn until it stays.

    Parameters
    ----------
    mass, charge : arrays, shape (n,)
        Da, e; the masses of single capsids.
    edges : array, shape (5,)
        Ends and bounds of the classes as expected, Da.
    settings : TechniqueSettings
        With ``design_length``.

    Returns
    -------
    Capsids
    """
    capsid = expected_capsid(settings)
    start = [capsid.mean, capsid.mean + nucleotide_mass(settings) * (settings.design_length or 0)]
    nodes = capsid_shape(capsid.sd)
    inside = (mass >= edges[0]) & (mass < edges[-1])
    mass, charge = mass[inside], charge[inside]
    assumed = ChargeNoise(ASSUMED, 0.0, ASSUMED_REL_SD, "assumed")
    given = _given(settings)
    used, seen = given or assumed, None
    for _ in range(NOISE_ROUNDS):
        tried = seen or used
        found = _by_charge(mass, tried.at(charge) * mass / charge, nodes, edges, start)
        seen = _seen(found, mass, charge, capsid)
        if seen is None or abs(seen.constant / tried.constant - 1) < NOISE_SETTLED:
            break
    used = given or seen or assumed
    ions = Seen(mass, charge, (edges[0], edges[-1]), capsid.sd)
    anchor, bounds, settled = None, edges, True
    start = found.state.location.tolist()
    line = ions.line(used, found)
    told = ions.told(used, line)
    for most in (0, *(MOST_PEAKS,) * SEARCHES):
        found = fit_mixture(
            told.mass, told.sd, nodes, bounds.tolist(), start, further_width=OTHER_LENGTHS, most_peaks=most
        )
        anchor = _anchor(found, capsid.mean)
        if anchor is not None:
            bounds = edges.copy()
            bounds[1:-1] += found.state.location[anchor] - capsid.mean
        if most:
            blur = found.given.blur
            top = learned(ions, found, told, used, line, fixed=given is not None or seen is None)
            found, told, used, line, settled = top.mixture, top.told, top.noise, top.line, top.settled
            if abs(found.given.blur / blur - 1) < SHARPER:
                break
        else:
            line = ions.line(used, found)
            told = ions.told(used, line)
        start = found.state.location[: len(start)].tolist()
    return Capsids(found, bounds, anchor, used, seen, line, told, found.climb.converged and settled)


def _by_charge(
    mass: FloatArray, sd: FloatArray, nodes: FloatArray, edges: FloatArray, start: list[float]
) -> Mixture:
    """Fit the peaks of the start alone, to masses by the measured charge."""
    inside = np.clip(mass, edges[0], edges[-1] * (1 - 1e-12))
    sd = np.hypot(sd, MZ_REL_SD * inside)
    return fit_mixture(
        inside, sd, nodes, edges.tolist(), start, further_width=OTHER_LENGTHS, most_peaks=0, clear=NOISE_CLEAR
    )


def _given(settings: TechniqueSettings) -> ChargeNoise | None:
    if settings.sigma_z is None:
        return None
    return ChargeNoise(settings.sigma_z, settings.sigma_z_slope, GIVEN_REL_SD, "setting")


def _anchor(found: Mixture, expected: float) -> int | None:
    """Return the empty peak, if there is one that is near enough and large enough."""
    state = found.state
    off = np.abs(state.location / expected - 1)
    held = np.where(off <= ANCHOR_LIMIT, state.share, 0.0) * found.given.points.ions
    best = int(held.argmax())
    return best if held[best] >= ANCHOR_IONS else None


def _seen(found: Mixture, mass: FloatArray, charge: FloatArray, capsid: CapsidMass) -> ChargeNoise | None:
    """Return the noise that the empty peak shows, with the largest other where the two agree.

    A peak of mixed lengths is wider: it is not asked where it disagrees.
    """
    anchor, largest = _anchor(found, capsid.mean), int(found.state.share.argmax())
    rows = []
    for k, name in ((anchor, "empty peak"), (largest if largest != anchor else None, "largest peak")):
        part = None if k is None else found.owned(k)
        if part is not None and part.sum() > 0:
            centre = float((part * mass).sum() / part.sum())
            rows.append(noise_of_peak(mass, charge, part, centre, capsid.sd, name))
    shown = [row for row in rows if row is not None]
    if len(shown) < 2:
        return shown[0] if shown else None
    return agreed(*shown)
