"""The rows of a plate with the counts in use, their concentrations and intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from aavqc.ddpcr.calls import OwnCall
from aavqc.ddpcr.chain import Dilution
from aavqc.ddpcr.poisson import Vendor, copies_per_droplet, poisson_interval
from aavqc.ddpcr.settings import TechniqueSettings
from aavqc.ddpcr.spread import Exposed, total_interval, with_hidden
from aavqc.ddpcr.volumes import Volume, partition_volumes
from aavqc.documents import Well
from aavqc.records import DropletPlate, Droplets, WellDilution, WellRow

NO_CALL = "NO_CALL"
FEWEST = 1000
"""Droplets below which a well says nothing; Bio-Rad's software refuses it as well."""


@dataclass(frozen=True, kw_only=True)
class WellCount:
    """One well and target: counts in use, and the partition volume with its source.

    ``positives`` is None where nobody called the droplets; ``calls`` tells who did. ``own`` is
    what is called here, in use or not. ``volume_cv`` is the scatter of partition volumes in the
    well that concentrations are corrected for; ``volume_implied_nl`` is the one that the table's
    concentration was computed with. ``disagrees`` tells that the droplets on file are
    not those of the table.
    """

    well: str
    channel: str
    target: str
    accepted: int | None
    positives: int | None
    threshold: float | None
    volume_nl: float | None
    volume_source: str
    volume_implied_nl: float | None
    vendor_status: str
    merged_from: tuple[str, ...]
    disagrees: bool
    calls: Literal["vendor", "own"] | None
    positives_vendor: int | None = None
    own: OwnCall | None = None
    volume_cv: float = 0.0
    chain: WellDilution | None = None

    @property
    def copies_per_droplet(self) -> float | None:
        """λ, or None where it can't be had."""
        if self.positives is None or not self.accepted:
            return None
        return copies_per_droplet(self.positives, self.accepted, self.volume_cv)

    @property
    def hidden(self) -> float:
        """Droplets below the gate that may be positive, as a share of those above; 0 for a vendor's calls."""
        return self.own.gate.hidden if self.calls == "own" and self.own is not None else 0.0

    @property
    def saturated(self) -> bool:
        """Every droplet is positive."""
        return self.positives is not None and 0 < self.positives == self.accepted

    @property
    def copies_per_ul(self) -> float | None:
        """Concentration in the reaction, None also where there are too few droplets."""
        if self.copies_per_droplet is None or self.volume_nl is None or (self.accepted or 0) < FEWEST:
            return None
        return self.copies_per_droplet / self.volume_nl * 1e3

    @property
    def status(self) -> str:
        """The vendor's word, or NO_CALL, and what stands against the number."""
        words = [{"vendor": self.vendor_status, "own": "OK", None: NO_CALL}[self.calls]]
        if self.accepted is not None and self.accepted < FEWEST:
            words.append(f"accepted < {FEWEST}")
        if self.saturated:
            words.append("no negatives")
        return "; ".join(filter(None, words))


def count_wells(
    record: DropletPlate,
    settings: Mapping[str, TechniqueSettings],
    own: Mapping[tuple[str, str], OwnCall],
) -> list[WellCount]:
    """Return the counts of all rows, by well (down the plate's columns), then channel.

    The table's counts are the vendor's where it has them, else those of its clusters.
    Droplets without a row are listed by channel.

    Parameters
    ----------
    record : DropletPlate
    settings : mapping of str to TechniqueSettings
        By well.
    own : mapping of (str, str) to OwnCall
        By well and channel: droplets called here.
    """
    rows = sorted(
        [*record.rows, *_rows_of_droplets(record)],
        key=lambda row: (int(row.well[1:]), row.well[0], row.channel, row.target),
    )
    volumes = partition_volumes(record, rows, settings)
    shared = Counter((row.well, row.channel) for row in rows)
    return [
        _count(
            row,
            record,
            settings[row.well],
            volumes[row.well, row.channel, row.target],
            own.get((row.well, row.channel)) if shared[row.well, row.channel] == 1 else None,
        )
        for row in rows
    ]


def vendor_of(record: DropletPlate) -> Vendor:
    """Return whose formulas ``interval = "vendor"`` means for a plate."""
    software = record.software.lower()
    if "qiacuity" in software:
        return "qiacuity"
    return "absoluteq" if "absolute" in software else "bio-rad"


def interval_of(
    count: WellCount, plate: Sequence[WellCount], settings: TechniqueSettings, vendor: Vendor = "bio-rad"
) -> tuple[float | None, float | None]:
    """Return the interval of a well's concentration in copies/µL."""
    if count.positives is None or count.volume_nl is None or (count.accepted or 0) < FEWEST:
        return None, None
    low, high = poisson_interval(
        count.positives, count.accepted or 0, settings.interval, settings.coverage, vendor, count.volume_cv
    )
    scale = 1e3 / count.volume_nl
    bounds = low * scale, None if high is None else high * scale
    if settings.interval == "vendor_total" and count.merged_from and count.copies_per_ul is not None:
        members = [exposed(c) for c in plate if c.well in count.merged_from and c.target == count.target]
        return total_interval(count.copies_per_ul, bounds, [m for m in members if m], settings.coverage)
    well = exposed(count)
    if well is None or settings.interval in ("vendor", "vendor_total"):
        return bounds
    return with_hidden(*bounds, [well], settings.coverage)


def exposed(count: WellCount, factor: float = 1.0) -> Exposed | None:
    """Return a count with its exposure: copies a droplet at unit concentration over ``factor``."""
    if count.positives is None or not count.accepted or count.volume_nl is None:
        return None
    exposure = count.volume_nl * 1e-3 / factor
    return Exposed(count.positives, count.accepted, exposure, count.volume_cv, count.hidden)


def well_document(
    count: WellCount,
    sample_id: str,
    interval: tuple[float | None, float | None],
    linked_per_ul: float | None,
    dilution: Dilution | None,
) -> Well:
    """Return a row as the result document has it."""
    negatives, undiluted = None, None
    if dilution is not None and count.copies_per_ul is not None:
        undiluted = count.copies_per_ul * dilution.factor * 1e3
    if count.positives is not None and count.accepted is not None:
        negatives = count.accepted - count.positives
    return Well(
        well=count.well,
        channel=count.channel or None,
        target=count.target,
        sample_id=sample_id,
        accepted=count.accepted,
        positives=count.positives,
        negatives=negatives,
        threshold=count.threshold,
        copies_per_ul=count.copies_per_ul,
        ci_low=interval[0],
        ci_high=interval[1],
        partition_volume_nl=count.volume_nl,
        partition_volume_source=count.volume_source,
        calls=count.calls,
        positives_vendor=count.positives_vendor,
        positives_own=count.own.positives if count.own else None,
        merged_from=list(count.merged_from),
        status=count.status or None,
        linked_per_ul=linked_per_ul,
        undiluted_per_ml=undiluted,
    )


def _rows_of_droplets(record: DropletPlate) -> Iterable[WellRow]:
    known = {row.well for row in record.rows}
    for well, droplets in record.droplets.items():
        if well not in known:
            for channel in droplets.channels:
                yield WellRow(
                    well=well,
                    channel=channel,
                    target=channel,
                    sample="",
                    accepted=None,
                    positives=None,
                    negatives=None,
                )


def _count(
    row: WellRow,
    record: DropletPlate,
    settings: TechniqueSettings,
    volume: Volume,
    own: OwnCall | None,
) -> WellCount:
    droplets = record.droplets.get(row.well)
    on_file = _droplet_count(droplets, row.channel) if droplets else None
    refused = vendor_of(record) == "bio-rad" and not _called(row)
    accepted, vendor = row.accepted, None if refused else row.positives
    if on_file and accepted is None:
        accepted, vendor = on_file
    disagrees = droplets is not None and _disagree(row, droplets, on_file)
    usable = None if disagrees and settings.calls == "auto" else own
    if settings.calls == "own" or (settings.calls == "auto" and vendor is None):
        positives, calls = (usable.positives, "own") if usable else (None, None)
        accepted = usable.accepted if usable else accepted
        threshold = usable.threshold if usable else None
    else:
        positives, calls = vendor, None if vendor is None else "vendor"
        threshold = row.threshold
    return WellCount(
        well=row.well,
        channel=row.channel,
        target=row.target,
        accepted=accepted,
        positives=positives,
        threshold=threshold,
        volume_nl=volume.nl,
        volume_source=volume.source,
        volume_implied_nl=volume.implied_nl,
        vendor_status=row.status,
        merged_from=row.merged_from,
        disagrees=disagrees,
        calls=calls,  # type: ignore[arg-type]
        positives_vendor=vendor,
        own=own,
        volume_cv=settings.volume_cv,
        chain=row.dilution,
    )


def _called(row: WellRow) -> bool:
    """Tell a count of 0 from a call that was refused, which the software also writes as 0."""
    if row.positives is None:
        return False
    return row.positives > 0 or row.copies_per_ul is not None


def _droplet_count(droplets: Droplets, channel: str) -> tuple[int, int | None] | None:
    """Return droplets and positives of a channel, by the vendor's calls where there are any."""
    if channel not in droplets.channels:
        return None
    if droplets.positive is None:
        return droplets.amplitude.shape[0], None
    calls = droplets.positive[:, droplets.channels.index(channel)]
    return int(np.count_nonzero(calls >= 0)), int(np.count_nonzero(calls == 1))


def _disagree(row: WellRow, droplets: Droplets, on_file: tuple[int, int | None] | None) -> bool:
    if row.accepted is None:
        return False
    totals = {droplets.amplitude.shape[0], on_file[0] if on_file else None}
    called = None if on_file is None else on_file[1]
    return row.accepted not in totals or (called is not None and called != row.positives)
