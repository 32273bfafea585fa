"""Results of other instruments: the same qualifiers, units and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aavqc.attributes import Attribute
from aavqc.errors import AavqcError, InputError
from aavqc.results import Candidate, Observation, Specification, load_results

HEAD = "lot,sample_id,attribute,technique,value,unit,lod,loq,ci_low,ci_high,coverage,scope\n"


def load(folder: Path, *rows: str, head: str = HEAD) -> list[Candidate]:
    path = folder / "other.csv"
    path.write_text(head + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return load_results(path).get("L1", [])


def one(folder: Path, row: str) -> Attribute:
    (candidate,) = load(folder, row)
    assert isinstance(candidate.attribute, Attribute)
    return candidate.attribute


@pytest.mark.parametrize(
    ("cells", "qualifier", "bound", "value"),
    [
        ("7.42,pH,,", None, None, 7.42),
        ("1.0 × 10¹³,vg/mL,,", None, None, 1e13),
        ("<0.5,EU/mL,,", "<", 0.5, 0.5),
        ("> 2E9,IU/mL,,", ">", 2e9, 2e9),
        ("<LOQ,ng/mL,2,6", "<", 6.0, 6.0),
        ("<LOD,ng/mL,2,6", "<", 2.0, 2.0),
        ("ND,ng/mL,2,6", "ND", 2.0, 2.0),
        ("<1 in 3E10 vg,,,", "<", 1 / 3e10, 1 / 3e10),
    ],
)
@pytest.mark.req("SPEC-R7")
def test_r7_values_and_qualifiers(
    tmp_path: Path, cells: str, qualifier: str | None, bound: float | None, value: float
) -> None:
    found = one(tmp_path, f"L1,S1,a,elisa,{cells},,,,")
    assert (found.qualifier, found.bound, found.value) == (qualifier, bound, value)
    assert (found.ci_low, found.ci_high, found.scope) == (None, None, None)
    assert "not stated" in str(found) or qualifier


def test_an_interval_and_words(tmp_path: Path) -> None:
    found = one(tmp_path, "L1,S1,a,elisa,1.3E13,VP/mL,,,1.0E13,1.7E13,0.95,procedure")
    assert (found.unit, found.ci_low, found.scope) == ("cp/mL", 1.0e13, "procedure")
    (seen,) = load(tmp_path, "L1,S1,a,visual,slightly opalescent,,,,,,,")
    assert isinstance(seen.attribute, Observation)
    assert seen.attribute.text == "slightly opalescent"


@pytest.mark.parametrize(
    ("row", "line", "words"),
    [
        ("L1,S1,a,elisa,7.42,,,,,,,", 2, "without its unit"),
        ("L1,S1,a,elisa,<5 ng/mL,,,,,,,", 2, "without its unit"),
        ("L1,S1,a,elisa,7.42 pH,pH,,,,,,", 2, "own column"),
        ("L1,S1,a,elisa,n/a,ng/mL,,,,,,", 2, "number"),
        ("L1,S1,a,elisa,5,GC/mL,,,,,,", 2, "unknown unit"),
        ("L1,S1,a,elisa,ND,ng/mL,,,,,,", 2, "lod"),
        ("L1,S1,a,elisa,1E400,ng/mL,,,,,,", 2, "finite"),
        ("L1,S1,a,elisa,5,ng/mL,,,4,,,", 2, "half an interval"),
        ("L1,S1,a,elisa,5,ng/mL,,,6,7,0.95,", 2, "outside its interval"),
        ("L1,S1,a,elisa,5,ng/mL,,,4,6,,", 2, "coverage"),
        ("L1,S1,a,elisa,5,ng/mL,,,4,6,0.95,lab", 2, "scope"),
        ("L1,,a,elisa,5,ng/mL,,,,,,", 2, "sample_id"),
        ("L1,S1,vg_titer[ITR],elisa,5,ng/mL,,,,,,", 2, "attribute"),
        ("L1,S1,a,elisa,5", 2, "row of the table"),
        ('L1,S1,"a', 2, "CSV"),
        ("L1,S1,a,elisa,<1 in 0 vg,,,,,,,", 2, "nothing was tested"),
    ],
)
def test_what_can_t_be_read_is_named(tmp_path: Path, row: str, line: int, words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        load(tmp_path, row)
    assert (raised.value.file, raised.value.line) == ("other.csv", line)


def test_columns(tmp_path: Path) -> None:
    for head, words in (("sample,attribute\n", "unknown column"), ("lot,lot\n", "twice"), ("", "no columns")):
        with pytest.raises(InputError, match=words):
            load(tmp_path, head=head)


def test_json(tmp_path: Path) -> None:
    row = {"sample_id": "S1", "attribute": "endotoxin", "technique": "lal", "value": "<0.5", "unit": "EU/mL"}
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"schema": "aavqc.other/1", "results": [row]}))
    (candidate,) = load_results(path)[None]
    assert isinstance(candidate.attribute, Attribute)
    assert candidate.attribute.bound == 0.5
    wrong = {"schema": "aavqc.other/1", "results": [row, {**row, "value": "low"}]}
    path.write_text(json.dumps(wrong, indent=1))
    with pytest.raises(InputError, match="endotoxin of S1") as raised:
        load_results(path)
    assert raised.value.line == 11
    path.write_text(json.dumps({"results": [{**row, "value": 0.5}]}))
    with pytest.raises(InputError, match="string"):
        load_results(path)


@pytest.mark.req("SPEC-R8")
@pytest.mark.parametrize(
    ("cells", "shown"),
    [
        ("1,ng/mL,2,6", "Not detected"),
        ("3,ng/mL,2,6", "Detected but <LLOQ"),
        ("1,ng/mL,6,6", "<LLOD"),
        ("8,ng/mL,2,6", "8 ng/mL"),
        ("ND,ng/mL,2,6", "Not detected"),
        ("<LOQ,ng/mL,2,6", "<6 ng/mL"),
    ],
)
def test_r8_what_lies_below_its_limits_is_named_and_has_no_interval(
    tmp_path: Path, cells: str, shown: str
) -> None:
    candidates = load(tmp_path, f"L1,S1,a,elisa,{cells},,,,")
    spec = Specification(id="S", version="1", tests=[{"id": "t", "attribute": "a", "limit": "NMT 50 ng/mL"}])
    evaluation = spec.check(candidates)
    assert evaluation.certificate.rows[0].result == shown
    below = load(tmp_path, "L1,S1,a,elisa,3,ng/mL,2,6,1,5,0.95,run")
    assert spec.check(below)["t"].ci_low is None


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_results_or_an_error_of_ours(tmp_path: Path, data: bytes, headed: bool) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes((HEAD.encode() if headed else b"") + data)
    try:
        load_results(path)
    except AavqcError:
        return
