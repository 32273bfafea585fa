"""Sedimentation velocity: whether the fit is good, and what sediments.

Scans with their fit and residuals above, the distribution of packaged length below. A fit that a
composition can rest on leaves a bitmap without diagonals or stripes.
"""

from __future__ import annotations

from pathlib import Path

import aavqc
from aavqc.report.plots import arrays_of, draw_bitmap, draw_length, draw_scans, styled

HERE = Path(__file__).parent
LOT = HERE.parents[1] / "data" / "example_lot"


def main(out: Path = HERE) -> None:
    result = aavqc.analyze(LOT / "auc", method=LOT / "method_auc.toml")
    sample = result.samples[0]
    arrays = arrays_of(sample.record, result.arrays)
    with styled():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 6.0), layout="constrained")
        scans, bitmap, length = figure.subplots(3, height_ratios=(2, 1, 1.6))
        draw_scans(scans, sample, arrays)
        draw_bitmap(bitmap, arrays)
        bitmap.set_xlabel("radius / cm")
        draw_length(length, sample, arrays)
        length.set_xlabel("packaged length / nt")
        figure.savefig(out / "auc_fit.png", dpi=90, metadata={"Software": None})


if __name__ == "__main__":
    main()
