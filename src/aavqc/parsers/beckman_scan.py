"""A Beckman scan: bytes → table → scan; every refusal says line, expected and found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.sources import SourceFile
from aavqc.records import FloatArray, Optics, Scan, readonly

MAX_BYTES = 1 << 24
MIN_POINTS = 10

OPTICS: dict[str, tuple[str, Optics, tuple[int, ...]]] = {
    "RA": ("R", "absorbance", (3,)),
    "IP": ("P", "interference", (2,)),
    "RI": ("I", "intensity", (3,)),
    "FI": ("F", "fluorescence", (2, 3)),
}
"""By extension: the type in the header, the optics, the columns that a scan may have."""


@dataclass(frozen=True)
class Header:
    """The first two lines of a scan; ``rpm`` is exact, ``wavelength_nm`` as measured."""

    description: str
    type: str
    cell: int
    temperature_c: float
    rpm: float
    time_s: float
    omega2_t: float
    wavelength_nm: float


def parse_header(head: bytes, name: str) -> Header:
    """Read the first two lines of a scan.

    Examples
    --------
    >>> parse_header(b"BSA\\r\\nR 1 03.9  9000 0005858 3.6450E09 281 5\\r\\n", "00001.RA1").rpm
    9000.0
    """
    lines = head.split(b"\n", 2)
    line = lines[1].decode("latin-1").strip() if len(lines) > 1 else ""
    fields = line.split()
    expected = "8 fields: type, cell, temperature, rpm, seconds, w2t, wavelength and one more"
    if len(fields) != 8:
        raise InputError(
            "damaged header", file=name, line=2, expected=expected, found=f"{len(fields)} in {line[:60]!r}"
        )
    limits = {
        "cell": (1, 8),
        "temperature": (-10, 60),
        "rpm": (0, 1e5),
        "seconds": (0, 1e8),
        "w2t": (0, 1e15),
        "wavelength": (150, 1200),
    }
    values = []
    for (what, (low, high)), text in zip(limits.items(), fields[1:7], strict=True):
        value = _number(text)
        if value is None or not low <= value <= high or (what == "cell" and not text.isdecimal()):
            raise InputError(
                f"damaged header ({what})",
                file=name,
                line=2,
                expected=f"a number from {low:g} to {high:g}",
                found=repr(text),
            )
        values.append(value)
    try:
        description = lines[0].decode("utf-8-sig")
    except UnicodeDecodeError:  # written on DOS or Windows in the code page of the day
        description = lines[0].decode("latin-1")
    return Header(description.strip(), fields[0], int(values[0]), *values[1:])


def read_scan(file: SourceFile, columns: tuple[int, ...], optics: Optics) -> Scan:
    """Read one scan; an SD column of zeros only is no SD."""
    data = file.read(MAX_BYTES)
    header = parse_header(data, file.name)
    table = _table(data, columns, file.name)
    extra = table[:, 2] if table.shape[1] == 3 else None
    with_sd = extra is not None and optics != "intensity" and bool(np.any(extra != 0.0))
    return Scan(
        file=file.name,
        description=header.description,
        radius_cm=readonly(table[:, 0]),
        signal=readonly(table[:, 1]),
        signal_sd=readonly(extra) if extra is not None and with_sd else None,
        reference=readonly(extra) if extra is not None and optics == "intensity" else None,
        time_s=header.time_s,
        omega2_t=header.omega2_t,
        rpm=header.rpm,
        temperature_c=header.temperature_c,
        wavelength_nm=header.wavelength_nm,
    )


def _table(data: bytes, columns: tuple[int, ...], name: str) -> FloatArray:
    """Turn the lines after the header into columns; errors say which line."""
    lines = data.split(b"\n")[2:]
    _refuse_cut_line(lines, name)
    while lines and not lines[-1].strip(b" \t\r\x1a"):
        lines.pop()
    rows = [line.split() for line in lines]
    width = len(rows[0]) if rows and len(rows[0]) in columns else columns[-1]
    try:
        if b"_" in data.partition(b"\n")[2] or any(len(row) != width for row in rows):
            raise ValueError
        table = np.fromiter(map(float, chain.from_iterable(rows)), float, len(rows) * width)
    except ValueError:
        raise _bad_line(rows, width, name) from None
    table = table.reshape(-1, width)
    radius = table[:, 0]
    bad = ~np.isfinite(table).all(axis=1) | (np.abs(table) > 1e9).any(axis=1)
    bad |= (radius < 4.0) | (radius > 10.0)
    bad[1:] |= ~(radius[1:] > radius[:-1])
    if bad.any():
        raise _bad_line(rows, width, name, int(np.argmax(bad)))
    if len(table) < MIN_POINTS:
        raise InputError(
            "truncated scan",
            file=name,
            line=len(rows) + 2,
            expected=f"at least {MIN_POINTS} points",
            found=str(len(rows)),
        )
    return table


def _refuse_cut_line(lines: list[bytes], name: str) -> None:
    """A last line without line end is cut where it differs from the lines before it."""
    last = lines[-1].rstrip(b"\r\x1a") if lines else b""
    before = {len(line.rstrip()) for line in lines[-11:-1]}
    if not last or not before:
        return
    columns = len(lines[-2].split())
    if len(last.split()) != columns or (len(before) == 1 and len(last.rstrip()) not in before):
        raise InputError(
            "truncated scan",
            file=name,
            line=len(lines) + 2,
            expected=f"{columns} columns in {len(lines[-2].rstrip())} characters and a line end",
            found=repr(last[:60].decode("latin-1")),
        )


def _bad_line(rows: list[list[bytes]], width: int, name: str, at: int | None = None) -> InputError:
    """Find the first line that is wrong, and say in what way."""
    for i, row in enumerate(rows) if at is None else [(at, rows[at])]:
        text = b" ".join(row).decode("latin-1")
        numbers = [_number(field.decode("latin-1")) for field in row]
        if b"," in b"".join(row):
            message, expected = "decimal comma", "a decimal point"
        elif len(row) != width:
            message, expected = "wrong number of columns", f"{width} columns"
        elif None in numbers:
            message, expected = "not a number", f"{width} finite numbers"
        elif at is not None:
            message, expected = "implausible values", "ascending radii from 4 to 10 cm, finite signals"
        else:
            continue
        return InputError(message, file=name, line=i + 3, expected=expected, found=repr(text[:60]))
    return InputError("wrong number of columns", file=name, line=3, expected=f"{width} columns")


def _number(text: str) -> float | None:
    """Return a finite number written in ASCII, else None."""
    if not re.fullmatch(r"[-+]?(\d+(?:\.\d*)?|\.\d+)([Ee][-+]?\d{1,4})?", text, re.ASCII):
        return None
    value = float(text)
    return value if np.isfinite(value) else None
