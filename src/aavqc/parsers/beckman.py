"""Beckman XL-A, XL-I and Optima: legacy ASCII scans, one file a scan (``00001.RA1``).

Line 1 is the operator's text, line 2 has eight fields (type, cell, temperature, rpm,
seconds, ω²t, wavelength, and one whose meaning depends on the type), then columns:
radius and fringes (IP); radius, OD and the replicates' SD (RA); radius and two channels
(RI), of sample and reference: which is which the file does not say. A scan log of the cell
(``cell4abs.log``) gives wall-clock times.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.beckman_clock import read_clock
from aavqc.parsers.beckman_log import SCAN_LOG
from aavqc.parsers.beckman_runs import group_scans, near
from aavqc.parsers.beckman_scan import OPTICS, parse_header, read_scan
from aavqc.parsers.formats import Export, Format
from aavqc.parsers.scans import velocity_scans, wavelength_groups
from aavqc.records import Scan, VelocityScans

EARLY_END_CM = 0.1

_HEADER = re.compile(rb"\s*[RPIFW]\s+\d{1,2}(?:\s+[-+0-9.,Ee]+){4,8}\s*")


def sniff(head: bytes, name: str) -> bool:
    """Tell a scan by its second line, and a scan log by its first."""
    lines = head.split(b"\n", 2)
    return bool(SCAN_LOG.match(lines[0])) or (len(lines) > 1 and bool(_HEADER.fullmatch(lines[1])))


def read(export: Export) -> VelocityScans:
    """Read the scans of one cell, in order of time.

    Raises
    ------
    InputError
        A scan is damaged or truncated; says file, line, expected, found.
    """
    files = [f for f in export.files if not SCAN_LOG.match(f.head)]
    kind = files[0].basename.rpartition(".")[2][:2].upper()
    _, optics, columns = OPTICS[kind]
    scans = [read_scan(file, columns, optics) for file in files]
    _refuse_early_end(scans)
    wavelengths = wavelength_groups([s.wavelength_nm for s in scans])
    record = velocity_scans(
        export,
        scans,
        cell=parse_header(files[0].head, files[0].name).cell,
        optics=optics,
        wavelengths=wavelengths,
        remarks=_remarks(scans, wavelengths),
    )
    return replace(record, clock=read_clock(record.scans, export.files))


FORMAT = Format(
    name="beckman-xl",
    title="Beckman XL-A/XL-I legacy ASCII scans",
    vendor="Beckman Coulter",
    technique="auc",
    extensions=(),
    claims=(r"[a-z]?\d+\.(ra|ri|ip|fi|wa|wi)\d",),
    reads="radial absorbance, intensity, interference and fluorescence scans (RA, RI, IP, FI); "
    "wall-clock times of scan logs",
    unread="wavelength scans (WA, WI), field 8 of the header",
    sniff=sniff,
    group=group_scans,
    read=read,
    code_pages=False,  # of a scan's first line alone, which is kept as it is
)


def _refuse_early_end(scans: list[Scan]) -> None:
    """Find a scan that was cut between two lines: it ends well before the others."""
    ends = np.array([s.radius_cm[-1] for s in scans])
    for i, scan in enumerate(scans if len(scans) > 1 else []):
        usual = float(np.median(np.delete(ends, i)))
        if ends[i] < usual - EARLY_END_CM:
            raise InputError(
                "truncated scan",
                file=scan.file,
                line=scan.radius_cm.size + 2,
                expected=f"a last radius near {usual:.4f} cm as in the other scans",
                found=f"{ends[i]:.4f} cm",
            )


def _remarks(scans: list[Scan], wavelengths: tuple[float, ...]) -> tuple[str, ...]:
    found = []
    for centre in wavelengths:
        measured = [w for s in scans if (w := s.wavelength_nm) is not None and near(w, centre)]
        if max(measured) > min(measured):
            found.append(f"wavelengths {min(measured):g} to {max(measured):g} nm are taken as {centre:g} nm")
    return tuple(found)
