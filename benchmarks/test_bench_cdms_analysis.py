"""Mixture and deconvolution, by size, with the operations behind the time.

Floor of the deconvolution: every iteration is four passes of multiply-adds (charge and m/z, there
and back): 2 · (11 + 19) taps on 598,185 cells, 36 million, 1.8 thousand million in 50 iterations:
0.45 s at 4 a nanosecond on one core. Floor of the mixture: ions are gathered into points once, some
100 bytes moved for each; the climb is on some 2,000 points whatever their number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aavqc.cdms.deconvolution import Grid, deconvolve
from aavqc.cdms.mixture import fit_mixture
from aavqc.cdms.shape import capsid_shape

CAPSID, NUCLEOTIDE = 3.7404e6, 308.95


@pytest.mark.parametrize("columns", [1477, 7385])
def test_deconvolution_cdms(benchmark: Any, columns: int) -> None:
    """50 iterations on 81 charges; the peer takes 8.0 s for 7,385 columns."""
    rng = np.random.default_rng(0)
    grid = Grid(np.linspace(20, 101, 82), np.linspace(8000, 22770, columns + 1))
    counts = rng.poisson(0.14, (81, columns)).astype(float)
    sd = np.full(columns, 10 / 2.355)
    found = benchmark(deconvolve, counts, grid, lambda z: np.full(z.size, 3 / 2.355), sd, 50, -1.0)
    assert found.ions.sum() == pytest.approx(counts.sum(), rel=1e-9)


@pytest.mark.parametrize("most_peaks", [0, 10], ids=["given", "searched"])
@pytest.mark.parametrize("ions", [25_000, 100_000, 1_600_000])
def test_mixture_of_five_cdms(benchmark: Any, ions: int, most_peaks: int) -> None:
    """Five peaks and the remainder, their number given or searched by BIC from the first and the fourth."""
    rng = np.random.default_rng(1)
    centres = CAPSID + NUCLEOTIDE * np.array([0, 1500, 3100, 4700, 5500])
    mass = rng.normal(rng.choice(centres, ions, p=[0.25, 0.05, 0.05, 0.55, 0.10]), 60e3)
    bounds = [0.88 * CAPSID, *(CAPSID + NUCLEOTIDE * nt for nt in (470, 3995, 5170)), 1.76 * CAPSID]
    found = benchmark(
        fit_mixture,
        mass,
        rng.normal(36e3, 1e3, ions),
        capsid_shape(47.6e3),
        bounds,
        (centres[[0, 3]] if most_peaks else centres).tolist(),
        further_width=20e3,
        most_peaks=most_peaks,
    )
    assert found.climb.converged
