"""How much wells scatter beyond counting, and by how much that widens an interval.

Wells differ by more than Poisson's law has it, as they are pipetted. Few wells of one sample hardly
tell by how much; those of the other samples of the plate, pipetted alike, say what to expect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import special

from aavqc.intervals import widening as by_scatter

KNOWN_LEAST = 2
"""Degrees of freedom of the quantile beyond those observed: scatter is never below Poisson's."""

MOST = 12.0
"""Degrees of freedom that other samples weigh at most: they are pipetted alike, not identically."""

OF_MEDIAN = 2 / math.pi
"""Efficiency of a median beside a mean, by which it has fewer degrees of freedom."""

ODD = 0.05
"""p-value of a sample's scatter, given the others', below which it keeps to its own."""


@dataclass(frozen=True)
class Scatter:
    """How much the wells, or preparations, of one sample and target scatter.

    Attributes
    ----------
    chi2 : float
        Pearson's, of their counts under Poisson's law.
    freedom : int
        Its degrees of freedom; 0 where there is nothing to compare.
    information : float
        Poisson's information about the logarithm of the concentration, of a well on average: its
        inverse is the relative variance by counting.
    """

    chi2: float
    freedom: int
    information: float = 0.0

    @property
    def dispersion(self) -> float | None:
        """Variance between wells, in Poisson's."""
        return self.chi2 / self.freedom if self.freedom else None

    @property
    def p_value(self) -> float | None:
        """Of the chi square under Poisson's law."""
        return float(special.chdtrc(self.freedom, self.chi2)) if self.freedom else None


def widening(own: Scatter, coverage: float, others: Sequence[Scatter] = ()) -> float:
    """Return the factor on the half-width of an interval of counts, 1 at least.

    See :func:`aavqc.intervals.widening`. What this covers, by wells, variance and samples of a plate, is
    in ``docs/validation/ddpcr-campaign.md``.

    Parameters
    ----------
    own : Scatter
    coverage : float
    others : sequence of Scatter
        Of the plate's other samples, one each.
    """
    if not own.freedom:
        return 1.0
    ratio, freedom = _expected(own, others)
    if freedom and special.fdtrc(own.freedom, freedom, own.chi2 / own.freedom / ratio) < ODD:
        freedom = 0.0
    return by_scatter(own.chi2, own.freedom, coverage, KNOWN_LEAST, ratio, freedom)


def _expected(own: Scatter, others: Sequence[Scatter]) -> tuple[float, float]:
    """Return the variance of a well, in Poisson's, that other samples lead to expect, and its freedom.

    Each tells the variance of pipetting: what its chi square has beyond Poisson's, over its information
    (the median of a chi square being ``f (1 - 2/9f)³``, Wilson EB, Hilferty MM 1931, PNAS 17:684). Their
    median is taken, so that no odd sample rules, weighted by degrees of freedom and, where counts
    are lower than here, by the square of the information. Nothing is expected where one weighs as much
    as all others.
    """
    told = sorted(
        (
            (s.chi2 / (s.freedom * (1 - 2 / (9 * s.freedom)) ** 3) - 1) / s.information,
            s.freedom * min(1.0, s.information / own.information) ** 2,
        )
        for s in others
        if s.freedom and s.information > 0 and own.information > 0
    )
    total = math.fsum(weight for _, weight in told)
    if not told or 2 * max(weight for _, weight in told) >= total:
        return 1.0, 0.0
    reached, extra = 0.0, 0.0
    for extra, weight in told:  # noqa: B007  # the median is where the loop ends
        reached += weight
        if 2 * reached > total:
            break
    return 1 + max(extra, 0.0) * own.information, min(OF_MEDIAN * total, MOST)
