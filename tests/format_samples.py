"""A small whole export of each format: made here, or by a glob below the example lot."""

from __future__ import annotations

import io
import json
import math
import sqlite3
import struct
import zipfile
from collections.abc import Callable

import numpy as np

from aavqc.parsers.openauc_file import HEADER, SCAN, checksum, quantised
from aavqc.parsers.rdml import DATA
from aavqc.records import FloatArray


def absoluteq_summary() -> bytes:
    block = (
        "Target,Conc.,SD,CV%,95%DeltaLCI,95%DeltaUCI,Precision %,Lambda (cp/Rxn),Lambda_95%DeltaLCI,"
        "Lambda_95%DeltaUCI,Positives,Copy #,CNV_95%DeltaLCI,CNV_95%DeltaUCI,Threshold"
    )
    values = ["1604.51,,,33.6,34.3,2.1,0.69315,0.0145,0.0148,10000,,,,4000", "0.00,,,,,,0,,,0,,,,1300"]
    commas = "," * 15
    return "\r\n".join(
        [
            f",,,,,,,FAM{commas}VIC{commas},,",
            f"Run name,Group,Sample,Well,DF,QC,Total,{block},{block},MeanQC,CV_QC,QC Message",
            f",Group,,Average,,,20000,ITR,1604.51{',' * 13},CMV,0.00{',' * 13},,,",
            f"run,,S1,A1,1/10.00000,PASS,20000,ITR,{values[0]},CMV,{values[1]},7000,0.02,PASS: no issues",
            "",
        ]
    ).encode()


def asm_document() -> bytes:
    measurements = [
        {
            "target DNA description": "ITR",
            "sample document": {"sample identifier": name, "well location identifier": well},
            "total partition count": {"value": 8000, "unit": "#"},
            "processed data aggregate document": {
                "processed data document": [
                    {
                        "number concentration": {"value": concentration, "unit": "#/μL"},
                        "positive partition count": {"value": positives, "unit": "#"},
                        "negative partition count": {"value": 8000 - positives, "unit": "#"},
                        "data processing document": {
                            "fluorescence intensity threshold setting": {"value": 19.5, "unit": "(unitless)"}
                        },
                    }
                ]
            },
        }
        for well, name, positives, concentration in (("A1", "S1", 4000, 2079.4), ("B1", "NTC", 0, 0.0))
    ]
    document = {
        "$asm.manifest": "http://purl.allotrope.org/manifests/pcr/BENCHLING/2023/09/dpcr.manifest",
        "dPCR aggregate document": {
            "device system document": {"brand name": "QIAcuity"},
            "dPCR document": [
                {"measurement aggregate document": {"measurement document": measurements}},
            ],
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def dmt_database() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.executescript(
            "CREATE TABLE DbMetadata (MetadataKey varchar, Value varchar);"
            "CREATE TABLE Ion (Id integer primary key, StoriGroupId integer, ScanNumber integer,"
            " IonNumber integer, Mz float, Slope float, InverseInjectionTimeSeconds float, RSquared float,"
            " TimeOfBirth float, TimeOfDeath float, Charge integer, ChargeScore float,"
            " IsMultiIonProduct integer);"
            "CREATE TABLE CalibrationChargeState (Id integer, Charge integer, Slope float,"
            " StandardDeviation float);"
            "CREATE TABLE LogLine (Id integer, DateStamp bigint, Line varchar);"
            "CREATE TABLE StoriGroup (Id integer, FilePath varchar, ScanCount integer, Offset integer);"
        )
        mass, charge = _ions()
        rows = [
            (None, 1, i // 4 + 1, i, m / z + 1.007, z * 112_100.0, 5.0, 0.999, 0.01, 0.512, z, 1.0, 0)
            for i, (m, z) in enumerate(zip(mass.tolist(), charge.tolist(), strict=True))
        ]
        database.executemany(f"INSERT INTO Ion VALUES ({', '.join('?' * 13)})", rows)
        database.execute("INSERT INTO DbMetadata VALUES ('i2ms_version', '1.10')")
        states = [(z, z, 50_000.0 * z, 0.0) for z in range(1, 11)]
        database.executemany("INSERT INTO CalibrationChargeState VALUES (?, ?, ?, ?)", states)
        database.execute("INSERT INTO LogLine VALUES (1, 638485295491412807, 'Info: 60 ions')")
        database.execute("INSERT INTO StoriGroup VALUES (1, 'C:\\Data\\run.RAW', 15, 0)")
        database.commit()
        return database.serialize()


def parquet_ions() -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    mass, charge = _ions()
    table = pa.table({"mz": mass / charge + 1.007, "slope": 112_100.0 * charge, "scan": np.arange(60) // 4})
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    return stream.getvalue()


def mass_list() -> bytes:
    rng = np.random.default_rng(0)
    masses = np.concatenate([rng.normal(3740, 120, 40), rng.normal(5190, 150, 60)])
    rows = [f"{-5.2e-5 * m:.6f},{m:.1f}" for m in masses]
    return ("\n".join(["contrasts,masses_kDa", *rows]) + "\n").encode()


def mwrs_scan() -> bytes:
    wavelengths, points = (260, 280), 40
    header = struct.pack(
        ">B1sHHHHfiHHHH", 1, b"A", 1, 15000, 15001, 200, 1.4e9, 600, points, 6000, 100, len(wavelengths)
    )
    counts = np.linspace(40000, 20000, points).astype(">i4").tobytes()
    return header + np.array(wavelengths, ">u2").tobytes() + counts * len(wavelengths)


def naica_table() -> bytes:
    kinds = ("Concentration", "NumberOfPositiveDroplets", "NumberOfNegativeDroplets")
    names = [f" {colour}_Channel_{kind}" for colour in ("Blue", "Green") for kind in kinds]
    lines = [",".join(["Well", " SampleName", *names]), "1-A1,S1,486.1,5000,15000,0,0,20000", ""]
    return "\n".join(lines).encode()


def qiacuity_list() -> bytes:
    return (
        "\ufeffsep=,\n"
        '"Plate name","Plate ID","Plate type","Well","Sample/NTC/Control","Type","Reaction Mix",'
        '"Target (Name)","Target (IC)","Target (Control)","Conc. [cp/µL] (dPCR reaction)",'
        '"Conc. [cp/mL] (dPCR reaction)","CI (95%) (dPCR reaction)","Conc. [cp/µL] (undiluted sample)",'
        '"Conc. [cp/mL] (undiluted sample)","Partitions (Valid)","Partitions (Positive)",'
        '"Partitions (Negative)","Threshold","Volume per well [µl]","Concentration factor",'
        '"Template volume [µl]","Total volume [µl]","Conversion factor","Conversion unit"\n'
        '"P1","id","Nanoplate 8.5K 96-well","A1","S1_1000","Sample","Mix","ITR","-","-","2079.4",'
        '"2079441.5","3.1%","6238324.6","6238324624.8","8000","4000","4000","20.5","2.8367","1000","4","12",'
        '"1000","cp/mL"\n'
        '"","","","B1","NTC_1","Sample","Mix","ITR","-","-","0.000","0.000","-","0.000","0.000","8100","0",'
        '"8100","20.5","2.8367","1","4","12","1000","cp/mL"\n'
    ).encode()


def qiacuity_rfu() -> bytes:
    lines = ["sep=,", "Well,Sample,Channel,Cycled volume,Threshold,Partition,Is invalid,Is positive,RFU"]
    for well, sample in (("A1", "S1"), ("B1", "NTC")):
        for index in range(40):
            positive = int(well == "A1" and index % 3 == 0)
            rfu = 20 + 60 * positive + 0.25 * (index % 5)
            lines.append(f"{well},{sample},G,2.8,45.5,{index + 1},{int(index == 7)},{positive},{rfu}")
    return "\n".join([*lines, ""]).encode()


def rdml_archive() -> bytes:
    react = (
        '<react id="{id}"><sample id="{sample}"/><partitions><volume>0.85</volume>'
        "<endPtTable>{id}.tsv</endPtTable><data><tar id='ITR'/><pos>1</pos><neg>2</neg><undef>0</undef>"
        "<excl>1</excl><conc>477.0</conc></data><data><tar id='CMV'/><pos>0</pos><neg>3</neg></data>"
        "</partitions></react>"
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><rdml xmlns="http://www.rdml.org" version="1.3">'
        '<target id="ITR"><dyeId id="FAM"/></target><target id="CMV"><dyeId id="HEX"/></target>'
        '<experiment id="e"><run id="r"><pcrFormat><rows>8</rows><columns>12</columns></pcrFormat>'
        f"{react.format(id=1, sample='S1')}{react.format(id=13, sample='NTC')}</run></experiment></rdml>"
    )
    table = "ITR\tITR\tCMV\tCMV\n6000.5\tp\t900\tn\n1200\tn\t850.25\tn\n1100\tn\t-3\tn\n5\te\t9\tu\n"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in {DATA: xml, "partitions/1.tsv": table, "partitions/13.tsv": table}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return stream.getvalue()


def scan_table() -> bytes:
    radius, times = 6.0 + 0.02 * np.arange(40), range(600, 2400, 600)
    rows = ["# rpm=15000 wavelength=280 temperature=20", "radius," + ",".join(f"t{t}" for t in times)]
    for r in radius:
        rows.append(
            f"{r:.3f}," + ",".join(f"{1 / (1 + math.exp((6.1 + t / 6e3 - r) / 0.02)):.6f}" for t in times)
        )
    return "\n".join([*rows, ""]).encode("ascii")


def sedfit_distribution() -> bytes:
    s = np.linspace(1.0, 150.0, 150)
    y = 0.05 * np.exp(-(((s - 65.0) / 2.0) ** 2)) + 0.15 * np.exp(-(((s - 100.0) / 2.5) ** 2))
    return "".join(f"{a:.6f}\t{b:.6e}\r\n" for a, b in zip(s, y, strict=True)).encode("ascii")


def stori_text() -> bytes:
    mass, charge = _ions()
    rows = [
        "Scan\tIonnumber\tSegnumber\tM/Z\tFrequency\tSlope\tSlope R Squared\tTime of Birth\tTime of Death"
    ]
    for i, (m, z) in enumerate(zip(mass, charge, strict=True)):
        rows.append(f"{i // 4 + 1}\t{i}\t0\t{m / z + 1.007:.4f}\t51234.5\t{z * 47022:.2f}\t0.999\t0.01\t0.5")
    return ("\r\n".join(rows) + "\r\n").encode()


def openauc_scans() -> bytes:
    radius = 6.0 + 0.01 * np.arange(60)
    header = HEADER.pack(
        b"UCDA", b"05", b"RA", 1, b"A", bytes(16), b"boundary", 6.0, 6.59, 0.01, 0.0, 1.0, 0.0, 0.0, 3
    )
    parts = [header]
    for number in range(3):
        boundary = 1 / (1 + np.exp(-(radius - 6.1 - 0.1 * number) / 0.02))
        parts.append(
            SCAN.pack(b"DATA", 20.0, 15000.0, 600 * number + 600, 1.4e9 * (number + 1), 2800, 0.01, 60)
        )
        parts += [quantised(boundary, 0.0, 1.0).tobytes(), bytes(8)]
    data = b"".join(parts)
    return data + struct.pack("<I", checksum(data))


def _ions() -> tuple[FloatArray, FloatArray]:
    """Mass in Da and charge of empty capsids."""
    rng = np.random.default_rng(0)
    return rng.normal(3.74e6, 5e4, 60), np.rint(rng.normal(155, 5, 60))


MADE: dict[str, Callable[[], bytes]] = {
    "absoluteq": absoluteq_summary,
    "asm-dpcr": asm_document,
    "dmt": dmt_database,
    "ion-parquet": parquet_ions,
    "mass-list": mass_list,
    "mwrs": mwrs_scan,
    "naica": naica_table,
    "qiacuity": qiacuity_list,
    "qiacuity-rfu": qiacuity_rfu,
    "rdml": rdml_archive,
    "scan-table": scan_table,
    "sedfit-distribution": sedfit_distribution,
    "stori-text": stori_text,
    "ultrascan-auc": openauc_scans,
}
"""Format → what makes the bytes of a file."""

IN_EXAMPLE_LOT = {
    "beckman-xl": "auc/*.RA1",
    "ion-list": "cdms/*.csv",
    "mzml": "cdms/*.mzML",
    "quantasoft": "ddpcr/*.csv",
}
"""Format → glob below the example lot."""
