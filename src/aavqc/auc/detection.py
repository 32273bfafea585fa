"""Limits of detection: the share of a class that the noise alone could bring about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from aavqc.attributes import Attribute
from aavqc.auc.capsids import Capsids
from aavqc.auc.composition import coefficients_of
from aavqc.auc.fit import SampleFit
from aavqc.auc.resolve import Resolved
from aavqc.auc.search import Problem, joint_slopes
from aavqc.auc.settings import TechniqueSettings
from aavqc.capsid import CLASSES
from aavqc.records import FloatArray

DETECTED = 3.3
"""Standard deviations of an amount whose truth is 0: ICH Q2."""


def detection_limits(fit: SampleFit, found: Capsids, settings: TechniqueSettings) -> dict[str, float]:
    """Return the limit of detection of each class attribute, in percent, by the attribute's name.

    In place of the class's own species one is added where its largest lies, else in the middle of
    its window; the SD of its amount, all else fitted with it, times 3.3.
    """
    if fit.resolved is None or fit.windows is None:
        return {}
    index = fit.windows.index(found.s)
    edges = (fit.windows.s_empty, *fit.windows.edges[1:])
    limits = {}
    for i, name in enumerate(CLASSES):
        own = np.flatnonzero(index == i + 1)
        middle = edges[0] if i == 0 else 0.5 * (edges[i] + edges[i + 1])
        at = float(found.s[own[np.argmax(found.signal[own])]]) if own.size else middle
        sd = _amount_sd(fit.problem, fit.resolved, at, set(own.tolist()))
        total = float(found.signal[(index >= 1) & (index <= 4)].sum())
        limits[f"percent_{name}_signal"] = 100.0 * DETECTED * float(sd[0]) / total
        if found.particles is not None:
            length = float(fit.windows.length(np.array([at]))[0])
            capsids = float(found.particles[(index >= 1) & (index <= 4)].sum())
            limits[f"percent_{name}"] = 100.0 * DETECTED * _particle_sd(fit, sd, length, settings) / capsids
    return limits


def beside_undetected(attributes: Sequence[Attribute]) -> list[Attribute]:
    """Return the attributes with lower limits of the classes that allow for those not detected.

    Up to its limit of detection a class may be there unseen; the others are then that much less of
    the whole.
    """
    unseen = {
        suffix: sum(a.bound or 0.0 for a in attributes if a.qualifier == "ND" and a.name in names)
        for suffix, names in _BY_SUFFIX.items()
    }
    mended = []
    for a in attributes:
        suffix = next((x for x, names in _BY_SUFFIX.items() if a.name in names), None)
        if suffix is None or a.ci_low is None or a.qualifier is not None or not unseen[suffix]:
            mended.append(a)
            continue
        less = float(np.hypot(a.value - a.ci_low, a.value * unseen[suffix] / 100.0))
        mended.append(replace(a, ci_low=max(a.value - less, 0.0)))
    return mended


_BY_SUFFIX = {suffix: {f"percent_{c}{suffix}" for c in CLASSES} for suffix in ("", "_signal")}


def _amount_sd(problem: Problem, resolved: Resolved, s: float, left_out: set[int]) -> FloatArray:
    """Return the SD of the amount of one more species in each channel, some others left out."""
    found, free = resolved.found, resolved.free
    n, count = resolved.s.size, len(problem.channels)
    kept = [k for k in range(n) if k not in left_out]
    rows = [*kept, *(n + i for i, f in enumerate(free) if f[0] != "s" or f[1] not in left_out)]
    size = count * len(kept) + len(rows) - len(kept)
    normal, at = np.zeros((size, size)), []
    slopes = [part[rows] for part in joint_slopes(problem, found, free)]
    for c, part in enumerate(slopes):
        here = np.r_[c * len(kept) : (c + 1) * len(kept), count * len(kept) : size]
        normal[np.ix_(here, here)] += part @ part.T
        at.append(here)
    for i, f in enumerate(f for f in free if f[0] != "s" or f[1] not in left_out):
        if f in problem.prior:
            normal[count * len(kept) + i, count * len(kept) + i] += problem.prior[f][1] ** -2
    inverse = np.linalg.pinv(normal, hermitian=True)
    sds = []
    for c, column in enumerate(problem.columns(np.array([s]), found.best)):
        x = column[0]
        across = slopes[c] @ x
        seen = float(x @ x - across @ inverse[np.ix_(at[c], at[c])] @ across)
        sds.append(np.sqrt(found.cost / problem.points / max(seen, 1e-300)))
    return np.array(sds)


def _particle_sd(fit: SampleFit, sd: FloatArray, length: float, settings: TechniqueSettings) -> float:
    """Return the SD of the particles of a species of known length, all wavelengths together."""
    weight = 0.0
    for f, one in zip(fit.fits, sd.tolist(), strict=True):
        known = coefficients_of(settings, f.grid)
        if known is not None:
            weight += (settings.path_length_cm * (known[0] + known[1] * length) / one) ** 2
    return float(weight**-0.5) if weight > 0 else 0.0
