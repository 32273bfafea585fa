"""Tables of scans, long and wide."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import analyze
from aavqc.errors import AavqcError, InputError, UsageError
from aavqc.parsers import read_export, survey
from aavqc.records import VelocityScans
from format_samples import scan_table

RADIUS = [round(6.0 + 0.01 * i, 2) for i in range(15)]
TIMES = (600, 1200, 1800)


def signal(radius: float, time_s: float) -> float:
    return round(0.1 * radius + time_s / 1e4, 6)


def wide(above: str = "# rpm=15000\n", second: str = "", names: str = "t{}", between: str = ",") -> str:
    header = between.join(["radius", *(names.format(t) for t in TIMES)])
    rows = [between.join([f"{r}", *(f"{signal(r, t)}" for t in TIMES)]) for r in RADIUS]
    return above + "\n".join([header, *([second] if second else []), *rows, ""])


def long(columns: str = "radius_cm,time_s,absorbance", above: str = "# rpm=15000\n", **constant: str) -> str:
    rows = []
    for t in TIMES:
        for r in RADIUS:
            cells = {"radius_cm": f"{r}", "time_s": f"{t}", "w2t": f"{2e6 * t}", "scan": f"{t // 600}"}
            rows.append(
                ",".join(cells.get(c, constant.get(c, f"{signal(r, t)}")) for c in columns.split(","))
            )
    return above + "\n".join([columns, *rows, ""])


def read(text: str, name: str = "scans.csv") -> VelocityScans:
    (export,) = survey(BytesIO(text.encode()), name=name).exports
    assert export.format == "scan-table"
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    return record


def refused(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read(text)
    assert caught.value.file == "scans.csv"
    return caught.value


def check(record: VelocityScans) -> None:
    assert [s.time_s for s in record.scans] == list(TIMES)
    for scan in record.scans:
        np.testing.assert_allclose(scan.radius_cm, RADIUS, rtol=0, atol=1e-12)
        np.testing.assert_allclose(scan.signal, [signal(r, scan.time_s) for r in RADIUS], rtol=0, atol=1e-12)
        assert scan.rpm == 15000.0


@pytest.mark.parametrize("between", [",", "\t", ";"])
@pytest.mark.parametrize("names", ["t{}", "{}", "{}.0", "T{}s"])
def test_wide_tables_are_read(names: str, between: str) -> None:
    record = read(wide(names=names, between=between))
    check(record)
    assert (record.name, record.sample_id, record.cell) == ("scans.csv#cell1", "scans", 1)
    omega2_t = (15000 * 2 * np.pi / 60) ** 2 * 600
    assert record.scans[0].omega2_t == pytest.approx(omega2_t, rel=1e-12)
    assert any("without the acceleration" in r for r in record.remarks)
    assert any("20 °C" in r for r in record.remarks)
    assert any("no wavelength" in r for r in record.remarks)


def test_a_wavelength_that_is_not_stated_is_unknown() -> None:
    record = read(wide())
    assert record.wavelengths == ()
    assert {s.wavelength_nm for s in record.scans} == {None}
    assert record.at(None) == record.scans
    assert record.at(260.0) == ()
    assert not {"wavelengths_nm", "description", "clock"} & record.describe().keys()
    stated = read(wide("# rpm=15000 wavelength=260\n"))
    assert stated.at(None) == ()
    assert stated.at(261.0) == stated.scans
    assert stated.describe()["wavelengths_nm"] == [260.0]


def test_scans_of_an_unknown_wavelength_are_analyzed(reference_data: Path) -> None:
    path = reference_data / "auc" / "ultrascan3" / "A_empty65S_ff12_N200_grid1.csv"
    (sample,) = analyze(path, **{"extinction.capsid.260": 3.7e6, "extinction.nucleotide.260": 9e3}).samples
    assert sample.diagnostics["wavelength_nm"] is None
    assert sum("wavelength is stated" in w for w in sample.warnings) == 1
    with pytest.raises(UsageError, match="no scans at 260 nm"):
        analyze(path, wavelength=260.0)


def test_what_comments_and_the_second_row_state_is_used() -> None:
    above = "# accel_rpm=400 rpm=15000 wavelength=260\n# temperature: 4.5, cell=3\n"
    record = read(wide(above, second="omega2t,1e9,2e9,3e9"))
    check(record)
    assert (record.name, record.cell, record.wavelengths) == ("scans.csv#cell3", 3, (260.0,))
    assert [s.omega2_t for s in record.scans] == [1e9, 2e9, 3e9]
    assert record.scans[0].temperature_c == 4.5
    assert record.remarks == ("the signal is taken as absorbance",)


def test_long_tables_are_read() -> None:
    columns = "scan,radius_cm,time_s,w2t,fringes,rpm,temperature,wavelength,cell,note"
    constant = {"rpm": "15000", "temperature": "20", "wavelength": "675", "cell": "2", "note": "1"}
    record = read(long(columns, "", **constant))
    check(record)
    assert (record.optics, record.cell, record.name) == ("interference", 2, "scans.csv#cell2")
    assert record.scans[1].omega2_t == 2.4e9
    assert record.remarks == ("column 'note' is not used",)
    check(read(long()))


def test_several_wavelengths_are_scans_of_their_own() -> None:
    rows = [f"{r},{t},{signal(r, t)},{nm}" for t in TIMES for nm in (260, 280) for r in RADIUS]
    record = read("# rpm=15000\nradius,time,od,wavelength\n" + "\n".join(rows))
    assert record.wavelengths == (260.0, 280.0)
    assert len(record.scans) == 6


def test_intensities_by_scan_are_no_list_of_ions() -> None:
    record = read(long("radius_cm,scan,time_s,intensity"))
    assert record.optics == "intensity"
    assert any("no reference" in r for r in record.remarks)


def test_without_a_speed_it_is_said_what_to_add() -> None:
    error = refused(wide(""))
    assert error.message == "the speed is not stated"
    assert "# rpm=20000" in str(error.expected)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (wide().replace("6.03,", "6.03,x"), "not a number", 6),
        (wide().replace("6.03,", "6,03,"), "wrong number of columns", 6),
        (wide().replace("6.03,", "nan,"), "not a number", 6),
        (wide().replace("6.03,", "6.01,"), "implausible radii", None),
        (wide("# rpm=1e300\n"), "implausible rpm", None),
        (wide("# rpm=15000 cell=1e99\n"), "implausible cell", None),
        ("# rpm=15000\nradius,t1,t2\n6,1,1\n", "too few points", None),
        ("# rpm=15000\nradius,t1,t2\n", "no scans", 2),
        (wide().replace("6.03,", "1e999,"), "implausible radii", None),
        (wide().replace("6.03,0.663,", "6.03,1e99,"), "implausible signal", None),
        (long("radius_cm,time_s,signal,od"), "two columns mean the same", 2),
        (long("radius_cm,time_s,od,cell,rpm", "", rpm="15000", cell="9"), "implausible cell", None),
        (long().replace("6.03,1200,", "6.03,1201,"), "too few points", None),
        (
            long("scan,radius_cm,time_s,od").replace("6.03,1200,", "6.03,1201,"),
            "a scan has several values of seconds",
            None,
        ),
        (
            long("radius_cm,time_s,od,rpm", "", rpm="15000").replace("15000", "9000", 15),
            "different speeds",
            None,
        ),
    ],
)
def test_damage_is_told(text: str, message: str, line: int | None) -> None:
    error = refused(text)
    assert (error.message, error.line) == (message, line)


@pytest.mark.parametrize(
    "text",
    [
        "well,sample,target\nA01,x,y\n",
        "mz,intensity,scan\n20000,100,1\n20001,120,1\n",
        "time,signal\n1,2\n",
        "radius,height\n1,2\n",
        "radius,1\n1,2\n",
        "wavelength,300,310\n1,2,3\n",
    ],
)
def test_other_tables_are_not_claimed(text: str) -> None:
    assert [e.format for e in survey(BytesIO(text.encode()), name="x.csv").exports] in ([], ["ion-list"])


@pytest.mark.parametrize("mesh", ["N200", "N3200"])
def test_solutions_of_ultrascan_are_read(reference_data: Path, mesh: str) -> None:
    path = reference_data / "auc" / "ultrascan3" / f"A_empty65S_ff12_{mesh}_grid1.csv"
    (export,) = survey(path).exports
    record = read_export(export)
    assert isinstance(record, VelocityScans)
    table = np.genfromtxt(path, delimiter=",", skip_header=5)
    omega2_t = np.genfromtxt(path, delimiter=",", skip_header=4, max_rows=1)[1:]
    assert [s.time_s for s in record.scans] == [300.0 + 60 * i for i in range(60)]
    np.testing.assert_array_equal([s.omega2_t for s in record.scans], omega2_t)
    np.testing.assert_array_equal(np.array([s.signal for s in record.scans]).T, table[:, 1:])
    assert {s.rpm for s in record.scans} == {20000.0}


def test_mutated_files_raise_our_errors_only() -> None:
    rng = np.random.default_rng(11)
    good = scan_table()
    outcomes = set()
    for _ in range(300):
        data = bytearray(good)
        for at in rng.integers(0, len(data) if rng.random() < 0.5 else 80, 2):
            data[at] = rng.choice(list(b"0123456789.eE-+\t\r\n ,;#=\xff"))
        for export in survey(BytesIO(bytes(data)), name="x.csv").exports:
            try:
                outcomes.add((type(read_export(export)), None))
            except AavqcError as error:
                outcomes.add((type(error), error.file))
    assert outcomes == {(VelocityScans, None), (InputError, "x.csv")}
