"""Real exports, and what others found in them. They are no part of the project."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from aavqc.analysis import analyze, analyze_all, read_all
from aavqc.records import DropletPlate, WellRow
from aavqc.selftest.check import Check, all_equal, at_most, close

SEDFIT = "SEDFIT's published c(s) of the same 129 interference scans (BSA, 50,000 rpm)"
UNIDEC = "m/z comb of the same ions (UniDec's example of β-galactosidase and GroEL)"
BIO_RAD = "1,728 rows of four published sets of Bio-Rad tables (see the data's PROVENANCE)"
PLATES = ("edna_monis", "nipd_quantasoft", "q4ddpcr", "daattali_ddpcr/read_quant")
ALIASES = {"read_quant": "quant"}


def sedfit_bsa(folder: Path) -> Iterator[Check]:
    """Fit the scans as SEDFIT's tutorial does: s as measured, no s20,w."""
    result = analyze(
        folder / "auc" / "bsa_sv",
        model="cs",
        s_range="0.1,15",
        resolution=200,
        fit="meniscus,frictional_ratio",
        vbar=0.73,
        density=1.005,
        viscosity=1.02,
    )
    found = result.samples[0].diagnostics
    s, signal = (np.array(found["distribution"][k]) for k in ("s", "signal"))
    total = float(signal[s >= 1.0].sum())
    dimer = min(found["peaks"], key=lambda p: abs(p["s"] - 6.68))
    yield close("BSA: frictional ratio", SEDFIT, 1.24, found["frictional_ratio"], 0.03)
    yield at_most("BSA: rmsd", SEDFIT, 0.0046, found["rmsd"], "fringes")
    yield close("BSA: meniscus", SEDFIT, 6.230, found["meniscus"], 0.005, "cm")
    yield close("BSA: total, 1 to 15 S", SEDFIT, 2.17, total, 0.05, "fringes")
    monomer = max((p for p in found["peaks"] if p["s"] > 1.0), key=lambda p: p["signal"])
    yield close("BSA: scans", SEDFIT, 129, found["scans_used"], 0)
    yield close("BSA: monomer", "a textbook's 4.2 to 4.6 S", 4.4, monomer["s"], 0.2, "S")
    yield close("BSA: dimer", SEDFIT, 6.68, dimer["s"], 0.1, "S")
    yield close("BSA: share of the dimer", SEDFIT, 11.5, 100 * dimer["signal"] / total, 0.7, "%")


def two_proteins(folder: Path) -> Iterator[Check]:
    """Calibrate on the two proteins of the file, and count the ions of each by every method."""
    path = folder / "cdms" / "bgal_groel" / "BgalGroEL_Ion.csv.gz"
    standards = {"standards.bgal": 466.4e3, "standards.groel": 802.4e3}
    result = analyze_all(path, settings=standards)
    for method, row in result.samples[0].diagnostics["methods"].items():
        peaks = [_nearest(row["peaks"], mass) for mass in (0.4664, 0.8024)]
        for name, known, peak in zip(("β-galactosidase", "GroEL"), (466.4, 802.4), peaks, strict=True):
            mass = 1e3 * peak["mass_mda"]
            yield close(f"{name} by {method}", UNIDEC, known, mass, 0.005 * known, "kDa")
        share = peaks[0]["ions"] / (peaks[0]["ions"] + peaks[1]["ions"])
        yield close(f"share of β-galactosidase by {method}", UNIDEC, 0.535, share, 0.005)


def bio_rad_tables(folder: Path) -> Iterator[Check]:
    """Read every row as it stands: counts, concentration, intervals, linkage."""
    rows: dict[tuple[str, str, str], WellRow] = {}
    for plate in PLATES:
        for record in read_all(folder / "ddpcr" / plate):
            if isinstance(record, DropletPlate):
                rows |= {(record.sample_id, row.well, row.target): row for row in record.rows}
    expected, found = [], []
    with open(folder / "ddpcr" / "vendor_counts_truth.csv", encoding="utf-8-sig") as stream:
        for known in csv.DictReader(stream):
            plate = known["plate"].removesuffix(".csv")
            row = rows[ALIASES.get(plate, plate), known["well"], known["target"]]
            names = (
                "accepted", "positives", "negatives", "conc_raw", "poisson_lo", "poisson_hi",
                "total_lo", "total_hi", "linkage",
            )  # fmt: skip
            expected.append((*(_number(known[name]) for name in names), bool(known["merged"])))
            counts = (row.accepted, row.positives, row.negatives, row.copies_per_ul, row.ci_low, row.ci_high)
            total = (row.total_low, row.total_high, row.linkage_per_ul)
            found.append((*counts, *total, bool(row.merged_from)))
    yield all_equal("rows of Bio-Rad's tables", BIO_RAD, expected, found)
    yield close("rows of Bio-Rad's tables that are listed", BIO_RAD, len(expected), len(rows), 0)


def _nearest(peaks: list[dict[str, Any]], mass_mda: float) -> dict[str, Any]:
    return min(peaks, key=lambda peak: abs(float(peak["mass_mda"]) - mass_mda))


def _number(text: str) -> float | None:
    """Return a number of the list; blank and the vendor's sentinel are none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if value >= 1e6 else value


REAL: tuple[Callable[[Path], Iterator[Check]], ...] = (sedfit_bsa, two_proteins, bio_rad_tables)
