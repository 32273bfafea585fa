"""Density and viscosity from a composition, s20,w by the buoyancy of each class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.solvent import solvent_flags, solvent_of, water_density, water_viscosity
from aavqc.auc.water import to_water, vbar_of
from aavqc.errors import UsageError
from aavqc.records import InputFile
from aavqc.settings import build

PBS = {"solvent.NaCl": 0.137, "solvent.KCl": 0.0027, "solvent.phosphate": 0.0118}


@pytest.mark.parametrize(
    ("temperature", "density", "viscosity"),
    # the handbook's tables of water at 1 atm
    [(4.0, 0.999975, 1.567), (10.0, 0.999702, 1.306), (20.0, 0.998207, 1.0016), (37.0, 0.993333, 0.6913)],
)
def test_water_by_temperature(temperature: float, density: float, viscosity: float) -> None:
    assert water_density(temperature) == pytest.approx(density, abs=2e-5)
    assert water_viscosity(temperature) == pytest.approx(viscosity, rel=3e-3)


@pytest.mark.parametrize(
    ("composition", "density", "viscosity"),
    # handbook tables at 20 °C, by mass fraction: NaCl 5 %, MgCl2 1 %, sucrose 5, 10 and 20 %, glycerol 10 %
    [
        ({"NaCl": 0.885}, 1.0340, 1.081),
        ({"MgCl2": 0.106}, 1.0065, 1.044),
        ({"sucrose": 0.149}, 1.0178, 1.146),
        ({"sucrose": 0.303}, 1.0381, 1.336),
        ({"sucrose": 0.632}, 1.0810, 1.945),
        ({"glycerol": 1.109}, 1.0215, 1.30),
    ],
)
def test_solutions_of_the_handbook(composition: dict[str, float], density: float, viscosity: float) -> None:
    found = solvent_of(build(TechniqueSettings, {"solvent": composition}), 20.0)
    assert found is not None
    assert found.density == pytest.approx(density, abs=0.002)
    assert found.viscosity == pytest.approx(viscosity, rel=0.015)


def test_phosphate_buffered_saline() -> None:
    found = solvent_of(build(TechniqueSettings, PBS), 20.0)
    assert found is not None
    assert found.density == pytest.approx(1.0055, abs=5e-4)
    assert found.viscosity == pytest.approx(1.019, rel=5e-3)
    cold = solvent_of(build(TechniqueSettings, PBS), 5.0)
    assert cold is not None
    assert cold.viscosity / found.viscosity == pytest.approx(1.5182 / 1.0016, rel=5e-3)


def test_what_is_given_wins_and_nothing_is_assumed() -> None:
    both = build(TechniqueSettings, {**PBS, "density": 1.02, "viscosity": 1.3})
    assert solvent_of(both, 20.0) is not None
    assert (solvent_of(both, 20.0).density, solvent_of(both, 20.0).source) == (1.02, "given")  # type: ignore[union-attr]
    half = build(TechniqueSettings, {**PBS, "viscosity": 1.3})
    assert solvent_of(half, 20.0).source == "one given, one by composition"  # type: ignore[union-attr]
    assert solvent_of(build(TechniqueSettings, {"density": 1.0}), 20.0) is None
    blind = build(TechniqueSettings, {"solvent.iodixanol": "20 %"})
    assert solvent_of(blind, 20.0) is None
    assert solvent_of(build(TechniqueSettings, {"solvent.iodixanol": "20 %", "viscosity": 1.6}), 20.0)


def test_amounts_by_mass_and_by_any_spelling() -> None:
    settings = build(
        TechniqueSettings, {"solvent.sucrose": 0.1}, {"solvent.Sucrose": "5%", "solvent.NACL": "0.2"}
    )
    assert settings.solvent == {"nacl": 0.2, "sucrose": pytest.approx(50 / 342.30, rel=1e-5)}
    again = build(TechniqueSettings, settings.model_dump(mode="json"))
    assert again == settings


@pytest.mark.parametrize(
    "bad", [{"salt": 0.1}, {"NaCl": "-1"}, {"NaCl": "x"}, {"NaCl": "nan"}, {"NaCl": 0}, {"poloxamer": "5 %"}]
)
def test_wrong_compositions_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="setting solvent"):
        build(TechniqueSettings, {"solvent": bad})


def test_each_class_has_a_factor_of_its_own() -> None:
    heavy = TechniqueSettings(density=1.02, viscosity=1.1)
    rho, water, capsid, dna = 1.02, 0.99823, 3.73e6, 4700 * 308.95
    empty = 1.1 / 1.002 * (1 - 0.73 * water) / (1 - 0.73 * rho)
    full = (capsid * (1 - 0.73 * water) + dna * (1 - 0.55 * water)) / (
        capsid * (1 - 0.73 * rho) + dna * (1 - 0.55 * rho)
    )
    assert to_water(heavy) == pytest.approx(empty, rel=1e-12)
    assert to_water(heavy, 20.0, 4700) == pytest.approx(1.1 / 1.002 * full, rel=1e-12)
    # 4.25e-4 mL/(g K): ten degrees take 1.6 % of a protein's buoyancy
    warm = to_water(heavy, 30.0)
    assert warm is not None
    assert warm / empty == pytest.approx((1 - 0.73 * rho) / (1 - 0.73425 * rho), rel=1e-12)
    assert vbar_of(heavy, 0) == pytest.approx(0.73)


def test_co_solutes_are_flagged_by_composition_and_by_the_sheet_s_words() -> None:
    assert solvent_flags(build(TechniqueSettings, PBS)) == []
    (flag,) = solvent_flags(build(TechniqueSettings, {**PBS, "solvent.sorbitol": "5 %"}))
    assert (flag.id, flag.severity) == ("co_solute", "warning")
    assert flag.value == pytest.approx(5.0, rel=1e-4)
    (worded,) = solvent_flags(build(TechniqueSettings, {"buffer": "PBS + 5% Sucrose, 0.001 % P188"}))
    assert "sucrose" in worded.message
    assert worded.value is None
    assert solvent_flags(build(TechniqueSettings, {"buffer": "PBS, poloxamer"})) == []


def test_a_composition_gives_s20w_of_a_distribution() -> None:
    s = np.linspace(20, 160, 561)
    c = np.exp(-0.5 * (s - 52.2) ** 2) + 3 * np.exp(-0.5 * (s - 87.2) ** 2)
    record = aavqc.Distribution(
        name="d", sample_id="d", format="test", inputs=(InputFile("d", "00", 1),), x=s, y=c,
        kind="c(s)", unit="S",
    )  # fmt: skip
    settings = {"design_length": 4700, "solvent.NaCl": 0.137, "solvent.sucrose": "5 %"}
    sample = aavqc.analyze(record, **settings).samples[0]
    found = solvent_of(build(TechniqueSettings, settings), 20.0)
    assert found is not None
    given = build(TechniqueSettings, {"density": found.density, "viscosity": found.viscosity})
    empty, full = sample.diagnostics["peaks"]
    assert empty["s20w"] == pytest.approx(empty["s"] * to_water(given), rel=1e-3)  # type: ignore[operator]
    assert full["s20w"] == pytest.approx(full["s"] * to_water(given, 20.0, 4700), rel=2e-3)  # type: ignore[operator]
    assert {f.id for f in sample.flags} == {"co_solute"}
    bare = aavqc.analyze(record, design_length=4700).samples[0]
    assert [p["s20w"] for p in bare.diagnostics["peaks"]] == [None, None]
