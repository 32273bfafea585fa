"""When a calibration was valid: the same of every instrument."""

from __future__ import annotations

import datetime
from typing import Protocol

from aavqc.documents import Flag


class Validity(Protocol):
    """What any calibration states of itself."""

    certificate: str | None
    date: datetime.date | None
    valid_until: datetime.date | None


def validity_flags(calibration: Validity, day: datetime.date | None) -> list[Flag]:
    """Return a warning where a calibration was not valid on the day of the run."""
    c = calibration
    if day is None:
        return []
    named = c.certificate or getattr(c, "id", None)
    if c.valid_until is not None and day > c.valid_until:
        when = f"was valid until {c.valid_until}"
    elif c.date is not None and day < c.date:
        when = f"is of {c.date}"
    else:
        return []
    message = f"calibration {named or 'without certificate'} {when}; the run is of {day}"
    return [Flag(id="calibration_not_valid", severity="warning", message=message)]


def validity_remarks(calibration: Validity, day: datetime.date | None) -> list[str]:
    """Say that the validity of a calibration could not be checked."""
    if calibration.valid_until is None or day is not None:
        return []
    return ["run_date is not given: whether the calibration was valid then is not checked"]
