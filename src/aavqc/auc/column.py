"""Find the cell without a person: meniscus, bottom, fit limits.

All of it can be set by the user, and says how it was chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from aavqc.auc.artefacts import LEFT_MARGIN_CM, RIGHT_MARGIN_CM, Artefacts, find_artefacts
from aavqc.auc.choices import Choice, Selection
from aavqc.auc.clock import ClockCheck, check_clock, clock_flags
from aavqc.auc.plateau import plateau_flags
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.errors import UsageError
from aavqc.records import VelocityScans


@dataclass(frozen=True)
class Column:
    """The solution column and the part of it that is fitted, in cm, and how all of it was chosen."""

    meniscus: float
    meniscus_low: float
    meniscus_high: float
    bottom: float
    bottom_low: float
    bottom_high: float
    fit_low: float
    fit_high: float
    flags: tuple[Flag, ...] = ()
    choices: tuple[Choice, ...] = ()
    clock: ClockCheck | None = None


def find_column(record: VelocityScans, selection: Selection, settings: TechniqueSettings) -> Column:
    """Find meniscus, bottom and fit limits from the optical artefacts.

    Raises
    ------
    UsageError
        A setting lies outside the data, or limits in the wrong order.
    """
    seen = find_artefacts(selection.scans, record.optics)
    low, high = seen.low, seen.high
    clock = check_clock(record)
    flags = [*selection.flags, *clock_flags(clock, settings.calibration)]

    if settings.meniscus is not None:
        first = last = settings.meniscus
    elif seen.meniscus is not None:
        first, last = seen.meniscus
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
    base = seen.base if seen.base is not None else high
    bottom = settings.bottom
    if bottom is None:
        bottom = seen.bottom if seen.bottom is not None else high
    bottom_low, bottom_high = (base, max(high, bottom)) if settings.bottom is None else (bottom, bottom)
    fit_low, fit_high = settings.fit_range or (
        min(last + LEFT_MARGIN_CM, high),
        min(base, bottom) - RIGHT_MARGIN_CM,
    )
    _refuse_outside(seen, settings.meniscus, bottom, fit_low, fit_high)
    meniscus = settings.meniscus if settings.meniscus is not None else 0.5 * (first + last)
    flags += plateau_flags(selection.scans, record.optics, fit_low, fit_high)
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
        choices=selection.choices + _choices(seen, settings, meniscus, bottom, [fit_low, fit_high]),
        clock=clock,
    )


def at_another_wavelength(column: Column, record: VelocityScans, selection: Selection) -> Column:
    """Return the column of the same cell with the flags and choices of other scans of it."""
    seen = plateau_flags(selection.scans, record.optics, column.fit_low, column.fit_high)
    return replace(column, flags=(*selection.flags, *seen), choices=selection.choices)


def _refuse_outside(
    seen: Artefacts, meniscus: float | None, bottom: float, fit_low: float, fit_high: float
) -> None:
    low, high = seen.low, seen.high
    if not low - 1e-3 <= fit_low < fit_high <= high + 1e-3 or not fit_low < bottom:
        raise UsageError(
            "the fit range lies outside the data",
            expected=f"limits between {low:.4f} and {high:.4f} cm, ascending",
            found=f"{fit_low:.4f} to {fit_high:.4f} cm, bottom {bottom:.4f} cm",
        )
    if meniscus is not None and not low - 0.3 <= meniscus < fit_low + 0.02:
        raise UsageError(
            "the meniscus lies outside the data",
            expected=f"a radius below {fit_low:.4f} cm",
            found=f"{meniscus:.4f} cm",
        )


def _choices(
    seen: Artefacts, settings: TechniqueSettings, meniscus: float, bottom: float, fit_range: list[float]
) -> tuple[Choice, ...]:
    """Say where the column and its fit begin and end, and why."""
    surface = "the middle of the surface's artefact, where the fit begins"
    base = "where the base's artefact is strongest; the column ends there"
    apart = f"{LEFT_MARGIN_CM:g} cm from the surface, {RIGHT_MARGIN_CM:g} cm from the base's pile-up"
    return (
        Choice("meniscus", meniscus, _reason(settings.meniscus, seen.meniscus, surface)),
        Choice("bottom", bottom, _reason(settings.bottom, seen.bottom, base)),
        Choice("fit_range", fit_range, apart if settings.fit_range is None else "set by the user"),
    )


def _reason(given: float | None, seen: object, where: str) -> str:
    if given is not None:
        return "set by the user"
    return where if seen is not None else "no artefact: the edge of the scans"
