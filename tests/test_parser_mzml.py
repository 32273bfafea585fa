"""mzML: centroids with their injection times; broken and hostile XML is refused."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from aavqc.analysis import read
from aavqc.errors import AavqcError, InputError
from aavqc.records import IonTable

CENTROID = '<cvParam cvRef="MS" accession="MS:1000127" name="centroid spectrum" value=""/>'
PROFILE = '<cvParam cvRef="MS" accession="MS:1000128" name="profile spectrum" value=""/>'


def array(values: list[float], accession: str, name: str) -> str:
    packed = base64.b64encode(np.array(values, "<f8").tobytes()).decode()
    return (
        f'<binaryDataArray encodedLength="{len(packed)}">'
        '<cvParam cvRef="MS" accession="MS:1000523" name="64-bit float" value=""/>'
        '<cvParam cvRef="MS" accession="MS:1000576" name="no compression" value=""/>'
        f'<cvParam cvRef="MS" accession="{accession}" name="{name}" value=""/>'
        f"<binary>{packed}</binary></binaryDataArray>"
    )


def spectrum(
    index: int, mz: list[float], intensity: list[float], it: float | None, kind: str = CENTROID
) -> str:
    injection = (
        ""
        if it is None
        else f'<cvParam cvRef="MS" accession="MS:1000927" name="ion injection time" value="{it}"'
        ' unitCvRef="UO" unitAccession="UO:0000028" unitName="millisecond"/>'
    )
    return (
        f'<spectrum index="{index}" id="scan={index + 1}" defaultArrayLength="{len(mz)}">'
        f'<cvParam cvRef="MS" accession="MS:1000511" name="ms level" value="1"/>{kind}'
        '<scanList count="1"><scan><cvParam cvRef="MS" accession="MS:1000016" name="scan start time"'
        f' value="{index + 1}" unitCvRef="UO" unitAccession="UO:0000031" unitName="minute"/>{injection}'
        '</scan></scanList><binaryDataArrayList count="2">'
        + array(mz, "MS:1000514", "m/z array")
        + array(intensity, "MS:1000515", "intensity array")
        + "</binaryDataArrayList></spectrum>\n"
    )


def document(*spectra: str) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1.0"><cvList count="1">'
        '<cv id="MS" fullName="MS" URI="psi-ms.obo"/></cvList>'
        '<run id="r" defaultInstrumentConfigurationRef="I">\n'
        f'<spectrumList count="{len(spectra)}" defaultDataProcessingRef="D">\n'
        + "".join(spectra)
        + "</spectrumList></run></mzML>\n"
    ).encode()


def parse(data: bytes, name: str = "run.mzML") -> IonTable:
    record = read(io.BytesIO(data), name=name)
    assert isinstance(record, IonTable)
    return record


TWO = document(
    spectrum(0, [20000.5, 21000.25], [100.0, 0.0], 50.0),
    spectrum(1, [22000.125], [300.0], 200.0),
)


def test_centroids_come_with_scan_time_and_injection_time() -> None:
    record = parse(TWO)
    assert record.mz.tolist() == [20000.5, 22000.125]
    assert record.intensity is not None
    assert record.intensity.tolist() == [100.0, 300.0]
    assert record.scan is not None
    assert record.scan.tolist() == [1, 2]
    assert record.time_s is not None
    assert record.time_s.tolist() == [60.0, 120.0]
    assert record.injection_time_ms is not None
    assert record.injection_time_ms.tolist() == [50.0, 200.0]
    assert record.flux_scaled
    assert record.rows_read == 3
    assert dict(record.dropped) == {"intensity is not positive": 1}


def test_a_missing_injection_time_is_unknown_never_one() -> None:
    none = parse(document(spectrum(0, [20000.0], [1.0], None)))
    assert none.injection_time_ms is None
    some = parse(document(spectrum(0, [20000.0], [1.0], None), spectrum(1, [21000.0], [1.0], 10.0)))
    assert some.injection_time_ms is not None
    assert some.injection_time_ms.tolist() == [10.0]
    assert dict(some.dropped) == {"injection time of the scan is unknown": 1}


def test_on_disk_gzipped_and_in_a_zip_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.mzML").write_bytes(TWO)
    (tmp_path / "b.mzML.gz").write_bytes(gzip.compress(TWO))
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.writestr("d.mzML", TWO)
    for name in ("a.mzML", "b.mzML.gz", "c.zip"):
        record = read(tmp_path / name)
        assert isinstance(record, IonTable)
        assert record.mz.tolist() == [20000.5, 22000.125]


def test_profile_spectra_are_refused() -> None:
    with pytest.raises(InputError, match="profile"):
        parse(document(spectrum(0, [20000.0, 20000.1], [1.0, 2.0], 10.0, PROFILE)))


def test_spectra_that_do_not_say_are_taken_with_a_remark() -> None:
    assert "centroids" in parse(document(spectrum(0, [20000.0], [1.0], 10.0, ""))).remarks[0]


def test_no_spectra_is_an_error() -> None:
    with pytest.raises(InputError, match="no MS1 spectra"):
        parse(document())


def test_truncated_xml_names_its_line() -> None:
    with pytest.raises(InputError) as caught:
        parse(TWO[: TWO.index(b'index="1"') + 40])
    assert (caught.value.file, caught.value.line) == ("run.mzML", 5)


def test_an_error_of_the_reader_names_the_file_and_no_path() -> None:
    with pytest.raises(InputError) as caught:
        parse(TWO.replace(b"<binary>", b"<binary>*"))
    assert caught.value.file == "run.mzML"
    assert "/tmp" not in str(caught.value)
    assert "aavqc-" not in str(caught.value)


def test_a_spectrum_with_fewer_peaks_than_declared_is_refused() -> None:
    with pytest.raises(InputError, match="cut short") as caught:
        parse(TWO.replace(b'defaultArrayLength="1"', b'defaultArrayLength="4"'))
    assert caught.value.line == 5


def test_entity_bombs_are_refused() -> None:
    bomb = TWO.replace(
        b"<mzML", b'<!DOCTYPE mzML [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n<mzML', 1
    )
    with pytest.raises(InputError, match="document type declaration"):
        parse(bomb)


def test_a_gzip_that_unfolds_without_bound_is_refused(tmp_path: Path) -> None:
    start = TWO[: TWO.index(b"<spectrumList")]
    (tmp_path / "bomb.mzML.gz").write_bytes(gzip.compress(start + b" " * 20_000_000, 9))
    with pytest.raises(InputError, match="suspiciously"):
        read(tmp_path / "bomb.mzML.gz")


def test_mutated_files_give_errors_of_ours_only() -> None:
    rng = np.random.default_rng(11)
    outcomes = set()
    for _ in range(150):
        data = bytearray(TWO)
        for at in rng.integers(0, len(data), 2):
            data[at] = rng.choice([rng.integers(32, 127), ord("A"), ord("0")])
        try:
            parse(bytes(data))
            outcomes.add("read")
        except AavqcError as caught:
            outcomes.add(type(caught).__name__)
    assert {"read", "InputError"} <= outcomes
