"""The shape that chance in the assembly gives a capsid's mass: a few normal nodes."""

from __future__ import annotations

import numpy as np

from aavqc.records import FloatArray

NODES = np.array([[0.2127, -0.9634, 0.3393], [0.5502, -0.0032, 0.5757], [0.2371, 0.8797, 0.9706]])
"""Weight, shift and variance, in SD: 60 subunits drawn 1:1:10, as the number of VP1 makes it.

Fitted once by expectation maximisation to the binomial of VP1 with a normal remainder; mean 0,
variance 1, skewness 0.33."""


def capsid_shape(sd: float) -> FloatArray:
    """Return the nodes of a capsid's mass about its mean: weight, shift in Da, variance in Da².

    Examples
    --------
    >>> nodes = capsid_shape(47.6e3)
    >>> mean = (nodes[:, 0] * nodes[:, 1]).sum()
    >>> round(float((nodes[:, 0] * (nodes[:, 2] + nodes[:, 1] ** 2)).sum() - mean**2) ** 0.5 / 1e3, 1)
    47.6
    """
    weight = NODES[:, 0] / NODES[:, 0].sum()
    shift = NODES[:, 1] - (weight * NODES[:, 1]).sum()
    scale = sd / float(np.sqrt((weight * (NODES[:, 2] + shift**2)).sum()))
    return np.column_stack([weight, shift * scale, NODES[:, 2] * scale**2])


def plain_shape() -> FloatArray:
    """Return the shape of a particle that has one mass: all width is a peak's own."""
    return np.array([[1.0, 0.0, 0.0]])
