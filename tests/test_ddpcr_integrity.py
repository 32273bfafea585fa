"""Species of a multiplex and genome integrity: published vectors, truth, and likelihood."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from aavqc.ddpcr import TechniqueSettings
from aavqc.ddpcr import analyze as analyze_plate
from aavqc.ddpcr.integrity import Integrity, integrity, normalised
from aavqc.ddpcr.joint import Joint, linked, shown
from aavqc.ddpcr.species import contiguous, pattern_probabilities, species
from aavqc.documents import Sample
from aavqc.intervals import clopper_pearson
from aavqc.kernels.gating import count_patterns
from aavqc.records import DropletPlate, InputFile, WellClusters, WellRow

SETTINGS = TechniqueSettings(lysis="pre_lysis")


def bits(pattern: str) -> int:
    return sum(1 << t for t, sign in enumerate(pattern) if sign == "1")


def densities(by_pattern: Mapping[str, float]) -> NDArray[np.float64]:
    found = np.zeros(2 ** len(next(iter(by_pattern))))
    for pattern, value in by_pattern.items():
        found[bits(pattern)] = value
    return found


def droplets(
    seed: int, by_pattern: Mapping[str, float], n: int = 15000, volume_cv: float = 0.0
) -> NDArray[np.int64]:
    """Return counts by pattern, from molecules in droplets one by one: no formula of the fit."""
    random = np.random.default_rng(seed)
    volume = np.clip(1 + volume_cv * random.standard_normal(n), 0, None)
    pattern = np.zeros(n, np.int64)
    for species_pattern, value in by_pattern.items():
        pattern |= np.where(random.poisson(value * volume) > 0, bits(species_pattern), 0)
    return np.bincount(pattern, minlength=2 ** len(next(iter(by_pattern)))).astype(np.int64)


MIXED = {"1111": 0.10, "1100": 0.05, "0011": 0.05, "0001": 0.02}


def test_pattern_probabilities_of_the_published_vector() -> None:
    found = pattern_probabilities(densities(MIXED))
    expected = {
        "0000": 0.8025188, "0001": 0.01621196, "0011": 0.04197722,
        "1100": 0.04114602, "1101": 0.0008312, "1111": 0.0973148,
    }  # fmt: skip
    for pattern, value in expected.items():
        assert found[bits(pattern)] == pytest.approx(value, rel=1e-5)
    assert found.sum() == pytest.approx(1, rel=1e-12)


def test_closed_form_returns_the_species() -> None:
    truth = densities(MIXED)
    counts = np.rint(pattern_probabilities(truth) * 1e13).astype(np.int64)
    found = species(counts)
    assert found is not None
    assert found.density == pytest.approx(truth, abs=1e-9)
    intact = integrity([Joint("A01", ("a", "b", "c", "d"), counts)], SETTINGS)
    assert intact is not None
    assert 100 * intact.value == pytest.approx(45.4545, abs=1e-3)
    assert 100 * intact.naive == pytest.approx(49.278, abs=1e-3)


def test_fragments_that_share_a_droplet_are_not_linked() -> None:
    counts = np.rint(pattern_probabilities(densities({"1100": 0.1, "0011": 0.1})) * 1e13).astype(np.int64)
    intact = integrity([Joint("A01", ("a", "b", "c", "d"), counts)], SETTINGS)
    assert intact is not None
    assert intact.value == pytest.approx(0, abs=1e-9)
    assert 100 * intact.naive == pytest.approx(4.996, abs=1e-3)


def test_two_targets_give_the_vendor_s_linkage() -> None:
    counts = np.array([13838, 4, 81, 1897])
    found = species(counts)
    assert found is not None
    assert found.density[3] == pytest.approx(linked(Joint("A01", ("a", "b"), counts)), rel=1e-12)
    assert 1e3 * found.density[3] / 0.91 == pytest.approx(140, abs=0.5)  # as QuantaSoft printed it


@pytest.mark.parametrize("targets", [2, 3, 5, 6])
@pytest.mark.parametrize("volume_cv", [0.0, 0.1])
def test_any_multiplex_up_to_six(targets: int, volume_cv: float) -> None:
    truth = np.random.default_rng(targets).exponential(0.4 / 2**targets, 2**targets)
    truth[0] = 0.0
    counts = np.rint(pattern_probabilities(truth, volume_cv) * 1e13).astype(np.int64)
    found = species(counts, volume_cv)
    assert found is not None
    assert not found.constrained
    assert found.density == pytest.approx(truth, abs=1e-8)


@pytest.mark.parametrize("volume_cv", [0.0, 0.1])
def test_the_constrained_estimate_maximises_the_likelihood(volume_cv: float) -> None:
    random = np.random.default_rng(3)
    truth = densities({"100": 0.3, "010": 0.3, "001": 0.3})
    counts = random.multinomial(3000, pattern_probabilities(truth, volume_cv)).astype(np.int64)
    found = species(counts, volume_cv)
    assert found is not None
    assert found.constrained
    assert (found.density >= 0).all()

    def likelihood(density: NDArray[np.float64]) -> float:
        seen = counts > 0
        chance = pattern_probabilities(density, volume_cv)[seen]
        return float((counts[seen] * np.log(np.maximum(chance, 1e-300))).sum())

    best = likelihood(found.density)
    for _ in range(300):
        step = found.density * np.exp(0.02 * random.standard_normal(8)) + 1e-4 * random.random(8)
        step[0] = 0.0
        assert likelihood(step) <= best + 1e-6


@pytest.mark.parametrize("level", [0.2, 1.0])
def test_integrity_from_molecules_in_droplets(level: float) -> None:
    truth = {"111": 0.7 * level, "110": 0.15 * level, "001": 0.1 * level, "010": 0.05 * level}
    errors, inside = [], 0
    for seed in range(60):
        joints = [Joint(w, ("a", "b", "c"), droplets(10 * seed + i, truth)) for i, w in enumerate("AB")]
        found = integrity(joints, SETTINGS)
        assert found is not None
        errors.append(found.value - 0.7)
        inside += found.low <= 0.7 <= found.high
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(60)
    assert np.max(np.abs(errors)) < 0.05
    assert inside >= 51  # 60 draws at 95 %: below with a chance of 1 in 1,000


@pytest.mark.parametrize(("molecules", "intact"), [(8, 0.9), (50, 0.97), (300, 0.995)])
def test_intervals_hold_near_the_ends(molecules: float, intact: float) -> None:
    level = molecules / 15000
    truth = {"11": intact * level, "10": 0.5 * (1 - intact) * level, "01": 0.5 * (1 - intact) * level}
    found = [integrity([Joint("A", ("a", "b"), droplets(s, truth))], SETTINGS) for s in range(200)]
    outside = sum(f is not None and not f.low <= intact <= f.high for f in found)
    assert outside <= 20  # of 200 at 95 %: more with a chance of 1 in 1,000


@pytest.mark.parametrize("counts", [[14980, 0, 0, 20], [14800, 0, 0, 200], [14978, 10, 12, 0]])
def test_none_seen_is_not_none_there(counts: list[int]) -> None:
    """Beside Clopper and Pearson's interval of the molecules, which chance hardly brings together here."""
    found = integrity([Joint("A", ("a", "b"), np.array(counts))], SETTINGS)
    low, high = clopper_pearson(counts[3], sum(counts[1:]))
    assert found is not None
    assert found.low == pytest.approx(low, abs=0.25 * (high - low))
    assert found.high == pytest.approx(high, abs=0.25 * (high - low))


def test_false_linkage_by_volume_scatter_is_corrected() -> None:
    truth = {"10": 0.8, "01": 0.8}
    counts = droplets(5, truth, n=2_000_000, volume_cv=0.15)
    plain, corrected = (species(counts, cv) for cv in (0.0, 0.15))
    assert plain is not None
    assert corrected is not None
    assert plain.density[3] == pytest.approx(0.15**2 * 0.8 * 0.8, rel=0.15)
    assert corrected.density[3] < 0.15 * plain.density[3]


def test_a_species_with_a_gap() -> None:
    assert [contiguous(bits(p)) for p in ("111", "011", "101", "1001", "0110")] == [
        True,
        True,
        False,
        False,
        True,
    ]


def plate(wells: Mapping[str, tuple[str, NDArray[np.int64]]], targets: int = 3) -> DropletPlate:
    rows, clusters = [], {}
    names = tuple("abcdef"[:targets])
    for well, (sample, counts) in wells.items():
        n = int(counts.sum())
        for t, name in enumerate(names):
            k = int(counts[(np.arange(counts.size) >> t) & 1 == 1].sum())
            rows.append(
                WellRow(well=well, channel=f"Ch{t + 1}", target=name, sample=sample, accepted=n,
                        positives=k, negatives=n - k, copies_per_ul=1.0)
            )  # fmt: skip
        patterns = {"".join(str(i >> t & 1) for t in range(targets)): int(c) for i, c in enumerate(counts)}
        clusters[well] = (WellClusters(targets=names, counts=patterns),)
    return DropletPlate(
        name="p.csv", sample_id="p", format="x", inputs=(InputFile("p.csv", "0" * 64, 1),), software="s",
        rows=tuple(rows), clusters=clusters, partition_volume_nl=0.85, partition_volume_source="software",
    )  # fmt: skip


def run(record: DropletPlate, **settings: object) -> dict[str, Sample]:
    outcome = analyze_plate(record, TechniqueSettings(**settings))  # type: ignore[arg-type]
    return {s.sample_id: s for s in outcome.samples}


def test_integrity_of_a_sample_beside_a_linear_control() -> None:
    sample = {"111": 0.14, "110": 0.03, "001": 0.03}
    control = {"111": 0.18, "110": 0.01, "011": 0.01}
    record = plate(
        {
            "A01": ("S", droplets(1, sample, 20000)),
            "B01": ("S", droplets(2, sample, 20000)),
            "C01": ("L", droplets(3, control, 20000)),
        }
    )
    found = run(record, lysis="pre_lysis", roles={"L": "linear_control"})["S"]
    raw = found.attribute_set["genome_integrity_raw"]
    relative = found.attribute_set["genome_integrity_normalised"]
    assert (raw.ci_low or 0) <= 70 <= (raw.ci_high or 0)
    assert raw.scope == "run"
    assert (relative.ci_low or 0) <= 100 * 0.7 / 0.9 <= (relative.ci_high or 0)
    width = [(a.ci_high or 0) - (a.ci_low or 0) for a in (raw, relative)]
    assert width[1] > width[0] / 0.9
    assert found.diagnostics["integrity"]["targets"] == ["a", "b", "c"]


def test_without_lysis_there_is_no_integrity() -> None:
    record = plate({"A01": ("S", droplets(1, {"111": 0.1}))})
    found = run(record)["S"]
    assert "genome_integrity_raw" not in found.attribute_set
    assert any("lysis" in w for w in found.warnings)
    assert found.diagnostics["integrity"]["integrity_percent"] == pytest.approx(100, abs=1)


def test_flags_of_an_integrity() -> None:
    dense = plate({"A01": ("S", droplets(1, {"111": 0.5, "101": 0.1}))})
    flags = {f.id for f in run(dense, lysis="in_droplet")["S"].flags}
    assert {"integrity_lambda_high", "detection_failure"} <= flags
    thin = plate({"A01": ("S", droplets(1, {"111": 0.1, "100": 0.02}))})
    assert not {f.id for f in run(thin, lysis="in_droplet")["S"].flags}


def test_a_control_at_another_density_does_not_normalise() -> None:
    base = Integrity(("a", "b"), ("A01",), 0.8, 0.75, 0.85, 0.8, 0.2, {}, 0.0, False)
    other = Integrity(("a", "b"), ("B01",), 0.9, 0.85, 0.95, 0.9, 0.5, {}, 0.0, False)
    assert normalised(base, other) is None
    better = Integrity(("a", "b"), ("B01",), 0.78, 0.75, 0.81, 0.9, 0.2, {}, 0.0, False)
    above = normalised(base, better)
    assert above is not None
    assert above.value > 1  # not cut


def test_the_pattern_kernel_counts_as_numpy_does() -> None:
    amplitude = np.random.default_rng(0).normal(0, 1, (4000, 3))
    thresholds = np.array([0.1, -0.5, 1.0])
    found = np.zeros(8, np.int64)
    count_patterns(amplitude, thresholds, found)
    index = ((amplitude > thresholds) * np.array([1, 2, 4])).sum(axis=1)
    assert np.array_equal(found, np.bincount(index, minlength=8))


def test_hidden_droplets_are_given_back_to_complete_patterns() -> None:
    """1000 droplets with both targets, of which a gate missed a tenth of the second."""
    seen = Joint("A01", ("a", "b"), np.array([5000, 100, 0, 900]), (0.0, 1 / 9))
    assert shown(seen).counts.tolist() == [5000, 0, 0, 1000]
