"""Ion lists in Parquet; the columns have the names that they have in text."""

from __future__ import annotations

import io

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.ion_record import ion_table
from aavqc.parsers.ion_text import wanted_columns
from aavqc.parsers.sources import SourceFile
from aavqc.parsers.text_table import Layout
from aavqc.records import FloatArray, IonTable

_MAGIC = b"PAR1"
MOST_ROWS = 1 << 24
"""Rows that a file of any size may have; run-length encoding lets a few bytes claim any number."""

ROWS_A_BYTE = 4


def read(export: Export) -> IonTable:
    """Read one file.

    Raises
    ------
    InputError
        Damaged, a column missing or no numbers, or the extra ``parquet`` is not installed.
    """
    (file,) = export.files
    remarks: list[str] = []
    return ion_table(export, _columns(file, remarks), remarks)


def sniff(head: bytes, basename: str) -> bool:
    """Tell Parquet by its magic."""
    return head[:4] == _MAGIC


def _columns(file: SourceFile, remarks: list[str]) -> dict[str, FloatArray]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(
            "Parquet needs pyarrow", file=file.name, hint="pip install 'aavqc[parquet]'"
        ) from error
    try:
        opened = parquet.ParquetFile(io.BytesIO(file.read()), memory_map=False)
        names = opened.schema_arrow.names
        rows, most = opened.metadata.num_rows, min(MOST_ROWS, ROWS_A_BYTE * max(file.size, 1 << 16))
        if rows > most:
            raise InputError(
                "more rows than the file can hold",
                file=file.name,
                expected=f"at most {most}",
                found=str(rows),
            )
        layout = Layout("", tuple(names), True, 0)
        wanted = wanted_columns(layout, file.name, remarks)
        columns = {}
        for role, i in wanted.items():
            column = opened.read(columns=[names[i]], use_threads=False).column(0)
            if len(column) != rows:
                raise InputError("damaged Parquet", file=file.name, found=f"{len(column)} of {rows} rows")
            columns[role] = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        raise InputError(
            "damaged Parquet, or columns that are no numbers", file=file.name, found=str(error)[:200]
        ) from error
    if not rows:
        raise InputError("no ions", file=file.name, expected="rows of ions")
    return columns


FORMAT = Format(
    name="ion-parquet",
    title="single-ion list (Parquet)",
    vendor="any",
    technique="cdms",
    extensions=(".parquet",),
    claims=(r".*\.parquet",),
    reads="the columns of an ion list in text; needs the extra 'parquet'",
    sniff=sniff,
    group=each_file_a_record("ion-parquet", "cdms"),
    read=read,
)
