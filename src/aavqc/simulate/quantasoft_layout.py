"""Writes QuantaSoft 1.7's two kinds of files: the table of 63 columns, and amplitudes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import special

from aavqc.simulate.plate import SimulatedPlate

HEADER = (
    "Well,ExptType,Experiment,Sample,TargetType,Target,Status,Concentration,Supermix,CopiesPer20uLWell,"
    "TotalConfMax,TotalConfMin,PoissonConfMax,PoissonConfMin,Positives,Negatives,"
    "Ch1+Ch2+,Ch1+Ch2-,Ch1-Ch2+,Ch1-Ch2-,Linkage,AcceptedDroplets,"
    "CNV,TotalCNVMax,TotalCNVMin,PoissonCNVMax,PoissonCNVMin,ReferenceCopies,UnknownCopies,"
    "Ratio,TotalRatioMax,TotalRatioMin,PoissonRatioMax,PoissonRatioMin,"
    "FractionalAbundance,TotalFractionalAbundanceMax,TotalFractionalAbundanceMin,"
    "PoissonFractionalAbundanceMax,PoissonFractionalAbundanceMin,ReferenceAssayNumber,TargetAssayNumber,"
    "Threshold,MeanAmplitudeofPositives,MeanAmplitudeofNegatives,MeanAmplitudeTotal,"
    "ExperimentComments,MergedWells,TotalConfMax68,TotalConfMin68,PoissonConfMax68,PoissonConfMin68,"
    "TotalCNVMax68,TotalCNVMin68,PoissonCNVMax68,PoissonCNVMin68,"
    "TotalRatioMax68,TotalRatioMin68,PoissonRatioMax68,PoissonRatioMin68,"
    "TotalFractionalAbundanceMax68,TotalFractionalAbundanceMin68,"
    "PoissonFractionalAbundanceMax68,PoissonFractionalAbundanceMin68"
)
COLUMNS = tuple(HEADER.split(","))
_QUOTED = {"Well", "Experiment", "Sample", "Target", "Status", "ExperimentComments"}


@dataclass(frozen=True)
class ClusterCounts:
    """What the table says of one well: quadrants (++, +-, -+, --), and means by channel."""

    quadrants: tuple[int, int, int, int]
    positives: tuple[int, ...]
    means: tuple[tuple[float, float, float], ...]

    @property
    def accepted(self) -> int:
        """All droplets."""
        return sum(self.quadrants)

    @classmethod
    def of(cls, amplitude: NDArray[np.float64], positive: NDArray[np.bool_]) -> ClusterCounts:
        """Count and average droplets; amplitudes and calls have shape (n, channels)."""
        codes = np.bincount(_cluster(positive), minlength=5)
        return cls(
            quadrants=(int(codes[3]), int(codes[2]), int(codes[4]), int(codes[1])),
            positives=tuple(int(k) for k in positive.sum(axis=0)),
            means=tuple(
                (_mean(a[p]), _mean(a[~p]), _mean(a)) for a, p in zip(amplitude.T, positive.T, strict=True)
            ),
        )


def quantasoft_17(out: Path, plate: SimulatedPlate) -> None:
    """Write a plate's amplitudes and its table of 63 columns."""
    counted = []
    for well in plate.wells:
        amplitude_file(out / f"{plate.name}_{well.well}_Amplitude.csv", well.amplitude, well.positive)
        counted.append((well.well, well.sample, ClusterCounts.of(well.amplitude, well.positive)))
    table_file(out / f"{plate.name}.csv", plate.targets, counted, plate.thresholds, plate.wells[0].volume_nl)


def amplitude_file(path: Path, amplitude: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
    """Write the droplets of one well, in the order of their channel-1 amplitude."""
    order = np.argsort(amplitude[:, 0], kind="stable")
    codes = _cluster(positive)[order]
    names = [f"Ch{i + 1} Amplitude" for i in range(amplitude.shape[1])]
    lines = [",".join([*names, "Cluster"])]
    for row, code in zip(amplitude[order].tolist(), codes.tolist(), strict=True):
        lines.append(",".join([*(f"{a:.7g}" for a in row), str(code)]))
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode())


def table_file(
    path: Path,
    targets: Sequence[str],
    wells: Sequence[tuple[str, str, ClusterCounts]],
    thresholds: Sequence[float],
    volume_nl: float,
) -> None:
    """Write the table: (well, sample, counts) by channel, a comma behind each line of data."""
    lines = [HEADER]
    for channel, target in enumerate(targets):
        for well, sample, counts in wells:
            row = _row(channel, target, well, sample, counts, thresholds[channel], volume_nl, len(targets))
            fields = [f'"{row.get(c, "")}"' if c in _QUOTED else row.get(c, "") for c in COLUMNS]
            lines.append(",".join(fields) + ",")
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode())


def _row(
    channel: int,
    target: str,
    well: str,
    sample: str,
    counts: ClusterCounts,
    threshold: float,
    volume_nl: float,
    channels: int,
) -> dict[str, str]:
    n, k = counts.accepted, counts.positives[channel]
    scale = 1e3 / volume_nl
    conc = 1e6 if k == n else scale * math.log(n / (n - k))
    low, high = (scale * x for x in vendor_interval(k, n, 0.95))
    low68, high68 = (scale * x for x in vendor_interval(k, n, 0.68))
    pp, pn, np_, nn = counts.quadrants
    row = {
        "Well": well,
        "ExptType": "Absolute Quantification",
        "Experiment": "ABS",
        "Sample": sample,
        "TargetType": f"Ch{channel + 1}{'NTC' if sample == 'NTC' else 'Unknown'}",
        "Target": target,
        "Status": "OK",
        "Concentration": digits(conc, 3),
        "Supermix": "ddPCR Supermix for Probes (no dUTP)",
        "CopiesPer20uLWell": f"{20 * float(digits(conc, 3)):.10g}",
        "PoissonConfMax": digits(high, 3),
        "PoissonConfMin": digits(low, 3),
        "Positives": str(k),
        "Negatives": str(n - k),
        "AcceptedDroplets": str(n),
        "ReferenceAssayNumber": "1",
        "TargetAssayNumber": "1",
        "Threshold": f"{threshold:.0f}",
        "MeanAmplitudeofPositives": f"{counts.means[channel][0]:.1f}",
        "MeanAmplitudeofNegatives": f"{counts.means[channel][1]:.1f}",
        "MeanAmplitudeTotal": f"{counts.means[channel][2]:.1f}",
        "PoissonConfMax68": digits(high68, 4),
        "PoissonConfMin68": digits(low68, 4),
    }
    if channels == 2:
        expected = (pn + nn) * (np_ + nn)
        linked = max(0.0, math.log(n * nn / expected)) if nn and expected else 0.0
        row |= {"Ch1+Ch2+": str(pp), "Ch1+Ch2-": str(pn), "Ch1-Ch2+": str(np_), "Ch1-Ch2-": str(nn)}
        row["Linkage"] = digits(scale * linked, 3)
    return row


def vendor_interval(k: int, n: int, coverage: float) -> tuple[float, float]:
    """Return the interval of copies a droplet, as the vendor's software computes it."""
    if k >= 100 and n - k >= 100:
        p = k / n
        half = float(special.ndtri(0.5 + coverage / 2)) * math.sqrt(p * (1 - p) / n)
        return -math.log(1 - p + half), -math.log(1 - p - half)
    low, high = _densest(min(k, n - k), coverage)
    if k <= n - k:
        return -math.log(1 - low / n), -math.log(1 - high / n)
    return -math.log(high / n), -math.log(max(low, 1e-9) / n)


def _densest(count: int, coverage: float) -> tuple[float, float]:
    """Return where the posterior of a small count is densest, on a fine grid."""
    if count == 0:
        return 0.0, 2.996 if coverage == 0.95 else -math.log(1 - coverage)
    grid = np.linspace(1e-6, count + 12 + 10 * math.sqrt(count), 200_001)
    density = np.exp(count * np.log(grid) - grid - special.gammaln(count + 1)) * (grid[1] - grid[0])
    order = np.argsort(-density, kind="stable")
    inside = grid[order[: int(np.searchsorted(np.cumsum(density[order]), coverage)) + 1]]
    return float(inside.min()), float(inside.max())


def _cluster(positive: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return QuantaSoft's codes: 1 is -/-, 2 channel 1 alone, 3 both, 4 channel 2 alone."""
    first = positive[:, 0]
    second = positive[:, 1] if positive.shape[1] > 1 else np.zeros_like(first)
    return np.where(first, np.where(second, 3, 2), np.where(second, 4, 1))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0


def digits(value: float, significant: int) -> str:
    """Write with so many significant digits, whole numbers in full, as the software does."""
    if value == 0:
        return "0"
    decimals = significant - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.0f}" if decimals <= 0 else f"{value:.{decimals}f}".rstrip("0").rstrip(".")
