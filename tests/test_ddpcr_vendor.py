"""The vendors' own formulas: linkage, intervals and titer chains against what their software printed."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from aavqc.analysis import analyze, read, read_all
from aavqc.ddpcr import TechniqueSettings
from aavqc.ddpcr import analyze as analyze_plate
from aavqc.ddpcr.poisson import poisson_interval
from aavqc.documents import SheetRow, Well
from aavqc.records import DropletPlate, WellRow

Pair = tuple[WellRow, Well]


def compared(path: Path, **settings: object) -> list[Pair]:
    """Return the vendor's rows beside ours."""
    pairs = []
    for record in read_all(path):
        assert isinstance(record, DropletPlate)
        ours = {(w.well, w.channel, w.target): w for w in analyze(record, **settings).payload.wells or []}
        pairs += [(row, ours[row.well, row.channel or None, row.target]) for row in record.rows]
    return pairs


@pytest.fixture(scope="module")
def qiacuity(reference_data: Path) -> Path:
    return reference_data / "ddpcr" / "allotropy_exports" / "qiacuity_dpcr" / "testdata"


@pytest.fixture(scope="module")
def absoluteq(reference_data: Path) -> Path:
    return reference_data / "ddpcr" / "allotropy_exports" / "appbio_absolute_q" / "testdata"


@pytest.mark.parametrize(
    ("folder", "rel", "least"),
    [
        ("daattali_ddpcr/read_quant", 1e-6, 10),
        ("q4ddpcr", 1e-6, 90),
        ("nipd_quantasoft", 5e-3, 100),  # printed with three digits
        ("daattali_ddpcr/small", 5e-3, 10),  # likewise
    ],
)
def test_linked_molecules_of_real_rows(reference_data: Path, folder: str, rel: float, least: int) -> None:
    linked, zeros = 0, 0
    for row, well in compared(reference_data / "ddpcr" / folder):
        if row.linkage_per_ul is None or well.linked_per_ul is None:
            continue
        if row.linkage_per_ul == 0:
            zeros += 1
            assert well.linked_per_ul == pytest.approx(0, abs=0.005 if rel > 1e-4 else 1e-9)
        else:
            linked += 1
            assert well.linked_per_ul == pytest.approx(row.linkage_per_ul, rel=rel, abs=0.006 * (rel > 1e-4))
    assert linked >= least
    assert zeros or "nipd" not in folder


def test_qiacuity_intervals_are_wald_s_of_lambda(qiacuity: Path) -> None:
    seen = {"newer": 0, "older": 0}
    for name in ("01", "03", "04"):
        older = name == "01"
        for row, well in compared(qiacuity / f"qiacuity_dpcr_example{name}.csv", interval="vendor"):
            if not row.ci_high or not row.copies_per_ul or (row.positives or 0) < 2:
                continue
            assert well.ci_high is not None
            assert well.copies_per_ul is not None
            printed = 100 * (row.ci_high / row.copies_per_ul - 1)
            ours = 100 * (well.ci_high / well.copies_per_ul - 1)
            seen["older" if older else "newer"] += 1
            # The older software cuts digits off, the newer one rounds.
            assert printed - 1e-6 <= ours < printed + 0.1 if older else abs(printed - ours) <= 0.0501
    assert seen == {"newer": 49, "older": 6}


def test_the_titer_chain_of_a_qiacuity_aav_plate(qiacuity: Path) -> None:
    pairs = compared(qiacuity / "qiacuity_dpcr_example04.csv")
    chain = [(r.dilution.copies_per_ml, w) for r, w in pairs if r.dilution and r.dilution.copies_per_ml]
    assert len(chain) == 29
    for printed, well in chain:
        assert well.undiluted_per_ml == pytest.approx(printed, rel=1e-9)
        assert well.partition_volume_source == "reported"


def test_a_plate_that_is_too_dense_is_warned_of(qiacuity: Path) -> None:
    result = analyze(qiacuity / "qiacuity_dpcr_example04.csv")
    dense = [s for s in result.samples if s.sample_id.endswith("_5000")]
    assert len(dense) == 6
    for sample in dense:
        assert {f.id: f.severity for f in sample.flags}["density_high"] == "warning"
        assert sample.attribute_set["vg_titer"].value > 1e12


def test_the_rise_with_dilution_of_the_aav_plate_is_laid_to_lambda(qiacuity: Path) -> None:
    record = read(qiacuity / "qiacuity_dpcr_example04.csv")
    assert isinstance(record, DropletPlate)
    wells: dict[str, list[str]] = {}
    for row in record.rows:
        wells.setdefault(row.sample.split("_")[0], []).append(row.well)
    sheet = [
        (SheetRow(export="x", lot="L", sample_id=s, part=";".join(wells[s])), TechniqueSettings())
        for s in "123456"
    ]
    samples = {s.sample_id: s for s in analyze_plate(record, TechniqueSettings(), sheet).samples}
    for name, rise in zip("123456", (5.6, 4.4, 4.8, 6.4, 3.8, 5.1), strict=True):  # published, of the means
        found = samples[name].diagnostics["targets"]["eGFP"]["linearity"]
        assert found["change_percent"] == pytest.approx(rise, abs=0.2)
        assert "lambda_high" in {f.id for f in samples[name].flags}


def test_absolute_q_intervals_are_of_the_logarithm(absoluteq: Path) -> None:
    both, lower = 0, 0
    for row, well in compared(absoluteq / "Appbio_AbsoluteQ_summary.csv", interval="vendor"):
        if row.ci_low and row.ci_high and row.copies_per_ul:
            both += 1
            assert well.ci_low == pytest.approx(row.ci_low, rel=2e-4)
            assert well.ci_high == pytest.approx(row.ci_high, rel=2e-4)
    for row, well in compared(absoluteq / "Appbio_AbsoluteQ_example01.csv", interval="vendor"):
        if row.ci_low and row.copies_per_ul:  # one column: the lower half-width, two decimals
            lower += 1
            assert well.ci_low is not None
            assert well.copies_per_ul is not None
            assert well.copies_per_ul - well.ci_low == pytest.approx(
                row.copies_per_ul - row.ci_low, abs=0.0101
            )
    assert (both, lower) == (12, 14)


def test_intervals_by_hand() -> None:
    # printed by Absolute Q for 3182 of 20419: 392.15 copies/µL, 13.407 below, 13.882 above
    low, high = poisson_interval(3182, 20419, "vendor", vendor="absoluteq")
    assert high is not None
    assert low / 0.432e-3 == pytest.approx(392.15 - 13.407, abs=0.01)
    assert high / 0.432e-3 == pytest.approx(392.15 + 13.882, abs=0.01)
    low, high = poisson_interval(13, 25313, "vendor", vendor="qiacuity")
    density = -math.log1p(-13 / 25313)
    assert high is not None
    assert 100 * (high / density - 1) == pytest.approx(54.4, abs=0.05)
    assert poisson_interval(1, 20000, "vendor", vendor="qiacuity")[0] == 0.0
