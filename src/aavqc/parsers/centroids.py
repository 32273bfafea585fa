"""Centroids of charge-detection spectra, gathered scan by scan into an ion table.

A spectrum holds tens of ions among thousands of centroids of thermal noise. The noise falls
off so fast that it is over at twice its most frequent signal; single ions lie beyond. So the
band is found in the first centroids, and the rest of it is left out as it arrives: a run of
millions of centroids is held as its ions alone. Where there is no such band, or nothing beyond
it, every centroid is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aavqc.parsers.formats import Export
from aavqc.parsers.ion_rows import ions_kept
from aavqc.records import IonTable
from aavqc.records.ion_columns import Growing, OfScans

SAMPLE = 200_000
"""Centroids in which the noise band is looked for."""

LEAST_A_SCAN = 200.0
"""Centroids of noise in a scan: so many single ions at once would be one cloud of charge."""

LEAST_SHARE = 0.5
"""Of all centroids, in the band: within a factor of two of its most frequent signal."""

BAND_ENDS = 2.0
"""Upper end over the most frequent signal. Noise amplitudes are Rayleigh's: cut at 4 SD, as the
instrument does, e⁻²⁴ of them are left at twice that."""

FAR, LEAST_FAR = 4.0, 1e-4
"""So many times the most frequent signal, and the share of centroids that must lie beyond: where
there are none, what fills the band may be the ions themselves."""

MOST_ROOM = 1 << 24
"""Centroids that room is set aside for, at most: what a file declares may be anything."""

LONGEST = 1e9
"""Times beyond it, in ms or s, are none."""

NOISE = "in the noise band"
_BINS_AN_OCTAVE = 8


class Centroids:
    """Collects scans; :meth:`table` makes the record of them.

    Parameters
    ----------
    extra : sequence of str
        Names of further columns that each scan brings.
    expected : int
        Centroids that are likely to come: room for them is set aside, and used as far as it is needed.
    """

    def __init__(self, extra: Sequence[str] = (), expected: int = 1 << 14) -> None:
        room = min(max(expected, 1), MOST_ROOM)
        self._columns = {name: Growing(np.float32, room) for name in ("intensity", *extra)}
        self._mz = Growing(np.float64, room)
        self._waiting: list[tuple[int, Mapping[str, NDArray[Any]]]] | None = []
        self._waiting_for = SAMPLE
        self._scan: list[int] = []
        self._time_s: list[float] = []
        self._injection_ms: list[float] = []
        self._kept: list[int] = []
        self._scaled = False
        self.noise_below: float | None = None
        self.dropped: dict[str, int] = {}
        self.read = 0

    def add(
        self,
        scan: int,
        time_s: float,
        injection_ms: float | None,
        mz: NDArray[np.float64],
        columns: Mapping[str, NDArray[np.float32]],
    ) -> None:
        """Take one scan; ``columns`` has ``intensity`` and the extra ones, as long as ``mz``."""
        at = len(self._scan)
        self._scan.append(scan)
        self._time_s.append(time_s if 0 <= time_s < LONGEST else np.nan)
        injection_ms = injection_ms or 0.0
        self._injection_ms.append(injection_ms if 0 < injection_ms < LONGEST else np.nan)
        self._kept.append(0)
        self.read += mz.size
        if self._waiting is None:
            self._keep(at, mz, columns)
            return
        self._waiting.append((at, {"mz": mz.copy(), **{k: v.copy() for k, v in columns.items()}}))
        self._waiting_for -= mz.size
        if self._waiting_for <= 0:
            self._find_noise()

    def table(
        self, export: Export, remarks: Sequence[str] = (), acquisition: Mapping[str, Any] | None = None
    ) -> IonTable:
        """Return the record; flux-scaled, as the intensities of spectra are."""
        self._find_noise()
        injection = np.array(self._injection_ms)
        if np.isfinite(injection).any() and np.isnan(injection).any():
            self._drop_unknown_injection()
            injection = np.array(self._injection_ms)
        time, ends = np.array(self._time_s), np.cumsum(self._kept, dtype=np.int64)
        facts = dict(acquisition or {})
        if self.noise_below is not None:
            facts["noise_band_below"] = round(self.noise_below, 6)
        columns = {name: column.close() for name, column in self._columns.items()}
        return IonTable(
            name=export.name,
            sample_id=export.sample_id,
            format=export.format,
            inputs=(export.files[0].input,),
            mz=self._mz.close(),
            intensity=columns.pop("intensity"),
            charge=None,
            scan=OfScans(np.array(self._scan, np.int32), ends),
            time_s=OfScans(time.astype(np.float32), ends) if np.isfinite(time).all() else None,
            injection_time_ms=None
            if np.isnan(injection).any()
            else OfScans(injection.astype(np.float32), ends),
            flux_scaled=True,
            extra=columns,
            rows_read=self.read,
            dropped=self.dropped,
            remarks=tuple(remarks),
            acquisition=facts,
        )

    def _find_noise(self) -> None:
        """Find the band in the scans that wait, and go through them."""
        if self._waiting is None:
            return
        waiting, self._waiting = self._waiting, None
        self._scaled = bool(np.isfinite([self._injection_ms[at] for at, _ in waiting]).any())
        known = [(at, scan) for at, scan in waiting if np.isfinite(self._factor(at))]
        self.noise_below = noise_ends([_scaled(scan["intensity"], self._factor(at)) for at, scan in known])
        for at, scan in waiting:
            self._keep(at, scan["mz"], {k: v for k, v in scan.items() if k != "mz"})

    def _factor(self, at: int) -> float:
        """Return what makes a signal of an intensity: the time in s; NaN for a scan that has none."""
        return self._injection_ms[at] / 1000 if self._scaled else 1.0

    def _keep(self, at: int, mz: NDArray[np.float64], columns: Mapping[str, NDArray[Any]]) -> None:
        intensity = columns["intensity"]
        if self.noise_below is not None and mz.size:  # nearly all of a scan: the checks below see the rest
            silent = _scaled(intensity, self._factor(at)) < self.noise_below
            if not (_positive(mz) and intensity.min() > 0):
                silent &= (intensity > 0) & np.isfinite(mz) & (mz > 0)
            loud = np.flatnonzero(~silent)
            self._count(NOISE, mz.size - loud.size)
            mz, columns = mz[loud], {k: v[loud] for k, v in columns.items()}
            intensity = columns["intensity"]
        if mz.size and not (_positive(mz) and _positive(intensity)):
            keep, dropped = ions_kept(
                {
                    "m/z or intensity is not a finite number": ~(np.isfinite(mz) & np.isfinite(intensity)),
                    "m/z is not positive": mz <= 0,
                    "intensity is not positive": intensity <= 0,
                }
            )
            for reason, n in dropped.items():
                self._count(reason, n)
            mz, columns = mz[keep], {k: v[keep] for k, v in columns.items()}
        self._kept[at] = mz.size
        self._mz.append(mz)
        for name, column in self._columns.items():
            column.append(columns[name])

    def _drop_unknown_injection(self) -> None:
        """Leave out the scans without an injection time where others have one."""
        known = np.isfinite(self._injection_ms)
        ions = np.repeat(known, self._kept)
        self._count("injection time of the scan is unknown", int(np.count_nonzero(~ions)))
        for column in (self._mz, *self._columns.values()):
            column.select(ions)
        scans = np.flatnonzero(known)
        self._scan = [self._scan[i] for i in scans]
        self._time_s = [self._time_s[i] for i in scans]
        self._injection_ms = [self._injection_ms[i] for i in scans]
        self._kept = [self._kept[i] for i in scans]

    def _count(self, reason: str, n: int) -> None:
        if n:
            self.dropped[reason] = self.dropped.get(reason, 0) + n


def noise_ends(signals: Sequence[NDArray[Any]]) -> float | None:
    """Return the signal below which a scan's centroids are noise; None where no band is seen.

    Parameters
    ----------
    signals : sequence of arrays
        Of each scan: intensity × injection time in s, or intensity where times are unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> noise = 180 * np.sqrt(16 + 2 * rng.exponential(size=(100, 2000)))  # Rayleigh beyond 4 SD
    >>> noise[:, 0] = 30_000  # an ion
    >>> noise_ends([*noise]) is not None, noise_ends([*noise[:, :50]]) is None
    (True, True)
    """
    every = np.concatenate(signals) if signals else np.empty(0)
    every = every[np.isfinite(every) & (every > 0)]
    if every.size < LEAST_A_SCAN * max(len(signals), 1):
        return None
    steps = np.floor(_BINS_AN_OCTAVE * np.log2(every)).astype(np.int64)
    first = int(steps.min())
    counts = np.bincount(steps - first)
    bin_centre = 2.0 ** ((int(counts.argmax()) + first + 0.5) / _BINS_AN_OCTAVE)
    mode = float(np.median(every[(every > bin_centre / 1.3) & (every < bin_centre * 1.3)]))
    inside = np.count_nonzero((every > mode / BAND_ENDS) & (every < BAND_ENDS * mode))
    if inside < max(LEAST_A_SCAN * len(signals), LEAST_SHARE * every.size):
        return None
    if np.count_nonzero(every > FAR * mode) < LEAST_FAR * every.size:
        return None
    return BAND_ENDS * mode


def _positive(values: NDArray[Any]) -> bool:
    """Tell whether all are finite and positive; quicker than to look at each."""
    return bool(0 < values.min() <= values.max() < np.inf)


def _scaled(intensity: NDArray[Any], factor: float) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return intensity * factor
