"""Beckman scans: what is a record, what is refused, and real runs."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import pytest

from aavqc.errors import AavqcError, InputError
from aavqc.parsers import Survey, read_export, survey
from aavqc.parsers.beckman import FORMAT
from aavqc.records import VelocityScans

RA_HEADER = "R {cell} 20.0 {rpm} {seconds:07d} {w2t} {nm} 5"


def scan_text(
    seconds: int = 300,
    cell: int = 1,
    nm: int = 260,
    rpm: str = "15000",
    letter: str = "R",
    points: int = 40,
    columns: int = 3,
    sd: str = "4.10000E-003",
    end: str = "\r\n",
) -> str:
    header = f"{letter}" + RA_HEADER.format(cell=cell, rpm=rpm, seconds=seconds, w2t="7.3108E08", nm=nm)[1:]
    rows = []
    for i in range(points):
        fields = [f"{6.0 + 0.03 * i:9.4f}", f"{'%.5E' % (0.01 * i):>15}", f"{sd:>16}"]
        rows.append("".join(fields[:columns]))
    return end.join(["buffer vs sample", header, *rows, ""])


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("latin-1"))
    return folder


def reasons(found: Survey) -> dict[str, tuple[str, str]]:
    return {row.name: (row.status, row.reason) for row in found.files}


def only(found: Survey) -> VelocityScans:
    (export,) = found.exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    return record


def refused(folder: Path, text: str, name: str = "00001.RA1") -> InputError:
    found = survey(write(folder, {name: text}))
    if found.failures:
        error = found.failures[0].error
    else:
        with pytest.raises(InputError) as caught:
            read_export(found.exports[0])
        error = caught.value
    assert isinstance(error, InputError)
    assert error.file == name
    return error


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_absorbance_scan_is_read_as_printed(tmp_path: Path, end: str) -> None:
    text = scan_text(end=end, rpm=" 9001").replace("20.0", "03.9").replace("7.3108E08", "7.3108E+0008")
    record = only(survey(write(tmp_path / "run", {"00001.RA1": text})))
    (scan,) = record.scans
    assert (record.name, record.sample_id, record.format) == ("#cell1", "run-cell1", "beckman-xl")
    assert (record.optics, record.cell, record.wavelengths) == ("absorbance", 1, (260.0,))
    assert (scan.rpm, scan.temperature_c, scan.time_s) == (9001.0, 3.9, 300.0)
    assert (scan.omega2_t, scan.description) == (7.3108e8, "buffer vs sample")
    np.testing.assert_allclose(scan.radius_cm, 6.0 + 0.03 * np.arange(40), rtol=0, atol=1e-12)
    np.testing.assert_allclose(scan.signal, 0.01 * np.arange(40), rtol=0, atol=1e-12)
    assert scan.signal_sd is not None
    assert set(scan.signal_sd) == {0.0041}


def test_types_tell_the_optics(tmp_path: Path) -> None:
    files = {
        "00001.IP2": scan_text(cell=2, letter="P", columns=2, nm=675),
        "00001.RI3": scan_text(cell=3, letter="I", sd="9.72590E+0002"),
        "A00001.FI4": scan_text(cell=4, letter="F", columns=2, nm=488),
        "00001.RA5": scan_text(cell=5, sd="0.00000E+000"),
    }
    records = {e.name: read_export(e) for e in survey(write(tmp_path, files)).exports}
    ip, ri, fi, ra = (records[f"#cell{n}"] for n in (2, 3, 4, 5))
    assert [r.optics for r in (ip, ri, fi, ra)] == [
        "interference",
        "intensity",
        "fluorescence",
        "absorbance",
    ]
    assert ri.scans[0].reference[0] == 972.59
    assert ri.scans[0].signal_sd is None
    assert ra.scans[0].signal_sd is None
    assert not ri.remarks


def test_empty_description_and_old_code_page(tmp_path: Path) -> None:
    rest = scan_text().partition("\r\n")[2]
    files = {"a/00001.RA1": "\r\n" + rest, "b/00001.RA1": "20 \xb5M\r\n" + rest}
    a, b = (read_export(e) for e in survey(write(tmp_path, files)).exports)
    assert (a.name, a.scans[0].description) == ("a#cell1", "")
    assert b.scans[0].description == "20 µM"


def test_every_file_of_a_messy_folder_is_accounted_for(tmp_path: Path) -> None:
    files = {
        "00001.RA1": scan_text(300),
        "00002.RA1": scan_text(600, nm=261),
        "00003.RA1": scan_text(600),
        "00002_sub.RA1": scan_text(600, points=20),
        "copy of 3.RA1": scan_text(900),
        "00004.RA2": scan_text(900, cell=1),
        "00001.WA1": scan_text(100, letter="W"),
        "00001.RI1": scan_text(300, letter="I"),
        "00001.RA7": "",
        "00002.RA7": "\x00\x01\x02" * 50,
        "00003.RA7": scan_text(cell=7).replace("7.3108E08 ", ""),
        "cell1abs.log": "XL-I Version 6.2 (1383022715) Cell 1 Absorbance Scan Log\r\n",
        "notes.txt": "second run of the day",
    }
    found = survey(write(tmp_path, files))
    rows = reasons(found)
    assert {e.name for e in found.exports} == {"#cell1-RA", "#cell1-RI"}
    assert rows["00003.RA1"] == ("ignored", "duplicate of 00002.RA1")
    assert rows["00002_sub.RA1"] == ("ignored", "name; same cell, wavelength and time as 00002.RA1")
    assert rows["copy of 3.RA1"] == ("ignored", "name")
    assert rows["00001.WA1"] == ("ignored", "wavelength scan")
    assert rows["cell1abs.log"] == ("ignored", "scan log")
    for name in ("00004.RA2", "00001.RA7", "00002.RA7", "00003.RA7"):
        assert rows[name][0] == "failed"
    assert "expected type R, cell 2, found type R, cell 1" in rows["00004.RA2"][1]
    assert rows["notes.txt"][0] == "ignored"


def test_wavelength_folders_are_one_record_of_their_parent(tmp_path: Path) -> None:
    files = {
        f"run7/{folder}/{i + 1:05d}.RA1": scan_text(300 + 60 * i + lag, nm=nm)
        for folder, nm, lag in (("260", 259, 0), ("280nm", 280, 30))
        for i in range(3)
    }
    record = only(survey(write(tmp_path, files)))
    assert (record.name, record.sample_id) == ("run7#cell1", "run7-cell1")
    assert record.wavelengths == (259.0, 280.0)
    assert [s.time_s for s in record.scans] == [300, 330, 360, 390, 420, 450]
    inner = only(survey(tmp_path / "run7"))
    assert (inner.name, inner.sample_id) == ("#cell1", "run7-cell1")


def test_folders_of_other_names_stay_apart(tmp_path: Path) -> None:
    files = {"260/00001.RA1": scan_text(), "rerun/00001.RA1": scan_text()}
    assert [e.name for e in survey(write(tmp_path, files)).exports] == ["260#cell1", "rerun#cell1"]


def test_wavelengths_as_measured_are_grouped(tmp_path: Path) -> None:
    files = {
        f"{i + 1:05d}.RA1": scan_text(300 + i, nm=nm)
        for i, nm in enumerate((488, 490, 280, 491, 490, 279, 280))
    }
    record = only(survey(write(tmp_path, files)))
    assert record.wavelengths == (280.0, 490.0)
    assert len(record.at(490.0)) == 4
    assert "wavelengths 488 to 491 nm are taken as 490 nm" in record.remarks


@pytest.mark.parametrize(
    "measured", [(258, 259, 260, 261, 262), (262, 258, 258, 260), (261, 261, 261, 259, 260)]
)
def test_scans_near_the_wavelength_that_was_set_are_of_one(tmp_path: Path, measured: tuple[int, ...]) -> None:
    files = {f"{i + 1:05d}.RA1": scan_text(300 + i, nm=nm) for i, nm in enumerate(measured)}
    record = only(survey(write(tmp_path, files)))
    assert len(record.wavelengths) == 1
    assert len(record.at(record.wavelengths[0])) == len(measured)


@pytest.mark.parametrize(
    ("headers", "odd", "message"),
    [
        ([(300, "15000"), (600, "15000"), (900, "20000")], 3, "different speeds"),
        ([(300, "03000"), (600, "15000"), (900, "15000")], 1, "different speeds"),
        ([(300, "15000"), (900, "15000"), (600, "15000")], 3, "time runs backwards"),
    ],
)
def test_scans_of_several_runs_fail(
    tmp_path: Path, headers: list[tuple[int, str]], odd: int, message: str
) -> None:
    files = {f"{i + 1:05d}.RA1": scan_text(s, rpm=r) for i, (s, r) in enumerate(headers)}
    found = survey(write(tmp_path, files))
    assert not found.exports
    (failure,) = found.failures
    assert failure.name == f"{odd:05d}.RA1"
    assert failure.error is not None
    assert (failure.error.line, failure.error.message) == (2, message)
    others = [reason for name, (_, reason) in reasons(found).items() if name != failure.name]
    assert len(others) == 2
    assert all(reason.startswith("record failed: ") for reason in others)


def test_first_scan_before_the_rotor_settled(tmp_path: Path) -> None:
    files = {
        "00001.RA1": scan_text(60, rpm="14850"),
        "00002.RA1": scan_text(120),
        "00003.RA1": scan_text(180),
    }
    record = only(survey(write(tmp_path, files)))
    assert (record.experiment, record.scans[0].rpm) == ("velocity", 14850.0)


def test_long_dwells_at_ascending_speeds_are_an_equilibrium_run(tmp_path: Path) -> None:
    files = {
        f"{i + 1:05d}.RA1": scan_text(50000 * (i + 1), rpm=rpm)
        for i, rpm in enumerate(("06000", "09000", "12000"))
    }
    assert only(survey(write(tmp_path, files))).experiment == "equilibrium"


def lines_changed(line: int, new: str) -> str:
    lines = scan_text().split("\r\n")
    lines[line - 1] = new
    return "\r\n".join(lines)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (lines_changed(2, "R 1 20,0 15000 0000300 7.3108E08 260 5"), 2, "damaged header (temperature)"),
        (lines_changed(2, "R 1 20.0 15000 0000300 7.3108E08 5"), 2, "damaged header"),
        (lines_changed(12, "   6.2700   nan    4.10000E-003"), 12, "not a number"),
        (lines_changed(12, "   6.2700   1.0E+999    4.10000E-003"), 12, "not a number"),
        (lines_changed(12, "   6.2700   1_0    4.10000E-003"), 12, "not a number"),
        (lines_changed(12, "   6,2700   9.00000E-002    4.10000E-003"), 12, "decimal comma"),
        (lines_changed(12, "   6.2400   9.00000E-002    4.10000E-003"), 12, "implausible values"),
        (lines_changed(12, "   62.700   9.00000E-002    4.10000E-003"), 12, "implausible values"),
        (lines_changed(12, "   6.2700   9.00000E-002"), 12, "wrong number of columns"),
        (lines_changed(12, ""), 12, "wrong number of columns"),
        (lines_changed(12, "   6.2700   radius\xa0    4.10000E-003"), 12, "not a number"),
        (scan_text(columns=2), 3, "wrong number of columns"),
        (scan_text(points=6), 8, "truncated scan"),
        (scan_text(points=0), 2, "truncated scan"),
        (scan_text()[:-6], 42, "truncated scan"),
        (scan_text()[:-30], 42, "truncated scan"),
        (scan_text()[:-40], 42, "truncated scan"),
    ],
)
def test_damage_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    error = refused(tmp_path, text)
    assert (error.line, error.message) == (line, message)
    assert error.expected
    assert error.found


def test_a_scan_without_its_last_line_end_is_whole(tmp_path: Path) -> None:
    record = only(survey(write(tmp_path, {"00001.RA1": scan_text()[:-2]})))
    assert record.scans[0].radius_cm.size == 40


def test_a_scan_cut_between_lines_ends_before_the_others(tmp_path: Path) -> None:
    files = {f"{i:05d}.RA1": scan_text(300 * i, points=20 if i == 2 else 40) for i in (1, 2, 3)}
    found = survey(write(tmp_path, files))
    with pytest.raises(InputError, match="truncated scan") as caught:
        read_export(found.exports[0])
    assert (caught.value.file, caught.value.line, caught.value.found) == ("00002.RA1", 22, "6.5700 cm")
    assert "7.1700" in str(caught.value.expected)


def test_mutated_bytes_leave_only_errors_of_ours(tmp_path: Path) -> None:
    rng = random.Random(5)
    clean = scan_text().encode()
    survived = 0
    for _ in range(400):
        data = bytearray(clean)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "00001.RA1").write_bytes(bytes(data[: rng.choice((len(data), rng.randrange(len(data))))]))
        found = survey(tmp_path)
        assert len(found.files) == 1
        blamed = "00001.RA1"
        try:
            records = [read_export(e) for e in found.exports]
        except AavqcError as error:
            records, blamed = [], str(error.file)
        assert blamed == "00001.RA1"
        survived += len(records)
        assert all(np.isfinite(r.scans[0].signal).all() for r in records)
    assert survived < 390


def test_sniffing_goes_by_content() -> None:
    head = scan_text().encode()
    assert FORMAT.sniff(head, "whatever.txt")
    assert not FORMAT.sniff(b"Well,Sample\nA01,1,2,3,4,5,6,7\n", "00001.RA1")
    assert not FORMAT.sniff(b"", "00001.RA1")


def test_real_bsa_run(reference_data: Path) -> None:
    found = survey(reference_data / "auc" / "bsa_sv")
    start = time.perf_counter()
    record = only(found)
    assert time.perf_counter() - start < 3.0
    assert (record.name, record.sample_id) == ("#cell4", "bsa_sv-cell4")
    assert (record.optics, record.experiment, len(record.scans)) == ("interference", "velocity", 129)
    assert {s.radius_cm.size for s in record.scans} == {1852}
    assert {(float(s.radius_cm[0]), float(s.radius_cm[-1])) for s in record.scans} == {(5.8999, 7.2206)}
    assert {s.rpm for s in record.scans} == {50000.0}
    assert (record.scans[0].time_s, record.scans[0].omega2_t) == (190.0, 1.9906e9)
    assert record.scans[0].signal[-1] == 1.62919


def test_real_equilibrium_run(reference_data: Path) -> None:
    found = survey(reference_data / "auc" / "ra4_mit")
    record = only(found)
    assert (record.experiment, len(record.scans)) == ("equilibrium", 27)
    assert record.wavelengths == (450.0, 480.0, 490.0)
    assert [len(record.at(w)) for w in record.wavelengths] == [9, 9, 9]
    assert {s.rpm for s in record.scans} == {6000.0, 9000.0, 12000.0, 15000.0, 20000.0}
    ignored = {name: reason for name, (status, reason) in reasons(found).items() if status == "ignored"}
    assert set(ignored) == {"00001_sub.RA4", "00002_sub.RA4", "LICENSE", "PROVENANCE.txt"}
    assert reasons(found)["cell4abs.log"][0] == "used"
    assert "cell4abs.log" in {i.name for i in record.inputs}
    assert ignored["00001_sub.RA4"].startswith("name; same cell, wavelength and time as 00001.RA4")
    assert not found.failures
