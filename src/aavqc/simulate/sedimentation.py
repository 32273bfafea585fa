"""Sedimentation of one species in a sector-shaped cell, for virtual runs of known truth.

A scheme of its own, so that a fit is never tested against itself: linear finite elements in
x = r²/2, where the Lamm equation c_t = ∂/∂x [2x (D ∂c/∂x − s ω² c)] conserves ∫ c dx, and
the two-stage Radau IIA rule in time, R(z) = (6 + 2z)/(6 − 4z + z²), which is of third order
and damps the sharp start at the ends of the column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg.lapack import zgttrf, zgttrs

from aavqc.records import FloatArray

NODES = 3000
"""Regular cells of the column; the layer at the bottom has finer ones."""

_POLE = 2.0 + 1j * np.sqrt(2.0)
_RESIDUE = (6.0 + 2.0 * _POLE) / (2j * np.sqrt(2.0))


def ramp_omega2_t(time_s: float, rpm: float, acceleration_rpm_s: float) -> float:
    """Return ∫ ω² dt in rad²/s for a linear ramp from rest to ``rpm``.

    Examples
    --------
    >>> f"{ramp_omega2_t(50.0, 20000.0, 400.0):.4e}"
    '7.3108e+07'
    """
    omega = rpm * np.pi / 30.0
    ramp = rpm / acceleration_rpm_s
    on_ramp = min(time_s, ramp)
    return float(omega**2 * (on_ramp**3 / (3.0 * ramp**2) + max(time_s - ramp, 0.0)))


def sediment(
    s: float,
    D: float,
    *,
    meniscus: float,
    bottom: float,
    times_s: Sequence[float],
    omega2_t: Callable[[float], float],
    radius_cm: FloatArray,
    slowing: float = 0.0,
) -> FloatArray:
    """Solve the Lamm equation for a column that is uniformly 1 at rest.

    Parameters
    ----------
    s : float
        Sedimentation coefficient in seconds (65e-13 for 65 S), above 0.
    D : float
        Diffusion coefficient in cm²/s, above 0.
    meniscus, bottom : float
        In cm.
    times_s : sequence of float, ascending
    omega2_t : callable(seconds) -> rad²/s
        The integral of ω² from the start.
    radius_cm : array, shape (n,)
        Where the concentration is wanted; outside of the column it is 0.
    slowing : float
        Relative fall of s and D from meniscus to bottom, linear in radius.

    Returns
    -------
    array, shape (len(times_s), n)
        Concentration in units of the loading concentration.
    """
    last = float(times_s[-1])
    omega2 = max((omega2_t(last) - omega2_t(0.99 * last)) / (0.01 * last), 1.0)
    radius = nodes(s * omega2 / D, meniscus, bottom)
    middle = 0.5 * (radius[1:] + radius[:-1])
    mass, drift, spread = _matrices(radius, 1.0 - slowing * (middle - meniscus) / (bottom - meniscus))
    longest = (bottom - meniscus) / NODES / (s * omega2 * bottom)
    inside = (radius_cm >= meniscus) & (radius_cm <= bottom)
    wanted = np.zeros((len(times_s), radius_cm.size))
    c = np.ones(radius.size)
    factors: tuple[tuple[float, float], tuple[FloatArray, ...]] | None = None
    now = 0.0
    for i, end in enumerate(times_s):
        steps = max(int(np.ceil((end - now) / longest)), 1)
        ticks = np.linspace(now, end, steps + 1)
        dt = (end - now) / steps
        angles = np.array([omega2_t(float(t)) for t in ticks])
        for angle in np.diff(angles):
            step = (round(dt, 9), float(f"{angle:.9g}"))
            if factors is None or factors[0] != step:
                system = s * angle * drift - D * dt * spread - _POLE * mass
                lower, diagonal, upper, upper2, pivots, _ = zgttrf(system[2, :-1], system[1], system[0, 1:])
                factors = step, (lower, diagonal, upper, upper2, pivots)
            solution, _ = zgttrs(*factors[1], _times(mass, c))
            c = 2.0 * np.real(_RESIDUE * solution)
        now = end
        wanted[i, inside] = CubicSpline(radius, c)(radius_cm[inside])
    return wanted


def nodes(steepness: float, meniscus: float, bottom: float) -> FloatArray:
    """Return the radii of the grid: regular, and finer by 3 % a cell towards the bottom.

    ``steepness`` is s ω²/D in 1/cm²: the layer at the bottom falls off as exp(−steepness b Δr),
    and its scale spans six of the finest cells.
    """
    coarse = (bottom - meniscus) / NODES
    fine = min(coarse, 1.0 / (6.0 * steepness * bottom))
    growing = fine * 1.03 ** np.arange(int(np.ceil(np.log(coarse / fine) / np.log(1.03))) + 1)
    cells = np.minimum(np.concatenate((growing, np.full(NODES, coarse))), coarse)
    depth = np.concatenate(([0.0], np.cumsum(cells)))
    depth = depth[: int(np.searchsorted(depth, bottom - meniscus)) + 1]
    radius: FloatArray = bottom - depth[::-1] * ((bottom - meniscus) / depth[-1])
    radius[0] = meniscus
    return radius


def _matrices(radius: FloatArray, mobility: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Assemble mass, drift (per s ω²) and spread (per D) as (upper, diagonal, lower) bands.

    ``mobility``, one a cell, is the local s (and D) over that at the meniscus.
    """
    x = 0.5 * radius**2
    left, right = x[:-1], x[1:]
    h = right - left
    stiff = mobility * (left + right) / h
    from_left = mobility * (2.0 * left + right) / 3.0
    from_right = mobility * (left + 2.0 * right) / 3.0
    return (
        _bands(h / 3.0, h / 6.0, h / 6.0, h / 3.0),
        _bands(-from_left, -from_right, from_left, from_right),
        _bands(stiff, -stiff, -stiff, stiff),
    )


def _bands(aa: FloatArray, ab: FloatArray, ba: FloatArray, bb: FloatArray) -> FloatArray:
    """Add up 2×2 element matrices [[aa, ab], [ba, bb]] into a tridiagonal one."""
    zero = np.zeros(1)
    diagonal = np.concatenate((aa, zero)) + np.concatenate((zero, bb))
    return np.stack((np.concatenate((zero, ab)), diagonal, np.concatenate((ba, zero))))


def _times(bands: FloatArray, vector: FloatArray) -> FloatArray:
    product: FloatArray = bands[1] * vector
    product[:-1] += bands[0, 1:] * vector[1:]
    product[1:] += bands[2, :-1] * vector[:-1]
    return product
