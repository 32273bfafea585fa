"""Verify: what was altered is found and named; a re-run tells another number from another platform."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aavqc.batch import BatchReport, rerun, run
from aavqc.batch.compare import compare
from aavqc.batch.jobs import Done, Job
from aavqc.batch.verify import verify
from aavqc.cli import app
from aavqc.errors import EXIT_VERIFY, InputError, UsageError, VerificationError

RAW = "ddpcr/EX24-001.csv"


def small_lot(example_lot: Path, folder: Path) -> Path:
    """The plate of the example lot with its sheet rows and the specification."""
    lot = folder / "lot"
    lot.mkdir(parents=True)
    shutil.copytree(example_lot / "ddpcr", lot / "ddpcr")
    for name in ("method_ddpcr.toml", "specification.toml"):
        shutil.copy(example_lot / name, lot)
    head, *rows = (example_lot / "samples.csv").read_text().splitlines()
    (lot / "samples.csv").write_text("\n".join([head, *(r for r in rows if r.startswith("ddpcr"))]) + "\n")
    return lot


@pytest.fixture(scope="module")
def done(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> BatchReport:
    folder = tmp_path_factory.mktemp("verify")
    return run(small_lot(example_lot, folder), folder / "out")


@pytest.fixture
def copy(done: BatchReport, tmp_path: Path) -> Path:
    """A copy of lot and OUT, to be altered; ``verify(copy / "out", source=copy / "lot")``."""
    shutil.copytree(done.out.parent, tmp_path / "copy")
    return tmp_path / "copy"


def first_finding(copy: Path, **options: Any) -> VerificationError:
    report = verify(copy / "out", source=copy / "lot", **options)
    assert report.findings
    return report.findings[0]


def flip(path: Path, at: int = -10) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def alter_store(copy: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(copy / "out" / "aavqc.sqlite")) as connection, connection:
        connection.execute(statement, values)


def test_the_agreement_of_two_methods_is_made_again(example_lot: Path, tmp_path: Path) -> None:
    lot = small_lot(example_lot, tmp_path)
    shutil.copytree(example_lot / "cdms", lot / "cdms")
    shutil.copy(example_lot / "method_cdms.toml", lot)
    shutil.copy(example_lot / "samples.csv", lot)
    run(lot, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "lots" / "EX24-001.json").read_text())
    assert found["agreement"] is not None
    assert verify(tmp_path / "out", source=lot).findings == []


def test_results_from_elsewhere_and_links_judge_again_where_they_are_named(
    example_lot: Path, tmp_path: Path
) -> None:
    lot, other, links = small_lot(example_lot, tmp_path), tmp_path / "other.csv", tmp_path / "links.toml"
    columns = "lot,sample_id,result_id,attribute,technique,value,unit"
    rows = [f"EX24-001,EX24-001 vial 9,{name},residual_dna,qpcr,{v},%" for name, v in (("R1", 9), ("R2", 1))]
    other.write_text("\n".join([columns, *rows]))
    links.write_text(
        'schema = "aavqc.links/1"\n[[retests]]\noriginal = "R1"\nretest = "R2"\nreason = "pipetting"\n'
        'actor = "A"\nassignable_cause = "tip"\n'
    )
    run(lot, tmp_path / "out", other=[other], links=links)
    trail = (tmp_path / "out" / "audit.jsonl").read_text()
    assert hashlib.sha256(other.read_bytes()).hexdigest() in trail

    for named in ({}, {"other": [other]}, {"links": links}):
        report = verify(tmp_path / "out", source=lot, **named)
        assert report.findings == []
        assert report.checked[-1].startswith("verdicts: not made again")
    report = verify(tmp_path / "out", source=lot, other=[other], links=links)
    assert report.findings == []
    assert report.checked[-1] == "verdicts: 1 evaluation(s) made again"

    other.write_text("\n".join([columns, *rows]).replace(",1,%", ",8,%"))
    (finding,) = verify(tmp_path / "out", source=lot, other=[other], links=links).findings
    assert (finding.file, finding.message) == (
        "other.csv",
        "altered bytes: not a file that the batch was given",
    )


def test_a_batch_knows_the_results_of_earlier_lots_from_its_links(example_lot: Path, tmp_path: Path) -> None:
    lot, links = small_lot(example_lot, tmp_path), tmp_path / "links.toml"
    (lot / "specification.toml").write_text(
        'schema = "aavqc.specification/1"\nid = "T"\nversion = "1"\n[[tests]]\nid = "titer"\n'
        'attribute = "vg_titer"\ntechnique = "ddpcr"\ntarget = "CAG"\nlimit = "NLT 1E12 vg/mL"\n'
        "trend = { min = 4 }\n"
    )
    links.write_text(
        'schema = "aavqc.links/1"\n[earlier]\ntiter = [1.00e14, 1.01e14, 1.00e14, 0.99e14, 1.00e14]\n'
    )
    report = run(lot, tmp_path / "out", links=links)
    assert [e.overall for e in report.evaluations] == ["OOT"]
    again = verify(tmp_path / "out", source=lot, links=links)
    assert again.findings == []
    assert again.checked[-1] == "verdicts: 1 evaluation(s) made again"
    links.write_text(links.read_text().replace("titer =", "titre ="))
    with pytest.raises(UsageError, match=r"line 3: earlier results of 'titre'.*did you mean titer"):
        run(lot, tmp_path / "other", links=links)
    assert not (tmp_path / "other" / "results").exists()  # said before anything was computed


def test_what_was_not_altered_verifies_and_comes_out_again(done: BatchReport) -> None:
    before = {p: p.read_bytes() for p in done.out.rglob("*") if p.is_file()}
    report = verify(done.out)
    assert report.findings == []
    assert any("the same bytes, on the same platform" in line for line in report.checked)
    assert {p: p.read_bytes() for p in done.out.rglob("*") if p.is_file()} == before


def one(copy: Path, pattern: str) -> Path:
    (path,) = (copy / "out").glob(pattern)
    return path


@pytest.mark.parametrize(
    ("pattern", "kind"),
    [
        ("results/*.json", "altered bytes"),
        ("arrays/*.npz", "altered bytes"),
        ("lots/*.json", "altered bytes"),
        ("manifest.json", "altered bytes"),
        ("results.csv", "altered bytes"),
        ("verdicts.csv", "altered bytes"),
        ("audit.jsonl", "altered bytes"),
    ],
)
def test_a_flipped_byte_of_a_file_of_out_is_found_and_named(copy: Path, pattern: str, kind: str) -> None:
    path = one(copy, pattern)
    flip(path)
    found = first_finding(copy, again=False)
    assert found.file == path.relative_to(copy / "out").as_posix()
    assert found.message.startswith(kind)
    assert found.exit_code == EXIT_VERIFY


def test_a_flipped_byte_of_a_raw_file_is_found_and_named(copy: Path) -> None:
    flip(copy / "lot" / RAW)
    found = first_finding(copy)
    assert (found.file, found.message) == (RAW, "altered bytes: not the raw file that was analyzed")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("results", "payload", b"{}"),
        ("results", "created", "2020-01-01"),
        ("attributes", "value", 1.0),
        ("attributes", "qualifier", "<"),
        ("verdicts", "verdict", "PASS"),
        ("exports", "sha256", "0" * 64),
        ("methods", "document", b"{}"),
    ],
)
def test_an_altered_column_of_the_store_is_found_and_named(
    copy: Path, table: str, column: str, value: object
) -> None:
    alter_store(copy, f"UPDATE {table} SET {column} = ?", value)
    found = first_finding(copy, again=False)
    assert found.file == "aavqc.sqlite"
    assert f"{table}.{column} of " in found.message


def test_a_specification_altered_in_the_store_is_found(copy: Path) -> None:
    alter_store(copy, "UPDATE specifications SET document = ?", b"{}")
    assert "specifications.document" in first_finding(copy).message


def test_rows_added_to_or_taken_from_the_store_are_found(copy: Path) -> None:
    alter_store(copy, "DELETE FROM attributes WHERE n = 0")
    assert "attributes" in first_finding(copy, again=False).message


def test_a_store_that_is_no_database_any_more_is_named(copy: Path) -> None:
    path = copy / "out" / "aavqc.sqlite"
    path.write_bytes(b"x" * 5000)
    assert first_finding(copy).file == "aavqc.sqlite"


@pytest.mark.parametrize(
    ("change", "file", "kind"),
    [
        (lambda c: one(c, "results/*").unlink(), "results/", "missing"),
        (lambda c: (c / "lot" / RAW).unlink(), RAW, "missing"),
        (lambda c: (c / "out" / "aavqc.sqlite").unlink(), "aavqc.sqlite", "missing"),
        (lambda c: (c / "out" / "audit.jsonl").unlink(), "audit.jsonl", "missing"),
        (lambda c: shutil.rmtree(c / "lot"), "lot", "missing"),
        (lambda c: (c / "out" / "results" / "a.json").write_text("{}"), "results/a.json", "added"),
    ],
)
def test_what_is_missing_or_added_is_named(
    copy: Path, change: Callable[[Path], object], file: str, kind: str
) -> None:
    change(copy)
    found = first_finding(copy, again=False)
    assert file in str(found.file)
    assert found.message.startswith(kind)


def test_an_end_of_the_trail_that_was_cut_off_is_found(copy: Path) -> None:
    path = copy / "out" / "audit.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert "cut off or rewritten" in first_finding(copy).message


def test_a_run_that_was_killed_is_told_and_verifies_after_its_resume(copy: Path) -> None:
    class Killed(BaseException):
        pass

    def stop(*_: object) -> None:
        raise Killed

    method = copy / "lot" / "method_ddpcr.toml"
    method.write_text(method.read_text() + "coverage = 0.9\n")
    with pytest.raises(Killed):
        run(copy / "lot", copy / "out", on_done=stop)
    assert first_finding(copy).message.startswith("unfinished")
    run(copy / "lot", copy / "out")
    report = verify(copy / "out")
    assert report.findings == []
    assert "1 run(s) were interrupted" in report.checked[0]


def test_files_that_came_later_are_told_and_do_no_harm(copy: Path) -> None:
    (copy / "lot" / "notes.txt").write_text("later")
    report = verify(copy / "out", source=copy / "lot")
    assert report.findings == []
    assert any("1 that came later" in line for line in report.checked)


def other_number(monkeypatch: pytest.MonkeyPatch, shift: float, **also: object) -> None:
    """Let the re-run find one attribute ``shift`` of its interval's width away."""
    analyze = rerun.run_job

    def shifted(job: Job) -> Done:
        done = analyze(job)
        assert done.document is not None
        payload = done.document.payload
        sample = next(s for s in payload.samples if s.attributes)
        a = sample.attributes[0]
        assert a.ci_high is not None
        assert a.ci_low is not None
        changed = replace(a, value=a.value + shift * (a.ci_high - a.ci_low), **also)
        samples = [
            s.model_copy(update={"attributes": [changed, *s.attributes[1:]]}) if s is sample else s
            for s in payload.samples
        ]
        document = done.document.model_copy(
            update={"payload": payload.model_copy(update={"samples": samples})}
        )
        return replace(done, document=document)

    monkeypatch.setattr(rerun, "run_job", shifted)


def other_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    here = rerun.numerical_platform()
    monkeypatch.setattr(rerun, "numerical_platform", lambda: here.model_copy(update={"cpu": "another"}))


def test_on_one_platform_any_other_digit_is_a_numeric_difference(
    done: BatchReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_number(monkeypatch, 1e-7)
    found = verify(done.out).findings[0]
    assert found.message.startswith("numeric difference: samples[")
    assert found.message.endswith("].value")
    assert str(found.file).startswith("results/")


def test_on_another_platform_numbers_may_differ_by_a_millionth_of_the_width(
    done: BatchReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_platform(monkeypatch)
    other_number(monkeypatch, 1e-7)
    report = verify(done.out)
    assert report.findings == []
    assert any("on another platform" in line and "1e-06" in line for line in report.checked)


@pytest.mark.parametrize(("shift", "also"), [(1e-4, {}), (0.0, {"qualifier": "<", "bound": 1.0})])
def test_on_another_platform_more_than_that_or_other_censoring_is_found(
    done: BatchReport, monkeypatch: pytest.MonkeyPatch, shift: float, also: dict[str, object]
) -> None:
    other_platform(monkeypatch)
    other_number(monkeypatch, shift, **also)
    assert verify(done.out).findings[0].message.startswith("different platform (cpu ")


def test_a_numeric_difference_names_the_releases_where_they_differ(
    done: BatchReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_number(monkeypatch, 1e-7)
    monkeypatch.setattr(rerun, "__version__", "99.0")
    assert "99.0 now)" in verify(done.out).findings[0].message


@pytest.mark.parametrize(
    ("again", "exactly", "where"),
    [
        ({"value": 1.0 + 1e-10}, True, "a.value"),
        ({"value": 1.0 + 1e-10}, False, None),
        ({"value": 1.0 + 1e-8}, False, "a.value"),
        ({"value": None}, False, "a.value"),
        ({"n": 6}, False, "a.n"),
        ({"verdict": "OOS"}, False, "a.verdict"),
        ({"trace": "raw 1.1"}, False, None),
        ({"trace": "raw 1.1"}, True, "a.trace"),
    ],
)
def test_what_two_documents_may_differ_in(again: dict[str, Any], exactly: bool, where: str | None) -> None:
    stored = {"value": 1.0, "n": 5, "verdict": "PASS", "trace": "raw 1.0"}
    found = compare({"a": stored}, {"a": stored | again}, exactly=exactly)
    assert (found and found.where) == where


def call(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = app([str(word) for word in words], standalone_mode=False)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_ends_with_0_or_with_6_and_the_file(
    copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("verify", copy / "out", "--source", copy / "lot")
    assert call(capsys, *words)[0] == 0
    flip(copy / "lot" / RAW)
    code, out, err = call(capsys, *words, "--no-rerun")
    assert (code, out) == (EXIT_VERIFY, "")
    assert f"error: {RAW}: altered bytes" in err
    code, out, _ = call(capsys, *words, "--no-rerun", "--json")
    error = json.loads(out)["error"]
    assert (code, error["exit"], error["file"]) == (EXIT_VERIFY, EXIT_VERIFY, RAW)


def test_a_folder_without_a_batch_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no output folder"):
        verify(tmp_path)
