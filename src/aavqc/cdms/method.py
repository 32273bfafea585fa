"""What one way of counting says of a sample: the common form of mixture and deconvolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aavqc.documents import Flag

Triple = tuple[float, float, float]
"""A value and the bounds of its interval."""


@dataclass(frozen=True)
class ClassShare:
    """Share of a class, 0–1: value, interval, and the least that can be told from none."""

    value: float
    low: float
    high: float
    detectable: float


@dataclass(frozen=True)
class Method:
    """Result of one method.

    Attributes
    ----------
    peaks : list of dict
        ``mass_mda``, ``sd_mda``, ``ions``, ``fraction``: of ions, never of an area.
    shares : mapping of class to ClassShare
        Sum 1; empty without classes.
    masses : mapping of str to Triple
        ``empty``, ``full``, ``genome`` in Da, as far as they were found.
    facts : mapping
        What else the diagnostics say.
    flags : tuple of Flag
    """

    peaks: list[dict[str, Any]]
    shares: Mapping[str, ClassShare] = field(default_factory=dict)
    masses: Mapping[str, Triple] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    flags: tuple[Flag, ...] = ()

    def document(self) -> dict[str, Any]:
        """Return what the diagnostics hold of the method."""
        shares = {f"percent_{name}": 100 * share.value for name, share in self.shares.items()}
        return {"peaks": self.peaks, **shares, **self.facts}


def peak_row(mass: float, sd: float, ions: float, total: float) -> dict[str, Any]:
    """Return a peak as the contract names it; masses in Da."""
    return {"mass_mda": mass / 1e6, "sd_mda": sd / 1e6, "ions": ions, "fraction": ions / total}
