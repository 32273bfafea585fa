"""BSA, interference, 50 000 rpm: SEDFIT's published c(s) of the same 129 scans.

SEDFIT's tutorial pages: f/f0 1.24, rmsd 0.0045–0.0046 fringes, total 1–15 S 2.17 fringes,
dimer 6.68 S and 11.5 % (11–12 %); meniscus 6.230 cm; s as measured, no s20,w.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import aavqc


def test_bsa_agrees_with_sedfit(reference_data: Path) -> None:
    result = aavqc.analyze(
        reference_data / "auc" / "bsa_sv",
        model="cs",
        s_range="0.1,15",
        resolution=200,
        fit="meniscus,frictional_ratio",
        vbar=0.73,
        density=1.005,
        viscosity=1.02,
    )
    found = result.samples[0].diagnostics
    assert found["rmsd"] <= 0.0047
    assert found["meniscus"] == pytest.approx(6.230, abs=0.005)
    assert found["frictional_ratio"] == pytest.approx(1.24, abs=0.03)
    assert found["scans_used"] == 129
    s, signal = (np.array(found["distribution"][k]) for k in ("s", "signal"))
    total = signal[s >= 1.0].sum()
    assert total == pytest.approx(2.17, abs=0.05)
    dimer = min(found["peaks"], key=lambda p: abs(p["s"] - 6.68))
    assert dimer["s"] == pytest.approx(6.68, abs=0.1)
    assert 100 * dimer["signal"] / total == pytest.approx(11.5, abs=0.7)
    monomer = max((p for p in found["peaks"] if p["s"] > 1.0), key=lambda p: p["signal"])
    assert 4.2 <= monomer["s"] <= 4.6
