"""UltraScan's ``.auc`` (openAUC): binary scans of one cell, channel and wavelength.

Little-endian. A header with the common radial start and the ranges of signal and SD, then
scans of 16-bit integers that are scaled to these ranges, a bitmap of interpolated points
behind each scan, and a checksum. The ranges span the whole file: a pile-up at the bottom
coarsens every point.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from aavqc.errors import InputError, UsageError
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.openauc_file import (
    OPTICS,
    SCAN,
    STEPS,
    Header,
    checksum,
    parse_header,
    quantised,
    read_file,
)
from aavqc.parsers.scans import velocity_scans, wavelength_groups
from aavqc.parsers.sources import SourceFile
from aavqc.records import FloatArray, Scan, VelocityScans, readonly
from aavqc.textfiles import write_bytes

_NAME = re.compile(r"(.+)\.(RA|RI|IP|FI)\.(\d+)\.([A-Z])\.(\d+)\.auc", re.IGNORECASE)


def sniff(head: bytes, name: str) -> bool:
    """Tell the format by its first four bytes and a version in digits."""
    return head[:4] == b"UCDA" and head[4:6].isdigit()


def group_files(files: Sequence[SourceFile]) -> Grouping:
    """Take each file as a record; files of one triple that differ in wavelength are one."""
    grouping = Grouping()
    members: dict[tuple[str, ...], dict[str, SourceFile]] = {}
    for file in files:
        try:
            header = parse_header(file.head, file.name)
        except InputError as error:
            grouping.failed[file.name] = error
            continue
        if header.type not in OPTICS:
            grouping.ignored[file.name] = "wavelength scan"
            continue
        *key, wavelength = _key(file, header)
        triple = members.setdefault(tuple(key), {})
        if wavelength in triple:
            grouping.ignored[file.name] = f"duplicate of {triple[wavelength].name}"
        else:
            triple[wavelength] = file
    cells = Counter((folder, run, cell) for folder, run, _, cell, _ in members)
    for (folder, run, kind, cell, channel), triple in members.items():
        found = tuple(triple.values())
        stem = "/".join(p for p in (folder, f"{run}.{kind}.{cell}.{channel}") if p)
        name = found[0].name if len(found) == 1 else stem
        label = f"cell{cell}" + (f"-{kind}{channel}" if cells[folder, run, cell] > 1 else "")
        sample_id = f"{run.removesuffix('.auc')}-{label}"
        grouping.exports.append(Export("ultrascan-auc", "auc", f"{name}#cell{cell}", sample_id, found))
    return grouping


def read(export: Export) -> VelocityScans:
    """Read one file, or the files of one cell and channel at several wavelengths.

    Raises
    ------
    InputError
        A file is damaged or truncated: ``found`` says at which byte.
    """
    scans: list[Scan] = []
    wavelengths: set[float] = set()
    remarks: list[str] = []
    for file in export.files:
        header, found, interpolated = read_file(file)
        scans += found
        groups = wavelength_groups([s.wavelength_nm for s in found])
        wavelengths |= set(groups)
        about = f"{groups[0]:g} nm: " if len(export.files) > 1 else ""
        remarks.append(f"{about}signals are in steps of {header.step:.3g} (16 bits over the file's range)")
        if interpolated:
            remarks.append(f"{about}{interpolated} points are marked as interpolated")
    remarks.append("times are whole seconds")
    if all(s.rpm % 100 == 0 for s in scans):
        remarks.append("speeds are multiples of 100 rpm: UltraScan rounds them when it imports scans")
    return velocity_scans(
        export,
        scans,
        cell=header.cell,
        optics=OPTICS[header.type],
        wavelengths=tuple(sorted(wavelengths)),
        remarks=remarks,
    )


def write_openauc(record: VelocityScans, path: Path, version: int = 5) -> tuple[str, ...]:
    """Write the scans of one wavelength as an UltraScan file.

    Radii that are not on one uniform grid are interpolated linearly onto one of their median
    step, from the greatest first radius on; the points are marked as interpolated.

    Parameters
    ----------
    record : VelocityScans
        Of one wavelength.
    path : Path
    version : {5, 4}
        Version 4 keeps wavelengths from 180 to 835 nm only.

    Returns
    -------
    tuple of str
        What the file can't keep, a phrase each. The signal is kept to half a 16-bit step.

    Raises
    ------
    UsageError
        Several wavelengths, or values that the format can't hold.
    """
    if len(record.wavelengths) != 1 or not record.scans:
        raise UsageError(
            "an .auc file holds one wavelength",
            found=", ".join(f"{w:g} nm" for w in record.wavelengths) or "none stated",
        )
    if version not in (4, 5):
        raise UsageError("unknown version of .auc", expected="4 or 5", found=str(version))
    scans, start, step, regridded = _on_grid(record.scans)
    # SDs of 0 only would look like none: the reader tells by the range in the header
    with_sd = all(s.signal_sd is not None and bool(s.signal_sd.any()) for s in scans)
    low, high = _span([s.signal for s in scans])
    sd_low, sd_high = (
        _span([s.signal_sd for s in scans if s.signal_sd is not None]) if with_sd else (0.0, 0.0)
    )
    last = max(float(s.radius_cm[-1]) for s in scans)
    numbers = struct.pack("<7fH", start, last, step, low, high, sd_low, sd_high, len(scans))
    body = [numbers]
    for scan in scans:
        values = quantised(scan.signal, low, high)
        if with_sd and scan.signal_sd is not None:
            values = np.column_stack([values, quantised(scan.signal_sd, sd_low, sd_high)]).ravel()
        body += [
            _scan_header(scan, step, version),
            values.tobytes(),
            np.packbits(np.full(scan.signal.size, regridded)).tobytes(),
        ]
    kind = next(k for k, optics in OPTICS.items() if optics == record.optics)
    text = _kept_text(record).ljust(240, b"\0")
    front = struct.pack("<4s2s2sB1s", b"UCDA", b"%02d" % version, kind.encode("ascii"), record.cell, b"A")
    content = b"".join([text, *body])
    data = front + hashlib.sha256(front + content).digest()[:16] + content
    write_bytes(path, data + struct.pack("<I", checksum(data)))
    return _losses(record, with_sd, regridded, (high - low) / STEPS)


FORMAT = Format(
    name="ultrascan-auc",
    title="UltraScan openAUC scans",
    vendor="UltraScan III",
    technique="auc",
    extensions=(".auc",),
    claims=(r".*\.auc",),
    reads="radial scans (RA, RI, IP, FI) of versions 4 and 5, with SD; checksum checked",
    unread="wavelength scans (WA, WI), edit profiles, time states, GUID",
    sniff=sniff,
    group=group_files,
    read=read,
)


def _key(file: SourceFile, header: Header) -> tuple[str, str, str, str, str, str]:
    """Return folder, run, type, cell, channel, wavelength; a name of another kind stands alone."""
    named = _NAME.fullmatch(file.basename)
    facts = (header.type, str(header.cell), header.channel)
    if named and (named[2].upper(), str(int(named[3])), named[4]) == facts:
        return (file.folder, named[1], *facts, named[5])
    return (file.folder, file.basename, *facts, "")


def _on_grid(scans: Sequence[Scan]) -> tuple[list[Scan], float, float, bool]:
    """Return the scans on one uniform grid, its start and step as the file keeps them, and if they moved."""
    start = _kept(max(float(s.radius_cm[0]) for s in scans))
    step = _kept(float(np.median(np.concatenate([np.diff(s.radius_cm) for s in scans]))))
    uniform = all(
        np.allclose(s.radius_cm, start + step * np.arange(s.radius_cm.size), rtol=0, atol=0.01 * step)
        for s in scans
    )
    if uniform:
        return list(scans), start, step, False
    return [_regridded(s, start, step) for s in scans], start, step, True


def _regridded(scan: Scan, start: float, step: float) -> Scan:
    count = int((scan.radius_cm[-1] - start) / step + 1e-6) + 1
    radius = start + step * np.arange(max(count, 1))
    sd = None if scan.signal_sd is None else readonly(np.interp(radius, scan.radius_cm, scan.signal_sd))
    signal = readonly(np.interp(radius, scan.radius_cm, scan.signal))
    return replace(scan, radius_cm=readonly(radius), signal=signal, signal_sd=sd)


def _kept(value: float) -> float:
    return float(np.float32(value))


def _kept_text(record: VelocityScans) -> bytes:
    return record.scans[0].description.encode("latin-1", "replace")[:239]


def _span(arrays: Sequence[FloatArray]) -> tuple[float, float]:
    """Return the least and the greatest value, rounded outwards to what the file keeps."""
    low, high = min(float(a.min()) for a in arrays), max(float(a.max()) for a in arrays)
    if not np.isfinite([low, high]).all():
        raise UsageError("signals that are not finite can't be written", found=f"{low:g} to {high:g}")
    below, above = np.float32(low), np.float32(high)
    below = below if below <= low else np.nextafter(below, np.float32(-np.inf))
    above = above if above >= high else np.nextafter(above, np.float32(np.inf))
    return float(below), float(above)


def _scan_header(scan: Scan, step: float, version: int) -> bytes:
    nm = scan.wavelength_nm or 0.0
    wavelength = round(nm * 10 if version > 4 else (nm - 180) * 100)
    if not 0 < wavelength <= STEPS:
        raise UsageError("the wavelength is unknown or does not fit into the file", found=f"{nm:g} nm")
    return SCAN.pack(
        b"DATA",
        scan.temperature_c,
        scan.rpm,
        int(scan.time_s),
        scan.omega2_t,
        wavelength,
        step,
        scan.signal.size,
    )


def _losses(record: VelocityScans, with_sd: bool, regridded: bool, step: float) -> tuple[str, ...]:
    scans = record.scans
    lost = {
        f"signals are rounded to steps of {step:.3g}": True,
        "times are cut to whole seconds": any(s.time_s != int(s.time_s) for s in scans),
        "radii are interpolated onto a uniform grid": regridded,
        "SDs are left out: not all scans have them": not with_sd
        and any(s.signal_sd is not None and bool(s.signal_sd.any()) for s in scans),
        "the description is cut or spelled otherwise": _kept_text(record).decode("latin-1")
        != scans[0].description,
        "the second channel is left out": any(s.reference is not None for s in scans),
    }
    return tuple(text for text, applies in lost.items() if applies)
