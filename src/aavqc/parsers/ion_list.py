"""Ion lists of charge-detection mass spectrometry: delimited text and NumPy ``.npz``.

Columns are known by name, whatever their order; text without a header is ``m/z intensity
[scan [1/IT [time]]]``. The delimiter is told from the content: STORIboard writes tabs into
``.csv``. Intensities are kept as they are: none of these formats is scaled by injection time.
"""

from __future__ import annotations

from aavqc.parsers.columns import plain_name, split_lines
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.ion_npz import npz_columns
from aavqc.parsers.ion_record import ion_table
from aavqc.parsers.ion_text import ROLES, find_layout, text_columns
from aavqc.parsers.sources import HEAD
from aavqc.records import IonTable

_TELLING = frozenset(
    {
        "scan",
        "multi_ion",
        "r_squared",
        "time_of_birth",
        "time_of_death",
        "inverse_injection_time",
        "charge_score",
    }
)


def read(export: Export) -> IonTable:
    """Read one ion list.

    Returns
    -------
    IonTable
        With ``flux_scaled`` False. What the file does not have is None.

    Raises
    ------
    InputError
        A column is missing, a row is broken: with line, expected and found.
    """
    (file,) = export.files
    remarks: list[str] = []
    if _is_zip(file.head):
        columns = npz_columns(file.read(), file.name, remarks)
    else:
        columns = text_columns(file.text(), file.name, remarks)
    return ion_table(export, columns, remarks)


def sniff(head: bytes, basename: str) -> bool:
    """Tell an ion list by its column names, or by numbers that can be nothing else."""
    if _is_zip(head):
        return basename.lower().endswith(".npz")
    if b"\0" in head:
        return False
    text = head.decode("utf-8-sig", "replace")
    lines = split_lines(text)
    layout = find_layout(lines[:-1] if len(head) >= HEAD else lines)  # the last may be cut
    if layout is None:
        return False
    if not layout.named:
        return basename.lower().endswith((".txt", ".dat"))
    roles = {ROLES.get(plain_name(c)) for c in layout.columns}
    return "mz" in roles or bool(roles & {"intensity", "charge"} and roles & _TELLING)


def _is_zip(head: bytes) -> bool:
    return head[:4] == b"PK\x03\x04"


FORMAT = Format(
    name="ion-list",
    title="single-ion list (CSV, TSV, text, NPZ)",
    vendor="STORIboard, UniDec and others",
    technique="cdms",
    extensions=(".csv", ".tsv", ".dat", ".npz"),
    claims=(r".*\.npz",),
    reads="m/z with intensity, slope or charge; scan, time, injection time, R², lifetimes, S/N, multi-ion",
    unread="columns of other names are named in a remark; beside an npz's array 'data' nothing is read",
    sniff=sniff,
    group=each_file_a_record("ion-list", "cdms"),
    read=read,
)
