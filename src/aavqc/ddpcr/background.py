"""What wells without template tell of the others: limits of blank, detection and quantitation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scipy import special

from aavqc.ddpcr.wells import FEWEST, WellCount

CONFIDENCE = 0.95
QUANTIFIABLE_CV = 0.25
"""CV of counting up to which a number is quantitative."""


@dataclass(frozen=True)
class Background:
    """Positive droplets ``k`` of ``n`` in the wells without template."""

    k: int = 0
    n: int = 0


@dataclass(frozen=True)
class Limits:
    """Limits as counts of positive droplets."""

    blank: int
    detection: float
    quantitation: float


def backgrounds(counts: Iterable[WellCount], blanks: Iterable[str]) -> Mapping[str, Background]:
    """Return the background by target, from the wells without template."""
    wells = set(blanks)
    found: dict[str, Background] = {}
    for c in counts:
        if c.well in wells and c.positives is not None and (c.accepted or 0) >= FEWEST:
            before = found.get(c.target, Background())
            found[c.target] = Background(before.k + c.positives, before.n + (c.accepted or 0))
    return found


def limits(background: Background, n: int) -> Limits:
    """Return the limits for ``n`` droplets.

    The limit of blank is the smallest count that Poisson's law with the blanks' mean does not
    exceed in 95 % of cases; the limit of detection the mean count that exceeds it in 95 %; the
    limit of quantitation the count, less the blanks', whose CV is 25 %. With clean blanks, or none,
    they are 0, 3 and 16 droplets.

    Examples
    --------
    >>> limits(Background(6, 60000), 20000)
    Limits(blank=5, detection=10.513034908741535, quantitation=17.79795897113271)
    """
    mean = background.k / background.n * n if background.n else 0.0
    blank = 0
    while mean and special.pdtr(blank, mean) < CONFIDENCE:
        blank += 1
    detection = 3.0 if blank == 0 else float(special.gammaincinv(blank + 1, CONFIDENCE))
    square = 1 / QUANTIFIABLE_CV**2
    quantitation = (square + (square * square + 4 * square * mean) ** 0.5) / 2
    return Limits(blank, detection, quantitation)
