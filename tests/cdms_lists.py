"""Lists of capsid ions with known truth, drawn apart from the library's own simulator and kernels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aavqc.records import FloatArray, InputFile, IonTable, readonly

SLOPE = 112_100.0
CAPSID, NUCLEOTIDE = 3.7404e6, 308.95
BOUNDS = (470.0, 3995.0, 5170.0)


@dataclass(frozen=True)
class Lot:
    """Shares of empty, partial, full and overfull, and how ions are seen."""

    shares: tuple[float, float, float, float]
    ions: int = 12_000
    sigma_z: float = 1.0
    partial: tuple[float, float] = (900.0, 3700.0)
    overfull: float = 5500.0
    scale: float = 1.0
    drift: float = 0.0
    sigma_z_slope: float = 0.0
    full: float = 4700.0
    tail: float = 0.0
    """Share of ions whose charge is seen too low, by 6 e on average."""


def draw(lot: Lot, seed: int) -> IonTable:
    """Draw a list: classes, lengths, assembly, charges, m/z, noise."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, lot.ions, p=lot.shares)
    length = np.select(
        [kind == 1, kind == 2, kind == 3],
        [rng.uniform(*lot.partial, lot.ions), lot.full, lot.overfull],
        0.0,
    )
    subunits = rng.multinomial(60, [1 / 12, 1 / 12, 10 / 12], lot.ions)
    mass = CAPSID + (subunits[:, :2] - 5) @ np.array([21.88e3, 6.51e3]) + length * NUCLEOTIDE
    mean = 155 * (mass / 3.74e6) ** 0.15
    charge = np.rint(rng.normal(mean, 0.022 * mean))
    mz = mass / charge * (1 + rng.normal(0, 8.5e-5, lot.ions))
    time = np.arange(lot.ions) / lot.ions
    noise = np.hypot(lot.sigma_z, lot.sigma_z_slope * charge)
    seen = charge + rng.normal(0, noise)
    if lot.tail:
        seen -= (rng.random(lot.ions) < lot.tail) * rng.exponential(6, lot.ions)
    seen *= lot.scale * (1 + lot.drift * time)
    return table(mz + 1.007276467, seen * SLOPE, time=time)


def table(mz: FloatArray, intensity: FloatArray, time: FloatArray | None = None) -> IonTable:
    """Return a record of ions, fifty a scan."""
    n = mz.size
    return IonTable(
        name="ions.csv",
        sample_id="ions",
        format="ion-list",
        inputs=(InputFile("ions.csv", "ab" * 32, 1),),
        mz=readonly(mz),
        intensity=readonly(intensity),
        charge=None,
        scan=readonly(np.arange(n) // 50, np.int64),
        time_s=None if time is None else readonly(600 * time),
        rows_read=n,
    )
