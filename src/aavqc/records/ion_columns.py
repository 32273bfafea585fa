"""Columns of millions of ions: grown in place, and what has one value a scan held once a scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

PART = 50_000
"""Ions, and the rest of a scan, that are taken at a time: what is computed of them stays in the cache."""


@dataclass(frozen=True)
class OfScans:
    """One value a scan, for each of its ions; ions come scan by scan.

    Attributes
    ----------
    values : array, shape (scans,)
    ends : int64 array, shape (scans,)
        Ions up to the end of each scan.
    """

    values: NDArray[Any]
    ends: NDArray[np.int64]

    def at(self, ions: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Return the value of each of some ions.

        Examples
        --------
        >>> times = OfScans(np.array([0.1, 0.2, 0.3]), np.array([2, 2, 5]))
        >>> times.at(slice(1, 4)).tolist(), times.at(np.array([0, 4])).tolist()
        ([0.1, 0.3, 0.3], [0.1, 0.3])
        """
        if not isinstance(ions, slice):
            return self.values[np.searchsorted(self.ends, ions, side="right")]
        start, stop, _ = ions.indices(int(self.ends[-1]) if self.ends.size else 0)
        first, last = np.searchsorted(self.ends, [start, stop], side="left")
        ends = np.clip(self.ends[first : last + 1], start, stop)
        return np.repeat(self.values[first : last + 1], np.diff(ends, prepend=start))


class ScanColumn:
    """Descriptor of a record's column: an array with a value an ion, whichever way it is held."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, record: object, owner: type | None = None) -> NDArray[Any] | None:
        if record is None:
            return None
        held = vars(record)[self._name]
        if not isinstance(held, OfScans):
            return held  # type: ignore[no-any-return]
        every = held.at(slice(None))
        every.setflags(write=False)
        return every

    def __set__(self, record: object, value: NDArray[Any] | OfScans | None) -> None:
        vars(record)[self._name] = value


def column_at(record: object, name: str, ions: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
    """Return a column of a record for some of its ions, which come in order; nothing else is unfolded."""
    held = vars(record)[name]
    return held.at(ions) if isinstance(held, OfScans) else np.asarray(held[ions])


def stretches(record: object, ions: int) -> Iterator[slice]:
    """Cut a record's ions into parts that end with a scan; one part where scans come in no order."""
    scan = vars(record)["scan"]
    if isinstance(scan, OfScans):
        ordered, ends = bool((scan.values[1:] > scan.values[:-1]).all()), scan.ends
    else:
        ordered, ends = scan is None or not (scan[1:] < scan[:-1]).any(), None
    start = 0
    while start < ions:
        end = min(start + PART, ions) if ordered else ions
        if ends is not None and ordered:
            end = int(ends[np.searchsorted(ends, end, side="left")])
        elif scan is not None and ordered:
            end = int(np.searchsorted(scan, scan[end - 1], side="right"))
        yield slice(start, end)
        start = end


class Growing:
    """One column that grows in place: joining pieces at the end would hold everything twice.

    Parameters
    ----------
    dtype : numpy dtype
    room : int
        Numbers that it is set up for; memory is used as far as they come.
    """

    def __init__(self, dtype: Any, room: int) -> None:
        self._values: NDArray[Any] = np.empty(room, dtype)
        self._size = 0

    def append(self, values: NDArray[Any]) -> None:
        """Add numbers at the end."""
        end = self._size + values.size
        if end > self._values.size:
            self._values.resize(max(end, self._values.size * 5 // 4), refcheck=False)
        self._values[self._size : end] = values
        self._size = end

    def select(self, keep: NDArray[np.bool_]) -> None:
        """Keep some of the numbers."""
        self._values = self._values[: self._size][keep]
        self._size = self._values.size

    def close(self) -> NDArray[Any]:
        """Return the column, read-only."""
        self._values.resize(self._size, refcheck=False)
        self._values.setflags(write=False)
        return self._values
