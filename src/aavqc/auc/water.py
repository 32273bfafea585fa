"""From s as measured to s20,w."""

from __future__ import annotations

from aavqc.auc.settings import TechniqueSettings

WATER_DENSITY_20 = 0.99823
"""g/mL at 20 °C."""

WATER_VISCOSITY_20 = 1.002
"""mPa s at 20 °C."""


def to_water(settings: TechniqueSettings) -> float | None:
    """Return s20,w / s, or None where density or viscosity are not given.

    s20,w = s · (η / η_w) · (1 − v̄ρ_w)/(1 − v̄ρ), with the protein's v̄. The given density and
    viscosity are those of the buffer at the temperature of the run.

    Examples
    --------
    >>> to_water(TechniqueSettings(density=0.99823, viscosity=1.002))
    1.0
    """
    if settings.density is None or settings.viscosity is None:
        return None
    buoyancy = (1 - settings.vbar * WATER_DENSITY_20) / (1 - settings.vbar * settings.density)
    return settings.viscosity / WATER_VISCOSITY_20 * buoyancy
