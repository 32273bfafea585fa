"""Charge calibration: intensity over charge, fitted to the combs of standards.

A calibration is a document of its own: model, lines, residuals, range, verdict. What the response
depends on is confounded where standards are few: a response that grows with the charge and one
that falls with m/z fit two standards alike, and part company outside their range. So all
admissible models are kept, and where they differ the difference is in the uncertainty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from aavqc.cdms.calibration_document import (
    SCHEMA,
    ChargeCalibration,
    ChargeCalibrationDocument,
    FittedLine,
    Model,
    Response,
    SigmaZ,
    StandardFound,
)
from aavqc.cdms.comb import HALF_WIDTH, MOST_IONS, Line
from aavqc.cdms.standards import Standard, weighted_median
from aavqc.records import FloatArray

OUTLYING = 0.12
"""Lines whose intensity a charge is off the median by more belong to another species."""

RESIDUAL_LIMIT = 0.03
"""Relative SD of the lines about the model up to which a calibration is suitable."""

LEAST_LINES = 3
"""Lines of a standard below which it is not found."""


def charges_by(response: Response, intensity: FloatArray, mz: FloatArray) -> FloatArray:
    """Return charges by a response, in e."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        charge = np.asarray(intensity - response.charge_intercept)
        slope = response.charge_slope
        charge /= slope + response.charge_mz_slope * mz if response.charge_mz_slope else slope
    return charge


def scale_rel_sd(calibration: ChargeCalibration, intensity: float, mz: float, beyond: bool) -> float:
    """Return the relative SD of charges by a calibration at an intensity and m/z.

    It is that of the fitted parameters there. Beyond the standards each model that they admit has its own,
    and how far it lies from the one that is applied: the largest of these counts.
    """
    best, *others = calibration.responses
    at = _fitted_rel_sd(best, calibration.residual_rel_sd or 0.0, intensity, mz)
    if not beyond:
        return at
    signal, where = np.array([intensity]), np.array([mz])
    charge = float(charges_by(best, signal, where)[0])
    apart = [float(charges_by(r, signal, where)[0]) / charge - 1 for r in others]
    own = [_fitted_rel_sd(r, calibration.residual_rel_sd or 0.0, intensity, mz) for r in others]
    return max(at, *map(math.hypot, apart, own)) if others else at


def _fitted_rel_sd(response: Response, residual: float, intensity: float, mz: float) -> float:
    """Return what the parameters' errors make of a charge; without a covariance the residuals stand in."""
    if response.covariance is None:
        return residual
    charge = float(charges_by(response, np.array([intensity]), np.array([mz]))[0])
    second = mz if response.model == "slope_mz" else 1 / charge
    x = np.array([1.0, second])[: len(response.covariance)]
    variance = float(x @ np.array(response.covariance) @ x)
    return math.sqrt(max(variance, 0.0)) * charge / intensity


def fit_calibration(
    mz: FloatArray, intensity: FloatArray, standards: Sequence[Standard], least: int
) -> ChargeCalibrationDocument | None:
    """Fit the response to the lines of standards.

    Parameters
    ----------
    mz, intensity : arrays, shape (n,)
        Th, ascending, and intensity as it is calibrated (times injection time where flux-scaled).
    standards : sequence of Standard
        As found in these ions.
    least : int
        Standards that must be found.

    Returns
    -------
    ChargeCalibrationDocument or None
        None where fewer are found.
    """
    found = [(standard.name, line) for standard in standards for line in standard.lines]
    if not found:
        return None
    per_charge = np.array([line.per_charge for _, line in found])
    middle = weighted_median(per_charge, np.array([line.weight for _, line in found]))
    kept = [pair for pair, k in zip(found, per_charge, strict=True) if abs(k / middle - 1) <= OUTLYING]
    names = [name for name, _ in kept]
    kept = [pair for pair in kept if names.count(pair[0]) >= LEAST_LINES]
    used = {name for name, _ in kept}
    if len(used) < least:
        return None
    charge = np.array([line.charge for _, line in kept], float)
    at = np.array([line.mz for _, line in kept])
    seen = np.array([line.intensity for _, line in kept])
    weight = np.array([line.weight for _, line in kept])
    tried = sorted(_models(charge, at, seen, weight / weight.mean()), key=lambda pair: pair[0])
    if not tried:
        return None
    best, *others = [response for _, response in tried]
    scatter = _residual_sd(best, charge, at, seen)
    noise = _noise(mz, intensity, [line for _, line in kept], best)
    residuals = charges_by(best, seen, at) / charge - 1
    return ChargeCalibrationDocument(
        schema=SCHEMA,
        **best.model_dump(),
        other_models=[r for r in others if _residual_sd(r, charge, at, seen) <= RESIDUAL_LIMIT],
        residual_rel_sd=min(scatter, 1.0),
        residual_limit=RESIDUAL_LIMIT,
        suitable=scatter <= RESIDUAL_LIMIT,
        charge_range=[float(charge.min()), float(charge.max())],
        mz_range=[float(at.min()), float(at.max())],
        sigma_z=SigmaZ() if noise is None else SigmaZ(a=noise[0], b=noise[1]),
        standards=[StandardFound(**s.row()) for s in standards if s.name in used],
        lines=[
            FittedLine(
                standard=name,
                charge=line.charge,
                mz=line.mz,
                ions=line.ions,
                intensity=line.intensity,
                residual_percent=100 * float(residual),
            )
            for (name, line), residual in zip(kept, residuals, strict=True)
        ],
    )


def _residual_sd(response: Response, charge: FloatArray, mz: FloatArray, intensity: FloatArray) -> float:
    residual = charges_by(response, intensity, mz) / charge - 1
    spare = max(charge.size - (1 if response.model == "slope" else 2), 1)
    return float(np.sqrt((residual**2).sum() / spare))


def _models(
    charge: FloatArray, mz: FloatArray, intensity: FloatArray, weight: FloatArray
) -> list[tuple[float, Response]]:
    """Fit each model to intensity / charge; return it with its BIC."""
    per_charge, n = intensity / charge, charge.size
    tried = []
    models: list[tuple[Model, FloatArray | None]] = [
        ("slope", None), ("slope_intercept", 1 / charge), ("slope_mz", mz)
    ]  # fmt: skip
    for model, x in models:
        columns = np.ones((n, 1)) if x is None else np.column_stack([np.ones(n), x])
        if n <= columns.shape[1]:
            continue
        scale = np.abs(columns).max(axis=0)
        design = columns / scale * np.sqrt(weight)[:, None]
        normal = np.einsum("ni,nj->ij", design, design)
        if np.linalg.cond(normal) > 1e12:
            continue
        fitted = np.linalg.solve(normal, np.einsum("ni,n->i", design, per_charge * np.sqrt(weight))) / scale
        misfit = float((weight * (per_charge / (columns @ fitted) - 1) ** 2).sum()) / n
        bic = n * math.log(max(misfit, 1e-8)) + columns.shape[1] * math.log(n)
        rest = float(fitted[1]) if x is not None else 0.0
        slopes = fitted[0] + (fitted[1] * mz if model == "slope_mz" else 0.0)
        variance = float((weight * (per_charge - columns @ fitted) ** 2).sum()) / (n - fitted.size)
        covariance = variance * np.linalg.inv(normal) / np.outer(scale, scale)
        if not (np.min(slopes) > 0 and np.isfinite(covariance).all()):
            continue
        response = Response(
            model=model,
            charge_slope=float(fitted[0]),
            charge_intercept=rest if model == "slope_intercept" else 0.0,
            charge_mz_slope=rest if model == "slope_mz" else 0.0,
            covariance=covariance.tolist(),
        )
        tried.append((bic, response))
    return tried


def _noise(
    mz: FloatArray, intensity: FloatArray, used: list[Line], response: Response
) -> tuple[float, float] | None:
    """Return a and b of σ_z² = a² + b² z² from the ions of the lines, whose charge is known."""
    z2, variance, held = [], [], []
    for line in used:
        low, high = np.searchsorted(mz, [line.mz * (1 - HALF_WIDTH), line.mz * (1 + HALF_WIDTH)])
        off = charges_by(response, intensity[low:high], mz[low:high]) - line.charge
        off = off[np.abs(off) < OUTLYING * line.charge]
        if off.size:
            z2.append(float(line.charge) ** 2)
            held.append(off.size)
            variance.append((1.4826 * float(np.median(np.abs(off - np.median(off))))) ** 2)
    if len(z2) < LEAST_LINES:
        return None
    x, y, weight = np.array(z2), np.array(variance), np.minimum(held, MOST_IONS)
    mean_x, mean_y = (float((weight * v).sum() / weight.sum()) for v in (x, y))
    spread = float((weight * (x - mean_x) ** 2).sum())
    b2 = max(float((weight * (x - mean_x) * (y - mean_y)).sum()) / spread if spread > 0 else 0.0, 0.0)
    a2 = max(mean_y - b2 * mean_x, 0.0)
    if a2 == 0.0:
        b2 = float((weight * x * y).sum() / (weight * x * x).sum())
    return math.sqrt(a2), math.sqrt(b2)
