"""Settings of sedimentation velocity analysis."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from aavqc.auc.solutes import moles_per_litre
from aavqc.capsid import CapsidProteins, include_protein
from aavqc.documents import Document
from aavqc.errors import SpecificationError, quoted
from aavqc.settings import Include, Settings
from aavqc.textfiles import read_toml, validate

CALIBRATION = "aavqc.calibration/1"

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
Positive = Annotated[float, Field(gt=0, le=1e10)]
Radius = Annotated[float, Field(ge=4.0, le=9.0)]


class Extinction(Document):
    """Molar extinction coefficients by wavelength in nm (keys as text: ``"260"``)."""

    capsid: dict[str, Positive] = Field({}, description="M-1 cm-1 a particle")
    nucleotide: dict[str, Positive] = Field({}, description="M-1 cm-1 a nucleotide")
    rel_sd: float | None = Field(None, ge=0, le=1, description="relative SD of the nucleotide's")
    capsid_rel_sd: float | None = Field(None, ge=0, le=1, description="relative SD of the capsid's")
    wavelength_sd: float | None = Field(None, ge=0, le=10, description="of the instrument's wavelength, nm")
    set: Literal["sommer2003-denatured"] | None = Field(
        None, description="a published set, for wavelengths that are not given"
    )

    @field_validator("capsid", "nucleotide")
    @classmethod
    def _wavelengths(cls, table: dict[str, float]) -> dict[str, float]:
        for key in table:
            if not re.fullmatch(r"[1-9][0-9]{2}(\.[0-9]+)?", key):
                raise ValueError(f"a wavelength in nm as key, such as 260, not {key!r}")
        return table


class Calibration(Document):
    """What a certificate says of one instrument; applied before anything is fitted.

    Factors are true over indicated. A magnification acts about the middle of the cell. Radii among
    the settings (meniscus, bottom, fit_range) are true ones. ``calibration.file`` names a TOML
    document of schema ``aavqc.calibration/1`` with these fields; its content takes its place.
    """

    instrument: str | None = None
    certificate: str | None = None
    date: datetime.date | None = None
    valid_until: datetime.date | None = None
    radial_magnification: float = Field(1.0, gt=0.8, lt=1.25, description="true/indicated distance")
    radial_rel_sd: float | None = Field(None, ge=0, lt=1)
    time_factor: float = Field(1.0, gt=0.8, lt=1.25, description="true/indicated elapsed time")
    time_rel_sd: float | None = Field(None, ge=0, lt=1)
    temperature_offset: float = Field(0.0, gt=-10, lt=10, description="°C, true less indicated")
    temperature_sd: float | None = Field(None, ge=0, le=10, description="°C")


class CalibrationDocument(Calibration):
    """A calibration as a file of its own (``aavqc.calibration/1``)."""

    schema_: Literal["aavqc.calibration/1"] = Field(alias="schema")


def include_calibration(data: dict[str, Any], path: Path) -> None:
    """Take the instrument's calibration of its document (TOML)."""
    content, text = read_toml(path)
    schema = content.get("schema")
    if schema != CALIBRATION:
        raise SpecificationError(
            "another document", file=path.name, expected=CALIBRATION, found=quoted(schema)
        )
    stated = validate(CalibrationDocument, content, path.name, SpecificationError, text)
    table = stated.model_dump(mode="json", exclude_unset=True, exclude={"schema_"})
    data.setdefault("calibration", {}).update(table)


class Increment(Document):
    """Refractive increments in mL/g, for interference: usual are 0.185–0.190 and 0.170."""

    protein: float | None = Field(None, gt=0.05, lt=0.5)
    dna: float | None = Field(
        None, gt=0.05, lt=0.5, description="default, where that of protein is given: of the salt form"
    )


class TechniqueSettings(Settings):
    """Settings of technique ``auc``; what is None is found from the data, and said."""

    documents: ClassVar[Mapping[str, Include]] = {
        "calibration.file": include_calibration,
        "capsid.fasta": include_protein,
    }

    model: Literal["auto", "cs", "cs_invariant_d", "lsg", "cs_ff0", "species"] = Field(
        "auto", description="auto: cs_invariant_d where design_length is given, else cs"
    )
    species: list[str] | None = Field(
        None,
        min_length=1,
        max_length=12,
        description="for model species: how many, or s:D of each to begin with (S:cm²/s); "
        "default: the peaks of c(s)",
    )
    s_range: Pair | None = Field(None, description="S, low,high")
    resolution: int = Field(120, ge=10, le=1000, description="number of s values")
    fit: list[Literal["meniscus", "bottom", "frictional_ratio", "radius"]] | None = Field(
        None,
        description="default: meniscus and the shape (frictional_ratio, or radius with its growth); "
        "the bottom is found unless it is given",
    )
    frictional_ratio: float = Field(1.25, ge=1.0, le=5.0)
    radius_nm: float = Field(13.7, gt=0.5, le=500.0, description="hydrodynamic, for cs_invariant_d")
    meniscus: Radius | None = Field(None, description="cm")
    bottom: Radius | None = Field(None, description="cm")
    fit_range: Pair | None = Field(None, description="cm, low,high")
    exclude_radii: list[str] = Field(
        [], max_length=20, description="cm, low-high of what is left out within: 6.50-6.53 for a scratch"
    )
    wavelength: float | None = Field(
        None, description="nm, of the scans to fit; default: all with coefficients, else all, up to six"
    )
    sample_channel: Literal["first", "second"] | None = Field(
        None, description="of intensity scans, the other is the reference; default: in which a boundary moves"
    )
    noise: list[Literal["ti", "ri"]] | None = Field(
        None, description="default: ti,ri for interference and intensity, else none"
    )
    confidence: float = Field(0.68, ge=0.0, lt=1.0, description="P of the F-test; 0: none")
    regularisation: Literal["maxent", "tikhonov", "none"] = Field(
        "tikhonov", description="for cs, cs_invariant_d and lsg"
    )
    vbar: float = Field(0.73, gt=0.3, lt=1.2, description="of protein at 20 °C, mL/g")
    capsid: CapsidProteins = CapsidProteins()
    dna_salt: Literal["acid", "sodium"] = Field(
        "acid", description="form of the packaged DNA: mass of a nucleotide, v̄ and dn/dc go together"
    )
    vbar_dna: float | None = Field(
        None, gt=0.3, lt=0.9, description="of packaged DNA at 20 °C, mL/g; default: of its salt form"
    )
    density: float | None = Field(None, gt=0.5, lt=2.0, description="g/mL")
    viscosity: float | None = Field(None, gt=0.1, lt=100.0, description="mPa s")
    solvent: dict[str, float] = Field(
        {}, description="mol/L by component, or text such as '5 %' (g in 100 mL); density and viscosity win"
    )
    buffer: str | None = Field(None, description="in words; a co-solute that it names is flagged")
    temperature: float | None = Field(None, gt=-5.0, lt=60.0, description="°C; default: the scans'")
    path_length_cm: float = Field(1.2, gt=0.0, le=5.0)
    path_length_rel_sd: float | None = Field(None, ge=0, le=0.5)
    length_rel_sd: float | None = Field(
        None, ge=0, le=0.5, description="of packaged length by s; default: 0 on an empty peak, else 0.06"
    )
    together: bool = Field(False, description="all cells and runs of the path are one sample: one fit")
    linear_limit: float = Field(1.2, gt=0.0, le=10.0, description="OD; absorbance above is flagged")
    extinction: Extinction = Extinction()
    increment: Increment = Increment()
    average: Literal["mode", "weight"] = Field(
        "mode", description="of s20w_* and packaged_length: the class's main species, or all by particles"
    )
    scans: Annotated[list[int], Field(min_length=2, max_length=3)] | None = Field(
        None, description="first,last[,step] of the scans to fit, counted from 1 at the wavelength fitted"
    )
    profile: list[Literal["meniscus", "bottom", "shape"]] = Field(
        [], description="parameters to give F-statistic limits for, at P = coverage"
    )
    calibration: Calibration = Calibration()
    run_date: datetime.date | None = Field(
        None, description="day of the run, which scans do not bear: the calibration must be valid on it"
    )
    s_windows: Annotated[list[float], Field(min_length=4, max_length=5)] | None = Field(
        None,
        description="S as measured, bounds of sub-capsid|empty|partial|full[|overfull]|aggregate: fixed "
        "windows for percent_*_legacy",
    )

    @field_validator("s_windows")
    @classmethod
    def _ascending_windows(cls, bounds: list[float] | None) -> list[float] | None:
        if bounds is not None and not (bounds[0] > 0 and all(a < b for a, b in pairwise(bounds))):
            raise ValueError("four or five ascending bounds above 0, in S")
        return bounds

    @field_validator("solvent", mode="before")
    @classmethod
    def _amounts(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        # of one name in several spellings the last wins, as with any setting
        amounts = dict(moles_per_litre(str(name), amount) for name, amount in given.items())
        return dict(sorted(amounts.items()))

    @field_validator("exclude_radii")
    @classmethod
    def _pieces(cls, pieces: list[str]) -> list[str]:
        for text in pieces:
            found = re.fullmatch(r"(\d(?:\.\d+)?)-(\d(?:\.\d+)?)", text)
            if found is None or not float(found[1]) < float(found[2]):
                raise ValueError("pieces of the radius in cm like 6.50-6.53, ascending")
        return pieces

    @field_validator("s_range", "fit_range")
    @classmethod
    def _pair(cls, pair: list[float] | None, info: ValidationInfo) -> list[float] | None:
        least = 0.1 if info.field_name == "fit_range" else 0.0
        if pair is not None and not (pair[0] > 0 and pair[0] * 1.01 < pair[1] and pair[1] - pair[0] >= least):
            raise ValueError("two numbers above 0, low,high, with room between them")
        return pair
