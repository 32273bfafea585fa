"""Multi-wavelength scans of the open AUC (``.mwrs``): one file a cell, channel and scan.

Big-endian: a header of 26 bytes (24 in version 1.0, which has no speed as measured), the
wavelengths in nm as 16-bit numbers, then for each wavelength its readings along the radius
as signed 32-bit numbers. The scale of the readings and whether they are intensities stand in
the run's one ``*.mwrs.xml`` beside them: thousandths up to version 1.2, then intensities as
they are; ten-thousandths of OD where a run of version 1.4 took absorbance. The layout is that
which UltraScan's importer (``us_mwl_data.cpp``) reads; no instrument file has been seen.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.scans import check_limits, check_radii, velocity_scans
from aavqc.parsers.sources import SourceFile
from aavqc.records import FloatArray, Optics, Scan, VelocityScans, readonly

MAX_BYTES = 1 << 26
MAX_XML_BYTES = 1 << 20

_LONG = struct.Struct(">B1sHHHHfiHHHH")
_SHORT = struct.Struct(">B1sHHHfiHHHH")
_RUN = b"settings_mwrs_experiment"
_VERSION = re.compile(r"<settings_mwrs_experiment\b[^>]*\bversion\s*=\s*[\"'](\d+(?:\.\d+)?)[\"']")
_INTENSITY = re.compile(r"<runID\b[^>]*\btake_intensity\s*=\s*[\"'](\w)[\"']")


@dataclass(frozen=True)
class Header:
    """The header of a file; ``size`` of it and of the wavelengths, in bytes, tells the version."""

    cell: int
    channel: str
    rpm: float
    temperature_c: float
    omega2_t: float
    time_s: float
    points: int
    radius_cm: float
    step_cm: float
    wavelengths: int
    size: int


def sniff(head: bytes, name: str) -> bool:
    """Tell a scan by its name and a header that makes sense, a run's settings by their root."""
    lower = name.lower()
    if lower.endswith(".mwrs.xml"):
        return _RUN in head
    return lower.endswith(".mwrs") and any(_sensible(h) for h in _headers(head))


def group_files(files: Sequence[SourceFile]) -> Grouping:
    """Join the scans of one cell and channel of a folder, with the run's settings."""
    grouping = Grouping()
    settings: dict[str, list[SourceFile]] = defaultdict(list)
    channels: dict[tuple[str, int, str], list[SourceFile]] = defaultdict(list)
    for file in files:
        if file.basename.lower().endswith(".xml"):
            settings[file.folder].append(file)
            continue
        try:
            header = parse_header(file)
        except InputError as error:
            grouping.failed[file.name] = error
            continue
        channels[file.folder, header.cell, header.channel].append(file)
    for (folder, cell, channel), scans in channels.items():
        shared = sum((f, c) == (folder, cell) for f, c, _ in channels) > 1
        label = f"cell{cell}" + (f"-{channel}" if shared else "")
        run = folder.rpartition("/")[2] or scans[0].basename.split(".")[0]
        beside = settings[folder] if len(settings[folder]) == 1 else []
        members = tuple(sorted([*scans, *beside], key=lambda f: f.name.encode("utf-8", "surrogateescape")))
        grouping.exports.append(Export("mwrs", "auc", f"{folder}#{label}", f"{run}-{label}", members))
    used = {f.name for e in grouping.exports for f in e.files}
    for found in settings.values():
        grouping.ignored.update({f.name: "run settings without one run" for f in found if f.name not in used})
    return grouping


def read(export: Export) -> VelocityScans:
    """Read the scans of one cell and channel at all wavelengths.

    Raises
    ------
    InputError
        A file is damaged or truncated, or the files do not have the same wavelengths.
    """
    xml = next((f for f in export.files if f.basename.lower().endswith(".xml")), None)
    files = [f for f in export.files if f is not xml]
    version, absorbance = _run_settings(xml)
    old = parse_header(files[0]).size == _SHORT.size
    scale, optics, remarks = _scale(1.0 if old else version, absorbance)
    scans: list[Scan] = []
    tables: dict[tuple[float, ...], str] = {}
    for file in sorted(files, key=lambda f: parse_header(f).time_s):
        found = _read_file(file, scale)
        scans += found
        tables.setdefault(tuple(w for s in found if (w := s.wavelength_nm) is not None), file.name)
    if len(tables) > 1:
        raise InputError(
            "the scans have different wavelengths",
            file=list(tables.values())[1],
            expected=f"those of {next(iter(tables.values()))}",
            found=f"{len(list(tables)[1])} others",
        )
    return velocity_scans(
        export,
        scans,
        cell=parse_header(files[0]).cell,
        optics=optics,
        wavelengths=tuple(sorted(next(iter(tables)))),
        remarks=remarks,
    )


def parse_header(file: SourceFile) -> Header:
    """Read the header; which of its two forms it has shows in the length of the file."""
    for header in _headers(file.head):
        end = header.size + 2 * header.wavelengths + 4 * header.wavelengths * header.points
        if _sensible(header) and (file.gzipped or end == file.size):
            return header
    raise InputError(
        "damaged header, or truncated",
        file=file.name,
        expected="26 or 24 bytes that fit the length of the file",
        found=f"{file.head[:26].hex()} at byte 0 of {file.size}",
    )


FORMAT = Format(
    name="mwrs",
    title="multi-wavelength scans of the open AUC",
    vendor="AG Cölfen, Konstanz",
    technique="auc",
    extensions=(".mwrs",),
    claims=(r".*\.mwrs",),
    reads="intensity or absorbance by radius and wavelength; scale and kind from the run's .mwrs.xml",
    unread="set speed, sample names in the run's XML",
    support="experimental",
    sniff=sniff,
    group=group_files,
    read=read,
)


def _headers(head: bytes) -> list[Header]:
    """Return the header in both forms, as far as the bytes suffice."""
    found = []
    for form in (_LONG, _SHORT):
        if len(head) < form.size:
            continue
        cell, channel, _, *speeds, temperature, omega2_t, seconds, points, radius, step, count = (
            form.unpack_from(head)
        )
        # UltraScan's importer takes both: the cell as a number and as a digit.
        found.append(
            Header(
                cell if cell < 9 else cell - ord("0"),
                channel.decode("latin-1"),
                float(speeds[-1]),
                temperature / 10,
                omega2_t,
                float(seconds),
                points,
                radius / 1000,
                step / 10000,
                count,
                form.size,
            )
        )
    return found


def _sensible(header: Header) -> bool:
    last = header.radius_cm + header.step_cm * (header.points - 1)
    return (
        1 <= header.cell <= 8
        and header.channel in "ABCDEFGH"
        and 0 < header.rpm <= 1e5
        and header.temperature_c <= 60
        and 0 <= header.omega2_t <= 1e15
        and header.time_s >= 0
        and header.points > 1
        and 4 <= header.radius_cm < last <= 10
        and header.wavelengths > 0
    )


def _read_file(file: SourceFile, scale: float) -> list[Scan]:
    data, header = file.read(MAX_BYTES), parse_header(file)
    count, points = header.wavelengths, header.points
    begin = header.size + 2 * count
    if len(data) != begin + 4 * count * points:
        raise InputError(
            "truncated scan",
            file=file.name,
            expected=f"{begin + 4 * count * points} bytes for {count} wavelengths of {points} points",
            found=f"{len(data)} bytes",
        )
    wavelengths = np.frombuffer(data, ">u2", count, header.size).astype(np.float64)
    values = (
        np.frombuffer(data, ">i4", count * points, begin).reshape(count, points).astype(np.float64) * scale
    )
    radius = readonly(header.radius_cm + header.step_cm * np.arange(points))
    check_limits({"seconds": header.time_s, "omega2t": header.omega2_t}, file.name, "at byte 10")
    check_radii(radius, values, file.name, "in the header")
    first: dict[float, FloatArray] = {}
    for wavelength, row in zip(wavelengths.tolist(), values, strict=True):
        check_limits({"wavelength": wavelength}, file.name, f"at byte {header.size}")
        first[wavelength] = row  # of a wavelength given twice UltraScan keeps the last
    return [
        Scan(
            file=file.name,
            description="",
            radius_cm=radius,
            signal=readonly(row),
            time_s=header.time_s,
            omega2_t=header.omega2_t,
            rpm=header.rpm,
            temperature_c=header.temperature_c,
            wavelength_nm=wavelength,
        )
        for wavelength, row in sorted(first.items())
    ]


def _run_settings(xml: SourceFile | None) -> tuple[float | None, bool]:
    """Return the version of the run's settings, and whether it took absorbance."""
    if xml is None:
        return None, False
    text = xml.read(MAX_XML_BYTES).decode("utf-8", "replace")
    version, intensity = _VERSION.search(text), _INTENSITY.search(text)
    if version is None:
        raise InputError("no version in the run's settings", file=xml.name, expected='version="1.4"')
    return float(version[1]), intensity is not None and intensity[1] == "N"


def _scale(version: float | None, absorbance: bool) -> tuple[float, Optics, list[str]]:
    if version is None:
        return 1.0, "intensity", ["no one .mwrs.xml beside: readings are taken as intensities, not scaled"]
    if version > 1.3 and absorbance:
        return 1e-4, "absorbance", []
    return (1.0 if version > 1.2 else 1e-3), "intensity", []
