"""Discrete species: a few s and D, fitted freely, with their standard errors.

For given s and D the amounts follow by non-negative least squares; s and ln D by Levenberg and
Marquardt on what is left over, less what the amounts can take up (Kaufman 1975 BIT 15:49).
Ref.: Schuck (1998) Biophys J 75:1503.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aavqc.auc.cs import Fitted, basis, fit_columns, project
from aavqc.auc.grid import SignalGrid
from aavqc.auc.normal import normal_equations, solve
from aavqc.auc.peaks import Peak
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import AssayError, UsageError
from aavqc.records import FloatArray

MAX_ITERATIONS = 40

STEP_S, STEP_LN_D = 1e-3, 1e-2
"""For numerical derivatives: of s relative, of ln D absolute."""

WIDEST_LN_D = np.log(20.0)
"""D stays within this factor of where it began."""

Columns = Callable[[FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Species:
    """One species: s in S, D in cm²/s, signal at loading, and their standard errors.

    None is the standard error of what came to lie at a limit of the search.
    """

    s: float
    s_sd: float | None
    d: float
    d_sd: float | None
    signal: float
    signal_sd: float


def starting_species(
    peaks: Sequence[Peak], to_d: Callable[[FloatArray], FloatArray], settings: TechniqueSettings
) -> tuple[FloatArray, FloatArray]:
    """Return s (S) and D (cm²/s) to begin with: as given, or the largest peaks of c(s).

    Raises
    ------
    UsageError
        ``species`` is neither a number nor a list of s:D, or asks for more than c(s) shows.
    AssayError
        c(s) shows no peak.
    """
    wanted = settings.species
    if wanted is not None and not (len(wanted) == 1 and wanted[0].isdigit()):
        try:
            pairs = np.array([[float(x) for x in text.split(":")] for text in wanted])
        except ValueError:
            pairs = np.empty((0, 0))
        if pairs.ndim != 2 or pairs.shape[1:] != (2,) or not (np.isfinite(pairs) & (pairs > 0)).all():
            raise UsageError(
                "setting species",
                expected="a number of species, or s:D of each in S and cm²/s (65:1.6e-7,107:1.6e-7)",
                found=",".join(wanted),
            )
        return pairs[:, 0].copy(), pairs[:, 1].copy()
    if not peaks:
        raise AssayError("c(s) shows no peak to begin with", expected="a boundary that moves")
    number = len(peaks) if wanted is None else int(wanted[0])
    if not 1 <= number <= len(peaks):
        raise UsageError(
            "setting species",
            expected=f"at most {len(peaks)}, the number of peaks of c(s)",
            found=str(number),
            hint="give s:D of each species to begin with",
        )
    largest = sorted(sorted(peaks, key=lambda p: -p.signal)[:number], key=lambda p: p.s)
    s = np.array([p.s for p in largest])
    return s, to_d(s)


def fit_species(
    grid: SignalGrid,
    s: FloatArray,
    diffusion: FloatArray,
    meniscus: float,
    bottom: float,
    noise: list[str],
    on: FloatArray,
) -> tuple[Fitted, list[Species]]:
    """Fit s, D and amounts of a few species; the cell is held.

    Parameters
    ----------
    grid : SignalGrid
    s, diffusion : array, shape (species,)
        To begin with, in S and cm²/s.
    meniscus, bottom : float
        In cm.
    noise : list of str
    on : array, shape (n,)
        A uniform grid of s on which the species are reported as a distribution: each on the two
        points beside it, so that its mean s is kept.

    Returns
    -------
    Fitted
        What is drawn from it anew lets s and D of each species vary as the noise makes them.
    list of Species
        Ascending in s. Standard errors are those of a fit in which meniscus and bottom are known.

    Raises
    ------
    AssayError
        Nothing sediments.
    """

    def columns(s: FloatArray, ln_d: FloatArray) -> FloatArray:
        return project(basis(grid, s, np.exp(ln_d), meniscus, bottom), noise, grid.seen)

    data = project(grid.signal.copy(), noise, grid.seen)
    s, ln_d = _levenberg_marquardt(columns, data, s, np.log(diffusion), float(on[0]), float(on[-1]))
    base, by_s, by_d, amounts = _linear(columns, data, s, ln_d)
    kept = amounts > 0
    if not kept.any():
        raise AssayError("no sedimenting material was found", expected="a boundary that moves")
    order = np.flatnonzero(kept)[np.argsort(s[kept], kind="stable")]
    s, ln_d, amounts = s[order], ln_d[order], amounts[order]
    base, slopes = base[order], np.concatenate([by_s[order], by_d[order]])
    n = s.size

    hats, tilt = _fold(on, s)
    fitted = fit_columns(grid, on, base, noise, fold=hats)
    # a parameter at its limit is not free: it has no standard error
    start = np.log(diffusion)[order]
    free = np.concatenate([(s > on[0]) & (s < on[-1]), np.abs(ln_d - start) < WIDEST_LN_D - 1e-9])
    joint = np.concatenate([base, slopes[free]]).reshape(n + int(free.sum()), -1)
    variance = fitted.rmsd**2 * grid.points / max(grid.points - len(joint), 1)
    sd = np.full(3 * n, np.nan)
    inverse = np.linalg.pinv(joint @ joint.T, hermitian=True)
    sd[np.concatenate([np.full(n, True), free])] = np.sqrt(np.maximum(np.diag(inverse), 0.0) * variance)

    # slopes may be taken up with either sign: so noise drawn anew moves s and D as well
    shift = np.concatenate([tilt * amounts, np.zeros((on.size, n))], axis=1)[:, free]
    both = np.concatenate([base, slopes[free], -slopes[free]])
    fitted = replace(
        fitted, normal=normal_equations(both, data), fold=np.concatenate([hats, shift, -shift], axis=1)
    )
    found = [
        Species(
            s=float(s[k]),
            s_sd=_or_none(sd[n + k]),
            d=float(np.exp(ln_d[k])),
            d_sd=_or_none(np.exp(ln_d[k]) * sd[2 * n + k]),
            signal=float(amounts[k]),
            signal_sd=float(sd[k]),
        )
        for k in range(n)
    ]
    return fitted, found


def _or_none(sd: float) -> float | None:
    return float(sd) if np.isfinite(sd) else None


def _levenberg_marquardt(
    columns: Columns, data: FloatArray, s: FloatArray, ln_d: FloatArray, low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    n, start, damping = s.size, ln_d, 1e-3
    base, by_s, by_d, amounts = _linear(columns, data, s, ln_d)
    cost = _cost(base, data, amounts)
    for _ in range(MAX_ITERATIONS):
        if not amounts.any():
            break
        active = base[amounts > 0].reshape(int((amounts > 0).sum()), -1)
        residual = data.ravel() - amounts @ base.reshape(n, -1)
        slopes = np.concatenate([by_s, by_d]).reshape(2 * n, -1)
        taken_up = np.linalg.lstsq(active @ active.T, active @ slopes.T, rcond=1e-12)[0]
        slopes = slopes - taken_up.T @ active
        normal, gradient = slopes @ slopes.T, slopes @ residual
        scale = np.diag(normal) + 1e-12 * np.trace(normal) + 1e-300
        for _ in range(8):
            change = np.linalg.solve(normal + damping * np.diag(scale), gradient)
            s_next = np.clip(s + np.clip(change[:n], -0.1 * s, 0.1 * s), low, high)
            d_next = np.clip(ln_d + np.clip(change[n:], -1.0, 1.0), start - WIDEST_LN_D, start + WIDEST_LN_D)
            trial = columns(s_next, d_next)
            x = solve(normal_equations(trial, data))
            after = _cost(trial, data, x)
            if after < cost:
                break
            damping *= 8
        else:
            break
        gain, damping = 1 - after / cost, damping / 4
        s, ln_d, cost = s_next, d_next, after
        base, by_s, by_d, amounts = _linear(columns, data, s, ln_d)
        if gain < 1e-8:
            break
    return s, ln_d


def _linear(
    columns: Columns, data: FloatArray, s: FloatArray, ln_d: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return the basis, its slopes in s and ln D times the amounts, and the amounts."""
    base = columns(s, ln_d)
    amounts = solve(normal_equations(base, data))
    weight = amounts[:, None, None]
    by_s = weight * (columns(s * (1 + STEP_S), ln_d) - base) / (STEP_S * s)[:, None, None]
    by_d = weight * (columns(s, ln_d + STEP_LN_D) - base) / STEP_LN_D
    return base, by_s, by_d, amounts


def _cost(base: FloatArray, data: FloatArray, amounts: FloatArray) -> float:
    residual = data.ravel() - amounts @ base.reshape(amounts.size, -1)
    return float(residual @ residual)


def _fold(on: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return each species' share of the grid points beside it, and the slope of that in s."""
    step = on[1] - on[0]
    left = np.clip(((s - on[0]) / step).astype(int), 0, on.size - 2)
    share = np.clip((s - on[left]) / step, 0.0, 1.0)
    which = np.arange(s.size)
    hats, tilt = np.zeros((on.size, s.size)), np.zeros((on.size, s.size))
    hats[left, which], hats[left + 1, which] = 1 - share, share
    tilt[left, which], tilt[left + 1, which] = -1 / step, 1 / step
    return hats, tilt
