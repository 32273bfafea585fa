"""Which specification was in force: by date, among the versions of one product and market."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

from aavqc.errors import SpecificationError
from aavqc.results.specification import Specification

Family = tuple[str | None, ...]
"""Product, stage, market, presentation and purpose: one specification of each is in force at a time."""


def select(
    specifications: Iterable[Specification], *, tested: date | None = None, manufactured: date | None = None
) -> list[Specification]:
    """Return the specification of every family that was in force, in the order of families.

    A family is a product, stage, market, presentation and purpose. Of its versions one counts
    on each day, approved or superseded since; drafts never do. Both dates of a version are
    included.

    Parameters
    ----------
    specifications : iterable of Specification
    tested, manufactured : date, optional
        Of the lot; each specification says by ``effective_by`` which of them it goes by.

    Raises
    ------
    SpecificationError
        Two versions of a family overlap, there is a gap between two, or none was in force.

    Examples
    --------
    >>> test = {"id": "full", "attribute": "percent_full", "limit": "NLT 70.0 %"}
    >>> old = Specification(id="EX", version="1", status="superseded", tests=[test],
    ...                     effective_to=date(2026, 5, 31))
    >>> new = Specification(id="EX", version="2", status="approved", tests=[test],
    ...                     effective_from=date(2026, 6, 1))
    >>> [s.version for s in select([new, old], tested=date(2026, 5, 31))]
    ['1']
    """
    families: dict[Family, list[Specification]] = {}
    for specification in specifications:
        if specification.status != "draft":
            families.setdefault(_family(specification), []).append(specification)
    if not families:
        raise SpecificationError("no specification was ever in force", expected="one that is approved")
    ordered = sorted(families.items(), key=lambda item: tuple(name or "" for name in item[0]))
    return [_in_force(_timeline(versions), tested, manufactured) for _, versions in ordered]


def _family(s: Specification) -> Family:
    return (s.product, s.stage, s.market, s.presentation, s.purpose)


def _timeline(versions: list[Specification]) -> list[Specification]:
    """Return the versions in the order of their dates; each begins the day after the last."""
    ordered = sorted(versions, key=lambda s: (s.effective_from or date.min, s.effective_to or date.max))
    for earlier, later in pairwise(ordered):
        pair = f"{_name(earlier)} and {_name(later)}"
        if earlier.effective_by != later.effective_by:
            raise SpecificationError(
                f"{pair} go by different dates", expected="one effective_by a product and market"
            )
        if (
            earlier.effective_to is None
            or later.effective_from is None
            or (later.effective_from <= earlier.effective_to)
        ):
            raise SpecificationError(
                f"{pair} overlap",
                expected="each to end before the next begins",
                found=f"to {earlier.effective_to or 'no end'}, from {later.effective_from or 'no beginning'}",
            )
        if later.effective_from > earlier.effective_to + timedelta(days=1):
            raise SpecificationError(
                f"a gap between {pair}",
                expected=f"from {earlier.effective_to + timedelta(days=1)}",
                found=f"from {later.effective_from}",
            )
    return ordered


def _in_force(timeline: list[Specification], tested: date | None, manufactured: date | None) -> Specification:
    by = timeline[0].effective_by
    day = tested if by == "test" else manufactured
    if day is None:
        raise SpecificationError(f"{_name(timeline[0])} goes by the date of {by}", expected="that date")
    day = date(day.year, day.month, day.day)  # a datetime does not compare with a date
    for version in timeline:
        if (version.effective_from or date.min) <= day <= (version.effective_to or date.max):
            return version
    first, last = timeline[0], timeline[-1]
    raise SpecificationError(
        f"no version of {first.id} was in force on {day}",
        expected=f"a day from {first.effective_from or 'the beginning'} to {last.effective_to or 'any'}",
    )


def _name(s: Specification) -> str:
    return f"{s.id} version {s.version}"
