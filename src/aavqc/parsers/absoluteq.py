"""Applied Biosystems' QuantStudio Absolute Q: results, summary, joint counts, partitions.

Each file is a plate of its own. Rows for an average or a pool of wells are no wells and are
left out; ``Lambda (cp/Rxn)`` is copies a partition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from aavqc.errors import InputError
from aavqc.parsers.absoluteq_partitions import read_partitions, sniff_partitions
from aavqc.parsers.columns import plain_name
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.well_table import (
    Line,
    check_width,
    columns_named,
    delimiter_of,
    first_line,
    header_of,
    lines_of,
    rows_of,
    well_key,
    well_name,
)
from aavqc.records import DropletPlate, Droplets, WellClusters, WellDilution, WellRow

NAME = "absoluteq"
SOFTWARE = "AbsoluteQ"
PARTITION_VOLUME_NL = 0.432

_RESULTS = {
    "Name": ("name",),
    "Well": ("well",),
    "Total": ("total",),
    "Dye": ("dye",),
    "Target": ("target",),
    "Conc.": ("conccpul", "conccpl"),
    "Positives": ("positives",),
    "95%CI": ("95ci",),
}
_SUMMARY = {
    "Sample": ("sample",),
    "Well": ("well",),
    "DF": ("df",),
    "QC": ("qc",),
    "Total": ("total",),
    "QC Message": ("qcmessage",),
}
_BLOCK = {
    "Target": ("target",),
    "Conc.": ("conc",),
    "Positives": ("positives",),
    "95%DeltaLCI": ("95deltalci",),
    "95%DeltaUCI": ("95deltauci",),
    "Threshold": ("threshold",),
}
_MULTICHANNEL = {
    "Sample": ("sample",),
    "Channels": ("channels",),
    "Count": ("count",),
    "Total": ("total",),
}
_NO_WELL = ("", "average", "pooled")
_DILUTION = re.compile(r"1/(\d{1,15}(?:\.\d{1,15})?)", re.ASCII)
_IN_NAME = re.compile(r"(?:.*[\s_-])?([A-Z]\d{1,2})", re.IGNORECASE | re.ASCII)


def sniff(head: bytes, basename: str) -> bool:
    """Tell any of the four kinds of files by its header."""
    return _kind(head) is not None


def read(export: Export) -> DropletPlate:
    """Read one file of the software."""
    (file,) = export.files
    clusters: dict[str, tuple[WellClusters, ...]] = {}
    droplets: dict[str, Droplets] = {}
    remarks: tuple[str, ...] = ()
    kind = _kind(file.head)
    if kind == "partitions":
        rows, droplets = read_partitions(file.text(), file.name)
    elif kind == "multichannel":
        rows, clusters, remarks = _multichannel(file.text(), file.name)
    elif kind == "summary":
        rows = _summary(file.text(), file.name)
    else:
        rows = _results(file.text(), file.name)
    _refuse_twice(rows, file.name)
    return DropletPlate(
        name=export.name,
        sample_id=export.sample_id,
        format=NAME,
        inputs=(file.input,),
        remarks=remarks,
        software=SOFTWARE,
        rows=tuple(sorted(rows, key=lambda r: (well_key(r.well), r.channel, r.target))),
        droplets=droplets,
        clusters=clusters,
        partition_volume_nl=PARTITION_VOLUME_NL,
        partition_volume_source="software",
    )


def _kind(head: bytes) -> str | None:
    if sniff_partitions(head):
        return "partitions"
    first, *rest = (
        head.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n").split("\n", 2)
    )
    names = {plain_name(name) for name in first.split(delimiter_of(first))}
    if {"run", "well", "total", "dye", "target", "positives"} <= names:
        return "results"
    if {"run", "sample", "channels", "count", "total"} <= names:
        return "multichannel"
    below = {plain_name(name) for name in rest[0].split(delimiter_of(rest[0]))} if rest else set()
    return "summary" if {"runname", "well", "lambdacprxn", "positives"} <= below else None


def _table(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    return rows_of(text, file, delimiter_of(first_line(text[:8192].encode())))


def _results(text: str, file: str) -> list[WellRow]:
    numbered = _table(text, file)
    number, header = header_of(numbered, file)
    required = [name for name in _RESULTS if name != "95%CI"]
    columns = columns_named(header, _RESULTS, required, file, number)
    delimiter = delimiter_of(first_line(text[:8192].encode()))
    rows = []
    for line in lines_of(numbered, columns, ("Conc.", "95%CI"), file, delimiter):
        check_width(line.fields, header, file, line.number)
        if line.text("Well").lower() in _NO_WELL:
            continue
        accepted, positives, negatives = _counts(line)
        concentration, half = line.number_in("Conc."), line.number_in("95%CI")
        rows.append(
            WellRow(
                well=line.well_in("Well"),
                channel=line.text("Dye"),
                target=line.text("Target"),
                sample=line.text("Name"),
                accepted=accepted,
                positives=positives,
                negatives=negatives,
                copies_per_ul=concentration,
                ci_low=None if half is None or concentration is None else concentration - half,
                line=line.number,
            )
        )
    return rows


def _counts(line: Line) -> tuple[int | None, int | None, int | None]:
    accepted, positives = line.count_in("Total"), line.count_in("Positives")
    if accepted is None or positives is None:
        return accepted, positives, None
    if positives > accepted:
        raise line.error("more positives than partitions", "Positives", f"at most {accepted}")
    return accepted, positives, accepted - positives


def _summary(text: str, file: str) -> list[WellRow]:
    """Read the summary: a row of dyes above the header, a block of columns a dye."""
    rows = _table_below(text, file)
    (_, dyes), (number, header) = header_of(rows, file), header_of(rows, file)
    starts = [at for at, name in enumerate(header) if plain_name(name) == "target"]
    shared = columns_named(header, _SUMMARY, ("Sample", "Well", "Total"), file, number)
    if not starts:
        raise InputError("a column is missing", file=file, line=number, expected="column Target")
    blocks = [_block(header, start, end, file, number) for start, end in _spans(starts, len(header))]
    found = []
    for at, fields in rows:
        check_width(fields, header, file, at)
        well = Line(file, at, fields, shared)
        if well.text("Well").lower() in _NO_WELL:
            continue
        for start, block in zip(starts, blocks, strict=True):
            line = Line(file, at, fields, shared | block)
            if line.text("Target"):
                found.append(_summary_row(line, dyes[start].strip() if start < len(dyes) else ""))
    return found


def _table_below(text: str, file: str) -> Iterator[tuple[int, list[str]]]:
    second = _line_ends(text).split("\n", 2)[1]
    return rows_of(text, file, delimiter_of(second))


def _line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _spans(starts: Sequence[int], width: int) -> list[tuple[int, int]]:
    return list(zip(starts, [*starts[1:], width], strict=True))


def _block(header: Sequence[str], start: int, end: int, file: str, number: int) -> dict[str, int]:
    found = columns_named(header[start:end], _BLOCK, ("Target", "Conc.", "Positives"), file, number)
    return {name: start + at for name, at in found.items()}


def _summary_row(line: Line, dye: str) -> WellRow:
    accepted, positives, negatives = _counts(line)
    concentration = line.number_in("Conc.")
    below, above = line.number_in("95%DeltaLCI"), line.number_in("95%DeltaUCI")
    diluted = _DILUTION.fullmatch(line.text("DF"))
    return WellRow(
        well=line.well_in("Well"),
        channel=dye,
        target=line.text("Target"),
        sample=line.text("Sample"),
        accepted=accepted,
        positives=positives,
        negatives=negatives,
        threshold=line.number_in("Threshold"),
        copies_per_ul=concentration,
        ci_low=None if below is None or concentration is None else concentration - below,
        ci_high=None if above is None or concentration is None else concentration + above,
        dilution=WellDilution(factor=float(diluted[1])) if diluted and float(diluted[1]) > 0 else None,
        status=line.text("QC"),
        status_reason=line.text("QC Message"),
        line=line.number,
    )


def _multichannel(
    text: str, file: str
) -> tuple[list[WellRow], dict[str, tuple[WellClusters, ...]], tuple[str, ...]]:
    """Read joint counts: for each sample, the partitions positive for each set of dyes."""
    numbered = _table(text, file)
    number, header = header_of(numbered, file)
    columns = columns_named(header, _MULTICHANNEL, _MULTICHANNEL, file, number)
    lines = [Line(file, at, fields, columns) for at, fields in numbered]
    sets = sorted((line.text("Channels").split() for line in lines), key=len, reverse=True)
    dyes = list(dict.fromkeys(dye for channels in sets for dye in channels))  # as the fullest set has them
    counts: dict[str, dict[str, int]] = {}
    for line in lines:
        check_width(line.fields, header, file, line.number)
        positive = set(line.text("Channels").split())
        pattern = "".join("1" if dye in positive else "0" for dye in dyes)
        count = line.count_in("Count")
        if count is None:
            raise line.error("no count", "Count", "a whole number of partitions")
        own = counts.setdefault(line.text("Sample"), {})
        if pattern in own:
            raise line.error("a sample has this set of channels twice", "Channels", "each set once")
        own[pattern] = count
    wells, remark = _wells_of(list(counts))
    rows: list[WellRow] = []
    clusters: dict[str, tuple[WellClusters, ...]] = {}
    for name in sorted(counts, key=lambda name: well_key(wells[name])):
        clusters[wells[name]] = (WellClusters(targets=tuple(dyes), counts=counts[name]),)
        rows += [_marginal(wells[name], name, dye, at, counts[name]) for at, dye in enumerate(dyes)]
    return rows, clusters, (remark,)


def _wells_of(samples: Sequence[str]) -> tuple[dict[str, str], str]:
    """Return a well for each sample: that in its name, else a number where there is none."""
    named = [well_name(match[1]) if (match := _IN_NAME.fullmatch(s)) else None for s in samples]
    if None not in named and len(set(named)) == len(named):
        return dict(zip(samples, map(str, named), strict=True)), "wells are those in the names of the samples"
    numbered = {sample: f"X{at:02d}" for at, sample in enumerate(samples, 1)}
    return numbered, "the export names no wells: X01 and so on number its samples"


def _marginal(well: str, sample: str, dye: str, at: int, counts: dict[str, int]) -> WellRow:
    accepted = sum(counts.values())
    positives = sum(n for pattern, n in counts.items() if pattern[at] == "1")
    return WellRow(
        well=well,
        channel=dye,
        target=dye,
        sample=sample,
        accepted=accepted,
        positives=positives,
        negatives=accepted - positives,
        copies_per_ul=None if positives else 0.0,  # called, and none found: not a call refused
    )


def _refuse_twice(rows: Sequence[WellRow], file: str) -> None:
    seen: dict[tuple[str, str], WellRow] = {}
    for row in rows:
        first = seen.setdefault((row.well, row.target), row)
        if first is not row:
            raise InputError(
                f"well {row.well} has target {row.target!r} twice",
                file=file,
                line=row.line,
                expected="each well and target once",
                found=f"the same in line {first.line}",
            )


FORMAT = Format(
    name=NAME,
    title="QuantStudio Absolute Q exports (CSV, XLSX)",
    vendor="Applied Biosystems",
    technique="ddpcr",
    extensions=(".csv", ".xlsx"),
    reads="results, summaries, counts by set of channels, partitions with their calls",
    unread="averages and pools of wells, copy numbers",
    sniff=sniff,
    read=read,
    group=each_file_a_record(NAME, "ddpcr"),
)


def sample() -> bytes:
    """Return a small summary, for the tests that every format must pass."""
    block = (
        "Target,Conc.,SD,CV%,95%DeltaLCI,95%DeltaUCI,Precision %,Lambda (cp/Rxn),Lambda_95%DeltaLCI,"
        "Lambda_95%DeltaUCI,Positives,Copy #,CNV_95%DeltaLCI,CNV_95%DeltaUCI,Threshold"
    )
    values = ["1604.51,,,33.6,34.3,2.1,0.69315,0.0145,0.0148,10000,,,,4000", "0.00,,,,,,0,,,0,,,,1300"]
    commas = "," * 15
    return "\r\n".join(
        [
            f",,,,,,,FAM{commas}VIC{commas},,",
            f"Run name,Group,Sample,Well,DF,QC,Total,{block},{block},MeanQC,CV_QC,QC Message",
            f",Group,,Average,,,20000,ITR,1604.51{',' * 13},CMV,0.00{',' * 13},,,",
            f"run,,S1,A1,1/10.00000,PASS,20000,ITR,{values[0]},CMV,{values[1]},7000,0.02,PASS: no issues",
            "",
        ]
    ).encode()
