"""Classes of capsids by mass windows, counted ion by ion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aavqc.attributes import CLASSES
from aavqc.capsid import length_bounds
from aavqc.cdms.expected import expected_capsid, nucleotide_mass
from aavqc.cdms.settings import TechniqueSettings
from aavqc.errors import UsageError
from aavqc.records import FloatArray

MONOMER = 0.88
"""Below this fraction of a capsid's mass is no whole capsid, and below twice that no two.

Five SD of the assembly's chance and of 3 e charge noise."""


@dataclass(frozen=True)
class Windows:
    """Mass windows and what lies in them.

    Attributes
    ----------
    edges : tuple of float
        Five masses in Da: the lower edge of empty, the three class bounds, the upper edge of overfull.
    members : dict of str to array
        Masses of the ions of each class, ascending, Da.
    below, above : int
        Ions lighter than a capsid, and of aggregates.
    """

    edges: tuple[float, ...]
    members: dict[str, FloatArray]
    below: int
    above: int

    @property
    def counts(self) -> dict[str, int]:
        """Ions of each class."""
        return {name: int(members.size) for name, members in self.members.items()}

    @property
    def monomers(self) -> int:
        """Ions of all four classes: the 100 % of composition."""
        return sum(self.counts.values())


def windows(mass: FloatArray, settings: TechniqueSettings) -> Windows | None:
    """Sort ions into classes of packaged length, by mass.

    A length bound L is at capsid mass + 308.95·L. None without ``design_length``.

    Parameters
    ----------
    mass : array, shape (n,)
        Da.
    settings : TechniqueSettings

    Raises
    ------
    UsageError
        The classes reach beyond what one capsid can weigh.
    """
    lengths = length_bounds(settings)
    if lengths is None:
        return None
    capsid = expected_capsid(settings).mean
    edges = (
        MONOMER * capsid,
        *(capsid + nucleotide_mass(settings) * length for length in lengths),
        2 * MONOMER * capsid,
    )
    if edges[-2] >= edges[-1]:
        raise UsageError(
            "setting design_length",
            expected=f"overfull below {(edges[-1] - capsid) / nucleotide_mass(settings):.0f} nt",
            found=f"{lengths[-1]:g} nt",
            hint="more does not fit into a capsid",
        )
    ordered = np.sort(mass)
    at = np.searchsorted(ordered, edges)
    members = {name: ordered[at[i] : at[i + 1]] for i, name in enumerate(CLASSES)}
    return Windows(edges, members, int(at[0]), int(ordered.size - at[-1]))


def expected_masses(settings: TechniqueSettings) -> dict[str, FloatArray]:
    """Return what figures mark: the mass of an empty capsid, and with the designed genome, in Da.

    Nothing without ``design_length``.

    Examples
    --------
    >>> expected_masses(TechniqueSettings(serotype="AAV2", design_length=4700))["expected_da"]
    array([3740400., 5192465.])
    """
    if settings.design_length is None:
        return {}
    capsid = expected_capsid(settings).mean
    return {"expected_da": np.array([capsid, capsid + nucleotide_mass(settings) * settings.design_length])}
