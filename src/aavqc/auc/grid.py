"""Bring the scans to fit onto one radial grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aavqc.auc.column import Column
from aavqc.auc.profiles import signal_of
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import AssayError
from aavqc.records import FloatArray, Scan, VelocityScans


@dataclass(frozen=True)
class SignalGrid:
    """Scans on one radial grid: what is fitted.

    Attributes
    ----------
    w : array, shape (scans,)
        ∫ω²dt in rad²/s.
    radii : array, shape (points,)
    signal : array, shape (scans, points)
    omega2 : float
        Square of the angular speed.
    ramp_s : float
        Duration of the acceleration.
    wavelength_nm : float or None
        Median of the scans' own; None where the export states none.
    """

    w: FloatArray
    radii: FloatArray
    signal: FloatArray
    omega2: float
    ramp_s: float
    temperature_c: float
    wavelength_nm: float | None
    unit: str

    def thinned(self, scans: int = 40, points: int = 250) -> SignalGrid:
        """Return every n-th scan and radius: enough to find a few parameters."""
        rows = np.unique(np.linspace(0, self.w.size - 1, min(scans, self.w.size)).astype(int))
        every = max(self.radii.size // points, 1)
        return replace(
            self,
            w=self.w[rows],
            radii=self.radii[::every].copy(),
            signal=self.signal[rows][:, ::every].copy(),
        )


def on_grid(
    record: VelocityScans, scans: tuple[Scan, ...], column: Column, settings: TechniqueSettings
) -> SignalGrid:
    """Bring the scans of a record onto one radial grid between the fit limits.

    Scans that share their radii are taken as they are; others are interpolated linearly.
    """
    step = float(np.median(np.concatenate([np.diff(s.radius_cm) for s in scans])))
    common = all(
        s.radius_cm.size == scans[0].radius_cm.size
        and np.allclose(s.radius_cm, scans[0].radius_cm, atol=1e-5)
        for s in scans
    )
    if common:
        inside = (scans[0].radius_cm >= column.fit_low) & (scans[0].radius_cm <= column.fit_high)
        radii = scans[0].radius_cm[inside].copy()
        signal = np.array([signal_of(s, record.optics)[inside] for s in scans])
    else:
        radii = np.arange(column.fit_low, column.fit_high, step)
        signal = np.array([np.interp(radii, s.radius_cm, signal_of(s, record.optics)) for s in scans])
    rpm = float(np.median([s.rpm for s in scans]))
    omega2 = float((rpm * 2 * np.pi / 60) ** 2)
    w = np.array([s.omega2_t for s in scans])
    time = np.array([s.time_s for s in scans])
    if np.any(np.diff(w) < 0) or w[0] <= 0:
        raise AssayError("∫ω²dt of the scans does not ascend", file=record.name)
    ramp = 1.5 * float(np.median(time - w / omega2))
    measured = [s.wavelength_nm for s in scans if s.wavelength_nm is not None]
    temperature = settings.temperature
    if temperature is None:
        temperature = float(np.mean([s.temperature_c for s in scans]))
    return SignalGrid(
        w=w,
        radii=radii,
        signal=signal,
        omega2=omega2,
        ramp_s=min(max(ramp, 0.0), 2.0 * float(time[0])),
        temperature_c=temperature,
        wavelength_nm=float(np.median(measured)) if measured else None,
        unit="fringes" if record.optics == "interference" else "OD",
    )
