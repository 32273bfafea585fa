"""Published tables of Bio-Rad's instruments: every row's counts and numbers, as an own reading has them.

Sources: monis4567 (eDNA, QX200), joeshaw824/ddpcr_nipd (QuantaSoft 1.7), Gaebler-Lab/Q4ddPCR (QX
Manager 2, six colours), daattali/ddpcr (QuantaSoft Analysis Pro); see the data's PROVENANCE.
"""

from __future__ import annotations

from pathlib import Path

from aavqc.selftest.real import bio_rad_tables


def test_every_published_row_is_read_as_it_stands(reference_data: Path) -> None:
    rows, listed = bio_rad_tables(reference_data)
    assert rows.expected == "1728 equal"
    assert [c for c in (rows, listed) if c.status != "passed"] == []
