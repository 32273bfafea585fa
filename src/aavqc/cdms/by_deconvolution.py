"""Classes and peaks by deconvolution on m/z × charge, and then of the assembly's chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from aavqc.attributes import CLASSES
from aavqc.cdms.attributes import LEAST_IONS, LOD_IONS
from aavqc.cdms.deconvolution import Deconvolved, by_mass, count, deconvolve, grid_of
from aavqc.cdms.expected import expected_capsid
from aavqc.cdms.funnel import Ions
from aavqc.cdms.method import ClassShare, Method, peak_row
from aavqc.cdms.noise import MZ_REL_SD
from aavqc.cdms.peaks import Peak
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.smear import BINS, unfolded_histogram
from aavqc.cdms.uncertainty import effective_interval
from aavqc.documents import generator
from aavqc.intervals import normal_quantile
from aavqc.records import FloatArray, InputFile

Noise = Callable[[FloatArray], FloatArray]

REPLICATES = 60
"""Resampled sets of ions behind the intervals of the shares."""

CELL = 30e3
"""Widest spacing of the true masses, Da: two thirds of the assembly's SD."""

COLUMNS = 240
PEAK_STEP = 2e-3
"""Columns of m/z, and relative step of mass by which a peak's mean and SD are found."""


def by_deconvolution(
    ions: Ions,
    noise: Noise,
    edges: Sequence[float] | None,
    peaks: Sequence[Peak],
    settings: TechniqueSettings,
    inputs: Sequence[InputFile],
) -> Method | None:
    """Return peaks, and with ``edges`` the shares of the classes; None with fewer than 50 ions.

    Parameters
    ----------
    ions : Ions
    noise : callable
        SD of the charge at a charge.
    edges : sequence of float, optional
        Ends and bounds of the classes, Da.
    peaks : sequence of Peak
        Between whose bounds peaks are counted.
    settings : TechniqueSettings
    inputs : sequence of InputFile
        Of the record, for the resampling.
    """
    ends = _ends(ions, edges)
    inside = (ions.mass >= ends[0]) & (ions.mass < ends[1])
    n = int(np.count_nonzero(inside))
    if n < LEAST_IONS:
        return None
    mz, charge = ions.mass[inside] / ions.charge[inside], ions.charge[inside]
    middle = float(noise(np.array([np.median(charge)]))[0])
    grid = grid_of(mz, charge, middle, COLUMNS)
    mz_sd = MZ_REL_SD * (grid.mz[1:] + grid.mz[:-1]) / 2
    counts = count(mz, charge, grid)
    found = deconvolve(counts, grid, noise, mz_sd)
    shares = {}
    if edges is not None:
        value = _shares(found, edges, settings)
        # resampled only where it is asked for: it costs as much as all else together
        sd = np.zeros(4)
        if settings.report_by == "deconvolution":
            rng = generator(settings.seed, inputs)
            drawn = rng.multinomial(n, (counts / n).ravel(), REPLICATES)
            again = [
                deconvolve(d.reshape(counts.shape).astype(float), grid, noise, mz_sd, found.iterations, -1.0)
                for d in drawn
            ]
            sd = np.std([_shares(a, edges, settings) for a in again], axis=0, ddof=1)
        z = normal_quantile(settings.coverage)
        for j, name in enumerate(CLASSES):
            low, high = effective_interval(float(value[j]), float(sd[j]) ** 2, n, z)
            shares[name] = ClassShare(float(value[j]), low, high, LOD_IONS / n)
    convergence = {
        "iterations": found.iterations,
        "gain_per_ion": found.gain,
        "converged": found.converged,
        "ions": float(found.ions.sum()),
    }
    return Method(
        peaks=[row for p in peaks if (row := _peak(found, p, n)) is not None],
        shares=shares,
        facts={"convergence": convergence, "sigma_z": middle},
    )


def _ends(ions: Ions, edges: Sequence[float] | None) -> tuple[float, float]:
    if edges is not None:
        return edges[0], edges[-1]
    if not ions.mass.size:
        return 0.0, 0.0
    low, high = np.quantile(ions.mass, [0.002, 0.998])
    return float(low), float(high) * (1 + 1e-9)


def _shares(found: Deconvolved, edges: Sequence[float], settings: TechniqueSettings) -> FloatArray:
    """Take off the assembly's chance, which is a width of the mass and not of charge or m/z."""
    bins = np.linspace(edges[0], edges[-1], BINS + 1)
    histogram = by_mass(found, bins)
    sd = expected_capsid(settings).sd
    shares = unfolded_histogram(histogram, bins, tuple(edges), sd, 0.0, CELL)
    return np.array([shares[name] for name in CLASSES])


def _peak(found: Deconvolved, peak: Peak, n: int) -> dict[str, float] | None:
    """Count a peak between the masses where it ends, and find its mean and SD."""
    steps = max(2, int(np.log(peak.high / peak.low) / PEAK_STEP))
    bins = np.geomspace(peak.low, peak.high, steps + 1)
    held = by_mass(found, bins)
    ions = float(held.sum())
    if ions < 1:
        return None
    centre = np.array([(a + b) / 2 for a, b in pairwise(bins)])
    mean = float((held * centre).sum() / ions)
    return peak_row(mean, float(np.sqrt((held * (centre - mean) ** 2).sum() / ions)), ions, float(n))
