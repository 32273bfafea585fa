"""Compare a document with the one that a re-run made: to the byte, or as two platforms may differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aavqc.errors import quoted

OF_THE_WIDTH = 1e-6
RELATIVE = 1e-9

OF_THE_PLATFORM = frozenset(
    {"diagnostics", "message", "trace", "warnings", "sources", "aggregated", "cv_percent"}
)
"""What is compared on one platform only: curves, words that quote unrounded numbers, and the numbers
behind a verdict, which are compared in the results that they come from."""

_NAMES = ("sample_id", "name", "test", "well", "id")


@dataclass(frozen=True)
class Difference:
    """The first place where two documents differ."""

    where: str
    stored: str
    again: str


def compare(stored: Any, again: Any, *, exactly: bool) -> Difference | None:
    """Return the first difference of two plain documents, or None.

    Parameters
    ----------
    stored, again : dicts, lists, text and numbers
    exactly : bool
        Everything must be equal. Else numbers with a decimal point may differ by 1e-6 of the width
        of the interval beside them, or by 1e-9 of themselves, and :data:`OF_THE_PLATFORM` is left
        out; text, counts, censoring and what is absent must still be equal.

    Examples
    --------
    >>> full = {"name": "percent_full", "value": 80.0, "ci_low": 79.0, "ci_high": 81.0}
    >>> compare(full, full | {"value": 80.000001}, exactly=False)
    >>> compare([full], [full | {"value": 80.001}], exactly=False)
    Difference(where='[percent_full].value', stored='80.0', again='80.001')
    """
    found = _compare(stored, again, "", exactly, 0.0)
    return found and Difference(found.where.removeprefix("."), found.stored, found.again)


def _compare(stored: Any, again: Any, where: str, exactly: bool, width: float) -> Difference | None:
    if isinstance(stored, dict) and isinstance(again, dict):
        for key in sorted(stored.keys() | again.keys()):
            if key in OF_THE_PLATFORM and not exactly:
                continue
            if key not in stored or key not in again:
                return Difference(
                    f"{where}.{key}", *("nothing" if key not in d else "a value" for d in (stored, again))
                )
            found = _compare(stored[key], again[key], f"{where}.{key}", exactly, _width(stored))
            if found:
                return found
        return None
    if isinstance(stored, list) and isinstance(again, list):
        for i, (one, other) in enumerate(zip(stored, again, strict=False)):
            found = _compare(one, other, f"{where}[{_label(one, i)}]", exactly, width)
            if found:
                return found
        return (
            None if len(stored) == len(again) else Difference(where, f"{len(stored)} items", f"{len(again)}")
        )
    if not exactly and isinstance(stored, float) and isinstance(again, float):
        equal = abs(stored - again) <= max(OF_THE_WIDTH * width, RELATIVE * abs(stored))
    else:
        equal = type(stored) is type(again) and stored == again
    return None if equal else Difference(where, quoted(stored), quoted(again))


def _width(document: dict[str, Any]) -> float:
    low, high = document.get("ci_low"), document.get("ci_high")
    return high - low if isinstance(low, float) and isinstance(high, float) else 0.0


def _label(item: Any, i: int) -> str:
    """Name an item of a list as people do, else by its place."""
    if not isinstance(item, dict):
        return str(i)
    name = next((str(item[key]) for key in _NAMES if item.get(key)), str(i))
    return f"{name}, {item['target']}" if item.get("target") else name
