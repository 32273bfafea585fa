"""What a regulated method must state: nothing that rests on an assumed constant is issued."""

from __future__ import annotations

from collections.abc import Sequence

from aavqc.attributes import Attribute
from aavqc.auc.composition import coefficients_of
from aavqc.auc.grid import SignalGrid
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag

TITERS = ("cp_titer_optical", "vg_titer_optical")
"""Without a dilution factor they are of the solution in the cell."""

AS_MEASURED = ("total_signal", "s_weight_average")
"""What rests on no constant; nor do the percentages of fixed windows (``_legacy``)."""


def regulated_only(
    attributes: Sequence[Attribute], grid: SignalGrid, settings: TechniqueSettings
) -> tuple[list[Attribute], list[Flag]]:
    """Return what a regulated method may issue, and a flag that names the constants that lack.

    Classes rest on the solvent's density and viscosity; particles on extinction coefficients (or
    refractive increments); titers on the dilution. A method that is not regulated issues all.
    """
    if not settings.regulated:
        return list(attributes), []
    needs = {
        "design_length": settings.design_length is not None,
        "density": settings.density is not None,
        "viscosity": settings.viscosity is not None,
    }
    if grid.unit != "FU":  # fluorescence has neither particles nor titers
        fringes = grid.unit == "fringes"
        stated = not fringes or settings.increment.dna is not None
        needs["increment" if fringes else "extinction"] = (
            stated and coefficients_of(settings, grid) is not None
        )
        needs["dilution_factor"] = settings.dilution_factor is not None
    lacking = [name for name, given in needs.items() if not given]
    if not lacking:
        return list(attributes), []
    solvent = needs["density"] and needs["viscosity"]
    kept = [
        a
        for a in attributes
        if (a.name in AS_MEASURED or a.name.endswith("_legacy") or solvent)
        and (a.name not in TITERS or settings.dilution_factor is not None)
    ]
    message = f"a regulated method assumes no constant: set {', '.join(lacking)}"
    return kept, [Flag(id="constant_required", severity="warning", message=message)]
