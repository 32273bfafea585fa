"""Mass photometry: contrasts by a calibration of their own, windows on its own peaks.

The contrast of a landing particle is proportional to the mass of protein. DNA scatters
otherwise, so a full capsid does not appear at the sum of its masses: the classes are laid
between the empty and the full peak as they are seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aavqc.attributes import CLASSES
from aavqc.cdms.expected import expected_capsid, nucleotide_mass
from aavqc.cdms.peaks import Peak
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.windows import MONOMER, Windows
from aavqc.documents import Flag
from aavqc.records import FloatArray, MassList

NEAR = 0.12
"""A peak within this fraction of an expected mass is taken for it: DNA reads up to a fifth off,
and is 28 % of a full capsid."""


def contrast_masses(record: MassList, settings: TechniqueSettings) -> tuple[FloatArray | None, Flag | None]:
    """Return masses in Da, (contrast − intercept) / slope, ascending; None with a flag without a slope."""
    contrast = record.x if record.kind == "contrast" else record.contrast
    if settings.contrast_slope is None or contrast is None:
        message = "contrasts without masses, and no contrast_slope: set it from standards"
        return None, Flag(id="contrast_calibration", severity="invalid", message=message)
    kda = (contrast - settings.contrast_intercept) / settings.contrast_slope
    return np.sort(1e3 * kda[kda > 0]), None


def photometry_windows(
    mass: FloatArray, peaks: Sequence[Peak], settings: TechniqueSettings
) -> tuple[Windows, Flag | None]:
    """Lay the class bounds between the empty and the full peak.

    Where one of the two is not seen its mass is computed, with a flag.

    Parameters
    ----------
    mass : array, shape (n,)
        Da, ascending.
    peaks : sequence of Peak
    settings : TechniqueSettings
        With ``design_length``.
    """
    capsid = expected_capsid(settings).mean
    length = settings.design_length or 0.0
    expected = {"empty": capsid, "full": capsid + nucleotide_mass(settings) * length}
    seen = {}
    for name, centre in expected.items():
        near = [p for p in peaks if abs(p.mass / centre - 1) <= NEAR]
        if near:
            seen[name] = max(near, key=lambda p: p.ions).mass
    empty, full = (seen.get(name, centre) for name, centre in expected.items())
    bounds = (empty + f * (full - empty) for f in settings.class_bounds)
    edges = (MONOMER * empty, *bounds, max(2 * MONOMER * empty, 1.05 * full))
    at = np.searchsorted(mass, edges)
    members = {name: mass[at[i] : at[i + 1]] for i, name in enumerate(CLASSES)}
    found = Windows(edges, members, int(at[0]), int(mass.size - at[-1]))
    missing = [name for name in expected if name not in seen]
    if not missing:
        return found, None
    message = f"no {' and no '.join(missing)} peak is seen: its place is computed, as if DNA were protein"
    return found, Flag(id="photometry_scale", severity="warning", message=message)
