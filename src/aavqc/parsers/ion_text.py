"""The table of an ion list in delimited text: its columns by name, its rows checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aavqc.errors import InputError
from aavqc.parsers.columns import columns_by_role, plain_name, split_lines
from aavqc.parsers.text_table import DELIMITERS, NUMBER, Layout, find_header, read_rows, split_cells

ROLES = {
    "mz": "mz",
    "mzth": "mz",
    "slope": "intensity",
    "intensity": "intensity",
    "charge": "charge",
    "chargee": "charge",
    "z": "charge",
    "scan": "scan",
    "scannumber": "scan",
    "time": "time_s",
    "times": "time_s",
    "retentiontime": "time_s",
    "rtmin": "time_min",
    "timemin": "time_min",
    "injectiontime": "injection_time_ms",
    "injectiontimems": "injection_time_ms",
    "injectiontimes": "injection_time_s",
    "injectiontimeseconds": "injection_time_s",
    "inverseinjectiontimeseconds": "inverse_injection_time",
    "storigroupid": "group",
    "ionnumber": "ion",
    "segnumber": "segment",
    "ismultiionproduct": "multi_ion",
    "rsquared": "r_squared",
    "slopersquared": "r_squared",
    "timeofbirth": "time_of_birth",
    "timeofdeath": "time_of_death",
    "chargescore": "charge_score",
    "chargesd": "charge_sd",
    "sn": "s_to_n",
    "ston": "s_to_n",
    "signaltonoise": "s_to_n",
    "noise": "noise",
    "resolution": "resolution",
}
"""Column name (lower case, letters and digits only) → what it is."""

UNUSED = frozenset({"id", "frequency"})
"""Columns that are known and not used; any other is named in a remark."""

POSITIONS = ("mz", "intensity", "scan", "inverse_injection_time", "time_s")
"""Columns of a list without names."""

_MARKS = frozenset({"multi_ion"})


def text_columns(text: str, name: str, remarks: list[str]) -> dict[str, NDArray[np.float64]]:
    """Read the columns that are known; what else the reader should know is added to ``remarks``.

    Returns
    -------
    dict of str to array, shape (n,)
        By the names of :data:`ROLES`, in the file's own units; ``multi_ion`` as 0 and 1.
    """
    lines = split_lines(text)
    layout = find_layout(lines[:200])
    if layout is None:
        raise InputError("no ion list", file=name, line=1, expected="columns mz and intensity or charge")
    return read_rows(lines, layout, wanted_columns(layout, name, remarks), name, _MARKS)


def wanted_columns(layout: Layout, name: str, remarks: list[str]) -> dict[str, int]:
    """Say which column is what; refuse a list without m/z, or with neither intensity nor charge."""
    plain = [plain_name(c) for c in layout.columns]
    second = "intensity" if "slope" in plain else None
    roles = [None if p == second else ROLES.get(p) for p in plain]
    for column, key, role in zip(layout.columns, plain, roles, strict=True):
        if key == second:
            remarks.append(f"column {column.strip()!r} is not used: the slope measures the charge")
        elif role is None and key not in UNUSED:
            remarks.append(f"column {column.strip()!r} is not used")
    wanted = columns_by_role(layout.columns, roles, name, layout.first)
    header = ", ".join(c.strip() for c in layout.columns)
    if "mz" not in wanted:
        raise InputError("column missing", file=name, line=layout.first, expected="mz", found=header[:200])
    if not wanted.keys() & {"intensity", "charge"}:
        raise InputError(
            "column missing",
            file=name,
            line=layout.first,
            expected="intensity, slope, charge or z",
            found=header[:200],
        )
    return wanted


def find_layout(lines: Sequence[str]) -> Layout | None:
    """Find header and delimiter in the first lines; None where there is no sign of an ion list."""
    header = find_header(lines, ROLES)
    return _unnamed(lines[header:], header) if isinstance(header, int) else header


def _unnamed(lines: Sequence[str], number: int) -> Layout | None:
    """Recognise columns of numbers where the first is in the range of m/z of large ions."""
    sample = list(lines[:20])
    for delimiter in DELIMITERS:
        width = len(split_cells(sample[0], delimiter))
        if not 2 <= width <= len(POSITIONS):
            continue
        rows = [split_cells(line, delimiter) for line in sample]
        good = [r for r in rows if len(r) == width and all(c and NUMBER.fullmatch(c) for c in r)]
        if len(good) < 3 or good[:3] != rows[:3] or len(good) < 0.8 * len(rows):
            return None
        mz, signal = (np.median([float(r[i]) for r in good]) for i in (0, 1))
        if 1000 <= mz <= 200_000 and signal > 1:
            return Layout(delimiter, POSITIONS[:width], False, number)
    return None
