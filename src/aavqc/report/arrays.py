"""The arrays beside a result: what curves and points are drawn from."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aavqc.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = Mapping[str, "NDArray[Any]"]


def load_arrays(path: str | Path) -> dict[str, NDArray[Any]]:
    """Read the arrays that a batch wrote beside a result; none where there is no such file.

    Raises
    ------
    InputError
        The file is no set of arrays.
    """
    path = Path(path)
    if not path.exists():
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy"): _array(archive.read(name)) for name in archive.namelist()}
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError("not the arrays of a result", file=path.name, found=str(error)) from error


def _array(content: bytes) -> NDArray[Any]:
    return np.asarray(np.lib.format.read_array(io.BytesIO(content), allow_pickle=False))


def arrays_of(record: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Return the arrays of one record by their own names.

    Parameters
    ----------
    record : str
        Name of the record, as a sample states it.
    arrays : mapping of str to array
        Of a :class:`~aavqc.Result`, or from its file (where ``|`` stands for ``/``).

    Examples
    --------
    >>> sorted(arrays_of("auc/a", {"auc|a|s": np.ones(2), "auc|b|s": np.ones(2)}))
    ['s']
    """
    prefix = f"{record}/".replace("|", "/")
    named = {name.replace("|", "/"): values for name, values in arrays.items()}
    return {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}
