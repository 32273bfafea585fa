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


@dataclass(frozen=True)
class Witnessed:
    """Masses by charge and m/z together, and how they hang on the variances of the two.

    Attributes
    ----------
    mass, sd : arrays, shape (n,)
        Da.
    moved, wider, agree : arrays, shape (h, n)
        Derivatives of the mass, of its variance, and of the log-likelihood that both witnesses
        agree: in the relative variance of the measured charge, and of the charges about the line.
    """

    mass: FloatArray
    sd: FloatArray
    moved: FloatArray
    wider: FloatArray
    agree: FloatArray


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


def witnessed(
    mass: FloatArray, charge: FloatArray, sigma_z: FloatArray, line: ChargeLine | None
) -> Witnessed:
    """Return masses and their errors from the measured charge and the line together.

    Parameters
    ----------
    mass, charge, sigma_z : arrays, shape (n,)
        By the measured charge alone (Da, e), and its SD.
    line : ChargeLine or None
        None: the measured charge has no other witness.
    """
    mz = mass / charge
    own = (sigma_z * mz) ** 2
    if line is None:
        none = np.zeros((1, mass.size))
        return Witnessed(mass, np.sqrt(own), none, own[None, :], none)
    steep = 1 / mz - line.slope
    apart, other = mass - line.intercept / steep, (line.spread / steep) ** 2
    both = own + other
    trust = other / both
    best, variance = mass - (1 - trust) * apart, trust * own
    # a mass M spreads its charges over d(m/z) = m/z² dz / M: the likelihood has M as a factor,
    # which moves its maximum
    shift = variance / best
    wider = np.stack([trust**2 * own, (1 - trust) ** 2 * other])
    moved = trust * (1 - trust) * apart * np.array([[-1.0], [1.0]])
    agree = 0.5 * (apart**2 / both - 1) * np.stack([1 - trust, trust]) + moved / best
    return Witnessed(best + shift, np.sqrt(variance), moved + wider / best, wider, agree)
