"""Numerical solution of the Lamm equation for one species of unit loading.

    ∂c/∂t = (1/r) ∂/∂r [ r D ∂c/∂r − s ω² r² c ],   no flux at meniscus and bottom

The independent variable is w = ∫ω²dt, so that rotor acceleration costs nothing: in w the
sedimentation velocity is s·r, and diffusion acts for the real time that passes.

Two schemes, both finite volumes on a geometric grid, Crank–Nicolson in time and compact fourth
order in space; cells follow the boundary's width in the first scan:

front
    For a boundary that does not feel the bottom: in one step the content of each cell passes
    exactly into the next, and only diffusion is left, in the few cells that it has reached.
column
    Else convection and diffusion are solved together from meniscus to bottom.

The moving frame goes back to Schuck (1998) Biophys J 75:1503; both are written here anew.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import kernel

Floats = NDArray[np.float64]

FAR_FROM_BOTTOM = 16.0
"""A pile-up that has fallen off by this many e-folds at the last radius is not seen."""

START_CELLS = 8
"""Cells over which the boundary leaves the meniscus in finer steps."""

LAYER_CELL = 0.35
"""Width of a cell, in e-folds of the layer at the bottom, where the last radius lies five
e-folds from it. Further off less is seen of the layer, and cells may be wider."""

FEWEST_CELLS, MOST_CELLS = 150, 1500


@kernel
def _elapsed(w: float, omega2: float, ramp_s: float) -> float:
    """Time at which ∫ω²dt reaches w, for a linear ramp of ``ramp_s`` seconds to full speed."""
    w_ramp = omega2 * ramp_s / 3.0
    if w < w_ramp:
        return float((3.0 * ramp_s * ramp_s * max(w, 0.0) / omega2) ** (1.0 / 3.0))
    return w / omega2 + 2.0 / 3.0 * ramp_s


@kernel
def _advance(
    amount: Floats, volume: Floats, n: int, log_step: float, drift: float, spread: float, work: Floats
) -> None:
    """One Crank–Nicolson step of convection (``drift`` = s·Δw) and diffusion (``spread`` = D·Δt).

    Fourth order in the cell width, still tridiagonal: the compact scheme for convection and
    diffusion (Gupta, Manohar & Stephenson 1984 Int J Numer Methods Fluids 4:641), in fluxes, so
    that amounts are conserved to rounding.
    """
    scratch, right = work[0], work[1]
    diffusive = 0.5 * spread / (2.0 * math.sinh(0.5 * log_step))
    edge2 = 2.0 * volume[0] / math.expm1(2.0 * log_step)
    growth = math.exp(2.0 * log_step)
    flux = 0.0
    gain, pivot_before, keep = 0.0, 0.0, 0.0  # of the edge on the left: implicit coefficients
    for k in range(n):
        edge2 *= growth
        inverse = 1.0 / volume[k]
        if k < n - 1:
            inverse_next = 1.0 / volume[k + 1]
            convective = 0.25 * drift * edge2
            ratio = convective / diffusive
            total = diffusive + convective * ratio / 3.0
            compact = (volume[k] + volume[k + 1]) / 24.0
            slip = compact * ratio
            out_flux = (total + compact + convective + slip) * inverse * amount[k] - (
                total + compact - convective - slip
            ) * inverse_next * amount[k + 1]
            leave = (total - compact + convective - slip) * inverse
            enter = (total - compact - convective + slip) * inverse_next
        else:
            out_flux, leave, enter = 0.0, 0.0, 0.0
        rest = amount[k] + flux - out_flux
        pivot = 1.0 / (1.0 + keep + leave - gain * pivot_before)
        scratch[k] = enter * pivot
        right[k] = (rest + (gain * right[k - 1] if k > 0 else 0.0)) * pivot
        flux, gain, keep, pivot_before = out_flux, leave, enter, scratch[k]
    amount[n - 1] = right[n - 1]
    for k in range(n - 2, -1, -1):
        amount[k] = right[k] + scratch[k] * amount[k + 1]


@kernel
def _sample(
    amount: Floats,
    volume: Floats,
    n: int,
    log_m: float,
    log_step: float,
    log_radii: Floats,
    points: Floats,
    out: Floats,
) -> None:
    """Concentration at given radii by cubic interpolation in ln r.

    A cell's amount is an average; the value at its centre is less by h²/24 of the curvature.
    """
    for k in range(n):
        points[k] = amount[k] / volume[k]
    left = points[0]
    for k in range(1, n - 1):
        here = points[k]
        points[k] = here - (points[k + 1] - 2.0 * here + left) / 24.0
        left = here
    for i in range(log_radii.size):
        position = (log_radii[i] - log_m) / log_step - 0.5
        position = min(max(position, 0.0), n - 1.0)
        k = min(max(int(position), 1), n - 3)
        out[i] = _cubic(points, k, position - k)


@kernel
def _cubic(points: Floats, k: int, x: float) -> float:
    """Lagrange's cubic through four points, x of the way from point k to the next."""
    p0, p1, p2, p3 = points[k - 1], points[k], points[k + 1], points[k + 2]
    cubic = (p3 - p0 + 3.0 * (p1 - p2)) / 6.0
    square = 0.5 * (p0 + p2) - p1
    slope = p2 - p1 / 2.0 - p0 / 3.0 - p3 / 6.0
    return float(((cubic * x + square) * x + slope) * x + p1)


@kernel
def _front_scans(
    s: float,
    diffusion: float,
    meniscus: float,
    omega2: float,
    ramp_s: float,
    w_scans: Floats,
    log_radii: Floats,
    log_step: float,
    work: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` (scans, points) for a boundary that does not feel the bottom.

    Cells are geometric, so that one step of convection moves the content of each into the
    next, and the coefficients of diffusion do not change as the boundary moves. Left of it
    nothing is left, right of it is the plateau: only the cells between are solved. The first
    steps, in which the boundary leaves the meniscus, are taken in cells a quarter as wide.
    """
    state = np.array([0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0])
    arguments = (s, diffusion, meniscus, omega2, ramp_s, w_scans, log_radii)
    _front_stage(arguments, 0.25 * log_step, 4 * START_CELLS, state, work, out)
    _coarsen(state, work[0], 4, 0.25 * log_step)
    _front_stage(arguments, log_step, work.shape[1], state, work, out)


@kernel
def _front_stage(
    arguments: tuple[float, float, float, float, float, Floats, Floats],
    log_step: float,
    stop: int,
    state: Floats,
    work: Floats,
    out: Floats,
) -> None:
    """March the boundary cell by cell up to cell ``stop``, or until it has left the radii.

    ``state``: ∫ω²dt, plateau, first and last known cell, variance of the boundary (in cells²),
    next scan, cell of the boundary.
    """
    s, diffusion, meniscus, omega2, ramp_s, w_scans, log_radii = arguments
    concentration, copy, scratch, inverse = work[0], work[1], work[2], work[3]
    n = concentration.size
    dilution = math.exp(-2.0 * log_step)
    stiffness = 1.0 / (2.0 * math.sinh(0.5 * log_step))
    volume0 = 0.5 * meniscus * meniscus * math.expm1(2.0 * log_step)
    step_w = log_step / s
    log_m = math.log(meniscus)
    w, plateau, variance = state[0], state[1], state[4]
    first, last, scan, position = int(state[2]), int(state[3]), int(state[5]), int(state[6])
    pending = 0.0  # diffusion owed since the last step: half of it, by Strang's splitting
    while scan < w_scans.size and position < stop:
        now = _elapsed(w, omega2, ramp_s)
        half = 0.5 * (_elapsed(w + step_w, omega2, ramp_s) - now)
        cell2 = (meniscus * math.exp(log_step * position) * log_step) ** 2
        while scan < w_scans.size and w_scans[scan] < w + step_w:
            due = diffusion * (pending + _elapsed(w_scans[scan], omega2, ramp_s) - now)
            reach = 3 + int(7.0 * math.sqrt(variance + 2.0 * due / cell2))
            low, high = max(position - reach, 0), min(position + reach, n - 3)
            _fill(concentration, first, last, low, high, plateau, copy)
            _diffuse(copy, low, high, plateau, stiffness * due / volume0, log_step, scratch, inverse)
            shift = s * (w_scans[scan] - w)
            _read_front(copy, low, high, plateau, log_m, log_step, shift, log_radii, scratch, out[scan])
            scan += 1
        due = diffusion * (pending + half)
        pending = half
        if position == stop - 1:  # the stage ends: pay what is owed
            due += diffusion * half
        variance += 2.0 * due / cell2
        reach = 3 + int(7.0 * math.sqrt(variance))
        low, high = max(position - reach, 0), min(position + reach, n - 3)
        _fill(concentration, first, last, low, high, plateau, copy)
        _diffuse(copy, low, high, plateau, stiffness * due / volume0, log_step, scratch, inverse)
        plateau *= dilution
        for k in range(high, low - 1, -1):
            concentration[k + 1] = copy[k] * dilution
        concentration[low] = 0.0
        first, last = low, high + 1
        w += step_w
        position += 1
        if low > n - 5:
            break
    state[0], state[1], state[2], state[3] = w, plateau, first, last
    state[4], state[5], state[6] = variance, scan, position


@kernel
def _coarsen(state: Floats, concentration: Floats, by: int, log_step: float) -> None:
    """Merge every ``by`` cells into one; amounts are kept."""
    first, last, plateau = int(state[2]), int(state[3]), state[1]
    growth = math.exp(2.0 * log_step)
    low, high = first // by, last // by
    for k in range(low, high + 1):
        amount, volume, weight = 0.0, 0.0, 1.0
        for j in range(k * by, (k + 1) * by):
            value = plateau
            if j < first:
                value = 0.0
            elif j <= last:
                value = concentration[j]
            amount += weight * value
            volume += weight
            weight *= growth
        concentration[k] = amount / volume
    state[2], state[3] = low, high
    state[4] /= by * by
    state[6] = int(state[6]) // by


@kernel
def _fill(source: Floats, first: int, last: int, low: int, high: int, plateau: float, target: Floats) -> None:
    """Copy the known cells into a wider range: nothing on the left, the plateau on the right."""
    for k in range(low, high + 1):
        if k < first:
            target[k] = 0.0
        elif k > last:
            target[k] = plateau
        else:
            target[k] = source[k]


@kernel
def _diffuse(
    c: Floats,
    low: int,
    high: int,
    plateau: float,
    strength: float,
    log_step: float,
    scratch: Floats,
    right: Floats,
) -> None:
    """One Crank–Nicolson step in cells low … high, fourth order; beyond: 0, and the plateau."""
    growth = math.exp(2.0 * log_step)
    volume = math.exp(2.0 * log_step * low)
    left_flux = 0.0
    left_in = 0.0
    before = 0.0
    for k in range(low, high + 1):
        following = volume * growth
        compact = (volume + following) / 24.0
        c_next = c[k + 1] if k < high else plateau
        explicit = (0.5 * strength + compact) * (c[k] - c_next)
        implicit = 0.5 * strength - compact
        right[k] = volume * c[k] + left_flux - explicit
        left_flux = explicit
        # row k: (volume + left_in + implicit) c_k − left_in c_{k-1} − implicit c_{k+1}
        pivot = 1.0 / (volume + left_in + implicit - left_in * before)
        scratch[k] = implicit * pivot
        right[k] = (right[k] + (left_in * right[k - 1] if k > low else 0.0)) * pivot
        before = scratch[k]
        left_in = implicit
        volume = following
    c[high] = right[high] + scratch[high] * plateau
    for k in range(high - 1, low - 1, -1):
        c[k] = right[k] + scratch[k] * c[k + 1]


@kernel
def _read_front(
    c: Floats,
    low: int,
    high: int,
    plateau: float,
    log_m: float,
    log_step: float,
    shift: float,
    log_radii: Floats,
    points: Floats,
    out: Floats,
) -> None:
    """Concentration at given radii, moved on by ``shift``: see :func:`_sample`."""
    points[low] = c[low]
    for k in range(low + 1, high):
        points[k] = c[k] - (c[k + 1] - 2.0 * c[k] + c[k - 1]) / 24.0
    points[high] = c[high]
    dilution = math.exp(-2.0 * shift)
    per_step = 1.0 / log_step
    for i in range(log_radii.size):
        position = (log_radii[i] - shift - log_m) * per_step - 0.5
        if position >= high - 2:
            out[i] = plateau * dilution
        elif position > low + 1:
            k = int(position)
            out[i] = _cubic(points, k, position - k) * dilution
        elif low == 0 and position > -1.0:
            out[i] = points[max(int(position + 0.5), 0)] * dilution


@kernel
def _column_scans(
    s: float,
    diffusion: float,
    meniscus: float,
    bottom: float,
    omega2: float,
    ramp_s: float,
    w_scans: Floats,
    log_radii: Floats,
    cells: int,
    fineness: float,
    work: Floats,
    out: Floats,
) -> None:
    """Fill ``out`` (scans, points) for the whole column, meniscus to bottom.

    ``fineness`` is what share of the layer at the bottom a cell, and a step, may be.
    """
    amount = work[5]
    log_m = math.log(meniscus)
    log_step = (math.log(bottom) - log_m) / cells
    volume0 = 0.5 * meniscus * meniscus * math.expm1(2.0 * log_step)
    growth = math.exp(2.0 * log_step)
    volume = work[6]
    volume[0] = volume0
    for k in range(1, cells):
        volume[k] = volume[k - 1] * growth
    for k in range(cells):
        amount[k] = volume[k]
    width = bottom * -math.expm1(-log_step)
    smallest = 0.25 * width * width / diffusion
    speed = s * omega2 * bottom
    t, w = 0.0, 0.0
    for scan in range(w_scans.size):
        target = _elapsed(w_scans[scan], omega2, ramp_s)
        while t < target - 1e-9:
            # a step may grow with time, but carry the boundary no further than a quarter of its
            # width, and follow the layer that builds up at the bottom
            boundary = math.sqrt(2.0 * diffusion * t)
            step = min(0.05 * t, 0.12 * boundary / speed, 0.7 * fineness * diffusion / (speed * speed))
            step = max(step, smallest)
            step = min(step, target - t)
            t += step
            if t < ramp_s:
                w_next = omega2 * t * t * t / (3.0 * ramp_s * ramp_s)
            else:
                w_next = omega2 * (t - 2.0 / 3.0 * ramp_s)
            _advance(amount, volume, cells, log_step, s * (w_next - w), diffusion * step, work)
            w = w_next
        _sample(amount, volume, cells, log_m, log_step, log_radii, work[7], out[scan])


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
    per_width: float,
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
        Ascending.
    per_width : float
        Cells to a standard deviation of the boundary in the first scan; 3 gives an rms error
        below 1e-4 of loading.
    out : array, shape (species, scans, points)
    """
    log_radii = np.log(radii)
    work = np.empty((8, MOST_CELLS))
    out[:] = 0.0
    for i in range(s.size):
        width = math.sqrt(2.0 * diffusion[i] * _elapsed(w_scans[0], omega2, ramp_s))
        cell = width / per_width
        # what diffuses back from the bottom falls off with exp(−s ω² b Δr / D)
        back = s[i] * omega2 * bottom * (bottom - radii[-1]) / diffusion[i]
        if back > FAR_FROM_BOTTOM:
            log_step = max(cell / meniscus, 1.5 * math.log(bottom / meniscus) / MOST_CELLS)
            _front_scans(
                s[i], diffusion[i], meniscus, omega2, ramp_s, w_scans, log_radii, log_step, work, out[i]
            )
        else:
            layer = diffusion[i] / (s[i] * omega2 * bottom)
            fineness = LAYER_CELL * math.exp((back - 5.0) / 8.0)
            cells = int((bottom - meniscus) / min(cell, fineness * layer))
            cells = min(max(cells, FEWEST_CELLS), MOST_CELLS)
            _column_scans(
                s[i],
                diffusion[i],
                meniscus,
                bottom,
                omega2,
                ramp_s,
                w_scans,
                log_radii,
                cells,
                fineness,
                work,
                out[i],
            )
