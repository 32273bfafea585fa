"""Results of other instruments and laboratories, from CSV or JSON, as candidates.

A whole release specification can be judged: ELISA, infectious titer, endotoxin, HCP, appearance.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, StrictStr

from aavqc.attributes import Attribute, Qualifier, Scope
from aavqc.documents import Document
from aavqc.errors import AavqcError, InputError, nearest
from aavqc.quantities import match_number, parse_unit
from aavqc.results.candidates import Candidate, Observation
from aavqc.textfiles import line_of, parse_json, read_text, validate

MAX_ROWS = 100_000
_SIGN = re.compile(r"(<=|>=|[<>≤≥])\s*(?=\S)")
_SIGNS: dict[str, Qualifier] = {"<": "<", ">": ">", "<=": "≤", "≤": "≤", ">=": "≥", "≥": "≥"}
_SIZED = re.compile(r"<\s*(?P<count>\S+)\s+in\s+(?P<amount>.+?)\s*vg")


class OtherResult(Document):
    """One result, one row. Numbers are text, in the grammar of the specification."""

    lot: StrictStr | None = None
    sample_id: StrictStr = Field(min_length=1)
    attribute: StrictStr = Field(pattern=r"^\w+$")
    technique: StrictStr = Field(min_length=1, description="such as elisa, tcid50, lal, visual")
    value: StrictStr = Field(
        min_length=1,
        description="a number; <N, ≤N, >N, ≥N, <LOQ, <LOD or ND; <N in N vg; or words such as clear",
    )
    unit: StrictStr | None = Field(None, description="of the closed table; without one the value is words")
    target: StrictStr | None = None
    procedure: StrictStr | None = None
    preparation: StrictStr | None = None
    replicate: StrictStr | None = None
    result_id: StrictStr | None = None
    status: Literal["valid", "invalid"] = "valid"
    ci_low: StrictStr | None = Field(None, description="without both ends the interval is not stated")
    ci_high: StrictStr | None = None
    coverage: StrictStr | None = None
    scope: Scope | None = None
    lod: StrictStr | None = None
    loq: StrictStr | None = None


class OtherResults(Document):
    """Results from elsewhere (``aavqc.other/1``)."""

    schema_: Literal["aavqc.other/1"] = Field("aavqc.other/1", alias="schema")
    results: list[OtherResult] = Field(max_length=MAX_ROWS)


def load_results(*paths: str | Path) -> dict[str | None, list[Candidate]]:
    """Read results from elsewhere, by lot.

    Parameters
    ----------
    paths : path
        ``.json`` (``aavqc.other/1``), else CSV: UTF-8, comma, one row a result, columns named like
        the fields of :class:`OtherResult`; an empty cell is as if the column were not there.

    Returns
    -------
    dict of lot (None where the file names none) to list of Candidate

    Raises
    ------
    InputError
        File and line of what can't be read.
    """
    found: dict[str | None, list[Candidate]] = {}
    for path in map(Path, paths):
        for lot, candidate in _results(path):
            found.setdefault(lot, []).append(candidate)
    return found


def _results(path: Path) -> Iterator[tuple[str | None, Candidate]]:
    text = read_text(path)
    if path.suffix.lower() == ".json":
        data = parse_json(text, path.name, InputError)
        rows = validate(OtherResults, data, path.name, InputError, text).results
        lines = None
    else:
        rows, lines = _csv_rows(text, path.name)
    for i, row in enumerate(rows):
        try:
            candidate = _candidate(row)
        except AavqcError as error:
            raise InputError(
                f"result {row.attribute} of {row.sample_id}: {error.message}",
                file=path.name,
                line=lines[i] if lines else line_of(text, ("results", i)),
                expected=error.expected,
                found=error.found,
                hint=error.hint,
            ) from error
        yield row.lot, candidate


def _csv_rows(text: str, name: str) -> tuple[list[OtherResult], list[int]]:
    """Return the rows and their lines."""
    known = list(OtherResult.model_fields)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[OtherResult] = []
    lines: list[int] = []
    try:
        columns = [cell.strip() for cell in next(reader, [])]
        for column in columns:
            if column not in known or columns.count(column) > 1:
                raise InputError(
                    "column twice" if column in known else "unknown column",
                    file=name,
                    line=1,
                    found=repr(column[:40]),
                    hint=nearest(column[:40], known),
                )
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns) or len(rows) >= MAX_ROWS:
                raise InputError(
                    "not a row of the table",
                    file=name,
                    line=reader.line_num,
                    expected=f"{len(columns)} cells, at most {MAX_ROWS} rows",
                    found=f"{len(cells)} cells",
                )
            data = {k: v.strip() for k, v in zip(columns, cells, strict=True) if v.strip()}
            rows.append(validate(OtherResult, data, name, InputError, line=reader.line_num))
            lines.append(reader.line_num)
    except csv.Error as error:
        raise InputError("no valid CSV", file=name, line=reader.line_num, found=str(error)) from error
    if not columns:
        raise InputError("no columns", file=name, expected=", ".join(known[:5]))
    return rows, lines


def _candidate(row: OtherResult) -> Candidate:
    attribute: Attribute | Observation
    if row.unit is None and not _SIZED.match(row.value):
        _refuse_number(row)
        attribute = Observation(
            name=row.attribute, technique=row.technique, text=row.value, target=row.target
        )
    else:
        attribute = _attribute(row)
    return Candidate(
        attribute,
        row.sample_id,
        row.status,
        row.preparation,
        row.replicate,
        row.result_id,
        procedure=row.procedure,
    )


def _refuse_number(row: OtherResult) -> None:
    """Refuse a number without its unit: it would be judged as a word."""
    try:
        _, rest = match_number(_SIGN.sub("", row.value, count=1))
    except AavqcError:
        return
    raise InputError(
        "a number without its unit",
        expected="the unit in its own column; 1 for a plain ratio",
        found=repr(row.value),
        hint=f"put {rest!r} into the column unit" if rest else None,
    )


def _attribute(row: OtherResult) -> Attribute:
    lod, loq, low, high, coverage = (
        None if text is None else _number(text)
        for text in (row.lod, row.loq, row.ci_low, row.ci_high, row.coverage)
    )
    qualifier, value, unit = _value(row, lod, loq)
    if (low is None) != (high is None):
        raise InputError("half an interval", expected="ci_low and ci_high, or neither")
    if low is not None and high is not None and not low <= value <= high:
        raise InputError("the value lies outside its interval", found=f"{value} in {low} – {high}")
    if low is not None and not 0 < (coverage or 0) < 1:
        raise InputError("an interval without its coverage", expected="coverage such as 0.95")
    return Attribute(
        name=row.attribute,
        target=row.target,
        technique=row.technique,
        value=value,
        unit=unit,
        ci_low=low,
        ci_high=high,
        coverage=coverage if low is not None else None,
        scope=row.scope if low is not None else None,
        qualifier=qualifier,
        bound=None if qualifier is None else value,
        lod=lod,
        loq=loq,
    )


def _value(row: OtherResult, lod: float | None, loq: float | None) -> tuple[Qualifier | None, float, str]:
    """Return qualifier, number (the bound where there is a qualifier) and unit."""
    text = row.value
    if sized := _SIZED.fullmatch(text):
        amount = _number(sized["amount"])
        if amount <= 0:
            raise InputError("nothing was tested", expected="an amount above 0", found=repr(text))
        return "<", _number(sized["count"]) / amount, "copies/vg"
    unit = parse_unit(row.unit or "")
    limit = {"<LOD": lod, "ND": lod, "<LOQ": loq}.get(text.replace(" ", ""), "none")
    if limit != "none":
        if not isinstance(limit, float):
            raise InputError(f"{text} without its limit", expected="a number in the column lod or loq")
        return ("ND" if text == "ND" else "<"), limit, unit
    if sign := _SIGN.match(text):
        return _SIGNS[sign[1]], _number(text[sign.end() :]), unit
    return None, _number(text), unit


def _number(text: str) -> float:
    number, rest = match_number(text)
    if rest:
        raise InputError("not a number", expected="a number, its unit in its own column", found=repr(text))
    return float(number.value)
