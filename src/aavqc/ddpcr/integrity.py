"""Genome integrity: the share of molecules that bear every target of a multiplex."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import Attribute
from aavqc.ddpcr.joint import Joint, shown
from aavqc.ddpcr.pipetting import Scatter, widening
from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.ddpcr.species import Species, contiguous, species
from aavqc.ddpcr.spread import one_sided_factor
from aavqc.documents import Flag
from aavqc.intervals import normal_quantile
from aavqc.records import FloatArray

GAPS = 0.02
"""Share of species with a gap between their targets that speaks of failed detection."""

Counts = NDArray[np.int64] | FloatArray
"""Droplets by pattern, shape (2**targets,)."""

ALIKE = 2.0
"""Factor within which λ of sample and control must agree for one to normalise the other."""


@dataclass(frozen=True)
class Integrity:
    """Integrity of one sample and multiplex, over its wells.

    Attributes
    ----------
    targets : tuple of str
    wells : tuple of str
    value, low, high : float
        Complete molecules of all with any target, with its interval.
    naive : float
        Droplets positive for all targets, of those positive for any.
    any_density : float
        Largest λ of a well: molecules of any species a droplet.
    species : dict of str to float
        Copies a droplet by species, ``"110"`` bears the first two targets; the mean over wells.
    gaps : float
        Share of species with a gap between their targets.
    constrained : bool
        A closed form gave a negative density in some well.
    """

    targets: tuple[str, ...]
    wells: tuple[str, ...]
    value: float
    low: float
    high: float
    naive: float
    any_density: float
    species: dict[str, float]
    gaps: float
    constrained: bool


def integrity(joints: Sequence[Joint], settings: TechniqueSettings) -> Integrity | None:
    """Estimate the integrity from wells of one sample and multiplex, which may differ in dilution.

    Species are told apart well by well; complete molecules and all molecules are added over
    wells. The interval is the delta method's of the multinomial counts, with a few droplets added
    as Agresti and Coull do, widened by what wells scatter beyond it, and on the side where the
    number would lie with the droplets that gates may hide.

    Parameters
    ----------
    joints : sequence of Joint
        With equal targets.
    settings : TechniqueSettings

    Returns
    -------
    Integrity or None
        None where no well has droplets negative for all targets and positive for any.
    """
    found = _told_apart(joints, settings)
    if not found:
        return None
    size = found[0][0].counts.size
    droplets = [int(j.counts.sum()) for j, _ in found]
    value, _, chi2 = _estimate([(j.counts, s) for j, s in found])
    factor = widening(Scatter(chi2, len(found) - 1), settings.coverage)
    centre, sd, _ = _estimate(_with_pseudo([j.counts for j, _ in found], settings))
    shift = _shift_by_hidden(joints, settings, value)
    half = factor * normal_quantile(settings.coverage) * sd
    half *= one_sided_factor(abs(shift) / sd, settings.coverage)
    low, high = min(centre - half, value), max(centre + half, value)
    density = np.array(droplets) @ np.array([s.density for _, s in found]) / sum(droplets)
    counts = np.array([j.counts for j, _ in found]).sum(axis=0)
    gaps = math.fsum(float(density[t]) for t in range(1, size) if not contiguous(t))
    return Integrity(
        targets=found[0][0].targets,
        wells=tuple(j.well for j, _ in found),
        value=value,
        low=max(low + min(shift, 0.0), 0.0),
        high=min(high + max(shift, 0.0), 1.0),
        naive=float(counts[-1] / counts[1:].sum()),
        any_density=max(float(s.density.sum()) for _, s in found),
        species={_name(t, len(found[0][0].targets)): float(density[t]) for t in range(1, size)},
        gaps=gaps / float(density.sum()),
        constrained=any(s.constrained for _, s in found),
    )


def _told_apart(joints: Sequence[Joint], settings: TechniqueSettings) -> list[tuple[Joint, Species]]:
    """Return the wells whose species can be told apart, and which hold any."""
    return [(j, s) for j in joints if (s := species(j.counts, settings.volume_cv)) and s.density.sum() > 0]


def _estimate(found: Sequence[tuple[Counts, Species]]) -> tuple[float, float, float]:
    """Return the integrity over wells, its SD by counting, and the chi square of wells about it."""
    droplets = [float(counts.sum()) for counts, _ in found]
    full = math.fsum(n * float(s.density[-1]) for n, (_, s) in zip(droplets, found, strict=True))
    total = math.fsum(n * float(s.density.sum()) for n, (_, s) in zip(droplets, found, strict=True))
    value, variance, chi2 = full / total, 0.0, 0.0
    for n, (counts, s) in zip(droplets, found, strict=True):
        share = counts / n
        influence = s.influence_full - value * s.influence_any
        own = n * float(share @ influence**2 - (share @ influence) ** 2)
        variance += own
        chi2 += (n * float(s.density[-1] - value * s.density.sum())) ** 2 / own if own > 0 else 0.0
    return value, math.sqrt(variance) / total, chi2


def _with_pseudo(
    counts: Sequence[NDArray[np.int64]], settings: TechniqueSettings
) -> list[tuple[Counts, Species]]:
    """Return the wells with z²/2 complete and z²/2 other droplets more, over wells and patterns.

    What Agresti and Coull (1998) Am Stat 52:119 do to a proportion: near 0 and 100 %, where the counts
    vary by next to nothing, the interval is not nothing.
    """
    pseudo = 0.5 * normal_quantile(settings.coverage) ** 2
    whole, more = sum(int(c.sum()) for c in counts), np.zeros(counts[0].size)
    more[1:-1], more[-1] = pseudo / (more.size - 2), pseudo
    found: list[tuple[Counts, Species]] = []
    for c in counts:
        padded = c + more * (int(c.sum()) / whole)
        apart = species(padded, settings.volume_cv)
        if apart is not None:
            found.append((padded, apart))
    return found


def _shift_by_hidden(joints: Sequence[Joint], settings: TechniqueSettings, value: float) -> float:
    """Return how far the integrity would move with the droplets that gates may hide; 0 if nothing tells."""
    if not any(any(j.hidden) for j in joints):
        return 0.0
    found = _told_apart([shown(j) for j in joints], settings)
    return _estimate([(j.counts, s) for j, s in found])[0] - value if found else 0.0


def normalised(sample: Integrity, control: Integrity) -> Integrity | None:
    """Return the integrity relative to a linear intact control's, not cut at 1.

    A linear control reads below 1 as not every target is always detected. None where λ of the two
    differ by more than a factor of 2, or the control reads 0.

    Examples
    --------
    >>> a = Integrity(("a", "b"), ("A01",), 0.8, 0.76, 0.84, 0.8, 0.2, {}, 0.0, False)
    >>> round(normalised(a, replace(a, value=0.9, low=0.87, high=0.93)).value, 4)
    0.8889
    """
    ratio = sample.any_density / control.any_density
    if sample.targets != control.targets or not 1 / ALIKE <= ratio <= ALIKE or control.low <= 0:
        return None
    value = sample.value / control.value
    up = math.hypot((sample.high - sample.value) / control.value, value * (1 - control.low / control.value))
    down = math.hypot((sample.value - sample.low) / control.value, value * (control.high / control.value - 1))
    return replace(sample, value=value, low=max(value - down, 0.0), high=value + up)


def integrity_attribute(name: str, found: Integrity, settings: TechniqueSettings) -> Attribute:
    """Return the attribute, in percent."""
    return Attribute(
        name=name,
        technique="ddpcr",
        value=100 * found.value,
        unit="%",
        ci_low=100 * found.low,
        ci_high=100 * found.high,
        coverage=settings.coverage,
        scope="run" if len(found.wells) > 1 else "fit",
    )


def integrity_flags(found: Integrity, settings: TechniqueSettings) -> list[Flag]:
    """Return what a reviewer of an integrity must know."""
    flags = []
    if found.any_density > settings.max_lambda_integrity:
        flags.append(
            Flag(
                id="integrity_lambda_high",
                severity="warning",
                message="λ of the multiplex is high: fragments share droplets by chance",
                value=found.any_density,
                limit=settings.max_lambda_integrity,
            )
        )
    if len(found.targets) > 2 and found.gaps > GAPS:
        flags.append(
            Flag(
                id="detection_failure",
                severity="warning",
                message="species with a gap between their targets: a target in between is not always seen",
                value=found.gaps,
                limit=GAPS,
            )
        )
    return flags


def integrity_diagnostics(found: Integrity, settings: TechniqueSettings) -> dict[str, Any]:
    """Return what is kept of an integrity beside its attribute.

    ``false_linkage`` bounds the share of molecules that look linked where volumes scatter by 5 %
    more than they are corrected for: CV²·λ of all molecules.
    """
    return {
        "targets": list(found.targets),
        "wells": list(found.wells),
        "integrity_percent": 100 * found.value,
        "naive_percent": 100 * found.naive,
        "lambda_any": found.any_density,
        "species": found.species,
        "gaps": found.gaps,
        "constrained": found.constrained,
        "volume_cv": settings.volume_cv,
        "false_linkage": 0.05**2 * found.any_density,
        "lysis": settings.lysis,
    }


def by_targets(joints: Sequence[Joint]) -> dict[tuple[str, ...], list[Joint]]:
    """Group joint counts by multiplex, the largest first."""
    groups: dict[tuple[str, ...], list[Joint]] = {}
    for joint in joints:
        groups.setdefault(joint.targets, []).append(joint)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[0]), item[0])))


def _name(index: int, targets: int) -> str:
    return "".join("1" if index >> t & 1 else "0" for t in range(targets))
