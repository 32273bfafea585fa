"""What the optics make of a scan, and how the instrument writes it down."""

from __future__ import annotations

import math

import numpy as np

from aavqc.records import FloatArray
from aavqc.simulate.auc_settings import AucSimulation
from aavqc.simulate.sedimentation import ramp_omega2_t

REPLICATES = 5
CEILING = {"absorbance": 3.0, "intensity": 3.0, "interference": 30.0, "fluorescence": 4095.0}
"""Where the pile-up at the bottom can't be measured any more, in OD, fringes or FU."""

KIND = {"absorbance": "RA", "interference": "IP", "intensity": "RI", "fluorescence": "FI"}


def noise_levels(settings: AucSimulation) -> tuple[float, float]:
    """Return the SD of noise constant in time and of noise constant in radius."""
    usual = (0.02, 0.05) if settings.optics == "interference" else (0.0, 0.0)
    given = (settings.ti_noise, settings.ri_noise)
    return tuple(u if g is None else g for g, u in zip(given, usual, strict=True))  # type: ignore[return-value]


def ti_noise(rng: np.random.Generator, settings: AucSimulation, radius: FloatArray) -> FloatArray:
    """Return a baseline that is smooth over about ten points, with the SD asked for."""
    raw = np.convolve(rng.normal(size=radius.size + 18), np.hanning(19), mode="valid")
    scaled: FloatArray = noise_levels(settings)[0] * (raw - raw.mean()) / raw.std()
    return scaled


def columns(
    rng: np.random.Generator, settings: AucSimulation, radius: FloatArray, clean: FloatArray
) -> list[str]:
    """Add what the optics do to a clean scan, and print it."""
    depth = radius - settings.meniscus
    dark = (depth < -0.08) | (radius > settings.bottom)
    height = {"interference": 0.2, "fluorescence": settings.od}.get(settings.optics, 0.8)
    spike = height * np.exp(-((depth / 0.004) ** 2))
    seen = np.where(dark, 0.0, clean + spike)
    ceiling = CEILING[settings.optics]
    steep = settings.noise * 10.0 ** np.clip(seen / ceiling - 0.5, 0.0, 0.5)
    sd = np.where(dark, 75.0 * settings.noise, steep)
    seen = np.minimum(seen, ceiling)
    if settings.optics == "absorbance":
        replicates = rng.normal(seen, sd * math.sqrt(REPLICATES), (REPLICATES, radius.size))
        points = zip(radius, replicates.mean(axis=0), replicates.std(axis=0, ddof=1), strict=True)
        return [f"{r:9.4f}{_number(a, 3):>15}{_number(b, 3):>16}" for r, a, b in points]
    if settings.optics in ("interference", "fluorescence"):
        signal = rng.normal(seen, sd)
        return [f"{r:9.4f}{_number(a, 2):>15}" for r, a in zip(radius, signal, strict=True)]
    light = np.where(dark, 10.0, 4000.0 * (1.0 + 0.1 * np.sin(3.0 * radius)))
    flicker = sd * math.log(10.0) / math.sqrt(2.0)
    reference = light * np.exp(rng.normal(0.0, flicker))
    sample = light * 10.0**-seen * np.exp(rng.normal(0.0, flicker))
    points = zip(radius, sample, reference, strict=True)
    return [f"{r:9.4f}{_number(a, 4):>15}{_number(b, 4):>15}" for r, a, b in points]


def header(settings: AucSimulation, cell: int, time_s: float, wavelength: float) -> str:
    """Return the line of eight fields."""
    letter = {"RA": "R", "IP": "P", "RI": "I", "FI": "F"}[KIND[settings.optics]]
    angle = _number(ramp_omega2_t(time_s, settings.rpm, settings.acceleration), 2, 4).replace("E+", "E")
    last = {"absorbance": REPLICATES, "interference": settings.rpm / 1000.0}.get(settings.optics, 1)
    return (
        f"{letter} {cell} {settings.temperature:04.1f} {settings.rpm:05.0f} {time_s:07.0f} "
        f"{angle} {wavelength:.0f} {last:.0f}"
    )


def _number(value: float, exponent_digits: int, decimals: int = 5) -> str:
    """Print a number as the instrument does: ``-6.97000E-002``."""
    mantissa, _, exponent = f"{value:.{decimals}E}".partition("E")
    return f"{mantissa}E{exponent[0]}{int(exponent[1:]):0{exponent_digits}d}"
