"""UltraScan .auc: bytes built here by the layout, damage, real files, and what is written."""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from aavqc.errors import AavqcError, InputError, UsageError
from aavqc.parsers import Survey, read_export, survey
from aavqc.parsers.openauc import FORMAT, write_openauc
from aavqc.records import InputFile, Scan, VelocityScans, readonly
from format_samples import openauc_scans

POINTS = 20
HEADER_BYTES = 296
SCAN_BYTES = 30 + 2 * POINTS + 3


def sealed(body: bytes) -> bytes:
    return body + struct.pack("<I", zlib.crc32(body, 0xFFFFFFFF))


def auc_bytes(
    nm: float = 280.0,
    version: int = 5,
    kind: bytes = b"RA",
    cell: int = 2,
    channel: bytes = b"A",
    seconds: tuple[int, ...] = (300, 600),
    rpm: float = 15000.0,
    sd_of: tuple[int, ...] = (),
    with_sd: bool = False,
    marks: bytes = bytes(3),
) -> bytes:
    """Two scans of a ramp from 0 to 65535 steps of 1e-5; scans in ``sd_of`` have SDs."""
    ranges = (0.0, 0.65535, 0.001, 0.001 + 0.0065535) if with_sd else (0.0, 0.65535, 0.0, 0.0)
    body = struct.pack(
        "<4s2s2sB1s16s240s", b"UCDA", b"%02d" % version, kind, cell, channel, bytes(16), b"lot 7"
    )
    body += struct.pack("<7fH", 6.0, 6.19, 0.01, *ranges, len(seconds))
    wavelength = round(nm * 10) if version == 5 else round((nm - 180) * 100)
    for number, time_s in enumerate(seconds):
        body += struct.pack(
            "<4sffIfHfI", b"DATA", 20.5, rpm, time_s, 2.5e6 * time_s, wavelength, 0.01, POINTS
        )
        for i in range(POINTS):
            body += struct.pack("<H", 3000 * i + number)
            body += struct.pack("<H", 100 * i) if number in sd_of else b""
        body += marks
    return sealed(body)


def record_of(folder: Path, files: dict[str, bytes]) -> VelocityScans:
    (export,) = surveyed(folder, files).exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    return record


def surveyed(folder: Path, files: dict[str, bytes]) -> Survey:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return survey(folder)


def refused(data: bytes, name: str = "x.auc") -> InputError:
    found = survey(BytesIO(data), name=name)
    if found.failures:
        error = found.failures[0].error
    else:
        with pytest.raises(InputError) as caught:
            read_export(found.exports[0])
        error = caught.value
    assert isinstance(error, InputError)
    assert error.file == name
    return error


def made(
    radius: np.ndarray,
    signals: list[np.ndarray],
    sd: np.ndarray | None = None,
    nm: float = 230.5,
    description: str = "Größe",
) -> VelocityScans:
    scans = [
        Scan(
            file="made",
            description=description,
            radius_cm=readonly(radius),
            signal=readonly(signal),
            signal_sd=None if sd is None else readonly(sd),
            time_s=300.0 + 600 * i,
            omega2_t=1e9 * (i + 1),
            rpm=15013.0,
            temperature_c=20.0,
            wavelength_nm=nm,
        )
        for i, signal in enumerate(signals)
    ]
    return VelocityScans(
        name="made",
        sample_id="made",
        format="made",
        inputs=(InputFile("made", "0" * 64, 0),),
        cell=3,
        optics="absorbance",
        scans=tuple(scans),
        wavelengths=(nm,),
    )


@pytest.mark.parametrize(("version", "nm"), [(5, 230.5), (4, 230.5), (5, 900.0), (4, 181.25)])
def test_scans_are_read_as_stored(tmp_path: Path, version: int, nm: float) -> None:
    record = record_of(tmp_path, {"x.auc": auc_bytes(nm=nm, version=version)})
    assert (record.name, record.sample_id, record.cell) == ("x.auc#cell2", "x-cell2", 2)
    assert (record.optics, record.experiment, record.wavelengths) == ("absorbance", "velocity", (nm,))
    first, second = record.scans
    assert (first.time_s, first.rpm, first.temperature_c, first.description) == (
        300.0,
        15000.0,
        20.5,
        "lot 7",
    )
    assert second.omega2_t == pytest.approx(1.5e9, rel=1e-7)
    np.testing.assert_allclose(first.radius_cm, 6.0 + 0.01 * np.arange(POINTS), rtol=0, atol=1e-7)
    np.testing.assert_allclose(second.signal, 1e-5 * (3000 * np.arange(POINTS) + 1), rtol=1e-6)
    assert first.signal_sd is None
    assert "signals are in steps of 1e-05 (16 bits over the file's range)" in record.remarks
    assert any("multiples of 100 rpm" in r for r in record.remarks)


def test_exact_speeds_are_not_said_to_be_rounded(tmp_path: Path) -> None:
    record = record_of(tmp_path, {"x.auc": auc_bytes(rpm=15013.0)})
    assert record.scans[0].rpm == 15013.0
    assert not any("100 rpm" in r for r in record.remarks)


def test_sds_are_read_where_a_scan_has_them(tmp_path: Path) -> None:
    record = record_of(tmp_path, {"x.auc": auc_bytes(with_sd=True, sd_of=(0, 1))})
    for scan in record.scans:
        assert scan.signal_sd is not None
        np.testing.assert_allclose(scan.signal_sd, 0.001 + 1e-5 * np.arange(POINTS), rtol=1e-4)
    mixed = record_of(tmp_path, {"x.auc": auc_bytes(with_sd=True, sd_of=(0,))})
    assert mixed.scans[0].signal_sd is not None
    assert mixed.scans[1].signal_sd is None
    np.testing.assert_allclose(mixed.scans[1].signal, 1e-5 * (3000 * np.arange(POINTS) + 1), rtol=1e-6)


def test_interpolated_points_are_counted(tmp_path: Path) -> None:
    record = record_of(tmp_path, {"x.auc": auc_bytes(marks=b"\xe0\x00\x10")})
    assert "8 points are marked as interpolated" in record.remarks


def test_files_of_one_triple_at_several_wavelengths_are_one_record(tmp_path: Path) -> None:
    files = {f"run7.RA.2.A.{nm}.auc": auc_bytes(nm=nm) for nm in (260, 280)}
    record = record_of(tmp_path / "a", files)
    assert (record.name, record.sample_id) == ("run7.RA.2.A#cell2", "run7-cell2")
    assert record.wavelengths == (260.0, 280.0)
    assert [s.wavelength_nm for s in record.scans] == [260.0, 280.0, 260.0, 280.0]
    assert len(record.inputs) == 2

    files["run7.RA.2.B.260.auc"] = auc_bytes(nm=260, channel=b"B")
    files["other.RA.2.A.260.auc"] = auc_bytes(nm=260)
    found = surveyed(tmp_path / "b", files)
    assert [(e.name, e.sample_id) for e in found.exports] == [
        ("other.RA.2.A.260.auc#cell2", "other-cell2"),
        ("run7.RA.2.A#cell2", "run7-cell2-RAA"),
        ("run7.RA.2.B.260.auc#cell2", "run7-cell2-RAB"),
    ]


def test_one_triple_takes_a_wavelength_once_and_no_other_name(tmp_path: Path) -> None:
    name = "run7.RA.2.A.260.auc"
    found = surveyed(tmp_path, {name: auc_bytes(nm=260), "run7.auc": auc_bytes(nm=280)})
    assert [e.name for e in found.exports] == [f"{name}#cell2", "run7.auc#cell2"]
    found = surveyed(tmp_path, {name + ".gz": gzip.compress(auc_bytes(nm=260))})
    assert [r.reason for r in found.files if r.status == "ignored"] == [f"duplicate of {name}"]


def test_a_name_that_the_header_contradicts_joins_nothing(tmp_path: Path) -> None:
    files = {"run.RA.2.A.260.auc": auc_bytes(nm=260), "run.RA.2.A.280.auc": auc_bytes(nm=280, cell=3)}
    assert [e.name for e in surveyed(tmp_path, files).exports] == [
        "run.RA.2.A.260.auc#cell2",
        "run.RA.2.A.280.auc#cell3",
    ]


def test_wavelength_scans_are_ignored(tmp_path: Path) -> None:
    (row,) = surveyed(tmp_path, {"x.auc": auc_bytes(kind=b"WA")}).files
    assert (row.status, row.reason) == ("ignored", "wavelength scan")


def test_damage_is_told_with_its_byte() -> None:
    good = auc_bytes()
    assert f"byte {HEADER_BYTES + SCAN_BYTES}" in str(refused(good[: HEADER_BYTES + SCAN_BYTES]).found)
    assert "byte 0" in str(refused(good[:100]).found)
    assert "byte" in str(refused(good[:-2]).found)
    assert "byte" in str(refused(good + b"more").found)
    flipped = bytearray(good)
    flipped[HEADER_BYTES + 40] ^= 1
    error = refused(bytes(flipped))
    assert "checksum" in error.message
    assert f"byte {len(good) - 4}" in str(error.found)
    plain = good[:-4] + struct.pack("<I", zlib.crc32(good[:-4]))
    assert "checksum" in refused(plain).message
    tag = bytearray(good[:-4])
    tag[HEADER_BYTES + SCAN_BYTES] = ord("X")
    assert f"byte {HEADER_BYTES + SCAN_BYTES}" in str(refused(sealed(bytes(tag))).found)


def test_values_that_no_run_has_are_refused() -> None:
    assert refused(auc_bytes(rpm=float("nan"))).message == "implausible rpm"
    assert refused(auc_bytes(cell=99)).message == "implausible cell"
    assert refused(auc_bytes(version=6)).message == "unknown version"
    assert refused(auc_bytes(seconds=())).message == "no scans"
    assert refused(auc_bytes(seconds=(600, 300))).message == "time runs backwards"
    assert refused(b"", "x.auc").expected == FORMAT.title
    assert refused(b"text", "x.auc").message == "the content is not what the name says"


def test_mutated_files_raise_our_errors_only() -> None:
    rng = np.random.default_rng(7)
    good = openauc_scans()
    assert survey(BytesIO(good), name="s.auc").exports
    outcomes = set()
    for _ in range(400):
        data = bytearray(good)
        for at in rng.integers(0, 420, rng.integers(1, 4)):
            data[at] = rng.integers(0, 256)
        body = bytes(data[: rng.integers(0, len(data))] if rng.random() < 0.3 else data)
        if rng.random() < 0.7 and len(body) > 4:
            body = sealed(body[:-4])
        found = survey(BytesIO(body), name="s.auc")
        for export in found.exports:
            try:
                read_export(export)
                outcomes.add("read")
            except AavqcError:
                outcomes.add("refused")
    assert outcomes == {"read", "refused"}


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("sd", [False, True])
def test_what_is_written_is_read_back(tmp_path: Path, version: int, sd: bool) -> None:
    radius = 6.0 + 0.003 * np.arange(300)
    signals = [0.7 / (1 + np.exp(-(radius - 6.2 - 0.2 * i) / 0.02)) - 0.0123 for i in range(3)]
    record = made(radius, signals, 0.001 + 0.0001 * np.arange(300) if sd else None)
    path = tmp_path / "out.auc"
    losses = write_openauc(record, path, version)
    assert [x for x in losses if "steps" not in x] == []
    data = path.read_bytes()
    assert struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4], 0xFFFFFFFF)
    back = record_of(tmp_path, {})
    step = (max(s.max() for s in signals) - min(s.min() for s in signals)) / 65535
    assert (back.cell, back.wavelengths, back.scans[0].rpm) == (3, (230.5,), 15013.0)
    assert back.scans[0].description == "Größe"
    for scan, wanted in zip(back.scans, record.scans, strict=True):
        np.testing.assert_allclose(scan.radius_cm, radius, rtol=0, atol=1e-6)
        assert np.abs(scan.signal - wanted.signal).max() <= 0.5 * step * 1.001
        assert (scan.signal_sd is not None) == sd
        if scan.signal_sd is not None:
            np.testing.assert_allclose(scan.signal_sd, wanted.signal_sd, rtol=0, atol=0.0299 / 65535)
    again = tmp_path / "again.auc"
    write_openauc(record, again, version)
    assert again.read_bytes() == data


def test_what_is_lost_is_said(tmp_path: Path) -> None:
    radius = 6.0 + 0.003 * np.arange(30)
    record = made(radius, [radius, 2 * radius], np.zeros(30), description="x" * 300)
    scan = replace(record.scans[0], time_s=299.5, reference=readonly(radius))
    losses = write_openauc(replace(record, scans=(scan, record.scans[1])), tmp_path / "x.auc")
    assert [x.split(" to steps")[0] for x in losses] == [
        "signals are rounded",
        "times are cut to whole seconds",
        "the description is cut or spelled otherwise",
        "the second channel is left out",
    ]
    back = record_of(tmp_path, {})
    assert (back.scans[0].time_s, back.scans[0].signal_sd) == (299.0, None)
    assert back.scans[0].description == "x" * 239


def test_irregular_radii_are_interpolated_and_marked(tmp_path: Path) -> None:
    radius = 6.0 + np.cumsum(np.tile([0.003, 0.005, 0.004], 60))
    record = made(radius, [0.5 * radius, 0.6 * radius])
    losses = write_openauc(record, tmp_path / "x.auc")
    assert "radii are interpolated onto a uniform grid" in losses
    back = record_of(tmp_path, {})
    step = (0.6 * radius[-1] - 0.5 * radius[0]) / 65535
    for scan, slope in zip(back.scans, (0.5, 0.6), strict=True):
        assert np.ptp(np.diff(scan.radius_cm)) < 1e-9
        np.testing.assert_allclose(scan.signal, slope * scan.radius_cm, rtol=0, atol=0.51 * step)
    assert f"{2 * back.scans[0].radius_cm.size} points are marked as interpolated" in back.remarks


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    radius = 6.0 + 0.003 * np.arange(30)
    record = made(radius, [radius])
    with pytest.raises(UsageError, match="version"):
        write_openauc(record, tmp_path / "x.auc", 3)
    with pytest.raises(UsageError, match="wavelength"):
        write_openauc(made(radius, [radius], nm=1000.0), tmp_path / "x.auc", 4)
    with pytest.raises(UsageError, match="finite"):
        write_openauc(made(radius, [radius * np.nan]), tmp_path / "x.auc")


def test_simulated_case_is_what_ultrascan_wrote(reference_data: Path) -> None:
    folder = reference_data / "auc" / "ultrascan3"
    (export,) = survey(folder / "t.auc").exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    table = np.genfromtxt(folder / "A_empty65S_ff12_N200_grid1.csv", delimiter=",", skip_header=5)
    signals = np.array([s.signal for s in record.scans]).T
    half_step = 822.9912719726562 / 65535 / 2
    np.testing.assert_allclose(record.scans[0].radius_cm, table[:, 0], rtol=0, atol=1e-6)
    assert np.abs(signals - table[:, 1:]).max() <= 1.001 * half_step
    assert [s.time_s for s in record.scans] == [300.0 + 60 * i for i in range(60)]


def test_real_scans_are_those_of_the_instrument(reference_data: Path) -> None:
    (export,) = survey(reference_data / "auc" / "ultrascan3" / "UA2_real_RA4_490nm.auc").exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    assert (record.cell, record.experiment, len(record.scans)) == (4, "equilibrium", 6)
    half_step = (2.456350088119507 + 1.7878999710083008) / 65535 / 2
    compared = 0
    for path in sorted((reference_data / "auc" / "ra4_mit").glob("[0-9]" * 5 + ".RA4")):
        header = path.read_text("latin-1").split("\n")[1].split()
        scan = next((s for s in record.scans if s.time_s == float(header[4])), None)
        if scan is None:
            continue
        r, od, sd = np.loadtxt(path, skiprows=2, encoding="latin-1").T
        # radii in 32 bits are off by up to 1e-6 cm, which counts where the signal is steep
        slope = np.abs(np.gradient(od, r))
        allowed = 1.01 * half_step + 1e-6 * np.interp(
            scan.radius_cm, r, np.maximum.reduce([slope, np.roll(slope, 1), np.roll(slope, -1)])
        )
        assert (np.abs(scan.signal - np.interp(scan.radius_cm, r, od)) <= allowed).all()
        assert scan.signal_sd is not None
        np.testing.assert_allclose(scan.signal_sd, np.interp(scan.radius_cm, r, sd), rtol=0, atol=5e-5)
        assert (scan.rpm, scan.wavelength_nm) == (float(header[3]), float(header[6]))
        compared += 1
    assert compared == 6
