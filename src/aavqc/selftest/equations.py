"""Equations and published numbers that no one here wrote."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from aavqc.attributes import Attribute
from aavqc.cdms.deconvolution import count, deconvolve, grid_of
from aavqc.ddpcr.poisson import copies_per_droplet, poisson_interval
from aavqc.ddpcr.species import species
from aavqc.intervals import clopper_pearson, wilson
from aavqc.kernels import as_input
from aavqc.kernels.lamm import lamm_basis
from aavqc.records import FloatArray
from aavqc.results import Specification
from aavqc.selftest.check import Check, all_equal, close

NEWCOMBE = {
    (81, 263): ((0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148): ((0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20): ((0.0000, 0.1611), (0.0000, 0.1684)),
    (1, 29): ((0.0061, 0.1718), (0.0009, 0.1776)),
}
"""95 % intervals of a proportion: Wilson's score and the exact one."""

USP = (
    ("NLT 98.0", 97.96, "PASS"),
    ("NLT 98.0", 97.92, "OOS"),
    ("NLT 98.0", 97.95, "PASS"),
    ("NMT 101.5", 101.55, "OOS"),
    ("NMT 101.5", 101.46, "PASS"),
    ("NMT 101.5", 101.45, "PASS"),
    ("NMT 0.02", 0.025, "OOS"),
    ("NMT 0.02", 0.015, "PASS"),
    ("NMT 0.02", 0.027, "OOS"),
    ("NMT 0.0003", 0.00035, "OOS"),
    ("NMT 0.0003", 0.00025, "PASS"),
    ("NMT 0.0003", 0.00028, "PASS"),
)


def rounding() -> Iterator[Check]:
    """Judge the twelve values of the pharmacopoeia's own table."""
    found = []
    for limit, value, _ in USP:
        test = {"id": "t", "attribute": "a", "limit": f"{limit} %"}
        judged = Specification(id="S", version="1", tests=[test]).check(
            [Attribute(name="a", technique="auc", value=value, unit="%")]
        )
        found.append(judged["t"].verdict)
    yield all_equal("verdicts after rounding", "USP General Notices 7.20, table", [v for *_, v in USP], found)


def proportions() -> Iterator[Check]:
    """Compare intervals of a proportion with a published table."""
    expected = [bound for pair in NEWCOMBE.values() for interval in pair for bound in interval]
    found = [
        round(bound, 4)
        for k, n in NEWCOMBE
        for interval in (wilson(k, n), clopper_pearson(k, n))
        for bound in interval
    ]
    yield all_equal("intervals of a proportion", "Newcombe 1998, Stat Med 17:857, table I", expected, found)


def sedimentation() -> Iterator[Check]:
    """Hold the Lamm kernel against what is exact whatever the diffusion.

    The plateau thins as exp(-2 s ω² t). The second-moment position r, where
    ∫ c r dr to the plateau is c_p (r_p² - r²)/2, moves as r = m exp(s ω² t). In a cell whose
    bottom is seen the amount ∫ c r dr is kept.
    """
    s, meniscus, omega2, times = 65e-13, 6.0, (15000 * math.pi / 30) ** 2, np.array([1800.0, 5400.0])
    radii = np.linspace(meniscus, 6.9, 4001)
    scans = _solved(s, 6.5e-8, meniscus, 8.5, omega2, times, radii)
    for t, c in zip(times, scans, strict=True):
        moved = s * omega2 * t
        square = radii[-1] ** 2 - 2 * float(np.trapezoid(c * radii, radii)) / c[-1]
        label = f"sedimenting boundary after {t:.0f} s"
        yield close(f"{label}: plateau", "square dilution law", math.exp(-2 * moved), c[-1], 1e-4)
        place = meniscus * math.exp(moved)
        yield close(
            f"{label}: place", "Goldberg 1953, J Phys Chem 57:194", place, math.sqrt(square), 2e-4, "cm"
        )
    bottom = 6.5
    radii = np.linspace(meniscus, bottom, 4001)
    (c,) = _solved(4.5e-13, 6e-7, meniscus, bottom, (9000 * math.pi / 30) ** 2, np.array([36000.0]), radii)
    kept = float(np.trapezoid(c * radii, radii)) * 2 / (bottom**2 - meniscus**2)
    yield close("amount in a closed cell", "conservation of mass", 1.0, kept, 1e-3)


def _solved(
    s: float,
    diffusion: float,
    meniscus: float,
    bottom: float,
    omega2: float,
    times: FloatArray,
    radii: FloatArray,
) -> FloatArray:
    out = np.empty((1, times.size, radii.size))
    species_of = (as_input([s]), as_input([diffusion]))
    lamm_basis(
        *species_of, meniscus, bottom, omega2, 0.0, as_input(omega2 * times), as_input(radii), 3.0, out
    )
    scans: FloatArray = out[0]
    return scans


def droplets() -> Iterator[Check]:
    """Compare counts of droplets with published formulas."""
    k, n = 4827, 15203
    density = _number(copies_per_droplet(k, n))
    yield close("copies a droplet", "Poisson: -ln(1 - k/n)", -math.log(1 - k / n), density, 1e-12)
    bound = _number(poisson_interval(0, n, "vendor")[1])
    source = "Bio-Rad's table of small counts: 2.996 for none"
    yield close("upper bound of a blank", source, -math.log(1 - 2.996 / n), bound, 1e-9)
    none, first, second, both = 13838, 4, 81, 1897
    total = none + first + second + both
    linked = math.log(total * none / ((first + none) * (second + none)))
    solved = species(np.array([none, first, second, both]))
    found = _number(None if solved is None else float(solved.density[3]))
    yield close("linked molecules a droplet", "Bio-Rad's formula of linkage", linked, found, 1e-12)


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def ions() -> Iterator[Check]:
    """Unfold ions on m/z × charge: none may be lost or counted twice."""
    rng = np.random.default_rng(1)
    charge = rng.normal(160, 8, 5000)
    mz = rng.normal(24000, 400, 5000)
    grid = grid_of(mz, charge, 2.0, 120)
    counts = count(mz, charge, grid)
    unfolded = deconvolve(counts, grid, lambda z: np.full(z.shape, 2.0), np.full(120, 20.0))
    yield close("ions after deconvolution", "as many as before", 5000.0, float(unfolded.ions.sum()), 5e-6)


EQUATIONS: tuple[Callable[[], Iterator[Check]], ...] = (rounding, proportions, sedimentation, droplets, ions)
