"""From the columns of an ion list, whatever its file, to an ion table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.parsers.formats import Export
from aavqc.parsers.ion_rows import ions_kept
from aavqc.records import FloatArray, IonTable, readonly

EXTRA = (
    "r_squared",
    "time_of_birth",
    "time_of_death",
    "charge_score",
    "charge_sd",
    "s_to_n",
    "noise",
    "resolution",
)
INJECTION_TIME = ("injection_time_ms", "injection_time_s", "inverse_injection_time")


def ion_table(
    export: Export,
    columns: Mapping[str, FloatArray],
    remarks: list[str],
    acquisition: Mapping[str, Any] | None = None,
) -> IonTable:
    """Make the record of a list whose intensities are not scaled by injection time.

    Parameters
    ----------
    export : Export
    columns : mapping of str to array, shape (n,)
        By the roles of :data:`aavqc.parsers.ion_text.ROLES`, in the file's own units; NaN where
        a cell is empty. ``mz`` with ``intensity`` or ``charge``.
    remarks : list of str
        What is noticed here is added.
    acquisition : mapping, optional
        What the vendor's software states of the run.

    Returns
    -------
    IonTable
        With ``flux_scaled`` False. Rows that are no ion are left out and counted.
    """
    mz, intensity = columns["mz"], columns.get("intensity")
    what = "charge" if intensity is None else "intensity"
    signal = columns[what]
    reasons = {
        "m/z or signal is not a finite number": ~(np.isfinite(mz) & np.isfinite(signal)),
        "m/z is not positive": mz <= 0,
        f"{what} is not positive": signal <= 0,
    }
    keep, dropped = ions_kept(reasons)

    def kept(role: str) -> FloatArray | None:
        values = columns.get(role)
        return None if values is None else values[keep]

    multi = kept("multi_ion")
    extra = {role: readonly(values) for role in EXTRA if (values := kept(role)) is not None}
    return IonTable(
        name=export.name,
        sample_id=export.sample_id,
        format=export.format,
        inputs=tuple(f.input for f in export.files),
        mz=readonly(mz[keep]),
        intensity=None if intensity is None else readonly(intensity[keep]),
        charge=_complete(kept("charge"), "charge", remarks),
        scan=_scans(kept("scan"), kept("group"), remarks),
        time_s=_complete(_seconds(kept("time_s"), kept("time_min")), "time", remarks),
        injection_time_ms=_injection_time(kept, remarks),
        multi_ion=None if multi is None else readonly(multi > 0, np.bool_),
        extra=extra,
        rows_read=int(mz.size),
        dropped=dropped,
        remarks=tuple(remarks),
        acquisition=acquisition or {},
    )


def _complete(values: FloatArray | None, what: str, remarks: list[str]) -> FloatArray | None:
    """Return a column only where every ion has a number in it."""
    if values is None:
        return None
    if not np.isfinite(values).all():
        remarks.append(f"column {what} is not used: it has gaps")
        return None
    return readonly(values)


def _seconds(time_s: FloatArray | None, time_min: FloatArray | None) -> FloatArray | None:
    return 60 * time_min if time_s is None and time_min is not None else time_s


def _scans(
    values: FloatArray | None, group: FloatArray | None, remarks: list[str]
) -> NDArray[np.int64] | None:
    """Return scan numbers; those of several runs in one list are counted anew, for they repeat."""
    scan = _whole(values, "scan", remarks)
    if scan is None or group is None:
        return scan
    run = _whole(group, "StoriGroupId", remarks)
    if run is None or not run.size or (run == run[0]).all():
        return scan
    remarks.append(f"{np.unique(run).size} runs in one list: their scans are counted anew from 1")
    _, position = np.unique(np.column_stack([run, scan]), axis=0, return_inverse=True)
    return readonly(position.reshape(-1) + 1, np.int64)


def _whole(values: FloatArray | None, what: str, remarks: list[str]) -> NDArray[np.int64] | None:
    complete = _complete(values, what, remarks)
    if complete is None:
        return None
    if (np.abs(complete) > 2**53).any() or (complete != np.rint(complete)).any():
        remarks.append(f"column {what} is not used: its numbers are not whole")
        return None
    return readonly(complete, np.int64)


def _injection_time(kept: Callable[[str], FloatArray | None], remarks: list[str]) -> FloatArray | None:
    role = next((r for r in INJECTION_TIME if kept(r) is not None), None)
    values = None if role is None else kept(role)
    if role is None or values is None:
        return None
    if not (values > 0).all():
        remarks.append("injection times are not used: not all are positive")
        return None
    in_ms = {"injection_time_ms": values, "injection_time_s": 1e3 * values}
    return _complete(in_ms.get(role, 1e3 / values), "injection time", remarks)
