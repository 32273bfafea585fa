"""The parts of the site that are made from code: formats, settings, public names, figures."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from importlib import import_module
from inspect import isclass, isfunction
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import concept_figures
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from aavqc.parsers import formats
from aavqc.settings import Settings

TECHNIQUES = {"auc": "AUC", "cdms": "CDMS", "ddpcr": "digital PCR"}
PUBLIC = ("aavqc", "aavqc.batch", "aavqc.results", "aavqc.records", "aavqc.attributes", "aavqc.store")


def write_pages(docs: Path) -> None:
    """Write every generated part to ``docs/_generated``; files that are equal stay untouched."""
    folder = docs / "_generated"
    folder.mkdir(exist_ok=True)
    parts = {"formats.md": formats_table(), "api.md": api(PUBLIC)}
    parts |= {f"settings-{name}.md": settings_table(name) for name in TECHNIQUES}
    for name, text in parts.items():
        _put(folder / name, text.encode())
    for name, svg in concept_figures.all_figures().items():
        _put(folder / f"{name}.svg", svg)


def formats_table() -> str:
    """Return what ``aavqc formats`` knows as a table for each technique."""
    lines = []
    for technique, title in TECHNIQUES.items():
        lines += [f"## {title}", "", "| format | maker | endings | what is read | what is left | support |"]
        lines.append("|---|---|---|---|---|---|")
        for known in formats():
            if known.technique == technique:
                endings = ", ".join(f"`{e}`" for e in known.extensions) or "by name and content"
                cells = [f"**{known.title}** (`{known.name}`)", known.vendor, endings]
                lines.append(_row(*cells, known.reads, known.unread or "–", known.support))
        lines.append("")
    return "\n".join(lines)


def settings_table(technique: str) -> str:
    """Return the settings of a technique: key, type, default, description."""
    model: type[Settings] = import_module(f"aavqc.{technique}.settings").TechniqueSettings
    lines = ["| key | takes | default | |", "|---|---|---|---|"]
    for key, include in model.documents.items():
        lines.append(_row(f"`{key}`", "path", "–", (include.__doc__ or "").splitlines()[0]))
    for key, field in _fields(model, ""):
        default = field.get_default(call_default_factory=True)
        shown = "–" if default is None or default in ({}, []) else f"`{_text(default)}`"
        lines.append(_row(f"`{key}`", _takes(field.annotation), shown, field.description or ""))
    return "\n".join(lines) + "\n"


def api(modules: tuple[str, ...]) -> str:
    """Return directives that document every public name once, under its shortest path."""
    lines, seen = [], set()
    for module_name in modules:
        module = import_module(module_name)
        lines += [f"## {module_name}", ""]
        for name in getattr(module, "__all__", None) or _defined(module):
            thing = getattr(module, name)
            kind = "autoclass" if isclass(thing) else "autofunction" if isfunction(thing) else None
            if kind is None or id(thing) in seen:
                continue
            seen.add(id(thing))
            lines += ["```{eval-rst}", f".. {kind}:: {module_name}.{name}"]
            # of documents the fields are in the JSON Schemas: here, what can be called
            lines += ["   :members:"] if kind == "autoclass" else []
            lines += ["   :exclude-members: model_config, model_fields"] if _is_model(thing) else []
            lines += ["```", ""]
    return "\n".join(lines)


def _defined(module: Any) -> list[str]:
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and getattr(thing, "__module__", None) == module.__name__
        and (isclass(thing) or isfunction(thing))
    ]


def _fields(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    alone = getattr(model, "alone", model.model_fields)
    for name, field in model.model_fields.items():
        if name not in alone:
            continue
        if _is_model(field.annotation):
            yield from _fields(field.annotation, f"{prefix}{name}.")
        elif get_origin(field.annotation) is dict:
            yield f"{prefix}{name}.<name>", field
        else:
            yield prefix + name, field


def _is_model(thing: Any) -> bool:
    return isclass(thing) and issubclass(thing, BaseModel)


_WORDS = {float: "number", int: "whole number", bool: "true or false", str: "text", datetime.date: "date"}


def _takes(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is Annotated:
        return _takes(inner[0])
    if origin in (Union, UnionType):
        return " or ".join(_takes(a) for a in inner if a is not type(None))
    if origin is list:
        return f"list of {_takes(inner[0])}"
    if origin is dict:
        return _takes(inner[1])
    return _WORDS.get(annotation, "text")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _put(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)
