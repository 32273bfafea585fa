"""Charge calibration: intensity over charge, fitted to the combs of standards.

A calibration is a document of its own: model, lines, residuals, range, verdict. What the response
depends on is confounded where standards are few: a response that grows with the charge and one
that falls with m/z fit two standards alike, and part company outside their range. So all
admissible models are kept, and where they differ the difference is in the uncertainty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aavqc.cdms.comb import Line, lines
from aavqc.records import FloatArray

SCHEMA = "aavqc.charge-calibration/1"

Model = Literal["slope", "slope_intercept", "slope_mz"]

OUTLYING = 0.12
"""Lines whose intensity a charge is off the median by more belong to another species."""

RESIDUAL_LIMIT = 0.03
"""Relative SD of the lines about the model up to which a calibration is suitable."""

LEAST_LINES = 3
"""Lines of a standard below which it is not found."""

MOST_IONS = 400
"""Ions of a line beyond which it counts no more: the model is then worse than the counting."""


@dataclass(frozen=True)
class Response:
    """Intensity of one ion: charge × (slope + mz_slope · m/z) + intercept."""

    model: Model
    slope: float
    intercept: float = 0.0
    mz_slope: float = 0.0

    def charge(self, intensity: FloatArray, mz: FloatArray) -> FloatArray:
        """Return charges, in e."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            charge = np.asarray(intensity - self.intercept)
            charge /= self.slope + self.mz_slope * mz if self.mz_slope else self.slope
        return charge


@dataclass(frozen=True)
class Calibration:
    """A fitted calibration.

    Attributes
    ----------
    response : Response
        Of the least BIC.
    admissible : tuple of Response
        All models that would be suitable by themselves, the best first.
    lines : tuple of (name, Line, residual)
        Lines used; residual relative to the model.
    residual_sd : float
        Relative, of the lines.
    sigma_z : (float, float) or None
        a and b of the noise that the lines show, e and none.
    """

    response: Response
    admissible: tuple[Response, ...]
    lines: tuple[tuple[str, Line, float], ...]
    residual_sd: float
    sigma_z: tuple[float, float] | None

    @property
    def suitable(self) -> bool:
        """Whether the lines follow the model."""
        return self.residual_sd <= RESIDUAL_LIMIT

    @property
    def charge_range(self) -> tuple[int, int]:
        """Charges of the lines."""
        found = [line.charge for _, line, _ in self.lines]
        return min(found), max(found)

    @property
    def mz_range(self) -> tuple[float, float]:
        """m/z of the lines."""
        found = [line.mz for _, line, _ in self.lines]
        return min(found), max(found)

    def rel_sd(self, intensity: float, mz: float, beyond: bool) -> float:
        """Return the relative SD of a charge; beyond the standards, with the models' spread in it."""
        scatter = self.residual_sd / math.sqrt(len(self.lines))
        if not beyond:
            return scatter
        at, where = np.array([intensity]), np.array([mz])
        charges = [float(r.charge(at, where)[0]) for r in self.admissible]
        best = float(self.response.charge(at, where)[0])
        spread = max(abs(c / best - 1) for c in charges)
        return math.hypot(scatter, spread)

    def document(self) -> dict[str, Any]:
        """Return the calibration as plain values."""
        return {
            "schema": SCHEMA,
            "model": self.response.model,
            "charge_slope": self.response.slope,
            "charge_intercept": self.response.intercept,
            "charge_mz_slope": self.response.mz_slope,
            "admissible_models": [r.model for r in self.admissible],
            "residual_rel_sd": self.residual_sd,
            "residual_limit": RESIDUAL_LIMIT,
            "suitable": self.suitable,
            "charge_range": list(self.charge_range),
            "mz_range": list(self.mz_range),
            "sigma_z": None if self.sigma_z is None else {"a": self.sigma_z[0], "b": self.sigma_z[1]},
            "lines": [
                {
                    "standard": name,
                    "charge": line.charge,
                    "mz": line.mz,
                    "ions": line.ions,
                    "intensity": line.intensity,
                    "residual_percent": 100 * residual,
                }
                for name, line, residual in self.lines
            ],
        }


def fit_calibration(
    mz: FloatArray, intensity: FloatArray, standards: Mapping[str, float], least: int
) -> Calibration | None:
    """Fit the response to the lines of standards of known mass.

    Parameters
    ----------
    mz, intensity : arrays, shape (n,)
        Th, and intensity as it is calibrated (times injection time where flux-scaled).
    standards : mapping of str to float
        Masses, Da.
    least : int
        Standards that must be found.

    Returns
    -------
    Calibration or None
        None where fewer are found.
    """
    order = np.argsort(mz, kind="stable")
    mz, intensity = mz[order], intensity[order]
    sound = np.isfinite(mz) & (intensity > 0)
    mz, intensity = mz[sound], intensity[sound]
    found = [(name, line) for name, mass in sorted(standards.items()) for line in lines(mz, intensity, mass)]
    if not found:
        return None
    per_charge = np.array([line.intensity / line.charge for _, line in found])
    weight = np.array([min(line.ions, MOST_IONS) for _, line in found], float)
    middle = _weighted_median(per_charge, weight)
    kept = [pair for pair, k in zip(found, per_charge, strict=True) if abs(k / middle - 1) <= OUTLYING]
    names = [name for name, _ in kept]
    kept = [pair for pair in kept if names.count(pair[0]) >= LEAST_LINES]
    if len({name for name, _ in kept}) < least:
        return None
    charge = np.array([line.charge for _, line in kept], float)
    at = np.array([line.mz for _, line in kept])
    seen = np.array([line.intensity for _, line in kept])
    weight = np.array([min(line.ions, MOST_IONS) for _, line in kept], float)
    tried = sorted(_models(charge, at, seen, weight / weight.mean()), key=lambda pair: pair[0])
    responses = [r for _, r in tried]
    scatter = [_residual_sd(r, charge, at, seen) for r in responses]
    return Calibration(
        responses[0],
        tuple(r for k, r in enumerate(responses) if k == 0 or scatter[k] <= RESIDUAL_LIMIT),
        tuple(
            (name, line, float(r))
            for (name, line), r in zip(kept, responses[0].charge(seen, at) / charge - 1, strict=True)
        ),
        scatter[0],
        _noise(mz, intensity, [line for _, line in kept], responses[0]),
    )


def _residual_sd(response: Response, charge: FloatArray, mz: FloatArray, intensity: FloatArray) -> float:
    residual = response.charge(intensity, mz) / charge - 1
    spare = max(charge.size - (1 if response.model == "slope" else 2), 1)
    return float(np.sqrt((residual**2).sum() / spare))


def _models(
    charge: FloatArray, mz: FloatArray, intensity: FloatArray, weight: FloatArray
) -> list[tuple[float, Response]]:
    """Fit each model to intensity / charge; return it with its BIC."""
    per_charge, n = intensity / charge, charge.size
    tried = []
    for model, x in (("slope", None), ("slope_intercept", 1 / charge), ("slope_mz", mz)):
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
        tried.append(
            (
                bic,
                Response(
                    model,  # type: ignore[arg-type]
                    float(fitted[0]),
                    intercept=rest if model == "slope_intercept" else 0.0,
                    mz_slope=rest if model == "slope_mz" else 0.0,
                ),
            )
        )
    return tried


def _noise(
    mz: FloatArray, intensity: FloatArray, used: list[Line], response: Response
) -> tuple[float, float] | None:
    """Return a and b of σ_z² = a² + b² z² from the ions of the lines, whose charge is known."""
    z2, variance = [], []
    for line in used:
        low, high = np.searchsorted(mz, [line.mz * (1 - 6e-4), line.mz * (1 + 6e-4)])
        off = response.charge(intensity[low:high], mz[low:high]) - line.charge
        off = off[np.abs(off) < OUTLYING * line.charge]
        if off.size:
            z2.append(float(line.charge) ** 2)
            variance.append((1.4826 * float(np.median(np.abs(off - np.median(off))))) ** 2)
    if len(z2) < LEAST_LINES:
        return None
    x, y = np.array(z2), np.array(variance)
    spread = float(((x - x.mean()) ** 2).sum())
    b2 = max(float(((x - x.mean()) * (y - y.mean())).sum()) / spread if spread > 0 else 0.0, 0.0)
    a2 = max(float(y.mean()) - b2 * float(x.mean()), 0.0)
    if a2 == 0.0:
        b2 = float((x * y).sum() / (x * x).sum())
    return math.sqrt(a2), math.sqrt(b2)


def _weighted_median(values: FloatArray, weight: FloatArray) -> float:
    order = np.argsort(values, kind="stable")
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), weight.sum() / 2)])
