"""Droplet digital PCR: droplets, gates, and the same droplets called twice.

The vendor's calls are in use where the export has them; every droplet is called here as well, and
the difference is shown well by well. Each figure is one of those of a report.
"""

from __future__ import annotations

from pathlib import Path

import aavqc
from aavqc.report.plots import figures

HERE = Path(__file__).parent
LOT = HERE.parents[1] / "data" / "example_lot"


def main(out: Path = HERE) -> None:
    result = aavqc.analyze(
        LOT / "ddpcr" / "EX24-001.csv",
        method=LOT / "method_ddpcr.toml",
        samples=LOT / "samples.csv",
    )
    for picture in figures(result.payload, result.arrays, result.samples[0]):
        if picture.id in ("ddpcr-clusters", "ddpcr-calls", "ddpcr-replicates"):
            (out / f"{picture.id.replace('-', '_')}.png").write_bytes(picture.png(90))


if __name__ == "__main__":
    main()
