"""Specifications as files: what is refused, and where."""

from __future__ import annotations

from datetime import date, datetime
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


def test_the_hash_is_of_the_content_not_of_the_layout(tmp_path: Path) -> None:
    plain = load(tmp_path, HEAD + TEST)
    assert load(tmp_path, "# a comment\n" + HEAD + 'rounding = "usp"\n' + TEST).sha256 == plain.sha256
    # a limit's last digit is content
    assert load(tmp_path, HEAD + TEST.replace("70.0", "70.00")).sha256 != plain.sha256
    assert plain.check([]).specification.sha256 == plain.sha256


@pytest.mark.req("SPEC-R14")
def test_r14_a_specification_that_is_not_in_force_says_so(tmp_path: Path) -> None:
    approved = HEAD + 'status = "approved"\neffective_from = 2026-01-01\neffective_to = 2026-06-30\n' + TEST
    spec = load(tmp_path, approved)
    assert spec.check([]).warnings == []
    days = [date(2025, 12, 31), date(2026, 1, 1), datetime(2026, 6, 30, 23, 59), date(2026, 7, 1)]
    assert [len(spec.check([], on=day).warnings) for day in days] == [1, 0, 0, 1]
    assert "from 2026-01-01" in spec.check([], on=days[0]).warnings[0]
    assert "Warning: on 2026-07-01" in str(spec.check([], on=days[3]))
    always = load(tmp_path, HEAD + 'status = "approved"\n' + TEST)
    assert always.check([], on=date(1900, 1, 1)).warnings == []
    superseded = load(tmp_path, approved.replace('"approved"', '"superseded"')).check([], on=days[0])
    assert ["superseded" in superseded.warnings[0], len(superseded.warnings)] == [True, 2]
    assert "draft" in load(tmp_path, HEAD + TEST).check([]).warnings[0]


@pytest.mark.req("SPEC-R15")
def test_r15_an_established_condition_is_carried_into_the_verdict(tmp_path: Path) -> None:
    text = HEAD + TEST + 'established_condition = true\nreporting_category = "PAS"\n'
    found = load(tmp_path, text).check([])["full"]
    assert (found.established_condition, found.reporting_category) == (True, "PAS")
    assert load(tmp_path, HEAD + TEST).check([])["full"].established_condition is None


@pytest.mark.req("SPEC-R16")
def test_r16_a_declared_spelling_is_used(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            HEAD + TEST.replace("NLT", "NTL"),
            "test full: limit: neither .* expected such as NLT 70.0 %, NMT",
        ),
        (HEAD + TEST + 'technique = "cmds"\n', "test full: technique: .* expected cdms, found 'cmds'"),
        (HEAD + TEST + "limits = 3\n", "test full: limits: expected no such key"),
        (HEAD + TEST.replace('0 %"', "0 %"), "found a quote that is not closed"),
    ],
)
def test_a_slip_in_a_test_is_told_by_the_id_of_the_test(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SpecificationError, match=words):
        load(tmp_path, text)


def test_an_attribute_that_is_all_but_a_result_s_is_told(tmp_path: Path) -> None:
    spec = load(tmp_path, HEAD + 'status = "approved"\n' + TEST.replace("percent_full", "percent_ful"))
    found = [Attribute(name=f"percent_{c}", technique="auc", value=80.0, unit="%") for c in ("full", "empty")]
    evaluation = spec.check(found)
    assert evaluation.warnings == ["test full: no result is named percent_ful; there is percent_full"]
    assert evaluation.overall == "INCOMPLETE"
    assert load(tmp_path, HEAD + 'status = "approved"\n' + TEST).check(found[1:]).warnings == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (HEAD + 'marked = "EU"\n' + TEST, "did you mean market"),
        (HEAD + TEST.replace("limit", "limits"), "did you mean limit"),
        (HEAD + TEST + "replicates = { minimum = 2 }\n", "did you mean min"),
        (HEAD + TEST + "trend = { last = 20 }\n", "one of: min"),
    ],
)
def test_an_unknown_key_brings_the_nearest_ones(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(SpecificationError, match=hint):
        load(tmp_path, text)
