"""Read JSON and TOML with errors that name the line; write files whole or not at all."""

from __future__ import annotations

import json
import math
import os
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from aavqc.errors import AavqcError, InputError, SpecificationError, UsageError

Model = TypeVar("Model", bound=BaseModel)

MAX_DEPTH = 32
"""Tables within tables of a TOML file; those of the library have four."""


def read_text(path: Path, name: str | None = None) -> str:
    """Read a UTF-8 text file; any failure is an :class:`InputError` that names the file."""
    return decode(read_bytes(path, name), name or path.name)


def read_bytes(path: Path, name: str | None = None) -> bytes:
    """Read a file; any failure is an :class:`InputError` that names the file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"can't be read ({error.strerror})", file=name or str(path)) from error


def decode(data: bytes, name: str) -> str:
    """Decode UTF-8 (with or without byte-order mark); anything else is an error.

    Examples
    --------
    >>> decode(b"a;b", "x.csv")
    'a;b'
    """
    if is_utf16(data):
        raise utf16_error(name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "wrong encoding",
            file=name,
            line=data[: error.start].count(b"\n") + 1,
            expected="UTF-8 text",
            found=f"byte 0x{data[error.start]:02X}",
        ) from error


def is_utf16(data: bytes) -> bool:
    """Tell UTF-16 by its byte-order mark."""
    return data[:2] in (b"\xff\xfe", b"\xfe\xff")


def utf16_error(name: str) -> InputError:
    """Return the error for a file in UTF-16."""
    return InputError(
        "wrong encoding",
        file=name,
        line=1,
        expected="UTF-8 text",
        found="UTF-16 (byte-order mark)",
        hint="export or save it again as UTF-8",
    )


def read_json(path: Path, model: type[Model]) -> Model:
    """Read a JSON file into a document model."""
    text = read_text(path)
    try:
        data = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except json.JSONDecodeError as error:
        raise InputError(
            "no valid JSON", file=path.name, line=error.lineno, column=error.colno, found=error.msg
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError("no usable JSON", file=path.name, found=str(error)[:80]) from error
    return validate(model, data, path.name, InputError)


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]} is out of range")
    return value


def read_toml(path: Path) -> tuple[dict[str, Any], str]:
    """Read a TOML file; returns its content and its text (to find lines in)."""
    text = read_text(path)
    try:
        data = tomllib.loads(text)
        _refuse_depth(data)
        json.dumps(data, default=str, allow_nan=False)  # no infinity, no integer of thousands of digits
        return data, text
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        raise SpecificationError(
            "no valid TOML",
            file=path.name,
            line=int(at[1]) if at else None,
            column=int(at[2]) if at else None,
            found=str(error).split(" (at")[0],
        ) from error
    except (ValueError, RecursionError) as error:  # an endless number, an endless nesting
        raise SpecificationError("no usable TOML", file=path.name, found=str(error)[:80]) from error


def _refuse_depth(data: dict[str, Any]) -> None:
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        level = [
            value
            for table in level
            for value in (table.values() if isinstance(table, dict) else table)
            if isinstance(value, (dict, list))
        ]
    if level:
        raise ValueError(f"tables within tables, more than {MAX_DEPTH} deep")


def validate(model: type[Model], data: Any, name: str, kind: type[AavqcError], text: str = "") -> Model:
    """Validate data against a model; the first problem becomes an error of ours."""
    try:
        return model.model_validate(data)
    except UsageError as error:  # a value that its own type refuses, such as a unit
        raise kind(error.message, file=name, expected=error.expected, found=error.found) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        found = "nothing" if first["type"] == "missing" else _shown(first["input"])
        raise kind(
            where or "the document",
            file=name,
            line=line_of(text, first["loc"]),
            expected=_expected(first["msg"], model if first["type"] == "extra_forbidden" else None),
            found=found if len(found) < 80 else found[:77] + "…",
        ) from error


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, an endless nesting
        return f"a {type(value).__name__} too large to show"


def _expected(message: str, model: type[BaseModel] | None) -> str:
    if model is not None:
        return "no such key"
    return message[0].lower() + message[1:]


def line_of(text: str, location: tuple[int | str, ...]) -> int | None:
    """Find the line of a key in TOML text: the n-th table of an array, then the key in it.

    Examples
    --------
    >>> line_of("[[tests]]\\nid = 'a'\\n[[tests]]\\nid = 'b'", ("tests", 1, "id"))
    4
    """
    lines = text.splitlines()
    start = 0
    for part, following in zip(location, (*location[1:], None), strict=False):
        if isinstance(part, int):
            continue
        if isinstance(following, int):
            heads = [i for i, row in enumerate(lines) if row.strip() == f"[[{part}]]"]
            if following < len(heads):
                start = heads[following]
            continue
        key = re.compile(rf"\s*(?:\[+\s*)?[\"']?{re.escape(str(part))}[\"']?\s*[=.\]]")
        for i in range(start, len(lines)):
            if i > start and lines[i].startswith("[[") and any(isinstance(p, int) for p in location):
                break
            if key.match(lines[i]):
                return i + 1
    return start + 1 if lines and start else None


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a temporary name, fsync, rename.

    Raises
    ------
    UsageError
        The place can't be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"can't be written ({error.strerror})", file=str(path)) from error
