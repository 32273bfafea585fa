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
from pathlib import Path
from typing import Any

from aavqc.errors import InputError
from aavqc.parsers.centroids import Centroids
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.mzml_check import check_structure
from aavqc.parsers.sources import SourceFile
from aavqc.records import IonTable

_ROOT = re.compile(rb"<(?:indexed)?mzML[\s>]")


class _Spectra:
    """Consumer of the stream of spectra: hands the centroids of MS1 on, a scan at a time."""

    def __init__(self, expected: int) -> None:
        self.centroids = Centroids(expected=expected)
        self.sizes: list[int] = []
        self.first_level = 0
        self.profile = 0
        self.undeclared = 0

    def consumeSpectrum(self, spectrum: Any) -> None:  # noqa: N802 - name set by pyOpenMS
        """Take one spectrum."""
        self.sizes.append(spectrum.size())
        if spectrum.getMSLevel() != 1:
            return
        self.first_level += 1
        kind = spectrum.getType().name
        self.profile += kind == "PROFILE"
        self.undeclared += kind not in ("PROFILE", "CENTROID")
        mz, intensity = spectrum.get_peaks()
        time_s, injection = float(spectrum.getRT()), _injection_time(spectrum)
        self.centroids.add(self.first_level, time_s, injection, mz, {"intensity": intensity})

    def consumeChromatogram(self, chromatogram: Any) -> None:  # noqa: N802 - name set by pyOpenMS
        """Pass by a chromatogram; it holds no ions."""

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
        spectra = _stream(path, file, sum(length for _, length in declared))
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
    if not spectra.first_level:
        raise InputError("no MS1 spectra", file=file.name, expected="spectra of MS level 1")
    remarks = []
    if spectra.undeclared:
        remarks.append(f"{spectra.undeclared} spectra do not say whether they are centroids; taken as such")
    if others := len(spectra.sizes) - spectra.first_level:
        remarks.append(f"{others} spectra of other MS levels are not used")
    return spectra.centroids.table(export, remarks)


def sniff(head: bytes, basename: str) -> bool:
    """Tell mzML by its root element."""
    return _ROOT.search(head) is not None


def _injection_time(spectrum: Any) -> float | None:
    acquisitions = spectrum.getAcquisitionInfo()
    if acquisitions.size() != 1 or not acquisitions[0].metaValueExists("MS:1000927"):
        return None
    try:
        return float(acquisitions[0].getMetaValue("MS:1000927"))
    except (TypeError, ValueError):
        return None


def _stream(path: Path, file: SourceFile, expected: int) -> _Spectra:
    import pyopenms

    spectra = _Spectra(expected)
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
)
