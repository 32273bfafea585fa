"""The example lot and specifications that the package carries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal


@contextmanager
def carried(name: Literal["example_lot", "specifications"]) -> Iterator[Path]:
    """Yield the folder of that name: of the wheel, or of ``data`` where the install is editable.

    Examples
    --------
    >>> with carried("example_lot") as lot:
    ...     (lot / "samples.csv").is_file()
    True
    """
    with as_file(files("aavqc") / f"_{name}") as inside:
        beside_sources = Path(__file__).parents[2] / "data" / name
        yield inside if inside.is_dir() else beside_sources
