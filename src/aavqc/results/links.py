"""Results that follow others: retests, the same raw data evaluated anew by hand, lots after lots.

Nothing is overwritten. Both results stay; a link says which follows which, by whom and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, StrictStr, model_validator

from aavqc.documents import Document
from aavqc.errors import SpecificationError, UsageError, nearest
from aavqc.results.candidates import Candidate
from aavqc.textfiles import line_of, read_toml, validate

_JOB = re.compile(r"[0-9a-f]{32}")
"""The id of a result of this library."""


class Retest(Document, frozen=True):
    """A new result after another (``retest`` and ``original`` are result ids).

    Only an assignable cause, found in an investigation, takes the original out of the judgement.
    Without one both are judged, each on its own: a retest can't outvote or average away a result.
    """

    original: StrictStr = Field(min_length=1)
    retest: StrictStr = Field(min_length=1)
    sample_id: StrictStr | None = Field(None, description="of the result; without it all of its samples")
    reason: StrictStr = Field(min_length=1)
    actor: StrictStr = Field(min_length=1)
    assignable_cause: StrictStr | None = Field(None, min_length=1)


class Change(Document, frozen=True):
    """The same raw data evaluated anew: meniscus, threshold, window or exclusion set by a person."""

    before: StrictStr = Field(min_length=1, description="result id")
    after: StrictStr = Field(min_length=1, description="result id")
    reason: StrictStr = Field(min_length=1)
    actor: StrictStr = Field(min_length=1)


EarlierResult = Annotated[float, Field(strict=True, ge=-1e100, le=1e100)]


class Links(Document, frozen=True):
    """Which results follow which, and which those of earlier lots were (``aavqc.links/1``)."""

    schema_: Literal["aavqc.links/1"] = Field("aavqc.links/1", alias="schema")
    retests: tuple[Retest, ...] = ()
    changes: tuple[Change, ...] = ()
    earlier: dict[StrictStr, tuple[EarlierResult, ...]] = Field(
        {},
        description="by test id, results of earlier lots in the order of manufacture, in the unit "
        "in which the test judges: what its trend compares with",
    )

    _file: str | None = PrivateAttr(None)
    _lines: dict[str, int | None] = PrivateAttr({})
    """Where in the file each result is named first, and each test."""

    @model_validator(mode="after")
    def _refuse_circles(self) -> Links:
        """No result may follow itself: both would be set aside, and nothing left to judge."""
        after: dict[str, set[str]] = {}
        for earlier, later in self.pairs:
            after.setdefault(earlier, set()).add(later)
        for start in after:
            reached, ahead = set[str](), [start]
            while ahead:
                new = after.get(ahead.pop(), set()) - reached
                reached |= new
                ahead += new
            if start in reached:
                raise ValueError(f"the result {start!r} follows itself")
        return self

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The earlier and the later result of every link."""
        retests = [(r.original, r.retest) for r in self.retests]
        return retests + [(c.before, c.after) for c in self.changes]

    @classmethod
    def load(cls, path: str | Path) -> Links:
        """Read links from TOML.

        Raises
        ------
        InputError, SpecificationError
            The file can't be read; it holds no links, with key and line.
        """
        path = Path(path)
        data, text = read_toml(path)
        links = validate(cls, data, path.name, SpecificationError, text)
        links._file, links._lines = path.name, {}
        for table in ("retests", "changes"):
            for i, link in enumerate(data.get(table, ())):
                for key in ("original", "retest", "before", "after"):
                    if key in link:
                        links._lines.setdefault(link[key], line_of(text, (table, i, key)))
        for test in links.earlier:
            links._lines.setdefault(test, line_of(text, ("earlier", test)))
        return links

    def missing(self, result: str, sample: str | None = None) -> UsageError:
        """Return the error for a link to a result that is not there, with its file and line."""
        of = f" of sample {sample!r}" if sample is not None else ""
        return UsageError(
            f"a link names the result {result!r}{of}",
            file=self._file,
            line=self._lines.get(result),
            expected="the id of a result that is judged",
        )

    def refuse_impossible(self, known: Iterable[str]) -> None:
        """Refuse what can be no result's id, before anything is computed.

        Parameters
        ----------
        known : iterable of str
            Ids that are no hash of a job: those of results from elsewhere.

        Raises
        ------
        UsageError
            With file and line.
        """
        ids = frozenset(known)
        for result in (name for pair in self.pairs for name in pair):
            if result not in ids and not _JOB.fullmatch(result):
                raise self.missing(result)

    def refuse_other_tests(self, tests: Iterable[str]) -> None:
        """Refuse earlier results of what is none of these tests.

        Raises
        ------
        UsageError
            With file, line and the nearest names.
        """
        known = sorted(set(tests))
        for test in self.earlier:
            if test not in known:
                raise UsageError(
                    f"earlier results of {test!r}",
                    file=self._file,
                    line=self._lines.get(test),
                    expected="the id of a test that has a trend",
                    hint=nearest(test, known) if known else None,
                )

    def within(self, candidates: Iterable[Candidate]) -> Links:
        """Return the links whose earlier result is among these."""
        there = {(c.result_id, name) for c in candidates for name in (c.sample_id, None)}
        retests = tuple(r for r in self.retests if (r.original, r.sample_id) in there)
        changes = tuple(c for c in self.changes if (c.before, None) in there)
        return self.model_copy(update={"retests": retests, "changes": changes})


@dataclass(frozen=True, slots=True)
class Followed:
    """Candidates sorted by what follows them.

    Attributes
    ----------
    counting : list of Candidate
        What is judged.
    aside : dict of Candidate to str
        What a later result stands for, each with the reason in words.
    contested : dict of Candidate to str
        Originals and retests without an assignable cause: judged each on its own.
    retests : frozenset of Candidate
        Of the contested, those that came later.
    """

    counting: list[Candidate]
    aside: dict[Candidate, str]
    contested: dict[Candidate, str]
    retests: frozenset[Candidate]


def follow(candidates: Sequence[Candidate], links: Links) -> Followed:
    """Sort candidates by the links between them.

    Raises
    ------
    UsageError
        A link names a result that is not there.
    """
    there = {(c.result_id, name) for c in candidates for name in (c.sample_id, None)}
    named: list[tuple[str, str | None]] = [(result, None) for pair in links.pairs for result in pair]
    named += [(result, r.sample_id) for r in links.retests for result in (r.original, r.retest)]
    for result, sample in (pair for pair in named if pair not in there):
        raise links.missing(result, sample)
    counting = []
    aside: dict[Candidate, str] = {}
    contested: dict[Candidate, str] = {}
    later = set()
    for candidate in candidates:
        gone = _replaced(candidate, links)
        if gone is not None:
            aside[candidate] = gone
            continue
        counting.append(candidate)
        for link in links.retests:
            if link.assignable_cause is None and _of(candidate, link, link.original, link.retest):
                contested[candidate] = f"retest {link.retest} of {link.original}: {_why(link)}"
                if candidate.result_id == link.retest:
                    later.add(candidate)
    return Followed(counting, aside, contested, frozenset(later))


def _replaced(candidate: Candidate, links: Links) -> str | None:
    for retest in links.retests:
        if retest.assignable_cause is not None and _of(candidate, retest, retest.original):
            cause = f"assignable cause: {retest.assignable_cause}"
            return f"{retest.original} retested as {retest.retest}: {_why(retest)}; {cause}"
    for change in links.changes:
        if candidate.result_id == change.before:
            return f"{change.before} evaluated anew as {change.after}: {_why(change)}"
    return None


def _of(candidate: Candidate, link: Retest, *results: str) -> bool:
    return candidate.result_id in results and link.sample_id in (None, candidate.sample_id)


def _why(link: Retest | Change) -> str:
    return f"{link.reason} ({link.actor})"
