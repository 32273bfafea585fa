"""Standards as they are stated and as they fly: adducts, combs one charge off; calibrations carried on."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from aavqc.analysis import analyze
from aavqc.cdms.calibration import charges_by
from aavqc.cdms.settings import TechniqueSettings
from aavqc.cdms.standards import find_standards
from aavqc.errors import AavqcError, InputError, SpecificationError, UsageError
from aavqc.records import FloatArray, IonTable, readonly
from aavqc.report.content import Section, Table
from aavqc.report.measurements import measurements
from aavqc.result import Result
from aavqc.settings import build
from aavqc.simulate.cdms import CdmsSimulation, simulate
from cdms_lists import SLOPE, Lot, draw, table

K = 110e3
PROTON = 1.007276467
MASSES = {"mab": 150e3, "kinase": 232e3, "large": 1.02e6}
AAV = {"serotype": "AAV2", "design_length": 4700}
MIX = {"standards.bgal": 465.4e3, "standards.groel": 801.15e3}
"""The masses of the sequences; the combs of the real mix weigh 466.4 and 802.4 kDa."""


def flown(
    masses: dict[str, float],
    seed: int,
    sigma_z: float = 1.0,
    adduct: float = 0.0015,
    shift: float = 0.0,
    ions: int = 4000,
    response: str = "slope",
) -> tuple[FloatArray, FloatArray]:
    """Draw standards with adducts (a shift, and an exponential tail), among a tenth of stray ions."""
    rng = np.random.default_rng(seed)
    mz, intensity = [], []
    for mass in masses.values():
        mean = 44 * (mass / 466e3) ** 0.62
        z = np.rint(rng.normal(mean, max(1.3, 0.026 * mean), ions))
        heavier = mass * (1 + shift + rng.exponential(adduct, ions))
        at = heavier / z * (1 + rng.normal(0, 1.5e-4, ions)) + PROTON
        k = {"slope": K + 0 * z, "slope_intercept": K - 3e5 / z, "slope_mz": 90e3 + 1.7 * at}[response]
        mz.append(at)
        intensity.append((z + rng.normal(0, sigma_z, ions)) * k)
    stray = len(masses) * ions // 10
    mz.append(rng.uniform(5_000, 16_000, stray))
    intensity.append(rng.uniform(20, 80, stray) * K)
    return np.concatenate(mz), np.concatenate(intensity)


def stated(masses: dict[str, float]) -> dict[str, float]:
    return {f"standards.{name}": mass for name, mass in masses.items()}


def flags(result: Result) -> dict[str, str]:
    return {flag.id: flag.severity for flag in result.samples[0].flags}


def calibration(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = result.samples[0].diagnostics["calibration"]
    return found


# ---------------------------------------------------------------- finding standards


@pytest.mark.parametrize("sigma_z", [0.4, 1.5])
@pytest.mark.parametrize(("adduct", "shift"), [(1e-6, 0.0), (0.0015, 0.0), (0.002, 0.001), (1e-6, 0.005)])
def test_standards_with_adducts_are_found_at_the_masses_of_their_sequences(
    sigma_z: float, adduct: float, shift: float
) -> None:
    result = analyze(table(*flown(MASSES, 31, sigma_z, adduct, shift)), **stated(MASSES))
    assert result.samples[0].status == "valid"
    assert "standard_mass" not in flags(result)
    fitted = calibration(result)["fitted"]
    assert {s["name"] for s in fitted["standards"]} == set(MASSES)
    for standard in fitted["standards"]:
        # the comb is where most ions are: between the shift and the mean of the adducts
        assert -2e-4 < standard["measured_da"] / MASSES[standard["name"]] - 1 - shift < adduct + 2e-4
        for line in fitted["lines"]:
            if line["standard"] == standard["name"]:
                assert line["charge"] * (line["mz"] - PROTON) == pytest.approx(standard["measured_da"])
                assert round(MASSES[standard["name"]] / (line["mz"] - PROTON)) == line["charge"]
    models = [fitted, *fitted["other_models"]]
    slope = next(m for m in models if m["model"] == "slope")
    # a mode of some hundred ions is good to a fifth of their SD: 1 % at 1.5 e, of twenty lines
    assert slope["charge_slope"] == pytest.approx(K, rel=0.006)


def test_the_slope_does_not_hang_on_the_stated_mass() -> None:
    """It is intensity over whole charges: the stated mass only says where to look."""
    record = table(*flown(MASSES, 32))
    found = []
    for off in (-0.004, 0.0, 0.002):
        result = analyze(record, **stated({name: mass * (1 + off) for name, mass in MASSES.items()}))
        found.append(calibration(result)["fitted"])
    for fitted in found[1:]:
        assert [s["measured_da"] for s in fitted["standards"]] == [
            s["measured_da"] for s in found[0]["standards"]
        ]
        assert fitted["charge_slope"] == pytest.approx(found[0]["charge_slope"], rel=1e-3)


@pytest.mark.parametrize("charges", [-2, -1, 1, 2])
@pytest.mark.parametrize("name", MASSES)
def test_a_comb_of_another_charge_is_never_taken(name: str, charges: int) -> None:
    """A mass stated wrong by about one charge in z lies on lines that are nearly the standard's own."""
    mean = 44 * (MASSES[name] / 466e3) ** 0.62
    wrong = {**MASSES, name: MASSES[name] * (1 + charges / mean)}
    result = analyze(table(*flown(MASSES, 33)), **stated(wrong))
    (flag,) = (f for f in result.samples[0].flags if f.id == "standard_mass")
    assert name in flag.message
    assert "not used" in flag.message
    fitted = calibration(result)["fitted"]
    assert {s["name"] for s in fitted["standards"]} == set(MASSES) - {name}
    assert "standard_not_found" not in flags(result)
    row = next(r for r in calibration(result)["combs"] if r["name"] == name)
    assert row["measured_da"] == pytest.approx(MASSES[name], rel=2e-3)
    assert row["lines"] == 0


def test_a_mass_that_adducts_do_not_explain_is_flagged_and_its_charges_are_still_right() -> None:
    heavy = {**MASSES, "kinase": MASSES["kinase"] * 0.991}
    result = analyze(table(*flown(MASSES, 34)), **stated(heavy))
    (flag,) = (f for f in result.samples[0].flags if f.id == "standard_mass")
    assert flag.severity == "warning"
    assert flag.value == pytest.approx(0.95, abs=0.1)
    fitted = calibration(result)["fitted"]
    assert len(fitted["standards"]) == 3
    assert all(abs(line["residual_percent"]) < 2 for line in fitted["lines"])


def test_one_species_counts_once_whatever_it_is_called() -> None:
    there = {"bgal": 465.4e3}
    result = analyze(table(*flown(there, 34)), **stated({"bgal": 465.4e3, "galactosidase": 466.33e3}))
    assert result.samples[0].status == "invalid"


@pytest.mark.parametrize("times", [2, 3])
def test_the_comb_of_a_part_of_the_mass_is_not_the_standards(times: int) -> None:
    record = table(*flown({"bgal": 465.4e3}, 35))
    result = analyze(record, single_standard=True, **stated({"bgal": times * 465.4e3}))
    assert result.samples[0].status == "invalid"


def test_lines_of_strong_noise_have_no_lean() -> None:
    """The mode of the logarithm would lie (σ_z/z)² above: 0.6 % at 3 e and charge 39."""
    slopes = []
    masses = {"bgal": 465.4e3, "groel": 801.15e3}
    for seed in range(8):
        fitted = calibration(analyze(table(*flown(masses, seed, 3.0, 0.0005)), **stated(masses)))["fitted"]
        models = [fitted, *fitted["other_models"]]
        slopes += [m["charge_slope"] / K for m in models if m["model"] == "slope"]
    assert np.mean(slopes) == pytest.approx(1, abs=3 * 0.002 / np.sqrt(len(slopes)))


def test_absent_standards_do_not_hide_those_that_are_there() -> None:
    absent = {"hbv": 3.0e6, "ms2": 2.5e6, "adh": 147e3 * 2.3}
    mz, intensity = flown(MASSES, 35)
    order = np.argsort(mz)
    found = find_standards(mz[order], intensity[order], {**MASSES, **absent})
    assert {s.name for s in found if s.lines} == set(MASSES)
    assert all(s.mass is None for s in found if s.name in absent)


def test_nothing_is_found_where_there_is_nothing() -> None:
    rng = np.random.default_rng(36)
    mz, intensity = np.sort(rng.uniform(5e3, 16e3, 6000)), rng.uniform(20, 80, 6000) * K
    assert not any(s.lines for s in find_standards(mz, intensity, MASSES))
    assert find_standards(np.empty(0), np.empty(0), MASSES)[0].mass is None


def test_the_real_mix_by_the_masses_of_its_sequences(reference_data: Path) -> None:
    path = reference_data / "cdms" / "bgal_groel" / "BgalGroEL_Ion.csv.gz"
    fitted = {}
    for name, given in (
        ("stated", MIX),
        ("measured", {"standards.bgal": 466.4e3, "standards.groel": 802.4e3}),
        ("mixed", {"standards.bgal": 466.0e3, "standards.groel": 801.15e3}),
    ):
        result = analyze(path, **given)
        assert result.samples[0].status == "valid"
        assert flags(result) == {}
        fitted[name] = calibration(result)["fitted"]
        measured = [row["measured_da"] for row in fitted[name]["standards"]]
        assert measured == pytest.approx([466.4e3, 802.4e3], rel=2e-4)
        for row in result.samples[0].diagnostics["methods"].values():
            most = sorted(row["peaks"], key=lambda p: -p["ions"])[:2]
            assert sorted(p["mass_mda"] for p in most) == pytest.approx([0.4664, 0.8024], rel=5e-3)
            light, heavy = sorted(most, key=lambda p: p["mass_mda"])
            assert light["ions"] / (light["ions"] + heavy["ions"]) == pytest.approx(0.535, abs=0.005)
    first = fitted["stated"]
    for other in fitted.values():
        assert other["model"] == first["model"]
        for ours, theirs in zip(
            [first, *first["other_models"]], [other, *other["other_models"]], strict=True
        ):
            sd = ours["covariance"][0][0] ** 0.5
            assert abs(ours["charge_slope"] - theirs["charge_slope"]) < sd


def test_the_real_mix_carried_to_capsids(reference_data: Path, tmp_path: Path) -> None:
    """Two species can't tell a response that falls with m/z from one that grows with z: 23 % at capsids."""
    data = reference_data / "cdms"
    mix = analyze(data / "bgal_groel" / "BgalGroEL_Ion.csv.gz", **MIX)
    path = tmp_path / "charges.json"
    path.write_text(json.dumps(calibration(mix)["fitted"]))
    with np.load(data / "sim_aav" / "aav2_zsize_orbi_sz1.5.npz") as archive:
        np.savez(tmp_path / "aav.npz", data=archive["data"])
    result = analyze(tmp_path / "aav.npz", **{"calibration.file": str(path)}, **AAV)
    assert flags(result)["charge_extrapolated"] == "invalid"
    empty = result.attributes["mass_empty"]
    assert empty.ci_low is not None
    assert empty.ci_high is not None
    assert empty.ci_low < 3.74 < empty.ci_high
    assert calibration(result)["rel_sd"] == pytest.approx(0.23, abs=0.02)


@pytest.mark.parametrize(
    ("bgal", "groel", "wrong"),
    [(480e3, 801.15e3, "bgal"), (476.5e3, 801.15e3, "bgal"), (457e3, 801.15e3, "bgal"),
     (465.4e3, 815.5e3, "groel"), (465.4e3, 788.5e3, "groel")],
)  # fmt: skip
def test_a_wrong_standard_of_the_real_mix_is_refused(
    bgal: float, groel: float, wrong: str, reference_data: Path
) -> None:
    path = reference_data / "cdms" / "bgal_groel" / "BgalGroEL_Ion.csv.gz"
    result = analyze(path, **{"standards.bgal": bgal, "standards.groel": groel})
    assert result.samples[0].status == "invalid"
    assert flags(result) == {"standard_mass": "warning", "charge_calibration": "invalid"}
    assert wrong in next(f.message for f in result.samples[0].flags if f.id == "standard_mass")


# ---------------------------------------------------------------- a calibration that is carried on


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    result = analyze(table(*flown(MASSES, 41, response="slope_intercept")), **stated(MASSES))
    document: dict[str, Any] = calibration(result)["fitted"]
    return document


@pytest.fixture
def file(fitted: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "charges.json"
    stating = {"id": "CC-7", "version": "2", "date": "2026-03-01", "valid_until": "2026-09-01"}
    path.write_text(json.dumps(fitted | stating))
    return path


def test_what_is_fitted_is_a_document_of_the_committed_schema(fitted: dict[str, Any]) -> None:
    schema = json.loads((files("aavqc.schemas") / "charge-calibration.json").read_text(encoding="utf-8"))
    assert schema["$id"] == fitted["schema"]
    jsonschema.validate(fitted, schema)
    size = {"slope": 1, "slope_intercept": 2, "slope_mz": 2}
    for model in [fitted, *fitted["other_models"]]:
        assert np.shape(model["covariance"]) == (size[model["model"]],) * 2
        assert np.linalg.eigvalsh(model["covariance"]).min() > 0


def test_the_content_takes_the_place_of_the_path(file: Path, fitted: dict[str, Any]) -> None:
    settings = build(TechniqueSettings, {"calibration.file": str(file)})
    stored = settings.model_dump(mode="json")["calibration"]
    assert stored == {k: v for k, v in json.loads(file.read_text()).items() if k != "schema"}
    assert str(file.parent) not in settings.model_dump_json()
    assert build(TechniqueSettings, settings.model_dump(mode="json")) == settings
    later = build(TechniqueSettings, {"calibration.file": str(file)}, {"calibration.certificate": "C-1"})
    assert (later.calibration.certificate, later.calibration.id) == ("C-1", "CC-7")
    for key, value in (("charge_slope", 114e3), ("charge_range", "1,1000"), ("valid_until", "2030-01-01")):
        with pytest.raises(UsageError, match=rf"calibration\.{key} as the document"):
            build(TechniqueSettings, {"calibration.file": str(file)}, {f"calibration.{key}": value})
    # another document takes the place of all of the first, its certificate too
    other = file.with_name("other.json")
    other.write_text(json.dumps(fitted))
    last = build(
        TechniqueSettings,
        {"calibration.file": str(file), "calibration.certificate": "C-1"},
        {"calibration.file": str(other)},
    )
    assert (last.calibration.certificate, last.calibration.id) == (None, None)


def test_a_document_may_be_toml(fitted: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "charges.toml"
    path.write_text(
        'schema = "aavqc.charge-calibration/1"\nid = "by hand"\nmodel = "slope"\ncharge_slope = 110000.0\n'
        "residual_rel_sd = 0.004\ncharge_range = [41, 66]\nmz_range = [9700, 13200]\n"
    )
    result = analyze(draw(Lot((0.3, 0.1, 0.5, 0.1)), 5), **{"calibration.file": str(path)}, **AAV)
    assert calibration(result)["loaded"]["id"] == "by hand"
    assert calibration(result)["rel_sd"] == pytest.approx(0.004)


def test_the_result_of_the_standards_is_taken_too(tmp_path: Path, fitted: dict[str, Any]) -> None:
    result = analyze(table(*flown(MASSES, 41, response="slope_intercept")), **stated(MASSES))
    path = tmp_path / "standards.json"
    result.document().save(path)
    settings = build(TechniqueSettings, {"calibration.file": str(path), "calibration.id": "CC-8"})
    assert settings.calibration.id == "CC-8"
    assert settings.calibration.charge_slope == fitted["charge_slope"]
    without = analyze(draw(Lot((0.3, 0.1, 0.5, 0.1)), 5), charge_slope=SLOPE)
    without.document().save(path)
    with pytest.raises(SpecificationError, match="without one calibration"):
        build(TechniqueSettings, {"calibration.file": str(path)})


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"schema": "aavqc.calibration/1"}, SpecificationError, "another document"),
        ({"schema": None}, SpecificationError, "another document"),
        ({"colour": 3}, SpecificationError, "colour"),
        ({"charge_range": None}, SpecificationError, "charge_range"),
        ({"charge_range": [66, 41]}, SpecificationError, "ascending charge_range"),
        ({"charge_slope": -1.0}, SpecificationError, "slope of at least"),
        ({"covariance": [[1.0, 2.0]]}, SpecificationError, "covariance"),
        ({"model": "cubic"}, SpecificationError, "model"),
    ],
)
def test_documents_that_are_none_are_refused(
    file: Path, change: dict[str, Any], error: type[AavqcError], said: str
) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | change, indent=1))
    with pytest.raises(error, match=said) as caught:
        build(TechniqueSettings, {"calibration.file": str(file)})
    assert caught.value.file == "charges.json"


def test_what_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json"):
        build(TechniqueSettings, {"calibration.file": str(tmp_path / "nowhere.json")})
    (tmp_path / "half.json").write_text('{"schema": ')
    with pytest.raises(SpecificationError, match="no valid JSON"):
        build(TechniqueSettings, {"calibration.file": str(tmp_path / "half.json")})
    with pytest.raises(UsageError, match="beside the others"):
        build(TechniqueSettings, {"calibration.charge_slope": 110e3})


def test_a_loaded_calibration_gives_the_charges_of_the_fitted_one(file: Path) -> None:
    record = table(*flown(MASSES, 42, response="slope_intercept"))
    result = analyze(record, **{"calibration.file": str(file)})
    found = calibration(result)
    assert found["source"] == "calibration"
    assert found["loaded"]["id"] == "CC-7"
    assert found["sigma_z_source"] == "standards"
    assert "charge_extrapolated" not in flags(result)
    assert 0 < found["rel_sd"] < 0.01
    for mass in MASSES.values():
        peak = min(result.samples[0].diagnostics["peaks"], key=lambda p, m=mass: abs(p["mass_mda"] - m / 1e6))
        assert peak.get("mass_by_charge_mda", peak["mass_mda"]) == pytest.approx(mass / 1e6, rel=0.015)
    assert result.payload.method.settings["calibration"]["charge_range"] == found["loaded"]["charge_range"]


def test_beyond_its_standards_the_interval_spans_the_models_that_they_admit(tmp_path: Path) -> None:
    """Standards at charges 41 to 66, capsids at 155: fits that agree at 62 differ by some percent there."""
    mix = {"bgal": 466.4e3, "groel": 802.4e3}
    standards = analyze(table(*flown(mix, 43, sigma_z=2.0, response="slope_intercept")), **stated(mix))
    document = calibration(standards)["fitted"]
    assert 38 <= document["charge_range"][0] < document["charge_range"][1] <= 68
    assert len(document["other_models"]) == 2
    path = tmp_path / "charges.json"
    path.write_text(json.dumps(document))
    capsids = draw(Lot((0.45, 0.05, 0.45, 0.05)), 6)
    assert capsids.intensity is not None
    seen = replace(capsids, intensity=readonly(capsids.intensity / SLOPE * K - 3e5))
    result = analyze(seen, **{"calibration.file": str(path)}, **AAV)
    assert flags(result)["charge_extrapolated"] in ("warning", "invalid")
    loaded = build(TechniqueSettings, {"calibration.file": str(path)}).calibration
    mz, signal = np.array([24_000.0]), np.array([155 * K - 3e5])
    charges = [float(charges_by(response, signal, mz)[0]) for response in loaded.responses]
    assert max(charges) / min(charges) > 1.02
    rel_sd = calibration(result)["rel_sd"]
    assert rel_sd > max(abs(charge / charges[0] - 1) for charge in charges) / 1.5
    empty = result.attributes["mass_empty"]
    assert empty.ci_low is not None
    assert empty.ci_high is not None
    assert empty.ci_low < 3.74 < empty.ci_high
    # by the slope alone, copied from it, nothing of this is known
    copied = analyze(seen, charge_slope=loaded.charge_slope, charge_intercept=loaded.charge_intercept, **AAV)
    assert "charge_extrapolated" not in flags(copied)


def test_a_scale_that_tells_no_class_from_another_makes_the_sample_invalid(tmp_path: Path) -> None:
    path = tmp_path / "charges.json"
    far = {
        "schema": "aavqc.charge-calibration/1", "model": "slope", "charge_slope": SLOPE,
        "other_models": [{"model": "slope_mz", "charge_slope": 0.8 * SLOPE, "charge_mz_slope": 2.0}],
        "residual_rel_sd": 0.01, "charge_range": [41, 66], "mz_range": [9700, 13200],
    }  # fmt: skip
    path.write_text(json.dumps(far))
    record = draw(Lot((0.3, 0.1, 0.5, 0.1)), 7)
    result = analyze(record, **{"calibration.file": str(path)}, **AAV)
    assert flags(result)["charge_extrapolated"] == "invalid"
    without = analyze(record, **{"calibration.file": str(path)})
    assert flags(without)["charge_extrapolated"] == "warning"


def test_what_is_not_used_is_said(file: Path) -> None:
    given = {"calibration.file": str(file)}
    record = draw(Lot((0.3, 0.1, 0.5, 0.1)), 8)
    both = analyze(record, charge_slope=SLOPE, **given, **AAV)
    assert flags(both)["charge_slope_unused"] == "info"
    assert calibration(both)["source"] == "calibration"
    own = analyze(table(*flown(MASSES, 44)), **given, **stated(MASSES))
    assert flags(own) == {"charge_slope_unused": "info"}
    assert calibration(own)["source"] == "standards"
    assert record.intensity is not None
    charged = replace(record, intensity=None, charge=readonly(record.intensity / SLOPE))
    assert flags(analyze(charged, **given, **AAV))["charge_slope_unused"] == "info"


@pytest.mark.parametrize(
    ("day", "flagged"),
    [("2026-02-28", True), ("2026-03-01", False), ("2026-09-01", False), ("2026-09-02", True)],
)
def test_validity_on_the_day_of_the_run(file: Path, day: str, flagged: bool) -> None:
    result = analyze(table(*flown(MASSES, 45)), **{"calibration.file": str(file), "run_date": day})
    found = [f for f in result.samples[0].flags if f.id == "calibration_not_valid"]
    assert bool(found) is flagged
    assert all("CC-7" in f.message and day in f.message for f in found)
    assert not any("run_date" in w for w in result.samples[0].warnings)


def test_what_nobody_vouches_for_is_said(file: Path, fitted: dict[str, Any]) -> None:
    record = table(*flown(MASSES, 46))
    undated = analyze(record, **{"calibration.file": str(file)})
    assert any("run_date is not given" in w for w in undated.samples[0].warnings)
    file.write_text(json.dumps(fitted))
    bare = analyze(record, **{"calibration.file": str(file)})
    assert any("neither an id nor" in w for w in bare.samples[0].warnings)


def test_a_calibration_of_intensities_in_another_unit_is_refused(file: Path) -> None:
    record = table(*flown(MASSES, 47))
    flux = replace(record, flux_scaled=True, injection_time_ms=readonly(np.full(record.mz.size, 100.0)))
    result = analyze(flux, **{"calibration.file": str(file)})
    assert flags(result)["charge_calibration"] == "invalid"
    assert any("injection time" in f.message for f in result.samples[0].flags)


# ---------------------------------------------------------------- the file's own charges


def charged(on: dict[str, Any] | None, off: float = 0.0) -> IonTable:
    """Return capsids with intensities and charges, and what the file states of a calibration."""
    record = draw(Lot((0.3, 0.1, 0.5, 0.1)), 9)
    assert record.intensity is not None
    acquisition = {} if on is None else {"calibration": on}
    charge = readonly(record.intensity / SLOPE + off)
    return replace(record, charge=charge, acquisition=acquisition)


def test_charges_beside_a_calibration_of_their_own_are_used() -> None:
    on_record = {"charges": 250, "slope": SLOPE, "default": False}
    result = analyze(charged(on_record), **AAV)
    assert result.samples[0].status == "valid"
    assert calibration(result)["source"] == "file"
    assert not flags(result).keys() & {"charge_calibration", "charges_not_on_record"}
    given = analyze(charged(on_record), charge_slope=SLOPE, **AAV)
    assert calibration(given)["source"] == "charge_slope"
    assert result.attributes["percent_full"].value == given.attributes["percent_full"].value
    curved = analyze(charged(on_record | {"slope": None}), **AAV)
    assert calibration(curved)["source"] == "file"


@pytest.mark.parametrize(
    ("on_record", "off", "said"),
    [
        (None, 0.0, "does not state"),
        ({"charges": 250, "slope": SLOPE, "default": True}, 0.0, "default slope"),
        ({"charges": 250, "slope": SLOPE, "default": False}, 9.0, "9.0 e off the calibration"),
    ],
)
def test_other_charges_beside_intensities_are_not(
    on_record: dict[str, Any] | None, off: float, said: str
) -> None:
    result = analyze(charged(on_record, off), **AAV)
    assert flags(result) == {"charge_calibration": "invalid"}
    assert said in result.samples[0].flags[0].message


def test_lists_of_charges_alone_say_that_no_calibration_is_on_record() -> None:
    record = replace(charged(None), intensity=None)
    result = analyze(record, **AAV)
    assert flags(result)["charges_not_on_record"] == "warning"
    assert result.samples[0].status == "valid"
    assert "percent_full" in result.attributes
    stated_id = analyze(record, **AAV, **{"calibration.id": "CC-7"})
    assert "charges_not_on_record" not in flags(stated_id)
    assert calibration(stated_id)["calibration_id"] == "CC-7"
    regulated = analyze(record, **AAV, regulated=True)
    assert flags(regulated)["constant_required"] == "warning"
    assert "percent_full" not in regulated.attributes
    assert "mass_empty" not in regulated.attributes
    vouched = analyze(record, **AAV, regulated=True, **{"calibration.certificate": "C-1"})
    assert "constant_required" not in flags(vouched)
    assert "percent_full" in vouched.attributes


def simulated_dmt(folder: Path, slope: float | None) -> Path:
    """Simulate a database; with a slope, one whose software was calibrated."""
    simulate(folder, CdmsSimulation(ions=3000, formats=["dmt"], seed=3))
    (path,) = folder.glob("*.dmt")
    if slope is not None:
        with closing(sqlite3.connect(path)) as database:
            database.execute("UPDATE Ion SET Charge = ROUND(Slope / ?)", (slope,))
            database.execute("UPDATE CalibrationChargeState SET Slope = Charge * ?", (slope,))
            database.execute("DELETE FROM LogLine WHERE Line LIKE '%default coefficient%'")
            database.commit()
    return path


def test_a_database_of_calibrated_charges_needs_nothing_else(tmp_path: Path) -> None:
    result = analyze(simulated_dmt(tmp_path / "own", SLOPE), **AAV)
    assert result.samples[0].status == "valid"
    assert calibration(result)["source"] == "file"
    assert result.attributes["mass_empty"].value == pytest.approx(3.74, rel=0.01)
    default = analyze(simulated_dmt(tmp_path / "default", None), **AAV)
    assert "default slope" in next(f.message for f in default.samples[0].flags)
    # a slope that nobody logged is the software's own all the same
    silent = analyze(simulated_dmt(tmp_path / "silent", 50_000.0), **AAV)
    assert flags(silent) == {"charge_calibration": "invalid"}


def test_the_report_has_the_funnel_and_parameters_of_the_software_and_the_standards(tmp_path: Path) -> None:
    databases = analyze(simulated_dmt(tmp_path, None), charge_slope=SLOPE, **AAV)
    mix = analyze(table(*flown(MASSES, 48)), **stated(MASSES))
    tables = {}
    for job, result in (("a", databases), ("b", mix)):
        sections = measurements({job: result.document()}, {job: result.samples}, {job: {}})
        for section in sections:
            inner = [b for s in section.blocks if isinstance(s, Section) for b in s.blocks]
            tables |= {b.caption: b.rows for b in inner if isinstance(b, Table)}
    funnel = tables["Funnel of the instrument's software, before the file was written"]
    assert [row[0].text for row in funnel] == ["IonCreated", "FailedRSquaredCutoff", "ChargeAssigned"]
    stated_facts = {
        row[0].text: row[1].text for row in tables["The instrument's software, as the file states it"]
    }
    assert stated_facts["parameters, STORI Processor, RSquaredThreshold"] == "0.996"
    assert stated_facts["calibration, default"] == "yes"
    standards = tables["Standards: mass as stated, and of the comb of m/z"]
    assert [row[0].text for row in standards] == sorted(MASSES)


def test_a_column_of_charge_sds_is_said_to_be_unused() -> None:
    record = charged({"charges": 250, "slope": SLOPE, "default": False})
    with_sd = replace(record, extra={"charge_sd": readonly(np.full(record.mz.size, 0.3))})
    assert any("charge_sd" in w for w in analyze(with_sd, **AAV).samples[0].warnings)
    assert not any("charge_sd" in w for w in analyze(record, **AAV).samples[0].warnings)
