"""Multi-wavelength scans: bytes built here by the layout that UltraScan's importer reads."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from aavqc.errors import AavqcError, InputError
from aavqc.parsers import read_export, survey
from aavqc.records import VelocityScans
from format_samples import mwrs_scan

POINTS = 30


def scan_bytes(
    number: int = 1,
    nm: tuple[int, ...] = (250, 260, 280),
    cell: int = 1,
    channel: bytes = b"A",
    old: bool = False,
    temperature: int = 205,
    omega2_t: float = 2.5e9,
) -> bytes:
    speeds = struct.pack(">H", 15013) if old else struct.pack(">HH", 15000, 15013)
    data = struct.pack(">B1sH", cell, channel, number) + speeds
    data += struct.pack(">HfiHHHH", temperature, omega2_t * number, 600 * number, POINTS, 5900, 50, len(nm))
    data += struct.pack(f">{len(nm)}H", *nm)
    for k in range(len(nm)):
        data += struct.pack(f">{POINTS}i", *(1000 * (k + 1) - 7 * i for i in range(POINTS)))
    return data


def settings(version: str, take_intensity: str = "Y") -> bytes:
    return (
        f'<?xml version="1.0"?><settings_mwrs_experiment version="{version}">'
        f'<runID name="r" take_intensity="{take_intensity}"/></settings_mwrs_experiment>'
    ).encode()


def record_of(folder: Path, files: dict[str, bytes]) -> VelocityScans:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (export,) = survey(folder).exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    return record


@pytest.mark.parametrize("old", [False, True])
def test_both_headers_are_told_by_the_length(tmp_path: Path, old: bool) -> None:
    files = {f"r.1.A.lot.{i}.mwrs": scan_bytes(i, old=old) for i in (1, 2)}
    record = record_of(tmp_path / "run", files)
    assert (record.name, record.sample_id, record.cell) == ("#cell1", "r-cell1", 1)
    assert (record.optics, record.wavelengths) == ("intensity", (250.0, 260.0, 280.0))
    assert [(s.time_s, s.wavelength_nm) for s in record.scans[:4]] == [
        (600, 250),
        (600, 260),
        (600, 280),
        (1200, 250),
    ]
    last = record.scans[-1]
    assert (last.rpm, last.temperature_c, last.omega2_t) == (15013.0, 20.5, 5e9)
    np.testing.assert_allclose(last.radius_cm, 5.9 + 0.005 * np.arange(POINTS), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        last.signal, (3000 - 7 * np.arange(POINTS)) * (1e-3 if old else 1.0), rtol=1e-12
    )
    assert any("no reference" in r for r in record.remarks)


@pytest.mark.parametrize(
    ("version", "take_intensity", "scale", "optics"),
    [
        ("1.1", "Y", 1e-3, "intensity"),
        ("1.2", "N", 1e-3, "intensity"),
        ("1.3", "N", 1.0, "intensity"),
        ("1.4", "Y", 1.0, "intensity"),
        ("1.4", "N", 1e-4, "absorbance"),
    ],
)
def test_scale_and_kind_come_from_the_run(
    tmp_path: Path, version: str, take_intensity: str, scale: float, optics: str
) -> None:
    files = {"r.1.A.lot.001.mwrs": scan_bytes(), "r.mwrs.xml": settings(version, take_intensity)}
    record = record_of(tmp_path, files)
    assert record.optics == optics
    np.testing.assert_allclose(record.scans[0].signal, scale * (1000 - 7 * np.arange(POINTS)), rtol=1e-12)
    assert [i.name for i in record.inputs] == sorted(files)


def test_cells_and_channels_are_records_of_their_own(tmp_path: Path) -> None:
    for cell, channel in ((1, b"A"), (1, b"B"), (0x32, b"A")):
        path = tmp_path / f"r.{cell}.{channel.decode()}.lot.1.mwrs"
        path.write_bytes(scan_bytes(cell=cell, channel=channel))
    assert [e.name for e in survey(tmp_path).exports] == ["#cell1-A", "#cell1-B", "#cell2"]


def test_a_wavelength_given_twice_is_taken_once(tmp_path: Path) -> None:
    record = record_of(tmp_path, {"r.1.A.lot.1.mwrs": scan_bytes(nm=(250, 250, 280))})
    assert [s.wavelength_nm for s in record.scans] == [250.0, 280.0]
    assert record.scans[0].signal[0] == 2000.0


@pytest.mark.parametrize(
    "data",
    [
        scan_bytes()[:-1],
        scan_bytes() + b"\0",
        scan_bytes()[:20],
        scan_bytes(temperature=9999),
        scan_bytes(omega2_t=float("nan")),
        b"",
    ],
)
def test_damage_is_a_failure_with_the_file(data: bytes) -> None:
    (row,) = survey(BytesIO(data), name="r.1.A.lot.1.mwrs").files
    assert row.status == "failed"
    assert isinstance(row.error, InputError)
    assert row.error.file == "r.1.A.lot.1.mwrs"


def test_other_wavelengths_in_a_later_scan_are_refused(tmp_path: Path) -> None:
    files = {"r.1.A.l.1.mwrs": scan_bytes(1), "r.1.A.l.2.mwrs": scan_bytes(2, nm=(250, 260, 281))}
    with pytest.raises(InputError, match="different wavelengths") as caught:
        record_of(tmp_path, files)
    assert caught.value.file == "r.1.A.l.2.mwrs"


def test_settings_without_a_version_are_refused(tmp_path: Path) -> None:
    files = {"r.1.A.l.1.mwrs": scan_bytes(1), "r.mwrs.xml": b"<settings_mwrs_experiment/>"}
    with pytest.raises(InputError, match="no version"):
        record_of(tmp_path, files)


def test_mutated_files_raise_our_errors_only() -> None:
    rng = np.random.default_rng(5)
    good = mwrs_scan()
    outcomes = set()
    for _ in range(400):
        data = bytearray(good)
        for at in rng.integers(0, 34, 2):
            data[at] = rng.integers(0, 256)
        found = survey(BytesIO(bytes(data)), name="r.1.A.l.1.mwrs")
        outcomes |= {type(f.error) for f in found.failures}
        for export in found.exports:
            try:
                outcomes.add(type(read_export(export)))
            except AavqcError as error:
                outcomes.add(type(error))
    assert outcomes == {InputError, VelocityScans}
