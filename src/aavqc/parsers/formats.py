"""What a parser tells about itself, and how it groups files into exports."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from aavqc.attributes import Technique
from aavqc.errors import InputError
from aavqc.parsers.sources import SourceFile
from aavqc.records import Record


@dataclass(frozen=True)
class Export:
    """The files that make one record; it can be read later, in another process too.

    Attributes
    ----------
    format : str
        Name of the :class:`Format` that reads it.
    technique : str
    name : str
        Record name: relative path, for AUC with ``#cell4``.
    sample_id : str
        Where no sample sheet says otherwise.
    files : tuple of SourceFile
        Sorted by name.
    """

    format: str
    technique: Technique
    name: str
    sample_id: str
    files: tuple[SourceFile, ...]


@dataclass
class Grouping:
    """What a format makes of the files it recognised: each is used, ignored or failed."""

    exports: list[Export] = field(default_factory=list)
    ignored: dict[str, str] = field(default_factory=dict)
    failed: dict[str, InputError] = field(default_factory=dict)


@dataclass(frozen=True)
class Format:
    """Declarative description of one vendor format, and its three functions.

    Attributes
    ----------
    name : str
        Short and stable: ``beckman-xl``.
    title, vendor : str
    technique : str
    extensions : tuple of str
        A hint only, lower case (``.csv``). A file that is not recognised and bears one has
        failed where it is empty or binary; other text is ignored.
    claims : tuple of str
        Regular expressions (full match on the lower-case base name) of names that no other
        kind of file bears: such a file has failed, whatever is in it.
    support : {'supported', 'experimental'}
    reads : str
        What is read, in a phrase; ``unread`` what is left.
    sniff : callable(head, basename) -> bool
        Tell from the first bytes whether a file is of this format.
    group : callable(files) -> Grouping
        Join recognised files into exports.
    withdraw : callable(grouping, unread) -> Grouping, optional
        Take back exports that look whole only because another file of theirs could not be
        recognised or read; ``unread`` are the names of all such files.
    read : callable(export) -> Record
        Bytes → table → record; raises InputError with file, line, expected, found.
    code_pages : bool
        Whether a code page of Windows is read as text, which the record then says.
    """

    name: str
    title: str
    vendor: str
    technique: Technique
    extensions: tuple[str, ...]
    reads: str
    sniff: Callable[[bytes, str], bool]
    read: Callable[[Export], Record]
    group: Callable[[Sequence[SourceFile]], Grouping]
    withdraw: Callable[[Grouping, Collection[str]], Grouping] | None = None
    claims: tuple[str, ...] = ()
    unread: str = ""
    support: Literal["supported", "experimental"] = "supported"
    code_pages: bool = True


def each_file_a_record(format_name: str, technique: Technique) -> Callable[[Sequence[SourceFile]], Grouping]:
    """Return a ``group`` function for formats where one file is one record."""

    def group(files: Sequence[SourceFile]) -> Grouping:
        return Grouping([Export(format_name, technique, f.name, f.stem, (f,)) for f in files])

    return group
