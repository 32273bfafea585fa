"""Bio-Rad's droplet digital PCR exports: a plate's table joined with its amplitudes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

from aavqc.errors import InputError
from aavqc.parsers.amplitudes import plate_and_well, read_amplitudes, sniff_amplitudes
from aavqc.parsers.cluster_counts import named_by, read_clusters, rows_of_clusters, sniff_clusters
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.quantasoft_table import Layout, WellTable, read_table, sniff_table
from aavqc.parsers.sources import SourceFile
from aavqc.parsers.well_table import well_key
from aavqc.records import DropletPlate, Droplets, WellClusters

NAME = "quantasoft"

_TABLE = re.compile(r"(?:(.*)/)?([^/]+)\.(?:csv|tsv|xlsx)(?:\.gz)?", re.IGNORECASE | re.DOTALL)

_Plates: TypeAlias = dict[tuple[str, str], list[SourceFile]]
"""(folder, plate) → its amplitude files."""


def sniff(head: bytes, basename: str) -> bool:
    """Tell a table, an amplitude file or a cluster export by its header."""
    return sniff_table(head) or sniff_amplitudes(head) or sniff_clusters(head)


def read(export: Export) -> DropletPlate:
    """Read a plate: its table's rows, joint counts, and droplets where they were exported."""
    table = WellTable(Layout("droplets without a table", None), (), {})
    clusters: dict[str, WellClusters] = {}
    for file in export.files:
        if sniff_table(file.head):
            table = read_table(file.text(), file.name)
        elif sniff_clusters(file.head):
            clusters = read_clusters(file.text(), file.name)
    remarks = list(table.remarks)
    droplets, by_target = _droplets(export, table)
    if table.rows:
        rows, joint = table.rows, table.clusters | _named(by_target | clusters, table, remarks)
    else:
        rows = rows_of_clusters(clusters)
        joint = {well: (entry,) for well, entry in (by_target | clusters).items()}
    volume = table.layout.partition_volume_nl
    return DropletPlate(
        name=export.name,
        sample_id=export.sample_id,
        format=NAME,
        inputs=tuple(file.input for file in export.files),
        remarks=tuple(remarks),
        software=table.layout.software,
        rows=rows,
        droplets=droplets,
        clusters=joint,
        partition_volume_nl=volume,
        partition_volume_source="default" if volume is None else "software",
    )


def _droplets(export: Export, table: WellTable) -> tuple[dict[str, Droplets], dict[str, WellClusters]]:
    """Read all amplitudes, two files at a time: most of the work is outside the interpreter's lock."""
    channel_of: dict[str, dict[str, str]] = {}
    for row in table.rows:
        channel_of.setdefault(row.well, {})[row.target] = row.channel
    found = [(named[1], f) for f in export.files if (named := plate_and_well(f.basename))]
    files = sorted(((w, f) for w, f in found if sniff_amplitudes(f.head)), key=lambda pair: well_key(pair[0]))
    if not files:
        return {}, {}
    import aavqc.kernels.decimals  # noqa: F401  # once, before threads do

    with ThreadPoolExecutor(max_workers=2) as pool:
        read_one = pool.map(lambda pair: read_amplitudes(pair[1], channel_of.get(pair[0], {})), files)
        wells = dict(zip((well for well, _ in files), read_one, strict=True))
    joint = {well: entry for well, (_, entry) in wells.items() if entry is not None}
    return {well: droplets for well, (droplets, _) in wells.items()}, joint


def _named(
    clusters: dict[str, WellClusters], table: WellTable, remarks: list[str]
) -> dict[str, tuple[WellClusters, ...]]:
    """Give joint counts the names of the table's targets; those of another plate are left out."""
    named: dict[str, tuple[WellClusters, ...]] = {}
    foreign = []
    for well, entry in clusters.items():
        rows = sorted((r for r in table.rows if r.well == well), key=lambda r: r.line or 0)
        own = named_by(entry, rows)
        if own is None:
            foreign.append(well)
        else:
            named[well] = (own,)
    if foreign:
        remarks.append(f"cluster counts do not agree with the table in {', '.join(foreign)}: not used")
    return named


def group(files: Sequence[SourceFile]) -> Grouping:
    """Join tables with the amplitudes in their folder or one below, and with cluster exports.

    A table takes the plate that bears its stem, else the only plate there; several are an
    error. Amplitudes without a table are a plate of their own, as are cluster counts.
    """
    grouping = Grouping()
    tables = [file for file in files if sniff_table(file.head)]
    clusters = [file for file in files if sniff_clusters(file.head)]
    joint = _joined_clusters(clusters, tables, grouping)
    counted = {file.name for file in (*tables, *clusters)}
    plates = _plates([file for file in files if file.name not in counted], grouping)
    taken = {table.name: key for table in tables if (key := _by_stem(table, plates)) is not None}
    left = {key: found for key, found in plates.items() if key not in taken.values()}
    without = Counter(table.folder for table in tables if table.name not in taken)
    homes = {table.folder for table in tables}
    for table in tables:
        if table.name in taken:
            grouping.exports.append(_export(table, plates[taken[table.name]], joint))
            continue
        near = [key for key in left if _reaches(table, key, homes)]
        if not near:
            grouping.exports.append(_export(table, [], joint))
        elif len(near) == 1 and without[table.folder] == 1:
            grouping.exports.append(_export(table, left.pop(near[0]), joint))
        else:
            rivals = [t for t in tables if t.folder == table.folder and t.name not in taken]
            grouping.failed[table.name] = _ambiguous(table, near, rivals)
    refused = {key for t in tables if t.name in grouping.failed for key in left if _reaches(t, key, homes)}
    for key, found in left.items():
        if key in refused:
            grouping.ignored |= {f.name: "ambiguous amplitudes: see the table" for f in found}
        else:
            grouping.exports.append(_alone(key, found))
    return grouping


def withdraw(grouping: Grouping, unread: Collection[str]) -> Grouping:
    """Leave out amplitudes whose table is there but is not recognised: alone they are no plate.

    The table bears the plate's name and lies beside the amplitudes or in the folder above.
    """
    exports, ignored, failed = [], dict(grouping.ignored), dict(grouping.failed)
    tables = {(m[1] or "", m[2]): m[0] for name in sorted(unread) if (m := _TABLE.fullmatch(name))}
    for export in grouping.exports:
        first = export.files[0]
        plate = None if any(sniff_table(f.head) for f in export.files) else plate_and_well(first.basename)
        places = (first.folder, _parent(first.folder)) if plate else ()
        table = next((t for p in places if plate and (t := tables.get((p, plate[0])))), None)
        if table is None:
            exports.append(export)
            continue
        ignored |= {f.name: "its table failed" for f in export.files}
        failed[table] = InputError(
            "no table that is known, though amplitudes bear its name",
            file=table,
            expected=f"{FORMAT.title} as text",
            found=f"{len(export.files)} files such as {first.basename}",
        )
    return Grouping(exports, ignored, failed)


def _plates(files: Sequence[SourceFile], grouping: Grouping) -> _Plates:
    plates: _Plates = {}
    wells: set[tuple[str, str, str]] = set()
    for file in sorted(files, key=lambda f: f.name.encode()):
        named = plate_and_well(file.basename)
        if named is None:
            grouping.ignored[file.name] = "amplitudes whose name has no well"
        elif (file.folder, *named) in wells:
            grouping.ignored[file.name] = f"duplicate: well {named[1]} of the same plate again"
        else:
            wells.add((file.folder, *named))
            plates.setdefault((file.folder, named[0]), []).append(file)
    return plates


def _by_stem(table: SourceFile, plates: _Plates) -> tuple[str, str] | None:
    """Return the plate that bears the table's stem: beside it, or in the one folder below."""
    beside = (table.folder, table.stem)
    if beside in plates:
        return beside
    below = [key for key in plates if key[1] == beside[1] and _parent(key[0]) == table.folder]
    return below[0] if len(below) == 1 else None


def _reaches(table: SourceFile, key: tuple[str, str], homes: set[str]) -> bool:
    return key[0] == table.folder or (_parent(key[0]) == table.folder and key[0] not in homes)


def _parent(folder: str) -> str | None:
    """Folder above, None at the top (which has the name ``""``)."""
    return folder.rpartition("/")[0] if folder else None


def _joined_clusters(
    clusters: Sequence[SourceFile], tables: Sequence[SourceFile], grouping: Grouping
) -> dict[str, SourceFile]:
    """Return table → its cluster export: the one that begins with its stem, else the only one beside it."""
    joined: dict[str, SourceFile] = {}
    for file in clusters:
        beside = [t for t in tables if t.folder == file.folder]
        rivals = [c for c in clusters if c.folder == file.folder]
        near = [t for t in beside if file.stem.startswith(t.stem)]
        near = near or (beside if len(rivals) == 1 else [])
        if not beside:
            grouping.exports.append(Export(NAME, "ddpcr", file.name, file.stem, (file,)))
        elif len(near) == 1 and near[0].name not in joined:
            joined[near[0].name] = file
        else:
            grouping.failed[file.name] = InputError(
                "ambiguous cluster counts",
                file=file.name,
                expected="a name that begins as its table's, or one table and one cluster export",
                found=f"tables {', '.join(t.basename for t in beside[:6])}",
            )
    return joined


def _export(table: SourceFile, amplitudes: Sequence[SourceFile], clusters: dict[str, SourceFile]) -> Export:
    joint = [clusters[table.name]] if table.name in clusters else []
    files = tuple(sorted((table, *amplitudes, *joint), key=lambda f: f.name.encode()))
    return Export(NAME, "ddpcr", table.name, table.stem, files)


def _alone(key: tuple[str, str], found: Sequence[SourceFile]) -> Export:
    plate = key[1] or "Amplitude"
    return Export(NAME, "ddpcr", f"{key[0]}/{plate}" if key[0] else plate, plate, tuple(found))


def _ambiguous(
    table: SourceFile, near: Sequence[tuple[str, str]], rivals: Sequence[SourceFile]
) -> InputError:
    found = f"plates {', '.join('/'.join(filter(None, key)) for key in near[:6])}"
    if len(rivals) > 1:
        found += f" beside tables {', '.join(t.basename for t in rivals[:6])}"
    return InputError(
        "ambiguous amplitudes",
        file=table.name,
        expected=f"files {table.stem}_<well>_Amplitude.csv, or one plate beside one table",
        found=found,
    )


FORMAT = Format(
    name=NAME,
    title="QuantaSoft / QX Manager table, amplitudes, cluster counts",
    vendor="Bio-Rad",
    technique="ddpcr",
    extensions=(".csv", ".tsv", ".xlsx"),
    reads="well tables of 44, 63, 73, 77 and 81 columns (also XLSX), amplitudes with clusters or calls, "
    "cluster counts",
    unread="plate files (.qlp, .ddpcr)",
    sniff=sniff,
    read=read,
    group=group,
    withdraw=withdraw,
    claims=(r".*_amplitude\.csv",),
)
