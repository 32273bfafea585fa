"""Ion lists: columns by name, delimiters by content, errors with their line."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import read
from aavqc.errors import AavqcError, InputError
from aavqc.parsers import survey
from aavqc.parsers.ion_list import sniff
from aavqc.records import IonTable

ROWS = [(25000.5, 1.25e7, 7, 0.0), (26000.25, 1.5e7, 7, 0.01), (24000.125, 2.5e6, 9, 0.02)]


def table(text: str | bytes, name: str = "ions.csv") -> IonTable:
    data = text.encode() if isinstance(text, str) else text
    record = read(io.BytesIO(data), name=name)
    assert isinstance(record, IonTable)
    return record


def error(text: str | bytes, name: str = "ions.csv") -> InputError:
    with pytest.raises(InputError) as caught:
        table(text, name)
    return caught.value


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "   "])
@pytest.mark.parametrize("header", [("M/Z", "Slope", "Scan"), ("mz", "intensity", "ScanNumber")])
def test_columns_are_known_by_name_and_delimiters_by_content(delimiter: str, header: tuple[str, ...]) -> None:
    lines = [delimiter.join(header)] + [delimiter.join(map(str, row[:3])) for row in ROWS]
    record = table("\r\n".join(lines) + "\r\n")
    assert record.mz.tolist() == [25000.5, 26000.25, 24000.125]
    assert record.intensity is not None
    assert record.intensity.tolist() == [1.25e7, 1.5e7, 2.5e6]
    assert record.scan is not None
    assert record.scan.tolist() == [7, 7, 9]
    assert (record.charge, record.time_s, record.injection_time_ms) == (None, None, None)
    assert not record.flux_scaled


@pytest.mark.parametrize("header", ["m/z,Charge", "m/z (Th),Charge (e)", "m/z,z"])
def test_charges_are_known_by_their_names_with_units(header: str) -> None:
    record = table(f"{header}\n25000.5,150.2\n26000.25,151\n")
    assert record.charge is not None
    assert record.charge.tolist() == [150.2, 151]


def test_scan_time_and_injection_time_survive_csv() -> None:
    record = table("mz,intensity,scan,InverseInjectionTimeSeconds,time\n20000.1,1.2e7,7,5.0,0.3\n")
    assert record.scan is not None
    assert record.time_s is not None
    assert record.injection_time_ms is not None
    assert (record.scan[0], record.time_s[0], record.injection_time_ms[0]) == (7, 0.3, 200.0)


def test_columns_of_the_vendor_go_to_extra_and_unknown_ones_into_a_remark() -> None:
    record = table(
        "Id\tSlope\tM/Z\tSlope R Squared\tTime of Birth\tIsMultiIonProduct\tMood\n"
        "1\t1e7\t25000\t0.999\t0.01\tTrue\tgood\n2\t1e7\t25001\t0.998\t0.02\t0\tbad\n"
    )
    assert record.extra["r_squared"].tolist() == [0.999, 0.998]
    assert record.extra["time_of_birth"].tolist() == [0.01, 0.02]
    assert record.multi_ion is not None
    assert record.multi_ion.tolist() == [True, False]
    assert record.remarks == ("column 'Mood' is not used",)


def test_rows_that_are_no_ions_are_counted_by_reason() -> None:
    record = table("mz,slope\n25000,1e7\n25000,0\n25000,-3\n-1,1e7\n25000,nan\n25000,\n25000,inf\n")
    assert record.rows_read == 7
    assert record.mz.tolist() == [25000.0]
    assert dict(record.dropped) == {
        "m/z or signal is not a finite number": 3,
        "m/z is not positive": 1,
        "intensity is not positive": 2,
    }


def test_headerless_text_has_columns_by_position(tmp_path: Path) -> None:
    text = "\n".join(f"{mz} {signal} {scan}" for mz, signal, scan, _ in ROWS)
    record = table(text, "ions.txt")
    assert record.mz.size == 3
    assert record.scan is not None
    assert record.scan.tolist() == [7, 7, 9]
    named = table("# scan mz intensity\n7 25000 1e7\n8 25001 1e7\n", "ions.txt")
    assert named.mz.tolist() == [25000.0, 25001.0]


def test_npz_reads_data_alone_and_takes_fill_values_for_unknown(tmp_path: Path) -> None:
    data = np.column_stack([[25000.0, 26000.0], [1e7, 2e7], [3.0, 4.0], [1.0, 1.0], [-1.0, -1.0]])
    np.savez(tmp_path / "a.npz", truth=np.zeros(3), data=data)
    np.savez_compressed(tmp_path / "b.npz", data=data[:, :2].astype(np.float32))
    full, short = read(tmp_path / "a.npz"), read(tmp_path / "b.npz")
    assert isinstance(full, IonTable)
    assert isinstance(short, IonTable)
    assert full.scan is not None
    assert full.scan.tolist() == [3, 4]
    assert (full.time_s, full.injection_time_ms, short.scan) == (None, None, None)
    assert short.mz.tolist() == [25000.0, 26000.0]
    np.savez(tmp_path / "c.npz", other=data)
    with pytest.raises(InputError, match="no array 'data'"):
        read(tmp_path / "c.npz")


def test_an_npz_whose_header_claims_too_much_is_refused_without_allocating(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", data=np.ones((100, 3)))
    import zipfile

    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        member = archive.read("data.npy")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("data.npy", member.replace(b"(100, 3), }        ", b"(100000000000, 3), }"[:19]))
    with pytest.raises(InputError, match=r"cut short|another shape"):
        read(tmp_path / "b.npz")


def test_gzip_is_read_through(tmp_path: Path) -> None:
    (tmp_path / "lot.csv.gz").write_bytes(gzip.compress(b"mz,z\n25000,150.5\n"))
    record = read(tmp_path / "lot.csv.gz")
    assert isinstance(record, IonTable)
    assert record.sample_id == "lot"
    assert record.intensity is None
    assert record.charge is not None
    assert record.charge.tolist() == [150.5]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("mz,slope\n25000,1e7\n25000\n", 3, "wrong number of columns"),
        ("mz,slope\n25000,1e7\n25000,5,1e7\n", 3, "wrong number of columns"),
        ("mz;slope\n25000.5;1e7\n25000,5;1e7\n", 3, "decimal comma"),
        ("mz,slope\n25000,1e7\n25000,high\n", 3, "not a number"),
        ("mz,slope,IsMultiIonProduct\n25000,1e7,0\n25000,1e7,maybe\n", 3, "not a number"),
        ("slope,ScanNumber,RSquared\n1e7,1,0.99\n", 1, "column missing"),
        ("mz,ScanNumber\n25000,1\n", 1, "column missing"),
        ("mz,charge,z\n25000,150,151\n", 1, "two columns"),
        ("mz,slope\n", 1, "no ions"),
    ],
)
def test_errors_name_file_line_and_what_was_found(text: str, line: int, part: str) -> None:
    caught = error(text)
    assert (caught.file, caught.line) == ("ions.csv", line)
    assert part in caught.message
    assert caught.expected


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"Well,Sample,Target,Concentration,Positives\nA01,x,ITR,1.5,3\n", "plate.csv"),
        (b"Ch1 Amplitude,Ch2 Amplitude,Cluster\n5000,700,1\n", "plate_A01_Amplitude.csv"),
        (b"4x A 260 lot 7\nP 2 20.0 010000 0000100 1.0E7 260 0\n   5.9000  1.0E-2  0\n", "00001.RA1"),
        (b"5.8510 1.01 0.0\n5.8520 1.02 0.0\n5.8530 1.00 0.0\n5.86 1.0 0.0\n", "scan.txt"),
        (b"time,value\n1,2\n3,4\n", "x.csv"),
        (b"25000,1e7\n25001,1e7\n25002,1e7\n", "numbers.csv"),
    ],
)
def test_other_tables_are_not_taken_for_ion_lists(head: bytes, name: str) -> None:
    assert not sniff(head, name)


def test_mutated_lists_give_errors_of_ours_only() -> None:
    rng = np.random.default_rng(5)
    lines = ["Id,ScanNumber,Mz,Slope,IsMultiIonProduct"]
    lines += [f"{i},{i // 5},{25000 + i}.25,{1.5e7 + i},0" for i in range(40)]
    plain = "\n".join(lines).encode()
    packed = io.BytesIO()
    np.savez_compressed(packed, data=np.column_stack([np.linspace(2e4, 3e4, 50), np.full(50, 1e7)]))
    outcomes = set()
    for source, name in ((plain, "a.csv"), (packed.getvalue(), "a.npz")):
        for _ in range(250):
            data = bytearray(source)
            for at in rng.integers(0, len(data), 3):
                data[at] = rng.choice([rng.integers(0, 256), ord(","), ord("\n"), ord("e")])
            del data[int(rng.integers(0, 2 * len(data))) :]
            try:
                table(bytes(data), name)
                outcomes.add("read")
            except AavqcError as caught:
                outcomes.add(type(caught).__name__)
    assert "InputError" in outcomes


def test_real_ion_table(reference_data: Path) -> None:
    record = read(reference_data / "cdms" / "bgal_groel" / "BgalGroEL_Ion.csv.gz")
    assert isinstance(record, IonTable)
    assert record.mz.size == 81_227
    assert record.mz[0] == 10567.4794921875
    assert record.intensity is not None
    assert record.intensity[0] == 4801584.509849548
    assert record.scan is not None
    assert record.scan[0] == 1953
    assert record.injection_time_ms is not None
    assert record.injection_time_ms[0] == 200.0
    assert record.charge is not None


def test_no_other_real_export_is_taken_for_an_ion_list(reference_data: Path) -> None:
    for folder in ("auc", "ddpcr"):
        found = survey(reference_data / folder)
        assert found.files
        assert not [e.name for e in found.exports if e.technique == "cdms"]
