"""From species to capsids: composition, lengths and titers of simulated samples of known truth.

The simulator is a finite-element scheme, not the fit's; truth is what its species hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import aavqc
from aavqc.attributes import Attribute
from aavqc.auc import f_statistic
from aavqc.auc.capsids import Capsids, Constants, capsids_of, wavelength_slopes
from aavqc.auc.cells import over_cells, scatter
from aavqc.auc.channels import Channel
from aavqc.auc.column import Column
from aavqc.auc.composition import ClassWindows, gain_per_nucleotide, lengths_at, windows_from
from aavqc.auc.f_statistic import f_statistic_limits
from aavqc.auc.grid import SignalGrid
from aavqc.auc.particle import shell_mass
from aavqc.auc.resolve import Resolved, _ascending, smeared_in
from aavqc.auc.search import Found, Parameters, Problem
from aavqc.auc.settings import TechniqueSettings
from aavqc.errors import UsageError
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate
from aavqc.simulate.mixture import Species, mixture

GIVEN = {
    "design_length": 4700,
    "extinction.capsid.260": 3.72e6,
    "extinction.nucleotide.260": 8750,
    "extinction.capsid.280": 6.61e6,
    "extinction.nucleotide.280": 4700,
    "extinction.rel_sd": 0.0,  # they are the simulator's own
}
CLASSES = ("empty", "partial", "full", "overfull")
THREE = ["0:0.25", "2300:0.15", "4700:0.60"]

Run = Callable[..., tuple[dict[str, Any], Path]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    def make(**given: Any) -> tuple[dict[str, Any], Path]:
        folder = tmp_path_factory.mktemp("run")
        truth = simulate(folder, AucSimulation(**{"seed": 7, "rpm": 15000, "species": THREE, **given}))
        return truth, folder

    return make


def percents(sample: Any) -> np.ndarray:
    return np.array([sample.attributes[f"percent_{c}"].value for c in CLASSES])


def intervals(result: Any, truth: dict[str, float]) -> list[bool]:
    found = result.attributes
    return [
        found[f"percent_{c}"].ci_low - 1e-9 <= v <= found[f"percent_{c}"].ci_high + 1e-9
        for c, v in truth.items()
    ]


@pytest.mark.parametrize("wavelengths", [[260.0], [260.0, 280.0]])
def test_composition_within_half_a_point(run: Run, wavelengths: list[float]) -> None:
    truth, folder = run(od=0.6, wavelengths=wavelengths)
    result = aavqc.analyze(folder, **GIVEN)
    sample = result.samples[0]
    assert percents(result) == pytest.approx([25.0, 15.0, 60.0, 0.0], abs=0.5)
    assert sum(percents(result)) == pytest.approx(100.0)
    assert sample.diagnostics["meniscus"] == pytest.approx(truth["meniscus"], abs=0.003)
    found = [p["s"] for p in sample.diagnostics["peaks"]]
    assert found == pytest.approx([s["s"] for s in truth["species"]], rel=0.005)
    assert not sample.flags
    assert result.attributes["percent_overfull"].qualifier == "ND"
    assert result.attributes["cp_titer_optical"].value == pytest.approx(truth["capsids_per_ml"], rel=0.01)
    held = sum(s["particle_fraction"] * s["packaged_nt"] for s in truth["species"]) / 4700
    assert result.attributes["vg_titer_optical"].value == pytest.approx(
        held * truth["capsids_per_ml"], rel=0.01
    )
    length = result.attributes["packaged_length"]
    assert length.value == pytest.approx(4700, rel=0.05)
    if len(wavelengths) > 1:
        assert (length.ci_high - length.ci_low) / 2 < 0.02 * 4700
        assert set(sample.diagnostics["distribution"]["by_wavelength"]) == {"260", "280"}
        assert [c["wavelength_nm"] for c in sample.diagnostics["channels"]] == [260, 280]
    else:
        # by s alone the shell may grow and volumes err
        assert (length.ci_high - length.ci_low) / 2 > 0.1 * 4700


def test_dilute_samples_within_their_intervals(run: Run) -> None:
    _, folder = run(seed=11, od=0.12, species=["0:0.50", "2300:0.15", "4700:0.35"])
    result = aavqc.analyze(folder, **GIVEN)
    assert percents(result) == pytest.approx([50.0, 15.0, 35.0, 0.0], abs=1.0)


@pytest.mark.parametrize(("rpm", "noise"), [(20_000.0, None), (15_000.0, "ti,ri")])
def test_protein_that_passes_for_baseline_is_found(run: Run, rpm: float, noise: str | None) -> None:
    """It moves 0.07 cm in the run: a first look sees the capsids alone."""
    truth, folder = run(rpm=rpm, od=0.6, protein_signal=0.05)
    result = aavqc.analyze(folder, **GIVEN, **({"noise": noise} if noise else {}))
    protein = result.attributes["percent_sub_capsid_signal"]
    assert protein.value == pytest.approx(5.0, abs=2.1)  # over seeds the SD is 0.4 and, with RI noise, 0.7
    assert percents(result) == pytest.approx([25.0, 15.0, 60.0, 0.0], abs=0.8)
    sample = result.samples[0]
    assert not sample.flags
    slow = truth["others"][0]["s"]
    assert sample.diagnostics["distribution"]["s"][0] < slow
    assert sample.diagnostics["peaks"][0]["s"] == pytest.approx(slow, abs=1.6)


def with_aggregates(s: float, share: float) -> Callable[[AucSimulation], list[Species]]:
    """Return a mixture of which a share of the signal is aggregates at s."""

    def made(settings: AucSimulation) -> list[Species]:
        found = mixture(settings)
        signal = {key: share * sum(p.signal[key] for p in found) for key in found[0].signal}
        rest = [replace(p, signal={key: (1 - share) * x for key, x in p.signal.items()}) for p in found]
        fast = replace(
            found[0], s=s, s20w=s, D=1.57e-7 * (107 / s) ** 0.5, particle_fraction=0.0, kind="protein"
        )
        return [*rest, replace(fast, signal=signal)]

    return made


def test_aggregates_beyond_the_first_look_are_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """They cross the column in a tenth of the run, and pass for RI noise."""
    monkeypatch.setattr("aavqc.simulate.auc.mixture", with_aggregates(450.0, 0.02))
    _, folder = run(od=0.6)
    result = aavqc.analyze(folder, noise="ti,ri", **GIVEN)
    assert result.attributes["percent_aggregate_signal"].value == pytest.approx(2.0, abs=0.15)
    assert percents(result) == pytest.approx([25.0, 15.0, 60.0, 0.0], abs=0.5)
    assert not result.samples[0].flags


def test_aggregates_that_count_as_overfull_are_doubted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aavqc.simulate.auc.mixture", with_aggregates(140.0, 0.03))
    _, folder = run(od=0.6, scans=40)
    (flag,) = aavqc.analyze(folder, **GIVEN).samples[0].flags
    assert flag.id == "overfull_in_doubt"
    assert flag.value == pytest.approx(140, abs=2)


@pytest.mark.parametrize("step", [0.002, 0.0007])
def test_interference_at_its_own_radial_steps(run: Run, step: float) -> None:
    """Neighbours 7 µm apart differ by noise alone: the meniscus must be seen over a longer way."""
    truth, folder = run(optics="interference", od=1.0, radial_step=step, scans=30)
    given = {**GIVEN, "increment.protein": 0.187, "increment.dna": 0.17}
    result = aavqc.analyze(folder, **given)
    assert result.samples[0].diagnostics["meniscus"] == pytest.approx(truth["meniscus"], abs=0.003)
    assert percents(result) == pytest.approx([25.0, 15.0, 60.0, 0.0], abs=0.5)
    assert not result.samples[0].flags


def test_partials_without_full_capsids_put_the_design_in_doubt(run: Run) -> None:
    _, folder = run(od=0.6, scans=40, species=["0:0.3", "2700:0.7"])
    flags = {f.id: f.message for f in aavqc.analyze(folder, **GIVEN).samples[0].flags}
    assert "partial" in flags["classes_in_doubt"]


def test_titers_allow_for_what_is_not_detected(run: Run) -> None:
    truth, folder = run(seed=4, od=0.3, scans=40, species=["0:0.015", "4700:0.985"])
    found = aavqc.analyze(folder, **GIVEN).attributes
    assert found["percent_empty"].qualifier == "ND"
    for name, key in (("cp", "capsids_per_ml"), ("vg", "genome_equivalents_per_ml")):
        titer = found[f"{name}_titer_optical"]
        assert titer.ci_low <= truth[key] <= titer.ci_high
        assert (titer.ci_high - titer.ci_low) / titer.value < 0.03


def test_full_capsids_that_are_larger_than_empty_ones(run: Run) -> None:
    # the partial lies 10 % below the full, and both are slower than an unchanged shell would be
    truth, folder = run(od=0.6, species=["0:0.25", "3200:0.15", "4700:0.60"], radius_growth=0.1)
    s = [species["s"] for species in truth["species"]]
    assert s[1] / s[2] == pytest.approx(0.90, abs=0.01)
    result = aavqc.analyze(folder, noise="ti,ri", **GIVEN)
    assert percents(result) == pytest.approx([25.0, 15.0, 60.0, 0.0], abs=3.0)
    assert [f.id for f in result.samples[0].flags] == ["lengths_disagree"]


def test_two_wavelengths_say_when_a_coefficient_is_wrong(run: Run) -> None:
    _, folder = run(od=0.6, wavelengths=[260.0, 280.0])
    wrong = {**GIVEN, "extinction.nucleotide.260": 8750 * 1.1, "extinction.nucleotide.280": 4700 * 1.1}
    for given in (wrong, {**wrong, "extinction.rel_sd": None}):
        result = aavqc.analyze(folder, **given)
        assert [f.id for f in result.samples[0].flags] == ["lengths_disagree"]
    stated = aavqc.analyze(folder, **{**wrong, "extinction.rel_sd": 0.1})
    assert all(intervals(stated, {"empty": 25.0, "partial": 15.0, "full": 60.0}))


@pytest.mark.parametrize(
    "fault",
    [{"extinction": {"nucleotide": {"260": 8750 * 1.1}}}, {"wavelength_offset_nm": 2.0}, {"scatter": 0.05}],
)
def test_one_wavelength_covers_what_it_cannot_see(run: Run, fault: dict[str, Any]) -> None:
    """A coefficient 10 % off, a monochromator 2 nm off, scattered light: nobody stated anything."""
    _, folder = run(od=0.6, **fault)
    result = aavqc.analyze(folder, **{**GIVEN, "extinction.rel_sd": None})
    assert all(intervals(result, {"empty": 25.0, "partial": 15.0, "full": 60.0}))
    assert "extinction.rel_sd is not stated" in " ".join(result.samples[0].warnings)


def test_models_without_species_carry_the_constants_too(run: Run) -> None:
    _, folder = run(od=0.6)
    widths = []
    for rel_sd in (0.0, 0.06):
        result = aavqc.analyze(folder, **{**GIVEN, "extinction.rel_sd": rel_sd}, model="lsg")
        empty = result.attributes["percent_empty"]
        widths.append(empty.ci_high - empty.ci_low)
        assert "diffusion_left_in" in {f.id for f in result.samples[0].flags}
    # particles go with 1/(capsid + nucleotides): 6 % of the full capsids' are 1 point of the empties at 21 %
    assert widths[1] > widths[0] + 1.0


def test_a_wrong_density_is_said(run: Run) -> None:
    _, folder = run(od=0.6)
    result = aavqc.analyze(folder, **GIVEN, density=1.1, viscosity=1.002)
    assert "classes_in_doubt" in {f.id for f in result.samples[0].flags}


def test_a_smear_of_partials_is_said_and_covered(run: Run) -> None:
    smear = [f"{500 + 500 * i}:0.025" for i in range(8)]
    _, folder = run(seed=3, od=0.6, species=["0:0.25", *smear, "4700:0.55"])
    result = aavqc.analyze(folder, **GIVEN)
    assert "smear" in {f.id for f in result.samples[0].flags}
    assert all(intervals(result, {"partial": 17.5, "full": 57.5}))


def test_without_constants_no_particles_and_no_water(run: Run) -> None:
    _, folder = run(od=0.6)
    result = aavqc.analyze(folder, design_length=4700)
    names = {a for a in result.attributes}
    assert not names & {*(f"percent_{c}" for c in CLASSES), "cp_titer_optical", "vg_titer_optical"}
    assert {f"percent_{c}_signal" for c in CLASSES} <= names
    assert not any(name.startswith("s20w") for name in names)
    said = " ".join(result.samples[0].warnings)
    assert "no extinction coefficients at 260 nm" in said
    assert "density and viscosity are not given" in said


def test_cells_and_speeds_of_a_sample_in_one_fit(tmp_path: Path) -> None:
    for name, seed, rpm, meniscus in (("fast", 3, 20000, 6.05), ("slow", 4, 12000, 6.07)):
        simulate(tmp_path / name, AucSimulation(seed=seed, rpm=rpm, meniscus=meniscus, species=THREE))
    result = aavqc.analyze(tmp_path, together=True, **GIVEN)
    (sample,) = result.samples
    channels = sample.diagnostics["channels"]
    assert [round(c["rpm"]) for c in channels] == [20000, 12000]
    assert [c["meniscus"] for c in channels] == pytest.approx([6.05, 6.07], abs=0.003)
    full = result.attributes["percent_full"]
    assert full.scope == "run"
    assert percents(result) == pytest.approx([25.0, 15.0, 60.0, 0.0], abs=0.5)
    values = sample.diagnostics["cells"]["percent_full"]["values"]
    half = 12.7062047 * np.std(values, ddof=1) / np.sqrt(2)  # t of 1 degree of freedom
    assert full.ci_high - full.value >= half * 0.999
    assert "cp_titer_optical" not in result.attributes
    assert {i.name for i in result.document().payload.inputs} >= {"fast/00001.RA1", "slow/00001.RA1"}


def test_f_statistic_limits_hold_the_truth(run: Run) -> None:
    truth, folder = run(od=0.6, scans=30, radial_step=0.006)
    result = aavqc.analyze(folder, profile=["meniscus"], resolution=60, **GIVEN)
    found = result.samples[0].diagnostics["profiles"]["meniscus"]
    assert found["low"] < truth["meniscus"] < found["high"]
    assert found["high"] - found["low"] < 0.02


def test_lengths_of_a_shell_that_grows() -> None:
    s_empty, slope, growth = 65.0, 1.4e-4, 0.2
    for length in (470.0, 3995.0, 5170.0):
        # by hand: r (1 + g (r − 1)) = 1 + slope · length
        a, b, c = growth, 1 - growth, -(1 + slope * length)
        r = (-b + np.sqrt(b * b - 4 * a * c)) / (2 * a)
        assert lengths_at(np.array([s_empty * r]), s_empty, slope, growth)[0] == pytest.approx(length)
    settings = build(TechniqueSettings, {"design_length": 4700})
    edges = windows_from(s_empty, slope, settings, "empty peak", growth).edges
    assert lengths_at(np.array(edges[1:4]), s_empty, slope, growth) == pytest.approx(
        [470, 3995, 5170], rel=1e-4
    )


def test_peaks_are_no_smear() -> None:
    width = np.full(6, 5.0)
    assert smeared_in(np.array([65.0, 75.0, 85.0, 95.0, 105.0, 140.0]), width) == (0, 1, 2, 3)
    assert smeared_in(np.array([65.0, 88.0, 97.0]), width[:3]) == ()
    assert smeared_in(np.array([65.0]), width[:1]) == ()


def test_cells_scatter_by_students_t() -> None:
    windows = ClassWindows(65.0, 1.4e-4, (50.0, 70.0, 95.0, 115.0, 150.0), "empty peak")
    s = np.array([65.0, 105.0])
    by_cell = np.array([[0.20, 0.80], [0.25, 0.75], [0.30, 0.70]])
    found = Capsids(windows, s, np.array([0.0, 4700.0]), s, by_cell, None)
    fitted = Attribute(
        name="percent_full",
        technique="auc",
        value=75.0,
        unit="%",
        ci_low=74.9,
        ci_high=75.1,
        coverage=0.95,
        scope="fit",
    )
    (mended,) = over_cells([fitted], found, 0.95)
    # mean 75, SD 5, t(2, 97.5 %) = 4.302653
    assert mended.ci_high == pytest.approx(75 + 4.302653 * 5 / np.sqrt(3), rel=1e-5)
    assert mended.scope == "run"
    merged = replace(fitted, name="percent_partial_full", value=74.0)
    assert over_cells([merged], found, 0.95)[0].value == pytest.approx(75.0)
    assert scatter(found)["cells"]["percent_full"]["cv_percent"] == pytest.approx(100 * 5 / 75)


def test_slopes_are_known_near_260_and_280_nm_only() -> None:
    assert wavelength_slopes(281.0)[1] < -0.03
    assert wavelength_slopes(230.0) == (0.0, 0.0)
    assert wavelength_slopes(None) == (0.0, 0.0)


def test_fringes_at_a_laser_s_wavelength_are_no_scatter(run: Run) -> None:
    # 675 nm lies where capsids absorb nothing; they refract all the same
    _, folder = run(seed=5, optics="interference", wavelengths=[675.0], od=1.5)
    result = aavqc.analyze(folder, design_length=4700, increment={"protein": 0.187, "dna": 0.17})
    assert "allow 6 % for the ratio of the refractive increments" in " ".join(result.samples[0].warnings)
    assert percents(result) == pytest.approx([25.0, 15.0, 60.0, 0.0], abs=0.5)


def test_an_increment_of_dna_that_is_not_given_is_the_salt_form_s(run: Run) -> None:
    _, folder = run(seed=5, optics="interference", wavelengths=[675.0], od=1.5)
    result = aavqc.analyze(folder, design_length=4700, increment={"protein": 0.187})
    assert "increment.dna is not given: 0.17 mL/g is taken, of DNA as acid" in result.samples[0].warnings
    assert percents(result) == pytest.approx([25.0, 15.0, 60.0, 0.0], abs=0.5)


@pytest.mark.parametrize(
    ("given", "per_kb"),
    [({}, 8.9), ({"dna_salt": "sodium"}, 9.5), ({"vbar_dna": 0.53}, 8.9 * (1 - 0.53) / (1 - 0.55))],
)
def test_a_salt_form_is_a_set_of_its_own(given: dict[str, Any], per_kb: float) -> None:
    """8.9 and 9.5 S a kilobase: 65 S and 3.74 MDa in water, acid and sodium salt with v̄ 0.55."""
    aav2 = {"serotype": "AAV2", "density": 0.99823}
    settings = build(TechniqueSettings, {**aav2, **given})
    assert 65e3 * gain_per_nucleotide(settings) == pytest.approx(per_kb, abs=0.06)


def test_the_shell_weighs_what_the_user_s_proteins_do() -> None:
    other = {"serotype": "AAV6", "capsid.vp_masses": "81854.5,66487.6,59973.5"}
    assert shell_mass(build(TechniqueSettings, other)) == pytest.approx(3.7404e6, abs=100)
    with pytest.raises(UsageError, match="unknown serotype 'AAV6'") as caught:
        shell_mass(build(TechniqueSettings, {"serotype": "AAV6"}))
    assert "capsid.vp_masses" in str(caught.value)


def test_two_wavelengths_of_two_cells_give_the_mean_of_the_cells() -> None:
    s, lengths = np.array([65.0, 107.0]), np.array([0.0, 4700.0])
    per_cell = [np.array([1e-9, 3e-9]), np.array([2e-9, 6e-9])]
    channels, amounts = [], []
    for cell, particles in enumerate(per_cell):
        for nm in (260, 280):
            grid = SignalGrid(np.ones(2), s, np.zeros((2, 2)), 1.0, 0.0, 20.0, float(nm), "OD")
            column = Column(6.0, 6.0, 6.0, 7.2, 7.2, 7.2, 6.1, 7.1)
            channels.append(Channel(cast(Any, None), cell, column, (), grid, [], 0.004))
            molar = GIVEN[f"extinction.capsid.{nm}"] + GIVEN[f"extinction.nucleotide.{nm}"] * lengths
            amounts.append(1.2 * particles * molar)
    found = Found(Parameters((6.0, 6.0), (7.2, 7.2), 13.7), {}, s, np.array(amounts), 1.0)
    resolved = Resolved(s, np.array(amounts), found, [], 1e-8 * np.eye(8))
    windows = ClassWindows(65.0, 1.4e-4, (50.0, 70.0, 95.0, 115.0, 150.0), "empty peak")
    capsids = capsids_of(resolved, channels, windows, build(TechniqueSettings, GIVEN))
    assert capsids.bases is not None
    np.testing.assert_allclose(capsids.bases[:, 0], [1.5e-9, 4.5e-9], rtol=1e-9)
    np.testing.assert_allclose(capsids.bases[:, 1], [0.0, 4.5e-9 * 4700], rtol=1e-9, atol=1e-16)


def test_no_constant_is_drawn_below_zero() -> None:
    wide = {"extinction.rel_sd": 1.0, "extinction.capsid_rel_sd": 1.0, "path_length_rel_sd": 0.5}
    settings, rng = build(TechniqueSettings, wide), np.random.default_rng(0)
    grid = SignalGrid(np.ones(2), np.ones(2), np.zeros((2, 2)), 1.0, 0.0, 20.0, 260.0, "OD")
    channels = [Channel(cast(Any, None), 0, cast(Any, None), (), grid, [], 0.004)]
    drawn = [Constants.draw(settings, channels, rng) for _ in range(200)]
    assert min(float(min(c.capsid[0], c.nucleotide[0], c.path)) for c in drawn) > 0
    assert max(float(c.capsid[0]) for c in drawn) > 2.0


def test_species_that_pass_each_other_take_their_errors_with_them() -> None:
    cell = Parameters((6.0,), (7.2,), 13.7)
    sd = {("meniscus", 0): 0.1, ("s", 0): 9.0, ("s", 1): 6.0, ("s", 2): 7.0}
    found = _ascending(Found(cell, sd, np.array([90.0, 60.0, 70.0]), np.array([[9.0, 6.0, 7.0]]), 1.0))
    assert found.s.tolist() == [60.0, 70.0, 90.0]
    assert found.amounts.tolist() == [[6.0, 7.0, 9.0]]
    assert [found.sd["s", k] for k in range(3)] == [6.0, 7.0, 9.0]
    assert found.sd["meniscus", 0] == 0.1


def test_a_limit_beyond_where_the_search_may_go_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    # χ² = 1 + 100 (meniscus − 6)²; F(0.95; 100, 100) = 1.39: the limits lie 0.062 cm from the best
    def search(problem: Problem, s: np.ndarray, start: Parameters, free: list[Any]) -> Found:
        return Found(start, sd, s, np.ones((1, 1)), 1.0 + 100.0 * (start.meniscus[0] - 6.0) ** 2)

    class Points(Problem):
        points = property(lambda self: 100)

    monkeypatch.setattr(f_statistic, "search", search)
    sd = {("meniscus", 0): 0.03}
    best = Parameters((6.0,), (7.2,), 13.7)
    found = Found(best, sd, np.array([65.0]), np.ones((1, 1)), 1.0)
    problem = Points(
        (),
        lambda s, shape, growth: s,
        best.having(("meniscus", 0), 5.99),
        best.having(("meniscus", 0), 6.5),
        {},
    )
    limits = f_statistic_limits(problem, found, found.s, ["meniscus"], 0.95)["meniscus"]
    assert limits["low"] is None  # the first step goes beyond
    assert limits["high"] == pytest.approx(6.0626, abs=5e-4)
