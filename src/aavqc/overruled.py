"""What a sample sheet states and a setting of the call overrules: the call wins, and the result says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aavqc.documents import Sample, SheetRow


def told_overruled(
    sample: Sample, stated: Iterable[tuple[SheetRow, Mapping[str, Any]]], overrides: Mapping[str, Any]
) -> Sample:
    """Return a sample with a warning for each statement of its rows that is overruled."""
    warnings = [
        f"{name} {overrides[name]} as set, not {value} of the sample sheet"
        f" ({f'line {row.line} {row.part}'.rstrip()})"
        for row, settings in stated
        for name, value in settings.items()
        if (row.sample_id, row.lot) == (sample.sample_id, sample.lot)
        and name in overrides
        and not _same(overrides[name], value)
    ]
    return sample.model_copy(update={"warnings": [*sample.warnings, *warnings]})


def _same(one: object, other: object) -> bool:
    """Tell whether two values are one, as the numbers or the words that their text says.

    Examples
    --------
    >>> _same([0.1, 0.85], "0.10, 0.85"), _same(True, "true"), _same(1e7, "1e6")
    (True, True, False)
    """
    return _parts(one) == _parts(other)


def _parts(value: object) -> list[float | str]:
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    parts: list[float | str] = []
    for part in text.split(","):
        try:
            parts.append(float(part))
        except ValueError:
            parts.append(part.strip().lower())
    return parts
