"""The charge noise as the likelihood of all ions has it, peaks and remainder following.

Read off a peak's width, the noise is too small where the remainder takes part of its tails, and too
large where neighbours pass for tails. So the variances of both witnesses, the measured charge and
the m/z, are parameters of the fit, and so is the width of each further peak, which would else pass
for noise. The likelihood is that of the masses and of the agreement of the witnesses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aavqc.cdms.information import basis, noisy_covariance
from aavqc.cdms.mixture import Mixture
from aavqc.cdms.noise import LEAST_NOISE, MZ_REL_SD, ChargeNoise
from aavqc.cdms.prior import ChargeLine, Witnessed, charge_line, witnessed
from aavqc.records import FloatArray

ROUNDS = 20

SETTLED = 0.03
"""Square of the step, in SD of the parameter, at which a noise has settled."""

FOLLOWING = 8
"""Steps of the mixture after each of the noises."""

FARTHEST = 2.0
"""A variance of the noise, or a width, changes by no larger factor in one step."""


@dataclass(frozen=True)
class Seen:
    """Ions by their measured charge: mass (Da), charge (e), the ends of all masses, SD by assembly (Da)."""

    mass: FloatArray
    charge: FloatArray
    ends: tuple[float, float]
    shape_sd: float

    def line(self, noise: ChargeNoise, found: Mixture) -> ChargeLine | None:
        """Return the mean charges of the peaks found."""
        members = [found.owned(k) for k in range(found.state.share.size) if found.state.share[k] > 0]
        return charge_line(self.mass, self.charge, noise.at(self.charge), members, self.shape_sd)

    def told(self, noise: ChargeNoise, line: ChargeLine | None) -> Witnessed:
        """Return masses by both witnesses, within the ends, with the error of m/z added."""
        told = witnessed(self.mass, self.charge, noise.at(self.charge), line)
        inside = np.clip(told.mass, self.ends[0], self.ends[1] * (1 - 1e-12))
        return replace(told, mass=inside, sd=np.hypot(told.sd, MZ_REL_SD * inside))


@dataclass(frozen=True)
class Learned:
    """A mixture with its noises at the maximum, if it ``settled`` there, and what it was fitted to."""

    mixture: Mixture
    told: Witnessed
    noise: ChargeNoise
    line: ChargeLine | None
    settled: bool


def learned(
    seen: Seen, found: Mixture, told: Witnessed, noise: ChargeNoise, line: ChargeLine | None, fixed: bool
) -> Learned:
    """Climb in noises and widths, with the mixture following, from where it was found.

    Parameters
    ----------
    seen : Seen
    found : Mixture
    told : Witnessed
        What it was fitted to.
    noise : ChargeNoise
    line : ChargeLine or None
    fixed : bool
        The noise of the charge stays as given.
    """
    k = found.state.share.size
    settled, pace, last = False, np.ones(k + len(told.agree)), np.zeros(k + len(told.agree))
    for _ in range(ROUNDS):
        step, far = basis(found, told).ascent(fixed)
        pace[step * last < 0] /= 2  # else a width next to nothing may go to and fro for ever
        last = step
        factor = np.clip(1 + pace * step, 1 / FARTHEST, FARTHEST)
        constant = noise.constant
        if not fixed:
            constant = max(constant * float(factor[k]) ** 0.5, LEAST_NOISE)
        far[k] *= constant != noise.constant
        if settled := bool(far.max() < SETTLED):
            break
        noise = replace(noise, constant=constant)
        if line is not None:
            line = replace(line, spread=line.spread * float(factor[k + 1]) ** 0.5)
        told = seen.told(noise, line)
        found = found.refitted(told.mass, told.sd, found.state.width2 * factor[:k] ** 2, FOLLOWING)
    found = found.refitted(told.mass, told.sd, found.state.width2)
    if not fixed:
        _, rel_sd = noisy_covariance(basis(found, told).information(), len(told.agree), None)
        noise = replace(noise, rel_sd=rel_sd, source="all peaks")
    return Learned(found, told, noise, line, settled)
