"""The way from the reaction back to the sample: a chain of volumes in and out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.errors import UsageError
from aavqc.records import WellDilution


@dataclass(frozen=True)
class Dilution:
    """Total factor from the reaction to the sample, its relative SD, and who states it."""

    factor: float
    rel_sd: float
    source: str


def dilution_of(
    settings: TechniqueSettings, row_rel_sd: float | None, exported: WellDilution | None
) -> Dilution | None:
    """Return the dilution of a well, or None where nobody states one.

    ``dilution_factor`` times every step of ``chain``; where neither is given, what the export
    states: pre-dilution times reaction over template volume. Relative SDs of steps add in
    squares: they are common to all wells of a preparation and never shrink with their number.

    Parameters
    ----------
    settings : TechniqueSettings
    row_rel_sd : float or None
        ``dilution_rel_sd`` of the sample sheet.
    exported : WellDilution or None

    Raises
    ------
    UsageError
        A step that is not written as ``name:volume in:volume out[:relative SD]``.

    Examples
    --------
    >>> steps = ["DNase:5:50:0.01", "template:5.5:22:0.01"]
    >>> found = dilution_of(TechniqueSettings(dilution_factor=1000, chain=steps), None, None)
    >>> round(found.factor, 6), round(found.rel_sd, 4)
    (40000.0, 0.0141)
    """
    steps = [_step(text) for text in settings.chain]
    rel_sd = math.hypot(row_rel_sd or 0.0, *(sd for _, sd in steps))
    if settings.dilution_factor is not None or steps:
        factor = math.prod(f for f, _ in steps) * (settings.dilution_factor or 1.0)
        return Dilution(factor, rel_sd, "chain" if steps else "dilution_factor")
    if exported is None or not exported.template_ul or not exported.reaction_ul or not exported.factor:
        return None
    factor = exported.factor * exported.reaction_ul / exported.template_ul
    return Dilution(factor, rel_sd, "exported")


def _step(text: str) -> tuple[float, float]:
    """Return factor and relative SD of one step."""
    parts = text.split(":")
    try:
        taken, total, *rest = (float(part) for part in parts[1:])
        sd = rest[0] if rest else 0.0
        good = 0 < taken <= total < math.inf and 0 <= sd <= 1 and len(rest) <= 1
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            "setting chain",
            expected="steps name:volume in:volume out[:relative SD] such as DNase:5:50:0.01",
            found=repr(text),
        )
    return total / taken, sd
