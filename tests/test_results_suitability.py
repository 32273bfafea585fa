"""Suitability of a run by its controls: windows, drift, and what follows for the run's tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from aavqc.attributes import Attribute
from aavqc.batch import run
from aavqc.cli import app
from aavqc.documents import Sample
from aavqc.errors import SpecificationError, UnitError
from aavqc.results import Candidate, Evaluation, Specification

TEST = {"id": "full", "attribute": "percent_full", "technique": "auc", "limit": "NLT 70.0 %"}
WINDOW = {"id": "reference", "attribute": "percent_full", "technique": "auc", "limit": "80.0 – 90.0 %"}
DRIFT = {**WINDOW, "drift": "NMT 2.0 %"}


def full(value: float = 75.0, **fields: Any) -> Attribute:
    return Attribute(
        **{"name": "percent_full", "technique": "auc", "unit": "%", "value": value, **fields}  # type: ignore[arg-type]
    )


def sample(value: float = 75.0, run: str | None = "a") -> Candidate:
    return Candidate(full(value), "S1", run=run)


def reference(value: float, replicate: str = "1", run: str | None = "a", **fields: Any) -> Candidate:
    return Candidate(full(value), "REF", replicate=replicate, run=run, role="reference", **fields)


def check(
    *candidates: Candidate, suitability: dict[str, Any] = DRIFT, test: dict[str, Any] = TEST
) -> Evaluation:
    spec = Specification(id="S", version="1", tests=[test], suitability=[suitability])
    return spec.check(candidates)


@pytest.mark.req("SPEC-R11")
@pytest.mark.parametrize(
    ("first", "last", "outcome", "words"),
    [
        (84.0, 86.0, "PASS", "conforms"),
        (84.0, 86.04, "PASS", "conforms"),  # a drift of 2.04 rounds to 2.0
        (84.0, 86.05, "INVALID", "drift of 2.1 % over 2 results does not conform to NMT 2.0 %"),
        (86.05, 84.0, "INVALID", "drift of 2.1 %"),
        (79.9, 80.1, "INVALID", "79.9 % does not conform to 80.0 – 90.0 %"),
        (89.9, 90.1, "INVALID", "90.1 % does not conform"),
    ],
)
def test_window_and_drift_of_the_reference_decide_on_the_run(
    first: float, last: float, outcome: str, words: str
) -> None:
    found = check(sample(), reference(first, "1"), reference(last, "2"))
    assert found.overall == outcome
    assert words in found.suitability[0].statement
    verdict = found["full"]
    assert verdict.n == 1  # controls are never among a test's results
    if outcome == "INVALID":
        assert (verdict.rounded, verdict.trace[-1].code) == (None, "run_suitability")
        assert words in verdict.reason
        assert found.exit_code == 4
    else:
        assert verdict.rounded == "75.0"


@pytest.mark.req("SPEC-R11")
def test_an_unsuitable_run_hides_an_oos_and_a_pass_alike() -> None:
    for value in (10.0, 99.0):
        assert check(sample(value), reference(60.0), suitability=WINDOW)["full"].verdict == "INVALID"


@pytest.mark.req("SPEC-R18")
def test_a_run_whose_suitability_can_t_be_shown_never_passes() -> None:
    assert check(sample(), suitability=WINDOW).overall == "INCOMPLETE"
    assert check(sample(), reference(85.0)).overall == "INCOMPLETE"  # one result has no drift
    assert "no drift" in check(sample(), reference(85.0))["full"].reason
    other_run = reference(85.0, run="b")
    assert check(sample(), other_run, suitability=WINDOW).overall == "INCOMPLETE"
    assert check(sample(run=None), other_run, suitability=WINDOW).overall == "INCOMPLETE"
    nowhere = check(sample(run=None), reference(85.0, run=None), suitability=WINDOW)
    assert (nowhere.overall, nowhere.suitability[0].run) == ("INCOMPLETE", None)
    positive = Candidate(full(85.0), "PC", run="a", role="positive_control")
    assert check(sample(), positive, suitability=WINDOW).overall == "INCOMPLETE"
    assert check(sample(), Candidate(full(85.0), "S2", run="a"), suitability=WINDOW).overall == "INCOMPLETE"
    # the same reference twice is a slip of the sample sheet
    assert check(sample(), reference(85.0), reference(85.1)).overall == "INCOMPLETE"
    censored = Candidate(full(85.0, qualifier="<", bound=85.0), "REF", run="a", role="reference")
    assert check(sample(), censored, suitability=WINDOW).overall == "INDETERMINATE"
    report = {**DRIFT, "limit": "report"}
    assert check(sample(), censored, reference(85.0, "2"), suitability=report).overall == "INDETERMINATE"


@pytest.mark.req("SPEC-R11")
def test_an_invalid_reference_makes_the_run_invalid() -> None:
    found = check(sample(), reference(85.0, sample_status="invalid"), suitability=WINDOW)
    assert found.overall == "INVALID"
    nothing = Candidate(None, "REF", "invalid", technique="auc", run="a", role="reference")
    assert check(sample(), nothing, reference(85.0), suitability=WINDOW).overall == "INVALID"


@pytest.mark.req("SPEC-R11")
def test_only_the_run_and_the_technique_are_concerned() -> None:
    tests = [TEST, {**TEST, "id": "cdms", "technique": "cdms"}, {**TEST, "id": "any", "technique": None}]
    spec = Specification(id="S", version="1", tests=tests, suitability=[WINDOW])
    cdms = Candidate(full(75.0, technique="cdms"), "S1", run="a")
    found = spec.check([sample(), cdms, reference(60.0)])
    assert [v.verdict for v in found.verdicts] == ["INVALID", "PASS", "INVALID"]
    # of two runs the worse decides: their results are one test's
    later = Candidate(full(76.0), "S1", replicate="2", run="b")
    both = [sample(), later, reference(85.0), reference(60.0, run="b")]
    found = spec.check(both)
    assert found["full"].verdict == "INVALID"
    assert [(s.run, s.judged.verdict) for s in found.suitability] == [("a", "PASS"), ("b", "INVALID")]
    assert spec.check(both[::-1]) == found


def test_a_drift_is_of_the_mean_unless_the_attribute_is_in_per_cent() -> None:
    def titers(*values: float, drift: str) -> str:
        test = {"id": "t", "attribute": "vg_titer", "technique": "ddpcr", "limit": "report"}
        asked = {**test, "id": "r", "drift": drift}
        of = {"name": "vg_titer", "technique": "ddpcr", "unit": "vg/mL"}
        controls = [
            Candidate(full(v, **of), "REF", replicate=str(i), run="a", role="reference")
            for i, v in enumerate(values)
        ]
        return check(
            Candidate(full(1e13, **of), "S1", run="a"), *controls, test=test, suitability=asked
        ).overall

    assert titers(0.97e13, 1.03e13, drift="NMT 6 %") == "REPORTED"
    assert titers(0.97e13, 1.03e13, drift="NMT 5 %") == "INVALID"
    assert titers(0.97e13, 1.03e13, drift="NMT 6.0E11") == "REPORTED"
    assert titers(0.97e13, 1.03e13, drift="NMT 5.0E8 vg/µL") == "INVALID"
    assert titers(-1.0, 1.0, drift="NMT 5 %") == "INDETERMINATE"
    with pytest.raises(UnitError, match="drift"):
        titers(0.97e13, 1.03e13, drift="NMT 5 cp/mL")


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"technique": "AUC"}, "suitability.0.technique"),
        ({"limit": "NLT"}, "suitability.0.limit"),
        ({"drift": "NLT 2.0 %"}, "suitability.0.drift"),
        ({"drift": "2.0 %"}, "suitability.0.drift"),
        ({"drift": "report"}, "suitability.0.drift"),
        ({"drift": "80 – 120 % of label"}, "suitability.0.drift"),
    ],
)
def test_what_can_t_be_used_is_named(change: dict[str, Any], key: str, tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=key):
        check(suitability={**DRIFT, **change})
    with pytest.raises(SpecificationError, match="used twice"):
        Specification(id="S", version="1", tests=[TEST], suitability=[WINDOW, WINDOW])
    path = tmp_path / "s.toml"
    lines = ['schema = "aavqc.specification/1"', 'id = "S"', 'version = "1"', "[[tests]]"]
    lines += [f'{k} = "{v}"' for k, v in TEST.items()]
    lines += ["[[suitability]]", *(f'{k} = "{v}"' for k, v in {**DRIFT, **change}.items())]
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(SpecificationError) as raised:
        Specification.load(path)
    wrong = next(iter(change))
    assert raised.value.line == max(i for i, line in enumerate(lines, 1) if line.startswith(wrong))


def test_samples_of_a_result_bring_their_run_and_role() -> None:
    spec = Specification(id="S", version="1", tests=[TEST], suitability=[WINDOW])
    samples = [
        Sample(sample_id="S1", record="run7#cell1", attributes=[full(75.0)]),
        Sample(sample_id="REF", record="run7#cell2-RI", role="reference", attributes=[full(85.0)]),
    ]
    assert spec.check(samples).overall == "PASS"
    elsewhere = samples[1].model_copy(update={"record": "run8#cell2"})
    assert spec.check([samples[0], elsewhere]).overall == "INCOMPLETE"


SPEC = """schema = "aavqc.specification/1"
id = "S"
version = "1"
status = "approved"
[[tests]]
id = "titer"
attribute = "vg_titer"
technique = "ddpcr"
target = "CAG"
limit = "report"
[[tests]]
id = "endotoxin"
attribute = "endotoxin"
technique = "lal"
limit = "NMT 5.0 EU/mL"
[[suitability]]
id = "positive-control"
attribute = "vg_titer"
technique = "ddpcr"
target = "CAG"
role = "positive_control"
limit = "{limit}"
"""


@pytest.fixture
def plate(example_lot: Path, tmp_path: Path) -> Path:
    """The plate of the example lot, its positive control a lot of its own."""
    lot = tmp_path / "lot"
    shutil.copytree(example_lot / "ddpcr", lot / "ddpcr")
    shutil.copy(example_lot / "method_ddpcr.toml", lot)
    head, *rows = (example_lot / "samples.csv").read_text().splitlines()
    rows = [row.replace("EX24-001,positive", "PC-07,positive") for row in rows if row.startswith("ddpcr")]
    (lot / "samples.csv").write_text("\n".join([head, *rows]) + "\n")
    (tmp_path / "other.csv").write_text(
        "lot,sample_id,attribute,technique,value,unit\nEX24-001,S1,endotoxin,lal,<0.5,EU/mL\n"
    )
    (tmp_path / "links.toml").write_text('schema = "aavqc.links/1"\n')
    return lot


@pytest.mark.parametrize(
    ("limit", "exit_code", "overall"), [("NLT 1E9 vg/mL", 0, "PASS"), ("NMT 1E9 vg/mL", 4, "INVALID")]
)
def test_batch_and_check_agree_on_the_controls_of_a_run(
    plate: Path, tmp_path: Path, limit: str, exit_code: int, overall: str
) -> None:
    spec, other = tmp_path / "spec.toml", str(tmp_path / "other.csv")
    spec.write_text(SPEC.format(limit=limit))
    report = run(plate, tmp_path / "out", specification=spec, other=[other], links=tmp_path / "links.toml")
    (evaluation,) = report.evaluations  # the standard's lot is not judged
    assert (evaluation.lot, evaluation.overall, report.exit_code) == ("EX24-001", overall, exit_code)
    assert evaluation["endotoxin"].verdict == "PASS"
    with pytest.raises(SystemExit) as ended:
        app(["check", str(tmp_path / "out"), "--spec", str(spec), "--other", other, "--csv"])
    assert ended.value.code == exit_code


def test_runs_have_one_order() -> None:
    runs = ["r2", "r10", "r1", "r01"]
    spec = Specification(id="S", version="1", tests=[TEST], suitability=[WINDOW])
    found = spec.check([Candidate(full(), "S1", replicate=run, run=run) for run in runs])
    assert [s.run for s in found.suitability] == ["r01", "r1", "r2", "r10"]
