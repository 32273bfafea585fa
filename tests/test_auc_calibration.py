"""A calibration document: its content is part of the result, its validity checked, its SD carried on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import aavqc
from aavqc.auc.calibration import calibrated_draws, calibration_flags, calibration_remarks
from aavqc.auc.settings import Calibration, TechniqueSettings
from aavqc.errors import AavqcError, InputError, SpecificationError, UsageError
from aavqc.records import VelocityScans
from aavqc.settings import build
from aavqc.simulate.auc import AucSimulation, simulate

TEXT = """\
schema = "aavqc.calibration/1"
instrument = "XL-I 0421"
certificate = "CAL-2026-014"
date = 2026-01-15
valid_until = 2027-01-15
radial_magnification = 1.01
radial_rel_sd = 0.003
time_factor = 1.0
time_rel_sd = 0.0004
"""


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "xl-i-0421.toml"
    path.write_text(TEXT)
    return path


def test_the_content_takes_the_place_of_the_path(document: Path) -> None:
    settings = build(TechniqueSettings, {"calibration.file": str(document)})
    stored = settings.model_dump(mode="json")["calibration"]
    assert stored["certificate"] == "CAL-2026-014"
    assert (stored["date"], stored["valid_until"]) == ("2026-01-15", "2027-01-15")
    assert stored["radial_magnification"] == 1.01
    assert str(document.parent) not in settings.model_dump_json()
    assert build(TechniqueSettings, settings.model_dump(mode="json")) == settings


def test_layers_win_as_with_any_setting(document: Path) -> None:
    named: dict[str, Any] = {"calibration": {"radial_magnification": 1.02, "file": str(document)}}
    assert build(TechniqueSettings, named).calibration.radial_magnification == 1.02
    later = build(TechniqueSettings, named, {"calibration.file": str(document)})
    assert later.calibration.radial_magnification == 1.01
    last = build(TechniqueSettings, named, {"calibration.time_factor": "1.05"})
    assert last.calibration.time_factor == 1.05


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        (TEXT.replace("calibration/1", "method/1"), SpecificationError, "another document"),
        (TEXT.replace('schema = "aavqc.calibration/1"\n', ""), SpecificationError, "another document"),
        (TEXT + "colour = 3\n", UsageError, "colour"),
        (TEXT.replace("1.01", "7.0"), UsageError, "radial_magnification"),
        (TEXT.replace("= 1.01", "="), SpecificationError, "no valid TOML"),
        (TEXT + "[file]\nx = 1\n", UsageError, "file"),
    ],
)
def test_documents_that_are_none_are_refused(
    document: Path, text: str, error: type[AavqcError], said: str
) -> None:
    document.write_text(text)
    with pytest.raises(error, match=said):
        build(TechniqueSettings, {"calibration.file": str(document)})


def test_a_missing_document_is_named() -> None:
    with pytest.raises((InputError, SpecificationError), match=r"nowhere\.toml"):
        build(TechniqueSettings, {"calibration.file": "nowhere.toml"})
    from aavqc.ddpcr.settings import TechniqueSettings as DropletSettings

    with pytest.raises(UsageError, match="unknown setting"):
        build(DropletSettings, {"calibration.file": "nowhere.toml"})


@pytest.mark.parametrize(
    ("day", "flagged"),
    [("2026-01-14", True), ("2026-01-15", False), ("2027-01-15", False), ("2027-01-16", True)],
)
def test_validity_on_the_day_of_the_run(document: Path, day: str, flagged: bool) -> None:
    settings = build(TechniqueSettings, {"calibration.file": str(document), "run_date": day})
    found = calibration_flags(settings)
    assert bool(found) is flagged
    assert all("CAL-2026-014" in f.message and day in f.message for f in found)
    assert calibration_remarks(settings) == []


def test_what_nobody_vouches_for_is_said(document: Path) -> None:
    undated = build(TechniqueSettings, {"calibration.file": str(document)})
    assert calibration_flags(undated) == []
    assert ["run_date is not given" in said for said in calibration_remarks(undated)] == [True]
    bare = build(TechniqueSettings, {"calibration.time_factor": 1.02})
    assert calibration_remarks(bare) == ["calibration without the number of a certificate"]
    assert calibration_remarks(TechniqueSettings()) == []
    assert (
        "no calibration certificate" in calibration_remarks(build(TechniqueSettings, {"regulated": True}))[0]
    )


def test_the_sd_of_the_calibration_is_drawn() -> None:
    values = np.full(4000, 100.0)
    drawn = calibrated_draws(
        values, Calibration(radial_rel_sd=0.003, time_rel_sd=0.004), np.random.default_rng(1)
    )
    # the SD of n normal numbers scatters by 1/sqrt(2n); four of these
    assert np.std(drawn) == pytest.approx(0.5, rel=4 / np.sqrt(8000))
    assert calibrated_draws(values, Calibration(), np.random.default_rng(1)) is values


def test_a_calibrated_run_has_true_s_and_an_interval_that_covers_the_calibration(
    document: Path, tmp_path: Path
) -> None:
    simulate(tmp_path / "run", AucSimulation(seed=41, scans=16, species=["0:1"]))
    true = aavqc.read(tmp_path / "run")
    assert isinstance(true, VelocityScans)
    # an instrument that shows distances 1 % too small about the middle of the cell
    shown = replace(
        true,
        scans=tuple(replace(s, radius_cm=6.5 + (s.radius_cm - 6.5) / 1.01) for s in true.scans),
    )
    plain = aavqc.analyze(true, model="cs", resolution=40).attributes["s_weight_average"]
    result = aavqc.analyze(shown, model="cs", resolution=40, **{"calibration.file": str(document)})
    found = result.attributes["s_weight_average"]
    assert found.value == pytest.approx(plain.value, rel=1e-3)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_high - found.ci_low > 2 * 1.8 * 0.003 * found.value
    assert result.samples[0].diagnostics["calibration"]["instrument"] == "XL-I 0421"
    assert result.payload.method.settings["calibration"]["certificate"] == "CAL-2026-014"


def test_a_sheet_may_name_the_document_and_the_result_holds_no_path(document: Path, tmp_path: Path) -> None:
    from aavqc.analysis import analyze_record, resolve_method
    from aavqc.documents import SheetRow, canonical

    simulate(tmp_path / "run", AucSimulation(seed=42, scans=12, species=["0:1"]))
    row = SheetRow(
        export="run",
        lot="L1",
        sample_id="S1",
        settings={
            "calibration.file": str(document),
            "run_date": "2027-02-01",
            "buffer": "PBS",
            "model": "lsg",
        },
    )
    method = resolve_method("auc", None).model_copy(update={"settings": {"resolution": 30}})
    result = analyze_record(aavqc.read(tmp_path / "run"), method, rows=[row])
    used = result.payload.method
    assert used.settings["calibration"]["certificate"] == "CAL-2026-014"
    assert set(used.parts[0].settings) == {"run_date", "buffer", "model"}
    assert str(document).encode() not in canonical(result.payload)
    assert "calibration_not_valid" in {f.id for f in result.samples[0].flags}

    approved = method.model_copy(
        update={"status": "approved", "settings": {"resolution": 30, "regulated": True}}
    )
    with pytest.raises(UsageError, match="approved and regulated"):
        analyze_record(aavqc.read(tmp_path / "run"), approved, rows=[row])  # the model is no fact of a sample
    asked = method.model_copy(update={"status": "approved"})
    with pytest.raises(UsageError, match="approved and regulated"):
        analyze_record(aavqc.read(tmp_path / "run"), asked, {"regulated": "true", "density": 1.01})
    assert analyze_record(aavqc.read(tmp_path / "run"), asked, {"regulated": "true"}).samples
    facts = row.model_copy(update={"settings": {"calibration.file": str(document), "run_date": "2026-02-01"}})
    assert analyze_record(aavqc.read(tmp_path / "run"), approved, rows=[facts]).samples
