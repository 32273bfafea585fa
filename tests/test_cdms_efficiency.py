"""CDMS: shares corrected for detection efficiency, only where it is stated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aavqc.analysis import analyze
from aavqc.attributes import CLASSES, Attribute
from aavqc.cdms.efficiency import corrected
from aavqc.cdms.settings import TechniqueSettings
from aavqc.errors import UsageError
from aavqc.intervals import wilson
from aavqc.settings import build
from cdms_lists import Lot, draw

AAV = {"charge_slope": 112_100.0, "serotype": "AAV2", "design_length": 4700, "sigma_z": 1.0}
EFFICIENCY = {"partial": 0.9, "full": 0.7, "overfull": 0.6}
TRUTH = np.array([0.30, 0.12, 0.50, 0.08])


def stated(rel_sd: float = 0.0, **further: Any) -> dict[str, Any]:
    return {f"efficiency.{k}": v for k, v in {**EFFICIENCY, "rel_sd": rel_sd, **further}.items()}


def counted(counts: np.ndarray) -> list[Attribute]:
    n = int(counts.sum())
    rows = []
    for name, k in zip(CLASSES, counts.tolist(), strict=True):
        low, high = wilson(k, n)
        rows.append(
            Attribute(
                name=f"percent_{name}", technique="cdms", value=100 * k / n, unit="%", ci_low=100 * low,
                ci_high=100 * high, coverage=0.95, scope="fit", lod=300 / n,
            )
        )  # fmt: skip
    return rows


@pytest.mark.parametrize(("rel_sd", "one_error"), [(0.0, False), (0.05, False), (0.05, True)])
def test_intervals_hold_the_truth_of_what_was_there_before_it_was_detected(
    rel_sd: float, one_error: bool
) -> None:
    """Detected counts are multinomial in share × efficiency; the stated efficiency is off by its SD."""
    rng = np.random.default_rng(4)
    nominal = np.array([1.0, *EFFICIENCY.values()])
    settings = build(TechniqueSettings, stated(rel_sd))
    held, values, lists = np.zeros(4), [], 2000
    for _ in range(lists):
        error = rng.normal(0, rel_sd, 1 if one_error else 3) if rel_sd else np.zeros(3)
        true = nominal * np.array([1.0, *(np.ones(3) + error)])
        found = corrected(counted(rng.multinomial(4000, TRUTH * true / (TRUTH * true).sum())), settings)
        values.append([a.value for a in found.attributes])
        held += [a.ci_low <= 100 * t <= a.ci_high for a, t in zip(found.attributes, TRUTH, strict=True)]
    assert np.mean(values, axis=0) == pytest.approx(100 * TRUTH, abs=0.25)
    assert np.sum(values, axis=1) == pytest.approx(100)
    assert (held / lists >= 0.935).all(), held / lists
    if not rel_sd:
        assert (held / lists <= 0.965).all(), held / lists


def test_a_thinned_list_reads_as_the_whole_one_and_says_so() -> None:
    whole = draw(Lot((0.3, 0.12, 0.5, 0.08), 20_000), 2)
    mass = (whole.intensity / 112_100.0) * whole.mz
    full = mass > 3.7404e6 + 3995 * 308.95
    kept = ~full | (np.random.default_rng(1).random(mass.size) < 0.7)
    thin = type(whole)(
        **{f: getattr(whole, f) for f in ("name", "sample_id", "format", "inputs", "charge")},
        mz=whole.mz[kept],
        intensity=whole.intensity[kept],
        scan=whole.scan[kept],
        rows_read=int(kept.sum()),
    )
    plain, found = analyze(thin, **AAV), analyze(thin, **AAV, **stated(0.01, partial=1.0, overfull=0.7))
    truth = analyze(whole, **AAV).attributes
    for name in CLASSES:
        key = f"percent_{name}"
        assert found.attributes[key].value == pytest.approx(truth[key].value, abs=0.8)
        # the methods' own shares stay as they were seen, and what was reported before is said
        before = found.samples[0].diagnostics["efficiency"]["uncorrected"]
        assert before[key] == plain.attributes[key].value
        assert found.samples[0].diagnostics["methods"]["mixture"][key] == before[key]
    assert plain.attributes["percent_full"].value < truth["percent_full"].value - 4
    assert [f.severity for f in found.samples[0].flags if f.id == "efficiency_corrected"] == ["info"]
    assert plain.samples[0].diagnostics["efficiency"] is None
    assert found.attributes["mass_full"] == plain.attributes["mass_full"]


def test_equal_efficiencies_change_nothing() -> None:
    rows = counted(np.array([300, 0, 700, 0]))
    found = corrected(rows, build(TechniqueSettings, stated(0.0, partial=1, full=1, overfull=1)))
    for before, after in zip(rows, found.attributes, strict=True):
        for name in ("value", "ci_low", "ci_high", "lod"):
            assert getattr(after, name) == pytest.approx(getattr(before, name), abs=1e-9)


def test_all_efficiencies_are_stated_or_none() -> None:
    with pytest.raises(UsageError, match="all of them or none"):
        build(TechniqueSettings, {"efficiency.full": 0.8})
