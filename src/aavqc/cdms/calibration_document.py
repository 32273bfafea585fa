"""A charge calibration as a document: fitted in one file, loaded for others."""

from __future__ import annotations

import datetime
from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from aavqc.documents import Document, Many, ResultDocument
from aavqc.errors import SpecificationError, quoted
from aavqc.textfiles import parse_json, read_text, read_toml, validate

SCHEMA = "aavqc.charge-calibration/1"
RESULT = "aavqc.result/1"
DOCUMENTED = "document"
"""Beside the fields of a calibration while settings are put together: what its document states."""

LEAST_SLOPE = 1e-9
"""Intensity a charge: less is damage."""

Model = Literal["slope", "slope_intercept", "slope_mz"]
Parameter = Annotated[float, Field(ge=-1e15, le=1e15)]
Row = Annotated[list[Annotated[float, Field(ge=-1e30, le=1e30)]], Field(min_length=1, max_length=2)]
Matrix = Annotated[list[Row], Field(min_length=1, max_length=2)]
ChargeRange = Annotated[list[Annotated[float, Field(ge=1, le=1e5)]], Field(min_length=2, max_length=2)]
MzRange = Annotated[list[Annotated[float, Field(gt=0, le=1e7)]], Field(min_length=2, max_length=2)]


class Response(Document):
    """Intensity of one ion: charge × (charge_slope + charge_mz_slope · m/z) + charge_intercept."""

    model: Model
    charge_slope: Parameter = Field(description="intensity a charge")
    charge_intercept: Parameter = Field(0.0, description="intensity at charge 0")
    charge_mz_slope: Parameter = Field(0.0, description="growth of the slope with m/z, a Th")
    covariance: Matrix | None = Field(
        None, description="of charge_slope and the second parameter, where the model has one"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        size = 1 if self.model == "slope" else 2
        if self.covariance is not None and [len(row) for row in self.covariance] != [size] * size:
            raise ValueError(f"a covariance of {size} × {size} numbers for the model {self.model}")
        if any(row[i] < 0 for i, row in enumerate(self.covariance or ())):
            raise ValueError("a covariance without negative variances")
        return self


class SigmaZ(Document):
    """The noise that the lines show, σ_z² = a² + b² z²; e and none."""

    a: float | None = Field(None, ge=0)
    b: float | None = Field(None, ge=0)


class StandardFound(Document):
    """A standard: the mass that is stated for it, and that of its comb of m/z."""

    name: str
    stated_da: float = Field(gt=0)
    measured_da: float | None = Field(None, gt=0)
    offset_percent: float | None = None
    lines: int = Field(0, ge=0, description="that stand out")


class FittedLine(Document):
    """A line of a standard's comb that the calibration is fitted to."""

    standard: str
    charge: int = Field(ge=1)
    mz: float = Field(gt=0)
    ions: int = Field(ge=0)
    intensity: float = Field(gt=0)
    residual_percent: float


class ChargeCalibration(Document):
    """A charge calibration among the settings of a sample, empty where none is loaded.

    ``calibration.file`` names a document of schema ``aavqc.charge-calibration/1`` with these fields;
    its content takes its place. ``alone`` are the fields that can be stated without one.
    """

    alone: ClassVar[tuple[str, ...]] = ("id", "version", "instrument", "certificate", "date", "valid_until")

    id: str | None = None
    version: str | None = None
    instrument: str | None = None
    certificate: str | None = None
    date: datetime.date | None = None
    valid_until: datetime.date | None = None
    model: Model | None = Field(None, description="that is applied; the least BIC of those fitted")
    charge_slope: Parameter | None = Field(None, description="intensity a charge")
    charge_intercept: Parameter = 0.0
    charge_mz_slope: Parameter = 0.0
    covariance: Matrix | None = None
    other_models: list[Response] = Field(
        [], max_length=2, description="that the standards admit as well: beyond them, the interval spans all"
    )
    residual_rel_sd: float | None = Field(None, ge=0, le=1, description="of the lines about the model")
    residual_limit: float | None = Field(None, ge=0, le=1)
    suitable: bool | None = Field(None, description="residual_rel_sd is within its limit")
    injection_time_used: bool | None = Field(
        None, description="intensities of the standards were multiplied by injection time, s"
    )
    charge_range: ChargeRange | None = Field(None, description="of the standards' lines")
    mz_range: MzRange | None = Field(None, description="of the standards' lines, Th")
    sigma_z: SigmaZ = SigmaZ()
    standards: Many[StandardFound] = Field([], max_length=100)
    lines: Many[FittedLine] = Field([], max_length=10_000)

    @model_validator(mode="before")
    @classmethod
    def _as_documented(cls, data: Any) -> Any:
        """Refuse what would change a document: its numbers belong together, and its dates are its own."""
        if not isinstance(data, dict) or DOCUMENTED not in data:
            return data
        rest = {key: value for key, value in data.items() if key != DOCUMENTED}
        for key, value in data[DOCUMENTED].items():
            if rest.get(key) != value and not (value is None and key in cls.alone):
                raise ValueError(f"calibration.{key} as the document of calibration.file has it")
        return rest

    @property
    def loaded(self) -> bool:
        """Whether there is a calibration."""
        return self.charge_slope is not None

    @property
    def responses(self) -> list[Response]:
        """The model that is applied, and the others that the standards admit."""
        if self.model is None or self.charge_slope is None:
            return []
        first = Response(
            model=self.model,
            charge_slope=self.charge_slope,
            charge_intercept=self.charge_intercept,
            charge_mz_slope=self.charge_mz_slope,
            covariance=self.covariance,
        )
        return [first, *self.other_models]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = ("model", "charge_slope", "residual_rel_sd", "charge_range", "mz_range")
        missing = [name for name in needed if getattr(self, name) is None]
        if missing and len(missing) < len(needed):
            raise ValueError(f"{', '.join(missing)} beside the others of a calibration")
        for name in ("charge_range", "mz_range"):
            bounds = getattr(self, name)
            if bounds is not None and bounds[0] > bounds[1]:
                raise ValueError(f"an ascending {name}")
        for response in self.responses:
            for mz in self.mz_range or ():
                if response.charge_slope + response.charge_mz_slope * mz < LEAST_SLOPE:
                    raise ValueError(f"a slope of at least {LEAST_SLOPE:g} at every m/z of the standards")
        return self


class ChargeCalibrationDocument(ChargeCalibration):
    """A charge calibration as a file of its own (``aavqc.charge-calibration/1``), JSON or TOML."""

    schema_: Literal["aavqc.charge-calibration/1"] = Field(alias="schema")
    model: Model
    charge_slope: float
    residual_rel_sd: float = Field(ge=0, le=1)
    charge_range: ChargeRange
    mz_range: MzRange


def include_calibration(data: dict[str, Any], path: Path) -> None:
    """Take the charge calibration of its document, or of the result of the standards (TOML, or .json)."""
    if path.suffix.lower() == ".json":
        text = read_text(path)
        content = parse_json(text, path.name, SpecificationError)
    else:
        content, text = read_toml(path)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema == RESULT:
        content, text = _fitted_in(path), ""
        schema = content.get("schema")
    if schema != SCHEMA:
        hint = "of an analysis with standards, diagnostics.calibration.fitted is one"
        raise SpecificationError(
            "another document", file=path.name, expected=SCHEMA, found=quoted(schema), hint=hint
        )
    found = validate(ChargeCalibrationDocument, content, path.name, SpecificationError, text)
    stated = found.model_dump(mode="json", exclude={"schema_"})
    data["calibration"] = {**deepcopy(stated), DOCUMENTED: stated}


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
