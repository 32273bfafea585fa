"""Batch: nothing is lost, the same bytes for any number of workers, verdicts as the README shows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import aavqc
from aavqc.batch import BatchReport, run
from aavqc.batch.pool import local_pool
from aavqc.batch.tables import RESULT_COLUMNS
from aavqc.batch.verify import verify
from aavqc.documents import ResultDocument
from aavqc.sheet import load_sheet
from aavqc.textfiles import to_csv

SCHEMAS = Path(aavqc.__file__).parent / "schemas"


THAT_MUST_VERIFY = ("audit.jsonl", "aavqc.sqlite")


def check_schema(name: str, path: Path) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(path.read_text(encoding="utf-8")), schema)


@pytest.fixture
def done(example_batch: BatchReport) -> BatchReport:
    return example_batch


@pytest.fixture
def small_lot(example_lot: Path, tmp_path: Path) -> Path:
    """The plate and one CDMS run of the example lot: fast to analyze."""
    lot = tmp_path / "lot"
    shutil.copytree(example_lot, lot, ignore=shutil.ignore_patterns("auc", "run1.csv"))
    rows = (lot / "samples.csv").read_text().splitlines()
    kept = [row for row in rows if not row.startswith(("auc", "cdms/run1"))]
    (lot / "samples.csv").write_text("\n".join(kept) + "\n")
    return lot


def test_example_lot_passes(done: BatchReport) -> None:
    assert done.exit_code == 0
    assert done.manifest.problems == []
    assert not done.errors
    (evaluation,) = done.evaluations
    assert evaluation.overall == "PASS"
    assert evaluation.lot == "EX24-001"


def test_every_file_has_a_row(done: BatchReport, example_lot: Path) -> None:
    rows = {entry.path: entry for entry in done.manifest.files}
    assert set(rows) == {p.relative_to(example_lot).as_posix() for p in example_lot.rglob("*") if p.is_file()}
    assert all(entry.sha256 for entry in rows.values())
    assert rows["samples.csv"].reason == "sample sheet"
    assert rows["method_auc.toml"].reason == "read as a method"
    assert rows["specification.toml"].reason == "read as a specification"
    assert rows["auc/00001.RA1"].record == "auc#cell1"


def test_outputs_validate_against_the_committed_schemas(done: BatchReport, example_lot: Path) -> None:
    check_schema("manifest", done.out / "manifest.json")
    check_schema("evaluation", done.out / "lots" / "EX24-001.json")
    results = sorted((done.out / "results").glob("*.json"))
    assert len(results) == 4
    for path in results:
        check_schema("result", path)
        document = ResultDocument.load(path)
        assert document.envelope.actor == "tester"
        assert (
            path.stem
            == aavqc.documents.digest(
                document.payload.model_dump(mode="json", include={"inputs", "method", "algorithms"})
            )[:32]
        )
        assert (done.out / "arrays" / f"{path.stem}.npz").exists()
    for name, kind in (("specification.toml", "specification"), ("method_auc.toml", "method")):
        import tomllib

        schema = json.loads((SCHEMAS / f"{kind}.json").read_text(encoding="utf-8"))
        data = tomllib.loads((example_lot / name).read_text(encoding="utf-8"))
        jsonschema.validate(json.loads(json.dumps(data, default=str)), schema)


def test_truth_of_the_lot_is_inside_what_is_reported(done: BatchReport) -> None:
    """Composition 12/8/80/0 % and 1E13 vg/mL lie inside every interval that is stated for them."""
    by_technique: dict[str, list[aavqc.AttributeSet]] = {}
    for document in done.results.values():
        for sample in document.samples:
            if sample.role == "sample":
                by_technique.setdefault(document.payload.technique, []).append(sample.attribute_set)
    for technique in ("auc", "cdms"):
        for found in by_technique[technique]:
            for name, truth in (("empty", 12.0), ("partial", 8.0), ("full", 80.0), ("overfull", 0.0)):
                share = found[f"percent_{name}"]
                assert share.ci_low <= truth <= share.ci_high, (technique, name)
    for found in by_technique["ddpcr"]:
        titer = found["vg_titer[CAG]"]
        assert titer.ci_low < 1.0e13 < titer.ci_high


def same_outputs(one: Path, other: Path) -> list[str]:
    """Files that the contract says are equal byte for byte, and are not."""
    different = []
    for path in sorted(p for p in one.rglob("*") if p.is_file() and p.name not in THAT_MUST_VERIFY):
        twin = other / path.relative_to(one)
        if path.parent.name == "results":
            first, second = ResultDocument.load(path), ResultDocument.load(twin)
            equal = aavqc.documents.canonical(first.payload) == aavqc.documents.canonical(second.payload)
        else:
            equal = path.read_bytes() == twin.read_bytes()
        if not equal:
            different.append(path.name)
    return different


def test_same_bytes_with_two_workers(done: BatchReport, example_lot: Path, tmp_path: Path) -> None:
    with local_pool(2) as executor:
        other = run(example_lot, tmp_path / "out", executor=executor)
    assert len(list((tmp_path / "out" / "results").glob("*.json"))) == 4
    assert same_outputs(done.out, other.out) == []


def test_source_folder_is_untouched(small_lot: Path, tmp_path: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in small_lot.rglob("*")}
    run(small_lot, tmp_path / "out")
    assert {p: p.stat().st_mtime_ns for p in small_lot.rglob("*")} == before


def test_out_inside_the_folder_is_refused(small_lot: Path) -> None:
    with pytest.raises(aavqc.UsageError, match="inside"):
        run(small_lot, small_lot / "results")


def test_one_bad_file_does_not_stop_the_rest(small_lot: Path, tmp_path: Path) -> None:
    whole = run(small_lot, tmp_path / "whole")
    mzml = small_lot / "cdms" / "run2.mzML"
    mzml.write_bytes(mzml.read_bytes()[:-5000])
    report = run(small_lot, tmp_path / "out")
    assert report.exit_code == 3
    assert [e.file for e in report.errors] == ["cdms/run2.mzML"]
    assert report.errors[0].line is not None
    entry = next(e for e in report.manifest.files if e.path == "cdms/run2.mzML")
    assert entry.status == "failed"
    assert entry.reason
    kept = {job: document.payload for job, document in report.results.items()}
    assert kept == {j: d.payload for j, d in whole.results.items() if d.payload.technique == "ddpcr"}


def test_export_without_row_and_row_without_export_are_reported(small_lot: Path, tmp_path: Path) -> None:
    sheet = small_lot / "samples.csv"
    text = sheet.read_text().replace("cdms/run2.mzML", "cdms/run9.mzML")
    sheet.write_text(text)
    report = run(small_lot, tmp_path / "out")
    assert any("run9" in p for p in report.manifest.problems)
    assert any("run2" in p and "no row" in p for p in report.manifest.problems)
    assert report.exit_code == 5


def test_a_lot_is_told_what_of_its_rows_fits_no_export(small_lot: Path, tmp_path: Path) -> None:
    """A slip of the pen costs a lot wells: its evaluation says so, judged again and verified too."""
    sheet = small_lot / "samples.csv"
    text = sheet.read_text().replace("ddpcr/EX24-001.csv,A01;B01", "ddpcr/EX24-0001.csv,A01;B01")
    sheet.write_text(text.replace("C01;D01", "C01;D01;B13") + "auc,cell2,OTHER,S,,,,,,\n")
    report = run(small_lot, tmp_path / "out")
    evaluations = {e.lot: e for e in report.evaluations}
    assert evaluations["EX24-001"].warnings == [
        "samples.csv, line 3: no export 'ddpcr/EX24-0001.csv' A01;B01 (did you mean ddpcr/EX24-001.csv?)",
        "ddpcr/EX24-001.csv: no row in the sample sheet for A01, B01",
        "ddpcr/EX24-001.csv, EX24-001 vial 4: the plate has no well B13",
    ]
    assert evaluations["OTHER"].warnings == ["samples.csv, line 7: no export 'auc' cell2"]
    for warning in evaluations["EX24-001"].warnings:
        assert f"Warning: {warning}" in str(evaluations["EX24-001"])
    assert verify(report.out, source=small_lot).findings == []
    command = [sys.executable, "-m", "aavqc", "check", str(report.out), "--spec"]
    specification = str(small_lot / "specification.toml")
    checked = subprocess.run([*command, specification], capture_output=True, text=True, check=False)
    assert all(warning in checked.stdout for e in report.evaluations for warning in e.warnings)


@pytest.mark.parametrize("typed", ["ddpcr", "ddpcr/", "./ddpcr", "ddpcr\\"])
def test_a_folder_names_the_export_that_lies_in_it(small_lot: Path, tmp_path: Path, typed: str) -> None:
    before = run(small_lot, tmp_path / "before")
    sheet = small_lot / "samples.csv"
    sheet.write_text(sheet.read_text().replace("ddpcr/EX24-001.csv", typed).replace("cdms/run2.mzML", "cdms"))
    report = run(small_lot, tmp_path / "out")
    assert (report.exit_code, report.manifest.problems) == (before.exit_code, [])
    assert report.results.keys() == before.results.keys()


def test_a_folder_of_several_exports_is_ambiguous(small_lot: Path, tmp_path: Path) -> None:
    shutil.copy(small_lot / "cdms" / "run2.mzML", small_lot / "cdms" / "run3.mzML")
    sheet = small_lot / "samples.csv"
    sheet.write_text(
        sheet.read_text().replace("cdms/run2.mzML", "cdms") + "ddpc,H12,L2,S,,,,,,\nRun3.mzML,,L2,S,,,,,,\n"
    )
    problems = run(small_lot, tmp_path / "out").manifest.problems
    several = (
        "'cdms' names several records (cdms/run2.mzML, cdms/run3.mzML): give the part, or the path of one"
    )
    assert [p.partition(": ")[2] for p in problems[:3]] == [
        several,
        "no export 'ddpc' H12 (did you mean ddpcr?)",
        "no export 'Run3.mzML' (did you mean cdms/run3.mzML?)",
    ]
    assert [p for p in problems[3:] if "no row" in p] == problems[3:]
    assert len(problems) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("export,lot\na,b\n", "sample_id"),
        ("export,lot,sample_id\na,,c\n", "blank lot"),
        ("export,lot,sample_id,role\na,b,c,judge\n", "role"),
        ("export,lot,sample_id,dilution_factor\na,b,c,0\n", "dilution_factor"),
        ("export;lot;sample_id\na;b;c\n", "column 'export'"),
        ("export,lot,sample_id\n,,\n", "without a row"),
    ],
)
def test_sheet_errors_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(text)
    with pytest.raises(aavqc.SpecificationError, match=message) as caught:
        load_sheet(path, {"density"})
    assert caught.value.file == "samples.csv"
    assert caught.value.line is not None


def test_sheet_columns_set_settings_and_others_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    columns = "export,lot,sample_id,density,extinction.capsid.260,operator,dilution_factor"
    path.write_text(f"{columns}\na,b,c,1.01,3.7e6,NN,2.5 × 10⁷\n", encoding="utf-8")
    (row,) = load_sheet(path, {"density", "extinction"})
    assert row.settings == {"density": "1.01", "extinction.capsid.260": "3.7e6"}
    assert row.other == {"operator": "NN"}
    assert row.dilution_factor == 2.5e7


def test_a_column_that_is_all_but_a_known_one_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("export,lot,sample_id,dilution_fctor,Density,cell,operator,well\na,b,c,1e7,1,2,NN,A1\n")
    (row,) = load_sheet(path, {"density", "extinction"})
    assert row.dilution_factor is None
    assert caplog.messages == [
        "samples.csv: column 'dilution_fctor' sets nothing: did you mean dilution_factor?",
        "samples.csv: column 'Density' sets nothing: did you mean density?",
    ]


@pytest.mark.parametrize(
    "again",
    [
        "cdms/run2.mzML,,EX24-001,S,,,,,,",
        "./cdms/../cdms/run2.mzML,,L2,S,,,,,,",
        "ddpcr/EX24-001.csv,b1,L2,S,,,,,,",
    ],
)
def test_the_same_record_twice_is_refused_however_it_is_written(
    small_lot: Path, tmp_path: Path, again: str
) -> None:
    sheet = small_lot / "samples.csv"
    sheet.write_text(sheet.read_text() + again + "\n")
    with pytest.raises(aavqc.SpecificationError, match="twice") as caught:
        run(small_lot, tmp_path / "out")
    assert caught.value.line == len(sheet.read_text().splitlines())


def test_paths_are_relative_to_the_sheet(small_lot: Path, tmp_path: Path) -> None:
    head, *rows = (small_lot / "samples.csv").read_text().splitlines()
    (tmp_path / "sheets").mkdir()
    sheet = tmp_path / "sheets" / "samples.csv"
    sheet.write_text("\n".join([head, *(f"../lot/{row}" for row in rows)]) + "\n")
    report = run(small_lot, tmp_path / "out", samples=sheet)
    assert report.manifest.problems == []


def test_two_lots_on_one_plate_are_never_pooled(small_lot: Path, tmp_path: Path) -> None:
    """Same sample id, other lot, other dilution: two titers, each judged with its own lot."""
    sheet = small_lot / "samples.csv"
    head, *rows = sheet.read_text().splitlines()
    plate = [
        "ddpcr/EX24-001.csv,A01;B01,LOT-A,bulk,,sample,,,1e7,",
        "ddpcr/EX24-001.csv,C01;D01,LOT-B,bulk,,sample,,,2e9,",
    ]
    kept = [row for row in rows if not row.startswith("ddpcr")]
    sheet.write_text("\n".join([head, *kept, *plate]) + "\n")
    report = run(small_lot, tmp_path / "out")
    titers = {
        v.sources[0].value
        for e in report.evaluations
        for v in e.verdicts
        if v.test == "titer-ddpcr" and v.sources
    }
    low, high = sorted(titers)
    assert high / low == pytest.approx(100, rel=0.1)


def test_an_invalid_sample_does_not_disappear(small_lot: Path, tmp_path: Path) -> None:
    sheet = small_lot / "samples.csv"
    sheet.write_text(sheet.read_text().replace("ddpcr/EX24-001.csv,C01;D01", "ddpcr/EX24-001.csv,G01;H01"))
    sheet.write_text(sheet.read_text().replace("EX24-001 vial 4,vial 4,sample,P2", "other,vial 4,sample,P2"))
    report = run(small_lot, tmp_path / "out")
    verdicts = {v.test: v.verdict for v in report.evaluations[0].verdicts}
    assert verdicts["titer-ddpcr"] == "INVALID"
    assert verdicts["full-auc"] == "INCOMPLETE"
    assert report.exit_code == 4


def test_a_folder_with_nothing_in_it_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", tmp_path / "out").exit_code == 3


def test_settings_of_the_sheet_are_checked_before_the_work(small_lot: Path, tmp_path: Path) -> None:
    sheet = small_lot / "samples.csv"
    head, *rows = sheet.read_text().splitlines()
    sheet.write_text("\n".join([f"{head},serotype,coverage", *(f"{row},AAV2,2" for row in rows)]) + "\n")
    with pytest.raises(aavqc.UsageError, match="coverage") as caught:
        run(small_lot, tmp_path / "out")
    assert (caught.value.file, caught.value.line) == ("samples.csv", 2)


def test_an_approved_regulated_method_takes_no_settings_from_the_sheet(
    small_lot: Path, tmp_path: Path
) -> None:
    method = small_lot / "method_cdms.toml"
    method.write_text(method.read_text() + "regulated = true\n")
    sheet = small_lot / "samples.csv"
    head, *rows = sheet.read_text().splitlines()
    sheet.write_text("\n".join([f"{head},charge_slope", *(f"{row},90000" for row in rows)]) + "\n")
    report = run(small_lot, tmp_path / "out", actor="tester", reason="test")
    assert any("approved and regulated" in str(e) for e in report.errors)


def test_an_altered_result_is_refused(done: BatchReport, tmp_path: Path) -> None:
    path = next((done.out / "results").glob("*.json"))
    altered = tmp_path / path.name
    altered.write_text(path.read_text().replace('"coverage":0.95', '"coverage":0.9', 1))
    with pytest.raises(aavqc.InputError, match="altered"):
        ResultDocument.load(altered)


def test_formula_cells_are_defused_and_numbers_stay_numbers() -> None:
    text = to_csv(RESULT_COLUMNS, [{"sample_id": "=1+1", "value": -1.5}])
    row = dict(zip(RESULT_COLUMNS, text.splitlines()[1].split(","), strict=True))
    assert row["sample_id"] == "'=1+1"
    assert row["value"] == "-1.5"


def test_a_worker_that_dies_costs_no_result(small_lot: Path, tmp_path: Path) -> None:
    """A pool that breaks under a job: the job runs again in a process of its own."""
    from concurrent.futures import Future
    from concurrent.futures.process import BrokenProcessPool

    class Breaking:
        def submit(self, function: object, *args: object) -> Future[object]:
            future: Future[object] = Future()
            future.set_exception(BrokenProcessPool("killed"))
            return future

    report = run(small_lot, tmp_path / "out", executor=Breaking())  # type: ignore[arg-type]
    assert len(report.results) == 2
    assert not report.errors


def test_a_lot_that_lost_all_its_exports_is_incomplete(small_lot: Path, tmp_path: Path) -> None:
    sheet = small_lot / "samples.csv"
    rows = sheet.read_text().splitlines()
    rows.append("ddpcr/gone.csv,,EX24-002,S2,,,,,,")
    sheet.write_text("\n".join(rows) + "\n")
    report = run(small_lot, tmp_path / "out")
    assert {e.lot: e.overall for e in report.evaluations}["EX24-002"] == "INCOMPLETE"


def test_the_sheet_may_name_the_specification_of_a_lot(small_lot: Path, tmp_path: Path) -> None:
    text = (small_lot / "specification.toml").read_text().replace('id = "EX-DP"', 'id = "OTHER"')
    (small_lot / "other.toml").write_text(text)
    sheet = small_lot / "samples.csv"
    head, *rows = sheet.read_text().splitlines()
    sheet.write_text("\n".join([f"{head},specification", *(f"{row},other.toml" for row in rows)]) + "\n")
    report = run(small_lot, tmp_path / "out")
    assert [e.specification.id for e in report.evaluations] == ["OTHER"]


def test_the_readme_shows_this_evaluation(done: BatchReport) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    assert str(done.evaluations[0]) in readme
