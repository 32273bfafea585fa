"""The lot as a whole: whether methods that measure the same thing agree.

Information for a person, and no verdict: no specification can cite it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from aavqc.attributes import CLASSES, Attribute
from aavqc.documents import Document
from aavqc.errors import UsageError
from aavqc.results.consensus import consensus
from aavqc.results.method_values import Scalar, compositions_of, scalars_of
from aavqc.results.simplex import Composition, log_ratios, merged, parts_of, shares_of

LEVEL = 0.05
"""Probability that any comparison of a lot whose methods agree says that they do not."""

COVERAGE = 0.95
DESIGN_SD = 1 / math.sqrt(12)
"""A design is exact to the nucleotide."""


class MethodComparison(Document):
    """One quantity by several methods."""

    question: str
    methods: list[str]
    answer: Literal["agree", "disagree", "not assessable"]
    odd: str | None = Field(None, description="the method that the others speak against")
    p: float | None = Field(None, description="of a spread so large by stated uncertainty alone")
    statement: str


class CombinedShare(Document):
    """The share of one class, or of several that could not be told apart, by all methods together."""

    classes: list[str]
    percent: float
    ci_low: float
    ci_high: float
    coverage: float


class Agreement(Document):
    """What the methods of one lot say about each other, and together."""

    algorithm: Literal["results.agreement/1"] = "results.agreement/1"
    comparisons: list[MethodComparison]
    combined: list[CombinedShare] = Field(
        [], description="weighted least squares with method biases as nuisance: information only"
    )


def agreement(
    attributes: Iterable[Attribute],
    *,
    design_length: float | None = None,
    carrying: float | None = None,
) -> Agreement:
    """Compare the methods of one lot.

    Composition of capsids on log-ratio coordinates; genome and capsid titer and packaged length on
    the logarithm; the ratio of genomes to capsids against what the composition leads one to expect.

    Parameters
    ----------
    attributes : iterable of Attribute
        Of valid samples of one lot. Replicates of a method are averaged; their interval of scope
        ``procedure`` is that of one, because a procedure's bias does not average out.
    design_length : float, optional
        nt, a further value of the packaged length.
    carrying : float, optional
        Share of the partial capsids that carry the amplicon, from 0 to 1; without it any.

    Returns
    -------
    Agreement
        Comparisons of two methods or more, in a fixed order. The significance level is divided
        among those that can be assessed.
    """
    if carrying is not None and not 0 <= carrying <= 1:
        raise UsageError("carrying", expected="a share from 0 to 1", found=str(carrying))
    given = sorted(attributes, key=lambda a: (a.name, a.technique, a.target or "", repr(a)))
    compositions = compositions_of(given)
    scalars = {
        "genome titer": scalars_of(given, "vg_titer"),
        "capsid titer": scalars_of(given, "cp_titer"),
        "packaged length": _with_design(scalars_of(given, "packaged_length"), design_length),
    }
    scalars = {question: values for question, values in scalars.items() if len(values) > 1}
    known = {method: c for method, c in compositions.items() if c is not None}
    ratio = _ratio(given, known)
    assessable = sum(sum(v.sd is not None for v in values) > 1 for values in scalars.values())
    assessable += (len(known) > 1) + (ratio is not None)
    level = LEVEL / max(assessable, 1)
    found, combined = _compare_compositions(compositions, known, level)
    found += [_compare_scalars(question, values, level) for question, values in scalars.items()]
    if ratio is not None:
        found.append(_compare_ratio(ratio, known, carrying, level))
    return Agreement(comparisons=found, combined=combined)


def _with_design(values: list[Scalar], design_length: float | None) -> list[Scalar]:
    if not values or design_length is None:
        return values
    return [*values, Scalar("design", math.log(design_length), DESIGN_SD / design_length)]


def _compare_compositions(
    compositions: Mapping[str, Composition | None], known: Mapping[str, Composition], level: float
) -> tuple[list[MethodComparison], list[CombinedShare]]:
    if len(compositions) < 2:
        return [], []
    unknown = [method for method in compositions if method not in known]
    if len(known) < 2:
        return [_not_assessable("composition", [*compositions], unknown)], []
    parts = parts_of([*known.values()])
    names = [[CLASSES[k] for k in part] for part in parts]
    what = f"composition ({', '.join('+'.join(name) for name in names)})"
    if len(parts) < 2:  # nothing but one class above its limit of detection, by every method
        return [_answer(what, [*known], unknown, 1.0, None, level)], []
    about = np.mean([merged(c, parts) for c in known.values()], axis=0)
    values, covariances = zip(*(log_ratios(c, parts, about) for c in known.values()), strict=True)
    found = consensus(values, covariances, level, COVERAGE)
    shares = shares_of(found.mean, found.covariance, found.quantile)
    combined = [
        CombinedShare(
            classes=name, percent=100 * share, ci_low=100 * low, ci_high=100 * high, coverage=COVERAGE
        )
        for name, (share, low, high) in zip(names, shares, strict=True)
    ]
    return [_answer(what, [*known], unknown, found.p, found.odd, level)], combined


def _compare_scalars(question: str, given: Sequence[Scalar], level: float) -> MethodComparison:
    known = [v for v in given if v.sd is not None]
    unknown = [v.method for v in given if v.sd is None]
    if len(known) < 2:
        return _not_assessable(question, [v.method for v in given], unknown)
    values = [np.array([v.log]) for v in known]
    covariances = [np.array([[(v.sd or 0.0) ** 2]]) for v in known]
    found = consensus(values, covariances, level, COVERAGE)
    return _answer(question, [v.method for v in known], unknown, found.p, found.odd, level)


def _ratio(given: Sequence[Attribute], known: Mapping[str, Composition]) -> tuple[Scalar, Scalar] | None:
    """Return genome and capsid titer to divide, the primary ones before the optical ones."""
    pair = []
    for name in ("vg_titer", "cp_titer"):
        values = [v for v in scalars_of(given, name) if v.sd is not None]
        if not values:
            return None
        pair.append(min(values, key=lambda v: (v.method != "ddpcr", v.method.endswith("(optical)"))))
    return (pair[0], pair[1]) if known else None


def _compare_ratio(
    pair: tuple[Scalar, Scalar], known: Mapping[str, Composition], carrying: float | None, level: float
) -> MethodComparison:
    """Compare genomes a capsid with (full + overfull + f partial) / all, f from 0 to 1."""
    genomes, capsids = pair
    measured, variance = genomes.log - capsids.log, (genomes.sd or 0) ** 2 + (capsids.sd or 0) ** 2
    ends = [_expected(list(known.values()), f) for f in ((0.0, 1.0) if carrying is None else (carrying,))]
    (low, low_variance), (high, high_variance) = ends[0], ends[-1]
    z = max(
        (low - measured) / math.sqrt(variance + low_variance),
        (measured - high) / math.sqrt(variance + high_variance),
        0.0,
    )
    methods = [genomes.method, capsids.method, *known]
    expected = " – ".join(dict.fromkeys(f"{math.exp(x):.2g}" for x in (low, high)))
    what = f"genomes a capsid ({math.exp(measured):.2g}, by composition {expected})"
    return _answer(what, methods, [], math.erfc(z / math.sqrt(2)), None, level)


def _expected(compositions: Sequence[Composition], f: float) -> tuple[float, float]:
    """Return the logarithm of the expected ratio and its variance, mean of the methods."""
    weight = np.array([0.0, f, 1.0, 1.0])
    values = [max(float(weight @ c.shares / c.shares.sum()), 1e-6) for c in compositions]
    variances = [float(weight @ c.sds**2) / v**2 for c, v in zip(compositions, values, strict=True)]
    n = len(values)
    return sum(map(math.log, values)) / n, sum(variances) / n


def _answer(
    question: str, methods: list[str], unknown: list[str], p: float, odd: int | None, level: float
) -> MethodComparison:
    name = methods[odd] if odd is not None else None
    answer: Literal["agree", "disagree"] = "agree" if p >= level else "disagree"
    cause = f", {name} is the odd one" if name else ", cause unknown"
    text = f"{question}: {', '.join(methods)} {answer}{cause if p < level else ''}"
    if unknown:
        text += f"; {', '.join(unknown)} not assessable"
    return MethodComparison(question=question, methods=methods, answer=answer, odd=name, p=p, statement=text)


def _not_assessable(question: str, methods: list[str], unknown: list[str]) -> MethodComparison:
    text = f"{question}: {', '.join(methods)} not assessable, no uncertainty of scope procedure"
    return MethodComparison(
        question=question,
        methods=methods,
        answer="not assessable",
        statement=f"{text} by {', '.join(unknown)}",
    )
