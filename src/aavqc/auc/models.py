"""Models: which one is meant, and how D follows from it.

==================  ==========================================================================
``cs``              c(s), one frictional ratio: D from s by the scaling law of Schuck (2000)
``cs_invariant_d``  c(s), one radius for all capsids, whatever they hold, but for its ``growth`` with s;
                    below and above the capsids D goes on as s^(−1/2), one frictional ratio each
``lsg``             ls-g*(s): nothing diffuses; Schuck & Rossmanith (2000) Biopolymers 54:328
``cs_ff0``          c(s, f/f0): a frictional ratio of its own for every s and f/f0 of a table
``species``         a few discrete species, each with its own s and D
==================  ==========================================================================

Meniscus, bottom and one shape are found with a c(s) in every case: the last three then explain
the scans of a cell that is known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aavqc.auc.composition import AGGREGATE, SUBCAPSID, expected_empty, gain_per_nucleotide
from aavqc.auc.settings import TechniqueSettings
from aavqc.records import FloatArray

ShapeToD = Callable[[FloatArray, float, float], FloatArray]
"""D in cm²/s from s in S, the shape and its growth."""

GAS_CONSTANT = 8.314462618e7  # erg / (mol K)
BOLTZMANN = 1.380649e-16  # erg / K
AVOGADRO = 6.02214076e23

ALGORITHMS = {
    "cs": "auc.cs/1",
    "cs_invariant_d": "auc.cs/1",
    "lsg": "auc.lsg/1",
    "cs_ff0": "auc.cs_ff0/1",
    "species": "auc.species/1",
}
"""Name and version of each model's algorithm."""


@dataclass(frozen=True)
class Shape:
    """The one parameter that D follows from, beside s: its kind, start, limits and law."""

    kind: str
    start: float
    low: float
    high: float
    to_d: ShapeToD


def model_of(settings: TechniqueSettings) -> str:
    """Return the model that is meant: ``auto`` is resolved.

    Examples
    --------
    >>> model_of(TechniqueSettings(design_length=4700))
    'cs_invariant_d'
    """
    if settings.model != "auto":
        return settings.model
    return "cs_invariant_d" if settings.design_length is not None else "cs"


def shape_of(model: str, settings: TechniqueSettings, temperature_c: float) -> Shape:
    """Return the shape of the c(s) that finds the cell.

    ``cs`` has a frictional ratio, ``cs_invariant_d`` a radius in nm; the others take the one or
    the other as ``model=auto`` would.
    """
    density, viscosity = solvent_or_water(settings)
    if model == "cs_invariant_d" or (model != "cs" and settings.design_length is not None):
        band, empty = capsid_band(settings), expected_empty(settings)

        def from_radius(s: FloatArray, radius_nm: float, growth: float) -> FloatArray:
            d = np.full(s.size, diffusion_from_radius(radius_nm, viscosity, temperature_c))
            if band is None:
                return d
            inside = np.clip(s, *band)
            larger = 1.0 + growth * np.maximum(inside / empty - 1.0, 0.0)
            return d / larger * np.sqrt(inside / s)

        radius = settings.radius_nm
        return Shape("radius", radius, 0.3 * radius, 3.0 * radius, from_radius)

    def from_ratio(s: FloatArray, ratio: float, growth: float) -> FloatArray:
        return diffusion_from_frictional_ratio(
            s * 1e-13, ratio, settings.vbar, density, viscosity, temperature_c
        )

    ratio = settings.frictional_ratio
    return Shape("frictional_ratio", ratio, max(0.3 * ratio, 1.0), 3.0 * ratio, from_ratio)


def capsid_band(settings: TechniqueSettings) -> tuple[float, float] | None:
    """Return where capsids sediment, in S as measured: from sub-capsid to aggregate.

    None without a ``design_length``: then D is one for all s.
    """
    if settings.design_length is None:
        return None
    empty = expected_empty(settings)
    fullest = 1 + gain_per_nucleotide(settings) * 1.5 * settings.design_length
    return SUBCAPSID * empty, AGGREGATE * fullest * empty


def solvent_or_water(settings: TechniqueSettings) -> tuple[float, float]:
    """Return density (g/mL) and viscosity (mPa s); water at 20 °C where they are not given.

    Only shape parameters rest on it then, and a warning says so.
    """
    density = settings.density if settings.density is not None else 0.9982
    viscosity = settings.viscosity if settings.viscosity is not None else 1.002
    return density, viscosity


def diffusion_from_frictional_ratio(
    s: FloatArray,
    ratio: float | FloatArray,
    vbar: float,
    density: float,
    viscosity: float,
    temperature_c: float,
) -> FloatArray:
    """Return D (cm²/s) of species s (in s) that share one frictional ratio.

    ``viscosity`` in mPa s. M = [s N 6πη k (3v/4πN)^⅓ / (1 − vρ)]^{3/2}, D = RTs/(M(1 − vρ)):
    Schuck (2000) Biophys J 78:1606.

    Examples
    --------
    >>> d = diffusion_from_frictional_ratio(np.array([65e-13]), 1.2, 0.73, 0.9982, 1.002, 20.0)
    >>> round(float(d[0]) * 1e7, 2)
    1.84
    """
    buoyancy = 1.0 - vbar * density
    eta = viscosity * 1e-2
    shape = 6 * np.pi * eta * ratio * (3 * vbar / (4 * np.pi * AVOGADRO)) ** (1 / 3)
    mass = (s * AVOGADRO * shape / buoyancy) ** 1.5
    result: FloatArray = GAS_CONSTANT * (temperature_c + 273.15) * s / (mass * buoyancy)
    return result


def diffusion_from_radius(radius_nm: float, viscosity: float, temperature_c: float) -> float:
    """Return D (cm²/s) of a sphere by Stokes and Einstein; ``viscosity`` in mPa s.

    Examples
    --------
    >>> round(diffusion_from_radius(13.7, 1.002, 20.0) * 1e7, 2)
    1.56
    """
    return float(BOLTZMANN * (temperature_c + 273.15) / (6 * np.pi * viscosity * 1e-2 * radius_nm * 1e-7))
