"""Settings of charge-detection mass spectrometry."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aavqc.settings import Settings


class TechniqueSettings(Settings):
    """Settings of CDMS; every name is part of the contract."""

    charge_slope: float | None = Field(
        None, gt=0, description="intensity a charge; for flux-scaled spectra intensity × s a charge"
    )
    charge_intercept: float = Field(0.0, description="intensity at charge 0, in the unit of the slope's")
    charge_mz_slope: float = Field(0.0, description="growth of charge_slope with m/z, a Th")
    charge_rel_sd: float | None = Field(
        None, gt=0, le=0.2, description="relative SD of charges by the calibration"
    )
    single_standard: bool = Field(False, description="fit the calibration to one standard alone")
    standards: dict[str, Annotated[float, Field(gt=0)]] = Field({}, description="masses of standards, Da")
    sigma_z: float | None = Field(None, gt=0, le=100, description="SD of the measured charge, e")
    sigma_z_slope: float = Field(0.0, ge=0, le=0.5, description="b of sigma_z² + b² z², beside sigma_z given")
    mz_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="m/z to use, Th"
    )
    report_by: Literal["mixture", "window", "deconvolution"] = Field(
        "mixture", description="whose shares are reported; all three stand in the diagnostics"
    )
    mass_unit: Literal["Da", "kDa", "MDa"] | None = Field(
        None, description="of masses in a list that states none, and of reported masses (MDa where not set)"
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
    contrast_slope: float | None = Field(
        None, gt=0, description="mass photometry: contrast a kDa, instead of the instrument's calibration"
    )
    contrast_intercept: float = Field(0.0, description="mass photometry: contrast at mass 0")
