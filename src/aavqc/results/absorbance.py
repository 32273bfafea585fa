"""Genome and capsid titer from the absorbance of a denatured sample at 260 and 280 nm."""

from __future__ import annotations

import math

import numpy as np

from aavqc.attributes import Attribute
from aavqc.errors import AssayError, UsageError

PER_ML = 6.02214076e23 / 1000
"""Particles a mL at 1 mol/L."""

Z = 1.959963984540054


def titers_from_absorbance(
    a260: float,
    a280: float,
    a320: float,
    *,
    extinction_capsid: tuple[float, float],
    extinction_nucleotide: tuple[float, float],
    design_length: float,
    path_length_cm: float = 1.0,
    dilution_factor: float = 1.0,
    absorbance_sd: float | None = None,
    extinction_rel_sd: float = 0.0,
) -> list[Attribute]:
    """Return ``vg_titer_optical`` and ``cp_titer_optical`` of a sample denatured with SDS and heat.

    Denaturation frees the DNA, so that absorbances add up (Sommer et al. 2003, Mol Ther 7:122):
    A = (ε_capsid c_capsid + ε_nucleotide L c_genome) l at both wavelengths, two equations for two
    concentrations. A320 is scatter and is subtracted from both.

    Parameters
    ----------
    a260, a280, a320 : float
        Absorbances, blank subtracted.
    extinction_capsid : tuple of float
        At 260 and 280 nm, M⁻¹ cm⁻¹ a particle, denatured.
    extinction_nucleotide : tuple of float
        At 260 and 280 nm, M⁻¹ cm⁻¹ a nucleotide, in the state in which the sample's DNA is.
    design_length : float
        nt; a genome is as many nucleotides of DNA. Partial genomes count by their length.
    path_length_cm, dilution_factor : float
    absorbance_sd : float, optional
        Of each reading; without it no interval is stated.
    extinction_rel_sd : float
        Of each of the four coefficients, as a fraction.

    Raises
    ------
    UsageError
        A number that can't be; coefficients that can't tell DNA from protein.
    AssayError
        The absorbances are no mixture of capsids and DNA.

    Examples
    --------
    >>> vg, cp = titers_from_absorbance(0.664, 0.499, 0.005, extinction_capsid=(3.72e6, 6.61e6),
    ...                                 extinction_nucleotide=(6180.0, 3430.0), design_length=4500)
    >>> f"{vg.value:.2E} {cp.value:.2E}"
    '1.20E+13 1.70E+13'
    """
    numbers = (a260, a280, a320, *extinction_capsid, *extinction_nucleotide, design_length)
    more = (path_length_cm, dilution_factor)
    if not all(math.isfinite(n) for n in (*numbers, *more)) or min(*numbers[3:], *more) <= 0:
        raise UsageError("absorbances are finite; coefficients, length, path and dilution are above 0")
    readings = np.array([a260 - a320, a280 - a320]) / path_length_cm
    system = np.array(
        [[e * design_length, c] for e, c in zip(extinction_nucleotide, extinction_capsid, strict=True)]
    )
    if abs(np.linalg.det(system / system.max(axis=0))) < 1e-3:
        raise UsageError("the coefficients do not tell DNA from protein", found=str(system.tolist()))
    inverse = np.linalg.inv(system)
    molar = inverse @ readings
    scale = PER_ML * dilution_factor
    sds = None
    if absorbance_sd is not None:
        # the same A320 is in both readings
        noise = (absorbance_sd / path_length_cm) ** 2 * (np.eye(2) + 1)
        noise += np.diag((extinction_rel_sd * system) ** 2 @ molar**2)
        sds = np.sqrt(np.diag(inverse @ noise @ inverse.T)) * scale
    return [
        _titer(name, unit, float(molar[i] * scale), None if sds is None else float(sds[i]))
        for i, (name, unit) in enumerate((("vg_titer_optical", "vg/mL"), ("cp_titer_optical", "cp/mL")))
    ]


def _titer(name: str, unit: str, value: float, sd: float | None) -> Attribute:
    high = None if sd is None else value + Z * sd
    if value <= 0 and (high is None or high <= 0):
        raise AssayError(
            f"no {name}: the absorbances are no mixture of capsids and DNA", found=f"{value:.3g} {unit}"
        )
    return Attribute(
        name=name,
        technique="absorbance",
        value=max(value, 0.0),
        unit=unit,
        ci_low=None if sd is None else max(value - Z * sd, 0.0),
        ci_high=high,
        coverage=None if sd is None else 0.95,
        scope=None if sd is None else "fit",
        qualifier="ND" if value <= 0 else None,
        bound=high if value <= 0 else None,
    )
