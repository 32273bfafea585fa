"""The bytes of an UltraScan ``.auc`` file, as its ``us_dataIO.cpp`` writes them: header, scans, checksum."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aavqc.errors import InputError
from aavqc.parsers.scans import MIN_POINTS, check_limits, check_radii
from aavqc.parsers.sources import SourceFile
from aavqc.records import FloatArray, Optics, Scan, readonly

MAX_BYTES = 1 << 28
STEPS = 65535
"""Steps of a 16-bit value between the least and the greatest of the file."""

OPTICS: dict[str, Optics] = {
    "RA": "absorbance",
    "RI": "intensity",
    "IP": "interference",
    "FI": "fluorescence",
}

HEADER = struct.Struct("<4s2s2sB1s16s240s7fH")
SCAN = struct.Struct("<4sffIfHfI")


@dataclass(frozen=True)
class Header:
    """The fixed part at the start of a file; ``ranges`` are least and greatest signal and SD."""

    version: int
    type: str
    cell: int
    channel: str
    description: str
    min_radius_cm: float
    ranges: tuple[float, float, float, float]
    scans: int

    @property
    def step(self) -> float:
        """What one 16-bit step of the signal stands for."""
        return (self.ranges[1] - self.ranges[0]) / STEPS


def read_file(file: SourceFile) -> tuple[Header, list[Scan], int]:
    """Return the header, the scans, and how many points are marked as interpolated."""
    data = file.read(MAX_BYTES)
    header = parse_header(data, file.name)
    if header.scans == 0:
        raise InputError("no scans", file=file.name, expected="at least one scan", found="0 at byte 294")
    position, scans, interpolated = HEADER.size, [], 0
    for number in range(1, header.scans + 1):
        scan, marks, position = _read_scan(data, position, header, file.name, number)
        scans.append(scan)
        interpolated += marks
    if len(data) != position + 4:
        raise _truncated(file.name, position, "4 bytes of checksum and the end", len(data) - position)
    stored, computed = struct.unpack_from("<I", data, position)[0], checksum(data[:position])
    if stored != computed:
        raise InputError(
            "the checksum does not fit the data: the file is damaged",
            file=file.name,
            expected=f"0x{computed:08x}",
            found=f"0x{stored:08x} at byte {position}",
        )
    return header, scans, interpolated


def parse_header(data: bytes, name: str) -> Header:
    """Read the header of a file."""
    if len(data) < HEADER.size:
        raise _truncated(name, 0, f"a header of {HEADER.size} bytes", len(data))
    magic, version, kind, cell, channel, _, text, *numbers, count = HEADER.unpack_from(data)
    if magic != b"UCDA" or version not in (b"04", b"05"):
        raise InputError(
            "unknown version", file=name, expected="UCDA04 or UCDA05", found=f"{data[:6]!r} at byte 0"
        )
    if kind not in (b"RA", b"RI", b"IP", b"FI", b"WA", b"WI") or not channel.isalpha():
        raise InputError(
            "damaged header",
            file=name,
            expected="a type RA, RI, IP, FI, WA or WI and a channel",
            found=f"{kind!r}, {channel!r} at byte 6",
        )
    radius, ranges = (float(n) for n in numbers[:3]), tuple(float(n) for n in numbers[3:])
    first, last, step = radius
    bounds = np.array([first, last, step, *ranges])
    if (
        not np.isfinite(bounds).all()
        or not 4 <= first <= last <= 10
        or step <= 0
        or ranges[0] > ranges[1]
        or ranges[2] > ranges[3]
    ):
        raise InputError(
            "damaged header",
            file=name,
            expected="radii from 4 to 10 cm and ascending ranges",
            found=f"{[float(f'{b:.6g}') for b in bounds]} at byte 266",
        )
    check_limits({"cell": cell}, name, "at byte 8")
    return Header(
        version=int(version),
        type=kind.decode("ascii"),
        cell=cell,
        channel=channel.decode("ascii"),
        description=text.partition(b"\0")[0].decode("latin-1").strip(),
        min_radius_cm=first,
        ranges=(ranges[0], ranges[1], ranges[2], ranges[3]),
        scans=count,
    )


def checksum(data: bytes) -> int:
    """Return UltraScan's CRC-32, which starts from all ones: not the plain one."""
    return zlib.crc32(data, 0xFFFFFFFF)


def quantised(values: FloatArray, low: float, high: float) -> NDArray[np.uint16]:
    """Return values as 16-bit steps between two bounds."""
    scale = STEPS / (high - low) if high > low else 0.0
    return np.clip(np.rint((values - low) * scale), 0, STEPS).astype("<u2")


def _read_scan(data: bytes, start: int, header: Header, name: str, number: int) -> tuple[Scan, int, int]:
    if len(data) < start + SCAN.size:
        raise _truncated(name, start, f"scan {number} of {header.scans}", len(data) - start)
    tag, temperature, rpm, seconds, omega2_t, wavelength, step, points = SCAN.unpack_from(data, start)
    if tag != b"DATA":
        raise InputError(
            "damaged scan", file=name, expected="the mark DATA", found=f"{tag!r} at byte {start}"
        )
    where = f"in scan {number} at byte {start}"
    nm = wavelength / 10 if header.version > 4 else wavelength / 100 + 180
    facts = {
        "temperature": temperature,
        "rpm": rpm,
        "seconds": seconds,
        "omega2t": omega2_t,
        "wavelength": nm,
    }
    check_limits(facts, name, where)
    if points < MIN_POINTS or not 0 < step <= 1:
        raise InputError(
            "damaged scan",
            file=name,
            expected=f"at least {MIN_POINTS} points in steps of up to 1 cm",
            found=f"{points} in steps of {step:g} cm {where}",
        )
    begin, bitmap = start + SCAN.size, (points + 7) // 8
    columns = 2 if header.ranges[2:] != (0.0, 0.0) else 1
    if columns == 2 and not _ends_well(data, begin + 4 * points + bitmap):
        # UltraScan leaves out the SDs of a scan where all are 0, though others of the file have theirs.
        columns = 2 if not _ends_well(data, begin + 2 * points + bitmap) else 1
    end = begin + 2 * columns * points + bitmap
    if end > len(data):
        raise _truncated(name, begin, f"{points} points {where}", len(data) - begin)
    values = np.frombuffer(data, "<u2", columns * points, begin).reshape(points, columns).astype(np.float64)
    low, high, sd_low, sd_high = header.ranges
    radius = header.min_radius_cm + np.arange(points) * float(step)
    signal = low + values[:, 0] * ((high - low) / STEPS)
    check_radii(radius, signal, name, where)
    marks = np.unpackbits(np.frombuffer(data, np.uint8, bitmap, end - bitmap), count=points)
    scan = Scan(
        file=name,
        description=header.description,
        radius_cm=readonly(radius),
        signal=readonly(signal),
        signal_sd=readonly(sd_low + values[:, 1] * ((sd_high - sd_low) / STEPS)) if columns == 2 else None,
        time_s=float(seconds),
        omega2_t=omega2_t,
        rpm=rpm,
        temperature_c=temperature,
        wavelength_nm=nm,
    )
    return scan, int(marks.sum()), end


def _ends_well(data: bytes, end: int) -> bool:
    return len(data) == end + 4 or data[end : end + 4] == b"DATA"


def _truncated(name: str, position: int, expected: str, left: int) -> InputError:
    return InputError(
        "truncated or damaged file",
        file=name,
        expected=expected,
        found=f"{left} bytes from byte {position} on",
    )
