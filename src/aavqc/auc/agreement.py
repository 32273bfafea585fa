"""Flags on the composition: what the data can't tell apart, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Sequence

from aavqc.attributes import Attribute
from aavqc.auc.attributes import UNCERTAIN
from aavqc.auc.fit import SampleFit
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag

LENGTH_BY_S, LENGTH_BY_LIGHT = 0.10, 0.05
"""Relative difference of the measured length of full capsids from the design's; by the wavelengths
beyond three standard errors as well."""


def composition_flags(
    fit: SampleFit, attributes: Sequence[Attribute], settings: TechniqueSettings
) -> list[Flag]:
    """Return the flags that a composition raises."""
    if fit.windows is None or fit.resolved is None:
        return []
    by_name = {a.name: a for a in attributes}
    found = (_not_resolved(by_name), _lengths_differ(fit, by_name, settings), _smear(fit))
    return [flag for flag in found if flag is not None]


def _not_resolved(by_name: dict[str, Attribute]) -> Flag | None:
    merged = by_name.get("percent_partial_full")
    if merged is None:
        return None
    full = by_name["percent_full"]
    width = 0.5 * ((full.ci_high or 0.0) - (full.ci_low or 0.0))
    return Flag(
        id="partial_full_not_resolved",
        severity="warning",
        message=f"partial and full capsids can't be told apart: together {merged}",
        value=width,
        limit=UNCERTAIN,
    )


def _lengths_differ(
    fit: SampleFit, by_name: dict[str, Attribute], settings: TechniqueSettings
) -> Flag | None:
    """Compare the length of the main full species, as measured, with that used for its extinction."""
    length = by_name.get("packaged_length")
    if fit.windows is None or length is None or length.ci_low is None or length.ci_high is None:
        return None
    used = settings.design_length if fit.windows.s_full is not None else None
    if used is None:
        return None
    off = abs(length.value / used - 1.0)
    error = 0.25 * (length.ci_high - length.ci_low) / used
    by_light = fit.capsids is not None and fit.capsids.bases is not None
    limit = max(LENGTH_BY_LIGHT, 3.0 * error) if by_light else LENGTH_BY_S
    if off <= limit:
        return None
    why = (
        "an extinction coefficient, a wavelength or the design length is wrong"
        if by_light
        else "full capsids are larger than empty ones, or hold another genome"
    )
    return Flag(
        id="lengths_disagree",
        severity="warning",
        message=f"the main full peak, taken to hold {used:g} nt, measures {length.value:.0f} nt: {why}",
        value=off,
        limit=limit,
    )


def _smear(fit: SampleFit) -> Flag | None:
    if fit.resolved is None or not fit.resolved.smeared:
        return None
    s, smeared = fit.resolved.s, fit.resolved.smeared
    return Flag(
        id="smear",
        severity="warning",
        message=(
            f"material sediments without a gap from {s[smeared[0]]:.0f} to {s[smeared[-1] + 1]:.0f} S: "
            "the class bounds cut through it, and the intervals allow for that"
        ),
        value=float(len(smeared) + 1),
        limit=3.0,
    )
