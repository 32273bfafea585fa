"""From the scans of one cell to a record: order, speeds, wavelengths, kind of experiment.

What Beckman's legacy names say is sorted out before, in :mod:`aavqc.parsers.beckman_runs`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.beckman_runs import EQUILIBRIUM_DWELL_S, dwells_long, near, same_speed
from aavqc.parsers.formats import Export
from aavqc.records import FloatArray, Optics, Scan, VelocityScans

MIN_POINTS = 10

LIMITS = {
    "temperature": (-10.0, 60.0),
    "rpm": (1.0, 1e5),
    "seconds": (0.0, 1e8),
    "omega2t": (0.0, 1e15),
    "wavelength": (150.0, 1200.0),
    "cell": (1.0, 8.0),
}
"""What a header's number may be; anything else is damage."""


def velocity_scans(
    export: Export,
    scans: Sequence[Scan],
    *,
    cell: int,
    optics: Optics,
    wavelengths: tuple[float, ...],
    remarks: Sequence[str] = (),
) -> VelocityScans:
    """Make one record of the scans of one cell, given in the order in which they were taken.

    Raises
    ------
    InputError
        Time runs backwards at one wavelength, or a velocity run has different speeds.
    """
    _refuse_disorder(scans)
    ordered = sorted(scans, key=lambda s: (s.time_s, s.wavelength_nm or 0.0, s.file))
    if optics == "intensity" and all(s.reference is None for s in ordered):
        remarks = [*remarks, "intensities of one channel: there is no reference to make absorbances with"]
    record = VelocityScans(
        name=export.name,
        sample_id=export.sample_id,
        format=export.format,
        inputs=tuple(file.input for file in export.files),
        remarks=tuple(remarks),
        cell=cell,
        optics=optics,
        scans=tuple(ordered),
        wavelengths=wavelengths,
    )
    if _hours_apart(record) or dwells_long([(s.time_s, s.rpm) for s in ordered]):
        return replace(record, experiment="equilibrium")
    _refuse_speeds(ordered)
    return record


def wavelength_groups(measured: Sequence[float | None]) -> tuple[float, ...]:
    """Return one wavelength a group, the one that most scans are near, to which all of its group are near.

    Of several such the most frequent. None is a wavelength that is not stated, and makes no group.

    Examples
    --------
    >>> wavelength_groups([490.0, 491.0, 490.0, 280.0])
    (280.0, 490.0)
    >>> wavelength_groups([258.0, 258.0, 260.0, 262.0]), wavelength_groups([260.0, 264.0])
    ((260.0,), (260.0, 264.0))
    """
    left, found = Counter(w for w in measured if w is not None), []
    while left:
        held = {centre: sum(n for w, n in left.items() if near(w, centre)) for centre in left}
        centre = min(held, key=lambda c: (-held[c], -left[c], c))
        found.append(centre)
        left = Counter({w: n for w, n in left.items() if not near(w, centre)})
    return tuple(sorted(found))


def check_limits(facts: dict[str, float], file: str, where: str) -> None:
    """Refuse a header's number that no instrument writes; ``where`` says which header."""
    for what, value in facts.items():
        low, high = LIMITS[what]
        if not (math.isfinite(value) and low <= value <= high):
            raise InputError(
                f"implausible {what}",
                file=file,
                expected=f"a number from {low:g} to {high:g}",
                found=f"{value:g} {where}",
            )


def check_radii(radius_cm: FloatArray, signal: FloatArray, file: str, where: str) -> None:
    """Refuse radii that do not ascend within 4 to 10 cm, signals that are not finite, and short scans."""
    if radius_cm.size < MIN_POINTS:
        raise InputError(
            "too few points",
            file=file,
            expected=f"at least {MIN_POINTS} a scan",
            found=f"{radius_cm.size} {where}",
        )
    ascending = bool((radius_cm[1:] > radius_cm[:-1]).all())
    if not ascending or not 4.0 <= radius_cm[0] <= radius_cm[-1] <= 10.0:
        raise InputError(
            "implausible radii",
            file=file,
            expected="ascending radii from 4 to 10 cm",
            found=f"{radius_cm[0]:g} to {radius_cm[-1]:g} cm {where}"
            + ("" if ascending else ", not ascending"),
        )
    if not (np.abs(signal) <= 1e9).all():
        raise InputError("implausible signal", file=file, expected="finite values", found=where)


def _refuse_disorder(scans: Sequence[Scan]) -> None:
    last: dict[tuple[str, float | None], Scan] = {}
    for scan in scans:
        before = last.get((scan.file, scan.wavelength_nm))
        if before is not None and scan.time_s < before.time_s:
            raise InputError(
                "time runs backwards",
                file=scan.file,
                expected=f"at least {before.time_s:g} s as in the scan before",
                found=f"{scan.time_s:g} s",
            )
        last[scan.file, scan.wavelength_nm] = scan


def _refuse_speeds(scans: Sequence[Scan]) -> None:
    usual = Counter(s.rpm for s in scans).most_common(1)[0][0]
    odd = next((s for s in scans if not same_speed(s.rpm, usual)), None)
    if odd is not None:
        raise InputError(
            "different speeds",
            file=odd.file,
            expected=f"{usual:g} rpm as in most scans",
            found=f"{odd.rpm:g} rpm at {odd.time_s:g} s",
        )


def _hours_apart(record: VelocityScans) -> bool:
    """Tell whether the scans of each wavelength follow one another after hours."""
    times = np.array([s.time_s for s in record.scans])
    if not record.wavelengths:
        return _gap(times) >= EQUILIBRIUM_DWELL_S
    measured = np.array([s.wavelength_nm for s in record.scans], dtype=np.float64)
    nearest = np.abs(np.subtract.outer(measured, record.wavelengths)).argmin(axis=1)
    return all(_gap(times[nearest == i]) >= EQUILIBRIUM_DWELL_S for i in range(len(record.wavelengths)))


def _gap(times: FloatArray) -> float:
    """Return the usual time between scans, 0 for one scan alone."""
    return float(np.median(np.diff(times))) if times.size > 1 else 0.0
