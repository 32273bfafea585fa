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
    wells = list(dict.fromkeys([*text, *record.droplets]))
    plans, taken = [], dict[str, SheetRow]()
    whole = [(row, used) for row, used in parts if not row.wells]
    for row, used in parts:
        if row.wells:
            for well in row.wells:
                _claim(well, row, taken)
            plans.append(_from_sheet(row, used, row.wells, wells))
    left = [well for well in wells if well not in taken]
    if len(whole) > 1:
        raise _twice("the whole plate", whole[1][0], whole[0][0])
    if whole and left:
        plans.append(_from_sheet(*whole[0], tuple(left), left))
        return plans
    by_sample: dict[str, list[str]] = {}
    in_sheet = {p.sample_id for p in plans}
    for well in left:
        own = text.get(well, "")
        by_sample.setdefault(f"well-{well}" if not own or own in in_sheet else own, []).append(well)
    for sample_id, named in by_sample.items():
        role = _role(settings, sample_id, named, "sample")
        plans.append(Plan(sample_id, role, tuple(named), settings))
    return plans


def _from_sheet(
    row: SheetRow, settings: TechniqueSettings, named: Sequence[str], present: Sequence[str]
) -> Plan:
    wells = tuple(well for well in present if well in named)
    return Plan(
        sample_id=row.sample_id,
        role=_role(settings, row.sample_id, wells, row.role),
        wells=wells,
        settings=settings,
        row=row,
        missing=tuple(well for well in named if well not in present),
    )


def _role(settings: TechniqueSettings, sample_id: str, wells: Sequence[str], role: Role) -> Role:
    """Take a role that the settings give to the sample, or to one of its wells."""
    return next((settings.roles[n] for n in (sample_id, *wells) if n in settings.roles), role)


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
