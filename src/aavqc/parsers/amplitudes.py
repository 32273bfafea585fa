"""QuantaSoft's amplitude files: the droplets of one well, with the vendor's calls.

Two layouts. Old: ``Ch1 Amplitude,Ch2 Amplitude,Cluster`` (or ``Assay1 Amplitude``), where
the cluster may be absent. New: a preamble that explains 0, 1 and u, then one column a
channel and one a target, and a comma at the end of each line.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.errors import InputError
from aavqc.parsers.sources import HEAD, SourceFile
from aavqc.parsers.well_table import unix_lines
from aavqc.records import Droplets, FloatArray, WellClusters, frozen, readonly
from aavqc.textfiles import decode

_NAME = re.compile(r"(?:(?P<plate>.*)_)?(?P<well>[A-Z]\d{1,2})_Amplitude\.csv", re.IGNORECASE | re.ASCII)
_END = re.compile(rb"\r\n|\r|\n")
_AMPLITUDE = re.compile(r"(?:ch|assay)\s*(\d)\s*amplitude", re.IGNORECASE | re.ASCII)
_AFTER = re.compile(r'amplitude"?\s*([,;\t])', re.IGNORECASE)
_CLUSTERS = {0: (-1, -1), 1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1)}
"""Code → calls of channel 1 and 2; 0 is gated out."""


@dataclass(frozen=True)
class _Header:
    """Where the columns are: ``start`` is the offset of the first droplet's line."""

    channels: tuple[str, ...]
    calls: tuple[str, ...]
    line: int
    start: int
    delimiter: str

    @property
    def clusters(self) -> bool:
        return [name.lower() for name in self.calls] == ["cluster"]


def plate_and_well(basename: str) -> tuple[str, str] | None:
    """Split ``<plate>_<well>_Amplitude.csv``; None for any other name.

    Examples
    --------
    >>> plate_and_well("run_7_B3_Amplitude.csv")
    ('run_7', 'B03')
    """
    match = _NAME.fullmatch(basename)
    if not match:
        return None
    return match["plate"] or "", f"{match['well'][0].upper()}{int(match['well'][1:]):02d}"


def sniff_amplitudes(head: bytes) -> bool:
    """Tell an amplitude file by its header."""
    return _header(unix_lines(head.decode("utf-8-sig", "replace"))) is not None


def read_amplitudes(file: SourceFile, channel_of: Mapping[str, str]) -> tuple[Droplets, WellClusters | None]:
    """Read the droplets of one well.

    Parameters
    ----------
    file : SourceFile
    channel_of : mapping of str to str
        Target → channel of this well in the table, for files that name their calls by target.

    Returns
    -------
    Droplets
        Amplitudes of shape (n, channels). Calls are None where the file has none, or where
        its targets can't be told apart by channel.
    WellClusters or None
        Joint counts of the targets in that last case.

    Raises
    ------
    InputError
        With the line, what was expected there and what was found.
    """
    data = file.read()
    top = data[:HEAD].decode("utf-8-sig", "replace")
    header = _header(unix_lines(top))
    if header is None:
        raise InputError(
            "no header of an amplitude file",
            file=file.name,
            line=1,
            expected="columns such as Ch1 Amplitude",
            found=repr(top[:60]),
        )
    if header.delimiter != ",":  # numbers may then have decimal commas
        data = data.replace(b",", b".").replace(header.delimiter.encode(), b",")
    amplitude, calls = _numbers(data, header, file.name)
    positive = _positive(calls, header, channel_of)
    droplets = Droplets(amplitude=frozen(amplitude), positive=positive, channels=header.channels)
    by_target = positive is None and header.calls and not header.clusters
    return droplets, _joint(calls, header.calls) if by_target else None


def _header(text: str) -> _Header | None:
    start = 0
    for number in range(1, 9):
        end = text.find("\n", start)
        line = (text[start:] if end < 0 else text[start:end]).strip()
        following = len(text) if end < 0 else end + 1
        if line and not line.lower().startswith("target value of"):
            after = _AFTER.search(line)
            delimiter = after[1] if after else ","
            names = [name.strip().strip('"') for name in line.removesuffix(delimiter).split(delimiter)]
            known = [_AMPLITUDE.fullmatch(name) for name in names]
            channels = tuple(f"Ch{m[1]}" for m in known if m)
            if not channels or len(set(channels)) < len(channels) or any(known[len(channels) :]):
                return None
            return _Header(channels, tuple(names[len(channels) :]), number, following, delimiter)
        if end < 0:
            return None
        start = following
    return None


def _numbers(data: bytes, header: _Header, name: str) -> tuple[FloatArray, NDArray[np.int8]]:
    """Read amplitudes and calls at once; look closer only where that fails."""
    from aavqc.kernels.decimals import read_droplets

    text = np.frombuffer(data, np.uint8)
    lines = int(np.count_nonzero(text == ord("\n")) or np.count_nonzero(text == ord("\r"))) + 1
    amplitude = np.empty((lines, len(header.channels)))
    calls = np.empty((lines, len(header.calls)), np.int8)
    ends = itertools.islice(_END.finditer(data), header.line - 1, header.line)
    start = next((end.end() for end in ends), len(data))
    highest = max(_CLUSTERS) if header.clusters else 1
    read = read_droplets(text, start, highest, amplitude, calls)
    if read < 0:  # an exponent, a call of -1, a fault
        return _closer(unix_lines(decode(data, name)), header, name)
    return amplitude[:read], calls[:read]


def _closer(text: str, header: _Header, name: str) -> tuple[FloatArray, NDArray[np.int8]]:
    """Read numbers of any form; a line that holds none is an error."""
    import pandas as pd

    width = len(header.channels) + len(header.calls)
    body = text[header.start :].rstrip("\n").replace(",\n", "\n").removesuffix(",")
    if not header.clusters and "u" in body:
        body = re.sub(r"(?<=,)u(?=[,\n]|\Z)", "-1", body)
    try:
        if body.split("\n", 1)[0].count(",") != width - 1:
            raise ValueError  # pandas would fill every line up to the width of the first
        values = pd.read_csv(
            io.StringIO(body), header=None, dtype=np.float64, skip_blank_lines=False, quoting=csv.QUOTE_NONE
        ).to_numpy()
        if values.shape[1] != width:
            raise ValueError
    except (ValueError, OverflowError):
        raise _bad_line(body.split("\n"), header, width, name) from None
    amplitude, calls = np.split(values, [len(header.channels)], axis=1)
    allowed: tuple[int, ...] = tuple(_CLUSTERS) if header.clusters else (-1, 0, 1)
    good = np.isfinite(values).all(axis=1) & np.isin(calls, allowed).all(axis=1)
    if not good.all():
        row = int(np.argmin(good))
        expected = f"{len(header.channels)} finite amplitudes"
        if header.calls:
            expected += ", cluster 0 to 4" if header.clusters else ", calls 0, 1 or u"
        raise InputError(
            "no droplet",
            file=name,
            line=header.line + 1 + row,
            expected=expected,
            found=repr(values[row].tolist())[:60],
        )
    return np.array(amplitude, dtype=np.float64), calls.astype(np.int8)


def _bad_line(lines: list[str], header: _Header, width: int, name: str) -> InputError:
    at = next((i for i, line in enumerate(lines) if not _is_numeric(line, width)), 0)
    return InputError(
        "no droplet",
        file=name,
        line=header.line + 1 + at,
        expected=f"{width} numbers, parted as the names above; between commas with decimal points",
        found=repr(lines[at][:60]),
    )


def _is_numeric(line: str, width: int) -> bool:
    try:
        numbers = [float(field) for field in line.split(",")]
    except ValueError:
        return False
    return len(numbers) == width and line.isascii() and "_" not in line


def _joint(calls: NDArray[Any], targets: Sequence[str]) -> WellClusters:
    """Count the droplets of each pattern of calls by target."""
    whole = calls[(calls >= 0).all(axis=1)].astype(np.intp)
    places = 1 << np.arange(len(targets))[::-1]
    counts = np.bincount(whole @ places, minlength=1 << len(targets))
    patterns = {format(code, f"0{len(targets)}b"): int(n) for code, n in enumerate(counts) if n}
    return WellClusters(
        targets=tuple(targets), counts=patterns, unclassified=int(calls.shape[0] - whole.shape[0])
    )


def _positive(calls: NDArray[Any], header: _Header, channel_of: Mapping[str, str]) -> NDArray[np.int8] | None:
    """Return the calls by channel, shape (n, channels), or None where they can't be had."""
    channels = header.channels
    if header.clusters:
        if len(channels) > 2:
            return None
        table = np.array([_CLUSTERS[code] for code in sorted(_CLUSTERS)], dtype=np.int8)
        return frozen(table[:, : len(channels)].take(calls[:, 0], axis=0))
    named = [channel_of.get(target, "") for target in header.calls]
    if sorted(named) == sorted(channels):
        return readonly(calls[:, [named.index(channel) for channel in channels]], np.int8)
    if len(header.calls) == len(channels) and not any(named):
        return readonly(calls, np.int8)
    return None
