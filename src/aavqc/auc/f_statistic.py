"""F-statistic limits: how far a parameter can be moved before the fit is worse than chance makes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from aavqc.auc.regularise import f_ratio
from aavqc.auc.search import Found, Free, Problem, search
from aavqc.records import FloatArray

ROUNDS = 8
"""Bisections of each limit: 1/256 of the first bracket."""


def f_statistic_limits(
    problem: Problem, found: Found, s: FloatArray, wanted: Sequence[str], confidence: float
) -> dict[str, dict[str, float | None]]:
    """Return limits of fitted parameters where χ² = χ²_min · F(P; N, N), all others fitted again.

    Parameters
    ----------
    problem : Problem
    found : Found
        The best fit.
    s : array, shape (n,)
        Its species, or the grid of its distribution.
    wanted : sequence of str
        ``meniscus``, ``bottom``, ``shape``; those that were fitted are profiled.
    confidence : float
        P.

    Returns
    -------
    dict
        By parameter: ``value``, ``low``, ``high``; None where the search's limit comes first.
    """
    best = search(problem, s, found.best, list(found.sd))
    limit = best.cost * f_ratio(confidence, problem.points)
    profiled = {}
    for f, sd in found.sd.items():
        if f[0] in wanted:
            name = f[0] if f[1] == 0 else f"{f[0]}_{f[1] + 1}"
            sides = [_limit(problem, best, f, sign * max(sd, 1e-6), limit, found.sd) for sign in (-1, 1)]
            profiled[name] = {"value": best.best.get(f), "low": sides[0], "high": sides[1]}
    return profiled


def _limit(
    problem: Problem, best: Found, f: Free, step: float, limit: float, free: Mapping[Free, float]
) -> float | None:
    others = [other for other in free if other != f]
    value = best.best.get(f)

    def cost(at: float) -> float:
        return search(problem, best.s, best.best.having(f, at), others).cost

    inside, outside = value, value + step
    while (possible := problem.low.get(f) <= outside <= problem.high.get(f)) and cost(outside) < limit:
        inside, outside = outside, value + 2.0 * (outside - value)
    if not possible:
        return None
    for _ in range(ROUNDS):
        middle = 0.5 * (inside + outside)
        if cost(middle) < limit:
            inside = middle
        else:
            outside = middle
    return float(np.mean([inside, outside]))
