"""QIAcuity's fluorescence by partition (RFU): a file a channel, with the software's calls where it has them.

Experimental: written after the columns and names of files that two public readers use; no
instrument file has been seen. A partition that is invalid in one channel is left out of all.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aavqc.errors import InputError
from aavqc.parsers.columns import plain_name
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.qiacuity import header_lines, told_delimiter
from aavqc.parsers.sources import HEAD, SourceFile
from aavqc.parsers.well_table import (
    Line,
    columns_named,
    header_of,
    in_order,
    no_wells,
    refuse_wide_lines,
    rows_of,
    unix_lines,
    well_key,
)
from aavqc.records import DropletPlate, Droplets, FloatArray, WellRow, readonly

if TYPE_CHECKING:
    import pandas as pd

NAME = "qiacuity-rfu"
REMARK = "experimental: no file of this kind has been seen by the reader's authors"

_COLUMNS = {
    "Well": ("well",),
    "Partition": ("partition",),
    "Is invalid": ("isinvalid",),
    "RFU": ("rfu",),
    "Sample": ("sample", "samplentccontrol"),
    "Channel": ("channel",),
    "Is positive": ("ispositive",),
    "Threshold": ("threshold",),
    "Cycled volume": ("cycledvolume", "cycledvolumel", "cycledvolumeul"),
}
_REQUIRED = ("Well", "Partition", "Is invalid", "RFU")
_NUMBERS = ("Partition", "RFU")
_NO_NUMBER = ["", "-", "NaN", "nan", "NA"]
_TRUTH = {"0": False, "false": False, "1": True, "true": True}

_CHANNELS = {
    "G": "Green", "Y": "Yellow", "O": "Orange", "R": "Red", "C": "Crimson", "Fr": "Far Red",
    "REF": "Reference",
}  # fmt: skip
_REFERENCE = "Reference"
_FILE = re.compile(rf"(.*)_({'|'.join(_CHANNELS)})_.*", re.ASCII | re.DOTALL)

_PLATES_NL = ((8510, 0.32), (26_000, 0.77))
"""Partitions a well of both nanoplates, and the middle of the volumes (0.305 to 0.335 and 0.705 to 0.838 nL)
that lists of results imply for theirs."""

_PLAUSIBLE_NL = (0.1, 2.0)


@dataclass(frozen=True)
class _Well:
    """A well in one channel, in the order of its partitions."""

    partition: FloatArray
    rfu: FloatArray
    invalid: NDArray[np.bool_]
    positive: NDArray[np.bool_] | None
    sample: str
    threshold: float | None
    cycled_ul: float | None
    file: str
    line: int


def sniff(head: bytes, basename: str) -> bool:
    """Tell a channel's partitions by their header."""
    header = next((f for _, f in header_lines(head.decode("utf-8-sig", "replace"), basename)), [])
    return {"well", "partition", "rfu"} <= {plain_name(name) for name in header}


def group(files: Sequence[SourceFile]) -> Grouping:
    """Join the channels of a plate by the names of their files; another file is a plate of its own."""
    grouping = Grouping()
    plates: dict[str, list[SourceFile]] = {}
    for file in sorted(files, key=lambda f: f.name.encode()):
        match = _FILE.fullmatch(file.basename)
        if match and _CHANNELS[match[2]] == _REFERENCE:
            grouping.ignored[file.name] = "the reference channel is no target"
            continue
        plate = re.sub(r"_?RFU(_img\d+)?$", "", match[1], flags=re.ASCII) if match else file.basename
        plates.setdefault(f"{file.folder}/{plate or 'rfu'}".removeprefix("/"), []).append(file)
    for name, found in plates.items():
        stem = name.rpartition("/")[2]
        stem = found[0].stem if stem == found[0].basename else stem
        grouping.exports.append(Export(NAME, "ddpcr", name, stem, tuple(found)))
    return grouping


def read(export: Export) -> DropletPlate:
    """Read the channels of a plate, and a row for each well and channel."""
    channels: dict[str, dict[str, _Well]] = {}
    for file in export.files:
        channel, wells = _channel(file)
        if channel in channels:
            first = next(iter(channels[channel].values())).file
            raise InputError(
                f"channel {channel} twice", file=file.name, expected="a file a channel", found=f"also {first}"
            )
        if channel != _REFERENCE:
            channels[channel] = wells
    if not channels:
        raise InputError("no channel but the reference", file=export.files[0].name, expected="a target's")
    by_well: dict[str, dict[str, _Well]] = {}
    for channel in sorted(channels):
        for well, found in channels[channel].items():
            by_well.setdefault(well, {})[channel] = found
    valid = {well: ~_invalid(well, found) for well, found in by_well.items()}
    total, accepted = (sum(map(count, valid.values())) for count in (np.size, np.count_nonzero))
    sizes = {found.size for found in valid.values()}
    # where some are invalid, and wells have as many, all are listed: they share the well's volume
    whole = min(sizes) if len(sizes) == 1 and accepted < total else None
    droplets = {w: _droplets(by_well[w], valid[w]) for w in sorted(valid, key=well_key)}
    rows = [row for w, found in by_well.items() for row in _rows(w, found, droplets[w], whole)]
    typical = next((nl for n, nl in _PLATES_NL if abs(max(sizes) / n - 1) < 0.1), None)
    return DropletPlate(
        name=export.name,
        sample_id=export.sample_id,
        format=NAME,
        inputs=tuple(sorted((file.input for file in export.files), key=lambda i: i.name)),
        remarks=(REMARK, f"{total - accepted} of {total} partitions are invalid, and left out"),
        software="QIAcuity Software Suite",
        rows=in_order(rows, export.files[0].name),
        droplets=droplets,
        partition_volume_nl=None if all(row.partition_volume_nl for row in rows) else typical,
        partition_volume_source="default",
    )


def _invalid(well: str, found: Mapping[str, _Well]) -> NDArray[np.bool_]:
    """Return which partitions of a well are invalid in any channel; all have the same partitions."""
    first, *others = found.values()
    for other in others:
        if not np.array_equal(first.partition, other.partition):
            raise InputError(
                f"other partitions of well {well} than in {first.file}",
                file=other.file,
                line=other.line,
                expected=f"the same {first.partition.size}",
                found=f"{other.partition.size}",
            )
    invalid: NDArray[np.bool_] = np.any([w.invalid for w in found.values()], axis=0)
    return invalid


def _droplets(found: Mapping[str, _Well], valid: NDArray[np.bool_]) -> Droplets:
    called = [w.positive for w in found.values() if w.positive is not None]
    amplitude = np.stack([w.rfu[valid] for w in found.values()], axis=1)
    positive = np.stack([calls[valid] for calls in called], axis=1) if len(called) == len(found) else None
    return Droplets(
        amplitude=readonly(amplitude),
        positive=None if positive is None else readonly(positive, np.int8),
        channels=tuple(found),
    )


def _rows(well: str, found: Mapping[str, _Well], droplets: Droplets, whole: int | None) -> list[WellRow]:
    rows = []
    accepted = droplets.amplitude.shape[0]
    for at, (channel, told) in enumerate(found.items()):
        positives = None if droplets.positive is None else int(droplets.positive[:, at].sum())
        volume = 1e3 * told.cycled_ul / whole if told.cycled_ul and whole else 0.0
        rows.append(
            WellRow(
                well=well,
                channel=channel,
                target=channel,
                sample=told.sample,
                accepted=accepted,
                positives=positives,
                negatives=None if positives is None else accepted - positives,
                threshold=told.threshold,
                partition_volume_nl=volume if _PLAUSIBLE_NL[0] < volume < _PLAUSIBLE_NL[1] else None,
                line=told.line,
            )
        )
    return rows


def _channel(file: SourceFile) -> tuple[str, dict[str, _Well]]:
    """Read one file: its channel, by its column or else the file's name, and its wells."""
    text = file.text()
    head = header_lines(text[:HEAD], file.name)
    number, header = header_of(head, file.name)
    columns = columns_named(header, _COLUMNS, _REQUIRED, file.name, number)
    commas = any("," in fields[columns["RFU"]] for _, fields in head if len(fields) > columns["RFU"])
    table = _table(text, file.name, number, len(header), columns, "," if commas else ".")
    words = [c for c in columns if c not in _NUMBERS]

    def line_of(row: int) -> Line:
        fields = [str(table[c].iloc[row]) for c in words]
        at = {c: i for i, c in enumerate(words)}
        return Line(file.name, number + 1 + row, fields, at, any("," in f for f in fields) and commas)

    told = {"Is invalid": _truth(table["Is invalid"], "Is invalid", line_of)}
    if "Is positive" in columns:  # of an invalid partition nobody knows
        told["Is positive"] = _truth(table["Is positive"], "Is positive", line_of, told["Is invalid"])
    partition, rfu = (table[c].to_numpy() for c in _NUMBERS)
    lost = ~(np.isfinite(partition) & (np.isfinite(rfu) | told["Is invalid"]))
    if lost.any():
        raise _no_partition(text, file.name, number, columns, int(np.argmax(lost)))
    codes = table["Well"].cat.codes.to_numpy()
    order = np.lexsort((partition, codes))
    wells: dict[str, _Well] = {}
    for at in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        line = line_of(int(at.min()))
        well = line.well_in("Well")
        if well in wells or not np.diff(partition[at]).all():
            raise line.error("a partition twice, or a well written in two ways", "Well", "each once")
        wells[well] = _Well(
            partition=partition[at],
            rfu=rfu[at],
            invalid=told["Is invalid"][at],
            positive=told["Is positive"][at] if "Is positive" in told else None,
            sample=line.text("Sample"),
            threshold=line.number_in("Threshold"),
            cycled_ul=line.number_in("Cycled volume"),
            file=file.name,
            line=line.number,
        )
    return _name(file, line_of(0)), wells


def _name(file: SourceFile, line: Line) -> str:
    """Return the channel of a file."""
    known = {plain_name(word): name for token, name in _CHANNELS.items() for word in (token, name)}
    match = _FILE.fullmatch(file.basename)
    told = line.text("Channel") or (match[2] if match else "")
    if not told:
        raise InputError(
            "no channel", file=file.name, expected="a column Channel, or _G_, _Y_ … in the file's name"
        )
    return known.get(plain_name(told), told)


def _table(
    text: str, file: str, header: int, width: int, columns: Mapping[str, int], decimal: str
) -> pd.DataFrame:
    """Convert the whole file at once; look for the bad line only where that fails."""
    import pandas as pd

    text, delimiter = unix_lines(text), told_delimiter(text)
    refuse_wide_lines(text, delimiter, width, file)
    roles = {at: c for c, at in columns.items()}
    try:
        table = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            header=None,
            names=[roles.get(at, f"column {at}") for at in range(width)],
            skiprows=header,
            usecols=list(columns),
            dtype={c: np.float64 if c in _NUMBERS else "category" for c in columns},
            decimal=decimal,
            na_values=dict.fromkeys(_NUMBERS, _NO_NUMBER),
            keep_default_na=False,
            skip_blank_lines=False,
            index_col=False,
        )
    except (ValueError, OverflowError):
        raise _no_partition(text, file, header, columns) from None
    if table.empty:
        raise no_wells(file, header + 1)
    return table


def _no_partition(
    text: str, file: str, header: int, columns: Mapping[str, int], row: int | None = None
) -> InputError:
    """Return the error for a row, or else for the first that has no numbers."""
    lines = unix_lines(text).split("\n")
    if row is None:
        bad = (
            n
            for n, fields in rows_of(text, file, told_delimiter(text))
            if n > header and not _good(fields, columns)
        )
        row = next(bad, header + 1) - header - 1
    return InputError(
        "no partition",
        file=file,
        line=header + 1 + row,
        expected="its number and, where it is valid, its RFU",
        found=repr(lines[header + row][:60]) if header + row < len(lines) else "nothing",
    )


def _good(fields: Sequence[str], columns: Mapping[str, int]) -> bool:
    try:
        for c in _NUMBERS:
            if (field := fields[columns[c]].strip()) not in _NO_NUMBER:
                float(field.replace(",", "."))
    except (IndexError, ValueError):
        return False
    return True


def _truth(
    column: pd.Series[Any],
    name: str,
    line_of: Callable[[int], Line],
    unknown: NDArray[np.bool_] | bool = False,
) -> NDArray[np.bool_]:
    """Return a column of 0 and 1; of what is unknown any word is 0."""
    words = [str(c).strip().lower() for c in column.cat.categories]
    codes = column.cat.codes.to_numpy()
    wrong = np.isin(codes, [-1, *(i for i, word in enumerate(words) if word not in _TRUTH)])
    wrong &= ~np.asarray(unknown)
    if wrong.any():
        raise line_of(int(np.argmax(wrong))).error("neither 0 nor 1", name, "0 or 1")
    return np.array([*(_TRUTH.get(word, False) for word in words), False], dtype=np.bool_)[codes]


FORMAT = Format(
    name=NAME,
    title="QIAcuity fluorescence by partition (RFU)",
    vendor="QIAGEN",
    technique="ddpcr",
    extensions=(".csv",),
    reads="partitions of each channel, with the software's calls, threshold and volume where they are there",
    unread="the reference channel",
    support="experimental",
    sniff=sniff,
    read=read,
    group=group,
)
