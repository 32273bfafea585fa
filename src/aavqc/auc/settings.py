"""Settings of sedimentation velocity analysis."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aavqc.documents import Document
from aavqc.settings import Settings

Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


class Extinction(Document):
    """Molar extinction coefficients by wavelength in nm (keys as text: ``"260"``)."""

    capsid: dict[str, float] = Field({}, description="M-1 cm-1 a particle")
    nucleotide: dict[str, float] = Field({}, description="M-1 cm-1 a nucleotide")
    rel_sd: float | None = Field(None, ge=0, description="relative SD of the nucleotide's")


class TechniqueSettings(Settings):
    """Settings of technique ``auc``; what is None is found from the data, and said."""

    model: Literal["auto", "cs", "cs_invariant_d"] = Field(
        "auto", description="auto: cs_invariant_d where design_length is given, else cs"
    )
    s_range: Pair | None = Field(None, description="S, low,high")
    resolution: int = Field(120, ge=10, le=1000, description="number of s values")
    fit: list[Literal["meniscus", "frictional_ratio", "radius"]] | None = Field(
        None, description="default: meniscus and the shape (frictional_ratio, or radius)"
    )
    frictional_ratio: float = Field(1.25, ge=1.0, le=5.0)
    radius_nm: float = Field(13.7, gt=0.5, le=500.0, description="hydrodynamic, for cs_invariant_d")
    meniscus: float | None = Field(None, description="cm")
    bottom: float | None = Field(None, description="cm")
    fit_range: Pair | None = Field(None, description="cm, low,high")
    wavelength: float | None = Field(None, description="nm, of the scans to fit")
    noise: list[Literal["ti", "ri"]] | None = Field(
        None, description="default: ti,ri for interference and intensity, none for absorbance"
    )
    confidence: float = Field(0.68, ge=0.0, lt=1.0, description="P of the F-test; 0: none")
    regularisation: Literal["tikhonov", "none"] = "tikhonov"
    vbar: float = Field(0.73, gt=0.3, lt=1.2, description="mL/g")
    density: float | None = Field(None, gt=0.5, lt=2.0, description="g/mL")
    viscosity: float | None = Field(None, gt=0.1, lt=100.0, description="mPa s")
    temperature: float | None = Field(None, gt=-5.0, lt=60.0, description="°C; default: the scans'")
    path_length_cm: float = Field(1.2, gt=0.0, le=5.0)
    extinction: Extinction = Extinction()
