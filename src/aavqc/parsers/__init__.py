"""Parsers: what an export is, told by its content, and how it becomes a record.

:func:`survey` is the one function that says what the files of a path are; ``inspect``,
``analyze`` and ``batch`` all use it. Formats of other packages are found through the
entry-point group ``aavqc.parsers``: each entry names a :class:`Format`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import BinaryIO, Literal

from aavqc.errors import AavqcError, InputError
from aavqc.parsers.formats import Export, Format, Grouping
from aavqc.parsers.plugins import installed_formats
from aavqc.parsers.sources import (
    UTF16,
    SourceFile,
    from_disk,
    from_stream,
    from_zip,
    is_binary,
    safe_name,
    walk,
)
from aavqc.parsers.well_table import no_wells
from aavqc.records import DropletPlate, Record
from aavqc.textfiles import is_utf16, utf16_error

__all__ = ["Export", "FileRow", "Format", "Grouping", "Survey", "formats", "read_export", "survey"]


@dataclass(frozen=True)
class FileRow:
    """What became of one file: every file ends as used, ignored or failed.

    ``record`` names the record that uses it. ``error`` keeps the details of a failure.
    """

    name: str
    sha256: str | None
    size: int | None
    status: Literal["used", "ignored", "failed"]
    reason: str = ""
    record: str | None = None
    error: AavqcError | None = None


@dataclass(frozen=True)
class Survey:
    """The exports below a path, and a row for every file seen, sorted by name."""

    exports: list[Export]
    files: list[FileRow]

    @property
    def failures(self) -> list[FileRow]:
        """The rows of files that can't be read."""
        return [row for row in self.files if row.status == "failed"]


@cache
def formats() -> tuple[Format, ...]:
    """Return the built-in formats and those of installed plug-ins, in the order of sniffing."""
    from aavqc.parsers import (
        absoluteq,
        asm_dpcr,
        beckman,
        distribution,
        ion_dmt,
        ion_list,
        ion_parquet,
        mass_list,
        mwrs,
        mzml,
        naica,
        openauc,
        qiacuity,
        qiacuity_rfu,
        quantasoft,
        rdml,
        scan_table,
        stori_text,
        thermo_raw,
    )

    # Tables of scans may have columns "intensity" and "scan", as ion lists do, but a radius too;
    # ion lists may have a column of masses.
    modules = (
        *(beckman, openauc, mwrs, mzml, thermo_raw, ion_dmt, ion_parquet),
        *(quantasoft, qiacuity, qiacuity_rfu, absoluteq, rdml, asm_dpcr, naica),
        *(scan_table, stori_text, ion_list, mass_list, distribution),
    )
    built_in = [module.FORMAT for module in modules]
    names = {known.name for known in built_in}
    return (*(known for known in installed_formats() if known.name not in names), *built_in)


def read_export(export: Export) -> Record:
    """Read one export into its record, which says where text was not UTF-8, and sheets were not read."""
    reader = next(f for f in formats() if f.name == export.format)
    record = reader.read(export)
    if isinstance(record, DropletPlate) and not (record.rows or record.droplets):
        raise no_wells(export.files[0].name)
    told = [
        f"{file.name} is read as {file.encoding}"
        for file in export.files
        if file.encoding == UTF16 or (file.encoding and reader.code_pages)
    ]
    sheets = [(file.name, sheet) for file in export.files for sheet in file.unread_sheets]
    told += [f"{name}: sheet {sheet!r} is not read" for name, sheet in sheets]
    return replace(record, remarks=(*record.remarks, *told)) if told else record


def survey(
    source: str | Path | BinaryIO, *, name: str | None = None, known: Sequence[Format] | None = None
) -> Survey:
    """Say what the files of a path, or an open stream, are.

    Parameters
    ----------
    source : path of a file or folder, or an open binary stream
        A ``.zip`` is a folder, a ``.gz`` is read through. For a single file its companions
        (a plate's amplitudes) are looked for in its folder.
    name : str, optional
        File name of a stream, a hint for recognition.
    known : sequence of Format, optional
        Default: :func:`formats`.

    Returns
    -------
    Survey

    Raises
    ------
    InputError
        The path does not exist, or a folder can't be read.
    """
    known = formats() if known is None else known
    if not isinstance(source, (str, Path)):
        return _sort_out([from_stream(source, name or "stream")], {}, {}, known)
    path = Path(source)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            "no such file or folder",
            file=str(source),
            expected="a file, folder or zip",
            found="nothing there",
            hint="check the spelling of the path",
        ) from error
    except (OSError, ValueError) as error:  # too long, a loop of links, a NUL in it
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"can't be read ({reason})", file=str(source)) from error
    if stat.S_ISDIR(mode):
        return _survey_files(walk(path), known)
    if not stat.S_ISREG(mode):
        raise InputError("neither a file nor a folder", file=str(source))
    alone = _survey_files([(path, safe_name(path.name))], known)
    if not any(e.technique == "ddpcr" for e in alone.exports) or path.suffix.lower() == ".zip":
        return alone
    try:
        nearby = _survey_files(_beside(path), known)
    except InputError:
        return alone
    exports = [e for e in nearby.exports if any(f.name == safe_name(path.name) for f in e.files)]
    used = {f.name for e in exports for f in e.files} | {safe_name(path.name)}
    return Survey(exports, [row for row in nearby.files if row.name in used])


def _beside(path: Path) -> Iterable[tuple[Path, str]]:
    """Yield a file's companions: its own folder and the folders one below."""
    return ((p, n) for p, n in walk(path.parent) if n.count("/") <= 1)


def _survey_files(paths: Iterable[tuple[Path, str]], known: Sequence[Format]) -> Survey:
    files: list[SourceFile] = []
    failed: dict[str, InputError] = {}
    empty: dict[str, FileRow] = {}
    for path, file_name in paths:
        try:
            file = from_disk(path, file_name)
            if file.head[:2] == b"PK" and path.suffix.lower() == ".zip":
                inside = list(from_zip(file))
                files += inside
                if not inside:
                    empty[file_name] = _row(file, "ignored", _EMPTY_ZIP)
            else:
                files.append(file)
        except InputError as error:
            failed[file_name] = error
    return _sort_out(files, failed, empty, known)


def _sort_out(
    files: list[SourceFile],
    unreadable: dict[str, InputError],
    empty: dict[str, FileRow],
    known: Sequence[Format],
) -> Survey:
    """Give every file to the first format that recognises it, and let the formats group."""
    rows = empty | {n: FileRow(n, None, None, "failed", str(e), None, e) for n, e in unreadable.items()}
    recognised: dict[str, list[SourceFile]] = {f.name: [] for f in known}
    for file in files:
        first, died = _recognise(file, known)
        if first is not None:
            recognised[first.name].append(file)
        else:
            rows[file.name] = _unrecognised(file, known) if died is None else _failed(file, died)

    exports: list[Export] = []
    by_name = {f.name: f for f in files}
    unread = [n for n, row in rows.items() if row.status == "failed" or row.reason in (_UNKNOWN, _EMPTY)]
    for format_ in known:
        grouping = format_.group(recognised[format_.name])
        if format_.withdraw is not None:
            grouping = format_.withdraw(grouping, unread)
        exports += grouping.exports
        for file_name, reason in grouping.ignored.items():
            rows[file_name] = _row(by_name[file_name], "ignored", reason)
        for file_name, error in grouping.failed.items():
            if file_name not in rows or rows[file_name].status != "failed":
                rows[file_name] = _failed(by_name[file_name], error)
        for export in grouping.exports:
            for file in export.files:
                rows[file.name] = _row(file, "used", format_.name, record=export.name)
    return Survey(
        sorted(exports, key=lambda e: os.fsencode(e.name)),
        [rows[n] for n in sorted(rows, key=os.fsencode)],
    )


def _recognise(file: SourceFile, known: Sequence[Format]) -> tuple[Format | None, InputError | None]:
    """Return the format of a file, and the error of a plug-in whose process died on it."""
    died, head = None, file.head
    for format_ in known:
        try:
            if format_.sniff(head, file.basename):
                return format_, died
        except InputError as error:
            error.file, died = file.name, error
    return None, died


def _row(
    file: SourceFile,
    status: Literal["used", "ignored", "failed"],
    reason: str,
    record: str | None = None,
    error: AavqcError | None = None,
) -> FileRow:
    return FileRow(file.name, file.sha256, file.size, status, reason, record, error)


def _failed(file: SourceFile, error: InputError) -> FileRow:
    return _row(file, "failed", str(error), error=error)


_UNKNOWN = "not a known export"
_EMPTY = "empty file"
_EMPTY_ZIP = "empty archive"
_IN_ARCHIVE = "!/"

_ARCHIVES = {".zip": (b"PK", "a zip archive"), ".gz": (b"\x1f\x8b", "a gzip file")}

_COMPANIONS = {
    "samples.csv": "sample sheet",
    "truth.json": "truth of a simulation",
}


def _unrecognised(file: SourceFile, known: Sequence[Format]) -> FileRow:
    """Ignore text of another kind; fail what by its name is an export and in its bytes is none."""
    base = file.basename.lower()
    if base in _COMPANIONS:
        return _row(file, "ignored", _COMPANIONS[base])
    if base.endswith(".toml"):
        return _row(file, "ignored", "method or specification")
    claimed = [f.title for f in known if any(re.fullmatch(c, base) for c in f.claims)]
    hinted = [f.title for f in known if base.endswith(f.extensions)]
    archive = [
        what
        for ending, (magic, what) in _ARCHIVES.items()
        if base.endswith(ending) and not file.head.startswith(magic)
    ]
    expected = " or ".join(claimed or hinted or archive)
    if not claimed and len(hinted) > 3:
        expected = f"one of {len(hinted)} kinds of files that end so ('aavqc formats' lists them)"
    if not file.head:
        if not expected or _IN_ARCHIVE in file.name:  # a whole archive: nothing was lost on the way
            return _row(file, "ignored", _EMPTY)
        return _failed(file, InputError("the file is empty", file=file.name, line=1, expected=expected))
    if (claimed or hinted) and is_utf16(file.head):
        return _failed(file, utf16_error(file.name))
    if claimed or (expected and is_binary(file.head)):
        error = InputError(
            "the content is not what the name says",
            file=file.name,
            line=1,
            expected=expected,
            found="binary data" if is_binary(file.head) else repr(file.head[:40])[1:],
        )
        return _failed(file, error)
    return _row(file, "ignored", _UNKNOWN)
