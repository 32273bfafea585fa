"""Scans in a table of delimited text, long or wide.

Long: a row a point, with columns ``radius``, ``signal`` (or absorbance, od, fringes,
intensity, fluorescence) and ``time``; ``omega2t``, ``scan``, ``wavelength``, ``rpm``,
``temperature`` and ``cell`` where they are known. Wide: ``radius``, then a column a scan,
named by its time (``t300`` or ``300``); a second row ``omega2t`` may follow. What has no column may
stand in a comment above: ``# rpm=20000 wavelength=280``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.columns import columns_by_role, plain_name, split_lines
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.scans import check_limits, check_radii, velocity_scans, wavelength_groups
from aavqc.parsers.sources import SourceFile
from aavqc.records import FloatArray, Optics, Scan, VelocityScans, readonly

OPTICS: dict[str, Optics] = {
    "signal": "absorbance",
    "absorbance": "absorbance",
    "od": "absorbance",
    "fringes": "interference",
    "intensity": "intensity",
    "fluorescence": "fluorescence",
}

ROLES = {
    **dict.fromkeys(("radius", "radiuscm"), "radius"),
    **dict.fromkeys(OPTICS, "signal"),
    **dict.fromkeys(("time", "times", "seconds"), "seconds"),
    **dict.fromkeys(("omega2t", "w2t"), "omega2t"),
    **dict.fromkeys(("scan", "scannumber"), "scan"),
    **dict.fromkeys(("wavelength", "wavelengthnm"), "wavelength"),
    **dict.fromkeys(("rpm", "speed", "speedrpm"), "rpm"),
    **dict.fromkeys(("temperature", "temperaturec"), "temperature"),
    "cell": "cell",
}
"""Column name (lower case, letters and digits only) → what it is."""

STATED = ("rpm", "wavelength", "temperature", "cell")
"""What may stand in a comment instead of a column."""

_TIME = re.compile(r"t?(\d+(?:\.\d+)?)s?", re.ASCII | re.IGNORECASE)
_PAIR = re.compile(r"(?<!\S)(\w+)\s*[=:]\s*([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d{1,3})?)(?![\w.])", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+(?:\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Layout:
    """Where the header stands, and what the comments above it state."""

    line: int
    delimiter: str
    columns: tuple[str, ...]
    stated: Mapping[str, float]

    @property
    def wide(self) -> bool:
        """A column a scan."""
        return len(self.columns) > 2 and all(_TIME.fullmatch(c) for c in self.columns[1:])

    @property
    def long(self) -> bool:
        """A row a point."""
        roles = {ROLES.get(plain_name(c)) for c in self.columns}
        return {"radius", "signal", "seconds"} <= roles


def sniff(head: bytes, name: str) -> bool:
    """Tell a table of scans by the names of its columns."""
    return b"\0" not in head and find_layout(split_lines(head.decode("utf-8-sig", "replace"))) is not None


def group_files(files: Sequence[SourceFile]) -> Grouping:
    """Take each file as a record of one cell."""
    found = []
    for file in files:
        cell = _first_cell(split_lines(file.head.decode("utf-8-sig", "replace")))
        found.append(Export("scan-table", "auc", f"{file.name}#cell{cell}", file.stem, (file,)))
    return Grouping(found)


def read(export: Export) -> VelocityScans:
    """Read the scans of one table.

    Raises
    ------
    InputError
        The speed is not stated, a row is broken, radii do not ascend within a scan.
    """
    (file,) = export.files
    lines = split_lines(file.text())
    layout = find_layout(lines)
    if layout is None:
        raise InputError("no table of scans", file=file.name, line=1, expected="columns radius, signal, time")
    remarks: list[str] = []
    points = _wide(lines, layout, file.name) if layout.wide else _long(lines, layout, file.name, remarks)
    scans = _scans(points, layout, file.name, remarks)
    plain = [plain_name(c) for c in layout.columns]
    optics: Optics = next((OPTICS[c] for c in plain if c in OPTICS), "absorbance")
    if not layout.long or "signal" in plain:
        remarks.append("the signal is taken as absorbance")
    return velocity_scans(
        export,
        scans,
        cell=_cell(points, layout, file.name),
        optics=optics,
        wavelengths=wavelength_groups([s.wavelength_nm for s in scans]),
        remarks=remarks,
    )


def find_layout(lines: Sequence[str]) -> Layout | None:
    """Find the header below comments; None where the names of columns are not those of scans."""
    stated: dict[str, float] = {}
    for number, line in enumerate(lines[:100]):
        if line.startswith("#"):
            for key, value in _PAIR.findall(line[1:]):
                if ROLES.get(plain_name(key)) in STATED:
                    stated.setdefault(ROLES[plain_name(key)], float(value))
        elif line.strip():
            delimiter = max("\t;,", key=line.count)
            columns = tuple(c.strip() for c in line.split(delimiter))
            layout = Layout(number + 1, delimiter, columns, stated)
            is_radius = ROLES.get(plain_name(columns[0])) == "radius"
            return layout if layout.long or (is_radius and layout.wide) else None
    return None


FORMAT = Format(
    name="scan-table",
    title="table of radial scans (CSV, TSV)",
    vendor="any",
    technique="auc",
    extensions=(".csv", ".tsv"),
    reads="long (a row a point) and wide (a column a scan) tables of one cell",
    unread="columns of other names are named in a remark",
    sniff=sniff,
    group=group_files,
    read=read,
)


def _long(lines: Sequence[str], layout: Layout, name: str, remarks: list[str]) -> dict[str, FloatArray]:
    """Return the columns that are known, a value a point, as in the file."""
    roles = [ROLES.get(plain_name(c)) for c in layout.columns]
    remarks += [f"column {c!r} is not used" for c, r in zip(layout.columns, roles, strict=True) if r is None]
    wanted = columns_by_role(layout.columns, roles, name, layout.line)
    table, _ = _table(lines, layout, name, sorted(wanted.values()))
    places = {column: k for k, column in enumerate(sorted(wanted.values()))}
    return {role: table[:, places[i]] for role, i in wanted.items()}


def _wide(lines: Sequence[str], layout: Layout, name: str) -> dict[str, FloatArray]:
    """Return the same as of a long table: points scan by scan."""
    times = np.array([float(m[1]) for c in layout.columns[1:] if (m := _TIME.fullmatch(c))])
    table, omega2_t = _table(lines, layout, name, list(range(len(layout.columns))))
    count = len(table)
    points = {
        "radius": np.tile(table[:, 0], times.size),
        "signal": table[:, 1:].T.ravel(),
        "seconds": np.repeat(times, count),
        "scan": np.repeat(np.arange(times.size, dtype=np.float64), count),
    }
    return points if omega2_t is None else {**points, "omega2t": np.repeat(omega2_t, count)}


def _table(
    lines: Sequence[str], layout: Layout, name: str, used: Sequence[int]
) -> tuple[FloatArray, FloatArray | None]:
    """Return the numbers of some columns, and those of a row ``omega2t``."""
    rows: list[list[float]] = []
    omega2_t = None
    for number, line in enumerate(lines[layout.line :], layout.line + 1):
        cells = line.split(layout.delimiter)
        if not line.strip() or line.startswith("#"):
            continue
        above = not rows and ROLES.get(plain_name(cells[0])) == "omega2t"
        if len(cells) != len(layout.columns):
            raise InputError(
                "wrong number of columns",
                file=name,
                line=number,
                expected=str(len(layout.columns)),
                found=f"{len(cells)} in {line[:60]!r}",
                hint="is a decimal comma in it?" if len(cells) > len(layout.columns) else None,
            )
        values = [_value(cells[i], name, number, i) for i in used if not (above and i == 0)]
        if above:
            omega2_t = np.array(values)
        else:
            rows.append(values)
    if not rows:
        raise InputError("no scans", file=name, line=layout.line, expected="rows of numbers below the header")
    return np.array(rows), omega2_t


def _value(cell: str, name: str, line: int, index: int) -> float:
    text = cell.strip()
    if not _NUMBER.fullmatch(text):
        raise InputError(
            "not a number",
            file=name,
            line=line,
            column=index + 1,
            expected="a number with a decimal point",
            found=repr(text[:40]),
        )
    return float(text)


def _scans(points: Mapping[str, FloatArray], layout: Layout, name: str, remarks: list[str]) -> list[Scan]:
    """Part the points into scans: by number, else by time; and by wavelength."""
    keys = [points[k] for k in ("wavelength", "scan" if "scan" in points else "seconds") if k in points]
    _, first, number = np.unique(np.column_stack(keys), axis=0, return_index=True, return_inverse=True)
    number = number.ravel()
    by_scan = np.argsort(number, kind="stable")
    parts = np.split(by_scan, np.cumsum(np.bincount(number))[:-1])
    stated = {k: v for k, v in layout.stated.items() if k not in points}
    if "rpm" not in points and "rpm" not in stated:
        raise InputError(
            "the speed is not stated",
            file=name,
            line=layout.line,
            expected="a comment '# rpm=20000' above the header, or a column rpm",
            found=", ".join(layout.columns[:6]),
        )
    if "temperature" not in points and "temperature" not in stated:
        stated["temperature"] = 20.0
        remarks.append("no temperature is stated: 20 °C is taken")
    if "omega2t" not in points:
        remarks.append("no ω²t is given: it is computed from speed and time, without the acceleration")
    if "wavelength" not in points and "wavelength" not in stated:
        remarks.append("no wavelength is stated: no extinction coefficient applies")
    scans = [_scan(points, stated, part, name, i) for i, part in enumerate(parts, 1)]
    return [scans[i] for i in np.argsort(first, kind="stable")]


def _scan(
    points: Mapping[str, FloatArray], stated: Mapping[str, float], part: np.ndarray, name: str, number: int
) -> Scan:
    where = f"in scan {number}"
    facts = {k: v for k, v in stated.items() if k != "cell"}
    for key in ("seconds", "omega2t", "wavelength", "rpm", "temperature"):
        if key in points:
            values = points[key][part]
            if values.min() != values.max():
                raise InputError(
                    f"a scan has several values of {key}",
                    file=name,
                    expected="one",
                    found=f"{values.min():g} to {values.max():g} {where}",
                )
            facts[key] = float(values[0])
    check_limits(facts, name, where)
    facts.setdefault("omega2t", (facts["rpm"] * math.pi / 30) ** 2 * facts["seconds"])
    radius, signal = points["radius"][part], points["signal"][part]
    check_radii(radius, signal, name, where)
    return Scan(
        file=name,
        description="",
        radius_cm=readonly(radius),
        signal=readonly(signal),
        time_s=facts["seconds"],
        omega2_t=facts["omega2t"],
        rpm=facts["rpm"],
        temperature_c=facts["temperature"],
        wavelength_nm=facts.get("wavelength"),
    )


def _cell(points: Mapping[str, FloatArray], layout: Layout, name: str) -> int:
    """Return the number of the cell that the whole table is of; 1 where nothing states it."""
    values = points.get("cell", np.array([layout.stated.get("cell", 1.0)]))
    if values.min() != values.max():
        raise InputError(
            "several cells in a table",
            file=name,
            expected="a file a cell",
            found=f"cells {values.min():g} to {values.max():g}",
        )
    check_limits({"cell": float(values[0])}, name, "for the table")
    return int(values[0])


def _first_cell(lines: Sequence[str]) -> int:
    """Return the cell as the comments or the first row have it, for the record's name."""
    layout = find_layout(lines)
    if layout is None:
        return 1
    value = layout.stated.get("cell", 1.0)
    roles = [ROLES.get(plain_name(c)) for c in layout.columns]
    row = lines[layout.line].split(layout.delimiter) if len(lines) > layout.line else []
    text = row[roles.index("cell")].strip() if "cell" in roles and len(row) == len(roles) else ""
    value = float(text) if _NUMBER.fullmatch(text) else value
    return int(value) if 1 <= value <= 8 else 1
