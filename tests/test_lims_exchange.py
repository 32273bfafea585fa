"""What leaves the library: nothing lost on the way, the same bytes again, others can read it."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
import subprocess
import uuid
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import aavqc
from aavqc.attributes import Attribute
from aavqc.batch import run
from aavqc.cli import app
from aavqc.documents import ResultDocument
from aavqc.errors import InputError, UsageError
from aavqc.exchange import export
from aavqc.exchange.asm import asm_document
from batch_exports import distribution

REFERENCE = (
    "run_id,sample_id,lot,attribute,method,method_version,value,value_rounded,qualifier,lod,loq,unit,ci_low,"
    "ci_high,n,dilution,sst_status,spec_id,spec_version,limit_text,verdict,reason,source_file,source_sha256,"
    "aavqc_version"
)
SCHEMAS = Path(aavqc.__file__).parent / "schemas"
Exported = dict[str, tuple[ResultDocument, dict[str, Any]]]
FORMS = ("csv", "parquet", "asm", "ro-crate")


@pytest.fixture(scope="module")
def out(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OUT of a lot with a plate, masses and a saved distribution; of AUC there is no sample."""
    folder = tmp_path_factory.mktemp("exchange")
    lot = folder / "lot"
    shutil.copytree(example_lot, lot, ignore=shutil.ignore_patterns("auc", "run2*"))
    sheet = (lot / "samples.csv").read_text().splitlines()
    (lot / "samples.csv").write_text("\n".join(r for r in sheet if "auc" not in r and "run2" not in r) + "\n")
    rows = [f"{s / 10:.1f}\t{distribution(s / 10, 0):.6f}" for s in range(10, 2000, 5)]
    (lot / "cs of vial 3.dat").write_text("\n".join(rows) + "\n")
    run(lot, folder / "out", actor="A. Analyst", reason="release")
    return folder / "out"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def by_technique(folder: Path) -> Exported:
    """Result and exported document by technique."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        document = ResultDocument.load(folder.parent / "out" / "results" / path.name)
        found[document.payload.technique] = document, json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def asm(out: Path) -> Exported:
    export(out, "asm", out.parent / "asm")
    return by_technique(out.parent / "asm")


@pytest.mark.req("LIMS-EXCHANGE-1")
def test_long_table_has_every_attribute_and_every_verdict(out: Path, tmp_path: Path) -> None:
    export(out, "csv", tmp_path / "long.csv")
    text = (tmp_path / "long.csv").read_text(encoding="utf-8")
    assert text.startswith(REFERENCE + ",")
    rows = table(text)
    of_results = table((out / "results.csv").read_text(encoding="utf-8"))
    same = (
        "run_id",
        "sample_id",
        "attribute",
        "technique",
        "target",
        "value",
        "ci_low",
        "bound",
        "source_sha256",
    )
    assert [[r[c] for c in same] for r in rows if r["run_id"]] == [[r[c] for c in same] for r in of_results]
    verdicts = table((out / "verdicts.csv").read_text(encoding="utf-8"))
    judged = ("test", "value_rounded", "n", "limit_text", "verdict", "reason", "spec_id", "spec_version")
    assert {tuple(r[c] for c in judged) for r in rows if r["verdict"]} == {
        tuple(r[c] for c in judged) for r in verdicts
    }
    (titer,) = (r for r in rows if r["test"] == "titer-ddpcr")
    assert (titer["attribute"], titer["target"], titer["sst_status"]) == ("vg_titer", "CAG", "valid")
    assert titer["dilution"] == ""  # two dilutions
    (control,) = (r for r in rows if r["role"] == "positive_control" and r["attribute"] == "vg_titer"
                  and r["target"] == "CAG")  # fmt: skip
    assert float(control["dilution"]) == 1e7
    (full,) = (r for r in rows if r["test"] == "full-auc")  # no AUC of the lot: a row all the same
    assert (full["run_id"], full["value"], full["verdict"], full["lot"]) == ("", "", "INCOMPLETE", "EX24-001")


def test_long_table_names_results_from_elsewhere(example_lot: Path, out: Path, tmp_path: Path) -> None:
    lot = tmp_path / "lot"
    shutil.copytree(out.parent / "lot", lot)
    (tmp_path / "other.csv").write_text(
        "lot,sample_id,attribute,technique,value,unit,procedure\n"
        "EX24-001,V7,percent_full,auc,71.5,%,EX-TP-001 v1\n"
    )
    run(lot, tmp_path / "out", other=[tmp_path / "other.csv"])
    export(tmp_path / "out", "csv", tmp_path / "long.csv")
    rows = table((tmp_path / "long.csv").read_text(encoding="utf-8"))
    (full,) = (r for r in rows if r["test"] == "full-auc")
    assert (full["sample_id"], full["value"], full["unit"], full["verdict"]) == ("V7", "71.5", "%", "PASS")
    assert full["run_id"] == ""


def test_parquet_is_the_same_table_with_types(out: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export(out, "csv", tmp_path / "long.csv")
    export(out, "parquet", tmp_path / "long.parquet")
    found = parquet.read_table(tmp_path / "long.parquet").to_pylist()
    expected = table((tmp_path / "long.csv").read_text(encoding="utf-8"))
    assert [list(row) for row in found[:1]] == [list(expected[0])]
    for row, text in zip(found, expected, strict=True):
        for column, value in row.items():
            if value is None:
                assert text[column] == ""
            elif isinstance(value, (int, float)):
                assert float(text[column]) == value
            else:
                assert text[column].lstrip("'") == value


@pytest.mark.req("LIMS-EXCHANGE-2")
def test_dpcr_document_is_valid_for_others(asm: Exported, peers: Path, tmp_path: Path) -> None:
    _, document = asm["ddpcr"]
    broken = json.loads(json.dumps(document))
    del broken["dPCR aggregate document"]["dPCR document"][0]["measurement aggregate document"][
        "plate well count"
    ]
    for name, content in (("good", document), ("broken", broken)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    script = (
        "import json, sys\nfrom allotropy.allotrope.schemas import validate_asm_schema\n"
        "validate_asm_schema(json.load(open(sys.argv[1])))"
    )
    for name, fails in (("good", False), ("broken", True)):
        command = [peers / "python", "-I", "-c", script, tmp_path / f"{name}.json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) is fails, done.stderr
        assert ("plate well count" in done.stderr) is fails


def test_dpcr_document_comes_back_with_the_same_counts(asm: Exported, out: Path) -> None:
    document, _ = asm["ddpcr"]
    (path,) = (p for p in (out.parent / "asm").glob("*.json") if "dPCR" in p.read_text(encoding="utf-8"))
    plate = aavqc.read(path)
    assert isinstance(plate, aavqc.DropletPlate)
    assert plate.format == "asm-dpcr"
    wells = {(w.well, w.target): w for w in document.payload.wells or []}
    assert len(plate.rows) == len(wells)
    for row in plate.rows:
        well = wells[row.well, row.target]
        assert (row.accepted, row.positives, row.negatives) == (well.accepted, well.positives, well.negatives)
        assert (row.copies_per_ul, row.threshold, row.sample) == (
            well.copies_per_ul, well.threshold, well.sample_id,
        )  # fmt: skip


def test_calculated_values_name_the_measurements_under_them(
    asm: Exported,
) -> None:
    result, document = asm["ddpcr"]
    aggregate = document["dPCR aggregate document"]
    (plate,) = aggregate["dPCR document"]
    measured = {
        m["measurement identifier"]: m
        for m in plate["measurement aggregate document"]["measurement document"]
    }
    values = aggregate["calculated data aggregate document"]["calculated data document"]
    identifiers = [*measured, *(v["calculated data identifier"] for v in values)]
    assert len(set(identifiers)) == len(identifiers)
    assert {uuid.UUID(i).version for i in identifiers} == {5}
    (titer,) = (v for v in values if v["calculated data name"] == "vg_titer[CAG]" and "vial" in str(v))
    sources = titer["data source aggregate document"]["data source document"]
    of = [measured[s["data source identifier"]] for s in sources]
    assert {m["sample document"]["well location identifier"] for m in of} == {"A01", "B01", "C01", "D01"}
    assert {m["target DNA description"] for m in of} == {"CAG"}
    expected = result.samples[0].attribute_set["vg_titer[CAG]"]
    assert titer["calculated datum"] == {"value": expected.value, "unit": "vg/mL"}
    bounds = {v["calculated data name"]: v["calculated datum"]["value"] for v in values if "vial" in str(v)}
    assert bounds["vg_titer[CAG] lower bound"] == expected.ci_low


def test_censored_value_is_not_taken_for_a_value(
    asm: Exported,
) -> None:
    result, _ = asm["cdms"]
    censored = Attribute(
        name="percent_empty", technique="cdms", value=0.1, unit="%", qualifier="<", bound=0.5, ci_low=0.0
    )
    payload = result.payload.model_copy(
        update={"samples": [result.samples[0].model_copy(update={"attributes": [censored]})]}
    )
    shaped = asm_document(result.model_copy(update={"payload": payload}), "0" * 32)
    (value,) = shaped.aggregate.calculated_data_aggregate_document.calculated_data_document
    assert (value.calculated_data_name, value.calculated_datum.value) == ("percent_empty <", 0.5)


def test_wells_without_counts_are_named(asm: Exported) -> None:
    result, _ = asm["ddpcr"]
    first, *others = result.payload.wells or []
    blank = first.model_copy(update={"accepted": None, "positives": None, "copies_per_ul": None})

    def shaped(wells: list[Any]) -> dict[str, Any]:
        payload = result.payload.model_copy(update={"wells": wells})
        document = asm_document(result.model_copy(update={"payload": payload}), "0" * 32)
        return document.model_dump(mode="json", by_alias=True, exclude_none=True)

    (plate,) = shaped([blank, *others])["dPCR aggregate document"]["dPCR document"]
    aggregate = plate["measurement aggregate document"]
    assert len(aggregate["measurement document"]) == len(others)
    (error,) = aggregate["error aggregate document"]["error document"]
    assert error["error feature"] == f"{blank.well} {blank.channel} {blank.target}"
    assert shaped([blank])["$asm.manifest"] == "aavqc.asm-shaped/1"  # the model knows no empty plate


@pytest.mark.parametrize("technique", ["auc", "cdms"])
def test_other_techniques_have_the_shape_and_say_whose_it_is(asm: Exported, technique: str) -> None:
    result, document = asm[technique]
    jsonschema.validate(document, json.loads((SCHEMAS / "asm-shaped.json").read_text(encoding="utf-8")))
    assert "allotrope" not in document["$asm.manifest"]
    assert document["label"].startswith("Not an Allotrope schema")
    values = document["aggregate document"]["calculated data aggregate document"]["calculated data document"]
    names = {v["calculated data name"].split(" ")[0] for v in values}
    assert names == {a.key for s in result.samples for a in s.attributes}


@pytest.mark.req("LIMS-EXCHANGE-3")
def test_crate_describes_every_file(out: Path, tmp_path: Path) -> None:
    export(out, "ro-crate", tmp_path / "crate")
    metadata = json.loads((tmp_path / "crate" / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    entities = {e["@id"]: e for e in metadata["@graph"]}
    assert len(entities) == len(metadata["@graph"])
    named = [of["@id"] for e in entities.values() for value in e.values() for of in as_list(value)]
    assert set(named) - {"https://w3id.org/ro/crate/1.1"} <= entities.keys()
    inside = {
        p.relative_to(tmp_path / "crate").as_posix() for p in (tmp_path / "crate").rglob("*") if p.is_file()
    }
    root = {part["@id"] for part in entities["./"]["hasPart"]}
    files = {e["name"]: e for i, e in entities.items() if i in root and not i.startswith("urn:")}
    assert files.keys() == inside - {"ro-crate-metadata.json"}
    for name, entity in files.items():
        data = (tmp_path / "crate" / name).read_bytes()
        assert data == (out / name).read_bytes()
        assert (entity["sha256"], entity["contentSize"]) == (hashlib.sha256(data).hexdigest(), str(len(data)))
    raw = {(out.parent / "lot" / e["name"]) for i, e in entities.items() if i.startswith("urn:")}
    assert {p.name for p in raw} >= {"EX24-001.csv", "run1.csv", "cs of vial 3.dat"}
    assert all(f"urn:sha256:{hashlib.sha256(p.read_bytes()).hexdigest()}" in root for p in raw)
    action = entities["#run"]
    assert entities[action["agent"]["@id"]]["name"] == "A. Analyst"
    assert action["endTime"] == entities["./"]["datePublished"]


def test_crate_is_one_for_others(out: Path, peers: Path, tmp_path: Path) -> None:
    export(out, "ro-crate", tmp_path / "crate.zip")
    script = (
        "import sys\nfrom rocrate.rocrate import ROCrate\ncrate = ROCrate(sys.argv[1])\n"
        "print(crate.name, crate.get('#run').type, crate.get('#run')['instrument']['name'], sep='|')\n"
        "print(*sorted(e.id for e in crate.data_entities if not e.id.startswith('urn:')))"
    )
    command = [peers / "python", "-I", "-c", script, tmp_path / "crate.zip"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    about, names = done.stdout.splitlines()
    assert about == "aavqc run, EX24-001|CreateAction|aavqc"
    with zipfile.ZipFile(tmp_path / "crate.zip") as archive:
        assert names.split() == sorted({i.filename for i in archive.infolist()} - {"ro-crate-metadata.json"})


def as_list(value: Any) -> list[dict[str, str]]:
    found = value if isinstance(value, list) else [value]
    return [v for v in found if isinstance(v, dict) and "@id" in v]


def test_zip_is_the_folder(out: Path, tmp_path: Path) -> None:
    export(out, "ro-crate", tmp_path / "crate")
    export(out, "ro-crate", tmp_path / "crate.zip")
    with zipfile.ZipFile(tmp_path / "crate.zip") as archive:
        inside = {i.filename: archive.read(i) for i in archive.infolist()}
    folder = tmp_path / "crate"
    assert inside == {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("to", FORMS)
def test_same_out_gives_the_same_bytes(out: Path, tmp_path: Path, to: str) -> None:
    shutil.copytree(out, tmp_path / "elsewhere")
    suffix = ".zip" if to == "ro-crate" else ""
    one = export(out, to, tmp_path / f"one{suffix}")
    two = export(tmp_path / "elsewhere", to, tmp_path / f"two{suffix}")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]
    assert not any(str(tmp_path).encode() in p.read_bytes() for p in one)


def test_out_is_never_written_to(out: Path, tmp_path: Path) -> None:
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(UsageError, match="inside OUT"):
        export(out, "csv", out / "long.csv")
    for to in FORMS:
        export(out, to, tmp_path / to)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before


def test_export_refuses_what_it_can_not_do(out: Path, tmp_path: Path) -> None:
    (tmp_path / "full" / "of").mkdir(parents=True)
    for to in ("asm", "ro-crate"):
        with pytest.raises(UsageError, match="holds something"):
            export(out, to, tmp_path / "full")
    with pytest.raises(UsageError, match=r"no form 'cvs'.*csv"):
        export(out, "cvs", tmp_path / "x")
    with pytest.raises(InputError, match="no output folder"):
        export(tmp_path, "csv", tmp_path.parent / "x.csv")
    shutil.copytree(out, tmp_path / "altered")
    (tmp_path / "altered" / "verdicts.csv").write_text("nothing\n")
    with pytest.raises(InputError, match=r"verdicts\.csv: altered"):
        export(tmp_path / "altered", "ro-crate", tmp_path / "crate")


def test_export_on_the_command_line(out: Path, tmp_path: Path) -> None:
    assert app(["export", str(out), "--to", "csv", str(tmp_path / "x.csv")], standalone_mode=False) == 0
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").startswith(REFERENCE)
    assert app(["export", str(out), "--to", "xls", str(tmp_path / "x.xls")], standalone_mode=False) == 2


def test_calibration_document_has_a_schema(capfd: pytest.CaptureFixture[str]) -> None:
    assert app(["schema", "calibration"], standalone_mode=False) == 0
    schema = json.loads(capfd.readouterr().out)
    document = {"schema": "aavqc.calibration/1", "certificate": "C-1", "radial_magnification": 1.002}
    jsonschema.validate(document, schema)
    for wrong in ({"schema": "aavqc.calibration/2"}, {"radial_magnification": 3}, {"unknown": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | wrong, schema)


def test_what_the_commands_print_has_a_schema(
    out: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("lot", "out"):
        shutil.copytree(out.parent / name, tmp_path / name)
    lot, copy = tmp_path / "lot", str(tmp_path / "out")
    specification = str(lot / "specification.toml")
    verifying = ["verify", copy, "--no-rerun", "--json"]
    checking = ["check", copy, "--json", "--spec", specification]
    batch = ["batch", str(lot), "--out", copy, "--workers", "1", "--json"]
    for command, name in (
        (batch, "batch"),
        (verifying, "verification"),
        (checking, "evaluation"),
        ([*checking, "--spec", specification], "evaluations"),
    ):
        app(command, standalone_mode=False)
        document = json.loads(capfd.readouterr().out)
        assert document["schema"] == f"aavqc.{name}/1"
        jsonschema.validate(document, json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")))
