"""Orbitrap charge-detection spectra in mzML, read with pyOpenMS.

Every centroid of an MS1 spectrum is a candidate ion. Orbitrap intensities are ions per
time: the injection time of the scan (``MS:1000927``, ms) goes with each ion, so that charge
can be had from intensity × injection time. Where a scan does not state it, it is unknown.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.ion_rows import ions_kept
from aavqc.parsers.mzml_check import check_structure
from aavqc.parsers.sources import SourceFile
from aavqc.records import FloatArray, IonTable, readonly

_ROOT = re.compile(rb"<(?:indexed)?mzML[\s>]")


@dataclass
class _Spectra:
    """Consumer of the stream of spectra: keeps the peaks of MS1, a scan at a time."""

    mz: list[FloatArray] = field(default_factory=list)
    intensity: list[FloatArray] = field(default_factory=list)
    time_s: list[float] = field(default_factory=list)
    injection_ms: list[float | None] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    profile: int = 0
    undeclared: int = 0
    other_levels: int = 0
    chromatograms: int = 0

    def consumeSpectrum(self, spectrum: Any) -> None:  # noqa: N802 - name set by pyOpenMS
        """Take one spectrum."""
        self.sizes.append(spectrum.size())
        if spectrum.getMSLevel() != 1:
            self.other_levels += 1
            return
        kind = spectrum.getType().name
        self.profile += kind == "PROFILE"
        self.undeclared += kind not in ("PROFILE", "CENTROID")
        mz, intensity = spectrum.get_peaks()
        self.mz.append(np.array(mz, dtype=np.float64))
        self.intensity.append(np.array(intensity, dtype=np.float64))
        self.time_s.append(float(spectrum.getRT()))
        self.injection_ms.append(_injection_time(spectrum))

    def consumeChromatogram(self, chromatogram: Any) -> None:  # noqa: N802 - name set by pyOpenMS
        """Count a chromatogram; it holds no ions."""
        self.chromatograms += 1

    def setExpectedSize(self, spectra: int, chromatograms: int) -> None:  # noqa: N802 - name set by pyOpenMS
        """Nothing to prepare."""

    def setExperimentalSettings(self, settings: Any) -> None:  # noqa: N802 - name set by pyOpenMS
        """Nothing of it is used."""


def read(export: Export) -> IonTable:
    """Read the centroids of an mzML file.

    Returns
    -------
    IonTable
        With ``flux_scaled`` True; ``scan`` counts the MS1 spectra from 1.

    Raises
    ------
    InputError
        No well-formed XML (with its line), a document type declaration, profile spectra,
        no spectra.
    """
    (file,) = export.files
    with _plain_file(file) as (path, declared):
        spectra = _stream(path, file)
    for (line, expected), found in zip(declared, spectra.sizes, strict=False):
        if expected != found:
            raise InputError(
                "spectrum is cut short",
                file=file.name,
                line=line,
                expected=f"{expected} peaks",
                found=str(found),
            )
    if spectra.profile:
        raise InputError(
            "profile spectra",
            file=file.name,
            expected="centroids, one a signal",
            found=f"{spectra.profile} spectra in profile mode",
            hint="centroid them when converting (msconvert: peakPicking vendor)",
        )
    if not spectra.mz:
        raise InputError("no MS1 spectra", file=file.name, expected="spectra of MS level 1")
    return _record(export, spectra)


def sniff(head: bytes, basename: str) -> bool:
    """Tell mzML by its root element."""
    return _ROOT.search(head) is not None


def _record(export: Export, spectra: _Spectra) -> IonTable:
    counts = [m.size for m in spectra.mz]
    mz, intensity = np.concatenate(spectra.mz), np.concatenate(spectra.intensity)
    injection = np.repeat([np.nan if t is None else t for t in spectra.injection_ms], counts)
    unknown = not np.isfinite(injection).any()
    reasons = {
        "m/z or intensity is not a finite number": ~(np.isfinite(mz) & np.isfinite(intensity)),
        "m/z is not positive": mz <= 0,
        "intensity is not positive": intensity <= 0,
    }
    if not unknown:
        reasons["injection time of the scan is unknown"] = ~np.isfinite(injection)
    keep, dropped = ions_kept(reasons)
    time = np.repeat(spectra.time_s, counts)[keep]
    remarks = []
    if spectra.undeclared:
        remarks.append(f"{spectra.undeclared} spectra do not say whether they are centroids; taken as such")
    if spectra.other_levels:
        remarks.append(f"{spectra.other_levels} spectra of other MS levels are not used")
    return IonTable(
        name=export.name,
        sample_id=export.sample_id,
        format=export.format,
        inputs=(export.files[0].input,),
        mz=readonly(mz[keep]),
        intensity=readonly(intensity[keep]),
        charge=None,
        scan=readonly(np.repeat(np.arange(1, len(counts) + 1), counts)[keep], np.int64),
        time_s=readonly(time) if np.isfinite(time).all() and (time >= 0).all() else None,
        injection_time_ms=None if unknown else readonly(injection[keep]),
        flux_scaled=True,
        rows_read=int(mz.size),
        dropped=dropped,
        remarks=tuple(remarks),
    )


def _injection_time(spectrum: Any) -> float | None:
    acquisitions = spectrum.getAcquisitionInfo()
    if acquisitions.size() != 1 or not acquisitions[0].metaValueExists("MS:1000927"):
        return None
    try:
        value = float(acquisitions[0].getMetaValue("MS:1000927"))
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) and value > 0 else None


def _stream(path: Path, file: SourceFile) -> _Spectra:
    import pyopenms

    spectra = _Spectra()
    reader = pyopenms.MzMLFile()
    reader.setLogType(pyopenms.LogType.NONE)
    try:
        reader.transform(str(path), spectra)
    except Exception as error:
        if "Python callback" in str(error):
            raise  # our own fault, not the file's
        found = re.sub(r" in: /.*", "", str(error).replace(str(path), file.name))  # no paths of this machine
        raise InputError("can't be read as mzML", file=file.name, found=found[:300]) from error
    return spectra


@contextmanager
def _plain_file(file: SourceFile) -> Iterator[tuple[Path, list[tuple[int, int]]]]:
    """Check the XML from end to end; yield it as an unfolded file on disk, with its spectra's lengths."""
    handle, name = -1, ""
    unfold = file.gzipped or file.on_disk is None
    try:
        if unfold:
            handle, name = tempfile.mkstemp(suffix=".mzML", prefix="aavqc-")
        declared = check_structure(file, handle)
        yield Path(name) if unfold else Path(str(file.on_disk)), declared
    finally:
        if handle >= 0:
            os.close(handle)
            Path(name).unlink(missing_ok=True)


FORMAT = Format(
    name="mzml",
    title="mzML 1.1",
    vendor="PSI (Orbitrap spectra by msconvert and others)",
    technique="cdms",
    extensions=(".mzml",),
    claims=(r".*\.mzml",),
    reads="centroids of MS1 spectra with retention and injection time",
    unread="profile spectra are refused; other MS levels and chromatograms are left out",
    sniff=sniff,
    group=each_file_a_record("mzml", "cdms"),
    read=read,
    example="cdms/*.mzML",
)
