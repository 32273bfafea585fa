"""The command line: names, exit codes, one document on stdout."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from pydantic import ValidationError

import aavqc
from aavqc.cli.check import _result_files
from aavqc.documents import EvaluationEntry, Manifest, canonical

SCHEMAS = Path(aavqc.__file__).parent / "schemas"
COMMANDS = ["demo", "formats", "inspect", "analyze", "check", "batch", "simulate", "schema"]


def call(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aavqc", *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def only_document(text: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(text)
    return document


def test_help_lists_the_commands_of_the_contract() -> None:
    done = call("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert f"  {name} " in done.stdout
    assert "aavqc demo" in done.stdout
    assert "..." not in done.stdout.partition("Commands:")[2], "a summary is cut off"
    assert call("--version").stdout.strip() == f"aavqc {aavqc.__version__}"


def test_formats_and_schema() -> None:
    done = call("formats", "--json")
    names = [f["name"] for f in only_document(done.stdout)["formats"]]  # type: ignore[attr-defined]
    assert {"beckman-xl", "quantasoft", "ion-list", "mzml"} <= set(names)
    shown = [line.split() for line in call("formats").stdout.splitlines()[::2]]
    assert [line[0] for line in shown] == names
    techniques = [line[1] for line in shown]
    assert techniques == sorted(techniques)
    assert only_document(call("schema", "result").stdout)["$id"] == "aavqc.result/1"
    wrong = call("schema", "resutl")
    assert wrong.returncode == 2
    assert "did you mean result?" in wrong.stderr


def test_analyze_prints_one_document(example_lot: Path) -> None:
    done = call("analyze", example_lot / "ddpcr", "--json", "--set", "dilution_factor=1e7")
    assert done.returncode == 0
    document = only_document(done.stdout)
    jsonschema.validate(document, json.loads((SCHEMAS / "result.json").read_text(encoding="utf-8")))


def test_mzml_reader_leaves_stdout_alone(example_lot: Path) -> None:
    done = call("analyze", example_lot / "cdms" / "run2.mzML", "--json", "--set", "charge_slope=112100")
    assert done.returncode == 0
    assert only_document(done.stdout)["schema"] == "aavqc.result/1"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("analyze", "nowhere"), 3, "no such file"),
        (("analyze", "LOT/ddpcr", "--set", "meniscus=6.0"), 2, "unknown setting"),
        (("analyze", "LOT/ddpcr", "--set", "coverage=2"), 2, "coverage"),
        (("analyze", "LOT/ddpcr", "--method", "aav-vs"), 2, "unknown method"),
        (("analyze", "LOT"), 2, "batch"),
        (("inspect", "LOT/specification.toml"), 3, "0 record"),
        (("check", "nowhere", "--spec", "LOT/specification.toml"), 3, "no such file"),
        (("batch", "LOT", "--out", "LOT/out"), 2, "inside"),
        (("simulate", "elisa", "x"), 2, "simulate"),
    ],
)
def test_errors_end_as_the_contract_says(
    example_lot: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = call(*(a.replace("LOT", str(example_lot)) for a in arguments), cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_json_error_document(tmp_path: Path) -> None:
    (tmp_path / "00001.RA1").write_bytes(b"\x00\x01rubbish")
    done = call("analyze", tmp_path, "--json")
    assert done.returncode == 3
    document = only_document(done.stdout)
    jsonschema.validate(document, json.loads((SCHEMAS / "error.json").read_text(encoding="utf-8")))
    assert document["error"]["file"] == "00001.RA1"  # type: ignore[index]
    usage = only_document(call("analyze", "x", "--nothing", "--json").stdout)
    assert (usage["schema"], usage["error"].keys()) == ("aavqc.error/1", document["error"].keys())  # type: ignore[attr-defined]


def test_an_interrupted_command_says_so_on_stdout_too(example_lot: Path) -> None:
    code = (
        "import sys\nimport aavqc.analysis\nfrom aavqc.cli import main\n"
        "def analyze(*a, **k):\n    raise KeyboardInterrupt\n"
        f"aavqc.analysis.analyze_all = analyze\nsys.argv = ['aavqc', 'analyze', {str(example_lot)!r}]\n"
        "sys.argv.append('--json')\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert only_document(done.stdout)["error"]["exit"] == 130  # type: ignore[index]


def test_the_demo_does_not_write_over_what_was_edited(tmp_path: Path) -> None:
    edited = tmp_path / "aavqc-demo" / "lot" / "specification.toml"
    edited.parent.mkdir(parents=True)
    edited.write_text("# mine\n")
    done = call("demo", cwd=tmp_path)
    assert done.returncode == 2
    assert str(Path("aavqc-demo", "lot", "specification.toml")) in done.stderr
    assert edited.read_text() == "# mine\n"
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [edited]


def test_batch_then_check(example_lot: Path, tmp_path: Path) -> None:
    """Verdicts of the plate alone: the other techniques are missing, so INCOMPLETE."""
    import shutil

    lot = tmp_path / "lot"
    shutil.copytree(example_lot / "ddpcr", lot / "ddpcr")
    head, *rows = (example_lot / "samples.csv").read_text().splitlines()
    (lot / "samples.csv").write_text("\n".join([head, *(r for r in rows if r.startswith("ddpcr"))]) + "\n")
    spec = example_lot / "specification.toml"
    done = call("batch", lot, "--out", tmp_path / "out", "--spec", spec, "--workers", "1", "--json")
    assert done.returncode == 5
    summary = only_document(done.stdout)
    narrowed = call("batch", lot, "--out", tmp_path / "out", "--spec", spec, "--fail-on", "oos", "--json")
    assert (narrowed.returncode, only_document(narrowed.stdout)["exit"]) == (0, 0)
    verdicts = {v["test"]: v["verdict"] for v in summary["evaluations"][0]["verdicts"]}  # type: ignore[index]
    assert verdicts["titer-ddpcr"] == "PASS"
    assert verdicts["full-auc"] == "INCOMPLETE"
    assert "incomplete" in done.stderr
    checked = call("check", tmp_path / "out", "--spec", spec, "--json")
    assert checked.returncode == 5
    evaluation = only_document(checked.stdout)
    assert {v["test"]: v["verdict"] for v in evaluation["verdicts"]} == verdicts  # type: ignore[attr-defined]
    narrowed = call("check", tmp_path / "out", "--spec", spec, "--fail-on", "oos")
    assert narrowed.returncode == 0


def test_check_of_several_folders_keeps_the_problems_of_each(tmp_path: Path) -> None:
    for name, problems in (
        ("a", ["line 2: no export"]),
        ("b", []),
        ("c", ["line 2: no export", "line 3: gone"]),
    ):
        entry = EvaluationEntry(
            lot="L", specification="S", overall="PASS", file="lots/L.json", problems=problems
        )
        manifest = Manifest(schema="aavqc.manifest/1", files=[], problems=[], evaluations=[entry])
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_bytes(canonical(manifest))
    _, _, problems_of = _result_files([str(tmp_path / name) for name in "abc"])
    assert problems_of == {"L": ["line 2: no export", "line 3: gone"]}


def test_a_list_of_wrong_items_is_refused_by_its_first() -> None:
    with pytest.raises(ValidationError) as caught:
        Manifest(files=[], problems=[1] * 1000, evaluations=[2] * 1000)  # type: ignore[list-item]
    assert caught.value.error_count() == 2  # one a list: a thousand each would take as long as they are many


def test_simulate_lot_is_the_committed_one(example_lot: Path, tmp_path: Path) -> None:
    assert call("simulate", "lot", tmp_path / "lot").returncode == 0
    made = {p.relative_to(tmp_path / "lot"): p.read_bytes() for p in (tmp_path / "lot").rglob("*.*")}
    kept = {p.relative_to(example_lot): p.read_bytes() for p in example_lot.rglob("*.*")}
    assert set(made) == set(kept)
    assert [str(name) for name in kept if kept[name] != made[name]] == []
    assert sum(map(len, kept.values())) < 5e6
