"""Sedimentation velocity: scans of a cell, and cells that are fitted together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from aavqc.attributes import Technique
from aavqc.records.base import FloatArray, Record, stated

Optics = Literal["absorbance", "interference", "intensity", "fluorescence"]


@dataclass(frozen=True, kw_only=True, repr=False)
class Scan:
    """One radial scan of one cell at one wavelength.

    Attributes
    ----------
    file : str
        Name of the input that it came from.
    description : str
        The operator's text in the file.
    radius_cm : array, shape (n,)
        Ascending; steps may be irregular.
    signal : array, shape (n,)
        OD, fringes, counts of the first channel or the detector's units (fluorescence), by the optics.
    signal_sd : array, shape (n,), or None
        Standard deviation of the replicates of each point.
    reference : array, shape (n,), or None
        Second channel of an intensity scan; the export does not say which of the two is the sample.
    time_s, omega2_t, rpm, temperature_c : float
        As in the header; ``omega2_t`` in rad²/s.
    wavelength_nm : float or None
        None where the export does not state it.
    """

    file: str
    description: str
    radius_cm: FloatArray
    signal: FloatArray
    signal_sd: FloatArray | None = None
    reference: FloatArray | None = None
    time_s: float
    omega2_t: float
    rpm: float
    temperature_c: float
    wavelength_nm: float | None


@dataclass(frozen=True)
class Clock:
    """Wall-clock times of scans, independent of the times in their headers.

    Attributes
    ----------
    source : {'log', 'zip'}
        The instrument's scan log, or the times of the files in an archive.
    elapsed_s : tuple of float or None
        One per scan of the record, since the first that has one.
    """

    source: Literal["log", "zip"]
    elapsed_s: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class VelocityScans(Record):
    """The scans of one cell, in order of time.

    Attributes
    ----------
    cell : int
    optics : {'absorbance', 'interference', 'intensity', 'fluorescence'}
    scans : tuple of Scan
    wavelengths : tuple of float
        One per group of wavelengths that differ by at most 2 nm, ascending, in nm. Empty
        where the export states none.
    experiment : {'velocity', 'equilibrium'}
        What the speeds and times show it to be.
    clock : Clock or None
        Where wall-clock times are known.
    """

    technique: ClassVar[Technique] = "auc"
    cell: int
    optics: Optics
    scans: tuple[Scan, ...]
    wavelengths: tuple[float, ...]
    experiment: Literal["velocity", "equilibrium"] = "velocity"
    clock: Clock | None = None

    def at(self, wavelength: float | None) -> tuple[Scan, ...]:
        """Return the scans of the group of wavelengths nearest to one, in order of time.

        None stands for the scans whose wavelength is not stated. Empty where the nearest group
        is more than 2 nm away.
        """
        if wavelength is None:
            return tuple(s for s in self.scans if s.wavelength_nm is None)
        groups = np.array(self.wavelengths)
        if not (np.abs(groups - wavelength) <= 2.0).any():
            return ()
        group = np.abs(groups - wavelength).argmin()
        known = ((s, s.wavelength_nm) for s in self.scans)
        return tuple(s for s, w in known if w is not None and np.abs(groups - w).argmin() == group)

    def describe(self) -> dict[str, Any]:
        """Return the metadata that ``aavqc inspect`` prints."""
        temperatures = [s.temperature_c for s in self.scans]
        radii = [float(s.radius_cm[i]) for s in self.scans for i in (0, -1)]
        facts = {
            "cell": self.cell,
            "optics": self.optics,
            "experiment": self.experiment,
            "scans": len(self.scans),
            "wavelengths_nm": list(self.wavelengths),
            "rpm": sorted({s.rpm for s in self.scans}),
            "time_s": [self.scans[0].time_s, self.scans[-1].time_s],
            "temperature_c": [min(temperatures), max(temperatures)],
            "radius_cm": [min(radii), max(radii)],
            "description": self.scans[0].description,
            "clock": self.clock.source if self.clock is not None else None,
        }
        return stated(facts)


@dataclass(frozen=True, kw_only=True, repr=False)
class VelocityGroup(Record):
    """Cells and runs of one sample, to be fitted together."""

    technique: ClassVar[Technique] = "auc"
    members: tuple[VelocityScans, ...]

    @classmethod
    def of(cls, members: Sequence[VelocityScans]) -> VelocityGroup:
        """Put records together; the first names the sample."""
        inputs = {i.name: i for m in members for i in m.inputs}
        return cls(
            name=members[0].name,
            sample_id=members[0].sample_id,
            format=members[0].format,
            inputs=tuple(inputs[name] for name in sorted(inputs)),
            members=tuple(members),
        )

    def describe(self) -> dict[str, Any]:
        """Return the metadata of each member by its name."""
        return {m.name: m.describe() for m in self.members}
