"""What Direct Mass Technology software states of a run: parameters, log, rejections, calibration."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import sqlite3

_MOST_ROWS = 1000
_MOST_CHARACTERS = 500
_DEFAULT_SLOPE = 50_000.0
"""Intensity a charge that the software takes where nobody calibrated it."""

_TICKS_A_SECOND = 10_000_000
_DOTNET_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_FOLDERS = re.compile(r"(?:[A-Za-z]:|\\)(?:\\[^\\/:*?\"<>|\r\n]+)+\\|/(?:[^/\r\n]+/)+")


def acquisition_facts(database: sqlite3.Connection) -> dict[str, Any]:
    """Return what the tables beside the ions say; a table that is absent leaves no entry.

    Returns
    -------
    dict
        ``software`` {key: value}; ``parameters`` {group: {name: value}}; ``log`` [{``time``,
        ``line``}]; ``rejections`` [{``step``, ``ions``}] in the software's order; ``calibration``
        {``charges``, ``slope``: intensity a charge or None where it is not proportional,
        ``default``: no calibration was made, by the log or the slope}; ``runs`` [{``file``, ``scans``}].
        Folders of the acquisition computer are left out of file names.
    """
    facts: dict[str, Any] = {}
    software = _rows(database, "DbMetadata", "MetadataKey", "Value")
    if software:
        facts["software"] = {_text(k): _text(v) for k, v in software}
    parameters: dict[str, dict[str, str]] = {}
    for group, name, value in _rows(database, "Parameter", "GroupName", "Name", "Value"):
        parameters.setdefault(_text(group), {})[_text(name)] = _text(value)
    if parameters:
        facts["parameters"] = parameters
    log: list[dict[str, Any]] = [
        {"time": _time(stamp), "line": _text(line)}
        for stamp, line in _rows(database, "LogLine", "DateStamp", "Line")
    ]
    if log:
        facts["log"] = log
    rejections = _rows(database, "ThresholdAggregate", "Order", "Id", "Count")
    if rejections:
        ordered = sorted(rejections, key=lambda row: (_number(row[0]) or 0.0, _text(row[1])))
        facts["rejections"] = [{"step": _text(step), "ions": _count(n)} for _, step, n in ordered]
    calibration = _rows(database, "CalibrationChargeState", "Charge", "Slope")
    if calibration:
        slope = _slope(calibration)
        default = slope == _DEFAULT_SLOPE or any("default coefficient" in row["line"] for row in log)
        facts["calibration"] = {"charges": len(calibration), "slope": slope, "default": default}
    runs = _rows(database, "StoriGroup", "FilePath", "ScanCount")
    if runs:
        facts["runs"] = [{"file": _text(path), "scans": _count(n)} for path, n in runs]
    return facts


def _rows(database: sqlite3.Connection, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return columns of a table in the order of its rows; nothing where it lacks one of them."""
    info = database.execute(f"PRAGMA table_xinfo('{table}')").fetchall()
    stored = {str(row[1]) for row in info if not row[-1]}
    if not stored.issuperset(columns):
        return []
    names = ", ".join(f'"{name}"' for name in columns)
    query = f'SELECT {names} FROM "{table}" LIMIT {_MOST_ROWS}'
    return database.execute(query).fetchall()


def _text(value: object) -> str:
    return _FOLDERS.sub("", "" if value is None else str(value)[:_MOST_CHARACTERS])


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and np.isfinite(value) else None


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _time(ticks: object) -> str | None:
    """Turn ticks of .NET (100 ns since the year 1) into ISO 8601, to the second."""
    if not isinstance(ticks, int):
        return None
    try:
        return (_DOTNET_EPOCH + timedelta(seconds=ticks // _TICKS_A_SECOND)).isoformat()[:19]
    except OverflowError:
        return None


def _slope(rows: list[tuple[Any, ...]]) -> float | None:
    """Return the slope of a calibration that is proportional to charge."""
    pairs = [(z, s) for z, s in ((_number(a), _number(b)) for a, b in rows) if z and s]
    ratios = np.array([s / z for z, s in pairs])
    if len(pairs) < len(rows) or np.ptp(ratios) > 1e-6 * abs(ratios[0]):
        return None
    return float(np.median(ratios))
