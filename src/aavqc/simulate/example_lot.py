"""The example lot: one cell, two CDMS runs and a plate of one fictitious lot, EX24-001."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from aavqc.simulate.auc import AucSimulation
from aavqc.simulate.auc import simulate as simulate_auc
from aavqc.simulate.cdms import CdmsSimulation
from aavqc.simulate.cdms import simulate as simulate_cdms
from aavqc.simulate.ddpcr import DdpcrSimulation
from aavqc.simulate.ddpcr import simulate as simulate_ddpcr

SPECIES = ["0:0.12", "2350:0.08", "4700:0.80"]
"""Packaged nt and share of the capsids."""

WRITTEN = ("samples.csv", "method_auc.toml", "method_cdms.toml", "method_ddpcr.toml", "specification.toml")


def simulate_lot(out: Path, seed: int = 0) -> None:
    """Write the example lot: exports, sample sheet, methods and specification.

    The committed ``data/example_lot`` is this with seed 0.
    """
    simulate_auc(out / "auc", AucSimulation(seed=seed, species=SPECIES, scans=50))
    for name, ions, kind in (("run1", 12_000, "csv"), ("run2", 3_000, "mzml")):
        settings = CdmsSimulation.model_validate(
            {"name": name, "seed": seed + ions, "species": SPECIES, "ions": ions, "formats": [kind]}
        )
        simulate_cdms(out / "cdms", settings)
    (out / "cdms" / "truth.json").unlink()  # of the last run only; the truth of both is SPECIES
    simulate_ddpcr(out / "ddpcr", DdpcrSimulation(seed=seed, targets=["CAG", "polyA"]))
    for name in WRITTEN:
        text = (files("aavqc.simulate") / "lot" / name).read_text(encoding="utf-8")
        (out / name).write_text(text, encoding="utf-8", newline="\n")
