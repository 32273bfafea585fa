"""Orthogonal agreement on simulated lots with known truth: names, false alarms, coverage.

The campaign writes ``docs/validation/agreement.md``; the suite runs a few lots of each kind.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import aavqc
from aavqc.attributes import Attribute
from aavqc.results.agreement import Agreement, agreement

Floats = NDArray[np.float64]

CLASSES = ("empty", "partial", "full", "overfull")
METHODS = ("auc", "cdms", "mass_photometry")
# Relative SDs of the amounts of each class that a procedure finds, day to day.
PRECISION = {
    "auc": (0.08, 0.12, 0.03, 0.18),
    "cdms": (0.05, 0.08, 0.02, 0.12),
    "mass_photometry": (0.10, 0.15, 0.04, 0.20),
}
Z = 1.959963985


@dataclass(frozen=True)
class Case:
    name: str
    methods: tuple[str, ...]
    bias: str  # none | one, each | one, along | one, sum | all
    factor: float = 0.0


CASES = (
    Case("three methods, no bias", METHODS, "none"),
    Case("three methods, one off by 3 combined SD in each log ratio", METHODS, "one, each"),
    Case("three methods, one off by 3 combined SD in one direction", METHODS, "one, along"),
    Case("three methods, one off in one direction by 3 SD of all methods together", METHODS, "one, sum"),
    Case("three methods, each biased by factors of 8 %", METHODS, "all", 0.08),
    Case("three methods, each biased by factors of 20 %", METHODS, "all", 0.20),
    Case("two methods, no bias", METHODS[:2], "none"),
    Case("two methods, one off by 3 combined SD in each log ratio", METHODS[:2], "one, each"),
    Case("two methods, each biased by factors of 8 %", METHODS[:2], "all", 0.08),
    Case("two methods, each biased by factors of 20 %", METHODS[:2], "all", 0.20),
)


def lot(case: Case, seed: int) -> tuple[list[Attribute], str | None, Floats]:
    """Return what the methods report, the biased one, and the true shares."""
    rng = np.random.default_rng([20, seed])
    truth = np.array([rng.uniform(8, 40), rng.uniform(5, 15), 0.0, rng.uniform(2, 6)]) / 100
    truth[2] = 1 - truth.sum()
    biased = str(rng.choice(case.methods)) if case.bias.startswith("one") else None
    spread = {m: np.array(PRECISION[m]) for m in case.methods}
    attributes = []
    for method in case.methods:
        log_amounts = np.log(truth) + rng.normal(0, spread[method])
        if case.bias == "all":
            log_amounts += rng.normal(0, case.factor, 4)
        elif method == biased:
            log_amounts += shift(case, spread, method, rng)
        shares = np.exp(log_amounts)
        shares /= shares.sum()
        attributes += reported(method, shares, spread[method])
    return attributes, biased, truth


def shift(case: Case, spread: dict[str, Floats], method: str, rng: np.random.Generator) -> Floats:
    """Return a bias on the log amounts, in SDs of the difference from the mean of the others."""
    rest = [log_ratio_covariance(spread[m]) for m in case.methods if m != method]
    own = log_ratio_covariance(spread[method])
    combined = own + (sum(rest) if case.bias == "one, sum" else np.linalg.inv(sum(map(np.linalg.inv, rest))))
    root = np.linalg.cholesky(combined)
    if case.bias == "one, each":
        along = rng.choice([-1.0, 1.0], 3)
    else:
        along = rng.normal(size=3)
        along /= np.linalg.norm(along)
    return np.append(3 * root @ along, 0.0)


def log_ratio_covariance(spread: Floats) -> Floats:
    """Of log(p_k / p_overfull), k the other three."""
    return np.diag(spread[:3] ** 2) + spread[3] ** 2


def reported(method: str, shares: Floats, spread: Floats) -> Iterator[Attribute]:
    """Report shares with intervals of the procedure: the SD of a share whose amounts vary so."""
    closing = (np.eye(4) - shares[:, None]) ** 2
    sds = np.sqrt(closing @ (shares * spread) ** 2)
    for name, share, sd in zip(CLASSES, 100 * shares, 100 * sds, strict=True):
        yield Attribute(
            name=f"percent_{name}",
            technique=method,
            value=float(share),
            unit="%",
            ci_low=float(share - Z * sd),
            ci_high=float(share + Z * sd),
            coverage=0.95,
            scope="procedure",
        )


@dataclass
class Tally:
    lots: int = 0
    disagree: int = 0
    named: int = 0
    right: int = 0
    covered: int = 0
    intervals: int = 0

    def add(self, found: Agreement, biased: str | None, truth: Floats) -> None:
        (comparison,) = found.comparisons
        self.lots += 1
        self.disagree += comparison.answer == "disagree"
        self.named += comparison.odd is not None
        self.right += comparison.odd is not None and comparison.odd == biased
        for share in found.combined:
            true = 100 * sum(truth[CLASSES.index(name)] for name in share.classes)
            self.covered += share.ci_low <= true <= share.ci_high
            self.intervals += 1


def tally(case: Case, lots: int) -> Tally:
    found = Tally()
    for seed in range(lots):
        attributes, biased, truth = lot(case, seed)
        found.add(agreement(attributes), biased, truth)
    return found


def test_a_few_lots_of_each_kind() -> None:
    """Bounds four binomial SDs off what the campaign found."""
    found = {case.name: tally(case, 40) for case in CASES if case.bias != "one, along"}
    three, each, _, all_, _, two, two_each, two_all, _ = found.values()
    assert three.disagree <= 8
    assert two.disagree <= 8
    assert each.right >= 32
    assert two_each.disagree >= 36
    assert two_each.named == two.named == 0
    for t in (three, all_, two, two_all):
        assert t.covered / t.intervals >= 0.85


@pytest.mark.campaign
def test_campaign() -> None:
    lots = int(os.environ.get("AAVQC_CAMPAIGN", "500"))
    rows = []
    for case in CASES:
        t = tally(case, lots)
        rows.append(
            f"| {case.name} | {t.lots} | {share(t.disagree, t.lots)} | {share(t.named, t.lots)} |"
            f" {share(t.right, t.lots)} | {share(t.covered, t.intervals)} |"
        )
    day = datetime.now(UTC).date()
    head = HEAD.format(version=aavqc.__version__, day=day)
    path = Path(__file__).parents[1] / "docs" / "validation" / "agreement.md"
    path.write_text(head + "\n".join(rows) + "\n" + TAIL, encoding="utf-8")


def share(k: int, n: int) -> str:
    return f"{100 * k / n:.1f} %"


HEAD = """# Orthogonal agreement: names, false alarms, coverage

Lots with known composition (8-40 % empty, 5-15 % partial, 2-6 % overfull, the rest full), each measured by
two or three methods whose procedures vary, in relative SDs of the amounts of empty, partial, full,
overfull: AUC 8, 12, 3, 18 %; CDMS 5, 8, 2, 12 %; mass photometry 10, 15, 4, 20 %. Every share has an
interval of scope `procedure` from these. Written by `tests/test_results_agreement_campaign.py`, version
{version}, {day}.

"Combined SD" is that of the difference between the biased method and the weighted mean of the others. "In
each log ratio" moves it by three of them in each of the three independent log ratios (up or down by
chance); "in one direction" moves it three in a random direction of that space. The last column counts
intervals of the combined estimate, one a class and lot.

| lots | n | disagree | one named | the right one | combined intervals that cover |
|---|---|---|---|---|---|
"""
TAIL = """
What the test can't do: three SDs in a single direction of a space of three log ratios are found in little
more than half of the lots. Chi-squared with six degrees of freedom and a non-centrality of nine at a level
of 5 % finds 59 % at best, 65 % at 7 %. Who knew the biased method, not the direction, and tested it alone,
would find 71 % (three degrees of freedom); with a third of the level for each of three methods 55 %. Who
knew method and direction, and only not the sign, would find 85 % at 5 % false alarms and 88 % at 7 % (three
SDs against thresholds of 1.96 and 1.81). So no test that keeps its false alarms to 7 % finds 90 % there,
and this one is near what can be had without knowing where to look; "off by 3 combined SD" can only mean
each log ratio if the right name in 90 % of lots is asked of it. An outlying method widens the combined
interval (its bias is taken for what all methods may have), so that it covers more.
"""
