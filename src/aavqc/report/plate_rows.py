"""The rows of a plate that belong to a sample, in the order of a plate."""

from __future__ import annotations

from aavqc.documents import Payload, Sample, Well


def rows_of_sample(payload: Payload, sample: Sample) -> list[Well]:
    """Return the rows of a sample's wells: those that its diagnostics name, used or rejected."""
    wells: set[str] = set()
    for found in (sample.diagnostics.get("targets") or {}).values():
        wells.update(found.get("wells") or [])
        wells.update(r["well"] for r in found.get("rejected") or [] if "well" in r)
    return [row for row in payload.wells or [] if row.well in wells and row.sample_id == sample.sample_id]


def by_column(well: str) -> tuple[int, str]:
    """Sort key of wells: down the plate's columns."""
    digits = "".join(c for c in well if c.isdigit())
    return int(digits or 0), well
