"""Read JSON and TOML with errors that name the line; write CSV, and files whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from aavqc.errors import AavqcError, InputError, SpecificationError, UsageError, clipped, nearest, quoted

Model = TypeVar("Model", bound=BaseModel)

SYNCED_AT_ONCE = 16
"""Files that are synced to disk at the same time, where several are written."""

MAX_DEPTH = 32
"""Tables within tables of a TOML file; those of the library have four."""


def read_text(path: Path) -> str:
    """Read a UTF-8 text file; any failure is an :class:`InputError` that names the file."""
    return decode(read_bytes(path), path.name)


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
    return validate(model, parse_json(read_text(path), path.name, InputError), path.name, InputError)


def parse_json(text: str, name: str, kind: type[AavqcError]) -> Any:
    """Return the content of JSON text; a key twice, no finite number, no text are errors."""
    try:
        data = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_refuse_twice
        )
        json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except json.JSONDecodeError as error:
        raise kind(
            "no valid JSON", file=name, line=error.lineno, column=error.colno, found=error.msg
        ) from error
    except (ValueError, RecursionError) as error:
        raise kind("no usable JSON", file=name, found=str(error)[:80]) from error
    return data


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"the key {key[:40]!r} stands twice in one object")
        table[key] = value
    return table


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
        found = str(error).split(" (at")[0]
        unclosed = "Illegal character '\\n'" in found or found.startswith("Unterminated")
        raise SpecificationError(
            "no valid TOML",
            file=path.name,
            line=int(at[1]) if at else None,
            column=int(at[2]) if at else None,
            found="a quote that is not closed" if unclosed else found,
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


def validate(
    model: type[Model], data: Any, name: str, kind: type[AavqcError], text: str = "", line: int | None = None
) -> Model:
    """Validate data against a model; the first problem becomes an error of ours.

    Its line is the one that is given, else it is looked for in the text.
    """
    try:
        return model.model_validate(data)
    except UsageError as error:  # a value that its own type refuses, such as a unit
        raise kind(error.message, file=name, line=line, expected=error.expected, found=error.found) from error
    except ValidationError as error:
        # a key that is missing is often one that is written otherwise: that one comes first
        first = min(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        where = ".".join(clipped(str(part)) for part in first["loc"])
        found = "nothing" if first["type"] == "missing" else quoted(first["input"])
        unknown = first["type"] == "extra_forbidden"
        raise kind(
            where or "the document",
            file=name,
            line=line_of(text, first["loc"]) if line is None else line,
            expected="no such key" if unknown else first["msg"][0].lower() + first["msg"][1:],
            found=found,
            hint=nearest(str(first["loc"][-1])[:40], _keys(model, first["loc"][:-1])) if unknown else None,
        ) from error


def _keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys of the table at a location of a model."""
    for part in location:
        if isinstance(part, str):
            field = {f.alias or name: f for name, f in model.model_fields.items()}.get(part)
            model = next(_models(field.annotation), model) if field is not None else model
    return [f.alias or name for name, f in model.model_fields.items()]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models within an annotation such as ``tuple[Model, ...]`` or ``Model | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def line_of(text: str, location: tuple[int | str, ...]) -> int | None:
    """Find the line of a key in TOML or JSON text, else that of the table that should hold it.

    Examples
    --------
    >>> line_of("[[tests]]\\nid = 'a'\\n[[tests]]\\nid = 'b'", ("tests", 1, "id"))
    4
    >>> line_of("[[tests]]\\nn = 1\\n[[tests.stages]]\\nn = 2", ("tests", 0, "stages", 0, "n"))
    4
    >>> line_of('{"tests": [{"id": "a"},\\n{"id": "b"}]}', ("tests", 1, "id"))
    2
    >>> line_of("[settings]\\nserotype = 'AAV2'\\nseed = 1", ("settings", "seed"))
    3
    """
    return _json_line(text, location) if text.lstrip()[:1] == "{" else _toml_line(text, location)


def _json_line(text: str, location: tuple[int | str, ...]) -> int:
    """Follow the brackets of valid JSON; the deepest part of the location that is met counts."""
    path: list[int | str] = []
    best, line = 0, 1
    for token in _JSON_TOKEN.finditer(text):
        word = token[0]
        if word == ":":
            continue
        if word in "]}":
            path.pop()
            continue
        if word == ",":
            if isinstance(path[-1], int):
                path[-1] += 1
            continue
        if token["key"] is not None:
            path[-1] = json.loads(token["key"])
        if len(path) > best and tuple(path) == location[: len(path)]:
            best, line = len(path), text.count("\n", 0, token.start()) + 1
        if word in "[{":
            path.append(0 if word == "[" else "")
    return line


_JSON_TOKEN = re.compile(
    r"""(?P<key>"(?:\\.|[^"\\])*")(?=\s*:)|"(?:\\.|[^"\\])*"|[{}\[\]:,]|[^\s{}\[\]:,"]+"""
)


def _toml_line(text: str, location: tuple[int | str, ...]) -> int | None:
    lines = text.splitlines()
    start, table = 0, ""
    for part, following in zip(location, (*location[1:], None), strict=False):
        if isinstance(part, int):
            continue
        table = f"{table}.{part}".lstrip(".")
        if isinstance(following, int):
            heads = [i for i in range(start, len(lines)) if lines[i].strip() == f"[[{table}]]"]
            if following < len(heads):
                start = heads[following]
                continue
        for i in range(start, len(lines)):
            if i > start and lines[i].startswith("[[") and any(isinstance(p, int) for p in location):
                break
            if _begins_with_key(lines[i], str(part)):
                return _key_below(lines, i, following) + 1
    return start + 1 if lines and start else None


def _key_below(lines: list[str], i: int, key: int | str | None) -> int:
    """Return where a key of the table that opens at ``i`` stands, else ``i``."""
    if isinstance(key, str) and lines[i].lstrip().startswith("["):
        for below in range(i + 1, len(lines)):
            if lines[below].lstrip().startswith("["):
                break
            if _begins_with_key(lines[below], key):
                return below
    return i


def _begins_with_key(line: str, key: str) -> bool:
    """Tell whether a line of TOML sets a key or opens its table; a pattern of a long key takes seconds."""
    rest = line.lstrip().lstrip("[").lstrip()
    rest = rest[1:] if rest[:1] in ("'", '"') else rest
    if not rest.startswith(key):
        return False
    rest = rest[len(key) :]
    rest = rest[1:] if rest[:1] in ("'", '"') else rest
    return rest.lstrip()[:1] in ("=", ".", "]")


FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
"""What a spreadsheet takes for the start of a formula, in any of its languages."""

NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?( [^\s=+@()|!]+)?")
"""A number as verdicts write it, with its unit: as text, for its digits count."""


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return rows as CSV text: comma, LF, floats in their shortest exact form."""
    return csv_line(columns) + "".join(csv_line([row.get(c) for c in columns]) for row in rows)


def csv_line(values: Iterable[object]) -> str:
    """Return one line of CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow([_cell(value) for value in values])
    return stream.getvalue()


def _cell(value: object) -> str:
    """Text of a cell; text that a spreadsheet would take for a formula is defused."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in FORMULA and not NUMBER.fullmatch(value) else value
    return repr(value) if isinstance(value, float) else str(value)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a temporary name, fsync, rename.

    Raises
    ------
    UsageError
        The place can't be written to.
    """
    try:
        _write(path, data)
    except OSError as error:
        raise _unwritable(path, error) from error


def write_together(files: Mapping[Path, bytes]) -> dict[Path, UsageError]:
    """Write several files, each whole or not at all; return the errors of those that were not.

    A disk that is told to sync many files at once does it in little more than the time of one.
    """
    if not files:
        return {}
    with ThreadPoolExecutor(min(len(files), SYNCED_AT_ONCE)) as threads:
        written = {path: threads.submit(_write, path, data) for path, data in files.items()}
    failed = {}
    for path, done in written.items():
        try:
            done.result()
        except OSError as error:
            failed[path] = _unwritable(path, error)
    return failed


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
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


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"can't be written ({error.strerror})", file=str(path))
