"""Settings of a virtual sedimentation velocity run."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from aavqc.documents import Document

_CAPSID = {"260": 3.72e6, "280": 6.61e6}
_NUCLEOTIDE = {"260": 8750.0, "280": 4700.0}
_CAPSID_SLOPE = {"260": 0.025, "280": -0.01}
_NUCLEOTIDE_SLOPE = {"260": -0.006, "280": -0.05}


class Extinction(Document):
    """Molar extinction in 1/(M cm) by wavelength in nm: of a capsid, and of a packaged nucleotide."""

    capsid: dict[str, float] = _CAPSID
    nucleotide: dict[str, float] = _NUCLEOTIDE
    capsid_slope: dict[str, float] = Field(
        _CAPSID_SLOPE, description="relative change a nm: what an offset of the wavelength costs"
    )
    nucleotide_slope: dict[str, float] = _NUCLEOTIDE_SLOPE

    @field_validator("capsid", "nucleotide", "capsid_slope", "nucleotide_slope", mode="before")
    @classmethod
    def _more(cls, given: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        return {**cls.model_fields[str(info.field_name)].default, **given}


class AucSimulation(Document):
    """Settings of a virtual run; see each field's description for units."""

    seed: int = Field(0, ge=0)
    cell: int = Field(1, ge=1, le=8)
    optics: Literal["absorbance", "interference", "intensity", "fluorescence"] = Field(
        "absorbance", description="fluorescence: capsids are labelled, all alike; od and noise are in FU"
    )
    wavelengths: list[float] = Field([260.0], min_length=1, max_length=9, description="nm")
    rpm: float = Field(15000.0, ge=1000, le=60000)
    acceleration: float = Field(400.0, gt=0, description="rpm/s, from rest")
    scans: int = Field(60, ge=2, le=999, description="per wavelength")
    interval_s: float | None = Field(
        None, gt=0, description="between scans of a wavelength; none: the slowest species pellets"
    )
    species: list[str] = Field(
        ["0:0.25", "2300:0.15", "4700:0.60"],
        min_length=1,
        max_length=50,
        description="packaged nt:share of particles; or, of what is no capsid, s:D:share of the signal at "
        "every wavelength, in S and cm²/s (4.4:6.1e-7:0.88)",
    )
    smear: str | None = Field(
        None,
        description="nt-nt:share of particles, evenly over the lengths, beside the species: 500-4000:0.2",
    )
    design_length: float | None = Field(
        None, gt=0, description="nt of a genome equivalent; none: the longest species"
    )
    od: float = Field(0.6, gt=0, description="loading signal at the first wavelength, OD, fringes or FU")
    loadings: list[float] | None = Field(
        None,
        min_length=1,
        max_length=7,
        description="of several cells of one run, from `cell` on; wins over od",
    )
    speeds: list[float] | None = Field(
        None, min_length=1, max_length=9, description="rpm of several runs, a sub-folder each; wins over rpm"
    )
    layout: Literal["interleaved", "folders"] = Field(
        "interleaved", description="wavelengths interleaved in the numbering, or a sub-folder each"
    )
    protein_signal: float = Field(
        0.0, ge=0, lt=0.9, description="share of the signal by sub-capsid protein, 70 kDa at 4.4 S"
    )
    free_dna_signal: float = Field(
        0.0, ge=0, lt=0.9, description="share of the signal by free DNA, of the longest species, at 25 S"
    )
    wavelength_offset_nm: float = Field(
        0.0, ge=-5, le=5, description="true less indicated; the headers show the indicated one"
    )
    scatter: float = Field(
        0.0,
        ge=0,
        le=1,
        description="turbidity of an empty capsid at 260 nm over its absorbance; as mass² and wavelength⁻⁴",
    )
    gradient: float = Field(
        0.0, ge=0, lt=0.5, description="relative fall of s and D from meniscus to bottom, by a co-solute"
    )
    convection_cm: float = Field(
        0.0, ge=0, le=0.3, description="SD of mixing in the first scan; it fades over the first fifth"
    )
    outlier_scans: list[str] = Field(
        [],
        max_length=50,
        description="number of a scan of the cell, from 1:its signal over the true one",
    )
    extinction: Extinction = Extinction()
    path_length_cm: float = Field(1.2, gt=0)
    s_empty: float = Field(65.0, gt=0, description="S, as measured in this solvent")
    capsid_mass: float = Field(3.74e6, gt=0, description="Da")
    vbar_protein: float = Field(0.73, gt=0, lt=1, description="mL/g")
    vbar_dna: float = Field(0.55, gt=0, lt=1, description="mL/g")
    radius_growth: float = Field(
        0.0, ge=0, lt=0.5, description="relative growth of the Stokes radius at 4700 nt, linear in length"
    )
    density: float = Field(1.0, gt=0.9, lt=1.3, description="g/mL")
    viscosity: float = Field(1.002, gt=0, description="mPa s")
    temperature: float = Field(20.0, ge=0, le=40, description="°C")
    meniscus: float = Field(6.05, ge=5.8, le=7.2, description="cm")
    bottom: float = Field(7.2, ge=5.9, le=7.4, description="cm")
    radial_step: float = Field(0.003, ge=0.0005, le=0.02, description="cm")
    noise: float = Field(0.004, ge=0, description="SD of a point as printed, OD, fringes or FU")
    ti_noise: float | None = Field(
        None, ge=0, description="SD over radius; none: 0.02 for interference, else 0"
    )
    ri_noise: float | None = Field(
        None, ge=0, description="SD over scans; none: 0.05 for interference, else 0"
    )

    @field_validator("species")
    @classmethod
    def _shares(cls, texts: list[str]) -> list[str]:
        number = r"\d+(\.\d*)?"
        species = re.compile(rf"{number}:({number}([Ee][-+]?\d{{1,2}})?:)?{number}")
        for text in texts:
            if not species.fullmatch(text) or not all(float(x) > 0 for x in text.split(":")[1:]):
                raise ValueError("must be like 0:0.4,4700:0.6 or 4.4:6.1e-7:0.05 with shares above 0")
            if text.count(":") == 2 and not 0.1 <= float(text.partition(":")[0]) <= 1e4:
                raise ValueError("s of a free species must be from 0.1 to 10000 S")
        return texts

    @field_validator("outlier_scans")
    @classmethod
    def _outliers(cls, texts: list[str]) -> list[str]:
        if not all(re.fullmatch(r"[1-9]\d{0,3}:\d(\.\d*)?", text) for text in texts):
            raise ValueError("must be like 20:0.5")
        return texts

    @field_validator("smear")
    @classmethod
    def _smear(cls, text: str | None) -> str | None:
        found = re.fullmatch(r"(\d+)-(\d+):(\d+(?:\.\d*)?)", text or "")
        if text is not None and not (found and int(found[1]) < int(found[2]) and float(found[3]) > 0):
            raise ValueError("must be like 500-4000:0.2, ascending and with a share above 0")
        return text

    @field_validator("loadings")
    @classmethod
    def _positive(cls, loadings: list[float] | None) -> list[float] | None:
        if loadings is not None and not all(0 < value < 100 for value in loadings):
            raise ValueError("loadings must be above 0")
        return loadings

    @field_validator("speeds")
    @classmethod
    def _distinct(cls, speeds: list[float] | None) -> list[float] | None:
        if speeds is not None and not (
            all(1000 <= rpm <= 60000 for rpm in speeds) and len(set(speeds)) == len(speeds)
        ):
            raise ValueError("speeds must differ and lie from 1000 to 60000 rpm")
        return speeds

    @model_validator(mode="after")
    def _consistent(self) -> AucSimulation:
        if self.bottom - self.meniscus < 0.1:
            raise ValueError("bottom must lie 0.1 cm or more below the meniscus")
        if self.cell + len(self.loadings or [0]) - 1 > 8:
            raise ValueError("there are eight cells at most")
        other = self.protein_signal + self.free_dna_signal
        if self.smear is None and all(text.count(":") == 2 for text in self.species):
            if other:
                raise ValueError("protein_signal and free_dna_signal stand beside capsids only")
        elif other + sum(float(t.rpartition(":")[2]) for t in self.species if t.count(":") == 2) > 0.9:
            raise ValueError("capsids must have a tenth of the signal at least")
        ordered = sorted(self.wavelengths)
        if any(b - a <= 4.0 for a, b in pairwise(ordered)) or ordered[0] < 150 or ordered[-1] > 1200:
            raise ValueError("wavelengths must be from 150 to 1200 nm and differ by more than 4 nm")
        return self
