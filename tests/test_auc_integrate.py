"""A distribution of another program is integrated as given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import aavqc


def test_a_saved_distribution_is_integrated(tmp_path: Path) -> None:
    s = np.linspace(20, 160, 281)

    def peak(at: float, area: float) -> np.ndarray:
        return area * np.exp(-0.5 * ((s - at) / 1.0) ** 2) / (1.0 * np.sqrt(2 * np.pi))

    c = peak(65.0, 0.1) + peak(107.0, 0.3)
    (tmp_path / "cell1.dat").write_text("".join(f"{a:.4f}\t{b:.8f}\n" for a, b in zip(s, c, strict=True)))
    result = aavqc.analyze(tmp_path / "cell1.dat", design_length=4700)
    found = {name: a.value for name, a in result.attributes.items()}
    assert found["total_signal"] == pytest.approx(0.4, rel=1e-3)
    assert found["percent_empty_signal"] == pytest.approx(25.0, abs=0.1)
    assert found["percent_full_signal"] == pytest.approx(75.0, abs=0.1)
    assert all(a.ci_low is None for a in result.attributes.values())
    peaks = result.samples[0].diagnostics["peaks"]
    assert [p["class"] for p in peaks] == ["empty", "full"]
