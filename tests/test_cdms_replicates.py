"""CDMS: several records of one sample, reported as their mean."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import Result, analyze
from aavqc.attributes import Attribute
from aavqc.cdms.replicates import mean_of_replicates
from aavqc.documents import Sample
from aavqc.errors import UsageError
from aavqc.intervals import wilson
from aavqc.report.cdms_figures import cdms_figures
from cdms_lists import Lot, draw

AAV = {"charge_slope": 112_100.0, "serotype": "AAV2", "design_length": 4700, "sigma_z": 1.0}
NAMES = ("percent_empty", "percent_partial", "percent_full", "percent_overfull")


def write(path: Path, lot: Lot, seed: int) -> None:
    ions = draw(lot, seed)
    columns = np.column_stack([ions.mz, ions.intensity, ions.scan])
    np.savetxt(
        path, columns, fmt=["%.4f", "%.1f", "%d"], delimiter=",", header="mz,intensity,scan", comments=""
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists")
    for i, full in enumerate((0.50, 0.50, 0.56)):
        write(path / f"run{i + 1}.csv", Lot((0.8 - full, 0.12, full, 0.08), 3000), i)
    write(path / "other.csv", Lot((0.5, 0.1, 0.4, 0.0), 3000), 9)
    (path / "samples.csv").write_text(
        "export,lot,sample_id,replicate\n"
        "run1.csv,L1,S1,1\nrun2.csv,L1,S1,2\nrun3.csv,L1,S1,3\nother.csv,L1,S2,1\n",
        encoding="utf-8",
    )
    return path


@pytest.fixture(scope="module")
def apart(folder: Path) -> Result:
    return analyze(folder, samples=folder / "samples.csv", **AAV)


def test_without_together_each_record_is_a_sample(apart: Result) -> None:
    assert [(s.sample_id, s.replicate) for s in apart.samples] == [
        ("S1", "1"), ("S1", "2"), ("S1", "3"), ("S2", "1"),
    ]  # fmt: skip
    assert {a.scope for s in apart.samples for a in s.attributes} == {"fit"}


def test_records_of_one_sample_are_a_mean_of_scope_run(folder: Path, apart: Result) -> None:
    found = analyze(folder, samples=folder / "samples.csv", together=True, **AAV)
    mean, other = found.samples
    assert (mean.sample_id, other.sample_id, mean.lot) == ("S1", "S2", "L1")
    assert other.attributes == apart.samples[3].attributes
    each = [s.attribute_set for s in apart.samples[:3]]
    for name in (*NAMES, "mass_empty", "packaged_length"):
        attribute = mean.attribute_set[name]
        values = [a[name].value for a in each]
        assert attribute.value == pytest.approx(np.mean(values))
        assert attribute.scope == "run"
        assert mean.diagnostics["scatter"][name]["sd"] == pytest.approx(np.std(values, ddof=1))
    assert sum(mean.attribute_set[n].value for n in NAMES) == pytest.approx(100)
    assert [r["replicate"] for r in mean.diagnostics["replicates"]] == ["1", "2", "3"]
    funnel = {row["step"]: row["ions"] for row in mean.diagnostics["funnel"]}
    assert funnel["read"] == 9000 == sum(n for step, n in funnel.items() if step != "read")
    assert "cdms.replicates/1" in found.payload.algorithms
    # 6 points between runs that counting knows to 0.9: in the interval, and said
    full = mean.attribute_set["percent_full"]
    assert full.ci_low is not None
    assert full.ci_high is not None
    assert full.ci_high - full.ci_low > 2 * 1.96 * np.std([a["percent_full"].value for a in each]) / 3**0.5
    assert "replicates_differ" in {f.id for f in mean.flags}


def test_without_a_sheet_all_records_of_the_path_are_one_sample(folder: Path, tmp_path: Path) -> None:
    for name in ("run1.csv", "run2.csv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert len(analyze(tmp_path, **AAV).samples) == 2
    found = analyze(tmp_path, together=True, **AAV)
    assert found.attributes["percent_full"].scope == "run"
    assert "replicates_differ" not in {f.id for f in found.samples[0].flags}


def test_a_scale_that_all_share_gets_no_better_by_repetition(folder: Path, apart: Result) -> None:
    mean = analyze(folder, samples=folder / "samples.csv", together=True, **AAV).samples[0].attribute_set
    for name in ("mass_empty", "mass_full", "genome_mass"):
        halves = [(a.ci_high - a.ci_low) / 2 for a in (s.attribute_set[name] for s in apart.samples[:3])]
        assert (mean[name].ci_high - mean[name].ci_low) / 2 >= np.mean(halves)


def test_figures_of_a_mean_say_what_they_can_not_show(folder: Path) -> None:
    result = analyze(folder, samples=folder / "samples.csv", together=True, **AAV)
    pictures = cdms_figures(result.samples[0], {})
    assert {"Ions by m/z and charge", "Distribution of masses"} <= {p.title for p in pictures}


def test_an_invalid_replicate_is_left_out_and_said(tmp_path: Path) -> None:
    for i in (1, 2):
        write(tmp_path / f"run{i}.csv", Lot((0.4, 0.0, 0.6, 0.0), 3000), i)
    write(tmp_path / "run3.csv", Lot((0.4, 0.0, 0.6, 0.0), 30), 3)
    (sample,) = analyze(tmp_path, together=True, **AAV).samples
    assert sample.status == "valid"
    assert sample.diagnostics["scatter"]["percent_full"]["records"] == 2
    (flag,) = [f for f in sample.flags if f.id == "replicate_left_out"]
    assert "run3.csv" in flag.message


def test_where_none_is_valid_the_reason_is_invalid_too(tmp_path: Path) -> None:
    for i in (1, 2):
        write(tmp_path / f"run{i}.csv", Lot((0.4, 0.0, 0.6, 0.0), 30), i)
    (sample,) = analyze(tmp_path, together=True, **AAV).samples
    assert sample.status == "invalid"
    assert {f.severity for f in sample.flags if f.id == "replicate_left_out"} == {"invalid"}


@pytest.mark.parametrize("other", [{"unit": "kDa"}, {"coverage": 0.99}])
def test_what_is_not_in_one_unit_with_one_coverage_has_no_mean(other: dict[str, object]) -> None:
    first, second = counted(30, 100, "a"), counted(40, 100, "b")
    changed = second.model_copy(update={"attributes": [replace(second.attributes[0], **other)]})
    found = mean_of_replicates([first, changed], 0.95)
    assert found.attributes == []
    assert any("percent_full" in warning for warning in found.warnings)


def test_the_means_of_a_folder_state_what_each_record_was_told(folder: Path) -> None:
    found = analyze(folder, samples=folder / "samples.csv", together=True, **AAV)
    assert {part.sample_id for part in found.payload.method.parts} == {"S1", "S2"}
    assert "cdms.replicates/1" in found.payload.algorithms


def test_ions_and_masses_are_not_averaged(tmp_path: Path) -> None:
    write(tmp_path / "run1.csv", Lot((0.4, 0.0, 0.6, 0.0), 500), 1)
    (tmp_path / "masses.csv").write_text("mass_kDa\n" + "3740\n" * 60, encoding="utf-8")
    with pytest.raises(UsageError, match="together"):
        analyze(tmp_path, together=True, **AAV)


def counted(k: int, n: int, name: str) -> Sample:
    low, high = wilson(k, n)
    share = Attribute(
        name="percent_full", technique="cdms", value=100 * k / n, unit="%", ci_low=100 * low, lod=300 / n,
        ci_high=100 * high, coverage=0.95, scope="fit", qualifier=None if k else "ND",
        bound=None if k else 100 * high,
    )  # fmt: skip
    return Sample(sample_id="s", record=name, attributes=[share], diagnostics={"funnel": []})


@pytest.mark.parametrize("between", [0.0, 0.009, 0.018])
@pytest.mark.parametrize("k", [2, 3, 6])
def test_intervals_hold_the_mean_of_runs_that_differ(k: int, between: float) -> None:
    """Runs whose true share differs with SD 0, one or two times that of counting 3,000 ions."""
    rng = np.random.default_rng(5)
    held, sets = 0, 2000
    for _ in range(sets):
        truth = np.clip(rng.normal(0.5, between, k), 0, 1)
        found = mean_of_replicates([counted(int(rng.binomial(3000, p)), 3000, "r") for p in truth], 0.95)
        (share,) = found.attributes
        held += share.ci_low <= 50 <= share.ci_high
    # a variance of five times counting's: so few runs tell their own scatter badly
    assert held / sets >= (0.91 if between == 0.018 else 0.935)


def test_a_class_that_no_replicate_shows_stays_not_detected() -> None:
    found = mean_of_replicates([counted(0, 1000, "a"), counted(0, 1000, "b")], 0.95).attributes[0]
    assert (found.qualifier, found.value, found.ci_low) == ("ND", 0.0, 0.0)
    assert found.bound == found.ci_high == pytest.approx(100 * wilson(0, 1000)[1])
    seen = mean_of_replicates([counted(0, 1000, "a"), counted(30, 1000, "b")], 0.95).attributes[0]
    assert (seen.qualifier, seen.value) == (None, pytest.approx(1.5))
