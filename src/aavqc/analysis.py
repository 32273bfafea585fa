"""Read and analyze: the only place that knows parsers and techniques.

Examples
--------
>>> import aavqc, importlib.resources
>>> lot = importlib.resources.files("aavqc") / "_example_lot"
>>> plate = aavqc.read(lot / "ddpcr" / "EX24-001.csv")
>>> result = aavqc.analyze(plate, design_length=4700, dilution_factor=1e7)
>>> result.samples[0].attributes["vg_titer[CAG]"].unit
'vg/mL'
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from aavqc.attributes import Technique
from aavqc.documents import Method, MethodUsed, Outcome, PartUsed, Payload, Sample, SheetRow, natural, plain
from aavqc.errors import InputError, SeveralRecords, SpecificationError, UsageError
from aavqc.methods import load_method
from aavqc.overruled import told_overruled
from aavqc.parsers import Export, Survey, read_export, survey
from aavqc.records import Record, VelocityGroup, VelocityScans
from aavqc.result import Result
from aavqc.settings import Settings, build
from aavqc.sheet import assign, load_sheet

TECHNIQUES: tuple[Technique, ...] = ("auc", "cdms", "ddpcr")
DEFAULT_METHODS: dict[Technique, str] = {"auc": "aav-sv", "cdms": "aav-cdms", "ddpcr": "aav-ddpcr"}

SAMPLE_FACTS = (
    "serotype", "design_length", "genome_form", "dilution_factor", "density", "viscosity", "solvent",
    "buffer", "calibration", "run_date", "capsid", "genome",
)  # fmt: skip
"""Settings that describe a sample or the instrument's state, not a method: a sample sheet may state
them in any case."""

Progress = Callable[[str], None]


def read_all(path: str | Path | BinaryIO, *, name: str | None = None) -> list[Record]:
    """Read every export below a path into records.

    Parameters
    ----------
    path : path of a file, folder or zip, or an open binary stream
    name : str, optional
        File name of a stream.

    Raises
    ------
    InputError
        A file can't be read as what it should be, or nothing was recognised.
    """
    found = survey(path, name=name)
    _raise_failures(found, path)
    return [read_export(export) for export in found.exports]


def read(path: str | Path | BinaryIO, *, name: str | None = None) -> Record:
    """Read the one export of a path into a record.

    Raises
    ------
    SeveralRecords
        The path holds more than one; see :func:`read_all`.
    """
    found = survey(path, name=name)
    _raise_failures(found, path)
    if len(found.exports) > 1:
        raise SeveralRecords(
            "the path holds several records",
            file=str(path),
            found=", ".join(e.name for e in found.exports[:6]),
            hint="read_all returns them all",
        )
    return read_export(found.exports[0])


def analyze(
    source: Record | str | Path | BinaryIO,
    method: str | Path | Method | None = None,
    *,
    name: str | None = None,
    samples: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Result:
    """Analyze a record, or all records of one technique below a path.

    Parameters
    ----------
    source : Record, path or open binary stream
    method : name of a built-in method, path of a TOML file, Method, optional
        Default: the built-in method of the technique.
    name : str, optional
        File name of a stream.
    samples : path, optional
        Sample sheet or a plate's layout (CSV or XLSX): which part is which sample, its role,
        preparation and dilution. It may name other exports too.
    progress : callable, optional
        Called with a short text as each record is begun.
    **settings
        Override the method's; dotted names through ``**{"extinction.capsid.260": 3.72e6}``.

    Returns
    -------
    Result

    Raises
    ------
    UsageError
        Several techniques below the path (``aavqc batch`` takes those), unknown settings.
    InputError
        Input that can't be read.
    """
    return analyze_all(source, method, settings, name=name, samples=samples, progress=progress)


def analyze_all(
    source: Record | str | Path | BinaryIO,
    method: str | Path | Method | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    name: str | None = None,
    samples: str | Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Do what :func:`analyze` does, with the settings as a mapping of any keys."""
    overrides, replicates = settings or {}, False
    if isinstance(source, Record):
        records = [source]
        exports = [Export(source.format, source.technique, source.name, source.sample_id, ())]
        used = resolve_method(source.technique, method)
    else:
        found = survey(source, name=name)
        techniques = sorted({e.technique for e in found.exports})
        if len(techniques) > 1:
            raise UsageError(
                "the path holds exports of several techniques",
                file=str(source),
                expected="exports of one technique",
                found=", ".join(techniques),
                hint="'aavqc batch' takes a folder of all",
            )
        _raise_failures(found, source)
        used = resolve_method(techniques[0], method)
        settled = build(settings_class(techniques[0]), used.settings, overrides)  # a wrong one ends it here
        exports = found.exports
        records = [read_export(export) for export in exports]
        replicates = getattr(settled, "together", False) and techniques == ["cdms"]
        if getattr(settled, "together", False) and not replicates:
            records = [_together(records)]
    rows = {} if samples is None else _sheet_rows(Path(samples), exports, source)
    started = time.perf_counter()
    results = []
    for record in records:
        if progress:
            progress(record.name)
        results.append(analyze_record(record, used, overrides, rows.get(record.name, ())))
    result = merge(results)
    if replicates:
        result = _means(result, records, settled.coverage, sheet=samples is not None)
    return replace(result, seconds=time.perf_counter() - started)


def _together(records: Sequence[Record]) -> Record:
    """Put the cells and runs of one sample into one record."""
    scans = [r for r in records if isinstance(r, VelocityScans)]
    if len(scans) < len(records):
        raise UsageError("setting together", expected="scans of sedimentation velocity only")
    return VelocityGroup.of(scans)


def _means(result: Result, records: Sequence[Record], coverage: float, sheet: bool) -> Result:
    """Report the records of one sample (by the sample sheet; without one all of them) as their mean."""
    from aavqc.cdms.replicates import mean_of_replicates

    if len({(type(r), getattr(r, "instrument", None)) for r in records}) > 1:
        raise UsageError("setting together", expected="ions, or masses of one kind of instrument, not both")
    groups: dict[tuple[object, ...], list[Sample]] = {}
    for sample in result.samples:
        groups.setdefault((sample.sample_id, sample.lot, sample.role) if sheet else (), []).append(sample)
    samples = [g[0] if len(g) == 1 else mean_of_replicates(g, coverage) for g in groups.values()]
    means = {"cdms.replicates/1"} if any(len(g) > 1 for g in groups.values()) else set()
    algorithms = sorted({*result.payload.algorithms, *means})
    payload = result.payload.model_copy(update={"samples": samples, "algorithms": algorithms})
    return replace(result, payload=payload)


def _sheet_rows(
    samples: Path, exports: Sequence[Export], source: Record | str | Path | BinaryIO
) -> dict[str, list[SheetRow]]:
    """Return the rows of a sample sheet by record; those of other exports are left out."""
    folder = samples.parent
    if isinstance(source, (str, Path)):
        folder = Path(source) if Path(source).is_dir() else Path(source).parent
    names = {name for technique in TECHNIQUES for name in settings_class(technique).model_fields}
    assigned = assign(load_sheet(samples, names), list(exports), folder, samples)
    if not assigned.rows:
        row = next((p.row for p in assigned.problems if p.row is not None), None)
        raise SpecificationError(
            "the sample sheet names none of the exports",
            file=samples.name,
            line=row.line if row else None,
            expected=f"a row of {' or '.join(e.name for e in exports[:4])}",
            found=f"{row.export!r} {row.part}".rstrip() if row else "no rows",
        )
    return assigned.rows


def resolve_method(technique: Technique, method: str | Path | Method | None) -> Method:
    """Return the method to use for a technique; one of another technique is refused."""
    if method is None:
        method = DEFAULT_METHODS[technique]
    if not isinstance(method, Method):
        method = load_method(method)
    if method.technique != technique:
        raise UsageError(
            f"method {method.name!r} is for another technique",
            expected=technique,
            found=method.technique,
        )
    return method


def settings_class(technique: Technique) -> type[Settings]:
    """Return the settings model of a technique."""
    cls: type[Settings] = import_module(f"aavqc.{technique}.settings").TechniqueSettings
    return cls


def analyze_record(
    record: Record,
    method: Method,
    overrides: Mapping[str, Any] | None = None,
    rows: Sequence[SheetRow] = (),
) -> Result:
    """Analyze one record with a method, overrides and the rows of a sample sheet.

    The rows' own settings win over the method's, and ``overrides`` win over both. Rows
    that name wells apply to those wells of a plate.
    """
    started = time.perf_counter()
    cls = settings_class(record.technique)
    _refuse_changes(method, cls, overrides or {}, rows)
    whole = [row for row in rows if not row.wells]
    settings = _settings(method, cls, overrides or {}, rows)
    outcome: Outcome
    technique = import_module(f"aavqc.{record.technique}")
    if record.technique == "ddpcr":
        parts = [(row, build(cls, method.settings, row_settings(row, cls), overrides or {})) for row in rows]
        outcome = technique.analyze(record, settings, parts)
    else:
        outcome = technique.analyze(record, settings)
        if whole:
            outcome = replace(outcome, samples=[labelled(s, whole[0]) for s in outcome.samples])
    if overrides and rows:
        stated = [(row, row_settings(row, cls)) for row in rows]
        outcome = replace(outcome, samples=[told_overruled(s, stated, overrides) for s in outcome.samples])
    payload = Payload(
        technique=record.technique,
        inputs=sorted(record.inputs, key=lambda i: os.fsencode(i.name)),
        method=_method_used(method, settings, rows),
        algorithms=sorted(outcome.algorithms),
        samples=sorted(outcome.samples, key=lambda s: natural(s.sample_id)),
        wells=outcome.wells,
    )
    arrays = {f"{record.name}/{k}": v for k, v in outcome.arrays.items()}
    return Result(payload, arrays, time.perf_counter() - started)


def method_used(technique: Technique, method: Method, rows: Sequence[SheetRow] = ()) -> MethodUsed:
    """Return the method as a result will state it: known before anything is read."""
    return _method_used(method, _settings(method, settings_class(technique), {}, rows), rows)


def _settings(
    method: Method, cls: type[Settings], overrides: Mapping[str, Any], rows: Sequence[SheetRow]
) -> Settings:
    """Return the settings of a whole record."""
    return build(cls, method.settings, *(row_settings(r, cls) for r in rows if not r.wells), overrides)


def _method_used(method: Method, settings: Settings, rows: Sequence[SheetRow]) -> MethodUsed:
    return MethodUsed(
        name=method.name,
        version=method.version,
        technique=method.technique,
        settings=plain(settings.model_dump(mode="json")),
        parts=[_part(row, settings.documents) for row in rows],
    )


def row_settings(row: SheetRow, cls: type[Settings]) -> dict[str, Any]:
    """Return what a row of the sample sheet sets for a technique."""
    known: dict[str, Any] = {k: v for k, v in row.settings.items() if k.split(".")[0] in cls.model_fields}
    if row.dilution_factor is not None:
        known["dilution_factor"] = row.dilution_factor
    return known


def _part(row: SheetRow, documents: Collection[str]) -> PartUsed:
    """What a row said; not where a document lay whose content is among the settings."""
    stated = row.model_dump(exclude={"export", "method", "specification", "line", "settings"})
    return PartUsed(**stated, settings={k: v for k, v in row.settings.items() if k not in documents})


def labelled(sample: Sample, row: SheetRow) -> Sample:
    """Return a sample with the identity that the sample sheet states."""
    names = ("sample_id", "lot", "role", "preparation", "replicate")
    return sample.model_copy(update={name: getattr(row, name) for name in names})


def _refuse_changes(
    method: Method, cls: type[Settings], overrides: Mapping[str, Any], rows: Sequence[SheetRow]
) -> None:
    """Refuse changes to an approved method that is regulated; facts of a sample are none.

    To ask for regulated work is no change itself; not to is one.
    """
    if method.status != "approved":
        return
    regulated = _settings(method, cls, overrides, rows).regulated
    if not regulated and not build(cls, method.settings).regulated:
        return
    changed = set(overrides) | {
        name for row in rows for name in row_settings(row, cls) if name.split(".")[0] not in SAMPLE_FACTS
    }
    if regulated:
        changed.discard("regulated")
    if changed:
        raise UsageError(
            f"method {method.name!r} version {method.version} is approved and regulated",
            expected="no other settings",
            found=", ".join(sorted(changed)),
            hint="make a new version of the method",
        )


def merge(results: Sequence[Result]) -> Result:
    """Join the results of several records of one technique and method into one."""
    if len(results) == 1:
        return results[0]
    payloads = [r.payload for r in results]
    inputs = {i.name: i for p in payloads for i in p.inputs}
    wells = [w for p in payloads for w in p.wells or []]
    parts: list[PartUsed] = []
    for p in payloads:
        parts += [part for part in p.method.parts if part not in parts]
    payload = Payload(
        technique=payloads[0].technique,
        inputs=[inputs[n] for n in sorted(inputs, key=os.fsencode)],
        method=payloads[0].method.model_copy(update={"parts": parts}),
        algorithms=sorted({a for p in payloads for a in p.algorithms}),
        samples=sorted((s for p in payloads for s in p.samples), key=lambda s: natural(s.sample_id)),
        wells=wells if payloads[0].wells is not None else None,
    )
    arrays = {k: v for r in results for k, v in r.arrays.items()}
    return Result(payload, arrays, sum(r.seconds for r in results))


def nothing_found(found: Survey, source: object) -> InputError:
    """Return the error for a path without a single export."""
    seen = ", ".join(f"{r.name} ({r.reason})" for r in found.files[:4]) or "no files"
    return InputError(
        "nothing that can be read",
        file=str(source) if isinstance(source, (str, Path)) else None,
        expected="an export of AUC, CDMS or ddPCR",
        found=seen,
        hint="'aavqc formats' lists what can be read",
    )


def _raise_failures(found: Survey, source: object) -> None:
    """Refuse a path with a file that failed, or with nothing in it that is known."""
    for row in found.failures:
        if row.error is not None:
            raise row.error
    if not found.exports:
        raise nothing_found(found, source)
