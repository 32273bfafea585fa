"""Find the cell without a person: meniscus, bottom, fit limits, scans to use.

The air–solution interface and the cell's base bend light: there neighbouring points differ
far more than noise makes them, in scan after scan. Everything here can be set by the user.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.errors import AssayError, UsageError
from aavqc.records import FloatArray, Scan, VelocityScans

ROUGH = 6.0
"""An artefact is rougher than this many times the median roughness of the solution column."""

LEFT_MARGIN_CM = 0.012
RIGHT_MARGIN_CM = 0.05


@dataclass(frozen=True)
class Column:
    """The solution column and the part of it that is fitted, in cm."""

    meniscus: float
    meniscus_low: float
    meniscus_high: float
    bottom: float
    bottom_low: float
    bottom_high: float
    fit_low: float
    fit_high: float
    flags: tuple[Flag, ...] = ()


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
    """

    w: FloatArray
    radii: FloatArray
    signal: FloatArray
    omega2: float
    ramp_s: float
    temperature_c: float
    wavelength_nm: float
    unit: str


def choose_scans(record: VelocityScans, settings: TechniqueSettings) -> tuple[Scan, ...]:
    """Return the scans to fit: one wavelength, all of full speed."""
    if record.experiment != "velocity":
        raise AssayError(
            "a sedimentation equilibrium experiment can't be analysed as sedimentation velocity",
            file=record.name,
            expected="scans of one speed in which a boundary moves",
            found="several speeds, held for hours" if len({s.rpm for s in record.scans}) > 1 else None,
        )
    wavelength = settings.wavelength
    if wavelength is None:
        known = [
            w for w in record.wavelengths if any(abs(float(k) - w) <= 2.0 for k in settings.extinction.capsid)
        ]
        wavelength = (known or list(record.wavelengths))[0]
    scans = record.at(wavelength)
    if not scans:
        raise UsageError(
            f"no scans at {wavelength:g} nm",
            file=record.name,
            expected=", ".join(f"{w:g} nm" for w in record.wavelengths),
        )
    if len(scans) < 5:
        raise AssayError(
            "too few scans", file=record.name, expected="at least 5 scans", found=f"{len(scans)}"
        )
    return scans


def find_column(record: VelocityScans, scans: tuple[Scan, ...], settings: TechniqueSettings) -> Column:
    """Find meniscus, bottom and fit limits from the optical artefacts.

    Raises
    ------
    UsageError
        A setting lies outside the data, or limits in the wrong order.
    """
    low = max(float(s.radius_cm[0]) for s in scans)
    high = min(float(s.radius_cm[-1]) for s in scans)
    radii = np.arange(low, high, max(float(np.median(np.diff(scans[0].radius_cm))), 5e-4))
    roughness = _roughness(record, scans, radii)
    middle = slice(len(radii) // 4, 3 * len(radii) // 4)
    floor = max(float(np.median(roughness[middle])), 1e-12)
    rough = roughness > ROUGH * floor
    flags = []

    left = np.flatnonzero(rough & (radii < low + 0.5 * (high - low)))
    if settings.meniscus is not None:
        first = last = settings.meniscus
    elif left.size:
        start, end = _last_cluster(left, radii)
        first, last = float(radii[start]), float(radii[end])
    else:
        first = last = low
        flags.append(
            Flag(
                id="meniscus_not_seen",
                severity="warning",
                message=f"no artefact of a meniscus in the scans; begun at their edge, {low:.4f} cm",
                value=low,
            )
        )
    right = np.flatnonzero(rough & (radii > low + 0.7 * (high - low)))
    base = float(radii[right[0]]) if right.size else high
    bottom = settings.bottom
    if bottom is None:
        bottom = float(radii[right[np.argmax(roughness[right])]]) if right.size else high
    bottom_low, bottom_high = (base, bottom + 0.05) if settings.bottom is None else (bottom, bottom)
    fit_low, fit_high = settings.fit_range or (
        min(last + LEFT_MARGIN_CM, high),
        min(base, bottom) - RIGHT_MARGIN_CM,
    )
    if not low - 1e-3 <= fit_low < fit_high <= high + 1e-3 or not fit_low < bottom:
        raise UsageError(
            "the fit range lies outside the data",
            expected=f"limits between {low:.4f} and {high:.4f} cm, ascending",
            found=f"{fit_low:.4f} to {fit_high:.4f} cm, bottom {bottom:.4f} cm",
        )
    if settings.meniscus is not None and not low - 0.3 <= settings.meniscus < fit_low + 0.02:
        raise UsageError(
            "the meniscus lies outside the data",
            expected=f"a radius below {fit_low:.4f} cm",
            found=f"{settings.meniscus:.4f} cm",
        )
    meniscus = settings.meniscus if settings.meniscus is not None else 0.5 * (first + last)
    return Column(
        meniscus=meniscus,
        meniscus_low=first - 0.02,
        meniscus_high=min(last + 0.01, fit_low),
        bottom=bottom,
        bottom_low=min(bottom_low, bottom),
        bottom_high=bottom_high,
        fit_low=fit_low,
        fit_high=fit_high,
        flags=tuple(flags),
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
        signal = np.array([_signal(s, record.optics)[inside] for s in scans])
    else:
        radii = np.arange(column.fit_low, column.fit_high, step)
        signal = np.array([np.interp(radii, s.radius_cm, _signal(s, record.optics)) for s in scans])
    rpm = float(np.median([s.rpm for s in scans]))
    omega2 = float((rpm * 2 * np.pi / 60) ** 2)
    w = np.array([s.omega2_t for s in scans])
    time = np.array([s.time_s for s in scans])
    if np.any(np.diff(w) < 0) or w[0] <= 0:
        raise AssayError("∫ω²dt of the scans does not ascend", file=record.name)
    ramp = 1.5 * float(np.median(time - w / omega2))
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
        wavelength_nm=float(np.median([s.wavelength_nm for s in scans])),
        unit="fringes" if record.optics == "interference" else "OD",
    )


def _signal(scan: Scan, optics: str) -> FloatArray:
    """Signal of a scan; intensity becomes pseudo-absorbance.

    Without a reference channel what the lamp gives at each radius is noise that is constant in
    time, and is removed as such.
    """
    if optics != "intensity":
        return scan.signal
    reference = 1.0 if scan.reference is None else np.maximum(scan.reference, 1e-6)
    return -np.log10(np.maximum(scan.signal, 1e-6) / reference)


def _roughness(record: VelocityScans, scans: tuple[Scan, ...], radii: FloatArray) -> FloatArray:
    """Median over scans of the second difference's size, smoothed by a running median of five."""
    values = np.array([np.interp(radii, s.radius_cm, _signal(s, record.optics)) for s in scans])
    second = np.zeros(len(radii))
    second[1:-1] = np.median(np.abs(np.diff(values, 2, axis=1)), axis=0)
    padded = np.pad(second, 2, mode="edge")
    smooth: FloatArray = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return smooth


def _last_cluster(points: np.ndarray, radii: FloatArray, gap_cm: float = 0.02) -> tuple[int, int]:
    """First and last index of the rightmost run of points without a gap."""
    start = points[-1]
    for point in points[::-1]:
        if radii[start] - radii[point] > gap_cm:
            break
        start = point
    return int(start), int(points[-1])
