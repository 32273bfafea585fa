"""STORIboard folders, Parquet, NPZ of named arrays, Thermo RAW."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from aavqc.analysis import analyze, read, read_all
from aavqc.errors import InputError
from aavqc.records import FloatArray, IonTable

STORI = "Scan\tIonnumber\tSegnumber\tM/Z\tFrequency\tSlope\tSlope R Squared\tTime of Birth\tTime of Death"
RAW = b"\x01\xa1" + "Finnigan".encode("utf-16-le") + bytes(200)


def table(path: Path) -> IonTable:
    record = read(path)
    assert isinstance(record, IonTable)
    return record


def stori(scan: int, ion: int = 1, mz: float = 25000.5) -> str:
    return f"{scan}\t{ion}\t0\t{mz}\t50000\t1.25e7\t0.999\t0.01\t0.5"


def write(path: Path, *rows: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join([STORI, *rows]) + "\n")


def test_a_folder_of_storiboard_text_is_one_run(tmp_path: Path) -> None:
    """UniDec's menu for such folders calls a method that its engine has lost."""
    write(tmp_path / "lot7" / "run_001.csv", stori(1), stori(1, 2))
    write(tmp_path / "lot7" / "run_002.csv", stori(2), stori(5))
    record = table(tmp_path)
    assert (record.name, record.sample_id, record.format) == ("lot7/run", "run", "stori-text")
    assert [i.name for i in record.inputs] == ["lot7/run_001.csv", "lot7/run_002.csv"]
    assert record.scan is not None
    assert record.scan.tolist() == [1, 1, 2, 5]
    assert record.intensity is not None
    assert record.intensity[0] == 1.25e7
    assert record.extra["r_squared"].tolist() == [0.999] * 4
    assert record.extra["time_of_death"].tolist() == [0.5] * 4
    assert not record.flux_scaled


def test_each_folder_is_a_run_of_its_own(tmp_path: Path) -> None:
    write(tmp_path / "a" / "x1.csv", stori(1))
    write(tmp_path / "a" / "x2.csv", stori(2))
    write(tmp_path / "b" / "only.csv", stori(1))
    assert [r.name for r in read_all(tmp_path)] == ["a/x", "b/only.csv"]


def test_two_runs_in_one_folder_are_never_pooled(tmp_path: Path) -> None:
    write(tmp_path / "a1.csv", stori(1), stori(2))
    write(tmp_path / "a2.csv", stori(2), stori(3))
    with pytest.raises(InputError, match="different runs") as caught:
        read(tmp_path)
    assert caught.value.file == "a2.csv"
    assert caught.value.found == "scan 2, ion 1 in a1.csv too"


def test_files_of_different_columns_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a1.csv", stori(1))
    (tmp_path / "a2.csv").write_text(
        "Scan\tIonnumber\tSegnumber\tM/Z\tFrequency\tSlope\n2\t1\t0\t25000\t1\t1e7\n"
    )
    with pytest.raises(InputError, match="different columns") as caught:
        read(tmp_path)
    assert caught.value.file == "a2.csv"


def parquet(path: Path, **columns: Any) -> Path:
    import pyarrow as pa
    from pyarrow import parquet as pq

    pq.write_table(pa.table(columns), path)
    return path


def test_parquet_has_the_columns_of_text(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "a.parquet",
        Mz=np.array([25000.5, 26000.25, 0.0]),
        Slope=np.array([1.25e7, 1.5e7, 1e7], np.float32),
        ScanNumber=np.array([7, 7, 8], np.int16),
        RSquared=[0.99, None, 0.98],
        IsMultiIonProduct=[False, True, False],
        Mood=["good", "bad", "odd"],
    )
    record = table(path)
    assert record.mz.tolist() == [25000.5, 26000.25]
    assert record.intensity is not None
    assert record.intensity.tolist() == [1.25e7, 1.5e7]
    assert record.scan is not None
    assert record.scan.tolist() == [7, 7]
    assert record.multi_ion is not None
    assert record.multi_ion.tolist() == [False, True]
    assert np.isnan(record.extra["r_squared"][1])
    assert record.remarks == ("column 'Mood' is not used",)
    assert dict(record.dropped) == {"m/z is not positive": 1}


@pytest.mark.parametrize(
    ("columns", "part"),
    [
        ({"mz": [25000.0]}, "column missing"),
        ({"mz": ["heavy"], "slope": [1.0]}, "no numbers"),
        ({"mz": np.empty(0), "slope": np.empty(0)}, "no ions"),
        ({"mz": [1.0], "M/Z": [1.0], "slope": [1.0]}, "two columns"),
    ],
)
def test_parquet_that_is_no_ion_list_is_refused(tmp_path: Path, columns: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError, match=part):
        read(parquet(tmp_path / "a.parquet", **columns))


def test_parquet_that_claims_rows_without_bytes_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet", mz=np.ones(5_000_000), slope=np.ones(5_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(InputError, match="more rows"):
        read(path)


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet(tmp_path / "a.parquet", mz=[1.0], slope=[1.0])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"aavqc\[parquet\]"):
        read(path)


def test_npz_of_named_arrays_is_read_where_there_is_no_array_data(tmp_path: Path) -> None:
    arrays = {"mz": [25000.0, 26000.0], "intensity": np.array([1e3, 2e3], np.float32), "scan": [3, 4]}
    np.savez(tmp_path / "a.npz", **arrays, rt_min=[0.5, 1.0], s_to_n=[9.0, 8.0], injection_time_ms=[100, 50])
    record = table(tmp_path / "a.npz")
    assert record.time_s is not None
    assert record.time_s.tolist() == [30.0, 60.0]
    assert record.injection_time_ms is not None
    assert record.injection_time_ms.tolist() == [100.0, 50.0]
    assert record.extra["s_to_n"].tolist() == [9.0, 8.0]
    assert not record.flux_scaled
    np.savez(tmp_path / "b.npz", mz=[1.0, 2.0], intensity=[1.0])
    with pytest.raises(InputError, match="shape"):
        read(tmp_path / "b.npz")


def test_npz_beside_the_array_data_nothing_is_read(tmp_path: Path) -> None:
    data = np.array([[25000.0, 26000.0, 27000.0], [1e7, 2e7, 3e7], [3, 4, 5]])
    np.savez(tmp_path / "a.npz", data=data.T, mz=np.zeros(3), truth_charge=np.zeros(3))  # Fortran's order
    record = table(tmp_path / "a.npz")
    assert record.mz.tolist() == [25000.0, 26000.0, 27000.0]
    assert record.charge is None
    assert record.remarks == ()


class FakeRaw:
    """A stand-in with the interface of opentfraw: two MS1 scans, one MS2, one of an ion trap."""

    first_scan, last_scan, instrument_model = 1, 4, "Q Exactive HF"

    def __init__(self, path: str) -> None:
        self.path = path
        assert Path(path).read_bytes() == RAW

    def scan(self, number: int) -> dict[str, Any]:
        time = {1: 100.0, 2: 50.0, 3: 50.0, 4: 50.0}[number]
        return {"ms_level": 1 + (number == 3), "ion_injection_time_ms": time, "retention_time": number / 60}

    def centroid_labels(self, number: int) -> dict[str, FloatArray]:
        mz = np.array([25000.0, 26000.0, 27000.0])
        label = np.full(3, np.nan if number == 4 else 1e4, np.float32)
        intensity = np.array([3e6, 3e6, 0.0], np.float32) / self.scan(number)["ion_injection_time_ms"]
        return {
            "mz": mz,
            "intensity": intensity,
            "signal_to_noise": label / 100,
            "noise": label,
            "resolution": label,
        }


def test_raw_gives_signal_to_noise_and_one_charge_whatever_the_injection_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentfraw", SimpleNamespace(RawFile=FakeRaw))
    record = read(io.BytesIO(RAW), name="run.raw")
    assert isinstance(record, IonTable)
    assert record.scan is not None
    assert record.scan.tolist() == [1, 1, 2, 2]
    assert record.flux_scaled
    assert record.intensity is not None
    assert record.injection_time_ms is not None
    assert np.allclose(record.intensity * record.injection_time_ms, 3e6, rtol=1e-6)
    assert record.time_s is not None
    assert record.time_s.tolist() == [1.0, 1.0, 2.0, 2.0]
    assert record.extra["s_to_n"].tolist() == [100.0] * 4
    assert dict(record.dropped) == {"intensity is not positive": 2}
    assert len(record.remarks) == 2
    assert record.acquisition["instrument"] == "Q Exactive HF"


class PanicException(BaseException):
    """What a fault in the Rust code raises: no Exception."""


@pytest.mark.parametrize("fault", [OSError, ValueError, KeyError, PanicException])
def test_faults_of_the_raw_reader_are_errors_of_the_file(
    fault: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: str) -> None:
        raise fault(f"truncated: {path}")

    monkeypatch.setitem(sys.modules, "opentfraw", SimpleNamespace(RawFile=fail))
    with pytest.raises(InputError, match="can't be read as Thermo RAW") as caught:
        read(io.BytesIO(RAW), name="run.raw")
    assert caught.value.file == "run.raw"
    assert "/tmp" not in str(caught.value)


def test_raw_without_opentfraw_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentfraw", None)
    with pytest.raises(InputError, match=r"aavqc\[thermo\]"):
        read(io.BytesIO(RAW), name="run.raw")


def test_real_orbitrap_centroids(reference_data: Path) -> None:
    record = table(reference_data / "cdms" / "groel_ions" / "GroEL_CDMS_1_ions_9-14k_sn8.npz")
    assert record.mz.size == 71_606
    assert record.mz.min() >= 9000
    assert record.mz.max() <= 14_000
    assert record.extra["s_to_n"].min() >= 8
    assert record.injection_time_ms is not None
    assert record.injection_time_ms == pytest.approx(100.0, rel=1e-6)
    kept = analyze(record, charge_slope=202.0, min_s_to_n=60.0).samples[0].diagnostics["funnel"]
    dropped = {row["step"]: row["ions"] for row in kept}["dropped: S/N below 60"]
    assert dropped == int((record.extra["s_to_n"] < 60).sum())
