"""Charge-detection spectra in mzML: encodings, the noise band, memory, injection times."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aavqc.analysis import read
from aavqc.cdms.charge import charges
from aavqc.cdms.funnel import select
from aavqc.cdms.settings import TechniqueSettings
from aavqc.errors import InputError
from aavqc.parsers.centroids import noise_ends
from aavqc.records import FloatArray, IonTable

SIGMA = 180.0
"""Of the noise amplitude."""


def noise_of(rng: np.random.Generator, n: int) -> FloatArray:
    """Rayleigh amplitudes beyond a threshold of 4 SD, as centroids of thermal noise are."""
    amplitudes: FloatArray = SIGMA * np.sqrt(16 + 2 * rng.exponential(size=n))
    return amplitudes


def write(path: Path, scans: list[tuple[FloatArray, FloatArray, float | None]], **options: Any) -> Path:
    """Write scans of (m/z, intensity, injection time) with pyOpenMS."""
    import pyopenms

    experiment = pyopenms.MSExperiment()
    for number, (mz, intensity, injection) in enumerate(scans):
        spectrum = pyopenms.MSSpectrum()
        spectrum.setMSLevel(1)
        spectrum.setRT(0.5 * number)
        spectrum.setType(type(spectrum.getType()).CENTROID)
        order = np.argsort(mz)
        spectrum.set_peaks((mz[order], intensity[order].astype(np.float32)))
        if injection is not None:
            acquisition = pyopenms.Acquisition()
            acquisition.setMetaValue("MS:1000927", injection)
            information = spectrum.getAcquisitionInfo()
            information.push_back(acquisition)
            spectrum.setAcquisitionInfo(information)
        experiment.addSpectrum(spectrum)
    file = pyopenms.MzMLFile()
    settings = file.getOptions()
    settings.setCompression(options.get("zlib", False))
    settings.setWriteIndex(options.get("index", True))
    if options.get("numpress"):
        for what, scheme in (("MassTime", "linear"), ("Intensity", "slof")):
            config = pyopenms.NumpressConfig()
            config.setCompression(scheme)
            config.estimate_fixed_point = True
            getattr(settings, f"setNumpressConfiguration{what}")(config)
    file.setOptions(settings)
    file.store(str(path), experiment)
    return path


def table(path: Path) -> IonTable:
    record = read(path)
    assert isinstance(record, IonTable)
    return record


def ions(rng: np.random.Generator, n: int) -> tuple[FloatArray, FloatArray]:
    return rng.uniform(22_000, 34_000, n), rng.normal(150, 3, n) * 200.0


@pytest.mark.parametrize(
    "options",
    [{}, {"zlib": True}, {"numpress": True}, {"numpress": True, "zlib": True}, {"index": False}],
    ids=["plain", "zlib", "numpress", "numpress-zlib", "no-index"],
)
def test_every_encoding_gives_the_same_ions(tmp_path: Path, options: dict[str, bool]) -> None:
    rng = np.random.default_rng(1)
    scans = [(*ions(rng, 40), 100.0) for _ in range(5)]
    record = table(write(tmp_path / "a.mzML", [(m, i, t) for m, i, t in scans], **options))
    mz = np.concatenate([np.sort(m) for m, _, _ in scans])
    signal = np.concatenate([i[np.argsort(m)] for m, i, _ in scans])
    assert record.intensity is not None
    # numpress: m/z to 1e-9 relative at a fixed point of its own choice, intensity to 5e-4 (slof)
    assert np.allclose(record.mz, mz, rtol=1e-7)
    assert np.allclose(record.intensity, signal, rtol=1e-3)
    assert record.scan is not None
    assert np.bincount(record.scan).tolist() == [0, 40, 40, 40, 40, 40]


def test_selected_ions_are_those_of_a_plain_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole file in memory and plain columns, against scans at a time: the same numbers, bit by bit."""
    import pyopenms

    monkeypatch.setattr("aavqc.records.ion_columns.PART", 100)
    rng = np.random.default_rng(8)
    lists = [(rng.uniform(9_000, 41_000, n), rng.uniform(2e2, 4e4, n)) for n in rng.integers(0, 60, 40)]
    path = write(tmp_path / "a.mzML", [(*ions, float(rng.uniform(20, 200))) for ions in lists])
    experiment = pyopenms.MSExperiment()
    pyopenms.MzMLFile().load(str(path), experiment)
    mz, intensity, scan, injection = [], [], [], []
    for number, spectrum in enumerate(experiment):
        peaks = spectrum.get_peaks()
        mz.append(peaks[0])
        intensity.append(peaks[1])
        scan.append(np.full(peaks[0].size, number))
        ms = spectrum.getAcquisitionInfo()[0].getMetaValue("MS:1000927")
        injection.append(np.full(peaks[0].size, ms, np.float32))
    whole, scans = np.concatenate(mz), np.concatenate(scan)
    z = np.concatenate(intensity).astype(np.float64) * (np.concatenate(injection) / 1000) / 10.0
    apart = np.abs(whole[:, None] - whole[None, :])
    apart[(scans[:, None] != scans[None, :]) | (z < 10)[:, None] | (z < 10)[None, :]] = np.inf
    np.fill_diagonal(apart, np.inf)
    kept = (apart.min(axis=1) > 20.0) & (whole >= 15_000) & (whole <= 40_000) & (z >= 10)
    settings = TechniqueSettings(charge_slope=10.0, mz_range=[15_000, 40_000], neighbour_distance=20.0)
    record = table(path)
    charge = charges(record, settings).charge
    assert charge is not None
    found = select(record, charge, settings)
    assert 100 < found.mz.size < whole.size
    assert found.index.tolist() == np.flatnonzero(kept).tolist()
    assert found.mz.tolist() == whole[kept].tolist()
    assert found.charge.tolist() == z[kept].tolist()
    assert found.mass.tolist() == (z[kept] * (whole[kept] - 1.007276467)).tolist()
    assert record.at("scan", found.index).tolist() == (scans[kept] + 1).tolist()


def test_an_index_that_lies_is_not_trusted(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = write(tmp_path / "a.mzML", [(*ions(rng, 40), 100.0) for _ in range(5)])
    whole = table(path)
    lying = re.sub(rb'(<offset idRef="[^"]*">)\d+', rb"\g<1>7", path.read_bytes())
    assert lying != path.read_bytes()
    (tmp_path / "b.mzML").write_bytes(lying)
    assert np.array_equal(table(tmp_path / "b.mzML").mz, whole.mz)


def test_gzip_is_read_through(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    path = write(tmp_path / "a.mzML", [(*ions(rng, 30), 50.0)])
    (tmp_path / "b.mzML.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(table(tmp_path / "b.mzML.gz").mz, table(path).mz)


def test_the_noise_band_is_left_out_and_counted_and_no_ion_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    scans = []
    for number in range(40):
        mz, signal = ions(rng, 30)
        injection = (50.0, 200.0)[number % 2]
        both = np.r_[signal, noise_of(rng, 1500)] * 100.0 / injection  # ions per time
        scans.append((np.r_[mz, rng.uniform(2000, 40_000, 1500)], both, injection))
    record = table(write(tmp_path / "a.mzML", scans))
    assert record.rows_read == 40 * 1530
    assert record.mz.size == 40 * 30
    assert dict(record.dropped) == {"in the noise band": 40 * 1500}
    assert record.injection_time_ms is not None
    assert record.intensity is not None
    charge = record.intensity * record.injection_time_ms / 100.0 / 200.0
    assert charge.mean() == pytest.approx(150, abs=4 * 3 / np.sqrt(1200))
    assert "noise_band_below" in record.describe()


def test_a_list_without_a_noise_band_is_kept_whole(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    scans = [(*ions(rng, 60), 100.0) for _ in range(20)]
    record = table(write(tmp_path / "a.mzML", scans))
    assert record.mz.size == 20 * 60
    assert not record.dropped


def test_the_band_ends_at_twice_its_most_frequent_signal_with_or_without_a_threshold() -> None:
    rng = np.random.default_rng(5)
    far = np.full(20, 30_000.0)
    # beyond 4 SD the density of a Rayleigh amplitude falls from there on: its mode is at 4 to 4.2 SD
    assert noise_ends([np.r_[far, noise_of(rng, 3000)]]) == pytest.approx(2 * 4.1 * SIGMA, rel=0.1)
    whole = SIGMA * np.sqrt(2 * rng.exponential(size=3000))
    assert noise_ends([np.r_[far, whole]]) is not None


def test_what_may_be_ions_is_no_noise_band() -> None:
    rng = np.random.default_rng(5)
    far = np.full(20, 5e6)
    assert noise_ends([]) is None
    assert noise_ends([rng.normal(30_000, 900, 60) for _ in range(50)]) is None  # few a scan
    assert noise_ends([rng.normal(30_000, 900, 5000)]) is None  # all in one scan, and nothing beyond
    assert noise_ends([noise_of(rng, 3000)]) is None
    assert noise_ends([np.r_[far, rng.lognormal(6, 1.5, 3000)]]) is None  # a factor of four holds a third


def test_injection_times_that_vary_give_one_charge(tmp_path: Path) -> None:
    """One kind of ion at 50, 100 and 200 ms, its intensity divided by the time as Orbitraps do."""
    times = [50.0, 100.0, 200.0]
    scans = [(np.full(20, 25_000.0) + np.arange(20), np.full(20, 3e6) / t, t) for t in times]
    record = table(write(tmp_path / "a.mzML", scans))
    assert record.intensity is not None
    assert record.injection_time_ms is not None
    # intensities of mzML have 24 bits
    assert np.allclose(record.intensity * record.injection_time_ms, 3e6, rtol=1e-6)


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    whole = write(tmp_path / "a.mzML", [(*ions(rng, 500), 50.0) for _ in range(3)]).read_bytes()
    for end in (int(0.7 * len(whole)), whole.index(b">", len(whole) // 2) + 1, whole.index(b"<run") + 3):
        (tmp_path / "b.mzML").write_bytes(whole[:end])
        with pytest.raises(InputError, match="no well-formed XML") as caught:
            read(tmp_path / "b.mzML")
        assert caught.value.line
        assert caught.value.found == "the end of the file"


def test_an_element_inside_binary_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    whole = write(tmp_path / "a.mzML", [(*ions(rng, 5), 50.0)]).read_bytes()
    (tmp_path / "b.mzML").write_bytes(whole.replace(b"<binary>", b"<binary><x/>", 1))
    with pytest.raises(InputError, match="misplaced element x"):
        read(tmp_path / "b.mzML")


def test_times_that_can_be_none_are_unknown(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    path = write(tmp_path / "a.mzML", [(*ions(rng, 9), 1e300), (*ions(rng, 9), -5.0), (*ions(rng, 9), 50.0)])
    record = table(path)
    assert record.mz.size == 9
    assert record.dropped == {"injection time of the scan is unknown": 18}
    assert table(write(tmp_path / "b.mzML", [(*ions(rng, 9), 1e300)])).injection_time_ms is None
