"""Which wells of a plate make which sample: by the sample sheet, else by the export's own text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.documents import Role, SheetRow
from aavqc.errors import UsageError
from aavqc.records import DropletPlate


@dataclass(frozen=True)
class Plan:
    """Wells that are analysed as one preparation of one sample.

    ``missing`` are wells that the sample sheet names and the plate does not have.
    """

    sample_id: str
    role: Role
    wells: tuple[str, ...]
    settings: TechniqueSettings
    row: SheetRow | None = None
    missing: tuple[str, ...] = ()


def plan(
    record: DropletPlate,
    settings: TechniqueSettings,
    parts: Sequence[tuple[SheetRow, TechniqueSettings]],
) -> list[Plan]:
    """Return the samples of a plate; every well belongs to exactly one entry.

    Raises
    ------
    UsageError
        Two rows of the sample sheet name the same well, or the whole plate.
    """
    text = {row.well: row.sample.strip() for row in record.rows}
    merged = {row.well: set(row.merged_from) for row in record.rows if row.merged_from}
    wells = list(dict.fromkeys([*text, *record.droplets]))
    plans, taken = [], dict[str, SheetRow]()
    whole = [(row, used) for row, used in parts if not row.wells]
    named = {well for row, _ in parts for well in row.wells}
    for row, used in parts:
        if row.wells:
            of_members = [m for m, members in merged.items() if members <= set(row.wells) and m not in named]
            for well in (*row.wells, *of_members):
                _claim(well, row, taken)
            plans += _from_sheet(row, used, (*row.wells, *of_members), wells)
    left = [well for well in wells if well not in taken]
    if len(whole) > 1:
        raise _twice("the whole plate", whole[1][0], whole[0][0])
    if whole:
        return plans + _from_sheet(*whole[0], left, left)
    by_sample: dict[str, list[str]] = {}
    in_sheet = {p.sample_id for p in plans}
    for well in left:
        own = text.get(well, "")
        by_sample.setdefault(f"well-{well}" if not own or own in in_sheet else own, []).append(well)
    for sample_id, own_wells in by_sample.items():
        for role, members in _by_role(settings, sample_id, own_wells, "sample").items():
            plans.append(Plan(sample_id, role, tuple(members), settings))
    return plans


def _from_sheet(
    row: SheetRow, settings: TechniqueSettings, named: Sequence[str], present: Sequence[str]
) -> list[Plan]:
    """Return a row's wells by role; those that the plate does not have go with the first."""
    wells = [well for well in present if well in named]
    missing = tuple(well for well in named if well not in present)
    by_role = _by_role(settings, row.sample_id, wells, row.role)
    if not by_role:
        role = settings.roles.get(row.sample_id, row.role)
        return [Plan(row.sample_id, role, (), settings, row, missing)]
    return [
        Plan(row.sample_id, role, tuple(members), settings, row, missing if k == 0 else ())
        for k, (role, members) in enumerate(by_role.items())
    ]


def _by_role(
    settings: TechniqueSettings, sample_id: str, wells: Sequence[str], role: Role
) -> dict[Role, list[str]]:
    """Part wells by the role that the settings give to each, else to the sample, else ``role``."""
    found: dict[Role, list[str]] = {}
    for well in wells:
        own = settings.roles.get(well, settings.roles.get(sample_id, role))
        found.setdefault(own, []).append(well)
    return found


def _claim(well: str, row: SheetRow, taken: dict[str, SheetRow]) -> None:
    if well in taken:
        raise _twice(f"well {well}", row, taken[well])
    taken[well] = row


def _twice(what: str, row: SheetRow, first: SheetRow) -> UsageError:
    return UsageError(
        f"the sample sheet names {what} of {row.export} twice",
        line=row.line or None,
        expected="each well in one row",
        found=f"the same in line {first.line}",
    )
