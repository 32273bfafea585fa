"""Bring the scans to fit onto one radial grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from aavqc.auc.column import Column
from aavqc.auc.profiles import signal_of
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import AssayError
from aavqc.records import BoolArray, FloatArray, Optics, Scan, VelocityScans

WORTHWHILE = 1.01
"""Scans of different range are fitted each on its own where that adds so many points to those on
the range common to all; less is the jitter of a motor."""

GAP = 5.0
"""Neighbouring points of a scan so many steps apart have no data between them."""

UNITS: dict[Optics, str] = {
    "absorbance": "OD",
    "interference": "fringes",
    "intensity": "OD",
    "fluorescence": "FU",
}
"""Of the signal that is fitted: intensity becomes pseudo-absorbance. FU are the detector's own."""


@dataclass(frozen=True)
class SignalGrid:
    """Scans on one radial grid: what is fitted.

    Attributes
    ----------
    w : array, shape (scans,)
        ∫ω²dt in rad²/s.
    radii : array, shape (points,)
    signal : array, shape (scans, points)
    seen : array of bool, shape (scans, points), or None
        Where each scan has data; None where all have at all radii.
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
    seen: BoolArray | None = None

    @property
    def points(self) -> int:
        """Number of data points."""
        return self.signal.size if self.seen is None else int(np.count_nonzero(self.seen))

    def thinned(self, scans: int = 40, points: int = 250) -> SignalGrid:
        """Return every n-th scan and radius: enough to find a few parameters."""
        rows = np.unique(np.linspace(0, self.w.size - 1, min(scans, self.w.size)).astype(int))
        every = max(self.radii.size // points, 1)
        return replace(
            self,
            w=self.w[rows],
            radii=self.radii[::every].copy(),
            signal=self.signal[rows][:, ::every].copy(),
            seen=None if self.seen is None else self.seen[rows][:, ::every].copy(),
        )


def on_grid(
    record: VelocityScans, scans: tuple[Scan, ...], column: Column, settings: TechniqueSettings
) -> SignalGrid:
    """Bring the scans of a record onto one radial grid between the fit limits.

    Scans that share their radii are taken as they are; others are interpolated linearly, and
    where they differ in range each is fitted where it has data.
    """
    step = float(np.median(np.concatenate([np.diff(s.radius_cm) for s in scans])))
    seen: BoolArray | None = None
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
        seen = np.array([_has_data(scan.radius_cm, radii, step) for scan in scans])
        radii, seen = radii[seen.any(axis=0)], seen[:, seen.any(axis=0)]
        by_all = seen.all(axis=0)
        if seen.sum() <= WORTHWHILE * by_all.sum() * len(scans):
            radii, seen = radii[by_all], None
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
        unit=UNITS[record.optics],
        seen=seen,
    )


def range_remarks(scans: tuple[Scan, ...], grid: SignalGrid) -> tuple[str, ...]:
    """Say what became of scans that differ in radial range."""
    first = np.array([scan.radius_cm[0] for scan in scans])
    last = np.array([scan.radius_cm[-1] for scan in scans])
    if grid.seen is None:
        return ()
    return (
        f"scans differ in radial range ({first.min():.4f}–{first.max():.4f} to {last.min():.4f}–"
        f"{last.max():.4f} cm): each is fitted where it has data, "
        f"{100 * grid.points / grid.seen.size:.1f} % of the points from {grid.radii[0]:.4f} to "
        f"{grid.radii[-1]:.4f} cm",
    )


def _has_data(measured: FloatArray, radii: FloatArray, step: float) -> BoolArray:
    """Tell which radii lie between neighbouring points of a scan."""
    right = np.clip(np.searchsorted(measured, radii), 1, measured.size - 1)
    inside = (radii >= measured[0]) & (radii <= measured[-1])
    found: BoolArray = inside & (measured[right] - measured[right - 1] <= GAP * step)
    return found
