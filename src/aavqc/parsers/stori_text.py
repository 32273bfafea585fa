"""STORIboard's text exports: tabs in files named ``.csv``, one run in a folder of them.

A file has a row for each segment that an ion was followed in: scan, ion and segment number,
m/z, frequency, slope, R², times of birth and death. The files of one folder are one run; the
same segment in two of them shows that they are not, and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.columns import plain_name, split_lines
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.ion_record import ion_table
from aavqc.parsers.ion_text import find_layout, text_columns
from aavqc.parsers.sources import SourceFile
from aavqc.records import FloatArray, IonTable

_TELLING = frozenset({"scan", "ionnumber", "segnumber", "mz", "frequency", "slope"})
_IDENTITY = ("scan", "ion", "segment")


def sniff(head: bytes, basename: str) -> bool:
    """Tell STORIboard's older exports by the columns that no other list has together."""
    if b"\0" in head:
        return False
    layout = find_layout(split_lines(head.decode("utf-8-sig", "replace"))[:20])
    return (
        layout is not None and layout.named and {plain_name(c) for c in layout.columns}.issuperset(_TELLING)
    )


def group_files(files: Sequence[SourceFile]) -> Grouping:
    """Take the files of one folder as one run."""
    folders: dict[str, list[SourceFile]] = {}
    for file in files:
        folders.setdefault(file.folder, []).append(file)
    exports = []
    for folder, members in folders.items():
        stems = sorted(f.stem for f in members)
        pairs = zip(stems[0], stems[-1], strict=False)
        stem = "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if len(members) > 1:
            stem = stem.rstrip("0123456789 _-.") or folder.rpartition("/")[2] or "stori"
        name = members[0].name if len(members) == 1 else "/".join(p for p in (folder, stem) if p)
        exports.append(Export("stori-text", "cdms", name, stem, tuple(members)))
    return Grouping(exports)


def read(export: Export) -> IonTable:
    """Read the files of one run.

    Raises
    ------
    InputError
        A broken row; files of different columns; the same segment of an ion in two files.
    """
    remarks: list[str] = []
    parts: list[dict[str, FloatArray]] = []
    for file in export.files:
        noticed: list[str] = []
        parts.append(text_columns(file.text(), file.name, noticed))
        remarks += [remark for remark in noticed if remark not in remarks]
        if parts[-1].keys() != parts[0].keys():
            raise InputError(
                "files of one folder have different columns",
                file=file.name,
                line=1,
                expected=f"those of {export.files[0].basename}: {', '.join(parts[0])}"[:200],
                found=", ".join(parts[-1])[:200],
            )
    _refuse_repeats(parts, export)
    return ion_table(export, {role: np.concatenate([p[role] for p in parts]) for role in parts[0]}, remarks)


def _refuse_repeats(parts: Sequence[Mapping[str, FloatArray]], export: Export) -> None:
    """Refuse a folder in which two files have a segment of the same number: two runs."""
    if len(parts) == 1:
        return
    owner = np.repeat(np.arange(len(parts)), [p["mz"].size for p in parts])
    identity = np.column_stack([np.concatenate([p[role] for p in parts]) for role in _IDENTITY])
    order = np.lexsort(identity.T)
    same = (np.diff(identity[order], axis=0) == 0).all(axis=1) & (np.diff(owner[order]) != 0)
    if same.any():
        at = order[int(np.argmax(same)) + 1]
        first = export.files[int(owner[order[int(np.argmax(same))]])]
        raise InputError(
            "the files of a folder are of different runs",
            file=export.files[int(owner[at])].name,
            expected="each segment of an ion once",
            found=f"scan {identity[at][0]:g}, ion {identity[at][1]:g} in {first.basename} too",
            hint="one folder for each run",
        )


FORMAT = Format(
    name="stori-text",
    title="STORIboard ions (text, a folder a run)",
    vendor="Proteinaceous STORIboard",
    technique="cdms",
    extensions=(".csv", ".tsv", ".txt"),
    reads="m/z, slope, scan, R², times of birth and death; all files of a folder as one run",
    unread="frequency",
    support="experimental",
    sniff=sniff,
    group=group_files,
    read=read,
)
