"""Distributions that SEDFIT saves: two columns with a tab between, s in S and c(s).

There is no header and no name of a quantity in such a file; GUSSI's lists may have one line
of names. It is told by its numbers: a first column that starts low and ascends evenly, a
second that is never negative.
"""

from __future__ import annotations

import re

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.sources import HEAD
from aavqc.records import Distribution, FloatArray, readonly

MIN_POINTS = 10
MAX_S = 2000.0
"""Greatest s of a distribution, in S: aggregates of capsids are below."""

MAX_START, STEPS = 50.0, (0.005, 20.0)
"""Greatest first s, and least and greatest step, in S: no m/z, no time of a chromatogram."""

_SUFFIXES = (".txt", ".dat", ".tsv", ".asc")
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][-+]?\d{1,3})?"
_ROW = re.compile(rf" *({_NUMBER}) *\t *({_NUMBER})[ \t]*", re.ASCII)
_NAMES = re.compile(
    r"(s|s20,?w|s \(S\)|sedimentation coefficient[^\t]*)\t *(c\(s\)|ls-g\*\(s\)|g\*?\(s\))\s*", re.I
)


def sniff(head: bytes, name: str) -> bool:
    """Tell a distribution by two tab-separated columns that can be s and c(s)."""
    if b"\t" not in head[:200] or b"\0" in head or not name.lower().endswith(_SUFFIXES):
        return False
    lines = _lines(head.decode("latin-1"))
    lines = lines[:-1] if len(head) >= HEAD else lines  # the last may be cut
    if not lines:
        return False
    rows = [_ROW.fullmatch(line) for line in lines[int(bool(_NAMES.fullmatch(lines[0]))) :]]
    if len(rows) < MIN_POINTS or None in rows:
        return False
    table = np.array([[float(r[1]), float(r[2])] for r in rows if r])
    return _problem(table) is None and bool((table[:, 1] > 0).any() or len(head) >= HEAD)


def read(export: Export) -> Distribution:
    """Read one distribution.

    Raises
    ------
    InputError
        A row is no pair of numbers, s does not ascend evenly, c(s) is negative.
    """
    (file,) = export.files
    lines = _lines(file.text())
    named = _NAMES.fullmatch(lines[0])
    first = int(named is not None)
    table = np.empty((len(lines) - first, 2))
    for i, line in enumerate(lines[first:]):
        row = _ROW.fullmatch(line)
        if row is None:
            raise InputError(
                "no point of a distribution",
                file=file.name,
                line=i + first + 1,
                expected="two numbers with a tab between",
                found=repr(line[:60]),
            )
        table[i] = float(row[1]), float(row[2])
    if len(table) < MIN_POINTS:
        raise InputError(
            "too few points", file=file.name, expected=f"at least {MIN_POINTS}", found=str(len(table))
        )
    problem = _problem(table)
    if problem is not None:
        row_index, expected = problem
        raise InputError(
            "implausible distribution",
            file=file.name,
            line=row_index + first + 1,
            expected=expected,
            found=repr(lines[row_index + first][:60]),
        )
    kind = named[2] if named else "c(s)"
    remark = f"told by its content: the first column is taken as s in S, the second as {kind}"
    return Distribution(
        name=export.name,
        sample_id=export.sample_id,
        format=export.format,
        inputs=(file.input,),
        remarks=() if named else (remark,),
        x=readonly(table[:, 0]),
        y=readonly(table[:, 1]),
        kind=kind,
        unit="S",
    )


FORMAT = Format(
    name="sedfit-distribution",
    title="saved distribution of sedimentation coefficients",
    vendor="SEDFIT, GUSSI",
    technique="auc",
    extensions=(".dat", ".txt"),
    reads="s and c(s) in two tab-separated columns",
    unread="c(s,f/f0) tables of six columns, fit files, parameters of the fit",
    support="experimental",
    sniff=sniff,
    group=each_file_a_record("sedfit-distribution", "auc"),
    read=read,
)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").rstrip("\n\x1a \t").split("\n")


def _problem(table: FloatArray) -> tuple[int, str] | None:
    """Return the first row that no distribution has, and what it should be."""
    s, y = table[:, 0], table[:, 1]
    if not np.isfinite(table).all():
        return int(np.argmin(np.isfinite(table).all(axis=1))), "finite numbers"
    step = np.diff(s)
    usual = float(np.median(step))
    uneven = np.r_[False, ~((step > 0.2 * usual) & (step < 5 * usual) & (usual > 0))]
    least, greatest = STEPS
    checks = {
        f"s from 0 to {MAX_S:g} S": ~((s >= 0) & (s <= MAX_S)),
        f"a first s of at most {MAX_START:g} S": np.r_[s[0] > MAX_START, np.zeros(s.size - 1, bool)],
        "s that ascends in even steps": uneven,
        f"steps of {least:g} to {greatest:g} S": np.full(s.size, not least <= usual <= greatest),
        "a signal that is not negative": (y < 0) | (y > 1e9),
    }
    return next(((int(np.argmax(bad)), expected) for expected, bad in checks.items() if bad.any()), None)
