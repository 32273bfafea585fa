"""The array ``data`` of an ion list in NumPy's ``.npz``."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from aavqc.errors import InputError
from aavqc.parsers.ion_text import POSITIONS
from aavqc.parsers.sources import MAX_TEXT

_NPY = re.compile(
    rb"\{'descr': '([<>|=][fiu][248])', 'fortran_order': False, 'shape': \((\d+), (\d+)\),? *\}"
)


def npz_columns(data: bytes, name: str) -> dict[str, NDArray[np.float64]]:
    """Read the array ``data``; its header is parsed here, for ``numpy.load`` trusts the shape in it."""
    expected = "an array 'data' of 2 to 5 columns: mz, intensity, scan, 1/IT, time"
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = next((i for i in archive.infolist() if i.filename == "data.npy"), None)
            if member is None:
                found = ", ".join(i.filename.removesuffix(".npy") for i in archive.infolist())
                raise InputError("no array 'data'", file=name, expected=expected, found=found[:200])
            with archive.open(member) as stream:
                array = stream.read(MAX_TEXT)
    except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError("no readable npz", file=name, expected=expected, found=str(error)[:200]) from error
    start = 10 if array[6:7] == b"\x01" else 12
    header = _NPY.match(array, start) if array[:6] == b"\x93NUMPY" else None
    if header is None or not 2 <= int(header[3]) <= len(POSITIONS):
        raise InputError("array 'data' has another shape or type", file=name, expected=expected)
    kind, rows, width = np.dtype(header[1].decode()), int(header[2]), int(header[3])
    offset = start + int.from_bytes(array[8:start], "little")
    if len(array) - offset != rows * width * kind.itemsize:
        raise InputError("array 'data' is cut short", file=name, expected=f"{rows} rows of {width} columns")
    with np.errstate(invalid="ignore"):  # a signalling NaN is no ion, and is dropped later
        table = np.frombuffer(array, kind, offset=offset).reshape(rows, width).astype(np.float64)
    columns = {role: table[:, i] for i, role in enumerate(POSITIONS[:width])}
    for role, absent in (("scan", 1), ("inverse_injection_time", 1), ("time_s", -1)):
        if role in columns and bool((columns[role] == absent).all()):
            del columns[role]  # what the writers of such arrays fill in for "unknown"
    return columns
