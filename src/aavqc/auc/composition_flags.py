"""Flags on the composition: what the data can't tell apart, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aavqc.attributes import CLASSES, Attribute
from aavqc.auc.attributes import UNCERTAIN
from aavqc.auc.capsids import UNANCHORED_SD, Capsids
from aavqc.auc.composition import AGGREGATE, NUCLEOTIDE_REL_SD
from aavqc.auc.fit import SampleFit
from aavqc.auc.misfit import misfit_flag
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag

LENGTH_BY_S, LENGTH_BY_LIGHT = 0.10, 0.05
"""Relative difference of the measured length of full capsids from the design's; by the wavelengths
beyond three standard errors as well."""

CELLS_APART = 6.0
"""Points between cells of one sample: at 0.12 OD, where noise scatters a cell by 0.8, they are five SD of
a difference."""

MOSTLY, HARDLY = 50.0, 5.0
"""Percent of the signal."""

UNEXPECTED = ("overfull", "aggregate", "sub_capsid")

EMPTY_SEEN = 0.97
"""Times the s of an empty capsid: a range of s that begins above it has lost some of the empty peak."""


def composition_flags(
    fit: SampleFit, attributes: Sequence[Attribute], settings: TechniqueSettings
) -> list[Flag]:
    """Return the flags that a composition raises."""
    if fit.windows is None:
        return []
    by_name = {a.name: a for a in attributes}
    found = (
        _mostly_unexpected(by_name) or _mostly_partial(by_name),
        _overfull_in_doubt(fit),
        _diffusion_left_in(fit),
        _not_resolved(by_name),
        _lengths_differ(fit, by_name, settings),
        _cells_differ(fit.capsids),
        _smear(fit),
        _species_misfit(fit),
        _range_cuts_classes(fit, settings),
    )
    return [flag for flag in found if flag is not None]


def _mostly_unexpected(by_name: dict[str, Attribute]) -> Flag | None:
    """Find a sample most of which is neither empty, partial nor full: more likely a wrong constant."""
    shares = {n: a.value for n in UNEXPECTED if (a := by_name.get(f"percent_{n}_signal")) is not None}
    total = sum(shares.values())
    if total <= MOSTLY:
        return None
    most = max(shares, key=shares.__getitem__)
    return Flag(
        id="classes_in_doubt",
        severity="warning",
        message=(
            f"{total:.0f} % of the signal is {', '.join(UNEXPECTED)}, most of it {most}: is density, "
            "viscosity, temperature, serotype or design_length wrong?"
        ),
        value=total,
        limit=MOSTLY,
    )


def _mostly_partial(by_name: dict[str, Attribute]) -> Flag | None:
    """Find a sample most of which is partial with hardly any full capsids: perhaps another genome."""
    partial, full = (by_name.get(f"percent_{name}_signal") for name in ("partial", "full"))
    if partial is None or full is None or partial.value <= MOSTLY or full.value >= HARDLY:
        return None
    return Flag(
        id="classes_in_doubt",
        severity="warning",
        message=(
            f"{partial.value:.0f} % of the signal of capsids is partial, {full.value:.1f} % full: do they "
            "hold another genome than design_length says?"
        ),
        value=partial.value,
        limit=MOSTLY,
    )


def _overfull_in_doubt(fit: SampleFit) -> Flag | None:
    """Find species of the overfull class that would hold more than any capsid packages."""
    if fit.capsids is None or fit.windows is None:
        return None
    found, limit = fit.capsids, fit.windows.edges[-1] / AGGREGATE
    doubted = (found.windows.index(found.s) == len(CLASSES)) & (found.s > limit)
    if not doubted.any():
        return None
    share = 100.0 * float(found.signal[doubted].sum() / found.signal.sum())
    return Flag(
        id="overfull_in_doubt",
        severity="warning",
        message=(
            f"{share:.1f} % of the signal, from {found.s[doubted][0]:.0f} S, is counted as overfull but "
            "would hold over 1.5 times design_length: aggregates, perhaps, that titers would count as genomes"
        ),
        value=float(found.s[doubted][0]),
        limit=limit,
    )


def _diffusion_left_in(fit: SampleFit) -> Flag | None:
    if fit.model != "lsg":
        return None
    return Flag(
        id="diffusion_left_in",
        severity="warning",
        message="ls-g*(s) takes no diffusion out: classes of capsids run into each other",
    )


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
    # what the model leaves open is in the limits; a constant that nobody vouched for is what is looked at
    assumed = (
        UNANCHORED_SD if not by_light else NUCLEOTIDE_REL_SD if settings.extinction.rel_sd is None else 0.0
    )
    error = float(np.sqrt(max(error**2 - assumed**2, 0.0)))
    limit = max(LENGTH_BY_LIGHT if by_light else LENGTH_BY_S, 3.0 * error)
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


def _cells_differ(capsids: Capsids | None) -> Flag | None:
    """Find cells that do not hold one sample."""
    if capsids is None or capsids.by_cell is None:
        return None
    cells = [capsids.percent(n) for n in capsids.by_cell]
    apart, name = max((max(c[x] for c in cells) - min(c[x] for c in cells), x) for x in CLASSES)
    if apart <= CELLS_APART:
        return None
    return Flag(
        id="cells_differ",
        severity="warning",
        message=f"percent_{name} differs by {apart:.1f} points between cells: not one sample, or one failed",
        value=apart,
        limit=CELLS_APART,
    )


def _species_misfit(fit: SampleFit) -> Flag | None:
    """Compare what the species leave over with the noise: the composition rests on them, not on c(s)."""
    if fit.resolved is None:
        return None
    ratio = float(np.sqrt(fit.resolved.found.cost / fit.problem.points))
    noise_share = max(
        c.noise_sd / max(float(x.sum()), 1e-300)
        for c, x in zip(fit.problem.channels, fit.resolved.amounts, strict=True)
    )
    share = noise_share * float(np.sqrt(max(ratio**2 - 1.0, 0.0)))
    message = (
        f"the species that the composition rests on leave {ratio:.2f} times the noise of a point, "
        f"{100 * share:.2g} % of the loading signal"
    )
    return misfit_flag("species_misfit", ratio, share, message)


def _range_cuts_classes(fit: SampleFit, settings: TechniqueSettings) -> Flag | None:
    """Find an ``s_range`` in which not every class was looked for."""
    if settings.s_range is None or fit.windows is None:
        return None
    low, high = settings.s_range
    first, last = EMPTY_SEEN * fit.windows.s_empty, fit.windows.edges[3]
    if low <= first and high >= last:
        return None
    return Flag(
        id="s_range_cuts_classes",
        severity="invalid",
        message=(
            f"s_range {low:g}–{high:g} S does not hold empty to full capsids, {first:.0f}–{last:.0f} S: "
            "what lies outside was not looked for"
        ),
        value=low if low > first else high,
        limit=first if low > first else last,
    )
