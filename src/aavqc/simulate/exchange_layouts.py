"""Formats that several vendors' software writes, RDML and the Allotrope model; and naica's table."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from xml.sax.saxutils import quoteattr

from aavqc.simulate.plate import SimulatedPlate, SimulatedWell, short

COLOURS = ("Blue", "Green", "Red", "Yellow", "Teal", "Infrared")


def rdml(out: Path, plate: SimulatedPlate) -> None:
    """Write an archive: counts in XML, the partitions of each reaction in a table."""
    targets = "".join(
        f"<target id={quoteattr(name)}><type>toi</type><dyeId id={quoteattr(dye)}/></target>"
        for name, dye in zip(plate.targets, plate.dyes, strict=True)
    )
    reactions = "".join(_reaction(plate, well) for well in plate.wells)
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rdml xmlns="http://www.rdml.org" version="1.3">'
        f"{targets}<experiment id={quoteattr(plate.name)}><run id={quoteattr(plate.name)}>"
        "<pcrFormat><rows>8</rows><columns>12</columns><rowLabel>ABC</rowLabel>"
        f"<columnLabel>123</columnLabel></pcrFormat>{reactions}</run></experiment></rdml>\n"
    )
    with zipfile.ZipFile(out / f"{plate.name}.rdml", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("rdml_data.xml"), xml)
        for well in plate.wells:
            archive.writestr(zipfile.ZipInfo(f"partitions/{well.well}.tsv"), _partitions(plate, well))


def _reaction(plate: SimulatedPlate, well: SimulatedWell) -> str:
    data = "".join(
        f"<data><tar id={quoteattr(name)}/><pos>{well.positives(target)}</pos>"
        f"<neg>{well.accepted - well.positives(target)}</neg><undef>0</undef><excl>0</excl>"
        f"<conc>{well.concentration(target) or 0.0!r}</conc></data>"
        for target, name in enumerate(plate.targets)
    )
    number = (ord(well.well[0]) - ord("A")) * 12 + int(well.well[1:])
    return (
        f'<react id="{number}"><sample id={quoteattr(well.sample)}/><partitions>'
        f"<volume>{well.volume_nl!r}</volume><endPtTable>{well.well}.tsv</endPtTable>{data}</partitions></react>"
    )


def _partitions(plate: SimulatedPlate, well: SimulatedWell) -> str:
    lines = ["\t".join(name for name in plate.targets for _ in range(2))]
    for values, calls in zip(well.amplitude.tolist(), well.positive.tolist(), strict=True):
        pairs = zip(values, calls, strict=True)
        lines.append("\t".join(f"{value:.7g}\t{'p' if call else 'n'}" for value, call in pairs))
    return "\n".join(lines) + "\n"


def asm(out: Path, plate: SimulatedPlate) -> None:
    """Write the Allotrope Simple Model: a measurement for each well and target."""
    measurements = [
        {
            "target DNA description": name,
            "sample document": {
                "sample identifier": well.sample,
                "well location identifier": short(well.well),
            },
            "total partition count": {"value": well.accepted, "unit": "#"},
            "processed data aggregate document": {
                "processed data document": [
                    {
                        "number concentration": {"value": well.concentration(target), "unit": "#/μL"},
                        "positive partition count": {"value": well.positives(target), "unit": "#"},
                        "negative partition count": {
                            "value": well.accepted - well.positives(target),
                            "unit": "#",
                        },
                    }
                ]
            },
        }
        for well in plate.wells
        for target, name in enumerate(plate.targets)
    ]
    document = {
        "$asm.manifest": "http://purl.allotrope.org/manifests/pcr/BENCHLING/2023/09/dpcr.manifest",
        "dPCR aggregate document": {
            "device system document": {"brand name": "simulated"},
            "dPCR document": [{"measurement aggregate document": {"measurement document": measurements}}],
        },
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (out / f"{plate.name}.json").write_bytes(text.encode())


def naica(out: Path, plate: SimulatedPlate) -> None:
    """Write naica's table of wells (experimental): blanks before names, wells with their chip."""
    colours = COLOURS[: len(plate.targets)]
    kinds = ("Concentration", "NumberOfPositiveDroplets", "NumberOfNegativeDroplets")
    names = [f" {colour}_Channel_{kind}" for colour in colours for kind in kinds]
    lines = [",".join(["Well", " SampleName", *names])]
    for well in plate.wells:
        cells = [f"1-{short(well.well)}", well.sample]
        for target in range(len(plate.targets)):
            k = well.positives(target)
            cells += [f"{well.concentration(target) or 0.0:.4f}", str(k), str(well.accepted - k)]
        lines.append(",".join(cells))
    (out / f"{plate.name}.csv").write_bytes(("\n".join(lines) + "\n").encode())
