"""Published tables of Bio-Rad's instruments: every row's counts and numbers, as an own reading has them.

Sources: monis4567 (eDNA, QX200), joeshaw824/ddpcr_nipd (QuantaSoft 1.7), Gaebler-Lab/Q4ddPCR (QX
Manager 2, six colours), daattali/ddpcr (QuantaSoft Analysis Pro); see the data's PROVENANCE.
"""

from __future__ import annotations

import csv
from pathlib import Path

from aavqc.analysis import read_all
from aavqc.records import DropletPlate

FOLDERS = ("edna_monis", "nipd_quantasoft", "q4ddpcr", "daattali_ddpcr/read_quant")
FILES = {"read_quant": "quant"}


def number(text: str) -> float | None:
    """Return a number of the list; blank and the vendor's sentinel are none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if value >= 1e6 else value


def test_every_published_row_is_read_as_it_stands(reference_data: Path) -> None:
    rows = {}
    for folder in FOLDERS:
        for record in read_all(reference_data / "ddpcr" / folder):
            assert isinstance(record, DropletPlate)
            rows |= {(record.sample_id, row.well, row.target): row for row in record.rows}
    listed = 0
    with open(reference_data / "ddpcr" / "vendor_counts_truth.csv", encoding="utf-8-sig") as stream:
        for known in csv.DictReader(stream):
            plate = known["plate"].removesuffix(".csv")
            row = rows[FILES.get(plate, plate), known["well"], known["target"]]
            found = (row.accepted, row.positives, row.negatives, row.copies_per_ul, row.ci_low, row.ci_high)
            names = ("accepted", "positives", "negatives", "conc_raw", "poisson_lo", "poisson_hi")
            assert found == tuple(number(known[name]) for name in names)
            extra = (row.total_low, row.total_high, row.linkage_per_ul)
            assert extra == tuple(number(known[name]) for name in ("total_lo", "total_hi", "linkage"))
            assert bool(row.merged_from) == bool(known["merged"])
            listed += 1
    assert listed == len(rows) == 1728
