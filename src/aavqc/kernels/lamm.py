"""Numerical solution of the Lamm equation for one species of unit loading.

    ∂c/∂t = (1/r) ∂/∂r [ r D ∂c/∂r − s ω² r² c ],   no flux at meniscus and bottom

The independent variable is w = ∫ω²dt, so that rotor acceleration costs nothing: in w the
sedimentation velocity is s·r, and diffusion acts for the real time that passes.

Two schemes, both finite volumes on a geometric grid (amounts are conserved to rounding):

moving
    Where convection dominates a cell, the grid moves with the solute: in a step of
    Δw = ln(b/m)/(n s) the content of each cell passes exactly into the next. Only diffusion
    is left to solve (Crank–Nicolson), joined to convection by Strang splitting.
fixed
    Where diffusion dominates a cell, convection and diffusion are solved together
    (Crank–Nicolson, central differences) with steps that follow the boundary's width.

The moving frame goes back to Schuck (1998) Biophys J 75:1503; both are written here anew.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel

Floats = NDArray[np.float64]

PECLET_MOVING = 0.5
"""Above this ratio of convection to diffusion in a cell the grid moves with the solute."""


@kernel
def _elapsed(w: float, omega2: float, ramp_s: float) -> float:
    """Time at which ∫ω²dt reaches w, for a linear ramp of ``ramp_s`` seconds to full speed."""
    w_ramp = omega2 * ramp_s / 3.0
    if w < w_ramp:
        return float((3.0 * ramp_s * ramp_s * max(w, 0.0) / omega2) ** (1.0 / 3.0))
    return w / omega2 + 2.0 / 3.0 * ramp_s


@kernel
def _solve_tridiagonal(
    lower: Floats, diagonal: Floats, upper: Floats, right: Floats, scratch: Floats
) -> None:
    """Solve in place (Thomas); ``right`` becomes the solution."""
    n = right.size
    scratch[0] = upper[0] / diagonal[0]
    right[0] /= diagonal[0]
    for k in range(1, n):
        inverse = 1.0 / (diagonal[k] - lower[k] * scratch[k - 1])
        scratch[k] = upper[k] * inverse
        right[k] = (right[k] - lower[k] * right[k - 1]) * inverse
    for k in range(n - 2, -1, -1):
        right[k] -= scratch[k] * right[k + 1]


@kernel
def _advance(
    amount: Floats,
    edge: Floats,
    centre: Floats,
    volume: Floats,
    s: float,
    dw: float,
    d_dt: float,
    work: Floats,
) -> None:
    """One Crank–Nicolson step of convection s·dw and diffusion D·dt (either may be 0).

    The term in 1/12 makes diffusion fourth order in the cell width (Crandall 1955 Q Appl Math
    13:318): without it a front of six cells' width is off by some 1e-3.
    """
    n = amount.size
    lower, diagonal, upper, right, scratch = work[0], work[1], work[2], work[3], work[4]
    for k in range(n):
        lower[k] = 0.0
        upper[k] = 0.0
        diagonal[k] = 1.0
        right[k] = amount[k]
    for k in range(1, n):
        diffusive = 0.5 * edge[k] * d_dt / (centre[k] - centre[k - 1])
        convective = 0.25 * s * dw * edge[k] * edge[k]
        compact = (volume[k - 1] + volume[k]) / 24.0
        flux = (diffusive + compact + convective) / volume[k - 1] * amount[k - 1] - (
            diffusive + compact - convective
        ) / volume[k] * amount[k]
        right[k - 1] -= flux
        right[k] += flux
        from_left = (diffusive - compact + convective) / volume[k - 1]
        from_right = (diffusive - compact - convective) / volume[k]
        diagonal[k - 1] += from_left
        upper[k - 1] -= from_right
        diagonal[k] += from_right
        lower[k] -= from_left
    _solve_tridiagonal(lower, diagonal, upper, right, scratch)
    for k in range(n):
        amount[k] = right[k]


@kernel
def _sample(
    amount: Floats,
    volume: Floats,
    log_m: float,
    log_step: float,
    shift: float,
    radii: Floats,
    points: Floats,
    out: Floats,
) -> None:
    """Concentration at given radii by cubic interpolation in ln r, moved on by ``shift``.

    A cell's amount is an average; the value at its centre is less by h²/24 of the curvature.
    """
    n = amount.size
    for k in range(n):
        points[k] = amount[k] / volume[k]
    left = points[0]
    for k in range(1, n - 1):
        here = points[k]
        points[k] = here - (points[k + 1] - 2.0 * here + left) / 24.0
        left = here
    dilution = math.exp(-2.0 * shift)
    for i in range(radii.size):
        position = (math.log(radii[i]) - shift - log_m) / log_step - 0.5
        position = min(max(position, 0.0), n - 1.0)
        k = min(max(int(position), 1), n - 3)
        x = position - k
        value = (
            -x * (x - 1.0) * (x - 2.0) / 6.0 * points[k - 1]
            + (x + 1.0) * (x - 1.0) * (x - 2.0) / 2.0 * points[k]
            - (x + 1.0) * x * (x - 2.0) / 2.0 * points[k + 1]
            + (x + 1.0) * x * (x - 1.0) / 6.0 * points[k + 2]
        )
        out[i] = value * dilution


@kernel
def _moving_scans(
    s: float,
    diffusion: float,
    edge: Floats,
    centre: Floats,
    volume: Floats,
    times: Floats,
    w_scans: Floats,
    radii: Floats,
    work: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` (scans, points) where convection dominates; ``times`` = (ω², ramp)."""
    n = volume.size
    omega2, ramp_s = times[0], times[1]
    log_m = math.log(edge[0])
    log_step = (math.log(edge[n]) - log_m) / n
    dw = log_step / s
    amount, copy = work[5], work[6]
    amount[:] = volume
    w = 0.0
    pending = 0.0  # diffusion time owed since the last shift: half a step of Strang's splitting
    scan = 0
    while scan < w_scans.size and s * w <= 2.0 * log_step * n:  # beyond that all has pelleted
        now = _elapsed(w, omega2, ramp_s)
        half = 0.5 * (_elapsed(w + dw, omega2, ramp_s) - now)
        while scan < w_scans.size and w_scans[scan] < w + dw:
            part = _elapsed(w_scans[scan], omega2, ramp_s) - now
            copy[:] = amount
            _advance(copy, edge, centre, volume, 0.0, 0.0, diffusion * (pending + part), work)
            _sample(copy, volume, log_m, log_step, s * (w_scans[scan] - w), radii, work[7], out[scan])
            scan += 1
        _advance(amount, edge, centre, volume, 0.0, 0.0, diffusion * (pending + half), work)
        pending = half
        pellet = amount[n - 1]
        for k in range(n - 1, 0, -1):
            amount[k] = amount[k - 1]
        amount[n - 1] += pellet
        amount[0] = 0.0
        w += dw


@kernel
def _fixed_scans(
    s: float,
    diffusion: float,
    edge: Floats,
    centre: Floats,
    volume: Floats,
    times: Floats,
    w_scans: Floats,
    radii: Floats,
    work: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` (scans, points) where diffusion dominates; ``times`` = (ω², ramp)."""
    n = volume.size
    omega2, ramp_s = times[0], times[1]
    log_m = math.log(edge[0])
    log_step = (math.log(edge[n]) - log_m) / n
    width = edge[n] - edge[n - 1]
    smallest = 0.25 * width * width / diffusion
    amount = work[5]
    amount[:] = volume
    t, w = 0.0, 0.0
    for scan in range(w_scans.size):
        target = _elapsed(w_scans[scan], omega2, ramp_s)
        while t < target - 1e-9:
            # a step may grow with time, but carry the boundary no further than a quarter of its
            # width, and follow the layer that builds up at the bottom
            speed = s * omega2 * edge[n]
            boundary = math.sqrt(2.0 * diffusion * t)
            step = min(0.05 * t, 0.25 * boundary / speed, 0.25 * diffusion / (speed * speed))
            step = max(step, smallest)
            step = min(step, target - t)
            t += step
            if t < ramp_s:
                w_next = omega2 * t * t * t / (3.0 * ramp_s * ramp_s)
            else:
                w_next = omega2 * (t - 2.0 / 3.0 * ramp_s)
            _advance(amount, edge, centre, volume, s, w_next - w, diffusion * step, work)
            w = w_next
        _sample(amount, volume, log_m, log_step, 0.0, radii, work[7], out[scan])


@kernel
def lamm_basis(
    s: Floats,
    diffusion: Floats,
    meniscus: float,
    bottom: float,
    omega2: float,
    ramp_s: float,
    w_scans: Floats,
    radii: Floats,
    cells: int,
    out: Floats,
) -> None:
    """Fill ``out[i]`` with the scans of species i at unit loading.

    Parameters
    ----------
    s, diffusion : array, shape (species,)
        In seconds (1 S = 1e-13 s) and cm²/s; s > 0.
    meniscus, bottom : float
        In cm.
    omega2 : float
        Square of the full angular speed, rad²/s².
    ramp_s : float
        Duration of the linear acceleration, s.
    w_scans : array, shape (scans,)
        ∫ω²dt of each scan, ascending.
    radii : array, shape (points,)
    cells : int
        Cells of the radial grid.
    out : array, shape (species, scans, points)
    """
    log_m = math.log(meniscus)
    log_step = (math.log(bottom) - log_m) / cells
    edge = np.empty(cells + 1)
    centre = np.empty(cells)
    volume = np.empty(cells)
    for k in range(cells + 1):
        edge[k] = math.exp(log_m + k * log_step)
    for k in range(cells):
        centre[k] = math.exp(log_m + (k + 0.5) * log_step)
        volume[k] = 0.5 * (edge[k + 1] * edge[k + 1] - edge[k] * edge[k])
    work = np.empty((8, cells))
    times = np.array([omega2, ramp_s])
    out[:] = 0.0
    for i in range(s.size):
        peclet = s[i] * omega2 * bottom * (edge[cells] - edge[cells - 1]) / diffusion[i]
        if peclet > PECLET_MOVING:
            _moving_scans(s[i], diffusion[i], edge, centre, volume, times, w_scans, radii, work, out[i])
        else:
            _fixed_scans(s[i], diffusion[i], edge, centre, volume, times, w_scans, radii, work, out[i])
