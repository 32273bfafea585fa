"""QIAGEN's QIAcuity Software Suite: the list of results of a nanoplate.

Several layouts, all below a line ``sep=,``: the column of wells may have no name, the µ of a
unit is often destroyed, ``CI (95%)`` may occur twice, and what is said of the plate stands on
the first row only. The columns are found by their ASCII letters and digits.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aavqc.parsers.columns import plain_name
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.sources import HEAD
from aavqc.parsers.well_table import (
    Line,
    check_width,
    columns_named,
    delimiter_of,
    header_of,
    in_order,
    lines_of,
    rows_of,
)
from aavqc.records import DropletPlate, WellDilution, WellRow

NAME = "qiacuity"

_ESSENTIAL = {
    "Sample": ("samplentccontrol", "sample"),
    "Target": ("target", "targetname"),
    "Concentration": (
        "concentrationcopiesl",
        "concentrationcopiesul",
        "conccopiesl",
        "conccopiesul",
        "conccpldpcrreaction",
        "conccpuldpcrreaction",
    ),
    "Partitions (valid)": ("partitionsvalid",),
    "Partitions (positive)": ("partitionspositive",),
    "Partitions (negative)": ("partitionsnegative",),
}
_OPTIONAL = {
    "Well": ("well",),
    "Channel": ("channel", "dye"),
    "Plate type": ("platetype",),
    "Type": ("type",),
    "CI (95%)": ("ci95", "ci95dpcrreaction"),
    "Concentration [cp/mL]": ("conccpmldpcrreaction",),
    "Undiluted [cp/mL]": ("conccpmlundilutedsample",),
    "Threshold": ("threshold",),
    "Volume per well": ("volumeperwelll", "volumeperwellul"),
    "Concentration factor": ("concentrationfactor",),
    "Template volume": ("templatevolumel", "templatevolumeul"),
    "Total volume": ("totalvolumel", "totalvolumeul"),
}
_NUMERIC = (
    "Concentration",
    "Concentration [cp/mL]",
    "Undiluted [cp/mL]",
    "Threshold",
    "Volume per well",
    "Template volume",
)
_HALLMARKS = {"partitionsvalid", "partitionspositive", "partitionsnegative"}
_SEPARATOR = re.compile(r'"?sep=(.)', re.IGNORECASE)
_PLATES = {"85k": 8510}
"""Partitions of a nanoplate's well by what the software calls it."""


@dataclass(frozen=True)
class _Read:
    """A row, with the volume of its well in µL, which all partitions share."""

    row: WellRow
    well_ul: float | None


def sniff(head: bytes, basename: str) -> bool:
    """Tell a list of results by its header."""
    header = next((f for _, f in header_lines(head.decode("utf-8-sig", "replace"), basename)), [])
    names = {plain_name(name) for name in header}
    return names >= _HALLMARKS and "samplentccontrol" in names


def read(export: Export) -> DropletPlate:
    """Read a list of results."""
    (file,) = export.files
    text = file.text()
    numbered = header_lines(text, file.name)
    number, header = header_of(numbered, file.name)
    columns = columns_named(header, _ESSENTIAL | _OPTIONAL, _ESSENTIAL, file.name, number)
    columns.setdefault("Well", 0)  # the old layouts leave its name blank
    lines = lines_of(numbered, columns, _NUMERIC, file.name, told_delimiter(text), number)
    found = []
    for line in lines:
        check_width(line.fields, header, file.name, line.number)
        found.append(_row(line))
    plate_type = next((t for line in lines if (t := line.text("Plate type"))), "")
    rows = _with_volumes(found, plate_type)
    return DropletPlate(
        name=export.name,
        sample_id=export.sample_id,
        format=NAME,
        inputs=(file.input,),
        software=", ".join(filter(None, (_software(header), plate_type))),
        rows=in_order(rows, file.name),
        partition_volume_nl=None,
        partition_volume_source="default",
    )


def _software(header: Sequence[str]) -> str:
    """Return the generation of the software: the first wrote ``Concentration`` in full."""
    old = any(plain_name(name).startswith("concentrationcopies") for name in header)
    return f"QIAcuity Software Suite {1 if old else 2}"


def told_delimiter(text: str) -> str:
    """Return the delimiter that the first line tells, or else shows."""
    first = text[:HEAD].replace("\r", "\n").split("\n", 2)
    told = _SEPARATOR.match(first[0])
    return told[1] if told else delimiter_of(first[0])


def header_lines(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines from the header on."""
    return (
        (number, fields)
        for number, fields in rows_of(text, file, told_delimiter(text))
        if not (number == 1 and fields[0].lower().startswith("sep="))
    )


def _row(line: Line) -> _Read:
    valid, positive, negative = line.counts_in(
        "Partitions (valid)", "Partitions (positive)", "Partitions (negative)"
    )
    precise = line.number_in("Concentration [cp/mL]")
    concentration = line.number_in("Concentration") if precise is None else precise / 1000
    half = line.percent_in("CI (95%)")
    row = WellRow(
        well=line.well_in("Well"),
        channel=line.text("Channel"),
        target=line.text("Target"),
        sample=line.text("Sample"),
        accepted=valid,
        positives=positive,
        negatives=negative,
        threshold=line.number_in("Threshold"),
        copies_per_ul=concentration,
        ci_low=None if half is None or concentration is None else concentration * (1 - half / 100),
        ci_high=None if half is None or concentration is None else concentration * (1 + half / 100),
        dilution=_dilution(line),
        sample_type=line.text("Type"),
        line=line.number,
    )
    return _Read(row, line.number_in("Volume per well"))


def _dilution(line: Line) -> WellDilution | None:
    factor = line.number_in("Concentration factor")
    if factor is None:
        return None
    return WellDilution(
        factor=factor,
        template_ul=line.number_in("Template volume"),
        reaction_ul=line.number_in("Total volume"),
        copies_per_ml=line.number_in("Undiluted [cp/mL]"),
    )


def _with_volumes(found: Sequence[_Read], plate_type: str) -> list[WellRow]:
    """Give each row its partition's volume: that of the well over the partitions of such a well.

    The export states the volume well by well and the number of partitions nowhere; it is a
    constant of the plate, found from all wells that have a concentration, or from the plate's name.
    """
    implied = [
        entry.well_ul * row.copies_per_ul / float(np.log(row.accepted / row.negatives))
        for entry in found
        if (row := entry.row).copies_per_ul
        and row.accepted
        and row.negatives
        and row.positives
        and entry.well_ul
    ]
    number: float | None = round(statistics.median(implied)) if implied else None
    if not number:
        key = plain_name(plate_type)
        number = next((n for name, n in _PLATES.items() if name in key), None)
    return [
        replace(entry.row, partition_volume_nl=1e3 * entry.well_ul / number)
        if entry.well_ul and number
        else entry.row
        for entry in found
    ]


FORMAT = Format(
    name=NAME,
    title="QIAcuity list of results (CSV, XLSX)",
    vendor="QIAGEN",
    technique="ddpcr",
    extensions=(".csv", ".xlsx"),
    reads="partitions, concentrations, volumes and dilution of all layouts of the software",
    unread="mean concentrations of replicates",
    sniff=sniff,
    read=read,
    group=each_file_a_record(NAME, "ddpcr"),
)
