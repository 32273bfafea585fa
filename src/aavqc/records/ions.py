"""Charge-detection mass spectra: single ions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import Technique
from aavqc.records.base import Column, FloatArray, Record
from aavqc.records.ion_columns import ScanColumn, column_at, stretches


@dataclass(frozen=True, kw_only=True, repr=False)
class IonTable(Record):
    """Single ions of a charge-detection mass spectrum; all arrays have shape (n,).

    ``scan``, ``time_s`` and ``injection_time_ms`` may be held once a scan, and are then unfolded each
    time that they are asked for; :meth:`at` takes some ions' alone.

    Attributes
    ----------
    mz : array
        m/z in Th.
    intensity : float32 or float64 array, or None
        In the file's own unit, which the charge calibration refers to.
    charge : array or None
        The file's own charges, in e, not rounded.
    scan : int32 or int64 array or None
    time_s : float32 or float64 array, or None
        Acquisition time of the ion's scan.
    injection_time_ms : float32 or float64 array, or None
    flux_scaled : bool
        Intensity was divided by injection time when it was written (Orbitrap spectra),
        so charge is proportional to intensity × injection time.
    multi_ion : bool array or None
        The vendor's mark for signals of more than one ion.
    extra : mapping of str to float32 or float64 array
        Further columns of the file (lifetimes, R², signal to noise).
    rows_read : int
        Rows or peaks in the file, before any was left out.
    dropped : mapping of str to int
        Rows that are no ion (intensity 0 …), by reason.
    acquisition : mapping of str to JSON values
        What the vendor's software states of how it found the ions: parameters, log,
        rejections, default calibration.
    """

    technique: ClassVar[Technique] = "cdms"
    mz: FloatArray
    intensity: Column | None
    charge: FloatArray | None
    scan: ScanColumn = ScanColumn()  # noqa: RUF009 - a descriptor, which dataclasses take so
    time_s: ScanColumn = ScanColumn()  # noqa: RUF009
    injection_time_ms: ScanColumn = ScanColumn()  # noqa: RUF009
    flux_scaled: bool = False
    multi_ion: NDArray[np.bool_] | None = None
    extra: Mapping[str, Column] = field(default_factory=dict)
    rows_read: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)
    acquisition: Mapping[str, Any] = field(default_factory=dict)

    def at(self, name: str, ions: slice | NDArray[np.integer[Any]]) -> NDArray[Any]:
        """Return a column for some of the ions, whose positions ascend; the column must be there."""
        return column_at(self, name, ions)

    def has(self, name: str) -> bool:
        """Tell whether the file has a column."""
        return vars(self)[name] is not None

    @property
    def scans(self) -> int:
        """Scans that have ions."""
        return 0 if self.scan is None else int(np.unique(self.scan).size)

    def stretches(self) -> Iterator[slice]:
        """Cut the ions into parts that end with a scan; one part where scans come in no order."""
        return stretches(self, int(self.mz.size))

    def describe(self) -> dict[str, Any]:
        """Return the metadata that ``aavqc inspect`` prints."""
        columns = ("intensity", "charge", "scan", "time_s", "injection_time_ms", "multi_ion")
        facts: dict[str, Any] = {
            "ions": int(self.mz.size),
            "rows_read": self.rows_read,
            "columns": ["mz", *filter(self.has, columns), *self.extra],
            "flux_scaled": self.flux_scaled,
        }
        if self.mz.size:
            facts["mz"] = [float(self.mz.min()), float(self.mz.max())]
        if self.has("scan"):
            facts["scans"] = self.scans
        return facts | dict(self.acquisition)
