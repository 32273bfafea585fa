"""``aavqc check`` on the shipped examples: every exit code, certificates, several specifications."""

from __future__ import annotations

import csv
import doctest
import io
import json
from pathlib import Path

import jsonschema
import pytest

import aavqc
from aavqc.batch import BatchReport
from aavqc.cli import app
from aavqc.documents import Document
from aavqc.results import Certificate, Specification
from aavqc.textfiles import read_json

ROOT = Path(__file__).resolve().parents[1]
SPECIFICATIONS = ROOT / "data" / "specifications"
OTHER = SPECIFICATIONS / "other_results.csv"
EXAMPLES = sorted(p for p in SPECIFICATIONS.iterdir() if p.suffix in (".toml", ".json"))


@pytest.fixture(scope="module")
def out(example_batch: BatchReport) -> Path:
    return example_batch.out


def check(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Run the command in this process, as a shell would."""
    with pytest.raises(SystemExit) as ended:
        app(["check", *map(str, arguments)])
    return int(ended.value.code or 0), capfd.readouterr().out


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_every_example_is_marked_as_an_illustration(path: Path) -> None:
    specification = Specification.load(path)
    assert {test.justification for test in specification.tests} == {"illustration"}
    assert "fictitious" in (specification.product or "")


@pytest.mark.parametrize(
    ("spec", "with_other", "code", "overall"),
    [
        ("phase-1.toml", False, 0, "PASS"),
        ("in-process.json", False, 0, "PASS"),
        ("commercial-shelf-life-eu.toml", False, 0, "PASS"),
        ("phase-3.toml", False, 5, "INCOMPLETE"),
        ("phase-3.toml", True, 0, "PASS"),
        ("commercial-release-eu.toml", True, 1, "OOS"),
        ("method-transfer.toml", False, 4, "INVALID"),
    ],
)
def test_exit_codes_of_the_examples(
    out: Path, capfd: pytest.CaptureFixture[str], spec: str, with_other: bool, code: int, overall: str
) -> None:
    other = ["--other", OTHER] if with_other else []
    found, text = check(capfd, out, "--spec", SPECIFICATIONS / spec, *other, "--json")
    document = json.loads(text)
    assert (found, document["overall"]) == (code, overall)
    schema = Path(aavqc.__file__).parent / "schemas" / "evaluation.json"
    jsonschema.validate(document, json.loads(schema.read_text(encoding="utf-8")))


@pytest.mark.req("SPEC-R16")
@pytest.mark.parametrize("limit", ["NLT 70.0 vg/mL", "NLT 1E13 cp/mL"])
def test_r16_a_wrong_unit_or_dimension_is_refused(
    out: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], limit: str
) -> None:
    text = (SPECIFICATIONS / "phase-1.toml").read_text(encoding="utf-8")
    written = "NLT 50 %" if "vg" in limit else "5.0E12 – 2.0E13 vg/mL"
    (tmp_path / "s.toml").write_text(text.replace(written, limit), encoding="utf-8")
    assert check(capfd, out, "--spec", tmp_path / "s.toml") == (2, "")


@pytest.mark.req("SPEC-R14")
def test_r14_one_lot_against_several_specifications(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, text = check(capfd, out, "--spec", SPECIFICATIONS, "--other", OTHER, "--json")
    evaluations = json.loads(text)["evaluations"]
    assert code == 1
    assert len(evaluations) == len(EXAMPLES)
    assert {e["lot"] for e in evaluations} == {"EX24-001"}
    # by date: each family has one version, none before it began
    assert check(capfd, out, "--spec", SPECIFICATIONS, "--tested", "2026-03-01", "--other", OTHER)[0] == 1
    assert check(capfd, out, "--spec", SPECIFICATIONS, "--tested", "2025-12-31")[0] == 2
    assert check(capfd, out, "--spec", SPECIFICATIONS, "--tested", "1 March")[0] == 2


@pytest.mark.req("SPEC-R18")
def test_r18_the_order_of_files_changes_nothing(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    files = sorted((out / "results").glob("*.json"))
    spec = ("--spec", SPECIFICATIONS / "phase-3.toml", "--other", OTHER, "--json")
    assert check(capfd, *files, *spec) == check(capfd, *reversed(files), *spec)


def test_certificate_as_csv_and_json(out: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    specs = ("--spec", SPECIFICATIONS / "phase-3.toml", "--spec", SPECIFICATIONS / "phase-1.toml")
    code, text = check(capfd, out, *specs, "--other", OTHER, "--csv")
    rows = {(r["specification"], r["test"]): r for r in csv.DictReader(io.StringIO(text))}
    assert code == 0
    assert len(rows) == 23
    hcp = rows["EX-P3", "host-cell-protein"]
    assert (hcp["result"], hcp["verdict"], hcp["limit"]) == ("<6 ng/mL", "PASS", "NMT 50 ng/mL")
    assert rows["EX-P1", "titer"]["procedure"] == "EX-TP-003 v1"
    evaluation = Specification.load(SPECIFICATIONS / "phase-1.toml").check([], lot="L")
    evaluation.certificate.save(tmp_path / "c.json")
    again: Document = read_json(tmp_path / "c.json", Certificate)
    assert again == evaluation.certificate
    evaluation.certificate.save(tmp_path / "c.csv")
    assert (tmp_path / "c.csv").read_text().count("\n") == 6


def test_a_manual_change_in_the_evaluation(
    example_lot: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The plate evaluated twice: the later one counts, the earlier one and the change are kept."""
    from aavqc.batch.jobs import job_id

    results = []
    for name, factor in (("a", 1e7), ("b", 2e7)):
        result = aavqc.analyze(example_lot / "ddpcr", dilution_factor=factor)
        result.document().save(tmp_path / f"{name}.json")
        results.append(job_id(result.payload))
    links = tmp_path / "links.toml"
    links.write_text(
        'schema = "aavqc.links/1"\n[[changes]]\n'
        f'before = "{results[0]}"\nafter = "{results[1]}"\nreason = "dilution mistyped"\nactor = "N. N."\n'
    )
    spec = tmp_path / "s.toml"
    spec.write_text(
        'schema = "aavqc.specification/1"\nid = "S"\nversion = "1"\nstatus = "approved"\n[[tests]]\n'
        'id = "t"\nattribute = "vg_titer"\ntechnique = "ddpcr"\ntarget = "CAG"\nlimit = "report"\n'
    )
    both = [tmp_path / "a.json", tmp_path / "b.json", "--spec", spec]
    assert check(capfd, *both)[0] == 5  # two results of each sample, and no word why
    code, text = check(capfd, *both, "--links", links, "--json")
    document = json.loads(text)
    assert code == 0
    (change,) = document["changes"]
    assert [(s["setting"], s["old"], s["new"]) for s in change["settings"]] == [("dilution_factor", 1e7, 2e7)]
    verdict = document["verdicts"][0]
    assert {s["result_id"] for s in verdict["sources"]} == {results[1]}
    assert {s["result_id"] for s in verdict["set_aside"]} == {results[0]}
    links.write_text(links.read_text().replace(results[0], "0" * 32))
    assert check(capfd, *both, "--links", links)[0] == 2


def test_the_example_of_the_guide_runs() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "results.md"), module_relative=False, encoding="utf-8")
    assert found.failed == 0
    assert found.attempted >= 7
