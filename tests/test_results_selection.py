"""Specifications in JSON, and which one was in force."""

from __future__ import annotations

import json
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import aavqc
from aavqc.errors import SpecificationError
from aavqc.results import Specification, select

TEST = {"id": "full", "attribute": "percent_full", "limit": "NLT 70.0 %"}


def document(**fields: Any) -> dict[str, Any]:
    return {"schema": "aavqc.specification/1", "id": "X", "version": "1", "tests": [TEST], **fields}


def load(folder: Path, text: str) -> Specification:
    (folder / "s.json").write_text(text, encoding="utf-8")
    return Specification.load(folder / "s.json")


@pytest.mark.req("SPEC-R14")
def test_r14_the_same_specification_in_toml_and_json(example_lot: Path, tmp_path: Path) -> None:
    toml = example_lot / "specification.toml"
    data = json.loads(json.dumps(tomllib.loads(toml.read_text(encoding="utf-8")), default=str))
    schema = Path(aavqc.__file__).parent / "schemas" / "specification.json"
    jsonschema.validate(data, json.loads(schema.read_text(encoding="utf-8")))
    assert load(tmp_path, json.dumps(data)).sha256 == Specification.load(toml).sha256


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (json.dumps(document(tests=[TEST, {**TEST, "id": "b", "limit": 70.0}]), indent=1), 14, "string"),
        (json.dumps(document(tests=[TEST, {**TEST, "id": "b", "limit": "ca. 70"}]), indent=1), 14, "number"),
        (json.dumps(document(tests=[TEST, TEST]), indent=1), 12, "used twice"),
        (json.dumps(document(rounding="bankers"), indent=1), 12, "rounding"),
        (json.dumps(document(colour="red"), indent=1), 12, "no such key"),
        ('{"id": "X",\n"id": "Y"}', None, "twice"),
        ('{"id": "X",\n"version": }', 2, "JSON"),
        ('{"id": NaN}', None, "JSON"),
        ("[1]", None, ""),
        ("", 1, "JSON"),
    ],
)
def test_errors_in_json_name_the_line(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    with pytest.raises(SpecificationError) as raised:
        load(tmp_path, text)
    assert raised.value.file == "s.json"
    assert words in str(raised.value)
    if line is not None:
        assert raised.value.line == line


def version(number: str, start: date | None, end: date | None, **fields: Any) -> Specification:
    fields = {"status": "approved", **fields}
    return Specification(
        id="X", version=number, tests=[TEST], effective_from=start, effective_to=end, **fields
    )


FIRST = version("1", date(2025, 1, 1), date(2025, 12, 31), status="superseded")
SECOND = version("2", date(2026, 1, 1), date(2026, 6, 30), status="superseded")
THIRD = version("3", date(2026, 7, 1), None)


@pytest.mark.req("SPEC-R14")
@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 1, 1), "1"),
        (date(2025, 12, 31), "1"),
        (date(2026, 1, 1), "2"),
        (datetime(2026, 6, 30, 23, 59), "2"),
        (date(2026, 7, 1), "3"),
        (date(2099, 1, 1), "3"),
    ],
)
def test_r14_every_day_has_one_version(day: date, expected: str) -> None:
    draft = version("4", date(2026, 1, 1), None, status="draft")
    for order in ([FIRST, SECOND, THIRD, draft], [draft, THIRD, FIRST, SECOND]):
        assert [s.version for s in select(order, tested=day)] == [expected]


@pytest.mark.req("SPEC-R14")
def test_r14_gaps_overlaps_and_days_without_one_are_errors() -> None:
    late = version("3", date(2026, 7, 2), None)
    early = version("3", date(2026, 6, 30), None)
    endless = version("2", date(2026, 1, 1), None)
    day = date(2026, 3, 1)
    for versions, word in (
        ([SECOND, late], "gap"),
        ([SECOND, early], "overlap"),
        ([endless, THIRD], "overlap"),
        ([SECOND, SECOND], "overlap"),
        ([version("a", None, None), THIRD], "overlap"),
        ([SECOND, version("3", date(2026, 7, 1), None, effective_by="manufacture")], "different dates"),
        ([THIRD], "no version"),
        ([version("1", None, None, status="draft")], "ever in force"),
        ([], "ever in force"),
    ):
        with pytest.raises(SpecificationError, match=word):
            select(versions, tested=day)


@pytest.mark.req("SPEC-R14")
def test_r14_each_market_has_its_own_and_goes_by_its_own_date() -> None:
    eu = version("7", date(2026, 2, 1), None, market="EU", effective_by="manufacture")
    us = version("3", date(2026, 2, 1), None, market="US")
    dates = {"tested": date(2026, 3, 1), "manufactured": date(2026, 2, 1)}
    assert [(s.market, s.version) for s in select([us, eu], **dates)] == [("EU", "7"), ("US", "3")]
    with pytest.raises(SpecificationError, match="date of manufacture"):
        select([us, eu], tested=date(2026, 3, 1))
    with pytest.raises(SpecificationError, match="in force"):
        select([us, eu], tested=date(2026, 3, 1), manufactured=date(2026, 1, 31))
