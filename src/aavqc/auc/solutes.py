"""What buffer components add to the density and viscosity of water, and how amounts are written.

Volumes of ions: Millero (1971) Chem Rev 71:147; viscosity coefficients of ions: Jenkins & Marcus
(1995) Chem Rev 95:2695, both at 25 °C. Sucrose and glycerol: fitted to the handbook's table of
aqueous solutions at 20 °C (CRC, concentrative properties), up to 20 % w/w. The rest from general
literature. All are defaults to be confirmed for your buffer: a measured density and viscosity win.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Solute:
    """One component.

    ``mass`` in g/mol, apparent molar ``volume`` in cm³/mol, viscosity coefficients ``b`` in L/mol
    (None: not known) and ``c`` in L²/mol²; ``highest`` is the largest amount in mol/L that they
    are meant for.
    """

    mass: float
    volume: float
    b: float | None
    c: float = 0.0
    highest: float = 1.0


SOLUTES = {
    "nacl": Solute(58.44, 16.62, 0.080),
    "kcl": Solute(74.55, 26.85, -0.014),
    "mgcl2": Solute(95.21, 14.49, 0.375),
    "na2hpo4": Solute(141.96, 5.3, 0.552, highest=0.3),
    "nah2po4": Solute(119.98, 27.9, 0.425, highest=0.3),
    # sodium salt at pH 7.2–7.4: four parts HPO4 to one H2PO4
    "phosphate": Solute(137.56, 9.8, 0.527, highest=0.3),
    "tris": Solute(121.14, 90.8, 0.27, highest=0.5),
    "sucrose": Solute(342.30, 210.2, 0.855, 0.308, highest=0.7),
    "sorbitol": Solute(182.17, 119.5, 0.43, 0.05, highest=1.0),
    "glycerol": Solute(92.09, 71.0, 0.218, 0.0098, highest=2.5),
    # density of the 60 % solution, 1.32 g/mL; its viscosity is far from any such formula
    "iodixanol": Solute(1550.2, 723.0, None, highest=0.39),
    "poloxamer": Solute(8400.0, 7560.0, 67.0, highest=0.0012),
}
"""By lower-case name."""

CO_SOLUTES = ("sucrose", "sorbitol", "glycerol", "iodixanol")
"""Solutes that sediment in the run, or keep away from the capsid's surface."""


def moles_per_litre(name: str, amount: object) -> tuple[str, float]:
    """Return the solute's key and its amount in mol/L; text ``5 %`` is g in 100 mL.

    Raises
    ------
    ValueError
        An unknown solute, or an amount that is none or beyond what the coefficients are meant for.

    Examples
    --------
    >>> moles_per_litre("Sucrose", "5 %")
    ('sucrose', 0.146071)
    """
    key = name.lower()
    if key not in SOLUTES:
        raise ValueError(f"a component of {', '.join(SOLUTES)}, not {name!r}")
    text = str(amount).strip()
    number = re.fullmatch(r"([0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)\s*(%?)", text)
    if number is None:
        raise ValueError(f"an amount of {name} in mol/L, or in g/100 mL as '5 %'")
    value = float(number[1])
    moles = round(10.0 * value / SOLUTES[key].mass, 6) if number[2] else value
    if not 0.0 < moles <= SOLUTES[key].highest:
        raise ValueError(f"an amount of {name} above 0, up to {SOLUTES[key].highest:g} mol/L")
    return key, moles
