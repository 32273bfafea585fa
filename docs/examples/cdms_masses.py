"""Charge-detection mass spectrometry: from single ions to classes.

Every ion has an m/z and a charge, and so a mass. Dashed lines are the bounds of the classes, dotted
ones the masses that are expected of the empty capsid and of that with the designed genome.
"""

from __future__ import annotations

from pathlib import Path

import aavqc
from aavqc.report.plots import arrays_of, draw_map, draw_masses, styled

HERE = Path(__file__).parent
LOT = HERE.parents[1] / "data" / "example_lot"


def main(out: Path = HERE) -> None:
    result = aavqc.analyze(LOT / "cdms" / "run1.csv", method=LOT / "method_cdms.toml")
    sample = result.samples[0]
    arrays = arrays_of(sample.record, result.arrays)
    with styled():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 5.4), layout="constrained")
        ions, masses = figure.subplots(2)
        draw_map(ions, sample, arrays)
        draw_masses(masses, sample, arrays)
        figure.savefig(out / "cdms_masses.png", dpi=90, metadata={"Software": None})


if __name__ == "__main__":
    main()
