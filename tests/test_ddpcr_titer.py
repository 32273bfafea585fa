"""Titers: chains, preparations, selection of wells, linearity, limits, controls, partition volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from aavqc.ddpcr import TechniqueSettings
from aavqc.ddpcr import analyze as analyze_plate
from aavqc.ddpcr.background import Background, limits
from aavqc.ddpcr.pipetting import widening
from aavqc.ddpcr.poisson import copies_per_droplet
from aavqc.ddpcr.spread import Exposed, estimate, scatter_of
from aavqc.documents import Sample, SheetRow, canonical
from aavqc.errors import UsageError
from aavqc.records import DropletPlate, InputFile, WellDilution, WellRow

VOLUME = 0.85e-3  # µL


def row(well: str, k: int, n: int = 15000, sample: str = "S", target: str = "ITR", **more: object) -> WellRow:
    values: dict[str, object] = {
        "well": well, "channel": "Ch1", "target": target, "sample": sample, "accepted": n,
        "positives": k, "negatives": n - k, "copies_per_ul": 1.0, "status": "OK",
    }  # fmt: skip
    return WellRow(**(values | more))  # type: ignore[arg-type]


def plate(*rows: WellRow) -> DropletPlate:
    return DropletPlate(
        name="p.csv", sample_id="p", format="quantasoft", inputs=(InputFile("p.csv", "0" * 64, 1),),
        software="QuantaSoft 1.7", rows=rows, partition_volume_nl=0.85, partition_volume_source="software",
    )  # fmt: skip


def run(record: DropletPlate, *sheet: SheetRow, **settings: object) -> dict[str, Sample]:
    parts = [
        (r, TechniqueSettings(**({"dilution_factor": r.dilution_factor} | settings)))  # type: ignore[arg-type]
        for r in sheet
    ]
    outcome = analyze_plate(record, TechniqueSettings(**settings), parts)  # type: ignore[arg-type]
    assert canonical([s.model_dump(mode="json") for s in outcome.samples])
    return {s.sample_id: s for s in outcome.samples}


def part(wells: str, factor: float | None = 1e6, **more: object) -> SheetRow:
    values = {"export": "p.csv", "lot": "L", "sample_id": "S", "part": wells, "dilution_factor": factor}
    return SheetRow(**(values | more))  # type: ignore[arg-type]


def positives(concentration: float, n: int = 15000) -> int:
    """Return the expected count at a concentration in the reaction, copies/µL."""
    return round(n * -math.expm1(-concentration * VOLUME))


# ------------------------------------------------------------------------------ the chain


def test_a_chain_of_volumes_multiplies_the_dilution_factor() -> None:
    record = plate(row("A01", 5000))
    steps = ["pre:2:200:0.01", "DNase:5:50:0.02", "template:5.5:22"]
    titer = run(record, dilution_factor=100, chain=steps)["S"].attribute_set["vg_titer"]
    concentration = -math.log(2 / 3) / VOLUME
    assert titer.value == pytest.approx(concentration * 1000 * 100 * 100 * 10 * 4, rel=1e-12)
    plain = run(record, dilution_factor=100)["S"].attribute_set["vg_titer"]
    shared = 1.959964 * math.hypot(0.01, 0.02)
    widths = [math.log((t.ci_high or 0) / t.value) for t in (titer, plain)]
    assert widths[0] == pytest.approx(math.hypot(widths[1], shared), rel=1e-6)


@pytest.mark.parametrize(
    "step", ["pre", "pre:0:10", "pre:10:5", "pre:1:inf", "pre:1:2:nan", "pre:1:2:3", "a:1:2:0:0"]
)
def test_a_step_that_is_none_is_refused(step: str) -> None:
    with pytest.raises(UsageError, match="chain"):
        run(plate(row("A01", 5000)), chain=[step])


def test_the_export_s_own_chain_is_used_where_nothing_else_is_stated() -> None:
    # one row of a published QIAcuity plate: 7782.381 copies/µL, 1.686182594e12 in the undiluted sample
    chain = WellDilution(factor=50000.0, template_ul=3.6, reaction_ul=15.6)
    n, k = 8261, 7644
    volume = math.log(n / (n - k)) / 7782.381e-3 * 1.0
    record = plate(row("A01", k, n, dilution=chain, partition_volume_nl=volume))
    assert run(record)["S"].attribute_set["vg_titer"].value == pytest.approx(1.686182594e12, rel=1e-6)
    stated = run(record, dilution_factor=10)["S"].attribute_set["vg_titer"]
    assert stated.value == pytest.approx(7782.381 * 1000 * 10, rel=1e-6)


# ------------------------------------------------------------- what an interval is made of


def test_uncertainty_that_no_number_of_wells_averages_away() -> None:
    many = plate(*(row(f"A{i:02d}", 5000) for i in range(1, 13)))
    titer = run(many, dilution_factor=1e6, volume_rel_sd=0.02)["S"].attribute_set["vg_titer"]
    assert math.log((titer.ci_high or 0) / titer.value) > 1.959964 * 0.02
    one = run(many, dilution_factor=1e6, between_preparation_cv=0.08)["S"].attribute_set["vg_titer"]
    assert one.scope == "procedure"
    assert math.log((one.ci_high or 0) / one.value) > 1.959964 * 0.08


def test_wells_are_no_preparations() -> None:
    counts = {"A01": 5000, "B01": 5010, "C01": 5600, "D01": 5610}
    record = plate(*(row(w, k) for w, k in counts.items()))
    parts = [part("A01;B01", preparation="P1"), part("C01;D01", preparation="P2")]
    two = run(record, *parts)["S"].attribute_set["vg_titer"]
    one = run(record, part("A01;B01;C01;D01"))["S"].attribute_set["vg_titer"]
    assert two.value == pytest.approx(one.value, rel=1e-12)
    assert (two.ci_high or 0) - (two.ci_low or 0) > 1.3 * ((one.ci_high or 0) - (one.ci_low or 0))
    stated = run(record, *parts, between_preparation_cv=0.5)["S"].attribute_set["vg_titer"]
    assert (stated.ci_high, stated.scope) == (two.ci_high, "run")


@pytest.mark.parametrize(("wells", "well_cv"), [(4, 0.0), (4, 0.015), (8, 0.015)])
def test_intervals_of_several_wells_cover(wells: int, well_cv: float) -> None:
    random = np.random.default_rng(8)
    truth, inside, logs, halves = 0.8, 0, [], []
    draws = 6000
    for _ in range(draws):
        densities = truth * (1 + well_cv * random.standard_normal(wells))
        counts = random.binomial(15000, -np.expm1(-densities))
        found = estimate([Exposed(int(k), 15000, 1.0) for k in counts], "wilson", 0.95)
        assert found is not None
        assert found.high is not None
        inside += found.low <= truth <= found.high
        logs.append(math.log(found.value))
        halves.append(math.log(found.high / found.low) / 2)
    # by design 93 to 97.6 % and 1.3 times at most, for four wells and more, within 3 SD of so many draws
    assert 0.92 < inside / draws < 0.983
    assert np.mean(halves) < (1.3 + 0.036) * 1.96 * np.std(logs)


def scatters(random: np.random.Generator, samples: int, wells: int, cv: float) -> list[list[Exposed]]:
    densities = 0.8 * (1 + cv * random.standard_normal((samples, wells)))
    counts = random.binomial(15000, -np.expm1(-densities))
    return [[Exposed(int(k), 15000, 1.0) for k in sample] for sample in counts]


@pytest.mark.parametrize("well_cv", [0.0, 0.015, 0.04])
@pytest.mark.parametrize("wells", [2, 3])
def test_few_wells_cover_where_other_samples_tell_the_pipetting(wells: int, well_cv: float) -> None:
    random = np.random.default_rng(9)
    inside, logs, halves = 0, [], []
    for _ in range(250):
        samples = scatters(random, 8, wells, well_cv)
        told = [scatter_of(s) for s in samples]
        for i, sample in enumerate(samples):
            found = estimate(sample, "wilson", 0.95, others=told[:i] + told[i + 1 :])
            assert found is not None
            assert found.high is not None
            inside += found.low <= 0.8 <= found.high
            logs.append(math.log(found.value))
            halves.append(math.log(found.high / found.low) / 2)
    assert 0.92 < inside / len(logs) < 0.99
    assert np.mean(halves) < 1.42 * 1.96 * np.std(logs)  # two wells alone: 1.56 without scatter


def test_other_samples_that_scatter_widen_and_one_odd_one_does_not() -> None:
    random = np.random.default_rng(3)
    quiet, wild = ([scatter_of(s) for s in scatters(random, 9, 3, cv)] for cv in (0.0, 0.05))
    own = quiet.pop()
    alone, odd = widening(own, 0.95), widening(own, 0.95, [*quiet[:7], wild[0]])
    assert 1 <= odd < alone
    assert widening(own, 0.95, wild) > 2 * odd
    assert widening(own, 0.95, wild[:2]) == alone  # two do not tell which of them is odd
    assert widening(wild[1], 0.95, quiet) == widening(wild[1], 0.95)  # its own scatter contradicts theirs


def test_rare_droplets_tell_nothing_of_pipetting() -> None:
    dense = scatter_of([Exposed(k, 15000, 1.0) for k in (8000, 8300, 8150)])
    rare = scatter_of([Exposed(k, 15000, 1.0) for k in (12, 15, 9)])
    assert widening(dense, 0.95, [rare] * 5) == pytest.approx(widening(dense, 0.95), rel=1e-3)
    assert widening(rare, 0.95, [dense] * 5) < widening(rare, 0.95)


def test_scatter_between_wells_is_tested_against_poisson() -> None:
    quiet = run(plate(row("A01", 5000), row("B01", 5050)))["S"]
    wild = run(plate(row("A01", 5000), row("B01", 6000)))["S"]
    assert not quiet.flags
    assert [f.id for f in wild.flags] == ["overdispersed"]
    chi2 = 2 * 500**2 / (15000 * (11 / 30) * (19 / 30))
    assert wild.diagnostics["targets"]["ITR"]["dispersion"] == pytest.approx(chi2, rel=1e-9)


# -------------------------------------------------------------------- partition volumes


@pytest.mark.parametrize("density", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("cv", [0.05, 0.15])
def test_scatter_of_partition_volumes(density: float, cv: float) -> None:
    random = np.random.default_rng(2)
    volume = random.gamma(1 / cv**2, cv**2, 2_000_000)
    k = int((random.poisson(density * volume) > 0).sum())
    plain, corrected = (copies_per_droplet(k, volume.size, c) for c in (0.0, cv))
    assert plain is not None
    assert corrected is not None
    sd = math.sqrt(math.expm1(density) / volume.size) / density
    assert corrected == pytest.approx(density, rel=4 * sd)
    assert plain / density - 1 == pytest.approx(-(cv**2) * density / 2, abs=4 * sd + (cv**2 * density) ** 2)
    if cv == 0.05:
        assert abs(plain / density - 1) < 0.01  # within 1 % up to λ 3 even without a correction


def test_where_a_volume_is_known_from() -> None:
    def at(k: int, volume: float) -> float:
        return -math.log1p(-k / 15000) / volume * 1e3

    rows = (
        row("A01", 5000, copies_per_ul=at(5000, 0.9)),
        row("A01", 100, target="x", channel="Ch2", copies_per_ul=at(100, 0.5)),
        row("B01", 4000, copies_per_ul=at(4000, 0.8)),
        row("C01", 0, copies_per_ul=0.0),
        row("D01", 4000, partition_volume_nl=0.7, copies_per_ul=None),
    )
    record = DropletPlate(
        **{**vars(plate(*rows)), "partition_volume_nl": None, "partition_volume_source": "default"}
    )
    wells = analyze_plate(record, TechniqueSettings()).wells or []
    found = [(w.well, w.channel, w.partition_volume_source, w.partition_volume_nl) for w in wells]
    assert found == [
        ("A01", "Ch1", "back_calculated_own", pytest.approx(0.9)),  # of 5000 positives, not of 100
        ("A01", "Ch2", "back_calculated", pytest.approx(0.9)),
        ("B01", "Ch1", "back_calculated_own", pytest.approx(0.8)),
        ("C01", "Ch1", "back_calculated_plate", pytest.approx(0.8)),
        ("D01", "Ch1", "reported", 0.7),
    ]


@pytest.mark.parametrize(("setting", "flagged"), [({}, True), ({"partition_volume_nl": 0.85}, False)])
def test_a_volume_that_the_table_speaks_against_is_flagged(setting: dict[str, float], flagged: bool) -> None:
    conc = -math.log1p(-5000 / 15000) / 0.795 * 1e3
    other = row("B01", 40, copies_per_ul=3.0)  # printed as a whole number: it tells nothing
    for volume, expected in ((0.85, flagged), (0.795, False)):
        record = plate(row("A01", 5000, copies_per_ul=round(conc, 1)), other)
        record = DropletPlate(**{**vars(record), "partition_volume_nl": volume})
        sample = analyze_plate(record, TechniqueSettings(**setting)).samples[0]
        assert ("partition_volume_differs" in [f.id for f in sample.flags]) is expected


def test_dilutions_and_scatter_of_volumes_combine() -> None:
    truth, cv = 900.0, 0.2
    wells = []
    for factor in (1.0, 5.0):
        density = truth / factor * VOLUME
        p = -math.expm1(-math.log1p(cv**2 * density) / cv**2)
        wells.append(Exposed(round(1e7 * p), 10**7, VOLUME / factor, cv))
    found = estimate(wells, "wilson", 0.95)
    assert found is not None
    assert found.value == pytest.approx(truth, rel=1e-5)


# ------------------------------------------------------------------- selection, linearity


def test_rejected_wells_are_named_with_their_reason() -> None:
    record = plate(row("A01", 5000), row("B01", 5000, 900), row("C01", 14900), row("D01", 20))
    sample = run(record, dilution_factor=1e6, lambda_range=[0.05, 3.0])["S"]
    found = sample.diagnostics["targets"]["ITR"]
    assert found["wells"] == ["A01"]
    reasons = {r["well"]: r["reason"] for r in found["rejected"]}
    assert sorted(reasons) == ["B01", "C01", "D01"]
    assert "900 < 1000" in reasons["B01"]
    assert all("λ" in reasons[w] for w in ("C01", "D01"))


def test_a_dilution_whose_wells_scatter_does_not_count() -> None:
    record = plate(row("A01", 5000), row("B01", 5050), row("C01", 2000), row("D01", 3000))
    parts = [part("A01;B01", 1e6), part("C01;D01", 2e6)]
    found = run(record, *parts, max_cv=0.1)["S"].diagnostics["targets"]["ITR"]
    assert found["wells"] == ["A01", "B01"]
    assert all("CV" in r["reason"] for r in found["rejected"])


def dilutions(rise: float, n: int = 15000) -> tuple[DropletPlate, Sequence[SheetRow]]:
    truth = 3000.0
    rows = [
        row(w, positives(truth / f * (1 + r), n), n)
        for w, f, r in (("A01", 1, 0.0), ("B01", 2, rise), ("C01", 4, rise))
    ]
    return plate(*rows), [part("A01", 1e6), part("B01", 2e6), part("C01", 4e6)]


def test_parallel_dilutions() -> None:
    record, parts = dilutions(0.0, n=400_000)
    sample = run(record, *parts)["S"]
    found = sample.diagnostics["targets"]["ITR"]["linearity"]
    assert found["slope"] == pytest.approx(1, abs=1e-3)
    assert found["change_percent"] == pytest.approx(0, abs=0.1)
    assert found["verdict"] == "parallel"
    assert "lambda_high" not in {f.id for f in sample.flags}


def test_a_titer_that_rises_on_dilution_says_that_lambda_is_too_high() -> None:
    record, parts = dilutions(0.06)
    sample = run(record, *parts)["S"]
    found = sample.diagnostics["targets"]["ITR"]["linearity"]
    assert found["change_percent"] == pytest.approx(6, abs=0.3)
    assert found["verdict"] == "not parallel"
    assert found["slope"] < 1
    assert {"lambda_high", "density_high"} <= {f.id for f in sample.flags}


# ------------------------------------------------------------------------------- targets


@pytest.mark.parametrize(
    ("slip", "told"),
    [
        (
            {"roles": {"NTX": "ntc"}},
            "roles.NTX fits no sample or well of the plate, and sets nothing (did you",
        ),
        ({"roles": {"b1": "ntc"}}, "did you mean B01"),
        ({"gates": {"itr": 3000}}, "gates.itr fits no target"),
        ({"gate_baselines": {"ITR": 800}}, "gate_baselines.ITR fits no gated target of the plate"),
        (
            {"target_places": {"CMV": "promoter"}},
            "fits no target of the plate, and sets nothing (there is ITR)",
        ),
        ({"targets_per_genome": {"CAG": 2}}, "targets_per_genome.CAG fits no target"),
        ({"expected_titers": {"S": 1e13}}, "fits no control of the plate, and sets nothing (there is none)"),
    ],
)
def test_a_setting_by_name_that_fits_nothing_is_told(slip: dict[str, object], told: str) -> None:
    record = plate(row("A01", 5000), row("B01", 0, sample="NTC"))
    found = run(record, dilution_factor=1e6, **slip)
    plain = run(record, dilution_factor=1e6)
    for name, sample in found.items():
        (warning,) = [w for w in sample.warnings if w not in plain[name].warnings]
        assert told in warning
        assert sample.attributes == plain[name].attributes


def test_settings_by_name_of_the_plate_say_nothing() -> None:
    record = plate(row("A01", 5000), row("B01", 0, sample="NTC"), row("C01", 5000, sample="PC"))
    named = {
        "roles": {"NTC": "ntc", "C01": "positive_control"}, "expected_titers": {"PC": 5e11},
        "gates": {"ITR": 3000.0}, "gate_baselines": {"ITR": 800.0}, "target_places": {"ITR": "itr_cut"},
        "targets_per_genome": {"ITR": 2.0},
    }  # fmt: skip
    assert not any("fits no" in w for s in run(record, **named).values() for w in s.warnings)
    # of a sheet: its own samples are the plate's, and its rows' settings are looked at too
    sheet = (part("A01"), part("B01;H12", sample_id="blank"), part("C01", sample_id="PC"))
    found = run(record, *sheet, **(named | {"roles": {"NTC": "ntc", "H12": "ntc"}}))
    told = {w for s in found.values() for w in s.warnings if "fits no" in w}
    assert {w.split()[0] for w in told} == {"roles.NTC", "expected_titers.PC"}


def test_a_setting_of_the_plate_in_a_row_of_wells_is_told() -> None:
    record = plate(row("A01", 5000))
    own = TechniqueSettings(dilution_factor=1e6, gates={"ITR": 3000}, expected_titers={"S": 1e12})
    (sample,) = analyze_plate(record, TechniqueSettings(gates={"ITR": 2000}), [(part("A01"), own)]).samples
    told = [w.split()[0] for w in sample.warnings if "in a row of wells sets nothing" in w]
    assert told == ["gates.ITR"]  # of a sample that is no control the other says so
    assert any(w.startswith("expected_titers.S fits no control") for w in sample.warnings)


def test_an_itr_target_needs_its_digestion_state() -> None:
    record = plate(row("A01", 5000))
    sample = run(record, dilution_factor=1e6, target_places={"ITR": "itr"})["S"]
    assert "vg_titer" not in sample.attribute_set
    assert any("ITR" in w for w in sample.warnings)
    stated = run(record, dilution_factor=1e6, target_places={"ITR": "itr"}, targets_per_genome={"ITR": 1})
    cut = run(record, dilution_factor=1e6, target_places={"ITR": "itr_cut"})
    values = [s["S"].attribute_set["vg_titer"].value for s in (stated, cut)]
    assert values[0] == pytest.approx(2 * values[1], rel=1e-12)


@pytest.mark.parametrize(
    "name",
    [
        "ITR",
        "ITR2",
        "AAV2-ITR",
        "itr_left",
        "5'ITR",
        "wtITR",
        "ITRs",
        "ITRprobe",
        "AAVItr",
        "ITR-F",
        "AAV2-TR",
    ],
)
def test_a_target_named_itr_needs_a_place(name: str) -> None:
    record = plate(row("A01", 5000, target=name), row("A01", 4900, target="NITRO", channel="Ch2"))
    assumed = run(record, dilution_factor=1e6)["S"]
    (warning,) = [w for w in assumed.warnings if "ITR" in w]
    assert warning.startswith(f"vg_titer of {name} takes one copy a genome")
    assert not run(record)["S"].attribute_set.get("vg_titer")  # no titer, nothing assumed
    assert not any("one copy" in w for w in run(record)["S"].warnings)
    for stated in ({"target_places": {name: "itr_cut"}}, {"targets_per_genome": {name: 1}}):
        given = run(record, dilution_factor=1e6, regulated=True, **stated)["S"]
        assert not any("ITR" in w for w in given.warnings)
        assert "constant_required" not in {f.id for f in given.flags}
    strict = run(record, dilution_factor=1e6, regulated=True)["S"]
    assert [a.target for a in strict.attributes if a.name == "vg_titer"] == ["NITRO"]
    (flag,) = [f for f in strict.flags if f.id == "constant_required"]
    assert flag.message == f"a regulated method needs target_places.{name} for vg_titer"


def test_targets_that_disagree_are_told_and_not_averaged() -> None:
    record = plate(row("A01", 6000), row("A01", 4000, target="polyA", channel="Ch2"))
    sample = run(record, dilution_factor=1e6)["S"]
    assert [a.target for a in sample.attributes if a.name == "vg_titer"] == ["ITR", "polyA"]
    assert [f.id for f in sample.flags] == ["targets_disagree"]


# -------------------------------------------------------------------- limits and controls


def test_limits_from_blanks() -> None:
    clean = limits(Background(0, 60000), 15000)
    assert (clean.blank, clean.detection, clean.quantitation) == (0, 3.0, 16.0)
    # mean 4 in the sample's droplets: P(X <= 8) = 0.979, P(X <= 7) = 0.949
    dirty = limits(Background(16, 60000), 15000)
    assert dirty.blank == 8
    terms = [dirty.detection**i / math.factorial(i) for i in range(9)]
    assert math.exp(-dirty.detection) * sum(terms) == pytest.approx(0.05, rel=1e-6)
    net = dirty.quantitation
    assert math.sqrt(net + 4) / net == pytest.approx(0.25, rel=1e-9)


def test_a_count_that_blanks_reach_is_below_the_limit() -> None:
    record = plate(row("A01", 5), row("B01", 4, sample="NTC"))
    found = run(record, roles={"NTC": "ntc"}, max_ntc_positives=10)["S"].attribute_set["concentration"]
    assert found.qualifier == "<"
    assert found.bound is not None
    assert found.bound >= (found.lod or 0)


def suited(record: DropletPlate, **settings: object) -> tuple[Sample, dict[str, object]]:
    sample = run(record, dilution_factor=1e6, **settings)["S"]
    return sample, sample.diagnostics["suitability"]


ROLES = {"PC": "positive_control", "NTC": "ntc"}


def test_one_verdict_with_reasons() -> None:
    titer = -math.log(2 / 3) / VOLUME * 1000 * 1e6
    good = plate(row("A01", 5000), row("B01", 5000, sample="PC"), row("C01", 0, sample="NTC"))
    sample, verdict = suited(good, roles=ROLES, expected_titers={"PC": titer})
    assert (sample.status, verdict["verdict"], verdict["controls_missing"]) == ("valid", "suitable", [])
    assert verdict["recoveries"] == {"PC": {"ITR": pytest.approx(1)}}
    sample, verdict = suited(good, roles=ROLES, expected_titers={"PC": titer / 1.5})
    assert (sample.status, verdict["verdict"]) == ("invalid", "unsuitable")
    assert "150.0 %" in str(verdict["reasons"])


@pytest.mark.parametrize(
    ("added", "recovery", "fails"), [(1.0, 1.0, False), (0.5, 2.0, True), (1.4, 1 / 1.4, True)]
)
def test_a_spike_recovers_what_it_adds(added: float, recovery: float, fails: bool) -> None:
    """Unspiked 400 copies/µL at 1e6, spiked 800 more at twice the dilution: 4e11 and 8e11 vg/mL."""
    record = plate(row("A01", positives(400.0)), row("B01", positives(600.0)))
    sheet = part("A01"), part("B01", 2e6, role="spike")
    parts = [
        (r, TechniqueSettings(dilution_factor=r.dilution_factor, spike_added={"S": added * 8e11}))
        for r in sheet
    ]
    samples = analyze_plate(record, parts[0][1], parts).samples
    sample = next(s for s in samples if s.role == "sample")
    verdict = sample.diagnostics["suitability"]
    assert verdict["recoveries"] == {"S": {"ITR": pytest.approx(recovery, rel=2e-3)}}
    assert (verdict["verdict"] == "unsuitable") == fails == (sample.status == "invalid")
    assert not any("spike_added" in w for w in sample.warnings)


def test_a_spike_without_its_sample_fails() -> None:
    record = plate(row("A01", 5000), row("B01", 5000, sample="X"))
    sample, verdict = suited(record, roles={"X": "spike"}, spike_added={"X": 1e11})
    assert sample.status == "invalid"
    assert verdict["reasons"] == ["spike X: no recovery of ITR, as there is no titer of it without the spike"]
    untitered = plate(row("A01", 5000), row("B01", 5000, sample="X"))
    sample = run(untitered, roles={"X": "spike"}, spike_added={"X": 1e11})["S"]
    assert sample.diagnostics["suitability"]["reasons"] == [
        "spike X: no recovery, as there is no titer of it"
    ]
    assert sample.status == "invalid"
    known = suited(record, roles={"X": "spike"}, spike_added={"Y": 1e11})[0]
    assert any(w.startswith("spike_added.Y fits no spiked sample") for w in known.warnings)
    assert known.status == "valid"


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (row("B01", 0, sample="PC"), "no ITR detected"),
        (row("B01", 40, 900, sample="PC"), "is invalid"),
        (row("B01", 30, sample="NTC"), "without template"),
    ],
)
def test_a_control_that_fails_makes_the_samples_invalid(control: WellRow, reason: str) -> None:
    sample, verdict = suited(plate(row("A01", 5000), control), roles=ROLES)
    assert (sample.status, verdict["verdict"]) == ("invalid", "unsuitable")
    assert reason in str(verdict["reasons"])
    assert "assay_unsuitable" in {f.id for f in sample.flags}


def test_a_sample_without_dnase_stands_beside_its_titer() -> None:
    record = plate(row("A01", positives(400)), row("B01", positives(500)))
    outcome = analyze_plate(record, TechniqueSettings(dilution_factor=1e6, roles={"B01": "no_dnase"}))
    sample = next(s for s in outcome.samples if s.role == "sample")
    assert sample.diagnostics["suitability"]["no_dnase_ratio"]["ITR"] == pytest.approx(1.25, rel=1e-3)


def test_missing_controls_are_named() -> None:
    sample, verdict = suited(plate(row("A01", 5000)))
    assert sample.status == "valid"
    assert verdict["controls_missing"] == ["no-template control", "positive control"]


def test_the_dmiqe_table_is_filled_in() -> None:
    record = plate(row("A01", 5000), row("B01", 5200, 14000), row("C01", 1, sample="NTC"))
    table = run(record, dilution_factor=1e6, roles=ROLES)["S"].diagnostics["dmiqe"]
    assert [t["target"] for t in table] == ["ITR"]
    found = table[0]
    assert found["accepted_partitions_mean"] == 14500
    assert found["accepted_partitions_sd"] == pytest.approx(math.sqrt(500000))
    assert found["volume_analysed_ul"] == pytest.approx(29000 * VOLUME)
    assert (found["blank_positives"], found["blank_partitions"]) == (1, 15000)
    k, n = 10200, 29000
    assert found["copies_per_partition_variance"] == pytest.approx((k / n) / (n * (1 - k / n)))
    assert found["dilution"] == {"factor": 1e6, "rel_sd": 0.0, "source": "dilution_factor"}
