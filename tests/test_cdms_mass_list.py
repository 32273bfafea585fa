"""Lists of masses and mass photometry: units that are never guessed, calibrations of their own."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from aavqc.analysis import analyze, read
from aavqc.errors import InputError
from aavqc.records import Distribution, FloatArray, MassList
from aavqc.result import Result

AAV = {"serotype": "AAV2", "design_length": 4700}
SHARES = {"empty": 0.3, "partial": 0.12, "full": 0.5, "overfull": 0.08}
LENGTHS = {"empty": 0.0, "partial": 2350.0, "full": 4700.0, "overfull": 5640.0}


def particles(n: int, sd: float, dna: float = 1.0, seed: int = 1) -> FloatArray:
    """Masses in Da; ``dna`` is the response of DNA against protein."""
    rng = np.random.default_rng(seed)
    length = rng.choice(list(LENGTHS.values()), n, p=list(SHARES.values()))
    mass: FloatArray = 3.7404e6 + dna * 308.95 * length + rng.normal(0, sd, n)
    return mass


def listed(columns: dict[str, FloatArray], name: str = "list.csv") -> MassList:
    rows = [",".join(columns)] + [
        ",".join(f"{v!r}" for v in row) for row in zip(*(c.tolist() for c in columns.values()), strict=True)
    ]
    record = read(io.BytesIO("\n".join(rows).encode()), name=name)
    assert isinstance(record, MassList)
    assert isinstance(record, Distribution)
    return record


def flags(result: Result) -> dict[str, str]:
    return {f.id: f.severity for f in result.samples[0].flags}


@pytest.mark.parametrize(
    ("header", "unit", "factor"),
    [
        ("masses_kDa", "kDa", 1e3),
        ("Mass (MDa)", "MDa", 1e6),
        ("mass [Da]", "Da", 1.0),
        ("MASS", None, 1e3),
    ],
)
def test_the_unit_is_that_of_the_columns_name(header: str, unit: str | None, factor: float) -> None:
    record = listed({header: np.array([5190.0, 3740.0, -3.0, np.nan]) * 1e3 / factor})
    assert record.unit == unit
    assert record.x.tolist() == [3740.0e3 / factor, 5190.0e3 / factor]
    assert record.rows_read == 4
    assert dict(record.dropped) == {"mass is not a finite number": 1, "mass is not positive": 1}
    assert record.instrument == "cdms"


def test_a_unit_that_is_not_stated_is_never_guessed() -> None:
    record = listed({"mass": particles(400, 6e4) / 1e3})
    assert "mass_unit" in record.remarks[0]
    silent = analyze(record, **AAV)
    assert silent.samples[0].status == "invalid"
    assert flags(silent) == {"mass_unit_unknown": "invalid"}
    assert not list(silent.attributes)
    told = analyze(record, **AAV, mass_unit="kDa")
    assert told.samples[0].status == "valid"
    assert told.attributes["mass_empty"].unit == "kDa"


def test_a_stated_unit_wins_over_the_setting() -> None:
    record = listed({"mass_kDa": particles(400, 6e4) / 1e3})
    result = analyze(record, **AAV, mass_unit="MDa")
    assert result.attributes["mass_empty"].value == pytest.approx(3.7404, abs=4 * 0.06 / np.sqrt(120))
    assert result.attributes["mass_empty"].unit == "MDa"


def test_classes_of_a_list_sum_to_100_and_hold_the_truth() -> None:
    inside = 0
    for seed in range(8):
        found = analyze(listed({"mass_da": particles(5000, 6e4, seed=seed)}), **AAV).attributes
        rows = [found[f"percent_{name}"] for name in SHARES]
        assert sum(a.value for a in rows) == pytest.approx(100, abs=1e-9)
        inside += all(
            (a.ci_low or 0) <= 100 * share <= (a.ci_high or 0)
            for a, share in zip(rows, SHARES.values(), strict=True)
        )
    assert inside >= 6  # at 95 % fewer than 6 of 8 come with a chance of 0.6 %


def test_wide_masses_say_that_windows_are_biased() -> None:
    assert not flags(analyze(listed({"mass_da": particles(2000, 5e4)}), **AAV))
    wide = analyze(listed({"mass_da": particles(5000, 25e4)}), **AAV)
    assert flags(wide)["windows_biased"] == "warning"


def test_an_index_that_pandas_wrote_is_passed_over() -> None:
    mass = particles(200, 6e4) / 1e3
    rows = "".join(f"{i},{m!r}\n" for i, m in enumerate(mass.tolist()))
    record = read(io.BytesIO(f",mass_kDa\n{rows}".encode()), name="list.csv")
    assert record.format == "mass-list"
    assert isinstance(record, MassList)
    assert record.remarks == ()
    assert record.x == pytest.approx(np.sort(mass))


def test_a_regulated_method_takes_no_generic_capsid() -> None:
    record = listed({"mass_kDa": particles(500, 5e4) / 1e3})
    given = {"design_length": 4700, "regulated": True}
    refused = analyze(record, **given)
    assert "constant_required" in flags(refused)
    assert not any(a.name == "percent_full" for a in refused.samples[0].attributes)
    assert "constant_required" not in flags(analyze(record, serotype="AAV2", **given))


def test_photometry_lays_its_windows_between_its_own_peaks() -> None:
    """DNA reads 20 % light: CDMS's windows would call the full capsids partial."""
    mass = particles(20_000, 7e4, dna=0.8) / 1e3
    contrast = -5e-5 * mass
    result = analyze(listed({"contrasts": contrast, "masses_kDa": mass}), **AAV, charge_slope=112_100)
    assert flags(result) == {"charge_slope_unused": "info", "windows_biased": "warning"}
    window = result.samples[0].diagnostics["methods"]["window"]
    genome = 0.8 * 308.95 * 4700 / 1e6
    # a mode of a peak of SD 70 kDa is known to some 10 kDa
    assert window["edges_mda"][2] == pytest.approx(3.7404 + 0.85 * genome, abs=0.02)
    assert window["unfolded_percent"]["full"] == pytest.approx(50, abs=4)
    names = {a.name for a in result.samples[0].attributes}
    assert "packaged_length" not in names
    assert "mass_full" not in names


def test_photometry_without_masses_needs_its_own_calibration() -> None:
    mass = particles(2000, 7e4) / 1e3
    record = listed({"contrast": -(5e-5 * mass + 2e-4)})
    assert (record.kind, record.unit) == ("contrast", "1")
    missing = analyze(record, **AAV, charge_slope=112_100, mass_unit="kDa")
    assert "contrast_calibration" in flags(missing)
    assert missing.samples[0].status == "invalid"
    result = analyze(record, **AAV, contrast_slope=5e-5, contrast_intercept=2e-4)
    peaks = result.samples[0].diagnostics["peaks"]
    assert min(abs(p["mass_mda"] - 3.7404) for p in peaks) < 0.02
    assert result.samples[0].diagnostics["calibration"]["source"] == "contrast_slope"


def test_a_contrast_slope_wins_over_the_instruments_masses() -> None:
    mass = particles(2000, 7e4) / 1e3
    record = listed({"contrasts": -5e-5 * mass, "masses_kDa": 1.1 * mass})
    peaks = analyze(record, **AAV, contrast_slope=5e-5).samples[0].diagnostics["peaks"]
    assert min(abs(p["mass_mda"] - 3.7404) for p in peaks) < 0.02


def test_photometry_counts_what_left_the_surface_apart() -> None:
    mass = np.r_[particles(300, 7e4) / 1e3, -particles(40, 7e4) / 1e3]
    record = listed({"contrasts": -5e-5 * mass, "masses_kDa": mass})
    assert dict(record.dropped) == {"the particle left the surface": 40}
    assert record.contrast is not None
    assert bool((record.contrast > 0).all())


def test_photometry_without_a_full_peak_says_so() -> None:
    rng = np.random.default_rng(3)
    mass = rng.normal(3740, 70, 2000)
    result = analyze(listed({"contrasts": -5e-5 * mass, "masses_kDa": mass}), **AAV)
    assert flags(result) == {"photometry_scale": "warning", "windows_biased": "warning"}


def test_fewer_than_50_particles_are_invalid() -> None:
    assert "too_few_ions" in flags(analyze(listed({"mass_da": particles(49, 6e4)}), **AAV))


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("mass,intensity\n3740,1\n", 1, "spectrum"),
        ("Mass (kDa),Normalized Intensity\n3740,1\n", 1, "spectrum"),
        ("mass_kda,y\n" + "".join(f"{3000 + 10 * i},{i}\n" for i in range(100)), 1, "equal steps"),
        ("mass_kda\n3740\nheavy\n", 3, "not a number"),
        ("mass_kda;contrast\n3740.5;1\n3741,5;1\n", 3, "decimal comma"),
        ("mass,masses\n1,2\n", 1, "two columns"),
    ],
)
def test_errors_name_file_line_and_what_was_found(text: str, line: int, part: str) -> None:
    with pytest.raises(InputError, match=part) as caught:
        read(io.BytesIO(text.encode()), name="list.csv")
    assert (caught.value.file, caught.value.line) == ("list.csv", line)


@pytest.mark.parametrize("text", ["mz,mass,z\n25000,3.7e6,150\n", "mz,charge,mass\n25000,150,3.7e6\n"])
def test_an_ion_list_with_masses_stays_an_ion_list(text: str) -> None:
    record: Any = read(io.BytesIO(text.encode()), name="ions.csv")
    assert record.format == "ion-list"


def test_hdf5_of_a_mass_photometer_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="HDF5") as caught:
        read(io.BytesIO(b"\x89HDF\r\n\x1a\n" + bytes(2000)), name="eventsFitted.h5")
    assert caught.value.hint == "export the events as CSV"


def test_a_list_counted_by_windows_says_so_unless_windows_were_asked_for() -> None:
    record = listed({"mass_da": particles(400, 6e4)})
    said = [analyze(record, **AAV, report_by=by).samples[0].warnings for by in ("mixture", "window")]
    assert [any("by windows" in text for text in texts) for texts in said] == [True, False]
