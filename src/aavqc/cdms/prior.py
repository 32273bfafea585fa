"""What the m/z of an ion says of its mass, once the charges of the sample are known.

Capsids of one sample carry charges that follow their mass closely: z̄ = α + β M, with an SD ω of
some 2 %. So an ion's m/z is a second witness of its mass, whose error is independent of that of
the measured charge: z (1/mz − β) … M_b = α / (1/(m/z) − β), SD ω / (1/(m/z) − β). The two are
averaged by their variances. For charges that are not normal about the line this is still the
best linear estimate, with the stated variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aavqc.records import FloatArray


@dataclass(frozen=True)
class ChargeLine:
    """Mean charge over mass: ``intercept`` (e), ``slope`` (e/Da), and the SD about it (e)."""

    intercept: float
    slope: float
    spread: float


def charge_line(
    mass: FloatArray, charge: FloatArray, sigma_z: FloatArray, members: list[FloatArray], shape_sd: float
) -> ChargeLine | None:
    """Fit the line through the means of the peaks, and the spread about it of the largest.

    Parameters
    ----------
    mass, charge, sigma_z : arrays, shape (n,)
    members : list of arrays, shape (n,)
        Part of each ion that belongs to each peak.
    shape_sd : float
        SD of a peak's masses by assembly, Da.

    Returns
    -------
    ChargeLine or None
        None where the line would not be positive, or less steep in M than 1 / (m/z): no prior.
    """
    held = np.array([m.sum() for m in members])
    x = np.array([(m * mass).sum() / h for m, h in zip(members, held, strict=True)])
    y = np.array([(m * charge).sum() / h for m, h in zip(members, held, strict=True)])
    at, level = (held * x).sum() / held.sum(), (held * y).sum() / held.sum()
    moment = (held * (x - at) ** 2).sum()
    slope = float((held * (x - at) * (y - level)).sum() / moment) if moment > 0 else 0.0
    k = int(held.argmax())
    scatter = float((members[k] * ((charge - y[k]) ** 2 - sigma_z**2)).sum() / held[k])
    spread = float(np.sqrt(max(scatter - (slope * shape_sd) ** 2, 0.25)))
    intercept = float(level - slope * at)
    sound = intercept > 0 and float((1 / (mass / charge)).min()) > slope
    return ChargeLine(intercept, slope, spread) if sound else None


def informed(
    mass: FloatArray, charge: FloatArray, sigma_z: FloatArray, line: ChargeLine
) -> tuple[FloatArray, FloatArray]:
    """Return masses and their SD from the measured charge and the line together, in Da."""
    mz = mass / charge
    steep = 1 / mz - line.slope
    other, other_sd = line.intercept / steep, line.spread / steep
    own_sd = sigma_z * mz
    trust = other_sd**2 / (other_sd**2 + own_sd**2)
    best, sd = trust * mass + (1 - trust) * other, np.sqrt(trust) * own_sd
    # a mass M spreads its charges over d(m/z) = m/z² dz / M: the likelihood has M as a factor,
    # which moves its maximum
    return best + sd**2 / best, sd
