"""Applied Biosystems' QuantStudio Absolute Q: results, summary, joint counts, partitions.

Each file is a plate of its own. Rows for an average or a pool of wells are no wells and are
left out; ``Lambda (cp/Rxn)`` is copies a partition.
"""

from __future__ import annotations

from aavqc.parsers.absoluteq_channels import read_channels
from aavqc.parsers.absoluteq_partitions import read_partitions, sniff_partitions
from aavqc.parsers.absoluteq_tables import read_results, read_summary
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.well_table import in_order, names_in
from aavqc.records import DropletPlate, Droplets, WellClusters

NAME = "absoluteq"
SOFTWARE = "AbsoluteQ"
PARTITION_VOLUME_NL = 0.432


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
        rows, clusters, remarks = read_channels(file.text(), file.name)
    elif kind == "summary":
        rows = read_summary(file.text(), file.name)
    else:
        rows = read_results(file.text(), file.name)
    return DropletPlate(
        name=export.name,
        sample_id=export.sample_id,
        format=NAME,
        inputs=(file.input,),
        remarks=remarks,
        software=SOFTWARE,
        rows=in_order(rows, file.name),
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
    names = names_in(first)
    if {"run", "well", "total", "dye", "target", "positives"} <= names:
        return "results"
    if {"run", "sample", "channels", "count", "total"} <= names:
        return "multichannel"
    below = names_in(rest[0]) if rest else set()
    return "summary" if {"runname", "well", "lambdacprxn", "positives"} <= below else None


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
