"""Wells that the sample sheet and the plates do not have in common."""

from __future__ import annotations

from collections.abc import Iterable

from aavqc.documents import Payload, Well


def wells_left_out(payloads: Iterable[Payload]) -> dict[str | None, list[str]]:
    """Return what the lots of each plate must know: wells in no row of the sheet, wells not on the plate.

    A plate that the sheet does not name at all has no lots, and is told elsewhere.
    """
    found: dict[str | None, list[str]] = {}
    for payload in payloads:
        texts = []
        if left := unassigned(payload):
            wells = ", ".join(dict.fromkeys(well.well for well in left))
            texts.append(f"{payload.samples[0].record}: no row in the sample sheet for {wells}")
        for sample in payload.samples:
            missing = (flag.message for flag in sample.flags if flag.id == "well_missing")
            texts += [f"{sample.record}, {sample.sample_id}: {message}" for message in missing]
        for lot in sorted({s.lot for s in payload.samples if s.lot is not None and s.role == "sample"}):
            found.setdefault(lot, []).extend(texts)
    return found


def unassigned(payload: Payload) -> list[Well]:
    """Return the rows of wells that no row of the sheet names, though others of their plate are named."""
    if all(s.lot is None for s in payload.samples):
        return []
    without = {s.sample_id for s in payload.samples if s.lot is None and s.role == "sample"}
    return [well for well in payload.wells or [] if well.sample_id in without]
