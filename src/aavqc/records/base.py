"""What every record carries, and the arrays in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aavqc.attributes import Technique

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Column = NDArray[np.floating[Any]]
"""Numbers at the precision of their file: 32-bit signals stay so, for there may be millions."""


def readonly(values: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """Return a C-contiguous read-only copy of an array."""
    return frozen(np.array(values, dtype=dtype, order="C"))


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Make an array read-only in place; for one that nobody else holds."""
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file as stored: POSIX path relative to what the user named, hash and size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True, repr=False)
class Record(ABC):
    """What every record carries.

    Attributes
    ----------
    name : str
        Path relative to the folder read; for AUC with the cell: ``run1#cell4``.
    sample_id : str
        The sample's name where no sample sheet gives another.
    format : str
        Name of the parser's format, such as ``beckman-xl``.
    inputs : tuple of InputFile
        Sorted by name.
    remarks : tuple of str
        What the parser noticed and the reader of a result should know.
    """

    technique: ClassVar[Technique]
    name: str
    sample_id: str
    format: str
    inputs: tuple[InputFile, ...]
    remarks: tuple[str, ...] = ()

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return the metadata that ``aavqc inspect`` prints."""

    def __repr__(self) -> str:
        facts = ", ".join(f"{k}={v}" for k, v in self.describe().items())
        return f"{type(self).__name__}({self.name!r}, {facts})"


def stated(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the export does not say."""
    return {key: value for key, value in facts.items() if value not in (None, "", [])}
