"""Draw the README's picture from the example lot: ``python docs/picture.py``."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

import aavqc
from aavqc.report.plots import draw, styled

HERE = Path(__file__).parent
LOT = HERE.parent / "data" / "example_lot"


def main() -> None:
    with styled():
        figure = Figure(figsize=(10, 3.2), layout="constrained", dpi=110)
        axes = figure.subplots(1, 3)
        for ax, technique, path in zip(
            axes,
            ("auc", "cdms", "ddpcr"),
            ("auc", "cdms/run1.csv", "ddpcr/EX24-001.csv"),
            strict=True,
        ):
            result = aavqc.analyze(LOT / path, method=LOT / f"method_{technique}.toml")
            draw(ax, result, result.samples[0])
            ax.set_title({"auc": "AUC", "cdms": "CDMS", "ddpcr": "ddPCR"}[technique])
            handles, labels = ax.get_legend_handles_labels()
            if ax.legend_ is not None:
                ax.legend_.remove()
            if technique == "auc":
                ax.legend(handles, [label.split()[0] for label in labels], loc="upper left")
        figure.savefig(HERE / "example_lot.png", metadata={"Software": None})


if __name__ == "__main__":
    main()
