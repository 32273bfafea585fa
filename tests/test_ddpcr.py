"""Droplet digital PCR: counts to concentrations, intervals, samples and titers."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import analyze, read_all
from aavqc.ddpcr import TechniqueSettings
from aavqc.ddpcr import analyze as analyze_plate
from aavqc.ddpcr.poisson import poisson_interval, small_count
from aavqc.ddpcr.spread import Exposed, estimate
from aavqc.documents import Outcome, Sample, SheetRow, Well, canonical
from aavqc.errors import UsageError
from aavqc.records import DropletPlate, Droplets, InputFile, WellRow, readonly

VOLUME = 0.85


def row(well: str, k: int | None, n: int | None = 15000, sample: str = "S1", **more: object) -> WellRow:
    known = k is not None and n is not None
    values: dict[str, object] = {
        "well": well,
        "channel": "Ch1",
        "target": "ITR",
        "sample": sample,
        "accepted": n,
        "positives": k,
        "negatives": n - k if known else None,  # type: ignore[operator]
        "copies_per_ul": 1.0 if known and n != k else None,
        "status": "OK",
    }
    return WellRow(**(values | more))  # type: ignore[arg-type]


def plate(
    *rows: WellRow, droplets: dict[str, Droplets] | None = None, volume: float | None = VOLUME
) -> DropletPlate:
    return DropletPlate(
        name="p.csv",
        sample_id="p",
        format="quantasoft",
        inputs=(InputFile("p.csv", "0" * 64, 1),),
        software="QuantaSoft 1.7",
        rows=rows,
        droplets=droplets or {},
        partition_volume_nl=volume,
        partition_volume_source="software" if volume else "default",
    )


def sheet(sample_id: str, part: str = "", **more: object) -> tuple[SheetRow, TechniqueSettings]:
    entry = SheetRow(**({"export": "p.csv", "lot": "L", "sample_id": sample_id, "part": part} | more))  # type: ignore[arg-type]
    return entry, TechniqueSettings(dilution_factor=entry.dilution_factor)


def run(
    record: DropletPlate, *parts: tuple[SheetRow, TechniqueSettings], **settings: object
) -> tuple[Outcome, dict[str, Sample], list[Well]]:
    outcome = analyze_plate(record, TechniqueSettings(**settings), parts)  # type: ignore[arg-type]
    return outcome, {s.sample_id: s for s in outcome.samples}, outcome.wells or []


def flags(sample: Sample) -> dict[str, str]:
    return {f.id: f.severity for f in sample.flags}


# ------------------------------------------------------------- against the vendor's own numbers


def _vendor_rows(reference_data: Path) -> list[dict[str, str]]:
    with open(reference_data / "ddpcr" / "vendor_counts_truth.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    return [r for r in rows if r["source"] != "Gaebler-Lab/Q4ddPCR"]


def _rounding(text: str) -> float:
    """Half a unit of the last digit shown (whole numbers are stored with a ``.0`` behind)."""
    _, _, decimals = text.removesuffix(".0").partition(".")
    return 0.5 * 10.0 ** -len(decimals) * 1.001


@pytest.fixture(scope="module")
def vendor_wells(reference_data: Path) -> dict[tuple[str, str, str], Well]:
    found = {}
    for folder in ("daattali_ddpcr/read_quant", "nipd_quantasoft", "edna_monis"):
        for record in read_all(reference_data / "ddpcr" / folder):
            for well in analyze(record, interval="vendor").payload.wells or []:
                found[record.name.removesuffix(".csv"), well.well, well.target] = well
    return found


def _matched(
    reference_data: Path, wells: dict[tuple[str, str, str], Well]
) -> Sequence[tuple[dict[str, str], Well]]:
    plates = {"read_quant": "quant"}
    rows = _vendor_rows(reference_data)
    return [
        (r, wells[plates.get(r["plate"], r["plate"].removesuffix(".csv")), r["well"], r["target"]])
        for r in rows
    ]


def test_concentrations_of_real_rows(
    reference_data: Path, vendor_wells: dict[tuple[str, str, str], Well]
) -> None:
    compared = 0
    for vendor, ours in _matched(reference_data, vendor_wells):
        if not vendor["conc"] or float(vendor["conc"]) >= 1e6:
            assert ours.copies_per_ul is None
            continue
        compared += 1
        expected = float(vendor["conc"])
        # The older software rounds to three digits; the newer one prints all of a 32-bit float.
        rounded = "nipd" in vendor["source"]
        allowed = _rounding(vendor["conc"]) if rounded else 1e-6 * expected + 1e-12
        assert ours.copies_per_ul == pytest.approx(expected, abs=allowed), vendor
    assert compared > 1400


def test_vendor_intervals_of_real_rows(
    reference_data: Path, vendor_wells: dict[tuple[str, str, str], Well]
) -> None:
    compared = {"many": 0, "few": 0, "none": 0}
    for vendor, ours in _matched(reference_data, vendor_wells):
        if "nipd" in vendor["source"] or not vendor["poisson_hi"] or float(vendor["poisson_hi"]) >= 1e6:
            continue
        k, n = int(vendor["positives"]), int(vendor["negatives"])
        kind = "none" if k == 0 else "few" if min(k, n) < 100 else "many"
        allowed = {"many": 1e-4, "few": 2e-3, "none": 1e-6}[kind]
        compared[kind] += 1
        assert ours.ci_high == pytest.approx(float(vendor["poisson_hi"]), rel=allowed), vendor
        assert ours.ci_low == pytest.approx(float(vendor["poisson_lo"] or 0), rel=allowed, abs=1e-12), vendor
    assert min(compared.values()) > 100


def test_total_interval_of_real_merged_wells(reference_data: Path) -> None:
    compared = 0
    truth = {(r["plate"], r["well"], r["target"]): r for r in _vendor_rows(reference_data) if r["total_hi"]}
    for record in read_all(reference_data / "ddpcr" / "nipd_quantasoft"):
        for well in analyze(record, interval="vendor_total").payload.wells or []:
            vendor = truth.get((record.name, well.well, well.target))
            present = {w.well for w in record.rows}  # type: ignore[attr-defined]
            if (
                not vendor
                or not well.merged_from
                or not set(well.merged_from) <= present
                or not well.copies_per_ul
            ):
                continue
            compared += 1
            assert well.ci_low is not None
            assert well.ci_high is not None
            # The software prints bounds below zero; a concentration has none.
            printed = float(vendor["total_hi"]) - max(float(vendor["total_lo"]), 0.0)
            allowed = _rounding(vendor["total_hi"]) + _rounding(vendor["total_lo"])
            assert well.ci_high - well.ci_low == pytest.approx(printed, abs=allowed), (record.name, vendor)
    assert compared >= 10


def test_droplets_of_another_plate_are_flagged(reference_data: Path) -> None:
    stubs = analyze(reference_data / "ddpcr" / "daattali_ddpcr" / "read_quant")
    assert all("amplitudes_of_another_plate" in flags(s) for s in stubs.samples)
    true = analyze(reference_data / "ddpcr" / "podcall")
    assert not any("amplitudes_of_another_plate" in flags(s) for s in true.samples)


def test_amplitudes_without_a_row_in_the_table_are_flagged(example_lot: Path, tmp_path: Path) -> None:
    shutil.copytree(example_lot / "ddpcr", tmp_path / "ddpcr")
    table = tmp_path / "ddpcr" / "EX24-001.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith(('"E01', '"F01'))))
    found = {s.sample_id: s for s in analyze(tmp_path / "ddpcr", dilution_factor=1e7).samples}
    told = {name: f.message for name, s in found.items() for f in s.flags if f.id == "row_missing"}
    assert list(told) == ["well-E01", "well-F01"]
    assert told["well-E01"].endswith("in E01")
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(tmp_path / "ddpcr" / "EX24-001_E01_Amplitude.csv", alone)
    assert "row_missing" not in flags(analyze(alone, dilution_factor=1e7).samples[0])


def test_a_row_without_its_amplitudes_is_flagged(example_lot: Path, tmp_path: Path) -> None:
    shutil.copytree(example_lot / "ddpcr", tmp_path / "ddpcr")
    whole = analyze(tmp_path / "ddpcr", dilution_factor=1e7)
    assert not any("amplitudes_missing" in flags(s) for s in whole.samples)
    (tmp_path / "ddpcr" / "EX24-001_E01_Amplitude.csv").unlink()
    for calls, expected in (("auto", ["PC"]), ("own", ["PC"]), ("vendor", [])):
        found = analyze(tmp_path / "ddpcr", dilution_factor=1e7, calls=calls).samples
        told = {s.sample_id: f.message for s in found for f in s.flags if f.id == "amplitudes_missing"}
        assert list(told) == expected
        assert all(" in E01:" in message for message in told.values())
    for file in (tmp_path / "ddpcr").glob("*_Amplitude.csv"):
        file.unlink()
    assert not any("amplitudes_missing" in flags(s) for s in analyze(tmp_path / "ddpcr").samples)


# ------------------------------------------------------------------------------ intervals


def test_few_positives_or_negatives_take_the_posterior() -> None:
    # N = 15549 with 25 negatives: 7133.81 to 8063.22 copies/µL as printed by QX Manager
    low, high = poisson_interval(15549 - 25, 15549, "vendor")
    assert high is not None
    assert (low / VOLUME * 1e3, high / VOLUME * 1e3) == pytest.approx((7133.81, 8063.22), rel=3e-6)
    low, upper = poisson_interval(19718, 19718, "vendor")
    assert upper is None
    assert low / VOLUME * 1e3 == pytest.approx(10343.54, rel=1e-6)
    assert small_count(0, 0.95) == (0.0, 2.996)
    # one positive, as 93 published rows have it
    assert small_count(1, 0.95) == pytest.approx((0.042, 4.776))


@pytest.mark.parametrize("method", ["wilson", "clopper_pearson", "vendor"])
@pytest.mark.parametrize("density", [0.01, 0.5, 3.0])
def test_intervals_cover(method: str, density: float) -> None:
    draws = np.random.default_rng(2).binomial(15000, -math.expm1(-density), 800)
    inside = 0
    for k in draws.tolist():
        low, high = poisson_interval(k, 15000, method)  # type: ignore[arg-type]
        inside += low <= density and (high is None or density <= high)
    assert inside / 800 == pytest.approx(0.95, abs=0.025)  # 3 SD of 800 draws


def test_a_joint_estimate_weighs_by_information() -> None:
    random = np.random.default_rng(4)
    truth, found = 2.0, []
    exposures = [0.5] * 2 + [0.05] * 2
    for _ in range(400):
        wells = [Exposed(int(random.binomial(10000, -math.expm1(-truth * x))), 10000, x) for x in exposures]
        result = estimate(wells, "wilson", 0.95)
        assert result is not None
        found.append(math.log(result.value))
    information = sum(10000 * (truth * x) ** 2 / math.expm1(truth * x) for x in exposures)
    assert np.mean(found) == pytest.approx(math.log(truth), abs=4 / math.sqrt(400 * information))
    assert np.std(found) == pytest.approx(1 / math.sqrt(information), rel=0.12)


def test_a_saturated_well_beside_a_dilute_one_still_has_a_number() -> None:
    result = estimate([Exposed(10000, 10000, 1e3), Exposed(4000, 10000, 1e-3)], "wilson", 0.95)
    assert result is not None
    assert result.value == pytest.approx(-math.log(0.6) / 1e-3, rel=1e-6)


# ----------------------------------------------------------------------- samples and titers


def test_titer_from_counts_by_hand() -> None:
    entry = sheet("lot-1", "A01;B01", dilution_factor=2e6)
    record = plate(row("A01", 5000), row("B01", 5200), row("C01", 100))
    _, samples, wells = run(record, entry, targets_per_genome={"ITR": 1})
    concentration = -math.log(1 - 10200 / 30000) / (VOLUME * 1e-3)
    attributes = samples["lot-1"].attribute_set
    assert attributes["concentration"].value == pytest.approx(concentration, rel=1e-12)
    titer = attributes["vg_titer[ITR]"]
    assert titer.value == pytest.approx(concentration * 1000 * 2e6, rel=1e-12)
    assert (titer.unit, titer.scope, titer.coverage) == ("vg/mL", "run", 0.95)
    # Poisson's half-width, by Student's quantile of 4 degrees of freedom and the scatter of two wells
    chi2 = 2 * 100**2 / (15000 * 0.34 * 0.66)
    factor = 3.182446 / 1.959964 * math.sqrt((1 + chi2) / 2)
    _, upper = poisson_interval(10200, 30000)
    assert upper is not None
    half = factor * math.log(upper / -math.log(1 - 0.34))
    assert titer.ci_high == pytest.approx(titer.value * math.exp(half), rel=1e-6)
    assert samples["S1"].warnings == ["no vg_titer: dilution_factor is not given"]
    assert "vg_titer" not in samples["S1"].attribute_set
    assert [w.sample_id for w in wells] == ["lot-1", "lot-1", "S1"]


def test_strands_and_targets_a_genome_scale_the_titer() -> None:
    record = plate(row("A01", 5000))
    plain = run(record, dilution_factor=1e6)[1]["S1"].attribute_set["vg_titer"].value
    scaled = run(record, dilution_factor=1e6, strand_factor=2.0, targets_per_genome={"ITR": 4})
    assert scaled[1]["S1"].attribute_set["vg_titer"].value == pytest.approx(plain / 2, rel=1e-12)


def test_dilutions_of_one_sample_are_combined() -> None:
    truth = 800.0  # copies/µL in the reaction of the first dilution
    counts = [round(15000 * -math.expm1(-truth / d * VOLUME * 1e-3)) for d in (1, 10)]
    parts = [sheet("S", "A01", dilution_factor=1e6), sheet("S", "B01", dilution_factor=1e7)]
    sample = run(plate(row("A01", counts[0]), row("B01", counts[1])), *parts)[1]["S"]
    titer = sample.attribute_set["vg_titer"]
    assert titer.value == pytest.approx(truth * 1e9, rel=2e-3)  # rounding of the smaller count
    assert "concentration" not in sample.attribute_set


def test_the_dilution_s_uncertainty_widens_the_interval() -> None:
    record = plate(row("A01", 5000))
    widths = []
    for rel_sd in (None, 0.05):
        entry = sheet("S", "A01", dilution_factor=1e6, dilution_rel_sd=rel_sd)
        titer = run(record, entry)[1]["S"].attribute_set["vg_titer"]
        assert titer.ci_high is not None
        widths.append(math.log(titer.ci_high / titer.value))
    assert widths[1] == pytest.approx(math.hypot(widths[0], 1.959964 * 0.05), rel=1e-6)


def test_no_positive_droplet_is_not_detected() -> None:
    attribute = run(plate(row("A01", 0)), interval="vendor")[1]["S1"].attribute_set["concentration"]
    upper = -math.log(1 - 2.996 / 15000) / (VOLUME * 1e-3)
    assert (attribute.value, attribute.qualifier, attribute.ci_low) == (0.0, "ND", 0.0)
    assert attribute.bound == pytest.approx(upper, rel=1e-9)
    assert attribute.lod == pytest.approx(3 / (15000 * VOLUME * 1e-3))


def test_a_refused_call_is_no_zero() -> None:
    _, samples, wells = run(plate(row("A01", 0, copies_per_ul=None, status="CHECK")))
    assert (wells[0].positives, wells[0].copies_per_ul, wells[0].status) == (None, None, "NO_CALL")
    assert samples["S1"].attributes == []
    assert samples["S1"].status == "invalid"


def test_merged_rows_never_count_beside_their_members() -> None:
    merged = row("M01", 9000, 30000, merged_from=("A01", "B01"))
    both = run(plate(row("A01", 4500), row("B01", 4500), merged))
    assert [w.well for w in both[2]] == ["A01", "B01", "M01"]
    assert both[1]["S1"].diagnostics["targets"]["ITR"]["n"] == 30000
    alone = run(plate(merged))
    found = alone[1]["S1"].diagnostics["targets"]["ITR"]
    assert (found["wells"], found["n"], found["k"], found["cv_percent"]) == (["M01"], 30000, 9000, None)
    assert found["lambda"] == pytest.approx(-math.log(0.7))


def test_no_template_control_has_no_titer_and_is_flagged_when_positive() -> None:
    record = plate(row("A01", 2, sample="NTC"), row("B01", 5, sample="dirty"))
    samples = run(record, dilution_factor=1e6, roles={"NTC": "ntc", "B01": "blank"})[1]
    assert [samples[s].role for s in ("NTC", "dirty")] == ["ntc", "blank"]
    assert all("vg_titer" not in s.attribute_set for s in samples.values())
    assert "ntc_positive" not in flags(samples["NTC"])
    assert flags(samples["dirty"]) == {"ntc_positive": "warning"}


@pytest.mark.parametrize(
    ("k", "n", "flag", "severity", "status"),
    [
        (100, 12000, None, None, "valid"),
        (100, 8000, "few_droplets", "warning", "valid"),
        (100, 900, "few_droplets", "invalid", "invalid"),
        (15000, 15000, "saturated", "invalid", "invalid"),
        (14950, 15000, "density_high", "warning", "valid"),
    ],
)
def test_flags(k: int, n: int, flag: str | None, severity: str | None, status: str) -> None:
    _, samples, wells = run(plate(row("A01", k, n)))
    assert flags(samples["S1"]) == ({flag: severity} if flag else {})
    assert samples["S1"].status == status
    assert (wells[0].copies_per_ul is None) == (status == "invalid")


@pytest.mark.parametrize(
    ("bad", "flag"),
    [((900, 15000, 15000), "saturated"), ((900, 300, 900), "few_droplets")],
)
def test_a_well_that_does_not_count_leaves_the_others_their_number(
    bad: tuple[int, int, int], flag: str
) -> None:
    good, k, n = bad
    _, samples, _ = run(plate(row("A01", good), row("B01", k, n)))
    sample = samples["S1"]
    assert flags(sample)[flag] == "warning"
    assert sample.status == "valid"
    expected = -math.log(1 - good / 15000) / (VOLUME * 1e-3)
    assert sample.attribute_set["concentration"].value == pytest.approx(expected, rel=1e-12)
    assert [r["well"] for r in sample.diagnostics["targets"]["ITR"]["rejected"]] == ["B01"]


def test_wells_without_a_name_and_wells_that_are_not_there() -> None:
    samples = run(plate(row("A01", 100, sample=""), row("B01", 100)), sheet("X", "B01;H12"))[1]
    assert sorted(samples) == ["X", "well-A01"]
    assert flags(samples["X"]) == {"well_missing": "warning"}


def test_equal_ids_of_two_lots_are_two_samples() -> None:
    record = plate(row("A01", 5000), row("B01", 1000))
    parts = [sheet("bulk", "A01", lot="L1"), sheet("bulk", "B01", lot="L2")]
    samples = run(record, *parts)[0].samples
    assert [(s.lot, s.sample_id) for s in samples] == [("L1", "bulk"), ("L2", "bulk")]
    found = [s.attribute_set["concentration"].value for s in samples]
    expected = [-math.log(1 - k / 15000) / (VOLUME * 1e-3) for k in (5000, 1000)]
    assert found == pytest.approx(expected, rel=1e-12)
    assert [s.lot for s in run(record)[0].samples] == [None]


def test_roles_of_one_id_are_samples_of_their_own() -> None:
    record = plate(row("A01", 5000), row("B01", 1000), row("C01", 4))
    parts = [sheet("X", "A01"), sheet("X", "B01", role="spike")]
    samples = run(record, *parts)[0].samples
    assert [(s.sample_id, s.role) for s in samples] == [("X", "sample"), ("X", "spike"), ("S1", "sample")]
    by_setting = run(record, roles={"C01": "ntc"})[0].samples
    assert [(s.sample_id, s.role) for s in by_setting] == [("S1", "sample"), ("S1", "ntc")]
    assert by_setting[0].diagnostics["targets"]["ITR"]["wells"] == ["A01", "B01"]


@pytest.mark.parametrize("part", ["H11;H12", ""])
def test_a_sample_without_any_of_its_wells_is_invalid(part: str) -> None:
    taken = sheet("Y", "A01")
    outcome, samples, _ = run(plate(row("A01", 100)), taken, sheet("X", part))
    assert flags(samples["X"]) == {"well_missing": "invalid"}
    assert (samples["X"].status, samples["X"].attributes) == ("invalid", [])
    assert samples["Y"].status == "valid"
    assert len(outcome.samples) == 2


def test_a_merged_row_goes_with_the_sheet_s_row_of_its_members() -> None:
    merged = row("M01", 9000, 30000, merged_from=("A01", "B01"))
    record = plate(row("A01", 4500), row("B01", 4500), merged)
    outcome, samples, wells = run(record, sheet("X", "A01;B01"))
    assert list(samples) == ["X"]
    assert samples["X"].diagnostics["targets"]["ITR"]["n"] == 30000
    assert [w.sample_id for w in wells] == ["X", "X", "X"]
    assert outcome.samples[0].status == "valid"


def test_a_regulated_titer_needs_its_dilution() -> None:
    record = plate(row("A01", 5000))
    sample = run(record, regulated=True)[1]["S1"]
    assert flags(sample) == {"constant_required": "warning"}
    assert "vg_titer" not in sample.attribute_set
    place = {"ITR": "itr_cut"}
    given = run(record, regulated=True, dilution_factor=1e6, target_places=place)[1]["S1"]
    assert flags(given) == {}  # the volume is the one that the software's maker states
    assert "vg_titer" in given.attribute_set
    assert flags(run(record)[1]["S1"]) == {}


@pytest.mark.parametrize("counts", [(5000, 100), (15000, 0), (0, 0), (1, 14999), (15000, 15000)])
@pytest.mark.parametrize("factors", [(1e-6, 1e15), (1e15, 1e-6), (1e15, 1e15)])
@pytest.mark.parametrize("interval", ["wilson", "clopper_pearson", "vendor", "vendor_total"])
def test_dilutions_at_the_ends_of_their_range(
    counts: tuple[int, int], factors: tuple[float, float], interval: str
) -> None:
    parts = []
    for well, factor in zip(("A01", "B01"), factors, strict=True):
        entry, _ = sheet("S", well, dilution_factor=factor, dilution_rel_sd=1.0)
        used = TechniqueSettings(dilution_factor=factor, interval=interval, strand_factor=100)  # type: ignore[arg-type]
        parts.append((entry, used))
    sample = run(plate(row("A01", counts[0]), row("B01", counts[1])), *parts)[1]["S"]
    for found in sample.attributes:
        assert found.ci_low is not None
        assert found.ci_low <= found.value
        assert found.ci_high is None or found.value <= found.ci_high
        assert (found.qualifier == "ND") == (found.value == 0)
        assert found.bound is None or found.bound > 0
    assert bool(sample.attributes) == (counts != (15000, 15000))


def test_wells_that_tell_nothing_of_the_number_give_no_upper_bound() -> None:
    result = estimate([Exposed(10000, 10000, 1.0), Exposed(0, 10000, 1e-21)], "wilson", 0.95)
    assert result is not None
    assert (result.low, result.high) == (0.0, None)


def test_a_concentration_that_no_volume_explains_gives_none() -> None:
    _, _, wells = run(plate(row("A01", 5000, copies_per_ul=1e300), volume=None))
    assert (wells[0].partition_volume_nl, wells[0].copies_per_ul) == (None, None)


def test_a_well_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="A01"):
        run(plate(row("A01", 100)), sheet("X", "A01"), sheet("Y", "A01"))


def test_unknown_volume_gives_no_number_but_a_setting_does() -> None:
    record = plate(row("A01", 5000, copies_per_ul=None), volume=None)
    _, samples, wells = run(record)
    assert wells[0].copies_per_ul is None
    assert flags(samples["S1"]) == {"partition_volume_unknown": "invalid"}
    _, samples, wells = run(record, partition_volume_nl=0.8)
    assert (wells[0].partition_volume_source, samples["S1"].status) == ("setting", "valid")
    assert wells[0].copies_per_ul == pytest.approx(-math.log(2 / 3) / 0.8e-3)


def test_a_control_that_only_the_export_declares_is_told() -> None:
    record = plate(row("A01", 5000), row("B01", 3, sample="Water", sample_type="NTC"))
    _, samples, _ = run(record)
    assert flags(samples["S1"]) == {}
    assert flags(samples["Water"])["declared_blank"] == "warning"
    _, samples, _ = run(record, sheet("Water", "B01", role="ntc"), sheet("S1", "A01"))
    assert "declared_blank" not in flags(samples["Water"])


def test_a_volume_by_well_is_taken_from_the_well_s_own_concentration() -> None:
    concentration = -math.log(2 / 3) / 0.92e-3
    other = row("A01", 0, target="x", channel="Ch2", copies_per_ul=0.0)
    _, _, wells = run(plate(row("A01", 5000, copies_per_ul=concentration), other, volume=None))
    assert [w.partition_volume_nl for w in wells] == pytest.approx([0.92, 0.92])
    assert [w.partition_volume_source for w in wells] == ["back_calculated_own", "back_calculated"]


def test_clusters_stand_in_for_a_missing_table() -> None:
    droplets = Droplets(
        amplitude=readonly(np.zeros((12000, 1))),
        positive=readonly(np.repeat([[1], [0], [-1]], [3000, 8000, 1000], axis=0), np.int8),
        channels=("Ch1",),
    )
    outcome, samples, wells = run(plate(droplets={"A01": droplets}, volume=None), partition_volume_nl=VOLUME)
    assert (wells[0].accepted, wells[0].positives, wells[0].calls) == (11000, 3000, "vendor")
    assert samples["well-A01"].attribute_set["concentration"].target == "Ch1"
    assert outcome.arrays["droplets/A01"].shape == (5000, 1)
    again = run(plate(droplets={"A01": droplets}, volume=None), partition_volume_nl=VOLUME)[0]
    assert np.array_equal(outcome.arrays["calls/A01"], again.arrays["calls/A01"])
    assert canonical([w.model_dump() for w in wells])
