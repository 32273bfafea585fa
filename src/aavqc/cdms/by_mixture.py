"""Classes and peaks by the mixture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from aavqc.attributes import CLASSES
from aavqc.cdms.attributes import LEAST_IONS, LOD_IONS
from aavqc.cdms.capsids import Capsids, fit_capsids
from aavqc.cdms.em import shape_variance
from aavqc.cdms.expected import expected_capsid
from aavqc.cdms.funnel import Ions
from aavqc.cdms.method import ClassShare, Method, Triple, peak_row
from aavqc.cdms.mixture import Mixture, fit_mixture
from aavqc.cdms.noise import MZ_REL_SD
from aavqc.cdms.peaks import Peak
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.shape import plain_shape
from aavqc.cdms.uncertainty import Shares, class_shares, effective_interval
from aavqc.documents import Flag
from aavqc.intervals import normal_quantile
from aavqc.records import FloatArray

LOD_SD = 3.3
"""A class is seen from 3.3 SD of what is found where there is none, and from ``LOD_IONS`` ions."""

SLOPE_REL_SD = 0.002
"""Relative SD of a mass scale that was given without one."""

CORE = 2.0
"""Beyond so many SD of a peak of any particle the remainder may take over: real peaks have tails."""

NOISE_LIMIT = 0.15
"""Relative difference of variance between a charge noise given and the one seen."""

MERGED_SD = 0.03
"""SD of a class's share from which, where a neighbour makes up for it, the two are one."""

TAIL_SD, TAIL_SHARE = (3.0, 8.0), 0.01
"""Between so many SD below the empty peak lie no ions of capsids: as many as this share of the empty
ones are told. A normal peak has 0.0013 there, and the assembly's tail is on the other side."""

LEAST_GAP = 1.35
"""So many SD of a peak's blur a bound must be away from it: nearer, what lies beyond hangs on the
shape of the peak's tail and on how well the noise is known, and no longer on the ions."""


def by_mixture(
    ions: Ions, edges: Sequence[float], scale_rel_sd: float | None, settings: TechniqueSettings
) -> tuple[Method, Capsids] | None:
    """Return shares, masses and peaks of capsids; None with fewer than 50 of them.

    Parameters
    ----------
    ions : Ions
    edges : sequence of float
        Ends and bounds of the classes, Da.
    scale_rel_sd : float or None
        Relative SD of the mass scale; None: not stated with the calibration.
    settings : TechniqueSettings
    """
    inside = (ions.mass >= edges[0]) & (ions.mass < edges[-1])
    n = int(np.count_nonzero(inside))
    if n < LEAST_IONS:
        return None
    found = fit_capsids(ions.mass[inside], ions.charge[inside], np.array(edges), settings)
    z = normal_quantile(settings.coverage)
    scale = SLOPE_REL_SD if scale_rel_sd is None else scale_rel_sd
    off = 0.0
    if found.anchor is not None:
        off = found.mixture.state.location[found.anchor] / expected_capsid(settings).mean - 1
    shares = class_shares(
        found.mixture, found.told, found.edges, found.noise.rel_sd, math.hypot(scale, off), found.anchor
    )
    rows = {}
    for j, name in enumerate(CLASSES):
        value, variance = float(shares.value[j]), float(shares.covariance[j, j])
        detectable = max(LOD_IONS / n, LOD_SD * float(shares.blank_sd[j]))
        low, high = effective_interval(value, variance, n, z)
        # what can't be told from none may be none
        rows[name] = ClassShare(value, low if value >= detectable else 0.0, high, detectable)
    method = Method(
        peaks=_peaks(found.mixture, n),
        shares=rows,
        masses=_masses(found, shares, scale, n, z),
        facts=_facts(found),
        flags=(*_flags(found, shares, settings, n, z), *_low_tail(found, ions.mass, n)),
    )
    return method, found


def peaks_by_mixture(
    ions: Ions, noise: Callable[[FloatArray], FloatArray], peaks: Sequence[Peak]
) -> Method | None:
    """Return peaks of any particles, each with a width of its own; None without a peak."""
    if not peaks or ions.mass.size < LEAST_IONS:
        return None
    low = min(float(np.quantile(ions.mass, 0.002)), peaks[0].low)
    high = max(float(np.quantile(ions.mass, 0.998)), peaks[-1].high) * (1 + 1e-9)
    inside = (ions.mass >= low) & (ions.mass < high)
    mass, charge = ions.mass[inside], ions.charge[inside]
    sd = np.hypot(noise(charge) * mass / charge, MZ_REL_SD * mass)
    start = [p.mass for p in peaks]
    found = fit_mixture(
        mass, sd, plain_shape(), [low, high], start, further_width=None, most_peaks=0, clear=CORE
    )
    rows = [_with_tail(found, k, p, int(mass.size)) for k, p in enumerate(peaks)]
    return Method(peaks=[row for row in rows if row["ions"] >= 1], facts={"convergence": _convergence(found)})


def _with_tail(found: Mixture, k: int, peak: Peak, n: int) -> dict[str, Any]:
    """Count for a peak what the remainder holds within its feet: a tail that is not normal."""
    state, centres = found.state, found.given.centres
    tail = float(state.cells[(centres >= peak.low) & (centres < peak.high)].sum())
    sd = math.sqrt(found.given.blur**2 + float(state.width2[k]))
    return peak_row(float(state.location[k]), sd, (float(state.share[k]) + tail) * n, float(n))


def _peaks(found: Mixture, n: int) -> list[dict[str, float]]:
    state = found.state
    sd = np.sqrt(found.given.blur**2 + state.width2)
    order = np.argsort(state.location, kind="stable")
    return [
        peak_row(float(state.location[k]), float(sd[k]), float(state.share[k]) * n, float(n))
        for k in order
        if state.share[k] * n >= 1
    ]


def _masses(found: Capsids, shares: Shares, scale: float, n: int, z: float) -> dict[str, Triple]:
    state, edges = found.mixture.state, found.edges
    held = np.where((state.location >= edges[2]) & (state.location < edges[3]), state.share * n, 0.0)
    chosen = {"empty": found.anchor, "full": int(held.argmax()) if held.max() >= LEAST_IONS else None}
    rows: dict[str, Triple] = {}
    for name, k in chosen.items():
        if k is not None:
            rows[name] = _triple(float(state.location[k]), float(shares.locations[k, k]), scale, z)
    empty, full = chosen["empty"], chosen["full"]
    if empty is not None and full is not None:
        between = np.eye(len(state.location))[full] - np.eye(len(state.location))[empty]
        variance = float(between @ shares.locations @ between)
        rows["genome"] = _triple(float(state.location[full] - state.location[empty]), variance, scale, z)
    return rows


def _triple(value: float, variance: float, scale: float, z: float) -> Triple:
    half = z * math.sqrt(max(variance, 0.0) + (scale * value) ** 2)
    return value, value - half, value + half


def _facts(found: Capsids) -> dict[str, object]:
    line, state = found.line, found.mixture.state
    return {
        "remainder_percent": 100 * float(state.cells.sum()),
        "edges_mda": [edge / 1e6 for edge in found.edges.tolist()],
        "anchored_on_empty": found.anchor is not None,
        "mean_charge": None
        if line is None
        else {"intercept": line.intercept, "per_mda": line.slope * 1e6, "sd": line.spread},
        "bic": [{"peaks": k, "bic": value} for k, value in found.mixture.bic],
        "convergence": _convergence(found.mixture) | {"converged": found.converged},
    }


def _convergence(found: Mixture) -> dict[str, object]:
    climb = found.climb
    return {"iterations": climb.steps, "log_likelihood": climb.likelihood, "converged": climb.converged}


def _flags(found: Capsids, shares: Shares, settings: TechniqueSettings, n: int, z: float) -> list[Flag]:
    flags = []
    if not found.converged:
        message = "the mixture did not reach its maximum: its shares may not be the likeliest"
        flags.append(Flag(id="mixture_not_converged", severity="warning", message=message))
    if found.noise.source == "assumed":
        message = f"no peak shows the charge noise: {found.noise.constant:g} e are assumed, set sigma_z"
        flags.append(Flag(id="sigma_z_assumed", severity="warning", message=message))
    if settings.sigma_z is not None and found.seen is not None:
        flags += _noise_flag(found, settings)
    for left, right in pairwise(range(4)):
        flags += _merged(found, shares, left, right, n, z)
    return flags


def _low_tail(found: Capsids, mass: FloatArray, n: int) -> list[Flag]:
    """Find ions below the empty peak: what loses charge there is lost by full capsids to the partial ones."""
    if found.anchor is None or found.line is None:
        return []
    state, line = found.mixture.state, found.line
    peak = float(state.location[found.anchor])
    charge = line.intercept + line.slope * peak
    noise = float(found.noise.at(np.array([charge]))[0]) * peak / charge
    assembly = shape_variance(found.mixture.given.nodes)
    sd = math.sqrt(noise**2 + assembly + float(state.width2[found.anchor]))
    low, high = (peak - k * sd for k in reversed(TAIL_SD))
    empties = float(state.share[found.anchor]) * n
    below = int(np.count_nonzero((mass >= low) & (mass < high)))
    if empties < LEAST_IONS or below <= max(TAIL_SHARE * empties, LOD_IONS):
        return []
    message = (
        f"{below} ions lie 3 to 8 SD below the empty peak, {100 * below / empties:.1f} % of its own: debris, "
        "or charges measured too low (ions that decay), which count full capsids as partial likewise"
    )
    return [Flag(id="low_tail", severity="warning", message=message, value=below / empties, limit=TAIL_SHARE)]


def _noise_flag(found: Capsids, settings: TechniqueSettings) -> list[Flag]:
    """Compare the width of the sample's own peak with that of the noise given."""
    seen, line, state = found.seen, found.line, found.mixture.state
    if seen is None or line is None:
        return []
    mass = float(state.location[state.share.argmax()])
    charge = line.intercept + line.slope * mass
    given = float(found.noise.at(np.array([charge]))[0])
    other = expected_capsid(settings).sd / (mass / charge)
    ratio = (seen.constant**2 + other**2) / (given**2 + other**2) - 1
    wrong = 2 * seen.rel_sd * seen.constant**2 / (given**2 + other**2)
    if abs(ratio) <= max(NOISE_LIMIT, 3 * wrong):
        return []
    message = f"sigma_z is given as {given:.2f} e; the {seen.source} shows {seen.constant:.2f} e"
    return [
        Flag(id="sigma_z_inconsistent", severity="warning", message=message, value=seen.constant, limit=given)
    ]


def _merged(found: Capsids, shares: Shares, left: int, right: int, n: int, z: float) -> list[Flag]:
    """Say where two classes can't be told apart.

    Either each is badly known and their sum well, or the bound lies within the blur of a peak.
    """
    both = np.zeros(4)
    both[[left, right]] = 1
    sum_sd = math.sqrt(max(float(both @ shares.covariance @ both), 0.0))
    least = min(math.sqrt(shares.covariance[j, j]) for j in (left, right))
    gap = _gap(found, left, right)
    unknown = least >= MERGED_SD and sum_sd <= least / 2
    if not unknown and gap >= LEAST_GAP:
        return []
    value = float(both @ shares.value)
    low, high = effective_interval(min(value, 1.0), sum_sd**2, n, z)
    names = f"{CLASSES[left]} and {CLASSES[right]}"
    message = (
        f"{names} can't be told apart at this charge noise: together {100 * value:.1f} % "
        f"({100 * low:.1f}–{100 * high:.1f})"
    )
    shown, limit = (100 * least, 100 * MERGED_SD) if unknown else (gap, LEAST_GAP)
    return [Flag(id="classes_merged", severity="warning", message=message, value=shown, limit=limit)]


def _gap(found: Capsids, left: int, right: int) -> float:
    """Return how far the bound of two classes is from the largest peak of both, in SD of its blur."""
    given, state = found.mixture.given, found.mixture.state
    within = (state.location >= found.edges[left]) & (state.location < found.edges[right + 1])
    held = np.where(within, state.share * given.points.ions, 0.0)
    k = int(held.argmax())
    if held[k] < LEAST_IONS:
        return math.inf
    part = found.mixture.owned(k)
    variance = float((part * given.points.variance[given.points.of]).sum() / part.sum())
    blur = math.sqrt(shape_variance(given.nodes) + float(state.width2[k]) + variance)
    return abs(float(state.location[k]) - float(found.edges[right])) / blur
