"""What is to be done: methods, sample sheet and specifications of a folder, and the jobs they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aavqc.analysis import TECHNIQUES, resolve_method, row_settings, settings_class
from aavqc.attributes import Technique
from aavqc.batch.jobs import Job
from aavqc.documents import Method, SheetRow
from aavqc.errors import UsageError
from aavqc.methods import load_method
from aavqc.parsers import Survey
from aavqc.results import Specification
from aavqc.settings import build
from aavqc.sheet import Assignment, load_sheet

METHODS, SPECIFICATIONS = "method*.toml", "specification*.toml"


@dataclass(frozen=True)
class Plan:
    """What was given, or found in the folder, read and checked before anything is analyzed.

    Attributes
    ----------
    sheet : Path
        Where the sample sheet is, or would be.
    rows : list of SheetRow
    methods : dict of str to Method
        By technique.
    specifications : list of Specification
        For the lots that name none of their own.
    lots : dict of str to list of Specification
        The lots of the sheet, with the specifications that it names for each.
    read : dict of str to str
        What files of the folder itself were read as.
    """

    sheet: Path
    rows: list[SheetRow]
    methods: dict[str, Method]
    specifications: list[Specification]
    lots: dict[str, list[Specification]]
    read: dict[str, str]

    @property
    def every_specification(self) -> list[Specification]:
        """Those of the folder and those of the sheet."""
        return [*self.specifications, *(s for named in self.lots.values() for s in named)]


def make_plan(
    folder: Path,
    samples: str | Path | None,
    methods: Sequence[str | Path | Method],
    specification: str | Path | Sequence[str | Path] | None,
) -> Plan:
    """Read what a batch needs to know beside the exports.

    Raises
    ------
    UsageError
        A method, sheet or specification that can't be used.
    """
    by_technique = _methods(folder, methods)
    sheet = Path(samples) if samples is not None else folder / "samples.csv"
    rows = load_sheet(sheet, _setting_names()) if samples is not None or sheet.exists() else []
    specifications = [Specification.load(path) for path in _specifications(folder, specification)]
    found = [] if methods else [(path, "read as a method") for path in folder.glob(METHODS)]
    if specification is None:
        found += [(path, "read as a specification") for path in folder.glob(SPECIFICATIONS)]
    read = {path.name: said for path, said in found}
    return Plan(sheet, rows, by_technique, specifications, _lots(rows, sheet.parent), read)


def jobs_of(
    plan: Plan, found: Survey, assignment: Assignment, actor: str | None, reason: str | None
) -> list[Job]:
    """Return a job for each export, with the method and the rows that apply to it.

    Raises
    ------
    UsageError
        Settings that the technique does not take.
    """
    jobs = []
    resolved: dict[tuple[Technique, str | Path | None], Method] = {}  # None: the folder's own, or the default
    for export in found.exports:
        rows = assignment.rows.get(export.name, [])
        named = {row.method for row in rows if row.method}
        if len(named) > 1:
            raise UsageError(
                f"two methods for one record {export.name!r} in the sample sheet",
                found=", ".join(sorted(named)),
            )
        method: str | Path | Method | None = plan.methods.get(export.technique)
        for name in named:
            method = plan.sheet.parent / name if name.endswith(".toml") else name
        of = export.technique, None if isinstance(method, Method) else method
        if of not in resolved:
            resolved[of] = resolve_method(export.technique, method)
            _refuse_settings(resolved[of], [], plan.sheet)
        if rows:
            _refuse_settings(resolved[of], rows, plan.sheet)
        lighter = replace(export, files=tuple(file.lighter() for file in export.files))
        jobs.append(Job(lighter, resolved[of], tuple(rows), actor, reason))
    return jobs


def regulated(job: Job) -> bool:
    """Tell whether the method, with what the sheet sets for the record, is regulated."""
    cls = settings_class(job.method.technique)
    whole = [row_settings(row, cls) for row in job.rows if not row.wells]
    return build(cls, job.method.settings, *whole).regulated


def _methods(folder: Path, methods: Sequence[str | Path | Method]) -> dict[str, Method]:
    found = [m if isinstance(m, Method) else load_method(m) for m in methods]
    if not methods:
        found = [load_method(path) for path in sorted(folder.glob(METHODS))]
    by_technique: dict[str, Method] = {}
    for method in found:
        if method.technique in by_technique:
            raise UsageError(
                f"two methods for technique {method.technique}",
                found=f"{by_technique[method.technique].name}, {method.name}",
                hint="name one with --method, or one a row in the sample sheet",
            )
        by_technique[method.technique] = method
    return by_technique


def _specifications(folder: Path, specification: str | Path | Sequence[str | Path] | None) -> list[Path]:
    if specification is None:
        return sorted(folder.glob(SPECIFICATIONS))
    given = [specification] if isinstance(specification, (str, Path)) else specification
    return [Path(path) for path in given]


def _setting_names() -> set[str]:
    return {name for technique in TECHNIQUES for name in settings_class(technique).model_fields}


def _lots(rows: Sequence[SheetRow], sheet_folder: Path) -> dict[str, list[Specification]]:
    """Return the lots of the sheet, each with the specifications that its rows name."""
    named: dict[str, dict[str, None]] = {}
    judged = {row.lot for row in rows if row.role == "sample"}  # a lot of controls alone is a standard
    for row in rows:
        if row.lot not in judged:
            continue
        named.setdefault(row.lot, {}).update({row.specification: None} if row.specification else {})
    return {lot: [Specification.load(sheet_folder / path) for path in paths] for lot, paths in named.items()}


def _refuse_settings(method: Method, rows: Sequence[SheetRow], sheet: Path) -> None:
    """Refuse settings that the technique does not take, before anything is analyzed."""
    cls = settings_class(method.technique)
    try:
        build(cls, method.settings)
    except UsageError as error:
        raise error.in_file(f"method {method.name!r}") from error
    for row in rows:
        try:
            build(cls, method.settings, row_settings(row, cls))
        except UsageError as error:
            error.line = row.line
            raise error.in_file(sheet.name) from error
