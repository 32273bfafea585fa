"""Which scans are fitted, each choice with its reason.

Left out are scans before the rotor is at speed, scans that stand out from their neighbours, and
all but a few of those after the last boundary has gone: more of them would only weigh the
baseline. Scans that the user names are all fitted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.auc.artefacts import find_artefacts
from aavqc.auc.calibration import calibrate
from aavqc.auc.excluded import without_radii
from aavqc.auc.experiment import refuse_equilibrium, refuse_other_experiments
from aavqc.auc.intensity import UNCLEAR, exchanged, first_is_sample, unclear_flag
from aavqc.auc.outliers import find_outliers
from aavqc.auc.profiles import Profiles, profiles_of
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.errors import AssayError, UsageError
from aavqc.records import Scan, VelocityScans

MIN_SCANS = 5

AT_SPEED = 0.01
"""The rotor is at speed within this fraction of the speed that most scans have."""

BASELINE_SCANS = 10
"""Kept after the last boundary has gone: they fix the baseline and the noise constant in time."""

GONE = 2.0
"""The boundary has gone where a profile differs from the last by less than this many times the usual."""

SAME_RUN = (60.0, 0.005)
"""Time and ∫ω²dt of one run agree within so many seconds and this fraction of the time."""

SHORT = 0.25
"""A scan that covers less than this fraction of the usual radial range broke off."""

MIN_COLUMN = 0.2
"""Limits that leave less of the scans than this fraction were no artefacts of a cell."""


@dataclass(frozen=True)
class Choice:
    """Something that was chosen without a person, or by one: what, which value, why."""

    what: str
    value: Any
    reason: str


@dataclass(frozen=True)
class Selection:
    """The scans to fit, calibrated, with the choices made and what a reviewer must know."""

    scans: tuple[Scan, ...]
    choices: tuple[Choice, ...]
    flags: tuple[Flag, ...]


def select_scans(
    record: VelocityScans,
    wavelength: float | None,
    settings: TechniqueSettings,
    elsewhere: Selection | None = None,
) -> Selection:
    """Return the scans to fit, calibrated: one wavelength (nm; None: all), all of full speed.

    ``elsewhere`` is the selection at another wavelength of the cell, which may have shown which
    channel of intensity scans is the sample.

    Raises
    ------
    AssayError
        Another kind of experiment, scans of several speeds or runs, values that are not finite,
        too few scans.
    UsageError
        No scans at the wavelength or in the range asked for.
    """
    refuse_equilibrium(record)
    at_wavelength = sorted(record.at(wavelength), key=lambda s: s.time_s)
    scans = tuple(
        without_radii(calibrate(s, settings.calibration), settings.exclude_radii) for s in at_wavelength
    )
    if not scans:
        raise UsageError(
            "no scans" if wavelength is None else f"no scans at {wavelength:g} nm",
            file=record.name,
            expected=", ".join(f"{w:g} nm" for w in record.wavelengths) or None,
            hint=None if record.wavelengths else "the export states no wavelength: leave the setting out",
        )
    flags = _descriptions(scans)
    _refuse_not_finite(scans)
    scans, twins = _without_twins(scans)
    flags += twins
    scans, short = _without_short(scans)
    flags += short
    scans, at_speed = _at_speed(record, scans, settings)
    choices = [at_speed]
    _refuse_few(record, scans)
    _refuse_two_runs(scans)
    profiles = profiles_of(scans, record.optics, *_undisturbed(record, scans, settings))
    if record.optics == "intensity" and all(s.reference is not None for s in scans):
        sample = _sample_channel(scans, profiles, settings, elsewhere)
        choices.append(sample)
        flags += [unclear_flag()] if sample.reason == UNCLEAR else []
        if sample.value == "second":
            scans = tuple(exchanged(s) for s in scans)
            profiles = replace(profiles, values=-profiles.values)
    refuse_other_experiments(record, profiles)
    keep, outlying = find_outliers(scans, profiles, named=settings.scans is not None)
    flags += outlying
    if settings.scans is None:
        last, choice = _last_boundary(profiles, keep)
        keep[last + 1 :] = False
        choices.append(choice)
    scans = tuple(s for s, used in zip(scans, keep, strict=True) if used)
    _refuse_few(record, scans)
    choices.append(Choice("scans_used", len(scans), "what is left"))
    return Selection(scans, tuple(choices), tuple(flags))


def _sample_channel(
    scans: tuple[Scan, ...], profiles: Profiles, settings: TechniqueSettings, elsewhere: Selection | None
) -> Choice:
    """Choose the channel that is the sample: as set, as the boundary shows, as another wavelength has it."""
    if settings.sample_channel is not None:
        return Choice("sample_channel", settings.sample_channel, "set by the user")
    first = first_is_sample(scans, profiles)
    if first is not None:
        which = "first" if first else "second"
        return Choice("sample_channel", which, "a boundary moves in it: its light rises as material leaves")
    known = [c for c in elsewhere.choices if c.what == "sample_channel"] if elsewhere is not None else []
    if known and known[0].reason != UNCLEAR:
        return Choice("sample_channel", known[0].value, "as at another wavelength of the cell")
    return Choice("sample_channel", "first", UNCLEAR)


def _descriptions(scans: tuple[Scan, ...]) -> list[Flag]:
    counts = Counter(s.description for s in scans)
    if len(counts) == 1:
        return []
    shown = ", ".join(f"{text!r} ({n} scans)" for text, n in counts.most_common(3))
    return [
        Flag(
            id="descriptions_differ",
            severity="warning",
            message=f"the scans bear different descriptions, as of several samples: {shown}",
            value=len(counts),
            limit=1,
        )
    ]


def _refuse_not_finite(scans: tuple[Scan, ...]) -> None:
    for scan in scans:
        if not (np.isfinite(scan.radius_cm).all() and np.isfinite(scan.signal).all()):
            raise AssayError("values that are not finite", file=scan.file, expected="numbers", found="NaN")


def _without_twins(scans: tuple[Scan, ...]) -> tuple[tuple[Scan, ...], list[Flag]]:
    """Leave out scans at the time of the one before."""
    kept = (*scans[:1], *(b for a, b in pairwise(scans) if a.time_s != b.time_s))
    left_out = len(scans) - len(kept)
    if not left_out:
        return scans, []
    message = f"{left_out} scans bear the time of another and are left out"
    return kept, [Flag(id="duplicate_scans", severity="warning", message=message, value=left_out, limit=0)]


def _without_short(scans: tuple[Scan, ...]) -> tuple[tuple[Scan, ...], list[Flag]]:
    """Leave out scans that broke off: they would cut the radii that all can be compared on."""
    widths = np.array([s.radius_cm[-1] - s.radius_cm[0] for s in scans])
    limit = SHORT * float(np.median(widths))
    kept = tuple(s for s, width in zip(scans, widths, strict=True) if width >= limit)
    left_out = len(scans) - len(kept)
    if not left_out:
        return scans, []
    message = f"{left_out} scans cover less than a quarter of the usual radial range and are left out"
    return kept, [Flag(id="short_scans", severity="warning", message=message, value=left_out, limit=0)]


def _at_speed(
    record: VelocityScans, scans: tuple[Scan, ...], settings: TechniqueSettings
) -> tuple[tuple[Scan, ...], Choice]:
    """Leave out scans before the rotor is at speed, and apply the user's range."""
    speed = Counter(s.rpm for s in scans).most_common(1)[0][0]
    near = [abs(s.rpm - speed) <= AT_SPEED * speed for s in scans]
    first = near.index(True)
    slow = [s.rpm for s in scans[:first]]
    speeding_up = all(a < b for a, b in pairwise([*slow, speed]))
    if not all(near[first:]) or not speeding_up:
        found = ", ".join(f"{rpm:g}" for rpm in sorted({s.rpm for s in scans}))
        raise AssayError(
            "scans of mixed speeds can't be fitted as one velocity experiment",
            file=record.name,
            expected=f"{speed:g} rpm as in most scans",
            found=f"{found} rpm",
        )
    if settings.scans is not None:
        start, stop, step = (*settings.scans, 1)[:3]
        if not (1 <= start <= stop and step >= 1) or start > len(scans):
            raise UsageError(
                "setting scans",
                expected=f"first,last[,step] between 1 and {len(scans)}",
                found=", ".join(map(str, settings.scans)),
            )
        return scans[start - 1 : stop : step], Choice("scans", settings.scans, "set by the user")
    reason = "the rotor is at speed" if first else "the first scan: the rotor was at speed by then"
    return scans[first:], Choice("first_scan", scans[first].file, reason)


def _refuse_few(record: VelocityScans, scans: tuple[Scan, ...]) -> None:
    if len(scans) < MIN_SCANS:
        raise AssayError(
            "too few scans",
            file=record.name,
            expected=f"at least {MIN_SCANS} scans",
            found=f"{len(scans)}",
        )


def _refuse_two_runs(scans: tuple[Scan, ...]) -> None:
    """Find scans whose time and ∫ω²dt do not belong together: two runs in one folder.

    A clock that runs too fast or too slow makes the lag a line, which is no second run: it is
    flagged (``time_stamps``). A jump is.
    """
    time = np.array([s.time_s for s in scans])
    omega2 = (np.median([s.rpm for s in scans]) * 2 * np.pi / 60) ** 2
    lag = time - np.array([s.omega2_t for s in scans]) / omega2
    apart = max(1, len(scans) // 6)
    passed = np.maximum(time[apart:] - time[:-apart], 1e-9)
    drift = float(np.median((lag[apart:] - lag[:-apart]) / passed))
    lag = lag - drift * time
    off = np.abs(lag - np.median(lag)) - SAME_RUN[1] * time
    worst = int(np.argmax(off))
    if off[worst] > SAME_RUN[0]:
        raise AssayError(
            "time and ∫ω²dt do not belong together: scans of two runs, or of a run that was restarted",
            file=scans[worst].file,
            expected=f"a lag of {np.median(lag):.0f} s behind full speed, as in most scans",
            found=f"{lag[worst]:.0f} s",
        )


def _undisturbed(
    record: VelocityScans, scans: tuple[Scan, ...], settings: TechniqueSettings
) -> tuple[float, float]:
    """Limits between which scans are compared: what happens in the air above the column is no matter."""
    seen = find_artefacts(scans, record.optics)
    first, last = max(s.radius_cm[0] for s in scans), min(s.radius_cm[-1] for s in scans)
    if last - first < MIN_COLUMN * (seen.high - seen.low):
        raise AssayError(
            "the scans share hardly any radius",
            file=record.name,
            expected="scans of about one radial range",
            found=f"{first:.4f} to {last:.4f} cm in all of them",
        )
    low, high = settings.fit_range or seen.fit_range()
    low, high = max(low, first), min(high, last)
    if high - low < MIN_COLUMN * (last - first):
        return float(first), float(last)
    return float(low), float(high)


def _last_boundary(profiles: Profiles, keep: NDArray[np.bool_]) -> tuple[int, Choice]:
    """Find the last scan to use: a few after the slowest boundary has left."""
    values = profiles.values
    last = len(values) - 1
    end = np.median(values[keep][-max(3, BASELINE_SCANS // 2) :], axis=0)
    distance = np.sqrt(np.mean((values - end) ** 2, axis=1))
    moving = np.flatnonzero((distance > GONE * profiles.noise) & keep)
    gone = int(moving[-1]) + 1 if moving.size else 0
    stop = gone + BASELINE_SCANS - 1
    if gone == 0 or stop >= last:
        return last, Choice("last_scan", last + 1, "the last taken: boundaries move up to it")
    reason = f"boundaries have gone by scan {gone + 1}; {BASELINE_SCANS} scans from it on fix the baseline"
    return stop, Choice("last_scan", stop + 1, reason)
