"""Digital PCR in the Allotrope Simple Model (ASM, JSON): one measurement a well and target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from aavqc.errors import InputError
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.well_table import in_order, well_name
from aavqc.records import DropletPlate, WellRow

NAME = "asm-dpcr"
_ROOT = "dPCR aggregate document"
_PER_UL = {"#/μl": 1.0, "#/µl": 1.0, "#/ul": 1.0, "#/ml": 1e-3}


def sniff(head: bytes, basename: str) -> bool:
    """Tell the model by its aggregate document or manifest."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    return start == b"{" and (_ROOT.encode() in head or b"/dpcr.manifest" in head or b"/dpcr.schema" in head)


def read(export: Export) -> DropletPlate:
    """Read the measurements; the file's own concentrations are kept as the vendor's."""
    (file,) = export.files
    try:
        document = json.loads(file.text())
    except (ValueError, RecursionError) as error:
        at = error if isinstance(error, json.JSONDecodeError) else None
        raise InputError(
            "no usable JSON", file=file.name, line=at.lineno if at else None, found=str(error)[:80]
        ) from error
    try:
        aggregate = _object(document, _ROOT)
        rows = in_order([_row(m) for m in _measurements(aggregate)], file.name)
    except InputError as error:
        raise error.in_file(file.name) from None
    device = aggregate.get("device system document")
    software = device.get("brand name") if isinstance(device, dict) else None
    return DropletPlate(
        name=export.name,
        sample_id=export.sample_id,
        format=NAME,
        inputs=(file.input,),
        software=software if isinstance(software, str) else "ASM",
        rows=rows,
        partition_volume_nl=None,
        partition_volume_source="default",
    )


def _measurements(aggregate: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in _list(aggregate, "dPCR document"):
        yield from _list(_object(item, "measurement aggregate document"), "measurement document")


def _row(measurement: dict[str, Any]) -> WellRow:
    sample = _object(measurement, "sample document")
    results = _list(_object(measurement, "processed data aggregate document"), "processed data document")
    result = results[0] if results else {}
    well = well_name(_word(sample, "well location identifier"))
    if well is None:
        raise _wrong("well location identifier", "a well such as A1", sample.get("well location identifier"))
    accepted = _count(measurement, "total partition count")
    positives = _count(result, "positive partition count")
    negatives = _count(result, "negative partition count")
    if negatives is None and accepted is not None and positives is not None:
        negatives = accepted - positives
    if accepted is not None and positives is not None and (negatives or 0) + positives != accepted:
        raise _wrong("total partition count", f"{positives} + {negatives}", accepted)
    processing = result.get("data processing document")
    return WellRow(
        well=well,
        channel=_word(measurement, "reporter dye setting"),
        target=_word(measurement, "target DNA description"),
        sample=_word(sample, "sample identifier"),
        accepted=accepted,
        positives=positives,
        negatives=negatives,
        threshold=_value(processing, "fluorescence intensity threshold setting")
        if isinstance(processing, dict)
        else None,
        copies_per_ul=_concentration(result),
        sample_type=_word(sample, "sample role type"),
    )


def _concentration(result: dict[str, Any]) -> float | None:
    value = _value(result, "number concentration")
    if value is None:
        return None
    unit = result["number concentration"].get("unit")
    factor = _PER_UL.get(unit.lower()) if isinstance(unit, str) else None
    if factor is None:
        raise _wrong("unit of number concentration", "#/μL", unit)
    return value * factor


def _object(parent: Any, key: str) -> dict[str, Any]:
    found = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(found, dict):
        raise _wrong(key, "an object", found)
    return found


def _list(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = parent.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise _wrong(key, "a list of objects", found)
    return found


def _word(parent: dict[str, Any], key: str) -> str:
    found = parent.get(key, "")
    if not isinstance(found, str):
        raise _wrong(key, "text", found)
    return found.strip()


def _value(parent: dict[str, Any], key: str) -> float | None:
    found = parent.get(key)
    number = found.get("value") if isinstance(found, dict) else found
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) < 1e300:
        raise _wrong(key, "a finite number", str(number)[:40])
    return float(number)


def _count(parent: dict[str, Any], key: str) -> int | None:
    number = _value(parent, key)
    if number is None:
        return None
    if not (0 <= number < 1e12 and number.is_integer()):
        raise _wrong(key, "a whole number", number)
    return int(number)


def _wrong(key: str, expected: str, found: object) -> InputError:
    shown = "nothing" if found is None else type(found).__name__
    if isinstance(found, (str, float, int)):
        shown = repr(found)[:60]
    return InputError(f"no usable {key}", expected=expected, found=shown)


FORMAT = Format(
    name=NAME,
    title="digital PCR in the Allotrope Simple Model (JSON)",
    vendor="Allotrope",
    technique="ddpcr",
    extensions=(".json",),
    reads="counts, concentrations and thresholds by well and target",
    unread="what the model keeps as custom information, among it partition volumes",
    sniff=sniff,
    read=read,
    group=each_file_a_record(NAME, "ddpcr"),
)
