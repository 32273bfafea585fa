"""Specifications as files: what is refused, and where."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from pathlib import Path

import pytest

from aavqc.attributes import Attribute
from aavqc.errors import InputError, SpecificationError
from aavqc.results import Specification

HEAD = """schema = "aavqc.specification/1"
id = "X"
version = "1"
"""
TEST = """[[tests]]
id = "full"
attribute = "percent_full"
limit = "NLT 70.0 %"
"""


def load(folder: Path, text: str, name: str = "s.toml") -> Specification:
    (folder / name).write_text(text, encoding="utf-8")
    return Specification.load(folder / name)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD + TEST.replace('"NLT 70.0 %"', "70.0"), 7, "string"),
        (HEAD + TEST.replace('"NLT 70.0 %"', "70"), 7, "string"),
        (HEAD + TEST.replace("NLT 70.0", "circa 70.0"), 7, "number"),
        (HEAD + TEST + TEST.replace('"full"', '"b"').replace("70.0 %", "70.0 GC/mL"), 11, "unknown unit"),
        (HEAD + TEST + TEST, 9, "used twice"),
        (HEAD + TEST + 'replicates = { min = 1, max_cv = "x" }\n', 8, "max_cv"),
        (HEAD + TEST + "replicates = { min = 1, max_cv = 10 }\n", 8, "max_cv"),
        (HEAD + TEST + 'action = "75 - 70"\n', 8, "empty range"),
        (HEAD + TEST + 'colour = "red"\n', 8, "no such key"),
        (HEAD + TEST.replace("percent_full", "vg_titer[ITR]"), 6, "attribute"),
        (HEAD + 'rounding = "bankers"\n' + TEST, 4, "rounding"),
        (HEAD + 'rounding = "none"\n' + TEST + "decimal_places = 1\n", 9, "nothing is rounded"),
        (HEAD + "effective_from = 2026-02-01\neffective_to = 2026-01-01\n" + TEST, 5, "before"),
        (HEAD + 'aliases = { "cp/mL" = "vg/mL" }\n' + TEST, 4, "keeps its meaning"),
        (HEAD + 'aliases = { "GC/mL" = "genomes" }\n' + TEST, 4, "unknown unit"),
        (HEAD.replace('"1"\n', "1\n") + TEST, 3, "version"),
        (HEAD + "[[tests]\n", 4, "TOML"),
        (HEAD + TEST.replace('limit = "NLT 70.0 %"\n', ""), None, "limit"),
        (HEAD, None, "tests"),
        ("", None, ""),
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    with pytest.raises(SpecificationError) as raised:
        load(tmp_path, text)
    assert raised.value.file == "s.toml"
    assert raised.value.exit_code == 2
    assert words in str(raised.value)
    if line is not None:
        assert raised.value.line == line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        Specification.load(tmp_path / "none.toml")


def test_toml_and_json_are_the_same_specification(tmp_path: Path) -> None:
    text = HEAD + "effective_from = 2026-01-01\n" + TEST
    toml = load(tmp_path, text)
    as_json = json.dumps(tomllib.loads(text), default=str)
    assert load(tmp_path, as_json, "s.json") == toml
    assert load(tmp_path, as_json, "s.json").sha256 == toml.sha256
    for broken in ("{", "[1]", "[" * 100000, "null"):
        with pytest.raises(SpecificationError):
            load(tmp_path, broken, "broken.json")


def test_the_hash_is_of_the_content_not_of_the_layout(tmp_path: Path) -> None:
    plain = load(tmp_path, HEAD + TEST)
    assert load(tmp_path, "# a comment\n" + HEAD + 'rounding = "usp"\n' + TEST).sha256 == plain.sha256
    # a limit's last digit is content
    assert load(tmp_path, HEAD + TEST.replace("70.0", "70.00")).sha256 != plain.sha256
    assert plain.check([]).specification.sha256 == plain.sha256


@pytest.mark.req("SPEC-R14")
def test_dates(tmp_path: Path) -> None:
    spec = load(tmp_path, HEAD + "effective_from = 2026-01-01\neffective_to = 2026-06-30\n" + TEST)
    days = [date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1)]
    assert [spec.is_effective(day) for day in days] == [False, True, True, False]
    assert load(tmp_path, HEAD + TEST).is_effective(date(1900, 1, 1))


@pytest.mark.req("SPEC-R16")
def test_a_declared_spelling_is_used(tmp_path: Path) -> None:
    text = HEAD + 'aliases = { "GC/mL" = "vg/mL" }\n' + TEST.replace("70.0 %", "5.0E12 GC/mL")
    titer = Attribute(name="percent_full", technique="ddpcr", value=1e13, unit="vg/mL")
    assert load(tmp_path, text).check([titer]).overall == "PASS"


def test_the_example_specification(example_lot: Path) -> None:
    spec = Specification.load(example_lot / "specification.toml")
    assert (spec.id, spec.version, spec.status) == ("EX-DP", "1", "approved")
    assert {t.justification for t in spec.tests} == {"illustration"}
    composition = [("percent_full", 80.0), ("percent_empty", 10.0), ("percent_partial", 7.0)]
    found = [
        Attribute(name=name, technique=technique, value=value, unit="%")
        for technique in ("auc", "cdms")
        for name, value in [*composition, ("percent_overfull", 3.0)]
    ]
    found += [
        Attribute(name="packaged_length", technique="cdms", value=4711.0, unit="nt"),
        Attribute(name="mass_empty", technique="cdms", value=3.74e6, unit="Da"),
        Attribute(name="vg_titer", target="CAG", technique="ddpcr", value=1.02e13, unit="vg/mL"),
    ]
    evaluation = spec.check(found, lot="EX24-001")
    assert (evaluation.overall, evaluation.exit_code) == ("PASS", 0)
    assert spec.check(found[1:]).overall == "INCOMPLETE"
