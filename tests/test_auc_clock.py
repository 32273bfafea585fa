"""Wall-clock times of scans, the check of the instrument's clock, and calibration."""

from __future__ import annotations

import os
import random
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from aavqc.auc.calibration import calibrate, calibration_diagnostics, s_rel_sd
from aavqc.auc.clock import check_clock, clock_flags
from aavqc.auc.settings import Calibration, TechniqueSettings
from aavqc.errors import UsageError
from aavqc.parsers import read_export, survey
from aavqc.parsers.beckman_log import parse_log
from aavqc.records import Scan, VelocityScans, readonly
from aavqc.settings import build

START = datetime(2024, 12, 31, 23, 10, 0)
SCANS = 12
STEP_S = 600


def scan_text(seconds: int, cell: int = 1, letter: str = "R") -> str:
    rows = [f"{6.0 + 0.03 * i:9.4f}  {0.01 * i:.5E}  4.10000E-003" for i in range(40)]
    head = f"{letter} {cell} 20.0 15000 {seconds:07d} {2.4674e6 * seconds:.4E} 260 5"
    return "\r\n".join(["sample", head, *rows, ""])


def log_text(fast: float = 1.0, cell: int = 1, kind: str = "RA") -> str:
    """A scan log; the header's seconds are ``fast`` times the wall clock's."""
    parts = [f"XL-I Version 6.2 (1383022715) Cell {cell} Absorbance Scan Log", "Log file name: x.log", ""]
    for i in range(SCANS):
        began = START + timedelta(seconds=STEP_S * i)
        seconds = round(300 + fast * STEP_S * i)
        parts += [
            f"Scan sequence {i + 1:05d} started {began:%m/%d/%y @ %H:%M:%S}, "
            f"file name: {i + 1:05d}.{kind}{cell}",
            f"speed: 15000, time: {seconds:07d}, temp: 20.0, w2t: 2.19E+010",
            f"Scan sequence {i + 1:05d} saved {began:%m/%d/%y @ %H:%M:%S}, elapsed time: 00:00:40",
            "",
        ]
    return "\r\n".join(parts)


def folder(path: Path, fast: float = 1.0, log: str | None = None) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for i in range(SCANS):
        (path / f"{i + 1:05d}.RA1").write_text(scan_text(round(300 + fast * STEP_S * i)), newline="")
    if log is not None:
        (path / "cell1abs.log").write_text(log, newline="")
    return path


def record_of(path: Path) -> VelocityScans:
    (export,) = survey(path).exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    return record


def pack(source: Path, out: Path, times: list[datetime]) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for file, time in zip(sorted(source.glob("*.RA1")), times, strict=True):
            archive.writestr(zipfile.ZipInfo(file.name, time.timetuple()[:6]), file.read_bytes())
    return out


def test_a_log_gives_wall_clock_times_across_midnight_and_new_year(tmp_path: Path) -> None:
    path = folder(tmp_path / "run", log=log_text())
    record = record_of(path)
    assert record.clock is not None
    assert record.clock.source == "log"
    assert record.clock.elapsed_s == tuple(STEP_S * float(i) for i in range(SCANS))
    assert "cell1abs.log" in [i.name for i in record.inputs]
    assert [i.name for i in record.inputs] == sorted(i.name for i in record.inputs)
    check = check_clock(record)
    assert check.ratio == pytest.approx(1.0, abs=1e-9)
    assert clock_flags(check, Calibration()) == []


@pytest.mark.parametrize(("fast", "way", "effect"), [(0.92, "short", "high"), (1.03, "long", "low")])
def test_a_clock_that_is_off_is_flagged_with_what_it_does_to_s(
    tmp_path: Path, fast: float, way: str, effect: str
) -> None:
    check = check_clock(record_of(folder(tmp_path / "run", fast, log_text(fast))))
    assert check.ratio == pytest.approx(fast, abs=1e-3)
    (flag,) = clock_flags(check, Calibration())
    assert (flag.id, flag.severity, flag.limit) == ("clock", "warning", 0.01)
    assert f"too {way}" in flag.message
    assert f"s is {100 * abs(1 / fast - 1):.1f} % too {effect}" in flag.message
    assert check.ratio is not None
    assert clock_flags(check, Calibration(time_factor=1 / check.ratio)) == []


def test_a_deviation_below_one_percent_is_no_flag(tmp_path: Path) -> None:
    check = check_clock(record_of(folder(tmp_path / "run", 0.993, log_text(0.993))))
    assert check.ratio == pytest.approx(0.993, abs=1e-3)
    assert clock_flags(check, Calibration()) == []


def test_times_of_an_archive_are_used_where_they_ascend(tmp_path: Path) -> None:
    source = folder(tmp_path / "run", 0.95)
    times = [START + timedelta(seconds=STEP_S * i) for i in range(SCANS)]
    record = record_of(pack(source, tmp_path / "a.zip", times))
    assert record.clock is not None
    assert record.clock.source == "zip"
    assert check_clock(record).ratio == pytest.approx(0.95, abs=1e-3)
    shuffled = [times[1], times[0], *times[2:]]
    assert record_of(pack(source, tmp_path / "b.zip", shuffled)).clock is None
    assert record_of(pack(source, tmp_path / "c.zip", [START] * SCANS)).clock is None


def test_an_archive_packed_from_a_copy_says_nothing(tmp_path: Path) -> None:
    times = [START + timedelta(seconds=200 * i) for i in range(SCANS)]
    check = check_clock(record_of(pack(folder(tmp_path / "run"), tmp_path / "a.zip", times)))
    assert (check.source, check.ratio) == ("zip", None)
    assert check.reason.startswith("not possible")


def test_times_on_disk_are_never_used(tmp_path: Path) -> None:
    path = folder(tmp_path / "run")
    for i, file in enumerate(sorted(path.glob("*.RA1"))):
        os.utime(file, (1e9 + STEP_S * i, 1e9 + STEP_S * i))
    check = check_clock(record_of(path))
    assert (check.source, check.ratio) == (None, None)
    assert check.reason.startswith("not possible")


def test_a_log_of_another_cell_or_run_is_not_taken(tmp_path: Path) -> None:
    other_cell = folder(tmp_path / "a", log=log_text(cell=2))
    found = survey(other_cell)
    rows = {row.name: (row.status, row.reason) for row in found.files}
    assert rows["cell1abs.log"] == ("ignored", "scan log")
    assert record_of(other_cell).clock is None
    later = log_text().replace("time: 0", "time: 9")
    assert record_of(folder(tmp_path / "b", log=later)).clock is None


def test_a_damaged_log_does_not_keep_the_scans_from_being_read(tmp_path: Path) -> None:
    rng = random.Random(3)
    clean = log_text().encode()
    path = folder(tmp_path / "run")
    kept = 0
    for _ in range(60):
        data = bytearray(clean)
        for _ in range(rng.randint(1, 40)):
            data[rng.randrange(60, len(data))] = rng.randrange(256)
        (path / "cell1abs.log").write_bytes(bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]))
        record = record_of(path)
        assert len(record.scans) == SCANS
        check_clock(record)
        kept += record.clock is not None
    assert 20 < kept <= 60


def test_an_impossible_date_is_passed_over() -> None:
    text = log_text().replace("12/31/24", "13/31/24").encode()
    assert len(parse_log(text)) == SCANS - sum(
        (START + timedelta(seconds=STEP_S * i)).day == 31 for i in range(SCANS)
    )


def test_header_and_log_agree_in_a_real_run(reference_data: Path) -> None:
    """04/13 10:47:17 to 04/16 06:50:37 is 245 000 s; the headers say 300032 − 55354 s."""
    check = check_clock(record_of(reference_data / "auc" / "ra4_mit"))
    assert check.source == "log"
    assert check.ratio == pytest.approx(244678 / 245000, abs=1e-9)
    assert clock_flags(check, Calibration()) == []


def boundary_scan(s: float, time_s: float) -> Scan:
    """A sharp boundary of s (in seconds) that began at 6.1 cm, at 2.5e6 rad²/s²."""
    radii = np.linspace(5.9, 7.2, 2601)
    at = 6.1 * np.exp(s * 2.5e6 * time_s)
    return Scan(
        file="x", description="", radius_cm=readonly(radii), signal=readonly(radii > at), time_s=time_s,
        omega2_t=2.5e6 * time_s, rpm=15100.0, temperature_c=20.0, wavelength_nm=260.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("calibration", "factor"),
    [
        (Calibration(radial_magnification=1.02), 1.02),
        (Calibration(time_factor=1.05), 1 / 1.05),
        (Calibration(temperature_offset=0.5), 1.0),
    ],
)
def test_calibration_acts_on_s_as_stated(calibration: Calibration, factor: float) -> None:
    found = []
    for scan in (boundary_scan(65e-13, 500.0), boundary_scan(65e-13, 8000.0)):
        true = calibrate(scan, calibration)
        at = true.radius_cm[int(np.argmax(true.signal > 0.5))]
        found.append((np.log(at), true.omega2_t, true.temperature_c))
    s = (found[1][0] - found[0][0]) / (found[1][1] - found[0][1])
    # the magnification acts about 6.5 cm: exact there, 0.1 % off elsewhere
    assert s / 65e-13 == pytest.approx(factor, rel=2e-3)
    assert found[0][2] == 20.0 + calibration.temperature_offset


def test_uncertainty_of_the_calibration_adds_up() -> None:
    assert s_rel_sd(Calibration()) is None
    assert s_rel_sd(Calibration(radial_rel_sd=0.003, time_rel_sd=0.004)) == pytest.approx(0.005)
    settings = build(
        TechniqueSettings,
        {
            "calibration.certificate": "C-12",
            "calibration.date": "2026-01-02",
            "calibration.time_rel_sd": "0.01",
        },
    )
    said = calibration_diagnostics(settings.calibration)
    assert (said["certificate"], said["date"], said["s_rel_sd"]) == ("C-12", "2026-01-02", 0.01)
    with pytest.raises(UsageError, match=r"calibration\.time_factor"):
        build(TechniqueSettings, {"calibration.time_factor": "0.1"})


def test_a_log_inside_an_archive_wins_over_the_archive(tmp_path: Path) -> None:
    times = [START + timedelta(seconds=STEP_S * i) for i in range(SCANS)]
    path = pack(folder(tmp_path / "run", 0.95), tmp_path / "a.zip", times)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("cell1abs.log", log_text(0.95))
    record = record_of(path)
    assert record.clock is not None
    assert record.clock.source == "log"
    assert check_clock(record).ratio == pytest.approx(0.95, abs=1e-3)
