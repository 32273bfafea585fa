"""Lists of masses, one particle a row, by CDMS software or a mass photometer.

The unit comes from the column's name (``masses_kDa``, ``Mass (MDa)``) and is unknown where
that says none: it is never guessed from the numbers. A column of contrasts makes it mass
photometry, whose events run both ways: particles that land and particles that leave.
"""

from __future__ import annotations

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.columns import columns_by_role, plain_name, split_lines
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.ion_rows import ions_kept
from aavqc.parsers.ion_text import ROLES as ION_ROLES
from aavqc.parsers.sources import HEAD
from aavqc.parsers.text_table import NUMBER, Layout, find_header, read_rows, split_cells
from aavqc.records import FloatArray, MassList, readonly

UNITS = {"": None, "da": "Da", "kda": "kDa", "mda": "MDa"}
ROLES = {
    **{base + suffix: "mass" for base in ("mass", "masses") for suffix in UNITS},
    "contrast": "contrast",
    "contrasts": "contrast",
}
"""Column name (lower case, letters and digits only) → what it is."""

_HDF5 = b"\x89HDF\r\n\x1a\n"

SPECTRUM = frozenset(
    f"{kind}{what}"
    for kind in ("", "normalized", "normalised", "relative", "ion", "particle")
    for what in ("intensity", "intensities", "count", "counts", "density", "abundance", "frequency", "signal")
) | {"numberofions", "numberofparticles"}
"""Columns that make a list of masses a spectrum, whose rows are no particles."""

RULED = 10
"""So many masses that ascend in equal steps are the bins of a spectrum, whatever stands beside them."""


def read(export: Export) -> MassList:
    """Read one list.

    Raises
    ------
    InputError
        A row is broken, the rows are points of a spectrum and no particles, or it is HDF5.
    """
    (file,) = export.files
    if file.head.startswith(_HDF5):
        raise InputError(
            "HDF5 events of a mass photometer",
            file=file.name,
            expected="a text with columns contrasts and masses_kDa",
            hint="export the events as CSV",
        )
    lines = split_lines(file.text())
    layout = find_header(lines[:200], ROLES)
    if not isinstance(layout, Layout):
        raise InputError("no list of masses", file=file.name, line=1, expected="a column mass or contrast")
    remarks: list[str] = []
    wanted = _wanted(layout, file.name, remarks)
    columns = read_rows(lines, layout, wanted, file.name)
    if "mass" in columns and _ruled(columns["mass"]):
        raise _spectrum(file.name, layout.first, "masses that ascend in equal steps")
    unit = _unit(layout, wanted)
    return _record(export, columns.get("mass"), columns.get("contrast"), unit, remarks)


def sniff(head: bytes, basename: str) -> bool:
    """Tell a list of masses by its header, with a number below it and no m/z beside it."""
    if head.startswith(_HDF5):
        return basename.lower() == "eventsfitted.h5"
    if b"\0" in head:
        return False
    lines = split_lines(head.decode("utf-8-sig", "replace"))
    lines = lines[:-1] if len(head) >= HEAD else lines  # the last may be cut
    layout = find_header(lines, ROLES)
    if not isinstance(layout, Layout) or layout.first >= len(lines):
        return False
    plain = [plain_name(c) for c in layout.columns]
    if any(ION_ROLES.get(p) == "mz" for p in plain):
        return False
    cells = split_cells(lines[layout.first], layout.delimiter)
    return all(
        bool(cell) and NUMBER.fullmatch(cell) is not None
        for name, cell in zip(plain, cells, strict=False)
        if name in ROLES
    )


def _wanted(layout: Layout, name: str, remarks: list[str]) -> dict[str, int]:
    plain = [plain_name(c) for c in layout.columns]
    for column, key in zip(layout.columns, plain, strict=True):
        if key in SPECTRUM:
            raise _spectrum(name, layout.first, f"column {column!r}")
        if column and key not in ROLES:
            remarks.append(f"column {column!r} is not used")
    return columns_by_role(layout.columns, [ROLES.get(p) for p in plain], name, layout.first)


def _ruled(mass: FloatArray) -> bool:
    """Tell bins from particles: equal steps, but for what rounding makes of them."""
    steps = np.diff(mass)
    if mass.size < RULED or not np.all(steps > 0):
        return False
    return bool(np.ptp(steps) <= 0.02 * float(np.median(steps)))


def _spectrum(name: str, line: int, found: str) -> InputError:
    return InputError(
        "a spectrum of masses, not a list of particles",
        file=name,
        line=line,
        expected="one row a particle",
        found=found,
        hint="export the single masses",
    )


def _unit(layout: Layout, wanted: dict[str, int]) -> str | None:
    if "mass" not in wanted:
        return "1"
    name = plain_name(layout.columns[wanted["mass"]])
    return UNITS[name.removeprefix("masses") if name.startswith("masses") else name.removeprefix("mass")]


def _record(
    export: Export, mass: FloatArray | None, contrast: FloatArray | None, unit: str | None, remarks: list[str]
) -> MassList:
    (file,) = export.files
    landed: FloatArray | None = None
    if mass is not None:
        values, what = mass, "mass"
        landed = None if contrast is None else np.abs(contrast)
    else:  # dark where a particle lands, in most conventions; most events are landings in all
        signed = np.empty(0) if contrast is None else contrast
        values, what = (-signed if np.nansum(np.sign(signed)) < 0 else signed), "contrast"
    away = "the particle left the surface" if contrast is not None else f"{what} is not positive"
    finite = np.isfinite(values) if landed is None else np.isfinite(values) & np.isfinite(landed)
    keep, dropped = ions_kept({f"{what} is not a finite number": ~finite, away: values <= 0})
    at = np.flatnonzero(keep)
    at = at[np.argsort(values[at], kind="stable")]
    if unit is None:
        remarks.append("the list does not state the unit of its masses: set mass_unit")
    return MassList(
        name=export.name,
        sample_id=export.sample_id,
        format=export.format,
        inputs=(file.input,),
        remarks=tuple(remarks),
        x=readonly(values[at]),
        y=readonly(np.ones(at.size)),
        kind=what,
        unit=unit,
        instrument="cdms" if contrast is None else "mass_photometry",
        contrast=None if landed is None else readonly(landed[at]),
        rows_read=int(values.size),
        dropped=dropped,
    )


FORMAT = Format(
    name="mass-list",
    title="list of single masses",
    vendor="CDMS software; Refeyn mass photometers",
    technique="cdms",
    extensions=(".csv", ".tsv", ".txt"),
    reads="mass in Da, kDa or MDa as the column's name says; contrast (mass photometry)",
    unread="spectra of masses are refused; eventsFitted.h5 is not read: export it as CSV",
    support="experimental",
    sniff=sniff,
    group=each_file_a_record("mass-list", "cdms"),
    read=read,
)
