"""What of the dMIQE checklist software can fill in.

Huggett JF et al (2013) Clin Chem 59:892; dMIQE Group (2020) Clin Chem 66:1012. Oligonucleotides,
handling of samples and cycling are for people to state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from aavqc.ddpcr.background import Background
from aavqc.ddpcr.poisson import copies_per_droplet, poisson_interval
from aavqc.ddpcr.selection import Used
from aavqc.records import DropletPlate


def dmiqe(
    target: str, wells: Sequence[Used], found: Mapping[str, Any], background: Background, record: DropletPlate
) -> dict[str, Any]:
    """Return the table of one target of a sample.

    Parameters
    ----------
    target : str
    wells : sequence of Used
        All wells of the target, in use or not.
    found : mapping
        The target's diagnostics.
    background : Background
        Of the wells without template.
    record : DropletPlate
    """
    kept = [u.count for u in wells if u.count.well in found["wells"]]
    accepted = [c.accepted or 0 for c in kept]
    volumes = [(c.accepted or 0) * (c.volume_nl or 0.0) * 1e-3 for c in kept]
    densities = [d for c in kept if (d := c.copies_per_droplet) is not None]
    gate = found["gate"] or {}
    return {
        "target": target,
        "accepted_partitions_mean": _mean(accepted),
        "accepted_partitions_sd": _sd(accepted),
        "partition_volume_nl": sorted({c.volume_nl for c in kept if c.volume_nl is not None}),
        "partition_volume_source": sorted({c.volume_source for c in kept}),
        "volume_analysed_ul": math.fsum(volumes) if volumes else None,
        "copies_per_partition": found["lambda"],
        "copies_per_partition_variance": _variance(found["k"], found["n"]),
        "dynamic_range_lambda": [min(densities), max(densities)] if densities else None,
        "wells_without_negatives": [c.well for c in kept if c.saturated],
        "thresholds": [{"well": c.well, "threshold": c.threshold, "calls": c.calls} for c in kept],
        "blank_positives": background.k if background.n else None,
        "blank_partitions": background.n or None,
        "blank_copies_per_partition_upper": _upper(background),
        "replicates": len(kept),
        "repeatability_cv_percent": found["cv_percent"],
        "dispersion": found["dispersion"],
        "dispersion_p": found["dispersion_p"],
        "dilution": found["dilution"],
        "limits_positives": found["limits"],
        "rain_share": gate.get("rain"),
        "excluded_wells": found["rejected"],
        "software": record.software,
    }


def _variance(k: int, n: int) -> float | None:
    """Return Var(λ) = p / (n (1 - p))."""
    return k / (n * (n - k)) if copies_per_droplet(k, n) is not None else None


def _upper(background: Background) -> float | None:
    return poisson_interval(background.k, background.n, "clopper_pearson")[1] if background.n else None


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _sd(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
