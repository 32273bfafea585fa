"""Ions gathered into weighted points, finer than anything that their errors let be seen.

Ions within a tenth of the sharpest SD that a peak can have, and with errors alike, become one
point of their mean mass and mean variance. Only the spread within a point is lost: 1/1200 of the
variance of that SD. So the time of a fit stops growing with the number of ions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aavqc.kernels import as_input
from aavqc.records import FloatArray

MASS_STEP = 0.1
"""Of the sharpest SD."""

SD_STEP = 0.03
"""Relative difference of the SD of a seen peak."""

MOST_STEPS, MOST_GROUPS = 20_000, 50
"""Steps of mass, and groups of alike errors, at most: wilder lists get wider ones."""


@dataclass(frozen=True)
class Points:
    """Weighted points.

    Attributes
    ----------
    mass, variance, weight : arrays, shape (n,)
        Mean mass (Da), mean variance of the errors, and number of the ions.
    of : int64 array, shape (ions,)
        Point of each ion.
    median_variance : float
        Over ions.
    """

    mass: FloatArray
    variance: FloatArray
    weight: FloatArray
    of: NDArray[np.int64]
    median_variance: float

    @property
    def ions(self) -> int:
        """Ions in all points."""
        return int(self.of.size)


def gather(mass: FloatArray, sd: FloatArray, least_variance: float) -> Points:
    """Gather ions.

    Parameters
    ----------
    mass, sd : arrays, shape (n,)
        Of each ion, and the SD of its error, Da.
    least_variance : float
        Of the sharpest part of a peak's shape, Da².

    Examples
    --------
    >>> found = gather(np.array([3.0e6, 5.0e6, 3.0e6 + 1]), np.full(3, 3e4), 0.0)
    >>> found.weight.tolist(), found.of.tolist()
    ([2.0, 1.0], [0, 1, 0])
    """
    variance = sd**2
    seen = variance + least_variance
    above = mass - mass.min()
    sharpest = float(np.sqrt(np.quantile(seen, 0.01)))
    step = max(MASS_STEP * sharpest, float(above.max()) / MOST_STEPS)
    spread = np.log(seen / seen.min())
    apart = max(2 * SD_STEP, float(spread.max()) / MOST_GROUPS)
    key = (above / step).astype(np.int64) * (MOST_GROUPS + 1) + (spread / apart).astype(np.int64)
    held = np.bincount(key) > 0
    of = (np.cumsum(held) - 1)[key]
    return _points(of, mass, variance)


def moved(points: Points, mass: FloatArray, sd: FloatArray) -> Points:
    """Return the same points after a small change of the ions' masses and errors.

    Whoever compares likelihoods needs it: ions that change their point would make them jump.
    """
    return _points(points.of, mass, sd**2)


def _points(of: NDArray[np.int64], mass: FloatArray, variance: FloatArray) -> Points:
    weight = np.bincount(of).astype(np.float64)
    return Points(
        as_input(np.bincount(of, mass) / weight),
        as_input(np.bincount(of, variance) / weight),
        weight,
        of,
        float(np.median(variance)),
    )
