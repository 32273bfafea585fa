"""Digital PCR plates: rows of wells, joint counts, droplets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aavqc.attributes import Technique
from aavqc.records.base import FloatArray, Record, stated


@dataclass(frozen=True, kw_only=True)
class WellDilution:
    """The dilution chain of a well as the export states it, and what its software made of it.

    Attributes
    ----------
    factor : float
        Of the sample before it became template.
    template_ul, reaction_ul : float or None
        Volume of template, and of the reaction that it went into.
    copies_per_ml : float or None
        In the undiluted sample, as exported.
    """

    factor: float
    template_ul: float | None = None
    reaction_ul: float | None = None
    copies_per_ml: float | None = None


@dataclass(frozen=True, kw_only=True)
class WellRow:
    """One row of a vendor's table: a well and one target, as exported.

    Counts are None where the export has none (never 0). ``merged_from`` lists the wells
    that a merged row stands for; such a row is never counted beside its members.

    Attributes
    ----------
    ci_low, ci_high, total_low, total_high : float or None
        The vendor's Poisson and total intervals of the concentration, copies/µL.
    linkage_per_ul : float or None
        The vendor's linked molecules, copies/µL.
    partition_volume_nl : float or None
        As the export itself reports it for this well; never implied by the row's own
        concentration.
    dilution : WellDilution or None
    status_reason : str
        Why the software refused a call, in its words.
    """

    well: str
    channel: str
    target: str
    sample: str
    accepted: int | None
    positives: int | None
    negatives: int | None
    threshold: float | None = None
    copies_per_ul: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    total_low: float | None = None
    total_high: float | None = None
    linkage_per_ul: float | None = None
    partition_volume_nl: float | None = None
    dilution: WellDilution | None = None
    status: str = ""
    status_reason: str = ""
    sample_type: str = ""
    merged_from: tuple[str, ...] = ()
    line: int | None = None


@dataclass(frozen=True, kw_only=True)
class WellClusters:
    """How many partitions of a well are positive for which targets together.

    Attributes
    ----------
    targets : tuple of str
        As in the table's rows, in the order of the patterns' places.
    counts : mapping of str to int
        Pattern → partitions: ``"10"`` is positive for the first target and negative for the
        second. Patterns that the export does not list hold none.
    unclassified : int
        Partitions that the vendor left without a call for one target or more.
    """

    targets: tuple[str, ...]
    counts: Mapping[str, int]
    unclassified: int = 0


@dataclass(frozen=True, kw_only=True)
class Droplets:
    """The droplets of one well.

    Attributes
    ----------
    amplitude : array, shape (n, channels)
    positive : int8 array, shape (n, channels), or None
        The vendor's call: 1, 0, or -1 for a droplet gated out or unclassified.
    channels : tuple of str
    """

    amplitude: FloatArray
    positive: NDArray[np.int8] | None
    channels: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, repr=False)
class DropletPlate(Record):
    """A digital PCR plate: the vendor's rows, and the droplets where they were exported.

    Attributes
    ----------
    software : str
        Name and version of the software as far as the export shows it.
    rows : tuple of WellRow
        In the natural order of wells, then channel. Empty for amplitudes without a table.
    droplets : mapping of str to Droplets
        By well (``A01``); may be empty.
    clusters : mapping of str to tuple of WellClusters
        By well: joint counts as exported. One entry for all targets of a cluster export, one
        a pair of channels for a table with quadrants.
    partition_volume_nl : float or None
        Of the wells whose rows report none.
    partition_volume_source : {'software', 'reported', 'default'}
        ``software``: the value that the software's maker documents.
    """

    technique: ClassVar[Technique] = "ddpcr"
    software: str
    rows: tuple[WellRow, ...]
    droplets: Mapping[str, Droplets] = field(default_factory=dict)
    clusters: Mapping[str, tuple[WellClusters, ...]] = field(default_factory=dict)
    partition_volume_nl: float | None
    partition_volume_source: str

    def describe(self) -> dict[str, Any]:
        """Return the metadata that ``aavqc inspect`` prints."""
        facts = {
            "software": self.software,
            "wells": sorted({r.well for r in self.rows} | set(self.droplets)),
            "targets": sorted({r.target for r in self.rows}),
            "samples": sorted({r.sample for r in self.rows}),
            "rows": len(self.rows),
            "wells_with_droplets": len(self.droplets),
            "droplets": sum(d.amplitude.shape[0] for d in self.droplets.values()),
            "wells_with_clusters": len(self.clusters),
            "partition_volume_nl": self.partition_volume_nl,
            "partition_volume_source": self.partition_volume_source,
        }
        return stated(facts)
