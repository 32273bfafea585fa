"""Settings of the techniques: one base, dotted paths, errors that name the nearest key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator

from aavqc.documents import Document
from aavqc.errors import UsageError, nearest, quoted
from aavqc.quantities import match_number

AnySettings = TypeVar("AnySettings", bound=BaseModel)

Include = Callable[[dict[str, Any], Path], None]
"""Puts the content of a file among nested settings."""


class Settings(Document):
    """Settings that every technique knows; each technique adds its own.

    ``documents`` are settings that name a file, each with what puts its content in the place of its path,
    so that a result holds it.
    """

    documents: ClassVar[Mapping[str, Include]] = {}

    seed: int = Field(0, ge=0)
    coverage: float = Field(0.95, ge=0.5, le=0.9999, description="of every interval")
    serotype: str | None = None
    design_length: float | None = Field(
        None, ge=100, le=100_000, description="nt packaged by design, ITR to ITR"
    )
    genome_form: Literal["ss", "sc"] = "ss"
    class_bounds: Annotated[list[float], Field(min_length=3, max_length=3)] = Field(
        [0.10, 0.85, 1.10],
        description="fractions of design_length that part empty | partial | full | overfull",
    )
    dilution_factor: float | None = Field(None, ge=1e-6, le=1e15)
    regulated: bool = False

    @field_validator("class_bounds")
    @classmethod
    def _ascending(cls, bounds: list[float]) -> list[float]:
        if not 0 < bounds[0] < bounds[1] < bounds[2]:
            raise ValueError("three ascending fractions above 0")
        return bounds


def build(cls: type[AnySettings], *layers: Mapping[str, Any]) -> AnySettings:
    """Build settings from layers; a later layer wins.

    Parameters
    ----------
    cls : type of Settings
    *layers : mapping
        Nested tables or dotted keys; values typed or as text (``"0.1,15"`` for lists). Those of
        ``cls.documents`` are paths of documents, from the working directory.

    Raises
    ------
    InputError, SpecificationError
        A document that can't be read, or is another.
    UsageError
        An unknown key, with the nearest names; a value that its field can't take.

    Examples
    --------
    >>> build(Settings, {"design_length": 4700}, {"class_bounds": "0.1,0.8,1.2"}).class_bounds
    [0.1, 0.8, 1.2]
    """
    data: dict[str, Any] = {}
    documents: Mapping[str, Include] = getattr(cls, "documents", {})
    for layer in layers:
        leaves = [(".".join(path), value) for path, value in _leaves(layer, ())]
        # what a layer states itself wins over the document that it names
        for name, file in leaves:
            if name in documents:
                if not str(file).strip():
                    raise UsageError(f"setting {name}", expected="the path of a file", found="nothing")
                documents[name](data, Path(str(file)))
        for name, value in leaves:
            if name not in documents:
                _put(data, cls, name, value)
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(p) for p in first["loc"]) or "combination"
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"setting {where}",
            expected=message[0].lower() + message[1:],
            found=quoted(first["input"]),
        ) from error


def names(cls: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all settings; ``<key>`` stands for a free key."""
    found = list(getattr(cls, "documents", ()))
    for name, field in cls.model_fields.items():
        inner = _model(field.annotation)
        if inner is not None:
            found += names(inner, f"{prefix}{name}.")
        elif get_origin(field.annotation) is dict:
            found.append(f"{prefix}{name}.<key>")
        else:
            found.append(prefix + name)
    return found


def _leaves(layer: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in layer.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*path, str(key)))
        else:
            yield (*path, str(key)), value


def _put(data: dict[str, Any], cls: type[BaseModel], path: str, value: Any) -> None:
    """Set one dotted path in nested data, by the model's own shape."""
    model, table, rest = cls, data, path
    while True:
        name, _, rest = rest.partition(".")
        field = model.model_fields.get(name)
        if field is None:
            raise UsageError(f"unknown setting {path!r}", hint=nearest(path, [n for n in names(cls)]))
        inner = _model(field.annotation)
        if path.endswith("."):
            raise UsageError(f"unknown setting {path!r}", hint=nearest(path.rstrip("."), names(cls)))
        if inner is not None and rest:
            model, table = inner, table.setdefault(name, {})
            continue
        if get_origin(field.annotation) is dict and rest:
            table.setdefault(name, {})[rest] = _typed(value, get_args(field.annotation)[1])
        elif rest or inner is not None or get_origin(field.annotation) is dict:
            raise UsageError(f"unknown setting {path!r}", hint=nearest(path, names(cls)))
        else:
            table[name] = _typed(value, field.annotation)
        return


def _typed(value: Any, annotation: Any) -> Any:
    """Turn text into what pydantic's lax mode can't: lists from commas, none, numbers as people write."""
    if not isinstance(value, str):
        return list(value) if isinstance(value, Sequence) else value
    options = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    options = tuple(get_args(o)[0] if get_origin(o) is Annotated else o for o in options)
    if type(None) in options and value.strip().lower() in ("", "none"):
        return None
    if any(get_origin(option) is list or option is list for option in options):
        return [part.strip() for part in value.split(",") if part.strip()]
    return written_number(value.strip()) if float in options else value.strip()


def written_number(text: str) -> str:
    """Return a number written in any way of the one grammar as ``float`` reads it; other text as it is.

    Examples
    --------
    >>> float(written_number("1.0 × 10⁷")), written_number("1,5")
    (10000000.0, '1,5')
    """
    try:
        number, rest = match_number(text)
    except UsageError:
        return text
    return text if rest else str(number.value)


def _model(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None
