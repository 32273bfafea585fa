"""What a virtual charge-detection instrument is set to, and the ions that it sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from aavqc.documents import Document
from aavqc.errors import UsageError
from aavqc.records import FloatArray

PROTON_MASS = 1.007276467
NUCLEOTIDE_MASS = 308.95
SUBUNIT_DIFFERENCE = (21.88e3, 6.51e3)
"""Mass of VP1 and of VP2 above VP3 (AAV2), Da."""

CHARGE_NOISE = {"elit": (0.2, 0.0), "orbitrap": (1.74, 0.017)}
"""a and b of sigma_z² = a² + b² z²: an electrostatic ion trap's rms error (Keifer, Shinholt and
Jarrold 2015), and what two proteins of known charge show on an Orbitrap."""

SPLIT_DISTANCE = 0.8
"""Between the two peaks of a split signal, Th."""

EMPTY_CHARGE = 155.0
CHARGE_EXPONENT = 0.15
CHARGE_SPREAD = 0.03
"""Charge of an empty capsid, its growth with mass (the capsid's size is fixed), relative SD."""


FormatName = Literal["csv", "mzml", "dmt", "stori", "npz", "parquet", "mass_list", "photometry"]


class CdmsSimulation(Document):
    """Settings of a simulated run; ``species`` are ``packaged nt:fraction of particles``."""

    name: str = Field("cdms", min_length=1, pattern=r"^[\w.-]+$", description="stem of the files")
    seed: int = Field(0, ge=0)
    ions: int = Field(12_000, ge=1, le=5_000_000)
    species: list[str] = Field(["0:0.12", "2350:0.08", "4700:0.80"], min_length=1)
    capsid_mass: float = Field(3.7404e6, gt=1e6, description="Da, mean of VP 5:5:50")
    vp_ratio: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=3, max_length=3)] = Field(
        [1.0, 1.0, 10.0], description="VP1:VP2:VP3 from which each capsid draws its 60 subunits"
    )
    instrument: Literal["elit", "orbitrap"] | None = Field(
        None, description="charge noise of a kind of instrument, instead of sigma_z_a and sigma_z_b"
    )
    sigma_z_a: float = Field(1.0, ge=0, description="charge noise: sigma_z² = a² + b² z²")
    sigma_z_b: float = Field(0.002, ge=0)
    mz_resolution: float = Field(5000.0, gt=0, description="m/z over full width at half maximum")
    adducts: float = Field(0.001, ge=0, description="mean mass of adducts, fraction of the particle's")
    charge_slope: float = Field(112_100.0, gt=0)
    scans: int = Field(60, ge=1)
    injection_time_ms: list[Annotated[float, Field(ge=1)]] = Field(
        [50.0, 200.0], min_length=2, max_length=2, description="range, drawn anew for each scan"
    )
    multi_ion: float = Field(0.005, ge=0, lt=1, description="fraction of signals of two ions")
    split: float = Field(0.005, ge=0, lt=1, description="fraction of ions that decay in the trap")
    split_peaks: float = Field(
        0.0, ge=0, lt=1, description="fraction of ions whose signal is split into two peaks of its scan"
    )
    drift: float = Field(
        0.0, gt=-0.5, lt=0.5, description="change of the signal a charge from the first scan to the last"
    )
    noise: float = Field(2.0, ge=0, description="noise peaks an ion in the mzML")
    noise_a_scan: int = Field(0, ge=0, le=100_000, description="centroids of thermal noise in the mzML")
    photometry_dna: float = Field(
        0.85, gt=0, description="contrast of DNA over that of as much protein, in mass photometry"
    )
    formats: list[FormatName] = Field(["csv", "mzml"], min_length=1)


@dataclass(frozen=True)
class Ions:
    """What was drawn: the truth of each ion, and what the instrument saw of it."""

    nucleotides: FloatArray
    mass: FloatArray
    charge: FloatArray
    mz: FloatArray
    charge_observed: FloatArray
    multi: NDArray[np.bool_]
    scan: NDArray[np.int64]


def draw_ions(settings: CdmsSimulation, species: list[tuple[float, float]], rng: np.random.Generator) -> Ions:
    """Draw the ions of a run; ``species`` are packaged nt and share of the particles."""
    n = settings.ions
    nucleotides = rng.choice([nt for nt, _ in species], n, p=[f for _, f in species])
    ratio = np.array(settings.vp_ratio)
    if not ratio.any():
        raise UsageError("setting vp_ratio", expected="at least one of the three above 0", found=str(ratio))
    subunits = rng.multinomial(60, ratio / ratio.sum(), n)
    capsid = settings.capsid_mass + (subunits[:, :2] - 5) @ np.array(SUBUNIT_DIFFERENCE)
    mass = capsid + nucleotides * NUCLEOTIDE_MASS
    carried = mass * (1 + rng.exponential(settings.adducts, n))
    mean = EMPTY_CHARGE * (carried / 3.74e6) ** CHARGE_EXPONENT
    charge = np.maximum(np.rint(rng.normal(mean, CHARGE_SPREAD * mean)), 1.0)
    mz = (carried / charge + PROTON_MASS) * (1 + rng.normal(0, 1 / (2.3548 * settings.mz_resolution), n))
    a, b = CHARGE_NOISE.get(settings.instrument or "", (settings.sigma_z_a, settings.sigma_z_b))
    sigma = np.sqrt(a**2 + (b * charge) ** 2)
    observed = rng.normal(charge, sigma)
    multi = rng.random(n) < settings.multi_ion
    observed[multi] *= 2
    split = rng.random(n) < settings.split
    observed[split] *= rng.uniform(0.4, 0.9, n)[split]
    scan = np.sort(rng.integers(1, settings.scans + 1, n))
    observed = np.maximum(observed, 0.5) * (1 + settings.drift * (scan - 1) / max(settings.scans - 1, 1))
    return Ions(nucleotides, mass, charge, mz, observed, multi, scan)


def with_split_peaks(ions: Ions, settings: CdmsSimulation, rng: np.random.Generator) -> Ions:
    """Give some ions two peaks that share their signal: what is seen, no longer the truth."""
    if not settings.split_peaks:
        return ions
    n = ions.mz.size
    second = np.flatnonzero(rng.random(n) < settings.split_peaks)
    share = rng.uniform(0.3, 0.7, second.size)
    order = np.argsort(np.r_[ions.scan, ions.scan[second]], kind="stable")
    source = np.r_[np.arange(n), second][order]
    observed = ions.charge_observed.copy()
    observed[second] *= share
    observed = np.r_[observed, ions.charge_observed[second] * (1 - share)][order]
    mz = np.r_[ions.mz, ions.mz[second] + SPLIT_DISTANCE][order]
    return Ions(
        ions.nucleotides[source],
        ions.mass[source],
        ions.charge[source],
        mz,
        observed,
        ions.multi[source],
        ions.scan[source],
    )
