"""What several figures of a mass spectrum need of a sample: bounds, shares, numbers."""

from __future__ import annotations

from aavqc.attributes import CLASSES, Attribute
from aavqc.documents import Sample


def class_edges(sample: Sample) -> list[float] | None:
    """Return the class bounds in MDa that the reported method uses: five, or None."""
    methods = sample.diagnostics.get("methods") or {}
    for name in ("mixture", "window"):
        edges = (methods.get(name) or {}).get("edges_mda")
        if edges:
            return [float(e) for e in edges]
    return None


def particle_name(sample: Sample) -> str:
    """Name what was weighed: ions, or particles of mass photometry."""
    photometry = (sample.diagnostics.get("calibration") or {}).get("instrument") == "mass_photometry"
    return "particles" if photometry else "ions"


def ions_used(sample: Sample) -> int:
    """Return how many ions are in use."""
    return next((row["ions"] for row in sample.diagnostics["funnel"] if row["step"] == "used"), 0)


def class_shares(sample: Sample) -> list[Attribute]:
    """Return the composition, as far as there is one."""
    named = {a.name: a for a in sample.attributes}
    return [named[f"percent_{c}"] for c in CLASSES if f"percent_{c}" in named]


def mixture_peaks(sample: Sample) -> list[dict[str, float]]:
    """Return the peaks of the mixture."""
    methods = sample.diagnostics.get("methods") or {}
    return list((methods.get("mixture") or {}).get("peaks") or [])
