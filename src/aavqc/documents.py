"""Pydantic models of all that the library writes or reads as a document.

One function, :func:`canonical`, makes the bytes that are hashed and compared.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from aavqc.attributes import Attribute, AttributeList, AttributeSet, Technique
from aavqc.errors import InputError
from aavqc.notebook import html_table
from aavqc.records import InputFile
from aavqc.textfiles import read_json, write_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray


T = TypeVar("T")
Many = Annotated[list[T], Field(fail_fast=True)]
"""A list of which the first wrong item is reported: to gather 300,000 errors takes seconds."""


def canonical(payload: Any) -> bytes:
    """Return the canonical bytes of a payload: what is hashed, stored and compared.

    Parameters
    ----------
    payload : pydantic model, or plain dicts, lists, text and numbers
        Floats must be finite.

    Examples
    --------
    >>> canonical({"b": 1, "a": [0.1, None]})
    b'{"a":[0.1,null],"b":1}'
    """
    if isinstance(payload, BaseModel):
        payload = payload.model_dump(mode="json", by_alias=True)
    return json.dumps(
        payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key that puts S2 before S10.

    Examples
    --------
    >>> sorted(["S10", "S2"], key=natural)
    ['S2', 'S10']
    """
    parts = re.split(r"([0-9]+)", text)
    return tuple((0, int(p)) if p.isdecimal() else (1, p) for p in parts if p)


def digest(payload: Any) -> str:
    """Return the SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical(payload)).hexdigest()


def generator(seed: int, inputs: Iterable[InputFile]) -> np.random.Generator:
    """Return the random generator of a record: a function of the seed and the input bytes."""
    content = hashlib.sha256("".join(sorted(i.sha256 for i in inputs)).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence([seed, int.from_bytes(content)]))


class Document(BaseModel):
    """Base of all documents: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)


# ---------------------------------------------------------------- methods


class Method(Document):
    """A named, versioned set of analysis settings (``aavqc.method/1``)."""

    schema_: Literal["aavqc.method/1"] = Field("aavqc.method/1", alias="schema")
    name: str
    version: str
    technique: Technique
    status: Literal["draft", "approved"] = "draft"
    description: str = ""
    settings: dict[str, Any] = {}


# ---------------------------------------------------------------- sample sheet

Role = Literal[
    "sample",
    "reference",
    "positive_control",
    "ntc",
    "blank",
    "linear_control",
    "spike",
    "no_dnase",
]


class SheetRow(Document):
    """One row of the sample sheet: a record or a part of a plate (``aavqc.samples/1``)."""

    export: str = Field(min_length=1)
    part: str = ""
    lot: str = Field(min_length=1)
    sample_id: str = Field(min_length=1)
    container: str | None = None
    role: Role = "sample"
    preparation: str | None = None
    replicate: str | None = None
    dilution_factor: float | None = Field(None, ge=1e-6, le=1e15)
    dilution_rel_sd: float | None = Field(None, ge=0, le=1)
    method: str | None = None
    specification: str | None = None
    settings: dict[str, str] = Field({}, description="columns named like a setting")
    other: dict[str, str] = Field({}, description="columns that are passed on")
    line: int = 0

    @property
    def wells(self) -> tuple[str, ...]:
        """Wells that ``part`` names, empty for a whole record or a cell."""
        return () if self.part.startswith("cell") else tuple(filter(None, self.part.split(";")))


# ---------------------------------------------------------------- results


class Flag(Document):
    """Something about a sample that a reviewer must know."""

    id: str
    severity: Literal["info", "warning", "invalid"]
    message: str
    value: float | None = None
    limit: float | None = None


class PartUsed(Document):
    """What the sample sheet said of the record, or of a part of it."""

    part: str
    lot: str
    sample_id: str
    container: str | None
    role: Role
    preparation: str | None
    replicate: str | None
    dilution_factor: float | None
    dilution_rel_sd: float | None
    settings: dict[str, str]
    other: dict[str, str]


class MethodUsed(Document):
    """The method as applied: settings after defaults, and the sample sheet's rows."""

    name: str
    version: str
    technique: Technique
    settings: dict[str, Any]
    parts: Many[PartUsed] = []


class Sample(Document):
    """All that one analysis says about one sample."""

    sample_id: str
    record: str
    lot: str | None = None
    role: Role = "sample"
    preparation: str | None = None
    replicate: str | None = None
    status: Literal["valid", "invalid"] = "valid"
    attributes: Annotated[Many[Attribute], AfterValidator(AttributeList)] = Field([], validate_default=True)
    diagnostics: dict[str, Any] = {}
    flags: Many[Flag] = []
    warnings: Many[str] = []

    @property
    def attribute_set(self) -> AttributeSet:
        """The attributes by key."""
        return AttributeSet(self.attributes)


class Well(Document):
    """One well and target of a plate, as analysed; what can't be had is null, never 0.

    ``linked_per_ul`` counts molecules that bear the target and that of the channel it is paired
    with; ``undiluted_per_ml`` is the concentration in the sample before its dilution chain.
    """

    well: str
    channel: str | None
    target: str
    sample_id: str
    accepted: int | None
    positives: int | None
    negatives: int | None
    threshold: float | None
    copies_per_ul: float | None
    ci_low: float | None
    ci_high: float | None
    partition_volume_nl: float | None
    partition_volume_source: str
    calls: Literal["vendor", "own"] | None
    positives_vendor: int | None
    positives_own: int | None
    merged_from: Many[str]
    status: str | None
    linked_per_ul: float | None = None
    undiluted_per_ml: float | None = None


class Payload(Document):
    """The part of a result that is a function of the input bytes and the method alone."""

    technique: Technique
    inputs: Many[InputFile]
    method: MethodUsed
    algorithms: Many[str]
    samples: Many[Sample]
    wells: Many[Well] | None = None

    def _repr_html_(self) -> str:
        """Return the attributes of all samples as a table, flags and warnings below."""
        rows, notes = [], []
        for sample in self.samples:
            named = (sample.sample_id, sample.status)
            rows += [(*named, a.key, str(a).removeprefix(f"{a.key} ")) for a in sample.attributes]
            notes += [f"{sample.sample_id}: {flag.severity}: {flag.message}" for flag in sample.flags]
            notes += [f"{sample.sample_id}: {warning}" for warning in sample.warnings]
        caption = f"{self.technique}, method {self.method.name} version {self.method.version}"
        return html_table(caption, ("sample", "status", "attribute", "value"), rows, notes)


class ErrorDetails(Document):
    """What went wrong, where, and what was expected."""

    exit: int
    code: str
    message: str
    file: str | None
    line: int | None
    column: int | None
    expected: str | None
    found: str | None
    hint: str | None


class ErrorDocument(Document):
    """What ``--json`` prints where there is no result (``aavqc.error/1``)."""

    schema_: Literal["aavqc.error/1"] = Field("aavqc.error/1", alias="schema")
    error: ErrorDetails


class FileEntry(Document):
    """What became of one file that a batch saw."""

    path: str
    sha256: str | None
    status: Literal["used", "ignored", "failed"]
    reason: str
    record: str | None
    job: str | None


class EvaluationEntry(Document):
    """One evaluation of a batch, and the file that holds it."""

    lot: str | None
    specification: str
    overall: str
    file: str
    problems: Many[str] = Field([], description="rows of the lot in the sample sheet that fit no export")


class Manifest(Document):
    """Every file of a batch, and what did not fit together (``aavqc.manifest/1``)."""

    schema_: Literal["aavqc.manifest/1"] = Field("aavqc.manifest/1", alias="schema")
    files: Many[FileEntry]
    problems: Many[str]
    evaluations: Many[EvaluationEntry] = []

    @classmethod
    def load(cls, path: str | Path) -> Manifest:
        """Read a manifest."""
        return read_json(Path(path), cls)

    @classmethod
    def of_batch(cls, out: Path) -> Manifest:
        """Read the manifest of a batch's output folder.

        Raises
        ------
        InputError
            The folder is none, or its manifest is no such document.
        """
        path = out / "manifest.json"
        if not path.is_file():
            raise InputError(
                "no output folder of a batch", file=str(out), expected=path.name, found="none in it"
            )
        return cls.load(path)

    @property
    def jobs(self) -> list[str]:
        """The jobs whose results belong to the batch, sorted."""
        return sorted({entry.job for entry in self.files if entry.job})


class Platform(Document):
    """What the numbers can depend on beside the input: the numerical platform."""

    machine: str
    cpu: str
    blas: str
    versions: dict[str, str]


class Envelope(Document):
    """When, where and by what; never hashed with the payload."""

    created: str
    aavqc: str
    python: str
    platform: Platform
    seconds: float
    payload_sha256: str
    actor: str | None = None
    reason: str | None = None


class ResultDocument(Document):
    """A result as stored (``aavqc.result/1``)."""

    schema_: Literal["aavqc.result/1"] = Field("aavqc.result/1", alias="schema")
    payload: Payload
    envelope: Envelope

    @classmethod
    def load(cls, path: str | Path) -> ResultDocument:
        """Read a result document.

        Raises
        ------
        InputError
            The file is no result document, or its payload is not what was written; says where.
        """
        document = read_json(Path(path), cls)
        found = digest(document.payload)
        if found != document.envelope.payload_sha256:
            raise InputError(
                "the payload was altered after it was written",
                file=str(path),
                expected=f"sha256 {document.envelope.payload_sha256[:16]}…",
                found=f"{found[:16]}…",
            )
        return document

    def save(self, path: str | Path) -> None:
        """Write the document atomically; an existing file is replaced as a whole."""
        write_bytes(Path(path), canonical(self) + b"\n")

    @property
    def samples(self) -> list[Sample]:
        """The samples of the payload."""
        return self.payload.samples

    def _repr_html_(self) -> str:
        return self.payload._repr_html_()


@dataclass(frozen=True)
class Outcome:
    """What a technique returns for one record.

    ``arrays`` hold what plots need: they are kept beside the result, not in it.
    """

    samples: list[Sample]
    algorithms: list[str]
    wells: list[Well] | None = None
    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)


def plain(value: Any) -> Any:
    """Turn NumPy numbers and arrays into plain Python, NaN and infinity into None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(v) for v in value]
    return value
