"""What the text formats share: lines, the names of columns, and which column is what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from aavqc.errors import InputError


def split_lines(text: str) -> list[str]:
    """Split into lines, whatever their ends, without quotes; blank lines at the end go."""
    lines = text.replace('"', "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """Return a column's name in lower case, its ASCII letters and digits only.

    Examples
    --------
    >>> plain_name("Time of Birth"), plain_name("M/Z"), plain_name("Conc(copies/µL)")
    ('timeofbirth', 'mz', 'conccopiesl')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def columns_by_role(
    columns: Sequence[str], roles: Sequence[str | None], file: str, line: int
) -> dict[str, int]:
    """Return the index of the column of each role, in the file's order; None is a column not used.

    Raises
    ------
    InputError
        Two columns have the same role.
    """
    found: dict[str, int] = {}
    for i, role in enumerate(roles):
        if role in found:
            raise InputError(
                "two columns mean the same",
                file=file,
                line=line,
                expected=f"one column for {role}",
                found=f"{columns[found[role]]!r} and {columns[i]!r}",
            )
        if role is not None:
            found[role] = i
    return found
