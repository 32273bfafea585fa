"""Ion lists in NumPy's ``.npz``: the array ``data``, else arrays named like columns."""

from __future__ import annotations

import io
import re
import zipfile
import zlib

import numpy as np
from numpy.typing import NDArray

from aavqc.errors import InputError
from aavqc.parsers.columns import columns_by_role, plain_name
from aavqc.parsers.ion_text import POSITIONS, ROLES, UNUSED
from aavqc.parsers.sources import FREE_FOLD, MAX_FOLD

_NPY = re.compile(
    rb"\{'descr': '([<>|=](?:f[248]|[iu][1248]|b1))', 'fortran_order': (True|False),"
    rb" 'shape': \((\d+),(?: (\d+))?\),? *\}"
)
_EXPECTED = "an array 'data' of 2 to 5 columns (mz, intensity, scan, 1/IT, time), or arrays by these names"


def npz_columns(data: bytes, name: str, remarks: list[str]) -> dict[str, NDArray[np.float64]]:
    """Read the array ``data`` and nothing beside it; where there is none, arrays named like columns.

    Headers are parsed here, for ``numpy.load`` trusts the shape in them.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
            wanted = {"data": "data"} if "data" in members else _wanted(list(members), name, remarks)
            sizes = sum(members[member].file_size for member in wanted.values())
            if sizes > max(FREE_FOLD, MAX_FOLD * len(data)):
                raise InputError("unfolds suspiciously large", file=name, found=f"{sizes} bytes")
            arrays = {}
            for role, member in wanted.items():
                with archive.open(members[member]) as stream:
                    arrays[role] = _array(stream.read(FREE_FOLD + sizes), name)
    except (OSError, EOFError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError("no readable npz", file=name, expected=_EXPECTED, found=str(error)[:200]) from error
    return _by_position(arrays["data"], name) if "data" in arrays else _by_name(arrays, name)


def _wanted(names: list[str], file: str, remarks: list[str]) -> dict[str, str]:
    """Say which array is which column; refuse a file without m/z, or with neither intensity nor charge."""
    roles = [ROLES.get(plain_name(n)) for n in names]
    wanted = columns_by_role(names, roles, file, 1)
    if "mz" not in wanted or not wanted.keys() & {"intensity", "charge"}:
        raise InputError("no array 'data'", file=file, expected=_EXPECTED, found=", ".join(names)[:200])
    unused = [n for n, r in zip(names, roles, strict=True) if r is None and plain_name(n) not in UNUSED]
    remarks += [f"array {n!r} is not used" for n in unused]
    return {role: names[i] for role, i in wanted.items()}


def _array(member: bytes, name: str) -> NDArray[np.float64]:
    """Return one member as an array of one or two dimensions."""
    start = 10 if member[6:7] == b"\x01" else 12
    header = _NPY.match(member, start) if member[:6] == b"\x93NUMPY" else None
    if header is None:
        raise InputError("an array has another shape or type", file=name, expected=_EXPECTED)
    kind, rows, width = np.dtype(header[1].decode()), int(header[3]), int(header[4] or 1)
    offset = start + int.from_bytes(member[8:start], "little")
    if len(member) - offset != rows * width * kind.itemsize:
        raise InputError("an array is cut short", file=name, expected=f"{rows} rows of {width} columns")
    with np.errstate(invalid="ignore"):  # a signalling NaN is no ion, and is dropped later
        flat = np.frombuffer(member, kind, offset=offset).astype(np.float64)
    if header[4] is None:
        return flat
    return flat.reshape(width, rows).T if header[2] == b"True" else flat.reshape(rows, width)


def _by_position(table: NDArray[np.float64], name: str) -> dict[str, NDArray[np.float64]]:
    if table.ndim != 2 or not 2 <= table.shape[1] <= len(POSITIONS):
        raise InputError("array 'data' has another shape or type", file=name, expected=_EXPECTED)
    columns = {role: table[:, i] for i, role in enumerate(POSITIONS[: table.shape[1]])}
    for role, absent in (("scan", 1), ("inverse_injection_time", 1), ("time_s", -1)):
        if role in columns and bool((columns[role] == absent).all()):
            del columns[role]  # what the writers of such arrays fill in for "unknown"
    return columns


def _by_name(arrays: dict[str, NDArray[np.float64]], name: str) -> dict[str, NDArray[np.float64]]:
    length = arrays["mz"].shape
    for role, array in arrays.items():
        if array.ndim != 1 or array.shape != length:
            raise InputError(
                f"array for {role} has another shape",
                file=name,
                expected=f"{length}",
                found=str(array.shape),
            )
    return arrays
