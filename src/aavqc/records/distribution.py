"""What another program made of its data: distributions, and lists of masses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from aavqc.attributes import Technique
from aavqc.records.base import FloatArray, Record


@dataclass(frozen=True, kw_only=True, repr=False)
class Distribution(Record):
    """A distribution that another program made: of sedimentation coefficients.

    Attributes
    ----------
    x : array, shape (n,)
        Ascending, in ``unit``.
    y : array, shape (n,)
        Signal per unit of ``x``, not negative.
    kind : str
        Such as ``c(s)``.
    unit : str or None
        Of ``x``, such as ``S``; None where the export does not state it.
    """

    technique: ClassVar[Technique] = "auc"
    x: FloatArray
    y: FloatArray
    kind: str
    unit: str | None

    def describe(self) -> dict[str, Any]:
        """Return the metadata that ``aavqc inspect`` prints."""
        return {
            "kind": self.kind,
            "unit": self.unit,
            "points": int(self.x.size),
            "x": [float(self.x[0]), float(self.x[-1])],
            "maximum_at": float(self.x[np.argmax(self.y)]),
        }


@dataclass(frozen=True, kw_only=True, repr=False)
class MassList(Distribution):
    """Particles that another program weighed one by one; there is no m/z and no charge.

    Attributes
    ----------
    x : array, shape (n,)
        Masses, ascending, in ``unit``: ``Da``, ``kDa``, ``MDa`` or None (not stated). Contrasts
        (unit ``1``) where the export has no masses.
    y : array, shape (n,)
        Particles at each ``x``.
    kind : {'mass', 'contrast'}
    instrument : {'cdms', 'mass_photometry'}
        Mass photometry has a calibration of its own: a slope of charges means nothing to it.
    contrast : array, shape (n,), or None
        Of each particle, positive where it landed (mass photometry with masses).
    rows_read, dropped
        As of :class:`IonTable`.
    """

    technique: ClassVar[Technique] = "cdms"
    instrument: Literal["cdms", "mass_photometry"]
    contrast: FloatArray | None = None
    rows_read: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Return the metadata that ``aavqc inspect`` prints."""
        facts: dict[str, Any] = {
            "kind": self.kind,
            "unit": self.unit or "not stated",
            "instrument": self.instrument,
            "particles": int(self.y.sum()),
            "rows_read": self.rows_read,
        }
        if self.x.size:
            facts["x"] = [float(self.x[0]), float(self.x[-1])]
        return facts
