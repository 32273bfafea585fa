"""Settings of the techniques: one base, dotted paths, errors that name the nearest key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError, field_validator

from aavqc.documents import Document, ResultDocument
from aavqc.errors import SpecificationError, UsageError, nearest, shown
from aavqc.quantities import match_number
from aavqc.sequences import read_genome, read_protein, weighed
from aavqc.textfiles import parse_json, read_text, read_toml, validate

AnySettings = TypeVar("AnySettings", bound=BaseModel)

CALIBRATION = "aavqc.calibration/1"
RESULT = "aavqc.result/1"


class Settings(Document):
    """Settings that every technique knows; each technique adds its own.

    ``calibration_document`` is what ``calibration.file`` holds where a technique has one of its own.
    """

    calibration_document: ClassVar[type[Document] | None] = None

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
        :data:`DOCUMENTS` are paths of documents, from the working directory.

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
    for layer in layers:
        leaves = [(".".join(path), value) for path, value in _leaves(layer, ())]
        # what a layer states itself wins over the document that it names
        for name, file in leaves:
            if name in DOCUMENTS:
                _include(data, cls, name, file)
        for name, value in leaves:
            if name not in DOCUMENTS:
                _put(data, cls, name, value)
    if "sequence" in data.get("capsid", {}):  # where its parts begin may stand in any layer
        data["capsid"] = weighed(data["capsid"])
    try:
        return cls.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(p) for p in first["loc"]) or "combination"
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"setting {where}",
            expected=message[0].lower() + message[1:],
            found=shown(first["input"]),
        ) from error


def names(cls: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all settings; ``<key>`` stands for a free key."""
    found = []
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


def _include(data: dict[str, Any], cls: type[BaseModel], name: str, file: Any) -> None:
    """Set what a document says, under the table that names it."""
    table, _, _ = name.rpartition(".")
    if table not in cls.model_fields:
        raise UsageError(f"unknown setting {name!r}", hint=nearest(name, names(cls)))
    DOCUMENTS[name](data, cls, Path(str(file)))


def _include_calibration(data: dict[str, Any], cls: type[BaseModel], path: Path) -> None:
    document = getattr(cls, "calibration_document", None)
    if document is not None:
        data["calibration"] = _whole_calibration(document, path)
        return
    content, _ = read_toml(path)
    schema = content.pop("schema", None)
    if schema != CALIBRATION:
        raise SpecificationError(
            "another document", file=path.name, expected=CALIBRATION, found=shown(schema)
        )
    for key, value in content.items():
        try:
            _put(data, cls, f"calibration.{key}", value)
        except UsageError as error:
            raise error.in_file(path.name) from None


def _whole_calibration(document: type[Document], path: Path) -> dict[str, Any]:
    """Return a calibration whose numbers belong together, from JSON where the name ends so, else TOML."""
    if path.suffix.lower() == ".json":
        text = read_text(path)
        data = parse_json(text, path.name, SpecificationError)
    else:
        data, text = read_toml(path)
    (expected,) = get_args(document.model_fields["schema_"].annotation)
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema == RESULT:
        data, text = _fitted_in(path), ""
        schema = data.get("schema")
    if schema != expected:
        hint = "of an analysis with standards, diagnostics.calibration.fitted is one"
        raise SpecificationError(
            "another document", file=path.name, expected=expected, found=shown(schema), hint=hint
        )
    found = validate(document, data, path.name, SpecificationError, text)
    return found.model_dump(mode="json", exclude={"schema_"})


def _fitted_in(path: Path) -> dict[str, Any]:
    """Return the one calibration that the samples of a result were fitted."""
    found = []
    for sample in ResultDocument.load(path).samples:
        calibration = sample.diagnostics.get("calibration")
        fitted = calibration.get("fitted") if isinstance(calibration, dict) else None
        if isinstance(fitted, dict):
            found.append(fitted)
    if len(found) != 1:
        raise SpecificationError(
            "a result without one calibration",
            file=path.name,
            expected="one sample with a calibration fitted to its standards",
            found=f"{len(found)} such samples",
        )
    return found[0]


def _include_protein(data: dict[str, Any], cls: type[BaseModel], path: Path) -> None:
    data.setdefault("capsid", {}).update(read_protein(path))


def _include_genome(data: dict[str, Any], cls: type[BaseModel], path: Path) -> None:
    data["genome"] = read_genome(path)


def _include_gates(data: dict[str, Any], cls: type[BaseModel], path: Path) -> None:
    """Set the gates that a result found, each with where its negatives lay."""
    gates: dict[str, tuple[Any, Any]] = {}
    for sample in ResultDocument.load(path).samples:
        targets = sample.diagnostics.get("targets")
        for target, found in targets.items() if isinstance(targets, dict) else ():
            gate = found.get("gate") if isinstance(found, dict) else None
            if not isinstance(gate, dict):
                continue
            told = gate.get("threshold"), gate.get("baseline")
            if gates.setdefault(target, told) != told:
                raise SpecificationError(
                    f"two gates of target {target!r}",
                    file=path.name,
                    expected="the result of one plate, a channel each target",
                    found=f"{gates[target][0]} and {told[0]}",
                )
    if not gates:
        raise SpecificationError(
            "a result without gates", file=path.name, expected="digital PCR with amplitudes on file"
        )
    thresholds, baselines = data.setdefault("gates", {}), data.setdefault("gate_baselines", {})
    for target, (threshold, baseline) in gates.items():
        thresholds[target] = threshold
        baselines.pop(target, None)
        if baseline is not None:
            baselines[target] = baseline


DOCUMENTS: dict[str, Callable[[dict[str, Any], type[BaseModel], Path], None]] = {
    "calibration.file": _include_calibration,
    "capsid.fasta": _include_protein,
    "genome.fasta": _include_genome,
    "gates.file": _include_gates,
}
"""Settings that name a file: its content takes their place, so that a result holds it."""


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
