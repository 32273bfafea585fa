"""Settings of charge-detection mass spectrometry."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from aavqc.capsid import CapsidProteins, include_protein
from aavqc.cdms.calibration_document import ChargeCalibration, include_calibration
from aavqc.documents import Document
from aavqc.sequences import read_genome
from aavqc.settings import Include, Settings


class Genome(Document):
    """Sequence of the designed genome; ``genome.fasta`` names its FASTA file, and these take its place."""

    name: str | None = None
    sha256: str | None = Field(None, description="of the sequence, upper case without line ends")
    length: int | None = Field(None, ge=100, le=100_000, description="nt; design_length where none is set")
    mass_da: float | None = Field(None, gt=0, description="of the strand with free acids, Da")


def include_genome(data: dict[str, Any], path: Path) -> None:
    """Take the designed genome's length and mass from its sequence in a FASTA file."""
    data["genome"] = read_genome(path)


class Efficiency(Document):
    """Detection efficiency of each class, relative to that of empty capsids; off unless it is given."""

    partial: float | None = Field(None, gt=0, le=100, description="of partial over that of empty capsids")
    full: float | None = Field(None, gt=0, le=100)
    overfull: float | None = Field(None, gt=0, le=100)
    rel_sd: float | None = Field(None, ge=0, le=1, description="relative SD of each of the three")

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        given = [value is not None for value in (self.partial, self.full, self.overfull, self.rel_sd)]
        if any(given) and not all(given):
            raise ValueError("efficiency.partial, .full, .overfull and .rel_sd, all of them or none")
        return self


class TechniqueSettings(Settings):
    """Settings of CDMS; every name is part of the contract."""

    documents: ClassVar[Mapping[str, Include]] = {
        "calibration.file": include_calibration,
        "capsid.fasta": include_protein,
        "genome.fasta": include_genome,
    }

    @model_validator(mode="before")
    @classmethod
    def _length_of_genome(cls, data: Any) -> Any:
        """Take the length of the sequence where no other is stated."""
        length = (data.get("genome") or {}).get("length") if isinstance(data, dict) else None
        if length is None or data.get("design_length") is not None:
            return data
        return {**data, "design_length": length}

    charge_slope: float | None = Field(
        None, gt=0, description="intensity a charge; for flux-scaled spectra intensity × s a charge"
    )
    charge_intercept: float = Field(0.0, description="intensity at charge 0, in the unit of the slope's")
    charge_mz_slope: float = Field(0.0, description="growth of charge_slope with m/z, a Th")
    charge_rel_sd: float | None = Field(
        None, gt=0, le=0.2, description="relative SD of charges by charge_slope, or of the file's own"
    )
    calibration: ChargeCalibration = ChargeCalibration()
    run_date: datetime.date | None = Field(
        None, description="day of the run: the calibration must be valid on it"
    )
    single_standard: bool = Field(False, description="fit the calibration to one standard alone")
    standards: dict[str, Annotated[float, Field(gt=0)]] = Field({}, description="masses of standards, Da")
    sigma_z: float | None = Field(None, gt=0, le=100, description="SD of the measured charge, e")
    sigma_z_slope: float = Field(0.0, ge=0, le=0.5, description="b of sigma_z² + b² z², beside sigma_z given")
    capsid: CapsidProteins = CapsidProteins()
    genome: Genome = Genome()
    efficiency: Efficiency = Efficiency()
    mz_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="m/z to use, Th"
    )
    report_by: Literal["mixture", "window", "deconvolution"] = Field(
        "mixture", description="whose shares are reported; all three stand in the diagnostics"
    )
    mass_unit: Literal["Da", "kDa", "MDa"] | None = Field(
        None, description="of masses in a list that states none, and of reported masses (MDa where not set)"
    )
    bandwidth: float | None = Field(
        None, ge=5e-4, le=0.1, description="SD of the mass distribution's kernel, a fraction of the mass"
    )
    z_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="charges to use, e"
    )
    neighbour_distance: float | None = Field(
        None, gt=0, description="leave out ions with another of the same scan within this distance, Th"
    )
    min_intensity: float | None = Field(None, gt=0, description="in the unit of charge_slope")
    min_s_to_n: float | None = Field(None, gt=0, description="signal to noise of the ion's peak")
    min_r_squared: float | None = Field(None, gt=0, le=1, description="of the ion's signal over time")
    min_lifetime_s: float | None = Field(None, gt=0, description="from the ion's birth to its death")
    together: bool = Field(
        False,
        description="report the mean of a sample's records: those of the sample sheet, else all of the path",
    )
    contrast_slope: float | None = Field(
        None, gt=0, description="mass photometry: contrast a kDa, instead of the instrument's calibration"
    )
    contrast_intercept: float = Field(0.0, description="mass photometry: contrast at mass 0")

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.genome.length is None) != (self.genome.mass_da is None):
            raise ValueError("genome.length and genome.mass_da, both or none")
        if self.genome.length is not None and self.design_length != self.genome.length:
            raise ValueError(f"design_length of the genome's sequence, {self.genome.length} nt, or none")
        return self
