"""Percentages of signal within fixed windows of s, as methods of the past report them.

Beside the particle result, so that a filed specification can be bridged: the same distribution,
the user's own bounds in S as measured, the signal of one wavelength, nothing converted.
"""

from __future__ import annotations

import numpy as np

from aavqc.attributes import CLASSES
from aavqc.records import FloatArray

Row = tuple[str, str, float, FloatArray]
"""Name, unit, value, and the values drawn anew (none: shape (0,))."""


def legacy_rows(
    s: FloatArray,
    signal: FloatArray,
    bounds: list[float] | None,
    amounts: FloatArray | None = None,
    draws: FloatArray | None = None,
) -> list[Row]:
    """Return the percentages within fixed windows, named ``percent_<class>_legacy``.

    Classes are shares of what lies between the first and the last bound and sum to 100 %; what
    lies below and above are shares of the total signal.

    Parameters
    ----------
    s, signal : array, shape (n,)
        The distribution as it is shown, regularised: amounts at each s, s in S. The amount of a
        point is spread over its cell, so that a bound may fall between points.
    bounds : list of float or None
        sub-capsid | empty | partial | full | aggregate, or with overfull before the last, in S.
        None: no rows.
    amounts, draws : array, shape (n,) and (draws, n), optional
        The unregularised amounts, and such amounts fitted to the data drawn anew: their scatter
        is put about the value.

    Examples
    --------
    >>> s, signal = np.array([60.0, 80.0, 100.0, 140.0]), np.array([2.0, 1.0, 5.0, 2.0])
    >>> [(row[0], row[2]) for row in legacy_rows(s, signal, [50.0, 70.0, 90.0, 120.0])][2]
    ('percent_full_legacy', 62.5)
    """
    if bounds is None:
        return []
    classes = CLASSES[: len(bounds) - 1]
    names = [f"percent_{name}_legacy" for name in (*classes, "sub_capsid", "aggregate")]
    value = _shares(s, signal[None, :], bounds)[0]
    drawn = np.empty((0, value.size))
    if amounts is not None and draws is not None:
        drawn = value + _shares(s, draws, bounds) - _shares(s, amounts[None, :], bounds)
        drawn = np.clip(drawn, 0.0, 100.0)
    return [(name, "%", float(value[i]), drawn[:, i]) for i, name in enumerate(names)]


def _shares(s: FloatArray, amounts: FloatArray, bounds: list[float]) -> FloatArray:
    """Return classes, below and above in percent, shape (distributions, classes + 2)."""
    middle = 0.5 * (s[1:] + s[:-1])
    edges = np.concatenate([[s[0] - (middle[0] - s[0])], middle, [s[-1] + (s[-1] - middle[-1])]])
    running = np.concatenate([np.zeros((len(amounts), 1)), np.cumsum(amounts, axis=1)], axis=1)
    at = np.array([np.interp(bounds, edges, row) for row in running])
    total, inside = running[:, -1:], at[:, -1:] - at[:, :1]
    classes = np.diff(at, axis=1) / np.where(inside > 0, inside, np.inf)
    outside = np.concatenate([at[:, :1], total - at[:, -1:]], axis=1) / np.where(total > 0, total, np.inf)
    shares: FloatArray = 100.0 * np.concatenate([classes, outside], axis=1)
    return shares
