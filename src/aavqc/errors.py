"""The errors of the library: bad input is told apart from a bug.

Everything that a user can cause is an :class:`AavqcError`; any other exception
that leaves the library is a bug and ends the command line with exit code 70.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

EXIT_OK = 0
EXIT_OOS = 1
EXIT_USAGE = 2
EXIT_INPUT = 3
EXIT_INVALID = 4
EXIT_INCOMPLETE = 5
EXIT_VERIFY = 6
EXIT_BUG = 70
EXIT_INTERRUPTED = 130

SEVERITY = (EXIT_BUG, EXIT_USAGE, EXIT_VERIFY, EXIT_OOS, EXIT_INVALID, EXIT_INPUT, EXIT_INCOMPLETE)
"""Which exit code wins when several apply: an unreadable file never hides an OOS."""


def worst_exit(codes: set[int]) -> int:
    """Return the exit code that stands for several.

    Examples
    --------
    >>> worst_exit({0, 3, 1})
    1
    """
    return next((code for code in SEVERITY if code in codes), EXIT_OK)


class AavqcError(Exception):
    """Base of all errors that a user can cause and mend.

    Parameters
    ----------
    message : str
        One sentence that says what is wrong.
    file : str, optional
        Name of the file, relative to the path that the user gave.
    line, column : int, optional
        Where in the file, counted from 1.
    expected, found : str, optional
        What should have been there, and what was.
    hint : str, optional
        What the user can do about it.

    Examples
    --------
    >>> str(InputError("not a number", file="a.RA1", line=3, expected="a radius", found="'x'"))
    "a.RA1, line 3: not a number: expected a radius, found 'x'"
    """

    exit_code: ClassVar[int] = EXIT_BUG

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.expected = expected
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        where = [self.file] if self.file else []
        if self.line is not None:
            where.append(f"line {self.line}")
        if self.column is not None:
            where.append(f"column {self.column}")
        text = f"{', '.join(where)}: {self.message}" if where else self.message
        found = [f"expected {self.expected}"] if self.expected else []
        if self.found:
            found.append(f"found {self.found}")
        if found:
            text += ": " + ", ".join(found)
        return f"{text} ({self.hint})" if self.hint else text

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the details: errors travel back from worker processes."""
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))

    def in_file(self, name: str) -> AavqcError:
        """Name the file where the raiser did not know it."""
        if self.file is None:
            self.file = name
        return self

    def document(self) -> dict[str, Any]:
        """Return the ``aavqc.error/1`` document of the contract."""
        details = {key: getattr(self, key) for key in _DETAILS}
        return error_document(self.exit_code, type(self).__name__, self.message, details)


_DETAILS = ("file", "line", "column", "expected", "found", "hint")


def error_document(
    exit_code: int, code: str, message: str, details: Mapping[str, object] | None = None
) -> dict[str, Any]:
    """Return an ``aavqc.error/1`` document with every key of the contract, null where nothing is known."""
    known = {"exit": exit_code, "code": code, "message": message}
    return {"schema": "aavqc.error/1", "error": known | dict.fromkeys(_DETAILS) | dict(details or {})}


def _rebuild(cls: type[AavqcError], message: str, state: dict[str, Any]) -> AavqcError:
    error = cls(message)
    error.__dict__.update(state)
    return error


class UsageError(AavqcError):
    """The call is wrong: an unknown setting, a bad value, a missing option (exit 2)."""

    exit_code = EXIT_USAGE


class SeveralRecords(UsageError):
    """``read`` was asked for one record where the path holds several."""


class UnitError(UsageError):
    """A unit is unknown, or two units do not measure the same thing."""


class SpecificationError(UsageError):
    """A specification, method or sample sheet can't be used as written."""


@contextmanager
def under(key: str, separator: str = ": ") -> Iterator[None]:
    """Put the key of a specification before the message of what can't be used there."""
    try:
        yield
    except AavqcError as error:
        raise SpecificationError(
            f"{key}{separator}{error.message}", expected=error.expected, found=error.found, hint=error.hint
        ) from error


class InputError(AavqcError):
    """A file can't be read as what it should be (exit 3)."""

    exit_code = EXIT_INPUT


class AssayError(AavqcError):
    """The data are readable but no number can be had from them (exit 4)."""

    exit_code = EXIT_INVALID


class VerificationError(AavqcError):
    """What was written is not what is there now, or not what comes out again (exit 6)."""

    exit_code = EXIT_VERIFY


def clipped(text: str) -> str:
    """Return a text that an error quotes, not too long."""
    return text if len(text) < 80 else f"{text[:77]}…"


def quoted(value: object) -> str:
    """Return how an error shows a value."""
    try:
        return clipped(repr(value))
    except (ValueError, RecursionError):  # an integer of thousands of digits, an endless nesting
        return f"a {type(value).__name__} too large to show"


def nearest(word: str, known: list[str]) -> str:
    """Say which known names come nearest to a word, for a hint.

    Examples
    --------
    >>> nearest("menisus", ["meniscus", "bottom"])
    'did you mean meniscus?'
    """
    from difflib import get_close_matches

    close = get_close_matches(word, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else f"one of: {', '.join(sorted(known))}"
