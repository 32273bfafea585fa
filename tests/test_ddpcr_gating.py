"""Droplets called here: against people's calls, and against truth on made-up plates."""

from __future__ import annotations

import csv
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aavqc.analysis import analyze, read_all
from aavqc.cdms.settings import TechniqueSettings as CdmsSettings
from aavqc.ddpcr import TechniqueSettings
from aavqc.ddpcr import analyze as analyze_plate
from aavqc.ddpcr.calls import OwnCall, own_calls
from aavqc.ddpcr.density import density, modes
from aavqc.ddpcr.gate import Gate
from aavqc.ddpcr.poisson import poisson_interval
from aavqc.ddpcr.spread import Exposed, with_hidden
from aavqc.documents import ResultDocument, Well, digest
from aavqc.errors import InputError, SpecificationError, UsageError
from aavqc.kernels.gating import add_to_histogram
from aavqc.records import DropletPlate, Droplets, InputFile, WellRow, readonly
from aavqc.settings import build

NEGATIVE, POSITIVE = (1500.0, 90.0), (7000.0, 300.0)


def droplets(
    seed: int,
    density: float,
    n: int = 15000,
    negative: tuple[float, float] = NEGATIVE,
    positive: tuple[float, float] = POSITIVE,
    rain: float = 0.01,
    second: float | None = None,
    shift: float = 0.0,
) -> tuple[NDArray[np.float64], int]:
    """Return amplitudes of one channel and the droplets that hold the target."""
    random = np.random.default_rng(seed)
    holds = random.poisson(density, n) > 0
    grown = np.where(random.random(n) < rain, random.random(n), 1.0)
    top = np.full(n, positive[0])
    if second is not None:
        top[random.random(n) < 0.4] = second
    level = np.where(holds, negative[0] + (top - negative[0]) * grown, negative[0])
    sd = np.where(holds, positive[1], negative[1])
    return level + sd * random.standard_normal(n) + shift, int(holds.sum())


def plate(**wells: NDArray[np.float64]) -> DropletPlate:
    """Return a plate of amplitudes alone; an array of one dimension is channel 1."""
    shaped = {w: a if a.ndim == 2 else a[:, None] for w, a in wells.items()}
    return DropletPlate(
        name="p",
        sample_id="p",
        format="quantasoft",
        inputs=(InputFile("p_A01_Amplitude.csv", "0" * 64, 1),),
        software="amplitudes without a table",
        rows=(),
        droplets={
            w: Droplets(
                amplitude=readonly(a),
                positive=None,
                channels=tuple(f"Ch{i + 1}" for i in range(a.shape[1])),
            )
            for w, a in shaped.items()
        },
        partition_volume_nl=None,
        partition_volume_source="default",
    )


def called(*made: tuple[NDArray[np.float64], int], blanks: tuple[str, ...] = ()) -> list[OwnCall | None]:
    names = [f"A{i + 1:02d}" for i in range(len(made))]
    calls = own_calls(plate(**{w: a for w, (a, _) in zip(names, made, strict=True)}), blanks)
    return [calls.get((w, "Ch1")) for w in names]


def close(call: OwnCall | None, truth: int, rel: float = 0.02) -> bool:
    return call is not None and abs(call.positives - truth) <= max(rel * truth, 3)


# ------------------------------------------------------------------------ people's calls


def test_own_gating_against_people_s_on_droplet_level_rows(reference_data: Path) -> None:
    with open(reference_data / "ddpcr" / "vendor_truth.csv", encoding="utf-8") as stream:
        truth = {
            (r["plate"].split("_")[0], r["well"], f"Ch{r['channel']}"): r for r in csv.DictReader(stream)
        }
    assert len(truth) == 20
    agreed, blank = 0, []
    for folder, name in (("podcall", "VIM"), ("daattali_ddpcr/small", "small")):
        for record in read_all(reference_data / "ddpcr" / folder):
            for well in analyze(record, calls="own").payload.wells or []:
                people = truth[name, well.well, well.channel]
                assert well.calls == "own"
                assert well.positives is not None
                expected = int(people["positives"])
                assert well.positives_vendor == expected
                allowed = max(0.02 * expected, 3.0) if expected < 150 else 0.02 * expected
                agreed += abs(well.positives - expected) <= allowed
                if expected == 0:
                    blank.append(well.positives)
    assert agreed >= 18
    assert max(blank) <= 2
    assert len(blank) == 2


def test_amplitudes_alone_are_a_plate(reference_data: Path) -> None:
    for record in read_all(reference_data / "ddpcr" / "ddPCRclust"):
        result = analyze(record)
        for well in result.payload.wells or []:
            assert well.calls == "own"
            assert well.positives is not None
            assert 0.02 < well.positives / (well.accepted or 1) < 0.6
            assert (well.partition_volume_nl, well.partition_volume_source) == (0.85, "default")
        assert all(s.status == "valid" for s in result.samples)
        assert all("partition_volume_default" in {f.id for f in s.flags} for s in result.samples)


# ------------------------------------------------------------------------ made-up plates


@pytest.mark.parametrize("level", [0.01, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0])
def test_a_well_alone(level: float) -> None:
    made = droplets(1, level)
    assert close(called(made)[0], made[1])


def test_rare_positives_and_blanks_take_their_neighbours_gate() -> None:
    made = [droplets(s, x) for s, x in enumerate((0.5, 0.0005, 0.0, 0.0))]
    calls = called(*made)
    assert [c.positives for c in calls if c][1:] == [made[1][1], 0, 0]


def test_rare_positives_alone() -> None:
    made = [droplets(s, x) for s, x in enumerate((0.0008, 0.0004, 0.0))]
    assert [c.positives for c in called(*made) if c] == [k for _, k in made]


def test_one_population_is_no_call_unless_a_control_says_what_it_is() -> None:
    blank, full = droplets(1, 0.0), droplets(2, 14.0, rain=0.0)
    assert called(blank) == [None]
    assert called(full, full) == [None, None]
    assert [c.positives for c in called(blank, blank, blanks=("A01",)) if c] == [0, 0]
    with_control = called(blank, full, blanks=("A01",))
    assert [c.positives for c in with_control if c] == [0, 15000]
    outcome = analyze_plate(plate(A01=blank[0]), TechniqueSettings())
    wells: list[Well] = outcome.wells or []
    assert (wells[0].status, wells[0].positives, wells[0].copies_per_ul) == ("NO_CALL", None, None)


def test_a_full_plate_with_a_few_bright_droplets_is_no_blank() -> None:
    full = droplets(2, 14.0, rain=0.01)[0]
    full[:5] = 15000.0
    assert called((full, 15000)) == [None]


@pytest.mark.parametrize(
    "amplitude",
    [
        np.empty(0),
        np.array([5.0]),
        np.full(20000, 7.0),
        np.concatenate([np.random.default_rng(0).normal(0, 1, 15000), [1e308] * 9, [-1e308] * 9]),
        np.concatenate([np.random.default_rng(0).normal(0, 1, 15000), [1e300] * 9, [-1e300] * 9]),
        np.random.default_rng(0).normal(0, 1e-300, 15000),
        np.random.default_rng(0).random(15000),
    ],
    ids=["none", "one", "constant", "infinite range", "huge", "tiny", "even"],
)
def test_droplets_that_form_no_clusters_are_no_call(amplitude: NDArray[np.float64]) -> None:
    outcome = analyze_plate(plate(A01=amplitude), TechniqueSettings())
    assert [(w.status.split(";")[0], w.positives) for w in outcome.wells or []] == [("NO_CALL", None)]


def test_an_all_positive_well_is_not_taken_for_a_blank() -> None:
    made = [droplets(s, x, rain=0.0) for s, x in enumerate((14.0, 0.5, 0.0))]
    calls = called(*made)
    assert calls[0] is not None
    assert calls[0].positives == 15000
    assert close(calls[1], made[1][1])


def test_wells_with_other_baselines_are_shifted() -> None:
    made = [
        droplets(s, x, shift=b) for s, (x, b) in enumerate(((0.5, 0), (0.2, 700), (0.001, -600), (0, 650)))
    ]
    assert all(close(c, k) for c, (_, k) in zip(called(*made), made, strict=True))


def test_two_positive_populations_are_both_positive() -> None:
    made = [droplets(s, 0.4, second=3600.0) for s in range(3)]
    assert all(close(c, k) for c, (_, k) in zip(called(*made), made, strict=True))


@pytest.mark.parametrize("rain", [0.05, 0.10])
def test_heavy_rain_costs_no_more_than_the_part_below_the_threshold(rain: float) -> None:
    made = [droplets(s, x, rain=rain) for s, x in enumerate((0.1, 0.5, 1.0))]
    for call, (_, truth) in zip(called(*made), made, strict=True):
        assert call is not None
        assert 1 - 0.5 * rain < call.positives / truth <= 1.001
        assert call.gate.rain is not None
        assert call.gate.rain > 0.4 * rain


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("offset", [0.0, -2.0])
def test_the_unit_of_amplitude_does_not_matter(scale: float, offset: float) -> None:
    made = [droplets(s, x) for s, x in enumerate((0.1, 1.0))]
    moved = [((a + offset * 1500) * scale, k) for a, k in made]
    assert [c.positives for c in called(*moved) if c] == [c.positives for c in called(*made) if c]


def test_a_dye_that_bleeds_into_a_channel_is_not_its_target() -> None:
    random = np.random.default_rng(7)
    wells, truth = {}, {}
    for well in ("A01", "B01"):
        first, second = (random.poisson(0.3, 15000) > 0 for _ in range(2))
        second &= first  # as where one assay sees all alleles and the other one of them
        one = np.where(first, 7000.0, 1500.0) + np.where(first, 250, 80) * random.standard_normal(15000)
        level = np.where(second, 6500.0, np.where(first, 3000.0, 1400.0))
        two = level + np.where(first, 200, 80) * random.standard_normal(15000)
        wells[well], truth[well] = np.stack([one, two], axis=1), int(second.sum())
    calls = own_calls(plate(**wells))
    assert all(close(calls[w, "Ch2"], k) for w, k in truth.items())


@pytest.mark.parametrize("bleed", [0.1, 0.15, 0.25])
def test_dyes_that_bleed_into_each_other_are_no_targets(bleed: float) -> None:
    random = np.random.default_rng(11)
    wells, truth = {}, {}
    for well, copies in (("A01", 0.4), ("B01", 1.2), ("C01", 0.0)):
        holds = random.poisson(copies, (15000, 2)) > 0
        level = 500 + 4000 * (holds + bleed * holds[:, ::-1])
        wells[well] = level + np.where(holds, 160, 80) * random.standard_normal(holds.shape)
        truth[well] = holds.sum(axis=0)
    calls = own_calls(plate(**wells))
    for well, expected in truth.items():
        assert [close(calls[well, f"Ch{c + 1}"], int(expected[c])) for c in range(2)] == [True, True]


def test_linked_targets_are_not_taken_for_a_dye_that_bleeds() -> None:
    random = np.random.default_rng(12)
    holds = random.poisson(0.5, 15000) > 0
    other = holds & (random.random(15000) < 0.9)
    level = 500 + 4000 * np.stack([holds, other], axis=1)
    calls = own_calls(plate(A01=level + 80 * random.standard_normal(level.shape)))
    assert close(calls["A01", "Ch1"], int(holds.sum()))
    assert close(calls["A01", "Ch2"], int(other.sum()))


@pytest.mark.parametrize(("copies", "told"), [(0.3, False), (3.0, True)])
def test_rain_is_told_by_what_hangs_on_it(copies: float, told: bool) -> None:
    """2 % of rain is 2 % of a low concentration, 13 % of one with 3 copies a droplet."""
    random = np.random.default_rng(13)
    holds = random.poisson(copies, 20000) > 0
    height = np.where(random.random(20000) < 0.02, random.random(20000), 1.0)
    amplitude = 1500 + 5000 * holds * height + 90 * random.standard_normal(20000)
    outcome = analyze_plate(plate(A01=amplitude[:, None]), TechniqueSettings())
    assert ("rain_heavy" in {f.id for s in outcome.samples for f in s.flags}) is told


def test_a_gate_is_a_recipe_for_another_plate() -> None:
    made = [droplets(s, x) for s, x in enumerate((0.1, 1.0))]
    gate = called(*made)[0].gate  # type: ignore[union-attr]
    other, truth = droplets(9, 0.3, shift=800.0)
    record = plate(A01=other)
    absolute = own_calls(record, (), {"Ch1": Gate(gate.threshold, math.nan)})
    aligned = own_calls(record, (), {"Ch1": gate})
    assert absolute["A01", "Ch1"].threshold == gate.threshold
    assert aligned["A01", "Ch1"].threshold == pytest.approx(gate.threshold + 800, abs=20)
    assert close(aligned["A01", "Ch1"], truth)
    settings = TechniqueSettings(gates={"Ch1": gate.threshold}, gate_baselines={"Ch1": gate.baseline})
    wells = analyze_plate(record, settings).wells or []
    assert wells[0].positives == aligned["A01", "Ch1"].positives
    blank = own_calls(plate(A01=droplets(3, 0.0)[0]), (), {"Ch1": gate})
    assert blank["A01", "Ch1"].positives == 0


def test_the_gates_of_a_result_call_another_plate(example_lot: Path, tmp_path: Path) -> None:
    first = analyze(example_lot / "ddpcr", calls="own", roles={"NTC": "ntc"})
    saved = tmp_path / "first.json"
    first.document().save(saved)
    again = analyze(example_lot / "ddpcr", calls="own", roles={"NTC": "ntc"}, **{"gates.file": str(saved)})
    used = again.payload.method.settings
    found = first.samples[0].diagnostics["targets"]
    assert used["gates"] == {t: found[t]["gate"]["threshold"] for t in found}
    assert used["gate_baselines"] == {t: found[t]["gate"]["baseline"] for t in found}
    assert str(saved) not in str(again.payload)
    for one, other in zip(first.payload.wells or [], again.payload.wells or [], strict=True):
        assert (one.positives, one.threshold) == (other.positives, pytest.approx(other.threshold))
    stated = build(TechniqueSettings, {"gates.file": str(saved), "gates.CAG": 3000})
    assert (stated.gates["CAG"], stated.gates["polyA"]) == (3000, found["polyA"]["gate"]["threshold"])
    assert stated.gate_baselines == {"polyA": found["polyA"]["gate"]["baseline"]}
    assert build(TechniqueSettings, {"gates.file": str(saved)}, {"gates.CAG": "3000"}) == stated
    both = build(TechniqueSettings, {"gate_baselines.CAG": 900}, {"gates.file": str(saved)})
    assert both.gate_baselines["CAG"] == found["CAG"]["gate"]["baseline"]


def test_gates_that_make_no_number_are_told(example_lot: Path) -> None:
    def warned(**settings: object) -> bool:
        found = analyze(example_lot / "ddpcr", **{"gates.CAG": 3000, **settings})
        return any("gates are not used for any concentration" in w for s in found.samples for w in s.warnings)

    assert (warned(), warned(calls="own"), warned(calls="vendor")) == (True, False, False)


def test_a_result_that_has_no_gates_is_refused(example_lot: Path, tmp_path: Path) -> None:
    table = tmp_path / "alone" / "EX24-001.csv"
    table.parent.mkdir()
    shutil.copy(example_lot / "ddpcr" / table.name, table)
    analyze(table).document().save(tmp_path / "bare.json")
    analyze(example_lot / "ddpcr").document().save(tmp_path / "good.json")
    with pytest.raises(SpecificationError, match=r"bare.json: a result without gates"):
        build(TechniqueSettings, {"gates.file": str(tmp_path / "bare.json")})
    document = ResultDocument.load(tmp_path / "good.json")
    document.payload.samples[1].diagnostics["targets"]["CAG"]["gate"]["threshold"] += 1
    payload_sha256 = digest(document.payload)
    envelope = document.envelope.model_copy(update={"payload_sha256": payload_sha256})
    document.model_copy(update={"envelope": envelope}).save(tmp_path / "two.json")
    with pytest.raises(SpecificationError, match="two gates of target 'CAG'"):
        build(TechniqueSettings, {"gates.file": str(tmp_path / "two.json")})
    document.save(tmp_path / "altered.json")
    with pytest.raises(InputError, match="altered"):
        build(TechniqueSettings, {"gates.file": str(tmp_path / "altered.json")})
    with pytest.raises(UsageError, match=r"unknown setting 'gates\.file'"):
        build(CdmsSettings, {"gates.file": str(tmp_path / "good.json")})


@pytest.mark.parametrize(("calls", "expected"), [("auto", "vendor"), ("vendor", "vendor"), ("own", "own")])
def test_both_counts_stand_in_a_row(calls: str, expected: str) -> None:
    amplitude, truth = droplets(1, 0.5)
    bare = plate(A01=amplitude)
    row = WellRow(
        well="A01", channel="Ch1", target="ITR", sample="S", accepted=15000,
        positives=5000, negatives=10000, threshold=3000.0, copies_per_ul=1.0,
    )  # fmt: skip
    record = DropletPlate(**{**vars(bare), "rows": (row,), "partition_volume_nl": 0.85})
    well = (analyze_plate(record, TechniqueSettings(calls=calls)).wells or [])[0]  # type: ignore[arg-type]
    assert (well.calls, well.positives_vendor) == (expected, 5000)
    assert well.positives_own == pytest.approx(truth, rel=0.02)
    assert well.positives == (well.positives_own if expected == "own" else 5000)


def test_a_call_that_the_vendor_refused_is_made_here() -> None:
    amplitude, truth = droplets(1, 0.5)
    row = WellRow(
        well="A01", channel="Ch1", target="ITR", sample="S", accepted=15000,
        positives=0, negatives=15000, status="CHECK",
    )  # fmt: skip
    record = DropletPlate(**{**vars(plate(A01=amplitude)), "rows": (row,), "partition_volume_nl": 0.85})
    well = (analyze_plate(record, TechniqueSettings()).wells or [])[0]
    assert (well.calls, well.positives_vendor, well.status) == ("own", None, "OK")
    assert well.positives == pytest.approx(truth, rel=0.02)


# ------------------------------------------------------------------------------- kernels


def test_the_histogram_is_numpy_s() -> None:
    values = np.random.default_rng(0).normal(0, 1, 5000)
    counts = np.zeros(40)
    add_to_histogram(values, 0.25, -2.0, 0.1, counts)
    expected, _ = np.histogram(np.clip(values - 0.25, -2, 1.9999), bins=40, range=(-2, 2))
    assert np.array_equal(counts, expected)


def test_noise_makes_no_modes() -> None:
    random = np.random.default_rng(5)
    several = sum(
        len(modes(density([random.normal(0, 1, 10000)], [0.0], -5, 5, 0.06))) > 1 for _ in range(60)
    )
    assert several == 0
    two = np.concatenate([random.normal(0, 1, 10000), random.normal(8, 1, 300)])
    assert [round(m.amplitude) for m in modes(density([two], [0.0], -5, 12, 0.15))] == [0, 8]


# ------------------------------------------------------------------------ what a gate hides


@pytest.mark.parametrize("rain", [0.05, 0.10])
def test_a_gate_tells_the_rain_that_it_hides(rain: float) -> None:
    """Even rain: the share hidden is that of the way from the negatives to the threshold."""
    made = [droplets(s, 1.0, rain=rain) for s in range(8)]
    for call, (_, holders) in zip(called(*made), made, strict=True):
        assert call is not None
        way = (call.threshold - NEGATIVE[0]) / (POSITIVE[0] - NEGATIVE[0])
        assert way < 0.2
        assert call.gate.hidden == pytest.approx(rain * way, rel=0.3)  # 8 × 9480 × rain × 0.08: 8 to 12 % SD
        assert call.positives == pytest.approx(holders * (1 - rain * way), abs=4 * math.sqrt(holders * rain))


def test_bounds_of_own_calls_hold_the_hidden_rain_and_the_vendor_s_know_only_counts() -> None:
    wells = {f"A{s + 1:02d}": droplets(s, 3.0, rain=0.10) for s in range(4)}
    record = plate(**{w: a for w, (a, _) in wells.items()})
    bounds = {}
    for kind in ("wilson", "vendor"):
        settings = TechniqueSettings(calls="own", interval=kind)  # type: ignore[arg-type]
        rows = analyze_plate(record, settings).wells or []
        bounds[kind] = {row.well: (row.ci_low, row.ci_high) for row in rows}
    for well, (_, holders) in wells.items():
        truth = -math.log1p(-holders / 15000) / 0.85e-3
        low, high = bounds["wilson"][well]
        assert low is not None
        assert high is not None
        assert low <= truth <= high
        assert truth > (bounds["vendor"][well][1] or 0)  # counts alone miss it


def test_rain_that_could_fill_every_negative_droplet_leaves_no_upper_bound() -> None:
    low, high = with_hidden(4.0, 5.0, [Exposed(990, 1000, 1.0, hidden=0.02)], 0.95)
    assert 4.0 < low < 4.61
    assert high is None
    assert with_hidden(0.6, 0.8, [Exposed(500, 1000, 1.0)], 0.95) == (0.6, 0.8)


def test_an_interval_with_hidden_droplets_holds_any_share_of_them() -> None:
    """9 % of the positives hidden, none or all of them there: 2000 wells each; 3.5 SD of them are 1.7 %."""
    random = np.random.default_rng(4)
    for held in (0.5, 0.545):
        inside = 0
        for k in random.binomial(1000, 0.5, 2000):
            well = Exposed(int(k), 1000, 1.0, hidden=0.09)
            low, high = with_hidden(*poisson_interval(int(k), 1000), [well], 0.95)
            inside += low <= -math.log1p(-held) <= (high or 0)
        assert inside / 2000 == pytest.approx(0.95, abs=0.017)
