"""What parsers hand on: the typed content of an export, free of any vendor.

All records are frozen and their arrays read-only. A record knows which bytes it
came from (``inputs``) and what the parser noticed on the way (``remarks``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aavqc.attributes import Technique
from aavqc.ion_columns import ScanColumn, column_at, stretches

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Column = NDArray[np.floating[Any]]
"""Numbers at the precision of their file: 32-bit signals stay so, for there may be millions."""

Optics = Literal["absorbance", "interference", "intensity", "fluorescence"]


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
        OD, fringes or counts, by the optics.
    signal_sd : array, shape (n,), or None
        Standard deviation of the replicates of each point.
    reference : array, shape (n,), or None
        Reference channel of an intensity scan.
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
        facts = {
            "cell": self.cell,
            "optics": self.optics,
            "experiment": self.experiment,
            "scans": len(self.scans),
            "wavelengths_nm": list(self.wavelengths),
            "rpm": sorted({s.rpm for s in self.scans}),
            "time_s": [self.scans[0].time_s, self.scans[-1].time_s],
            "temperature_c": [
                min(s.temperature_c for s in self.scans),
                max(s.temperature_c for s in self.scans),
            ],
            "radius_cm": [
                min(float(s.radius_cm[0]) for s in self.scans),
                max(float(s.radius_cm[-1]) for s in self.scans),
            ],
            "description": self.scans[0].description,
            "clock": self.clock.source if self.clock is not None else None,
        }
        return _stated(facts)


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


@dataclass(frozen=True, kw_only=True)
class WellDilution:
    """The dilution chain of a well as the export states it, and what its software made of it.

    Attributes
    ----------
    factor : float
        Of the sample before it became template.
    template_ul, reaction_ul : float or None
        Volume of template, and of the reaction that it went into.
    copies_per_ml : float or None
        In the undiluted sample, as exported.
    """

    factor: float
    template_ul: float | None = None
    reaction_ul: float | None = None
    copies_per_ml: float | None = None


@dataclass(frozen=True, kw_only=True)
class WellRow:
    """One row of a vendor's table: a well and one target, as exported.

    Counts are None where the export has none (never 0). ``merged_from`` lists the wells
    that a merged row stands for; such a row is never counted beside its members.

    Attributes
    ----------
    ci_low, ci_high, total_low, total_high : float or None
        The vendor's Poisson and total intervals of the concentration, copies/µL.
    linkage_per_ul : float or None
        The vendor's linked molecules, copies/µL.
    partition_volume_nl : float or None
        As the export itself reports it for this well; never implied by the row's own
        concentration.
    dilution : WellDilution or None
    status_reason : str
        Why the software refused a call, in its words.
    """

    well: str
    channel: str
    target: str
    sample: str
    accepted: int | None
    positives: int | None
    negatives: int | None
    threshold: float | None = None
    copies_per_ul: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    total_low: float | None = None
    total_high: float | None = None
    linkage_per_ul: float | None = None
    partition_volume_nl: float | None = None
    dilution: WellDilution | None = None
    status: str = ""
    status_reason: str = ""
    sample_type: str = ""
    merged_from: tuple[str, ...] = ()
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class WellClusters:
    """How many partitions of a well are positive for which targets together.

    Attributes
    ----------
    targets : tuple of str
        As in the table's rows, in the order of the patterns' places.
    counts : mapping of str to int
        Pattern → partitions: ``"10"`` is positive for the first target and negative for the
        second. Patterns that the export does not list hold none.
    unclassified : int
        Partitions that the vendor left without a call for one target or more.
    """

    targets: tuple[str, ...]
    counts: Mapping[str, int]
    unclassified: int = 0


@dataclass(frozen=True, kw_only=True)
class Droplets:
    """The droplets of one well.

    Attributes
    ----------
    amplitude : array, shape (n, channels)
    positive : int8 array, shape (n, channels), or None
        The vendor's call: 1, 0, or -1 for a droplet gated out or unclassified.
    channels : tuple of str
    """

    amplitude: FloatArray
    positive: NDArray[np.int8] | None
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class DropletPlate(Record):
    """A digital PCR plate: the vendor's rows, and the droplets where they were exported.

    Attributes
    ----------
    software : str
        Name and version of the software as far as the export shows it.
    rows : tuple of WellRow
        In the natural order of wells, then channel. Empty for amplitudes without a table.
    droplets : mapping of str to Droplets
        By well (``A01``); may be empty.
    clusters : mapping of str to tuple of WellClusters
        By well: joint counts as exported. One entry for all targets of a cluster export, one
        a pair of channels for a table with quadrants.
    partition_volume_nl : float or None
        Of the wells whose rows report none.
    partition_volume_source : {'software', 'reported', 'default'}
        ``software``: the value that the software's maker documents.
    """

    technique: ClassVar[Technique] = "ddpcr"
    software: str
    rows: tuple[WellRow, ...]
    droplets: Mapping[str, Droplets] = field(default_factory=dict)
    clusters: Mapping[str, tuple[WellClusters, ...]] = field(default_factory=dict)
    partition_volume_nl: float | None
    partition_volume_source: str

    def describe(self) -> dict[str, Any]:
        """Return the metadata that ``aavqc inspect`` prints."""
        facts = {
            "software": self.software,
            "wells": sorted({r.well for r in self.rows} | set(self.droplets)),
            "targets": sorted({r.target for r in self.rows}),
            "samples": sorted({r.sample for r in self.rows}),
            "rows": len(self.rows),
            "wells_with_droplets": len(self.droplets),
            "droplets": sum(d.amplitude.shape[0] for d in self.droplets.values()),
            "wells_with_clusters": len(self.clusters),
            "partition_volume_nl": self.partition_volume_nl,
            "partition_volume_source": self.partition_volume_source,
        }
        return _stated(facts)


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


def _stated(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the export does not say."""
    return {key: value for key, value in facts.items() if value not in (None, "", [])}
