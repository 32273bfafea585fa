"""Titers from absorbance: what was mixed comes back, and what is no mixture is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aavqc.attributes import Attribute
from aavqc.errors import AssayError, UsageError
from aavqc.results import agreement, titers_from_absorbance

CAPSID, NUCLEOTIDE, LENGTH = (3.72e6, 6.61e6), (6180.0, 3430.0), 4500.0
AVOGADRO = 6.02214076e23


def absorbances(vg: float, cp: float, path: float = 1.0) -> tuple[float, float]:
    genomes, capsids = vg * 1000 / AVOGADRO, cp * 1000 / AVOGADRO
    a, b = (path * (e * LENGTH * genomes + c * capsids) for e, c in zip(NUCLEOTIDE, CAPSID, strict=True))
    return a, b


def titers(a260: float, a280: float, a320: float = 0.0, **more: Any) -> list[Attribute]:
    return titers_from_absorbance(
        a260,
        a280,
        a320,
        extinction_capsid=CAPSID,
        extinction_nucleotide=NUCLEOTIDE,
        design_length=LENGTH,
        **more,
    )


def test_what_was_mixed_comes_back() -> None:
    a, b = absorbances(1.2e13, 1.7e13, path=0.5)
    vg, cp = titers(a + 0.03, b + 0.03, 0.03, path_length_cm=0.5, dilution_factor=4.0)
    assert (vg.value, cp.value) == (pytest.approx(4.8e13), pytest.approx(6.8e13))
    assert (vg.name, cp.name, vg.unit, cp.unit) == ("vg_titer_optical", "cp_titer_optical", "vg/mL", "cp/mL")
    assert (vg.ci_low, vg.scope) == (None, None)


def test_the_interval_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(5)
    a, b = absorbances(1.2e13, 1.7e13)
    drawn = []
    for _ in range(4000):
        e = np.array([*CAPSID, *NUCLEOTIDE]) * (1 + rng.normal(0, 0.03, 4))
        n = rng.normal(0, 0.003, 3)
        found = titers_from_absorbance(
            a + n[0],
            b + n[1],
            n[2],
            extinction_capsid=(e[0], e[1]),
            extinction_nucleotide=(e[2], e[3]),
            design_length=LENGTH,
        )
        drawn.append([t.value for t in found])
    for t, values in zip(
        titers(a, b, absorbance_sd=0.003, extinction_rel_sd=0.03), np.array(drawn).T, strict=True
    ):
        assert t.ci_low is not None
        assert t.ci_high is not None
        assert (t.ci_high - t.ci_low) / (2 * 1.96) == pytest.approx(values.std(), rel=0.06)
        assert t.scope == "fit"


def test_empty_capsids_have_no_genomes_and_protein_free_dna_is_no_vector() -> None:
    a, b = absorbances(0.0, 1.7e13)
    vg, cp = titers(a - 0.001, b, absorbance_sd=0.003)
    assert (vg.value, vg.qualifier) == (0.0, "ND")
    assert vg.bound == vg.ci_high
    assert cp.qualifier is None
    with pytest.raises(AssayError, match="no mixture"):
        titers(a - 0.1, b, absorbance_sd=0.003)
    with pytest.raises(AssayError):
        titers(0.5, 0.1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"path_length_cm": 0.0},
        {"dilution_factor": float("nan")},
        {"design_length": -1.0},
        {"extinction_nucleotide": (3430.0, 6095.0)},  # DNA of the colour of protein
    ],
)
def test_what_can_t_be_is_refused(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {
        "extinction_capsid": CAPSID, "extinction_nucleotide": NUCLEOTIDE, "design_length": LENGTH
    }  # fmt: skip
    with pytest.raises(UsageError):
        titers_from_absorbance(0.6, 0.4, 0.0, **(given | wrong))


def test_an_optical_titer_meets_the_others_in_the_agreement() -> None:
    vg, _ = titers(*absorbances(1.2e13, 1.7e13))
    dpcr = Attribute(name="vg_titer", target="ITR", technique="ddpcr", value=1e13, unit="vg/mL")
    (found,) = agreement([vg, dpcr]).comparisons
    assert found.methods == ["ddpcr", "absorbance (optical)"]
    assert found.answer == "not assessable"
