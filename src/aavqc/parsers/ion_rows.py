"""Which rows or peaks of a file are ions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray


def ions_kept(reasons: Mapping[str, NDArray[np.bool_]]) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Return which rows are ions, and how many are not, by the first reason that applies.

    Parameters
    ----------
    reasons : mapping of str to bool array, shape (n,)
        True where a row is no ion.

    Returns
    -------
    kept : bool array, shape (n,)
    dropped : dict of str to int
        Without the reasons that apply to none.

    Examples
    --------
    >>> kept, dropped = ions_kept({"no m/z": np.array([True, False]), "no signal": np.array([True, True])})
    >>> kept.tolist(), dropped
    ([False, False], {'no m/z': 1, 'no signal': 1})
    """
    bad = np.array(list(reasons.values()))
    kept: NDArray[np.bool_] = np.logical_not(bad.any(axis=0))
    counts = np.bincount(bad.argmax(axis=0)[~kept], minlength=len(reasons))
    dropped = {reason: int(n) for reason, n in zip(reasons, counts, strict=True) if n}
    return kept, dropped
