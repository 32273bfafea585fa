"""A lot on its limits: a specification in the sense of ICH Q6B, and what was found.

Two runs of one technique are two results of one test; the specification says whether each is judged
or their mean. What was not measured here is INCOMPLETE and has no row.
"""

from __future__ import annotations

from pathlib import Path

import aavqc
from aavqc.report.plots import lot_figures
from aavqc.results import candidates_of

HERE = Path(__file__).parent
LOT = HERE.parents[1] / "data" / "example_lot"


def main(out: Path = HERE) -> None:
    results = [
        aavqc.analyze(LOT / "cdms", method=LOT / "method_cdms.toml"),
        aavqc.analyze(
            LOT / "ddpcr" / "EX24-001.csv",
            method=LOT / "method_ddpcr.toml",
            samples=LOT / "samples.csv",
        ),
    ]
    specification = aavqc.Specification.load(LOT / "specification.toml")
    found = [candidates_of(r.samples, str(i), r.technique) for i, r in enumerate(results)]
    evaluation = specification.check([candidate for one in found for candidate in one])
    documents = {str(i): result.document() for i, result in enumerate(results)}
    for picture in lot_figures(evaluation, documents):
        (out / f"{picture.id.replace('-', '_')}.png").write_bytes(picture.png(90))


if __name__ == "__main__":
    main()
