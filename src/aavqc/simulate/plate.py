"""A simulated plate as every vendor's layout takes it: droplets, the software's calls, volumes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DYES = ("FAM", "HEX", "Cy5", "Cy5.5", "ROX", "ATTO590")


@dataclass(frozen=True)
class SimulatedWell:
    """One well; amplitudes and calls have shape (droplets, targets)."""

    well: str
    sample: str
    dilution: float
    amplitude: NDArray[np.float64]
    positive: NDArray[np.bool_]
    volume_nl: float

    @property
    def accepted(self) -> int:
        """All droplets."""
        return int(self.positive.shape[0])

    def positives(self, target: int) -> int:
        """Droplets that are called positive for a target."""
        return int(np.count_nonzero(self.positive[:, target]))

    def concentration(self, target: int) -> float | None:
        """Copies/µL as the software has it; None where no droplet is negative."""
        k, n = self.positives(target), self.accepted
        return None if k == n else 1e3 / self.volume_nl * math.log(n / (n - k))

    def half_width(self, target: int) -> float | None:
        """Relative half-width of the 95 % interval by the normal approximation of λ."""
        k, n = self.positives(target), self.accepted
        if not 0 < k < n:
            return None
        return 1.959964 * math.sqrt(k / n / (n - k)) / math.log(n / (n - k))

    def patterns(self, targets: Sequence[int]) -> dict[str, int]:
        """Joint calls: ``"10"`` is positive for the first of the targets alone."""
        places = 1 << np.arange(len(targets))[::-1]
        counts = np.bincount(self.positive[:, list(targets)] @ places, minlength=1 << len(targets))
        return {format(code, f"0{len(targets)}b"): int(n) for code, n in enumerate(counts)}

    def means(self, target: int) -> tuple[float | None, float | None, float]:
        """Mean amplitude of the positives, the negatives, and all."""
        values, called = self.amplitude[:, target], self.positive[:, target]
        above, below = values[called], values[~called]
        return (
            float(above.mean()) if above.size else None,
            float(below.mean()) if below.size else None,
            float(values.mean()),
        )


@dataclass(frozen=True)
class SimulatedPlate:
    """A plate: its targets in the order of the channels, their thresholds, and its wells."""

    name: str
    targets: Sequence[str]
    thresholds: Sequence[float]
    wells: Sequence[SimulatedWell]

    @property
    def dyes(self) -> tuple[str, ...]:
        """The dye of each target."""
        return DYES[: len(self.targets)]


def short(well: str) -> str:
    """Return a well without its zero: ``A1``.

    Examples
    --------
    >>> short("A01"), short("H12")
    ('A1', 'H12')
    """
    return f"{well[0]}{int(well[1:])}"
