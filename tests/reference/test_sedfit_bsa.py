"""BSA, interference, 50 000 rpm: SEDFIT's published c(s) of the same 129 scans.

SEDFIT's tutorial pages: f/f0 1.24, rmsd 0.0045–0.0046 fringes, total 1–15 S 2.17 fringes,
dimer 6.68 S and 11.5 % (11–12 %); meniscus 6.230 cm; s as measured, no s20,w.
"""

from __future__ import annotations

from pathlib import Path

from aavqc.selftest.real import sedfit_bsa


def test_bsa_agrees_with_sedfit(reference_data: Path) -> None:
    checks = list(sedfit_bsa(reference_data))
    assert len(checks) == 8
    assert [c for c in checks if c.status != "passed"] == []
