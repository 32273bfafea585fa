"""Trend: a result within specification that earlier lots did not lead one to expect."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

D2 = 1.128
"""Mean range of two normal values, in SDs."""


def control_limits(earlier: Sequence[float]) -> tuple[float, float]:
    """Return the limits of an individuals chart: mean ± 3 SD, the SD from moving ranges.

    Parameters
    ----------
    earlier : sequence of float
        Results of earlier lots in the order of manufacture, two at least. Successive
        differences make the SD, so that a drift does not widen the limits.

    References
    ----------
    NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2.

    Examples
    --------
    >>> [round(limit, 1) for limit in control_limits([10.0, 11.0, 10.0, 11.0])]
    [7.8, 13.2]
    """
    mean = sum(earlier) / len(earlier)
    moving = [abs(b - a) for a, b in pairwise(earlier)]
    half = 3 * sum(moving) / len(moving) / D2
    return mean - half, mean + half
