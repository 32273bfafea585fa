"""A virtual sedimentation velocity run: one cell of scans in the vendor's format, of known truth."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from aavqc.documents import Document
from aavqc.errors import UsageError
from aavqc.records import FloatArray
from aavqc.simulate.sedimentation import ramp_omega2_t, sediment

NUCLEOTIDE_DA = 308.95
SVEDBERG = 1e-13
GAS = 8.314462618e7
AVOGADRO = 6.02214076e23
WATER_20 = (0.998234, 1.002)
"""Density (g/mL) and viscosity (mPa s) of water at 20 °C, that s20,w refers to."""

INCREMENT_PROTEIN, INCREMENT_DNA = 0.187, 0.170
"""Refractive increments in mL/g; only their ratio matters here."""

REPLICATES = 5
CEILING = {"absorbance": 3.0, "intensity": 3.0, "interference": 30.0}
"""Where the pile-up at the bottom can't be measured any more, in OD or fringes."""

_CAPSID = {"260": 3.72e6, "280": 6.61e6}
_NUCLEOTIDE = {"260": 8750.0, "280": 4700.0}


class Extinction(Document):
    """Molar extinction in 1/(M cm) by wavelength in nm: of a capsid, and of a packaged nucleotide."""

    capsid: dict[str, float] = _CAPSID
    nucleotide: dict[str, float] = _NUCLEOTIDE

    @field_validator("capsid", mode="before")
    @classmethod
    def _more_capsid(cls, given: dict[str, float]) -> dict[str, float]:
        return {**_CAPSID, **given}

    @field_validator("nucleotide", mode="before")
    @classmethod
    def _more_nucleotide(cls, given: dict[str, float]) -> dict[str, float]:
        return {**_NUCLEOTIDE, **given}


class AucSimulation(Document):
    """Settings of a virtual run; see each field's description for units."""

    seed: int = Field(0, ge=0)
    cell: int = Field(1, ge=1, le=8)
    optics: Literal["absorbance", "interference", "intensity"] = "absorbance"
    wavelengths: list[float] = Field([260.0], min_length=1, max_length=9, description="nm")
    rpm: float = Field(15000.0, ge=1000, le=60000)
    acceleration: float = Field(400.0, gt=0, description="rpm/s, from rest")
    scans: int = Field(60, ge=2, le=999, description="per wavelength")
    interval_s: float | None = Field(
        None, gt=0, description="between scans of a wavelength; none: the slowest species pellets"
    )
    species: list[str] = Field(
        ["0:0.25", "2300:0.15", "4700:0.60"],
        min_length=1,
        max_length=50,
        description="packaged nt:share of particles",
    )
    od: float = Field(0.6, gt=0, description="loading signal at the first wavelength, OD or fringes")
    extinction: Extinction = Extinction()
    path_length_cm: float = Field(1.2, gt=0)
    s_empty: float = Field(65.0, gt=0, description="S, as measured in this solvent")
    capsid_mass: float = Field(3.74e6, gt=0, description="Da")
    vbar_protein: float = Field(0.73, gt=0, lt=1, description="mL/g")
    vbar_dna: float = Field(0.55, gt=0, lt=1, description="mL/g")
    radius_growth: float = Field(
        0.0, ge=0, lt=0.5, description="relative growth of the Stokes radius at 4700 nt, linear in length"
    )
    density: float = Field(1.0, gt=0.9, lt=1.3, description="g/mL")
    viscosity: float = Field(1.002, gt=0, description="mPa s")
    temperature: float = Field(20.0, ge=0, le=40, description="°C")
    meniscus: float = Field(6.05, ge=5.8, le=7.2, description="cm")
    bottom: float = Field(7.2, ge=5.9, le=7.4, description="cm")
    radial_step: float = Field(0.003, ge=0.0005, le=0.02, description="cm")
    noise: float = Field(0.004, ge=0, description="SD of a point as printed, OD or fringes")
    ti_noise: float | None = Field(
        None, ge=0, description="SD over radius; none: 0.02 for interference, else 0"
    )
    ri_noise: float | None = Field(
        None, ge=0, description="SD over scans; none: 0.05 for interference, else 0"
    )

    @field_validator("species")
    @classmethod
    def _shares(cls, texts: list[str]) -> list[str]:
        number = r"\d+(\.\d*)?"
        if not all(re.fullmatch(rf"{number}:{number}", t) and float(t.partition(":")[2]) > 0 for t in texts):
            raise ValueError("must be like 0:0.4,4700:0.6 with shares above 0")
        return texts

    @model_validator(mode="after")
    def _consistent(self) -> AucSimulation:
        if self.bottom - self.meniscus < 0.1:
            raise ValueError("bottom must lie 0.1 cm or more below the meniscus")
        ordered = sorted(self.wavelengths)
        if any(b - a <= 4.0 for a, b in pairwise(ordered)) or ordered[0] < 150 or ordered[-1] > 1200:
            raise ValueError("wavelengths must be from 150 to 1200 nm and differ by more than 4 nm")
        return self


@dataclass(frozen=True)
class Species:
    """A capsid with ``packaged_nt`` nucleotides of ssDNA; ``signal`` is its loading by wavelength."""

    packaged_nt: float
    particle_fraction: float
    mass_da: float
    s: float
    s20w: float
    D: float
    signal: dict[str, float]


def simulate(out: Path, settings: AucSimulation) -> dict[str, Any]:
    """Write a run as the instrument would, and ``truth.json`` beside it.

    Parameters
    ----------
    out : Path
        Folder for ``00001.RA1`` … (``.IP1``, ``.RI1``); wavelengths are interleaved in the
        numbering and told apart by the header alone.
    settings : AucSimulation

    Returns
    -------
    dict
        The truth: species with s and s20,w in S, D in cm²/s and loading signal by wavelength,
        meniscus and bottom in cm, noise.

    Raises
    ------
    UsageError
        No extinction is known at a wavelength, or the folder can't be written.

    Notes
    -----
    Packaged DNA adds buoyant mass to a shell of the same friction, so
    s = s_E [1 + L·308.95 (1 − v_D ρ) / (M_c (1 − v_c ρ))], and D = s R T / (M (1 − v ρ)).
    All radii of a scan are seen at the second in its header. Absorbance is written as the mean
    and SD of five replicates; ``noise`` is the SD of that mean.
    """
    species = _species(settings)
    times = _scan_times(settings, min(p.s for p in species))
    radius = np.round(np.arange(settings.meniscus - 0.15, settings.bottom + 0.03, settings.radial_step), 4)
    shapes = [
        sediment(
            p.s * SVEDBERG,
            p.D,
            meniscus=settings.meniscus,
            bottom=settings.bottom,
            times_s=times,
            omega2_t=lambda t: ramp_omega2_t(t, settings.rpm, settings.acceleration),
            radius_cm=radius,
        )
        for p in species
    ]
    truth = _truth(settings, species)
    rng = np.random.default_rng(settings.seed)
    fixed = {_nm(w): _ti_noise(rng, settings, radius) for w in settings.wavelengths}
    kind = {"absorbance": "RA", "interference": "IP", "intensity": "RI"}[settings.optics]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for i, time_s in enumerate(times):
            wavelength = settings.wavelengths[i % len(settings.wavelengths)]
            nm = _nm(wavelength)
            clean = sum(p.signal[nm] * shape[i] for p, shape in zip(species, shapes, strict=True))
            clean = clean + fixed[nm] + rng.normal(0.0, _noise_levels(settings)[1])
            lines = [_header(settings, time_s, wavelength), *_columns(rng, settings, radius, clean)]
            text = "\r\n".join(["simulated", *lines, ""])
            (out / f"{i + 1:05d}.{kind}{settings.cell}").write_bytes(text.encode("ascii"))
        text = json.dumps(truth, sort_keys=True, indent=1, allow_nan=False) + "\n"
        (out / "truth.json").write_bytes(text.encode("ascii"))
    except OSError as error:
        raise UsageError(f"the folder can't be written ({error.strerror})", file=str(out)) from error
    return truth


# ---------------------------------------------------------------- what is in the cell


def _composition(texts: list[str]) -> list[tuple[float, float]]:
    """Return pairs of packaged length and share."""
    pairs = []
    for text in texts:
        length, _, share = text.partition(":")
        pairs.append((float(length), float(share)))
    return pairs


def _species(settings: AucSimulation) -> list[Species]:
    composition = _composition(settings.species)
    total = sum(share for _, share in composition)
    fractions = [share / total for _, share in composition]
    first = [_brightness(settings, length, settings.wavelengths[0]) for length, _ in composition]
    per_unit = settings.od / sum(f * b for f, b in zip(fractions, first, strict=True))
    found = []
    for (length, _), fraction in zip(composition, fractions, strict=True):
        here, water = _buoyant(settings, length, settings.density), _buoyant(settings, length, WATER_20[0])
        growth = 1.0 + settings.radius_growth * length / 4700.0
        s = settings.s_empty * here / _buoyant(settings, 0.0, settings.density) / growth
        found.append(
            Species(
                packaged_nt=length,
                particle_fraction=fraction,
                mass_da=settings.capsid_mass + length * NUCLEOTIDE_DA,
                s=s,
                s20w=s * water / here * settings.viscosity / WATER_20[1],
                D=s * SVEDBERG * GAS * (settings.temperature + 273.15) / here,
                signal={
                    _nm(w): per_unit * fraction * _brightness(settings, length, w)
                    for w in settings.wavelengths
                },
            )
        )
    return found


def _buoyant(settings: AucSimulation, length: float, density: float) -> float:
    """Return M (1 − v ρ) in g/mol."""
    protein = settings.capsid_mass * (1.0 - settings.vbar_protein * density)
    return protein + length * NUCLEOTIDE_DA * (1.0 - settings.vbar_dna * density)


def _brightness(settings: AucSimulation, length: float, wavelength: float) -> float:
    """Return the signal of a particle: molar extinction, or mass × refractive increment."""
    if settings.optics == "interference":
        return INCREMENT_PROTEIN * settings.capsid_mass + INCREMENT_DNA * length * NUCLEOTIDE_DA
    nm = _nm(wavelength)
    for name in ("capsid", "nucleotide"):
        if nm not in getattr(settings.extinction, name):
            raise UsageError(f"no extinction at {nm} nm", hint=f"set extinction.{name}.{nm}")
    return settings.extinction.capsid[nm] + length * settings.extinction.nucleotide[nm]


def _truth(settings: AucSimulation, species: list[Species]) -> dict[str, Any]:
    totals = {_nm(w): sum(p.signal[_nm(w)] for p in species) for w in settings.wavelengths}
    truth: dict[str, Any] = {
        "schema": "aavqc.truth/1",
        "technique": "auc",
        "cell": settings.cell,
        "optics": settings.optics,
        "meniscus": settings.meniscus,
        "bottom": settings.bottom,
        "noise": settings.noise,
        "signal": totals,
        "species": [
            {
                "packaged_nt": p.packaged_nt,
                "particle_fraction": p.particle_fraction,
                "signal_fraction": {nm: p.signal[nm] / totals[nm] for nm in totals},
                "signal": p.signal,
                "s": p.s,
                "s20w": p.s20w,
                "D": p.D,
                "mass_da": p.mass_da,
            }
            for p in species
        ],
        "settings": settings.model_dump(mode="json"),
    }
    if settings.optics != "interference":
        first = settings.wavelengths[0]
        mean = sum(p.particle_fraction * _brightness(settings, p.packaged_nt, first) for p in species)
        molar = settings.od / settings.path_length_cm / mean
        truth["capsids_per_ml"] = molar * AVOGADRO / 1000.0
        truth["genomes_per_ml"] = truth["capsids_per_ml"] * sum(
            p.particle_fraction for p in species if p.packaged_nt > 0
        )
    return truth


# ---------------------------------------------------------------- what the instrument sees


def _scan_times(settings: AucSimulation, slowest: float) -> list[float]:
    """Return whole seconds, as the header has them; wavelengths take turns."""
    turns = len(settings.wavelengths)
    omega = settings.rpm * math.pi / 30.0
    ramp = settings.rpm / settings.acceleration
    start = math.ceil(ramp) + 60
    pelleted = ramp + 1.05 * math.log(settings.bottom / settings.meniscus) / (slowest * SVEDBERG * omega**2)
    interval = settings.interval_s or max((pelleted - start) / (settings.scans - 1), 1.0)
    step = max(math.ceil(interval / turns), 1)
    return [float(start + i * step) for i in range(settings.scans * turns)]


def _noise_levels(settings: AucSimulation) -> tuple[float, float]:
    usual = (0.02, 0.05) if settings.optics == "interference" else (0.0, 0.0)
    given = (settings.ti_noise, settings.ri_noise)
    return tuple(u if g is None else g for g, u in zip(given, usual, strict=True))  # type: ignore[return-value]


def _ti_noise(rng: np.random.Generator, settings: AucSimulation, radius: FloatArray) -> FloatArray:
    """Return a baseline that is smooth over about ten points, with the SD asked for."""
    raw = np.convolve(rng.normal(size=radius.size + 18), np.hanning(19), mode="valid")
    scaled: FloatArray = _noise_levels(settings)[0] * (raw - raw.mean()) / raw.std()
    return scaled


def _columns(
    rng: np.random.Generator, settings: AucSimulation, radius: FloatArray, clean: FloatArray
) -> list[str]:
    """Add what the optics do to a clean scan, and print it."""
    depth = radius - settings.meniscus
    dark = (depth < -0.08) | (radius > settings.bottom)
    spike = (0.2 if settings.optics == "interference" else 0.8) * np.exp(-((depth / 0.004) ** 2))
    seen = np.where(dark, 0.0, clean + spike)
    ceiling = CEILING[settings.optics]
    steep = settings.noise * 10.0 ** np.clip(seen / ceiling - 0.5, 0.0, 0.5)
    sd = np.where(dark, 75.0 * settings.noise, steep)
    seen = np.minimum(seen, ceiling)
    if settings.optics == "absorbance":
        replicates = rng.normal(seen, sd * math.sqrt(REPLICATES), (REPLICATES, radius.size))
        points = zip(radius, replicates.mean(axis=0), replicates.std(axis=0, ddof=1), strict=True)
        return [f"{r:9.4f}{_number(a, 3):>15}{_number(b, 3):>16}" for r, a, b in points]
    if settings.optics == "interference":
        fringes = rng.normal(seen, sd)
        return [f"{r:9.4f}{_number(a, 2):>15}" for r, a in zip(radius, fringes, strict=True)]
    light = np.where(dark, 10.0, 4000.0 * (1.0 + 0.1 * np.sin(3.0 * radius)))
    flicker = sd * math.log(10.0) / math.sqrt(2.0)
    reference = light * np.exp(rng.normal(0.0, flicker))
    sample = light * 10.0**-seen * np.exp(rng.normal(0.0, flicker))
    points = zip(radius, sample, reference, strict=True)
    return [f"{r:9.4f}{_number(a, 4):>15}{_number(b, 4):>15}" for r, a, b in points]


def _header(settings: AucSimulation, time_s: float, wavelength: float) -> str:
    letter = {"absorbance": "R", "interference": "P", "intensity": "I"}[settings.optics]
    angle = _number(ramp_omega2_t(time_s, settings.rpm, settings.acceleration), 2, 4).replace("E+", "E")
    last = {"absorbance": REPLICATES, "interference": settings.rpm / 1000.0, "intensity": 1}[settings.optics]
    return (
        f"{letter} {settings.cell} {settings.temperature:04.1f} {settings.rpm:05.0f} {time_s:07.0f} "
        f"{angle} {wavelength:.0f} {last:.0f}"
    )


def _number(value: float, exponent_digits: int, decimals: int = 5) -> str:
    """Print a number as the instrument does: ``-6.97000E-002``."""
    mantissa, _, exponent = f"{value:.{decimals}E}".partition("E")
    return f"{mantissa}E{exponent[0]}{int(exponent[1:]):0{exponent_digits}d}"


def _nm(wavelength: float) -> str:
    return f"{wavelength:g}"
