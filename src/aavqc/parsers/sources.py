"""Files as parsers see them: on disk, in a zip, gzipped or in memory, each hashed once.

A source is never written, locked or renamed. Names are POSIX paths relative to what
the user named; a zip is a folder: ``x.zip!/a.csv``; a workbook is read as the CSV of its sheet.
"""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import lzma
import os
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from aavqc.errors import InputError
from aavqc.parsers.workbook import MAX_UNFOLDED, is_workbook, read_workbook
from aavqc.records import InputFile
from aavqc.textfiles import decode, is_utf16

HEAD = 8192
MAX_TEXT = 1 << 30
"""Largest file that a text parser takes whole; also the bound on what a gzip may unfold to."""

MAX_FILE = 8 << 30
"""Largest file that is looked at: to hash more takes minutes, and exports are smaller by far."""

MAX_FOLD = 200
"""Largest ratio by which a text or a zip may unfold, beyond ``FREE_FOLD`` bytes."""

FREE_FOLD = 1 << 26

MAX_FOREIGN = 0.3
"""Largest share of bytes beyond ASCII in text that is not UTF-8."""

UTF16, CODE_PAGE = "UTF-16", "Windows-1252"

_UTF8_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
_ZIP = b"PK\x03\x04"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f\x7f]")

_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    OverflowError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
"""What the standard library raises on damaged archives."""


@dataclass(frozen=True)
class SourceFile:
    """One file of an export.

    Attributes
    ----------
    name : str
        POSIX path relative to what the user named.
    sha256, size
        Of the bytes as stored (a gzip is hashed folded).
    folded_head : bytes or None
        The first bytes of the content, kept deflated while files are told apart; None: read when asked for.
    path : Path or None
        Where it lies on disk; with ``member`` the path of the zip that holds it.
    member : str or None
    data : bytes or None
        The bytes themselves where they came from a stream.
    gzipped, workbook : bool
        What the content is folded in.
    encoding : {'UTF-16', 'Windows-1252'} or None
        Of text that is not UTF-8. UTF-16 is unfolded as a gzip is, a code page by :meth:`text` alone.
    """

    name: str
    sha256: str
    size: int
    folded_head: bytes | None
    path: Path | None = None
    member: str | None = None
    data: bytes | None = None
    gzipped: bool = False
    workbook: bool = False
    encoding: str | None = None

    @property
    def head(self) -> bytes:
        """The first bytes of the content, unfolded."""
        if self.folded_head is not None:
            return zlib.decompress(self.folded_head)
        try:
            with self.open() as stream:
                return stream.read(HEAD)
        except OSError as error:
            raise InputError(f"can't be read ({error.strerror})", file=self.name) from error

    def lighter(self) -> SourceFile:
        """Return it without its first bytes where they can be read again: a batch waits with thousands."""
        plain = self.on_disk is not None and not (self.gzipped or self.workbook)
        return replace(self, folded_head=None) if plain else self

    @property
    def input(self) -> InputFile:
        """What a result says of this file."""
        return InputFile(self.name, self.sha256, self.size)

    @property
    def folder(self) -> str:
        """Name of the folder it lies in (``""`` at the top)."""
        return self.name.rpartition("/")[0]

    @property
    def basename(self) -> str:
        """Name without folders and without a gzip's ending."""
        base = self.name.rpartition("/")[2]
        return base[:-3] if self.gzipped and base.lower().endswith(".gz") else base

    @property
    def stem(self) -> str:
        """The base name without its ending."""
        return self.basename.rpartition(".")[0] or self.basename

    @property
    def on_disk(self) -> Path | None:
        """Its own path on disk, where a reader needs one (None inside a zip or stream)."""
        whole = self.member is None and self.data is None and self.encoding != UTF16
        return self.path if whole else None

    def open(self) -> BinaryIO:
        """Open the unfolded content for reading."""
        raw = _open_raw(self.name, self.path, self.member, self.data)
        if self.workbook:
            with raw:
                return io.BytesIO(_unfold_workbook(raw.read(), self.name))
        if self.encoding == UTF16:
            with raw:
                return io.BytesIO(raw.read().decode("utf-16").encode())
        return cast("BinaryIO", _Unfolded(raw)) if self.gzipped else raw

    def read(self, limit: int = MAX_TEXT) -> bytes:
        """Read the whole unfolded content, at most ``limit`` bytes."""
        if self.gzipped:
            limit = min(limit, max(FREE_FOLD, MAX_FOLD * self.size))
        elif self.size > limit:
            raise _too_large(self.name, limit, f"{self.size}")
        try:
            with self.open() as stream:
                data = stream.read(limit + 1)
        except _UNREADABLE as error:
            raise InputError("can't be unfolded or read", file=self.name, found=str(error)) from error
        if len(data) > limit:
            raise _too_large(self.name, limit, "more")
        return data

    @property
    def unread_sheets(self) -> tuple[str, ...]:
        """Names of the sheets with content of a workbook, behind the first, which is read."""
        if not self.workbook:
            return ()
        with _open_raw(self.name, self.path, self.member, self.data) as raw:
            return read_workbook(raw.read()).unread

    def stored_sha256(self) -> str:
        """Hash the bytes as stored once more, to compare with those that were listed."""
        return _hashed(self.name, self.path, self.member, self.data)[0]

    def text(self) -> str:
        """Read the whole content as text."""
        if not self.head:
            raise InputError("the file is empty", file=self.name, line=1)
        if self.encoding == CODE_PAGE:
            return self.read().decode("cp1252")
        return decode(self.read(), self.name)


class _Unfolded(gzip.GzipFile):
    """A gzip that closes the file below it, which the library's own leaves open."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._raw = raw

    def close(self) -> None:
        super().close()
        self._raw.close()


def _too_large(name: str, limit: int, found: str) -> InputError:
    return InputError("too large", file=name, expected=f"at most {limit} bytes", found=found)


def from_disk(path: Path, name: str) -> SourceFile:
    """Hash and describe a file on disk; pipes and devices, which may never end, are refused."""
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise InputError("missing, or a link that leads nowhere", file=name) from error
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", file=name) from error
    if path.is_dir():  # that it was not walked into: see walk
        raise InputError("folder can't be read", file=name, hint="check its permissions")
    if not stat.S_ISREG(found.st_mode):
        raise InputError("no regular file", file=name, found="a pipe, socket or device")
    if found.st_size > MAX_FILE:
        raise _too_large(name, MAX_FILE, f"{found.st_size}")
    return _describe(name, path=path)


def from_stream(stream: BinaryIO, name: str) -> SourceFile:
    """Take an open binary stream into memory."""
    return _describe(name, data=stream.read())


def from_zip(archive: SourceFile) -> Iterator[SourceFile]:
    """Describe the members of a zip, sorted by name; hidden ones and folders are skipped."""
    try:
        with (
            _open_raw(archive.name, archive.path, None, archive.data) as stored,
            zipfile.ZipFile(stored) as opened,
        ):
            members = sorted(
                (i for i in opened.infolist() if not i.is_dir()),
                key=lambda i: i.filename.encode("utf-8", "surrogateescape"),
            )
    except _UNREADABLE as error:
        raise InputError("no readable zip", file=archive.name, found=str(error)) from error
    total = sum(info.file_size for info in members)
    if total > max(MAX_TEXT, MAX_FOLD * archive.size):
        raise InputError(
            "unfolds suspiciously large",
            file=archive.name,
            found=f"{archive.size} bytes that unfold to {total}",
        )
    for info in members:
        parts = info.filename.replace("\\", "/").split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise InputError("unsafe path in zip", file=archive.name, found=repr(info.filename))
        if skipped(parts):
            continue
        if info.file_size > MAX_TEXT or info.file_size > 1000 * max(info.compress_size, 1024):
            raise InputError(
                "member unfolds suspiciously large",
                file=f"{archive.name}!/{info.filename}",
                found=f"{info.compress_size} bytes that unfold to {info.file_size}",
            )
        yield _describe(
            f"{archive.name}!/{'/'.join(parts)}",
            path=archive.path,
            member=info.filename,
            data=archive.data,
        )


def skipped(parts: list[str] | tuple[str, ...]) -> bool:
    """Tell whether a path is hidden or macOS's shadow of another."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def is_binary(head: bytes) -> bool:
    """Tell bytes that are no text from the first of them.

    Text of an old code page is none of UTF-8 either, but it has no control characters and few
    bytes beyond ASCII.

    Examples
    --------
    >>> is_binary(b"a,b\\n1,2"), is_binary("20 µM".encode("latin-1")), is_binary(bytes(range(256)))
    (False, False, True)
    """
    if b"\0" in head:
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut
    except UnicodeDecodeError:
        foreign = len(head.translate(None, bytes(range(128))))
        return bool(_CONTROL.search(head)) or foreign > MAX_FOREIGN * len(head)
    return False


def walk(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files below a folder with their names, sorted by the names' bytes.

    Links to files are followed; links to folders are not, so no loop can arise. A folder below
    that can't be read is yielded like a file.

    Raises
    ------
    InputError
        The folder itself can't be read.
    """
    found: list[Path] = []

    def fail(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise InputError(f"folder can't be read ({error.strerror})", file=str(folder))
        found.append(Path(error.filename))

    for base, folders, files in os.walk(folder, onerror=fail):
        here = Path(base)
        folders[:] = [d for d in folders if not skipped((d,))]
        found += [here / f for f in files if not skipped((f,))]
    yield from sorted(
        ((p, safe_name(p.relative_to(folder).as_posix())) for p in found),
        key=lambda pair: pair[1].encode(),
    )


def safe_name(name: str) -> str:
    """Return a file name that can be written as UTF-8; bytes that are none become ``\\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _open_raw(name: str, path: Path | None, member: str | None, data: bytes | None) -> BinaryIO:
    stored: BinaryIO
    try:
        stored = io.BytesIO(data) if data is not None else open(path or name, "rb")  # noqa: SIM115
        if member is None:
            return stored
        with stored, zipfile.ZipFile(stored) as archive:
            return io.BytesIO(archive.read(member))
    except _UNREADABLE as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"can't be read ({reason})", file=name) from error


def _unfold_workbook(data: bytes, name: str) -> bytes:
    try:
        return read_workbook(data).csv
    except InputError as error:
        raise InputError(error.message, file=name, expected=error.expected, found=error.found) from error


def _describe(
    name: str, path: Path | None = None, member: str | None = None, data: bytes | None = None
) -> SourceFile:
    sha256, size, head, ascii_only = _hashed(name, path, member, data)
    file = SourceFile(name, sha256, size, _folded(head), path, member, data, gzipped=head[:2] == b"\x1f\x8b")
    if head[:4] == _ZIP and not name.lower().endswith(".zip") and size <= MAX_UNFOLDED:
        with _open_raw(name, path, member, data) as stream:
            stored = stream.read()
        if is_workbook(stored):
            file = replace(file, workbook=True, folded_head=_folded(_unfold_workbook(stored, name)[:HEAD]))
    if not ascii_only and size <= MAX_UNFOLDED and (is_utf16(head) or not is_binary(head)):
        with _open_raw(name, path, member, data) as stream:
            file = replace(file, encoding=_encoding(stream.read()))
        if file.encoding == UTF16:
            file = replace(file, folded_head=_folded(file.read()[:HEAD]))
    if file.gzipped:
        try:
            with file.open() as stream:
                file = replace(file, folded_head=_folded(stream.read(HEAD)))
        except _UNREADABLE as error:
            raise InputError("no readable gzip", file=name, found=str(error)) from error
    return file


def _folded(head: bytes) -> bytes:
    return zlib.compress(head, 1)


def _encoding(data: bytes) -> str | None:
    """Tell what is not ASCII: UTF-16 by its mark (XML names its own), or the code page of Western Windows.

    A code page is believed only where no two bytes make a character of UTF-8, which a damaged file has.
    """
    try:
        if is_utf16(data):
            return None if data.decode("utf-16").lstrip().startswith("<") else UTF16
        if not _UTF8_CHARACTER.search(data):
            data.decode("cp1252")
            return CODE_PAGE
    except UnicodeDecodeError:
        pass
    return None


def _hashed(
    name: str, path: Path | None, member: str | None, data: bytes | None
) -> tuple[str, int, bytes, bool]:
    """Return the SHA-256, the size and the first bytes of a file as stored, and whether all are ASCII."""
    sha, size, head, ascii_only = hashlib.sha256(), 0, b"", True
    try:
        with _open_raw(name, path, member, data) as stream:
            while block := stream.read(1 << 20):
                head = head or block[:HEAD]
                sha.update(block)
                size += len(block)
                ascii_only = ascii_only and block.isascii()
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", file=name) from error
    return sha.hexdigest(), size, head, ascii_only
