"""RDML's table of one reaction's partitions: for each target fluorescence and call."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.well_table import refuse_wide_lines
from aavqc.records import Droplets, readonly
from aavqc.textfiles import decode

_CALLS = {"p": 1, "n": 0, "u": -1, "e": -1}


def read_partitions(data: bytes, name: str, dyes: Mapping[str, str]) -> Droplets:
    """Read a table; its header names each target twice.

    Parameters
    ----------
    data : bytes
    name : str
        Of the member, for errors.
    dyes : mapping of str to str
        Target → dye, which is the channel.

    Raises
    ------
    InputError
        With line, expected and found.
    """
    import pandas as pd

    text = decode(data, name).replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    first, _, body = text.partition("\n")
    names = [field.strip() for field in first.split("\t")]
    targets = names[::2]
    if len(names) % 2 or targets != names[1::2] or len(set(targets)) < len(targets) or not all(targets):
        raise InputError(
            "no table of partitions",
            line=1,
            expected="each target twice, parted by tabs",
            found=repr(first[:60]),
        )
    width = len(names)
    refuse_wide_lines(text, "\t", width, None)
    numbers, words = list(range(0, width, 2)), list(range(1, width, 2))
    try:
        table = pd.read_csv(
            io.StringIO(body or "\n"),
            sep="\t",
            header=None,
            dtype=dict.fromkeys(numbers, np.float64) | dict.fromkeys(words, "category"),
            na_filter=False,
            skip_blank_lines=False,
        )
        if table.shape[1] != width:
            raise ValueError
    except (ValueError, OverflowError):
        raise _bad_line(body, width, name) from None
    amplitude = table[numbers].to_numpy()
    known = np.stack([table[at].map(_CALLS).to_numpy(np.float64) for at in words], axis=1)
    if not (np.isfinite(amplitude).all() and np.isfinite(known).all()):
        raise _bad_line(body, width, name)
    return Droplets(
        amplitude=readonly(amplitude),
        positive=readonly(known, np.int8),
        channels=tuple(dyes.get(target, target) for target in targets),
    )


def _bad_line(body: str, width: int, name: str) -> InputError:
    lines = body.split("\n")
    at = next((i for i, line in enumerate(lines) if not _good(line.split("\t"), width)), 0)
    return InputError(
        f"no partition in {name}",
        line=at + 2,
        expected=f"{width // 2} finite values, each with p, n, u or e",
        found=repr(lines[at][:60]),
    )


def _good(fields: list[str], width: int) -> bool:
    try:
        finite = all(np.isfinite(float(field)) for field in fields[::2])
    except ValueError:
        return False
    return finite and len(fields) == width and all(call in _CALLS for call in fields[1::2])
