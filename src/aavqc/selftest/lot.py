"""The example lot: its truth inside the intervals, its verdict, and the same bytes twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from aavqc.analysis import analyze
from aavqc.documents import Sample, canonical
from aavqc.example import carried
from aavqc.results import Specification
from aavqc.selftest.check import Check, all_equal, covers

SOURCE = "the settings it was simulated with; simulator and fit share no kernel"

CLASSES = {"0": "percent_empty", "2350": "percent_partial", "4700": "percent_full"}
"""Classes by the packaged length of the simulated species, nt."""

EXPORTS = ("auc", "cdms/run1.csv", "ddpcr/EX24-001.csv")


def example_lot() -> Iterator[Check]:
    """Analyze one export of each technique twice."""
    with carried("example_lot") as lot:
        found: list[Sample] = []
        first, second = [], []
        for export in EXPORTS:
            technique = export.split("/", maxsplit=1)[0]
            method, sheet = lot / f"method_{technique}.toml", lot / "samples.csv"
            once, again = (analyze(lot / export, method, samples=sheet) for _ in range(2))
            first.append(canonical(once.payload))
            second.append(canonical(again.payload))
            found.append(next(s for s in once.samples if s.role == "sample"))
        truths = _truths(lot)
        for sample in found:
            for name, truth in truths.items():
                if name in sample.attribute_set:
                    a = sample.attribute_set[name]
                    label = f"example lot, {a.technique}: {name}"
                    yield covers(label, SOURCE, truth, a.ci_low or 0.0, a.ci_high or 0.0, a.unit)
        specification = Specification.load(lot / "specification.toml")
        verdicts = specification.check(found).verdicts
        wanted = ["PASS" if v.verdict != "REPORTED" else v.verdict for v in verdicts]
        yield all_equal("example lot: verdicts", SOURCE, wanted, [v.verdict for v in verdicts])
        yield all_equal("example lot: the same bytes twice", "determinism", first, second)


def _truths(lot: Path) -> dict[str, float]:
    species = json.loads((lot / "auc" / "truth.json").read_text("utf-8"))["settings"]["species"]
    shares = (text.split(":") for text in species)
    plate = json.loads((lot / "ddpcr" / "truth.json").read_text("utf-8"))["samples"]
    titer = float(next(iter(plate.values()))["vg_per_ml"])
    return {CLASSES[length]: 100 * float(share) for length, share in shares} | {"vg_titer[CAG]": titer}
