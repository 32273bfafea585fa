"""Stilla's naica (Crystal Miner): the table of wells, and the droplets' raw data.

Experimental: written after the descriptions of two public readers; no instrument file has been
seen. Names in the table's header may begin with blanks, and a well bears its chip: ``1-A1``.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.sources import SourceFile
from aavqc.parsers.well_table import (
    Line,
    check_width,
    delimiter_of,
    first_line,
    header_of,
    lines_of,
    refuse_wide_lines,
    rows_of,
    unix_lines,
    well_key,
    well_name,
)
from aavqc.records import DropletPlate, Droplets, WellRow, readonly

NAME = "naica"
REMARK = "experimental: no file of this instrument has been seen by the reader's authors"

_CHANNEL = re.compile(
    r"(\w+?)_Channel_(Concentration|NumberOfPositiveDroplets|NumberOfNegativeDroplets)", re.ASCII
)
_RAW = re.compile(
    r"(?:(?P<plate>.*)_)?(?P<well>[A-Z]\d{1,2})_(?P<kind>Raw|Compensated)Data\.csv", re.I | re.ASCII
)
_CHIP = re.compile(r"(?:(\d{1,2})-)?([A-Z]\d{1,2})", re.IGNORECASE | re.ASCII)
_POSITION = ("x", "y", "index", "id", "posx", "posy")


def sniff(head: bytes, basename: str) -> bool:
    """Tell the table by its columns, raw data by its name and a position of each droplet."""
    names = [name.strip().strip('"') for name in _fields(first_line(head.decode("utf-8", "replace")))]
    if sum(bool(_CHANNEL.fullmatch(name)) for name in names) >= 3:
        return True
    return bool(_RAW.fullmatch(basename)) and {"x", "y"} <= {name.lower() for name in names}


def group(files: Sequence[SourceFile]) -> Grouping:
    """Make each table a plate, and each folder's raw data one; compensated data go first."""
    grouping = Grouping()
    plates: dict[tuple[str, str], dict[str, SourceFile]] = {}
    for file in sorted(files, key=lambda f: f.name.encode()):
        match = _RAW.fullmatch(file.basename)
        if match is None:
            grouping.exports.append(Export(NAME, "ddpcr", file.name, file.stem, (file,)))
            continue
        well = str(well_name(match["well"]))
        wells = plates.setdefault((file.folder, match["plate"] or "naica"), {})
        if well in wells and match["kind"].lower() == "raw":
            grouping.ignored[file.name] = "compensated data of the same well are used"
        else:
            wells[well] = file
    for (folder, plate), wells in plates.items():
        name = f"{folder}/{plate}" if folder else plate
        grouping.exports.append(Export(NAME, "ddpcr", name, plate, tuple(wells.values())))
    return grouping


def read(export: Export) -> DropletPlate:
    """Read a table, or the raw data of a plate's wells."""
    rows: tuple[WellRow, ...] = ()
    droplets: dict[str, Droplets] = {}
    for file in export.files:
        match = _RAW.fullmatch(file.basename)
        if match is None:
            rows = _table(file.text(), file.name)
        else:
            droplets[str(well_name(match["well"]))] = _raw(file.text(), file.name)
    return DropletPlate(
        name=export.name,
        sample_id=export.sample_id,
        format=NAME,
        inputs=tuple(sorted((file.input for file in export.files), key=lambda i: i.name)),
        remarks=(REMARK,),
        software="Crystal Miner",
        rows=rows,
        droplets={well: droplets[well] for well in sorted(droplets, key=well_key)},
        partition_volume_nl=None,
        partition_volume_source="default",
    )


def _fields(line: str) -> list[str]:
    return line.split(delimiter_of(line))


def _table(text: str, file: str) -> tuple[WellRow, ...]:
    delimiter = delimiter_of(first_line(text))
    numbered = rows_of(text, file, delimiter)
    number, header = header_of(numbered, file)
    names = [name.strip() for name in header]
    columns = {name: at for at, name in reversed(list(enumerate(names))) if name}
    for name in ("Well", "SampleName"):
        if name not in columns:
            raise InputError("a column is missing", file=file, line=number, expected=f"column {name}")
    colours = list(dict.fromkeys(m[1] for name in names if (m := _CHANNEL.fullmatch(name))))
    numeric = [f"{colour}_Channel_Concentration" for colour in colours]
    rows: dict[tuple[str, str], WellRow] = {}
    chips: dict[str, str] = {}
    for line in lines_of(numbered, columns, numeric, file, delimiter, number):
        check_width(line.fields, header, file, line.number)
        match = _CHIP.fullmatch(line.text("Well"))
        well = line.well_in("Well", match[2] if match else None)
        if chips.setdefault(well, line.text("Well")) != line.text("Well"):
            raise line.error("the same well of two chips", "Well", "one chip a file")
        for colour in colours:
            row = _row(line, well, colour)
            if rows.setdefault((well, colour), row) is not row:
                raise line.error(f"well {well} twice", "Well", "each well once")
    return tuple(sorted(rows.values(), key=lambda r: (well_key(r.well), r.channel)))


def _row(line: Line, well: str, colour: str) -> WellRow:
    positives = line.count_in(f"{colour}_Channel_NumberOfPositiveDroplets")
    negatives = line.count_in(f"{colour}_Channel_NumberOfNegativeDroplets")
    return WellRow(
        well=well,
        channel=colour,
        target=colour,
        sample=line.text("SampleName"),
        accepted=None if positives is None or negatives is None else positives + negatives,
        positives=positives,
        negatives=negatives,
        copies_per_ul=line.number_in(f"{colour}_Channel_Concentration"),
        line=line.number,
    )


def _raw(text: str, file: str) -> Droplets:
    """Read the columns that are no position: one a channel."""
    import pandas as pd

    head = first_line(text)
    names = [name.strip().strip('"') for name in _fields(head)]
    channels = [name for name in names if name and name.lower() not in _POSITION]
    if not channels or len(set(names)) < len(names):
        raise InputError(
            "no header of raw data", file=file, line=1, expected="channels, x, y", found=head[:60]
        )
    text = unix_lines(text)
    refuse_wide_lines(text, delimiter_of(head), len(names), file)
    try:
        table = pd.read_csv(
            io.StringIO(text),
            sep=delimiter_of(head),
            names=names,
            skiprows=1,
            usecols=channels,
            dtype=np.float64,
            index_col=False,
            quoting=csv.QUOTE_NONE,
        )
        values = table[channels].to_numpy()
        if not np.isfinite(values).all():
            raise ValueError("a value is missing or not finite")
    except (ValueError, OverflowError) as error:
        raise InputError(
            "no readable raw data",
            file=file,
            expected=f"{len(channels)} numbers a line",
            found=str(error)[:80],
        ) from error
    return Droplets(amplitude=readonly(values), positive=None, channels=tuple(channels))


FORMAT = Format(
    name=NAME,
    title="naica / Crystal Miner table, raw data",
    vendor="Stilla Technologies",
    technique="ddpcr",
    extensions=(".csv",),
    reads="counts and concentrations by well and colour; droplets of raw or compensated data",
    support="experimental",
    sniff=sniff,
    read=read,
    group=group,
)
