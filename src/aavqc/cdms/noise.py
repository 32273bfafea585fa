"""The noise of the charge: σ_z² = a² + b² z², given, or read off a peak of the sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from aavqc.records import FloatArray

GIVEN_REL_SD = 0.03
"""Relative SD of a charge noise that the user states."""

ASSUMED = 1.0
ASSUMED_REL_SD = 0.5
"""Charge noise in e where no peak shows it, and its relative SD."""

SHAPE_REL_SD = 0.03
"""Relative SD of the assembly's width: it is fixed, and the noise is what a peak has beside it."""

LEAST_IONS = 100
"""Ions of a peak below which it shows no noise."""

MZ_REL_SD = 8.5e-5
"""Relative SD of m/z: a resolution of 5000 (full width at half maximum)."""

LEAST_NOISE = 0.1
"""Charge noise in e that is always allowed for."""


@dataclass(frozen=True)
class ChargeNoise:
    """Charge noise.

    Attributes
    ----------
    constant, slope : float
        a in e, and b.
    rel_sd : float
        Of the noise itself.
    source : str
        ``setting``, the peak it was read off, or ``assumed``.
    """

    constant: float
    slope: float
    rel_sd: float
    source: str

    def at(self, charge: FloatArray) -> FloatArray:
        """Return σ_z of ions of measured charges."""
        return np.hypot(self.constant, self.slope * np.maximum(charge, 0.0))


def noise_of_peak(
    mass: FloatArray, charge: FloatArray, part: FloatArray, centre: float, shape_sd: float, name: str
) -> ChargeNoise | None:
    """Return the noise that a peak's width shows beside that of the assembly.

    Parameters
    ----------
    mass, charge, part : arrays, shape (n,)
        Of each ion, and the part of it that belongs to the peak.
    centre, shape_sd : float
        Mean of the peak, and SD by assembly, Da.
    name : str

    Returns
    -------
    ChargeNoise or None
        None below 100 ions.
    """
    held = float(part.sum())
    if held < LEAST_IONS:
        return None
    mz = mass / charge
    seen = float((part * (mass - centre) ** 2).sum() / held)
    fixed = shape_sd**2 + (MZ_REL_SD * centre) ** 2
    per_charge = float((part * mz**2).sum() / held)
    noise = max(math.sqrt(max(seen - fixed, 0.0) / per_charge), LEAST_NOISE)
    # SD of a variance of n normal values, and what the assembly's width is known to
    wrong = math.hypot(seen * math.sqrt(2 / held), 2 * SHAPE_REL_SD * shape_sd**2)
    return ChargeNoise(noise, 0.0, min(wrong / (2 * noise**2 * per_charge), 1.0), name)


def agreed(first: ChargeNoise, other: ChargeNoise) -> ChargeNoise:
    """Return the mean of two noises, by the information of their variances, if they agree."""
    ours, theirs = (2 * n.rel_sd * n.constant**2 for n in (first, other))
    if abs(first.constant**2 - other.constant**2) > 2 * math.hypot(ours, theirs):
        return first
    weight = 1 / ours**2, 1 / theirs**2
    mean = (first.constant**2 * weight[0] + other.constant**2 * weight[1]) / sum(weight)
    rel_sd = min(1 / math.sqrt(sum(weight)) / (2 * mean), 1.0)
    return ChargeNoise(math.sqrt(mean), 0.0, rel_sd, f"{first.source} and {other.source}")
