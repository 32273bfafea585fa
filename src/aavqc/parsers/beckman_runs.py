"""Which Beckman scans make one run: names, cells, wavelengths, speeds and times."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from aavqc.errors import AavqcError, InputError
from aavqc.parsers.beckman_log import SCAN_LOG, logged_scans
from aavqc.parsers.beckman_scan import OPTICS, Header, parse_header
from aavqc.parsers.formats import Export, Grouping
from aavqc.parsers.sources import SourceFile

SAME_WAVELENGTH_NM = 2.0
"""Step scans measure near the wavelength that was set: 488 to 491 nm for 490 nm."""

SAME_SPEED = (0.02, 200.0)
"""A first scan may be taken before the rotor has settled: within 2 % or 200 rpm."""

EQUILIBRIUM_DWELL_S = 3 * 3600.0
"""A run to equilibrium has hours at each speed or between scans; a velocity run has minutes."""

_NAME = re.compile(r"([A-Z]?)(\d+)\.(RA|RI|IP|FI|WA|WI)(\d)", re.IGNORECASE)
_WAVELENGTH_FOLDER = re.compile(r"\d{3}\s?(nm)?", re.IGNORECASE)


@dataclass(frozen=True)
class _Member:
    file: SourceFile
    header: Header
    channel: str
    number: int
    kind: str


def group_scans(files: Sequence[SourceFile]) -> Grouping:
    """Join the scans of one cell and type of a folder, or of its wavelength folders."""
    grouping = Grouping()
    members: list[_Member] = []
    others: list[SourceFile] = []
    logs: list[SourceFile] = []
    for file in sorted(files, key=lambda f: f.name.encode("utf-8", "surrogateescape")):
        if SCAN_LOG.match(file.head):
            logs.append(file)
        elif named := _NAME.fullmatch(file.basename):
            _place(file, named, grouping, members)
        else:
            others.append(file)
    records = _records(members)
    for (folder, cell, kind), scans in records.items():
        kept = _without_duplicates(scans, grouping)
        problem = _disorder(kept)
        if problem is not None:
            grouping.failed[str(problem.file)] = problem
            for scan in kept:
                if scan.file.name != problem.file:
                    grouping.ignored[scan.file.name] = f"record failed: {problem}"
            continue
        own_logs = [log for log in logs if _tells_of(log, kept)]
        shared = sum((f, c) == (folder, cell) for f, c, _ in records) > 1
        grouping.exports.append(
            Export(
                "beckman-xl",
                "auc",
                f"{folder}#cell{cell}" + (f"-{kind}" if shared else ""),
                _sample_id(folder, cell, kept[0].file),
                tuple(sorted([s.file for s in kept] + own_logs, key=lambda f: os.fsencode(f.name))),
            )
        )
        logs = [log for log in logs if log not in own_logs]
    grouping.ignored |= {log.name: "scan log" for log in logs}
    for file in others:
        grouping.ignored[file.name] = _misnamed(file, members)
    return grouping


def _tells_of(log: SourceFile, scans: list[_Member]) -> bool:
    """Tell whether a scan log lies beside scans that it names."""
    named = logged_scans(log.head)
    return any(s.file.folder == log.folder and s.file.basename.upper() in named for s in scans)


def _place(file: SourceFile, named: re.Match[str], grouping: Grouping, members: list[_Member]) -> None:
    """Read a scan's header and check it against its name."""
    kind, cell = named[3].upper(), int(named[4])
    if kind in ("WA", "WI") or file.head.split(b"\n", 2)[1].lstrip()[:1] == b"W":
        grouping.ignored[file.name] = "wavelength scan"
        return
    try:
        header = parse_header(file.head, file.name)
    except InputError as error:
        grouping.failed[file.name] = error
        return
    if (header.type, header.cell) != (OPTICS[kind][0], cell):
        grouping.failed[file.name] = InputError(
            "the header is of another scan than the name says",
            file=file.name,
            line=2,
            expected=f"type {OPTICS[kind][0]}, cell {cell}",
            found=f"type {header.type}, cell {header.cell}",
        )
        return
    members.append(_Member(file, header, named[1].upper(), int(named[2]), kind))


def _records(members: list[_Member]) -> dict[tuple[str, int, str], list[_Member]]:
    """Key the scans by folder, cell and type; wavelength folders count as their parent."""
    by_folder: dict[tuple[str, int, str], list[_Member]] = {}
    for member in members:
        by_folder.setdefault((member.file.folder, member.header.cell, member.kind), []).append(member)
    siblings: dict[str, set[str]] = {}
    for folder, _, _ in by_folder:
        if folder:
            siblings.setdefault(_parent(folder), set()).add(folder)
    merged: dict[tuple[str, int, str], list[_Member]] = {}
    for (folder, cell, kind), scans in by_folder.items():
        parent = _parent(folder)
        beside = siblings.get(parent, set())
        together = [f for f in beside if (f, cell, kind) in by_folder]
        joins = (
            folder in beside
            and len(together) > 1
            and (parent, cell, kind) not in by_folder
            and all(_WAVELENGTH_FOLDER.fullmatch(f.rpartition("/")[2]) for f in beside)
        )
        merged.setdefault((parent if joins else folder, cell, kind), []).extend(scans)
    return merged


def _without_duplicates(scans: list[_Member], grouping: Grouping) -> list[_Member]:
    kept: list[_Member] = []
    seen: dict[tuple[float, str], list[_Member]] = {}
    for scan in scans:
        at_time = seen.setdefault((scan.header.time_s, scan.channel if scan.kind == "FI" else ""), [])
        twin = next((k for k in at_time if _same(k.header, scan.header)), None)
        if twin is None:
            kept.append(scan)
            at_time.append(scan)
        else:
            grouping.ignored[scan.file.name] = f"duplicate of {twin.file.name}"
    return kept


def _disorder(scans: list[_Member]) -> InputError | None:
    """Say what keeps the scans from being one run: channels, time or speed."""
    channels = sorted({s.channel for s in scans if s.kind == "FI"})
    if len(channels) > 1:
        odd = next(s for s in scans if s.channel != scans[0].channel)
        return _header_error(odd, "another channel", "scans of one channel", f"channels {channels}")
    numbered = sorted(scans, key=lambda s: (s.file.folder, s.number, s.file.name))
    for before, after in pairwise(numbered):
        if before.file.folder == after.file.folder and after.header.time_s < before.header.time_s:
            return _header_error(
                after,
                "time runs backwards",
                f"at least {before.header.time_s:g} s as in {before.file.basename}",
                f"{after.header.time_s:g} s",
            )
    usual = Counter(s.header.rpm for s in numbered).most_common(1)[0][0]
    odd_speed = next((s for s in numbered if not same_speed(s.header.rpm, usual)), None)
    if odd_speed is None or dwells_long(sorted((s.header.time_s, s.header.rpm) for s in scans)):
        return None
    return _header_error(
        odd_speed, "different speeds", f"{usual:g} rpm as in most scans", f"{odd_speed.header.rpm:g} rpm"
    )


def _header_error(scan: _Member, message: str, expected: str, found: str) -> InputError:
    return InputError(message, file=scan.file.name, line=2, expected=expected, found=found)


def dwells_long(speeds: Sequence[tuple[float, float]]) -> bool:
    """Recognise a run to equilibrium: ascending speeds, hours at each of them."""
    steps: list[tuple[float, float]] = []
    for time_s, rpm in speeds:
        if steps and same_speed(rpm, steps[-1][1]):
            steps[-1] = (time_s, steps[-1][1])
        else:
            steps.append((time_s, rpm))
    ends = [0.0, *(t for t, _ in steps)]
    ascending = all(a[1] < b[1] for a, b in pairwise(steps))
    dwells = [b - a for a, b in pairwise(ends)]
    return len(steps) > 1 and ascending and min(dwells) >= EQUILIBRIUM_DWELL_S


def _misnamed(file: SourceFile, members: list[_Member]) -> str:
    """Say why a scan under another name is left out, and which scan it repeats."""
    try:
        header = parse_header(file.head, file.name)
    except AavqcError:
        return "name"
    here = (m for m in members if m.file.folder == file.folder)
    for m in here:
        if (m.header.cell, m.header.type) == (header.cell, header.type) and _same(m.header, header):
            return f"name; same cell, wavelength and time as {m.file.basename}"
    return "name"


def _sample_id(folder: str, cell: int, file: SourceFile) -> str:
    base = folder.rpartition("/")[2].removesuffix("!").removesuffix(".zip")
    if not base and file.on_disk is not None:
        depth = file.name.count("/") + 1
        base = os.path.abspath(file.on_disk).replace(os.sep, "/").split("/")[-1 - depth]
    return f"{base}-cell{cell}" if base else f"cell{cell}"


def _parent(folder: str) -> str:
    return folder.rpartition("/")[0]


def near(a: float, b: float) -> bool:
    """Tell whether two wavelengths in nm are one."""
    return abs(a - b) <= SAME_WAVELENGTH_NM


def _same(a: Header, b: Header) -> bool:
    return a.time_s == b.time_s and near(a.wavelength_nm, b.wavelength_nm)


def same_speed(a: float, b: float) -> bool:
    """Tell whether a speed is another within the tolerance, in rpm."""
    return abs(a - b) <= max(SAME_SPEED[0] * b, SAME_SPEED[1])
