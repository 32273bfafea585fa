"""The layouts of QIAcuity's nanoplates and Absolute Q's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from aavqc.simulate.plate import SimulatedPlate, SimulatedWell, short

PARTITIONS = 8510
"""Of a well of the nanoplate with 8.5 thousand, valid or not."""

CHANNELS = ("G", "Y", "O", "R", "C")
"""Of QIAcuity, as the names of files have them."""

TEMPLATE_UL, REACTION_UL = 4.0, 12.0


def qiacuity_old(out: Path, plate: SimulatedPlate) -> None:
    """Write the first layout: ``sep=`` with all its commas, a column of wells without a name."""
    header = (
        ",Sample/NTC/Control,Type,Plate ID,Reaction Mix,Target,IC,Control type,Concentration (copies/µL),"
        "CI (95%),Partitions (valid),Partitions (positive),Partitions (negative),Threshold"
    )
    lines = ["sep=" + "," * 13, header]
    for well, target in _each(plate):
        common = [short(well.well), well.sample, "Sample", "1", "Mix", plate.targets[target], "-", "-"]
        lines.append(
            ",".join([*common, _four(well, target), _percent(well, target), *_counts(plate, well, target)])
        )
    _write(out, plate, lines)


def qiacuity_mean(out: Path, plate: SimulatedPlate) -> None:
    """Write the layout with means of replicates: two columns ``CI (95%)``, a destroyed µ."""
    names = (
        "|Sample/NTC/Control|Reaction Mix|Target|IC|Control type|Conc. [copies/\ufffdL]|CI (95%)"
        "|Mean conc. [copies/\ufffdL]|CI (95%)|SD|CV%|Partitions (valid)|Partitions (positive)"
        "|Partitions (negative)|Threshold"
    )
    lines = ["sep=,", _quoted(names.split("|"))]
    for well, target in _each(plate):
        common = [short(well.well), well.sample, "Mix", plate.targets[target], "-", "-"]
        means = [_four(well, target), _percent(well, target), "85.20", "62.8%", "126.7", "148.73%"]
        lines.append(_quoted([*common, *means, *_counts(plate, well, target)]))
    _write(out, plate, lines)


def qiacuity(out: Path, plate: SimulatedPlate) -> None:
    """Write the newest layout: plate on the first row only, volumes, the chain of dilution."""
    names = (
        "Plate name|Plate ID|Plate type|Well|Sample/NTC/Control|Type|Reaction Mix|Target (Name)|Target (IC)"
        "|Target (Control)|Conc. [cp/µL] (dPCR reaction)|Conc. [cp/mL] (dPCR reaction)"
        "|CI (95%) (dPCR reaction)|Conc. [cp/µL] (undiluted sample)|Conc. [cp/mL] (undiluted sample)"
        "|Partitions (Valid)|Partitions (Positive)|Partitions (Negative)|Threshold|Volume per well [µl]"
        "|Concentration factor|Template volume [µl]|Total volume [µl]|Conversion factor|Conversion unit"
    )
    lines = ["\ufeffsep=,", _quoted(names.split("|"))]
    for well, target in _each(plate):
        told = [plate.name, "1", "Nanoplate 8.5K 96-well"] if len(lines) == 2 else ["", "", ""]
        conc = well.concentration(target) or 0.0
        undiluted = conc * REACTION_UL / TEMPLATE_UL * well.dilution
        lines.append(
            _quoted(
                [
                    *told,
                    *[short(well.well), well.sample, "Sample", "Mix", plate.targets[target], "-", "-"],
                    *[f"{conc:.1f}", repr(conc * 1e3), _percent(well, target)],
                    *[f"{undiluted:.1f}", repr(undiluted * 1e3), *_counts(plate, well, target)],
                    *[f"{well.volume_nl * PARTITIONS / 1e3:.6g}", f"{well.dilution:.10g}"],
                    *[f"{TEMPLATE_UL:g}", f"{REACTION_UL:g}", "1000", "cp/mL"],
                ]
            )
        )
    _write(out, plate, lines)


def qiacuity_rfu(out: Path, plate: SimulatedPlate) -> None:
    """Write a file of partitions for each channel and the reference; some of each well are invalid."""
    names = "Well,Sample,Channel,Cycled volume,Threshold,Partition,Is invalid,Is positive,RFU"
    total = max(PARTITIONS, *(well.accepted + 1 for well in plate.wells))
    for target, token in enumerate([*CHANNELS[: len(plate.targets)], "REF"]):
        lines = ["sep=,", names]
        for well in plate.wells:
            volume = f"{well.volume_nl * total / 1e3:.6g}"
            threshold = "-" if token == "REF" else f"{plate.thresholds[target]:g}"
            common = f"{short(well.well)},{well.sample},{token},{volume},{threshold}"
            for index in range(total):
                if index >= well.accepted:
                    lines.append(f"{common},{index + 1},1,0,0")
                elif token == "REF":
                    lines.append(f"{common},{index + 1},0,0,100.5")
                else:
                    value, call = well.amplitude[index, target], int(well.positive[index, target])
                    lines.append(f"{common},{index + 1},0,{call},{value:.7g}")
        name = f"{plate.name}_RFU_img1_{token}_1.csv"
        (out / name).write_bytes(("\n".join(lines) + "\n").encode())


def absoluteq_results(out: Path, plate: SimulatedPlate) -> None:
    """Write the results, with a row for the average of each target that is no well."""
    lines = ["Run,Date,Instrument,Plate,Group,Name,Well,Total,Dye,Target,Conc. cp/uL,SD,CV%,95%CI,Positives"]
    for target, name in enumerate(plate.targets):
        common = f"{plate.name},1/1/2026,Absolute Q 1,{plate.name},Group 1"
        lines.append(
            f"{common} ({len(plate.wells)}),,Average,20000.5,{plate.dyes[target]},{name},50,1,2,3,460"
        )
        for well in plate.wells:
            conc = well.concentration(target) or 0.0
            half = (well.half_width(target) or 0.0) * conc
            told = [well.sample, short(well.well), str(well.accepted), plate.dyes[target], name]
            numbers = [f"{conc:.2f}", "", "", f"{half:.2f}", str(well.positives(target))]
            lines.append(",".join([common, *told, *numbers]))
    _write(out, plate, lines, end="\r\n")


def absoluteq_summary(out: Path, plate: SimulatedPlate) -> None:
    """Write the summary: a row of dyes, then a header with a block of columns for each."""
    block = (
        "Target,Conc.,SD,CV%,95%DeltaLCI,95%DeltaUCI,Precision %,Lambda (cp/Rxn),Lambda_95%DeltaLCI,"
        "Lambda_95%DeltaUCI,Positives,Copy #,CNV_95%DeltaLCI,CNV_95%DeltaUCI,Threshold"
    )
    width = block.count(",") + 1
    dyes = "," * 7 + ("," * width).join(plate.dyes) + "," * (width + 2)
    lines = [
        dyes,
        ",".join(
            [
                "Run name,Group,Sample,Well,DF,QC,Total",
                *[block] * len(plate.targets),
                "MeanQC,CV_QC,QC Message",
            ]
        ),
    ]
    for well in plate.wells:
        cells = [plate.name, "", well.sample, short(well.well), "1/1.00000", "PASS", str(well.accepted)]
        for target, name in enumerate(plate.targets):
            conc = well.concentration(target) or 0.0
            half = (well.half_width(target) or 0.0) * conc
            density = conc * well.volume_nl * 1e-3
            numbers = [f"{conc:.2f}", "", "", f"{half:.3f}", f"{half:.3f}", "", f"{density:.5f}", "", ""]
            cells += [
                name,
                *numbers,
                str(well.positives(target)),
                "",
                "",
                "",
                f"{plate.thresholds[target]:.0f}",
            ]
        lines.append(",".join([*cells, "7000.5", "0.020", "PASS: No QC issues found"]))
    _write(out, plate, lines, end="\r\n")


def absoluteq_multichannel(out: Path, plate: SimulatedPlate) -> None:
    """Write the joint counts by set of dyes; a sample is named after its well, as by default."""
    lines = ["Run,Date,Instrument,Plate,Sample,Channels,Count,Copies per microliter,Total"]
    for well in plate.wells:
        found = well.patterns(range(len(plate.targets)))
        for bits in product("01", repeat=len(plate.targets)):
            count = found["".join(bits)]
            dyes = " ".join(dye for dye, bit in zip(plate.dyes, bits, strict=True) if bit == "1")
            total = well.accepted if count else 0
            common = f"{plate.name},2026-01-01,1,{plate.name},Sample {short(well.well)}"
            lines.append(f"{common},{dyes},{count},0.00,{total}")
    _write(out, plate, lines)


def absoluteq_partitions(out: Path, plate: SimulatedPlate) -> None:
    """Write each partition, with its intensities, calls, targets and thresholds."""
    ends = ("", "_pos", "_target", "_threshold")
    names = ["Run,Date,Instrument,Plate,Well ID,Sample,Index,Reject,ROX"]
    lines = [",".join(names + [dye + end for dye in plate.dyes for end in ends])]
    for well in plate.wells:
        common = f"{plate.name},2026-01-01,1,{plate.name},{short(well.well)},{well.sample}"
        rows = zip(well.amplitude.tolist(), well.positive.tolist(), strict=True)
        for index, (values, calls) in enumerate(rows, 1):
            cells = [common, str(index), "False", "10000.5"]
            for target, (value, call) in enumerate(zip(values, calls, strict=True)):
                cells += [f"{value:.7g}", str(call), plate.targets[target], f"{plate.thresholds[target]:g}"]
            lines.append(",".join(cells))
    _write(out, plate, lines, end="\r\n")


def _each(plate: SimulatedPlate) -> list[tuple[SimulatedWell, int]]:
    return [(well, target) for well in plate.wells for target in range(len(plate.targets))]


def _counts(plate: SimulatedPlate, well: SimulatedWell, target: int) -> list[str]:
    k = well.positives(target)
    return [str(well.accepted), str(k), str(well.accepted - k), f"{plate.thresholds[target]:.2f}"]


def _four(well: SimulatedWell, target: int) -> str:
    return f"{well.concentration(target) or 0.0:.4g}"


def _percent(well: SimulatedWell, target: int) -> str:
    half = well.half_width(target)
    return "-" if half is None else f"{100 * half:.1f}%"


def _quoted(fields: Sequence[str]) -> str:
    return ",".join(f'"{field}"' for field in fields)


def _write(out: Path, plate: SimulatedPlate, lines: Sequence[str], end: str = "\n") -> None:
    (out / f"{plate.name}.csv").write_bytes((end.join(lines) + end).encode())
