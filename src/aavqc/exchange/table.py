"""The long table: a row for each attribute and each verdict on it, as LIMS imports read it.

The first columns are those that LIMS exchange tables have in common, in their usual order; what else
identifies a value follows. No attribute and no verdict is without a row.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aavqc import __version__
from aavqc.batch.tables import result_rows
from aavqc.documents import Payload
from aavqc.errors import UsageError
from aavqc.exchange.source import Finished
from aavqc.results import Evaluation, Verdict
from aavqc.results.verdict import Source
from aavqc.textfiles import to_csv, write_bytes

LONG_COLUMNS = (
    "run_id", "sample_id", "lot", "attribute", "method", "method_version", "value", "value_rounded",
    "qualifier", "lod", "loq", "unit", "ci_low", "ci_high", "n", "dilution", "sst_status", "spec_id",
    "spec_version", "limit_text", "verdict", "reason", "source_file", "source_sha256", "aavqc_version",
    "technique", "target", "role", "bound", "coverage", "scope", "test", "record",
)  # fmt: skip

NUMBERS = ("value", "lod", "loq", "ci_low", "ci_high", "dilution", "bound", "coverage")

Row = dict[str, object]


def long_rows(source: Finished) -> list[Row]:
    """Return the rows of the long table, in the order of ``results.csv``.

    An attribute that several tests judge has a row for each, one that none judges a row without
    verdict. A verdict on no result of OUT (none was there, or it came from elsewhere) has a row for
    each of its sources, or one, after all others.
    """
    judged = _Judged.of(source.evaluations)
    rows = [row for job, document in source.results() for row in _of_result(document.payload, job, judged)]
    order = ("lot", "sample_id", "technique", "run_id")
    rows.sort(key=lambda row: tuple(str(row[c]) for c in order))  # stable, as results.csv
    return rows + list(judged.left_over())


def write_csv(source: Finished, path: Path) -> list[Path]:
    """Write the long table as CSV: UTF-8, comma, one line of names, floats in their exact form."""
    write_bytes(path, to_csv(LONG_COLUMNS, long_rows(source)).encode())
    return [path]


def write_parquet(source: Finished, path: Path) -> list[Path]:
    """Write the long table as Parquet: numbers as float64, ``n`` as int64, the rest as text.

    Raises
    ------
    UsageError
        pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise UsageError("Parquet needs pyarrow", hint="pip install 'aavqc[parquet]'") from None
    kinds = dict.fromkeys(LONG_COLUMNS, pa.string()) | dict.fromkeys(NUMBERS, pa.float64())
    schema = pa.schema(list((kinds | {"n": pa.int64()}).items()))
    table = pa.Table.from_pylist([{c: row.get(c) for c in LONG_COLUMNS} for row in long_rows(source)], schema)
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    write_bytes(path, stream.getvalue())
    return [path]


@dataclass(frozen=True)
class _Judged:
    """Every source of every verdict by what identifies its value, and what was found of them."""

    sources: dict[tuple[object, ...], list[tuple[Evaluation, Verdict, Source]]]
    without: list[tuple[Evaluation, Verdict]]
    found: set[tuple[object, ...]]

    @classmethod
    def of(cls, evaluations: list[Evaluation]) -> _Judged:
        judged = cls({}, [], set())
        for evaluation in evaluations:
            for verdict in evaluation.verdicts:
                for source in verdict.sources:
                    key = (source.result_id, source.sample_id, verdict.attribute, source.value)
                    judged.sources.setdefault(key, []).append((evaluation, verdict, source))
                if not verdict.sources:
                    judged.without.append((evaluation, verdict))
        return judged

    def on(self, row: Row) -> list[Row]:
        """Return what the verdicts on an attribute add to its row."""
        key = (row["run_id"], row["sample_id"], row["attribute"], row["value"])
        verdicts = [
            (evaluation, verdict)
            for evaluation, verdict, _ in self.sources.get(key, [])
            if verdict.target in (None, row["target"]) and verdict.technique in (None, row["technique"])
        ]
        if verdicts:
            self.found.add(key)
        return [_said(evaluation, verdict) for evaluation, verdict in verdicts]

    def left_over(self) -> Iterator[Row]:
        """Yield rows of verdicts on no result of OUT."""
        for key, judged in self.sources.items():
            for evaluation, verdict, source in judged if key not in self.found else ():
                named = {name: getattr(source, name) for name in ("value", "unit", "qualifier", "bound")}
                yield _missing(evaluation, verdict) | named | {"sample_id": source.sample_id}
        for evaluation, verdict in self.without:
            yield _missing(evaluation, verdict)


def _of_result(payload: Payload, job: str, judged: _Judged) -> Iterator[Row]:
    for row in result_rows(payload, job):
        row["sst_status"] = row["status"]
        row["dilution"] = _dilution(payload, row["sample_id"])
        for said in judged.on(row) or [{}]:
            yield row | said


def _said(evaluation: Evaluation, verdict: Verdict) -> Row:
    return {
        "value_rounded": verdict.rounded,
        "n": verdict.n,
        "spec_id": evaluation.specification.id,
        "spec_version": evaluation.specification.version,
        "limit_text": verdict.limit,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "test": verdict.test,
    }


def _missing(evaluation: Evaluation, verdict: Verdict) -> Row:
    stated: dict[str, Any] = {
        "lot": evaluation.lot,
        "attribute": verdict.attribute,
        "technique": verdict.technique,
        "target": verdict.target,
        "aavqc_version": __version__,
    }
    return _said(evaluation, verdict) | stated


def _dilution(payload: Payload, sample_id: object) -> float | None:
    """Return the dilution factor that was applied; None where there is none, or where they differ."""
    parts = {part.dilution_factor for part in payload.method.parts if part.sample_id == sample_id}
    factors = {f for f in parts if f is not None}
    if factors:
        return factors.pop() if len(factors) == 1 else None
    return payload.method.settings.get("dilution_factor")
