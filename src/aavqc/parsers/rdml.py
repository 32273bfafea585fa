"""RDML with digital PCR (version 1.3 and later): counts in XML, partitions in tables beside it.

An ``.rdml`` file is a zip archive (at times the bare XML). Each reaction's ``partitions`` hold
the partition's volume, counts by target, and the name of a table of endpoint fluorescence with
a call for each target: p, n, u (undefined) or e (excluded).

References
----------
Lefever et al., the Real-time PCR Data Markup Language, Nucleic Acids Res. 37 (2009) 2065, and
the schema of version 1.3 at https://rdml.org.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as Tree

from aavqc.errors import InputError
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.rdml_partitions import read_partitions
from aavqc.parsers.sources import MAX_FOLD, SourceFile
from aavqc.parsers.well_table import in_order, well_key
from aavqc.parsers.workbook import refuse_doctype
from aavqc.records import DropletPlate, Droplets, WellRow

NAME = "rdml"
DATA = "rdml_data.xml"
MAX_XML = 1 << 25
MAX_UNFOLDED = 1 << 29


@dataclass(frozen=True)
class _Reaction:
    well: str
    sample: str
    partitions: Tree.Element


def sniff(head: bytes, basename: str) -> bool:
    """Tell an archive by its name or first member, bare XML by its root."""
    if head[:2] == b"PK":
        return basename.lower().endswith(".rdml") or DATA.encode() in head[:200]
    return b"<rdml" in head[:2000]


def read(export: Export) -> DropletPlate:
    """Read the one run with partitions.

    Raises
    ------
    InputError
        No run, or several, with partitions; a damaged archive; XML with a document type.
    """
    (file,) = export.files
    try:
        members = _members(file)
        runs = list(_runs(members[DATA], file.name))
        reactions, dyes = _only_run(runs, file.name), _dyes(members[DATA])
        rows: list[WellRow] = []
        droplets: dict[str, Droplets] = {}
        for reaction in sorted(reactions, key=lambda r: well_key(r.well)):
            rows += [_row(reaction, data, dyes, file.name) for data in _all(reaction.partitions, "data")]
            table = _text(reaction.partitions, "endPtTable")
            if table:
                content = members.get(f"partitions/{table}")
                if content is None:
                    raise InputError("a table of partitions is missing", expected=f"partitions/{table}")
                droplets[reaction.well] = read_partitions(content, table, dyes)
    except InputError as error:
        raise error.in_file(file.name) from error.__cause__
    return DropletPlate(
        name=export.name,
        sample_id=export.sample_id,
        format=NAME,
        inputs=(file.input,),
        software="RDML",
        rows=in_order(rows, file.name),
        droplets=droplets,
        partition_volume_nl=None,
        partition_volume_source="default",
    )


def _members(file: SourceFile) -> Mapping[str, bytes]:
    data = file.read()
    if data[:2] != b"PK":
        return {DATA: data}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
            if unfolded > min(MAX_UNFOLDED, MAX_FOLD * len(data)):
                raise InputError("unfolds suspiciously large", found=f"{len(data)} bytes to {unfolded}")
            members = {
                name: archive.read(name)
                for name in archive.namelist()
                if name == DATA or name.startswith("partitions/")
            }
    except InputError:
        raise
    except Exception as error:  # the library stumbles in many ways over a damaged archive
        raise InputError("no readable RDML archive", found=str(error)[:80]) from error
    if DATA not in members:
        raise InputError("no RDML archive", expected=f"a member {DATA}")
    return members


def _runs(xml: bytes, file: str) -> Iterator[list[_Reaction]]:
    """Yield the reactions with partitions of each run that has any."""
    for run in _elements(xml, "run"):
        columns = _number(_child(run, "pcrFormat"), "columns") or 12
        found = [
            _Reaction(_well(react.get("id", ""), int(columns), file), _id(react, "sample"), partitions)
            for react in _all(run, "react")
            if (partitions := _child(react, "partitions")) is not None
        ]
        if found:
            yield found
        run.clear()


def _elements(xml: bytes, name: str) -> Iterator[Tree.Element]:
    """Yield the elements of a name; the curves of qPCR are dropped as they are read."""
    if len(xml) > MAX_XML:
        raise InputError("too large", expected=f"at most {MAX_XML} bytes of XML", found=f"{len(xml)}")
    refuse_doctype(xml)
    try:
        for _, element in Tree.iterparse(io.BytesIO(xml)):
            tag = _tag(element)
            if tag in ("adp", "mdp"):
                element.clear()
            elif tag == name:
                yield element
    except Tree.ParseError as error:
        said = str(error)
        found = "the end of the file" if said.startswith(("no element found", "unclosed token")) else said
        raise InputError("no readable XML", line=error.position[0], found=found) from error


def _only_run(runs: list[list[_Reaction]], file: str) -> list[_Reaction]:
    if len(runs) != 1:
        raise InputError(
            "not one run with partitions",
            file=file,
            expected="one run of digital PCR (RDML 1.3 or later, element partitions)",
            found=f"{len(runs)} of them",
            hint="quantitative PCR is not read" if not runs else "export the runs one by one",
        )
    return runs[0]


def _dyes(xml: bytes) -> dict[str, str]:
    """Return target → its dye."""
    return {
        target.get("id", ""): dye
        for target in _elements(xml, "target")
        if target.get("id") and (dye := _id(target, "dyeId"))
    }


def _well(number: str, columns: int, file: str) -> str:
    """Return the well of a reaction: they are numbered along the rows of the plate."""
    if not (number.isascii() and number.isdecimal() and 1 <= columns <= 99 and 1 <= len(number) <= 4):
        raise InputError("no position", file=file, expected="a reaction's number", found=repr(number[:40]))
    row, column = divmod(int(number) - 1, columns)
    if not 0 <= row < 26:
        raise InputError("no position", file=file, expected="a reaction of a plate", found=repr(number))
    return f"{chr(ord('A') + row)}{column + 1:02d}"


def _row(reaction: _Reaction, data: Tree.Element, dyes: Mapping[str, str], file: str) -> WellRow:
    positives, negatives = _count(data, "pos"), _count(data, "neg")
    excluded = _child(data, "excluded")
    if excluded is not None:
        positives = None
    volume = _number(reaction.partitions, "volume")
    target = _id(data, "tar")
    if not target:
        raise InputError(f"a count of well {reaction.well} has no target", file=file, expected="tar id")
    accepted = None if positives is None or negatives is None else positives + negatives
    concentration = _number(data, "conc")
    return WellRow(
        well=reaction.well,
        channel=dyes.get(target, target),
        target=target,
        sample=reaction.sample,
        accepted=accepted,
        positives=positives,
        negatives=negatives if excluded is None else None,
        copies_per_ul=0.0 if concentration is None and positives == 0 else concentration,
        partition_volume_nl=volume if volume and volume > 0 else None,
        status="" if excluded is None else "excluded",
        status_reason=((excluded.text or "") if excluded is not None else _text(data, "note")).strip(),
    )


def _tag(element: Tree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(parent: Tree.Element, name: str) -> list[Tree.Element]:
    return [child for child in parent if _tag(child) == name]


def _child(parent: Tree.Element, name: str) -> Tree.Element | None:
    return next((child for child in parent if _tag(child) == name), None)


def _text(parent: Tree.Element, name: str) -> str:
    child = _child(parent, name)
    return "" if child is None else (child.text or "").strip()


def _id(parent: Tree.Element, name: str) -> str:
    child = _child(parent, name)
    return "" if child is None else child.get("id", "")


def _number(parent: Tree.Element | None, name: str) -> float | None:
    text = "" if parent is None else _text(parent, name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and text.isascii() and "_" not in text and abs(value) < 1e15):
        raise InputError(f"no number in element {name}", expected="a number", found=repr(text[:40]))
    return value


def _count(parent: Tree.Element, name: str) -> int | None:
    value = _number(parent, name)
    if value is None:
        return None
    if value < 0 or not value.is_integer():
        raise InputError(f"no count in element {name}", expected="a whole number", found=f"{value:g}")
    return int(value)


FORMAT = Format(
    name=NAME,
    title="RDML with digital PCR",
    vendor="RDML consortium",
    technique="ddpcr",
    extensions=(".rdml",),
    reads="counts and partitions of one run, partition volume, samples and targets",
    unread="quantitative PCR; several runs in one file",
    sniff=sniff,
    read=read,
    group=each_file_a_record(NAME, "ddpcr"),
    claims=(r".*\.rdml",),
)
