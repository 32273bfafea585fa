"""What each technique measured: attributes, flags, figures and the tables that a reviewer asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aavqc.attributes import CLASSES, Attribute, Technique, censored
from aavqc.documents import ResultDocument, Sample, Well, natural
from aavqc.report.arrays import Arrays
from aavqc.report.content import (
    Block,
    Cell,
    Image,
    Row,
    Section,
    Table,
    Text,
    cells,
    interval,
    number,
    words,
)
from aavqc.report.pictures import Picture
from aavqc.report.plots import figures

TITLES: dict[Technique, str] = {
    "auc": "Analytical ultracentrifugation (AUC)",
    "cdms": "Charge-detection mass spectrometry (CDMS)",
    "ddpcr": "Droplet digital PCR (ddPCR)",
}
NAMES: dict[Technique, str] = {"auc": "AUC", "cdms": "CDMS", "ddpcr": "ddPCR"}
COVERS = {
    "fit": "this fit",
    "run": "cells or wells and preparations of this run",
    "procedure": "intermediate precision of the procedure",
}
"""What an interval covers, by its scope."""

MOST_DRAWN = 6
"""Samples of one technique with figures in one report: a plate that is one lot may have ninety-six."""


def measurements(
    documents: Mapping[str, ResultDocument],
    samples: Mapping[str, Sequence[Sample]],
    arrays: Mapping[str, Arrays],
) -> Iterator[Section]:
    """Yield a section a technique, with one for each sample of the lot and each control beside it.

    Parameters
    ----------
    documents : mapping of job to ResultDocument
    samples : mapping of job to samples
        Those that are shown.
    arrays : mapping of job to arrays
    """
    for technique, title in TITLES.items():
        shown = [
            (sample, job)
            for job, document in documents.items()
            if document.payload.technique == technique
            for sample in samples[job]
        ]
        shown.sort(key=lambda pair: (pair[0].role != "sample", natural(pair[0].sample_id), pair[0].record))
        blocks: list[Block] = []
        measured = sum(sample.role == "sample" for sample, _ in shown)
        if measured > MOST_DRAWN:
            told = f"Figures are of the first {MOST_DRAWN} of {measured} samples; tables are of all."
            blocks.append(Text(told, warning=True))
        for i, (sample, job) in enumerate(shown):
            drawn = (
                figures(documents[job].payload, arrays[job], sample) if i < min(MOST_DRAWN, measured) else []
            )
            blocks.append(_sample(f"{technique}-{i + 1}", sample, documents[job], drawn))
        if blocks:
            yield Section(technique, title, tuple(blocks))


def _sample(name: str, sample: Sample, document: ResultDocument, drawn: Sequence[Picture]) -> Section:
    technique = document.payload.technique
    blocks: list[Block] = [Text(_identity(sample))]
    blocks.append(_flags(sample))
    blocks.append(_attributes(sample))
    blocks += map(Image, drawn)
    tables = {"auc": _auc, "cdms": _cdms, "ddpcr": _ddpcr}[technique]
    wells = [w for w in document.payload.wells or [] if w.sample_id == sample.sample_id]
    blocks += [table for table in tables(sample.diagnostics, wells) if table.rows]
    what = [NAMES[technique]]
    if sample.role != "sample":
        what.append(sample.role.replace("_", " "))
    elif sample.replicate:
        what.append(f"replicate {sample.replicate}")
    return Section(name, f"{', '.join(what)}: {sample.sample_id}", tuple(blocks))


def _identity(sample: Sample) -> str:
    facts = {"Status": sample.status, "preparation": sample.preparation, "replicate": sample.replicate}
    return "; ".join(f"{k} {v}" for k, v in {**facts, "record": sample.record}.items() if v)


def _flags(sample: Sample) -> Table:
    return Table(
        "Flags and warnings of this sample",
        ("Severity", "Flag", "What it means", "Value", "Limit"),
        (
            *((*cells(f.severity, f.id, f.message), number(f.value), number(f.limit)) for f in sample.flags),
            *((*cells("warning", "–", text), number(None), number(None)) for text in sample.warnings),
        ),
    )


def said_of(samples: Sequence[Sample]) -> list[tuple[str, str, str]]:
    """Return sample, severity and words of what a reviewer is warned of."""
    return [
        (sample.sample_id, *said)
        for sample in samples
        for said in (
            *((f.severity, f.message) for f in sample.flags if f.severity != "info"),
            *(("warning", text) for text in sample.warnings),
        )
    ]


def _attributes(sample: Sample) -> Table:
    return Table(
        "Attributes with their intervals and what these cover",
        ("Attribute", "Value", "Unit", "Interval", "Coverage", "Covers", "LOD", "LOQ"),
        tuple(_attribute(a) for a in sample.attributes),
        empty="No number can be had of this sample.",
    )


def _attribute(a: Attribute) -> Row:
    value = number(a.value)
    if a.qualifier is not None and a.bound is not None:
        value = Cell(censored(a.qualifier, words(a.bound)), "number", sort=value.sort)
    return (
        Cell(a.key),
        value,
        Cell("" if a.unit == "1" else a.unit),
        interval(a.ci_low, a.ci_high),
        number(a.coverage),
        Cell(COVERS[a.scope] if a.scope else "–"),
        number(a.lod),
        number(a.loq),
    )


Diagnostics = Mapping[str, Any]


def _auc(found: Diagnostics, wells: Sequence[Well]) -> Iterator[Table]:
    del wells
    facts = (
        "model", "rmsd", "signal_unit", "wavelength_nm", "rpm", "temperature_c", "scans_used", "meniscus",
        "meniscus_sd", "bottom", "fit_range", "frictional_ratio", "radius_nm", "noise_removed", "solvent",
    )  # fmt: skip
    yield _facts("The fit", {"Value": {key: found.get(key) for key in facts}})
    yield _rows(
        "Peaks: sedimentation coefficient as measured and in water at 20 °C",
        found.get("peaks"),
        {
            "class": "Class", "s": "s, S", "s20w": "s20,w, S", "length_nt": "Packaged length, nt",
            "signal": "Signal", "fraction": "Share of signal",
        },
    )  # fmt: skip
    yield _rows(
        "What the fit chose, and why",
        found.get("choices"),
        {"what": "Choice", "value": "Value", "reason": "Reason"},
    )


def _cdms(found: Diagnostics, wells: Sequence[Well]) -> Iterator[Table]:
    del wells
    yield _rows("Ions kept and dropped", found.get("funnel"), {"step": "Step", "ions": "Ions"})
    acquired = found.get("acquisition") or {}
    yield _rows(
        "Funnel of the instrument's software, before the file was written",
        acquired.get("rejections"),
        {"step": "Step", "ions": "Signals"},
    )
    software = {key: acquired.get(key) or {} for key in ("software", "parameters", "calibration")}
    yield _facts("The instrument's software, as the file states it", {"Value": software})
    yield _rows(
        "Peaks of mass",
        found.get("peaks"),
        {"mass_mda": "Mass, MDa", "sd_mda": "SD, MDa", "ions": "Ions", "fraction": "Share of ions"},
    )
    methods = found.get("methods") or {}
    yield Table(
        "Classes by each method, % of capsids",
        ("Method", "Empty", "Partial", "Full", "Overfull"),
        tuple(
            (Cell(name), *(number(values.get(f"percent_{c}")) for c in CLASSES))
            for name, values in sorted(methods.items())
            if isinstance(values, Mapping)
        ),
    )
    calibration = dict(found.get("calibration") or {})
    fitted = dict(calibration.pop("fitted", {}))
    yield _rows(
        "Standards: mass as stated, and of the comb of m/z",
        calibration.pop("combs", []),
        {
            "name": "Standard", "stated_da": "Stated, Da", "measured_da": "Comb, Da",
            "offset_percent": "Offset, %", "lines": "Lines",
        },
    )  # fmt: skip
    yield _rows(
        "Models of the charge that the standards admit, the one applied first",
        [fitted, *fitted.get("other_models", [])] if fitted else [],
        {
            "model": "Model", "charge_slope": "Slope", "charge_intercept": "Intercept",
            "charge_mz_slope": "Slope with m/z, a Th",
        },
    )  # fmt: skip
    short = ("residual_rel_sd", "suitable", "charge_range", "mz_range")
    calibration["fitted"] = {key: fitted[key] for key in short if key in fitted}
    yield _facts("Calibration", {"Value": calibration})


def _ddpcr(found: Diagnostics, wells: Sequence[Well]) -> Iterator[Table]:
    columns = {
        "well": "Well", "channel": "Channel", "target": "Target", "accepted": "Accepted",
        "positives": "Positive", "calls": "Calls", "positives_vendor": "Vendor's", "positives_own": "Own",
        "threshold": "Threshold", "copies_per_ul": "Copies/µL", "ci_low": "From", "ci_high": "To",
        "undiluted_per_ml": "Undiluted, /mL", "partition_volume_nl": "Droplet, nL",
        "partition_volume_source": "Source of volume", "status": "Status",
    }  # fmt: skip
    yield _rows("Wells", [well.model_dump() for well in wells], columns)
    items = found.get("dmiqe") or []
    stated = {
        str(t["target"]): {k: v for k, v in t.items() if k not in ("target", "thresholds")} for t in items
    }
    yield _facts("dMIQE items by target", stated)
    targets = found.get("targets") or {}
    linear = {name: target["linearity"] for name, target in targets.items() if target.get("linearity")}
    yield _facts("Linearity of dilution by target", linear)
    yield _facts("Integrity of the multiplex", {"Value": found.get("integrity") or {}})
    yield _facts("Suitability of the plate", {"Value": found.get("suitability") or {}})


def _facts(caption: str, found: Mapping[str, Diagnostics]) -> Table:
    """Return facts, one a row, of one thing or of several side by side; nested ones under their own names."""
    columns = [dict(_flat(facts)) for facts in found.values()]
    names = dict.fromkeys(name for column in columns for name in column)
    rows = tuple((Cell(name), *(Cell(words(column.get(name))) for column in columns)) for name in names)
    return Table(caption, ("Item", *found), rows)


UNITS = {
    "c": "°C", "nm": "nm", "nl": "nL", "ul": "µL", "da": "Da", "mda": "MDa", "nt": "nt", "percent": "%",
}  # fmt: skip
"""By how names of facts end."""
CENTIMETRES = ("meniscus", "meniscus_sd", "bottom", "fit_range")


def _named(key: str) -> str:
    """Return the name of a fact in words, with its unit.

    Examples
    --------
    >>> _named("temperature_c"), _named("time_percent_se"), _named("bottom")
    ('temperature, °C', 'time se, %', 'bottom, cm')
    """
    unit = "cm" if key in CENTIMETRES else None
    parts = key.split("_")
    for part in parts[1:]:
        unit = UNITS.get(part, unit)
    name = " ".join(part for i, part in enumerate(parts) if i == 0 or part not in UNITS)
    return f"{name}, {unit}" if unit else name


def _flat(facts: Diagnostics) -> Iterator[tuple[str, object]]:
    for key, value in facts.items():
        name = _named(key)
        if isinstance(value, Mapping):
            yield from ((f"{name}, {inner}", v) for inner, v in _flat(value))
        elif value is not None:
            yield name, value


def _rows(caption: str, found: object, columns: Mapping[str, str]) -> Table:
    """Return a list of records as a table; columns without a value are left out."""
    records = [r for r in found if isinstance(r, Mapping)] if isinstance(found, list) else []
    used = {key: title for key, title in columns.items() if any(r.get(key) is not None for r in records)}
    exact = {key for key in used if all(_is_number(r.get(key)) or r.get(key) is None for r in records)}
    rows = [
        tuple(number(r.get(key)) if key in exact else Cell(words(r.get(key))) for key in used)
        for r in records
    ]
    return Table(caption, tuple(used.values()), tuple(rows))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
