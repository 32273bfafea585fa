"""Candidates: the results that a test of a specification may judge."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from aavqc.attributes import Attribute
from aavqc.documents import Role, Sample, natural
from aavqc.errors import UsageError

_CELL = re.compile(r"#cell[^/]*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A result in words, such as an appearance: judged by ``one of`` and ``conforms``."""

    name: str
    technique: str
    text: str
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An attribute with what the specification needs to know of its sample.

    Attributes
    ----------
    attribute : Attribute, Observation or None
        None: the sample is invalid and gave no value at all.
    sample_id : str or None
    sample_status : {'valid', 'invalid'}
        An invalid sample makes every test of its technique INVALID: no value is judged.
    preparation, replicate : str or None
        What tells results of one sample apart.
    result_id : str or None
        Of the result document it came from.
    technique : str or None
        Taken from the attribute, where there is one; else None means that it may be any.
    procedure : str or None
        What a test names as its ``procedure``, where the result states it.
    run : str or None
        What was measured together, under one reference standard: see :func:`run_of`.
    role : str
        Only a ``sample`` is judged by tests; a control judges the suitability of its run.

    Examples
    --------
    >>> full = Attribute(name="percent_full", technique="auc", value=81.0, unit="%")
    >>> Candidate(full, "EX24-001").sample_status
    'valid'
    """

    attribute: Attribute | Observation | None
    sample_id: str | None = None
    sample_status: Literal["valid", "invalid"] = "valid"
    preparation: str | None = None
    replicate: str | None = None
    result_id: str | None = None
    technique: str | None = None
    procedure: str | None = None
    run: str | None = None
    role: Role = "sample"

    def __post_init__(self) -> None:
        if self.attribute is not None:
            object.__setattr__(self, "technique", self.attribute.technique)


Judgeable = Attribute | Observation | Candidate | Sample


def candidates_of(
    samples: Iterable[Sample], result_id: str | None = None, technique: str | None = None
) -> list[Candidate]:
    """Return the candidates of a result's samples, controls with their role.

    Parameters
    ----------
    samples : iterable of Sample
    result_id : str, optional
        Of the result document, kept for the trace.
    technique : str, optional
        Of the result document: what an invalid sample without any value was measured by.
    """
    found = []
    for s in samples:
        attributes: list[Attribute | None] = list(s.attributes)
        if not attributes and s.status == "invalid":
            attributes = [None]
        identity = (s.sample_id, s.status, s.preparation, s.replicate, result_id, technique, None)
        found += [Candidate(attribute, *identity, run_of(s.record), s.role) for attribute in attributes]
    return found


def run_of(record: str) -> str:
    """Return the run of a record: the folder of its export, or the file that holds several cells.

    Examples
    --------
    >>> run_of("2026-03/run7#cell4"), run_of("cdms/run1.csv"), run_of("plate.csv")
    ('2026-03/run7', 'cdms', '.')
    """
    cells = _CELL.sub("", record)
    return (cells if cells != record else record.rpartition("/")[0]) or "."


def candidates(given: Mapping[str, Attribute] | Iterable[Judgeable]) -> list[Candidate]:
    """Return all that is given as candidates."""
    items: Iterable[object] = given.values() if isinstance(given, Mapping) else given
    if isinstance(items, (str, bytes)):
        raise UsageError("not a list of results", expected="attributes, candidates or samples", found="text")
    found: list[Candidate] = []
    for item in items:
        found += _candidates(item)
    return found


def ordered(found: list[Candidate]) -> list[Candidate]:
    """Sort by identity, then by content: any order of the input gives the same list.

    Only what is judged together needs an order: to sort a whole lot takes as long as to judge it.
    """
    return sorted(found, key=_order) if len(found) > 1 else found


def _candidates(item: object) -> Iterable[Candidate]:
    if isinstance(item, Candidate):
        return (item,)
    if isinstance(item, (Attribute, Observation)):
        return (Candidate(item),)
    if isinstance(item, Sample):
        return candidates_of([item])
    raise UsageError(
        "not a result", expected="an attribute, a candidate or a sample", found=type(item).__name__
    )


def _order(candidate: Candidate) -> tuple[object, ...]:
    names = (candidate.sample_id, candidate.preparation, candidate.replicate, candidate.result_id)
    return (*(natural(name or "") for name in names), repr(candidate))
