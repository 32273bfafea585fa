"""Rules on what a fit leaves over. Each asks for an effect that matters beside one that is seen.

With 10⁵ points anything is significant, and real optics correlate neighbouring points. So
misfit counts only where it is more than a stated share of the loading signal too. The rates of
false alarm and of detection behind the limits are in ``docs/validation/auc-flags.md``.
"""

from __future__ import annotations

import numpy as np

from aavqc.auc.cs import project
from aavqc.auc.fit import Fit
from aavqc.auc.residuals import neighbour_correlation, point_noise, runs_z, step_gain, systematic_by_scan
from aavqc.documents import Flag
from aavqc.records import FloatArray

RMSD_WARNING = 1.3
"""rmsd over noise: above it two fifths of the variance are misfit. Clean fits lie at 0.98–1.07."""

RMSD_INVALID = 5.0
"""rmsd over noise, with a misfit above ``SHARE_INVALID``."""

SHARE_WARNING = 0.003
"""Misfit as a share of the loading signal below which no percentage moves by half a point."""

SHARE_INVALID = 0.02
"""Misfit as a share of the loading signal: percentages are off by points."""

CORRELATION = 0.1
"""Correlation of neighbouring residuals; clean fits stay below 0.05."""

GAIN = 0.01
"""Relative difference of step heights between data and fit in a fifth of the run."""

CERTAIN = 6.0
"""Times its standard error that a step's difference must be."""

MIXED = 3.0
"""Smoothed residual of the first fifth of the scans: over white noise, and over later scans."""

WIDTH_CM = 0.04
"""Radii that are averaged to see a disturbed boundary: about the SD of its spread."""

FIFTHS = 5

LEFT = 1e-3
"""Share of the steps' squares below which a fifth of the scans has none left: all has sedimented."""


def misfit_flags(fit: Fit) -> list[Flag]:
    """Return the flags that the residuals of a fit raise."""
    noise, total = (
        point_noise(fit.distribution.residual, fit.grid.seen),
        float(fit.distribution.amounts.sum()),
    )
    if noise <= 0.0 or total <= 0.0:
        return []
    found = (
        _rmsd_above_noise(fit, noise, total),
        _residual_runs(fit, total),
        _mass_balance(fit),
        _convection(fit, noise, total),
    )
    return [flag for flag in found if flag is not None]


def misfit_flag(name: str, ratio: float, share: float, message: str) -> Flag | None:
    """Flag an rmsd of so many times the noise, where the misfit's share of the loading signal matters too."""
    if ratio <= RMSD_WARNING or share <= SHARE_WARNING:
        return None
    bad = ratio > RMSD_INVALID and share > SHARE_INVALID
    return Flag(
        id=name,
        severity="invalid" if bad else "warning",
        message=message,
        value=ratio,
        limit=RMSD_INVALID if bad else RMSD_WARNING,
    )


def _rmsd_above_noise(fit: Fit, noise: float, total: float) -> Flag | None:
    rmsd, unit = fit.distribution.rmsd, fit.grid.unit
    ratio, share = rmsd / noise, float(np.sqrt(max(rmsd**2 - noise**2, 0.0))) / total
    message = (
        f"the fit's rmsd is {ratio:.2f} times the noise of a point ({rmsd:.4g} to {noise:.4g} {unit}); "
        f"the misfit is {100 * share:.2g} % of the loading signal"
    )
    return misfit_flag("rmsd_above_noise", ratio, share, message)


def _residual_runs(fit: Fit, total: float) -> Flag | None:
    residual = fit.distribution.residual
    correlation = max(neighbour_correlation(residual))
    limit = max(CORRELATION, 4.0 / np.sqrt(residual.size))
    share = float(np.sqrt(max(correlation, 0.0))) * fit.distribution.rmsd / total
    if correlation <= limit or share <= SHARE_WARNING:
        return None
    return Flag(
        id="residual_runs",
        severity="warning",
        message=(
            f"residuals are systematic: neighbours correlate by {correlation:.2f}, runs test "
            f"z = {runs_z(residual):.1f}; this misfit is {100 * share:.2g} % of the loading signal"
        ),
        value=correlation,
        limit=float(limit),
    )


def _mass_balance(fit: Fit) -> Flag | None:
    residual = fit.distribution.residual
    if len(residual) < FIFTHS:
        return None
    model = project(fit.grid.signal.copy(), fit.noise, fit.grid.seen) - residual
    gain, weight = step_gain(model, residual, fit.grid.seen)
    parts = np.array_split(np.arange(gain.size), FIFTHS)
    weights = np.array([weight[p].sum() for p in parts])
    gains = np.array([(gain[p] * weight[p]).sum() for p in parts]) / np.maximum(weights, 1e-300)
    # systematic misfit makes the scans of a fifth err together
    error = fit.distribution.rmsd / np.sqrt(np.maximum(weights, 1e-300))
    seen = (np.abs(gains) > CERTAIN * error) & (weights > LEFT * weights.max())
    worst = float(gains[np.argmax(np.where(seen, np.abs(gains), 0.0))])
    if not seen.any() or abs(worst) <= GAIN:
        return None
    return Flag(
        id="mass_balance",
        severity="warning",
        message=(
            f"in a fifth of the scans the step is {100 * abs(worst):.1f} % "
            f"{'higher' if worst > 0 else 'lower'} than loading and radial dilution of the fit make it: "
            "material is lost, too fast or too slow for the fit, or the detector drifts"
        ),
        value=abs(worst),
        limit=GAIN,
    )


def _convection(fit: Fit, noise: float, total: float) -> Flag | None:
    residual, radii = fit.distribution.residual, fit.grid.radii
    width = max(round(WIDTH_CM / float(np.median(np.diff(radii)))), 1)
    first = max(len(residual) // FIFTHS, 1)
    if len(residual) < FIFTHS or width > radii.size // 2:
        return None
    by_scan = systematic_by_scan(residual, noise, width)
    early, late = _rms(by_scan[:first]), _rms(by_scan[2 * first :])
    share = early * noise / float(np.sqrt(width)) / total
    ratio = min(early, early / late)
    if ratio <= MIXED or share <= SHARE_WARNING:
        return None
    return Flag(
        id="convection",
        severity="warning",
        message=(
            f"the first fifth of the scans fits {early / late:.1f} times worse than later ones do: "
            "convection or mixing at the start, or a wrong meniscus"
        ),
        value=ratio,
        limit=MIXED,
    )


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2)))
