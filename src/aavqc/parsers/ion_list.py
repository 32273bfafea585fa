"""Ion lists of charge-detection mass spectrometry: delimited text and NumPy ``.npz``.

Columns are known by name, whatever their order; text without a header is ``m/z intensity
[scan [1/IT [time]]]``. The delimiter is told from the content: STORIboard writes tabs into
``.csv``. Intensities are kept as they are: none of these formats is scaled by injection time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from aavqc.parsers.columns import plain_name, split_lines
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.ion_npz import npz_columns
from aavqc.parsers.ion_rows import ions_kept
from aavqc.parsers.ion_text import ROLES, find_layout, text_columns
from aavqc.parsers.sources import HEAD
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

_TELLING = frozenset(
    {
        "scan",
        "multi_ion",
        "r_squared",
        "time_of_birth",
        "time_of_death",
        "inverse_injection_time",
        "charge_score",
    }
)


def read(export: Export) -> IonTable:
    """Read one ion list.

    Returns
    -------
    IonTable
        With ``flux_scaled`` False. What the file does not have is None.

    Raises
    ------
    InputError
        A column is missing, a row is broken: with line, expected and found.
    """
    (file,) = export.files
    remarks: list[str] = []
    if _is_zip(file.head):
        columns = npz_columns(file.read(), file.name)
    else:
        columns = text_columns(file.text(), file.name, remarks)
    return _record(export, columns, remarks)


def sniff(head: bytes, basename: str) -> bool:
    """Tell an ion list by its column names, or by numbers that can be nothing else."""
    if _is_zip(head):
        return basename.lower().endswith(".npz")
    if b"\0" in head:
        return False
    text = head.decode("utf-8-sig", "replace")
    lines = split_lines(text)
    layout = find_layout(lines[:-1] if len(head) >= HEAD else lines)  # the last may be cut
    if layout is None:
        return False
    if not layout.named:
        return basename.lower().endswith((".txt", ".dat"))
    roles = {ROLES.get(plain_name(c)) for c in layout.columns}
    return "mz" in roles or bool(roles & {"intensity", "charge"} and roles & _TELLING)


def _record(export: Export, columns: Mapping[str, FloatArray], remarks: list[str]) -> IonTable:
    (file,) = export.files
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
        inputs=(file.input,),
        mz=readonly(mz[keep]),
        intensity=None if intensity is None else readonly(intensity[keep]),
        charge=_complete(kept("charge"), "charge", remarks),
        scan=_scan_numbers(kept("scan"), remarks),
        time_s=_complete(kept("time_s"), "time", remarks),
        injection_time_ms=_injection_time(kept, remarks),
        multi_ion=None if multi is None else readonly(multi > 0, np.bool_),
        extra=extra,
        rows_read=int(mz.size),
        dropped=dropped,
        remarks=tuple(remarks),
    )


def _complete(values: FloatArray | None, what: str, remarks: list[str]) -> FloatArray | None:
    """Return a column only where every ion has a number in it."""
    if values is None:
        return None
    if not np.isfinite(values).all():
        remarks.append(f"column {what} is not used: it has gaps")
        return None
    return readonly(values)


def _scan_numbers(values: FloatArray | None, remarks: list[str]) -> NDArray[np.int64] | None:
    complete = _complete(values, "scan", remarks)
    if complete is None:
        return None
    if (np.abs(complete) > 2**53).any() or (complete != np.rint(complete)).any():
        remarks.append("column scan is not used: its numbers are not whole")
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


def _is_zip(head: bytes) -> bool:
    return head[:4] == b"PK\x03\x04"


FORMAT = Format(
    name="ion-list",
    title="single-ion list (CSV, TSV, text, NPZ)",
    vendor="STORIboard, UniDec and others",
    technique="cdms",
    extensions=(".csv", ".tsv", ".dat", ".npz"),
    claims=(r".*\.npz",),
    reads="m/z with intensity, slope or charge; scan, time, injection time, R², lifetimes, S/N, multi-ion",
    unread="columns of other names are named in a remark; of an npz only the array 'data' is read",
    sniff=sniff,
    group=each_file_a_record("ion-list", "cdms"),
    read=read,
    example="cdms/*.csv",
)
