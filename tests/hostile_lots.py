"""Lots whose names mean harm, in files whose names do too: what a report must stand."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from aavqc.batch import BatchReport, run

TAG = "<img src=x onerror=alert(1)>\"'&amp;<script>alert(1)</script>"
LONG = "L" * 300
TURNED = "\u202eתווית 12 \u2066אצווה"
PICTURED = "🧬👩‍🔬 プラスミド"
FORMULA = '=HYPERLINK("https://example.com","lot")'
NAMES = (TAG, LONG, TURNED, PICTURED, FORMULA)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)  # a string of TOML too


SPECIFICATION = f"""
schema = "aavqc.specification/1"
id = {_quoted(TAG)}
version = "</title><b>1"
status = "draft"
purpose = "release"
effective_from = 2026-01-01
[[tests]]
id = "</td><script>alert(2)</script>"
attribute = "percent_full"
technique = "cdms"
procedure = {_quoted(LONG)}
limit = "NLT 99.0 %"
[[tests]]
id = {_quoted(PICTURED)}
attribute = "vg_titer"
technique = "ddpcr"
target = "CAG"
procedure = {_quoted(TURNED)}
limit = "8.00E12 – 1.30E13 vg/mL"
[[tests]]
id = {_quoted(FORMULA)}
attribute = "appearance"
limit = {_quoted("one of: " + TAG.replace(";", ",") + "; clear")}
"""


def hostile_batch(example_lot: Path, place: Path) -> BatchReport:
    """Judge one lot by CDMS and ddPCR, and four by results from elsewhere."""
    lot = place / "lot"
    lot.mkdir(parents=True)
    ions = '"><svg onload=alert(3)> תווית.mzML'
    plate = "=1+1 '🧬"
    shutil.copy(example_lot / "cdms" / "run2.mzML", lot / ions)
    shutil.copy(example_lot / "ddpcr" / "EX24-001.csv", lot / f"{plate}.csv")
    for well in ("A01", "B01"):
        shutil.copy(
            example_lot / "ddpcr" / f"EX24-001_{well}_Amplitude.csv", lot / f"{plate}_{well}_Amplitude.csv"
        )
    (lot / "<b onclick=alert(4)>.txt").write_text("nothing that is read")
    (lot / "specification.toml").write_text(SPECIFICATION, encoding="utf-8")
    for technique in ("cdms", "ddpcr"):
        shutil.copy(example_lot / f"method_{technique}.toml", lot)
    with open(lot / "samples.csv", "w", newline="", encoding="utf-8") as stream:
        sheet = csv.writer(stream)
        sheet.writerow(
            ["export", "part", "lot", "sample_id", "preparation", "replicate", "dilution_factor", "note"]
        )
        sheet.writerow([ions, "", TAG, TURNED, TAG, "1", "", LONG])
        sheet.writerow([f"{plate}.csv", "A01;B01", TAG, TAG, PICTURED, FORMULA, "1e7", ""])
    with open(place / "other.csv", "w", newline="", encoding="utf-8") as stream:
        other = csv.writer(stream)
        other.writerow(["lot", "sample_id", "attribute", "technique", "value", "unit"])
        for name in NAMES:
            other.writerow([name, name, "appearance", "visual", f"{name} cloudy", ""])
    return run(lot, place / "out", other=[place / "other.csv"], actor=TAG, reason=TURNED)
