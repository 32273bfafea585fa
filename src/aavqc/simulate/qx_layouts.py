"""Bio-Rad's other layouts: QuantaSoft 1.6 (44 columns), QX Manager (73), QX ONE (77), QX600 (81)."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from aavqc.simulate.plate import SimulatedPlate, SimulatedWell
from aavqc.simulate.quantasoft_layout import COLUMNS, amplitude_file, digits, vendor_interval

_TOTALS = "TotalConfMax,TotalConfMin,PoissonConfMax,PoissonConfMin"
_RATIOS = (
    "{0}TotalCNVMax{1},TotalCNVMin{1},PoissonCNVMax{1},PoissonCNVMin{1},{2}"
    "TotalRatioMax{1},TotalRatioMin{1},PoissonRatioMax{1},PoissonRatioMin{1},{3}"
    "TotalFractionalAbundanceMax{1},TotalFractionalAbundanceMin{1},"
    "PoissonFractionalAbundanceMax{1},PoissonFractionalAbundanceMin{1}"
)
NEW = (
    "Well,Sample description 1,Sample description 2,Sample description 3,Sample description 4,Target,"
    "Conc(copies/µL),pg/µL,Status,Status Reason,Experiment,SampleType,TargetType,Supermix,DyeName(s),"
    f"Copies/20µLWell,{_TOTALS},Accepted Droplets,Positives,Negatives,Copies/uL linked molecules,"
    + _RATIOS.format(
        "CNV,",
        "",
        "ReferenceCopies,UnknownCopies,Threshold1,Threshold2,Threshold3,ThresholdSigmaAbove,"
        "ThresholdSigmaBelow,ReferenceUsed,Ratio,",
        "Fractional Abundance,",
    )
    + ",MeanAmplitudeOfPositives,MeanAmplitudeOfNegatives,MeanAmplitudeTotal,ExperimentComments,MergedWells,"
    "TotalConfidenceMax68,TotalConfidenceMin68,PoissonConfidenceMax68,PoissonConfidenceMin68,"
    + _RATIOS.format("", "68", "", "")
    + ",TiltCorrected"
)
OLD = tuple(
    {"TargetType": "TypeAssay", "Target": "Assay"}.get(name, name)
    for name in COLUMNS
    if name not in ("Supermix", "CopiesPer20uLWell", "Threshold") and not name.endswith("68")
)
_PREAMBLE = "Target {0} of 0 = negative\nTarget {0} of 1 = positive\nTarget {0} of u = unclassified{1}\n\n"


def quantasoft_16(out: Path, plate: SimulatedPlate) -> None:
    """Write the table of 44 columns (its lines have 43 fields) and amplitudes of each assay."""
    lines = [",".join(OLD)]
    for target in range(len(plate.targets)):
        for well in plate.wells:
            row = _row(plate, well, target)
            conc = well.concentration(target)
            row |= {
                "Sample": well.sample,
                "TypeAssay": f"Ch{target + 1}Unknown",
                "Assay": plate.targets[target],
                "Status": "Manual",
                "Concentration": "1000000" if conc is None else digits(conc, 3),
                "AcceptedDroplets": row["Accepted Droplets"],
            }
            quoted = ("Well", "Experiment", "Sample", "Assay", "Status", "ExperimentComments")
            fields = [f'"{row.get(c, "")}"' if c in quoted else row.get(c, "") for c in OLD[:-1]]
            lines.append(",".join(fields))
    (out / f"{plate.name}.csv").write_bytes(("\n".join(lines) + "\n").encode())
    for well in plate.wells:
        path = out / f"{plate.name}_{well.well}_Amplitude.csv"
        amplitude_file(path, well.amplitude, well.positive)
        path.write_bytes(
            path.read_bytes().replace(b"Ch1 Amp", b"Assay1 Amp").replace(b"Ch2 Amp", b"Assay2 Amp")
        )


def qx_manager(out: Path, plate: SimulatedPlate, channels: int = 2) -> None:
    """Write the table of 73, 77 or 81 columns, and amplitudes with calls by target."""
    text = ("\ufeff" + _table(plate, channels)).replace("\n", "\r\n")
    (out / f"{plate.name}.csv").write_bytes(text.encode())
    for well in plate.wells:
        _amplitudes(out / f"{plate.name}_{well.well}_Amplitude.csv", well)


def qx_one(out: Path, plate: SimulatedPlate) -> None:
    """Write QX ONE's table of 77 columns."""
    qx_manager(out, plate, channels=4)


def qx600(out: Path, plate: SimulatedPlate) -> None:
    """Write the table of 81 columns as CSV, and the joint counts."""
    qx_manager(out, plate, channels=6)
    clusters(out / f"{plate.name}_ClusterData.csv", plate)


def qx600_workbook(out: Path, plate: SimulatedPlate) -> None:
    """Write the table of 81 columns as a workbook, and the joint counts."""
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    for row in csv.reader(io.StringIO(_table(plate, 6))):
        sheet.append([_cell(field) for field in row])
    book.save(out / f"{plate.name}.xlsx")
    clusters(out / f"{plate.name}_ClusterData.csv", plate)


def clusters(path: Path, plate: SimulatedPlate) -> None:
    """Write the cluster export: joint counts, then a second table that says how far they lie apart."""
    numbers = range(len(plate.targets))
    names = [f"Target {i + 1}" for i in numbers]
    lines = [",".join(["Well", *names, "Count", "Ch1 Mean", "Ch1 StdDev", "Cluster ID"])]
    apart = ["Well,Cluster 1,Cluster 2,Angle,S Value"]
    for well in plate.wells:
        found = [(pattern, n) for pattern, n in well.patterns(numbers).items() if n]
        for cluster, (pattern, n) in enumerate(found, 1):
            lines.append(f"{well.well},{','.join(pattern)},{n},1,1,{cluster},")
        for pattern, _ in found[1:]:
            words = ("".join("NP"[int(c)] for c in p) for p in (found[0][0], pattern))
            apart.append(f"{well.well},{','.join(words)},N/A,4.5,")
    text = _PREAMBLE.format("value", "(Advanced Classification Method)")
    path.write_bytes((text + "\r\n".join(lines) + "\r\n\r\n\r\n" + "\r\n".join(apart) + "\r\n").encode())


def _table(plate: SimulatedPlate, channels: int) -> str:
    pairs = [(c, c + 1) for c in range(1, channels, 2)]
    quadrants = [f"Ch{a}{x}Ch{b}{y}" for a, b in pairs for x in "+-" for y in "+-"]
    names = [*NEW.split(","), *quadrants]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for well in plate.wells:
        for target in range(len(plate.targets)):
            row = _row(plate, well, target)
            writer.writerow([row.get(name, "") for name in names])
    return text.getvalue()


def _row(plate: SimulatedPlate, well: SimulatedWell, target: int) -> dict[str, str]:
    n, k = well.accepted, well.positives(target)
    conc, scale = well.concentration(target), 1e3 / well.volume_nl
    low, high = (scale * bound for bound in vendor_interval(k, n, 0.95))
    above, below, overall = well.means(target)
    row = {
        "Well": well.well,
        "ExptType": "Absolute Quantification",
        "Sample description 1": well.sample,
        "Target": plate.targets[target],
        "Conc(copies/µL)": "1000000" if conc is None else repr(conc),
        "Copies/20µLWell": "20000000" if conc is None else repr(20 * conc),
        "Status": "OK",
        "Experiment": "DQ",
        "SampleType": "NTC" if well.sample == "NTC" else "Unknown",
        "TargetType": "Unknown",
        "Supermix": "ddPCR Supermix for Probes (No dUTP)",
        "DyeName(s)": plate.dyes[target],
        "PoissonConfMax": "1000000" if conc is None else repr(high),
        "PoissonConfMin": repr(low),
        "Accepted Droplets": str(n),
        "Positives": str(k),
        "Negatives": str(n - k),
        "Threshold1": repr(plate.thresholds[target]),
        "MeanAmplitudeOfPositives": "" if above is None else repr(above),
        "MeanAmplitudeOfNegatives": "" if below is None else repr(below),
        "MeanAmplitudeTotal": repr(overall),
        "TiltCorrected": "No",
    }
    first = target // 2 * 2
    if first + 1 < len(plate.targets):
        a, b = first + 1, first + 2
        for pattern, count in well.patterns((first, first + 1)).items():
            x, y = ("+" if c == "1" else "-" for c in pattern)
            row[f"Ch{a}{x}Ch{b}{y}"] = str(count)
    return row


def _amplitudes(path: Path, well: SimulatedWell) -> None:
    channels = well.amplitude.shape[1]
    names = [f"Ch{i + 1}Amplitude" for i in range(channels)] + [str(i + 1) for i in range(channels)]
    calls = well.positive.astype(np.int8).tolist()
    lines = [
        ",".join([*(f"{a:.7g}" for a in values), *map(str, called)]) + ","
        for values, called in zip(well.amplitude.tolist(), calls, strict=True)
    ]
    text = _PREAMBLE.format("Value", " (Advanced Classification Mode)")
    path.write_bytes((text + "\n".join([",".join(names) + ",", *lines]) + "\n").encode())


def _cell(field: str) -> str | float | None:
    try:
        return float(field)
    except ValueError:
        return field or None
