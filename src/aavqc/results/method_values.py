"""What each method of a lot measured, with the uncertainty of its procedure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from aavqc.attributes import CLASSES, Attribute
from aavqc.quantities import UNITS
from aavqc.results.simplex import Composition


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number above 0 by one method, on the logarithm and in its dimension's own scale.

    Attributes
    ----------
    method : str
    log : float
    sd : float or None
        None: the precision of its procedure is not known.
    """

    method: str
    log: float
    sd: float | None


def compositions_of(given: Sequence[Attribute]) -> dict[str, Composition | None]:
    """Return the composition by each method; None where a procedure's precision is not known.

    Replicates are averaged. Their uncertainty is that of one: a procedure's bias does not average
    out. A method that does not list all four classes has no composition.
    """
    found: dict[str, Composition | None] = {}
    for method in sorted({a.technique for a in given}):
        rows = [
            [a for a in given if a.technique == method and a.name == f"percent_{name}" and a.unit == "%"]
            for name in CLASSES
        ]
        if not all(rows) or sum(a.value for a in (row[0] for row in rows)) <= 0:
            continue
        shares = np.array([sum(a.value for a in row) / len(row) / 100 for row in rows])
        censored = tuple(any(a.qualifier is not None or a.value <= 0 for a in row) for row in rows)
        sds = [_censored_sd(row) if off else _mean_sd(row) for row, off in zip(rows, censored, strict=True)]
        stated = [sd for sd in sds if sd is not None]
        complete = len(stated) == len(sds)
        found[method] = Composition(shares, np.array(stated) / 100, censored) if complete else None
    return found


def _mean_sd(row: Sequence[Attribute]) -> float | None:
    sds = [sd for a in row if (sd := _half(a)) is not None]
    return sum(sds) / len(sds) if len(sds) == len(row) else None


def _half(a: Attribute) -> float | None:
    """Return the standard uncertainty of the procedure, None where it is not known."""
    if a.scope != "procedure" or a.ci_low is None or a.ci_high is None or not 0 < (a.coverage or 0) < 1:
        return None
    return (a.ci_high - a.ci_low) / 2 / NormalDist().inv_cdf(0.5 + (a.coverage or 0) / 2) or None


def _censored_sd(row: Sequence[Attribute]) -> float:
    """Take the most that a class without a value may hold for twice its SD."""
    most = [
        a.bound if a.qualifier in ("<", "≤", "ND") and a.bound is not None else a.ci_high or 0.0 for a in row
    ]
    return max(most) / 2


def scalars_of(given: Sequence[Attribute], name: str) -> list[Scalar]:
    """Return a titer by each method: the technique, and whether it is the optical estimate."""
    rows: dict[str, list[Attribute]] = {}
    for a in given:
        if a.name in (name, f"{name}_optical") and a.qualifier is None and a.value > 0:
            label = f"{a.technique} (optical)" if a.name.endswith("_optical") else a.technique
            rows.setdefault(label, []).append(a)
    return [_value(label, row) for label, row in rows.items()]


def _value(label: str, row: Sequence[Attribute]) -> Scalar:
    """Average what has the uncertainty of its procedure, such as one of two targets; else all."""
    known = [(a, sd) for a in row if (sd := _log_half(a)) is not None]
    logs = [math.log(a.value * float(UNITS[a.unit][1])) for a in ([a for a, _ in known] or row)]
    return Scalar(label, sum(logs) / len(logs), sum(sd for _, sd in known) / len(known) if known else None)


def _log_half(a: Attribute) -> float | None:
    if _half(a) is None or a.ci_low is None or a.ci_high is None or a.ci_low <= 0:
        return None
    return math.log(a.ci_high / a.ci_low) / 2 / NormalDist().inv_cdf(0.5 + (a.coverage or 0) / 2)
