"""Orbitrap charge-detection spectra in Thermo's RAW, read with opentfraw (the extra ``thermo``).

Beside m/z and intensity the file has a signal-to-noise ratio, a noise and a resolution for
each centroid, which do not survive in mzML. What the "noise" measures is opentfraw's reading
of an undocumented format.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers.centroids import Centroids
from aavqc.parsers.formats import Export, Format, each_file_a_record
from aavqc.parsers.sources import SourceFile
from aavqc.records import IonTable

_MAGIC = b"\x01\xa1" + "Finnigan".encode("utf-16-le")
_LABELS = {"s_to_n": "signal_to_noise", "noise": "noise", "resolution": "resolution"}


def read(export: Export) -> IonTable:
    """Read the centroids of all MS1 scans.

    Returns
    -------
    IonTable
        With ``flux_scaled`` True, and ``s_to_n``, ``noise``, ``resolution`` in ``extra``.

    Raises
    ------
    InputError
        Damaged, no centroids of an Orbitrap, or the extra ``thermo`` is not installed.
    """
    (file,) = export.files
    try:
        import opentfraw
    except ImportError as error:
        raise InputError(
            "Thermo RAW needs opentfraw", file=file.name, hint="pip install 'aavqc[thermo]'"
        ) from error
    centroids = Centroids(tuple(_LABELS))
    others = bare = 0
    with _on_disk(file) as path, _named(file, path):
        raw = opentfraw.RawFile(path)
        model = raw.instrument_model
        for number in range(raw.first_scan, raw.last_scan + 1):
            facts = raw.scan(number)
            if facts["ms_level"] != 1:
                others += 1
                continue
            labels = raw.centroid_labels(number)
            if not np.isfinite(labels["resolution"]).any():
                bare += 1
                continue
            columns = {role: labels[label] for role, label in _LABELS.items()}
            columns["intensity"] = labels["intensity"]
            injection = facts["ion_injection_time_ms"]
            centroids.add(number, 60 * facts["retention_time"], injection, labels["mz"], columns)
    if not centroids.read:
        raise InputError(
            "no labelled centroids", file=file.name, expected="FT scans of MS level 1 with centroids"
        )
    remarks = []
    if others:
        remarks.append(f"{others} scans of other MS levels are not used")
    if bare:
        remarks.append(f"{bare} scans without labelled centroids are not used")
    return centroids.table(export, remarks, {"instrument": model} if model else None)


def sniff(head: bytes, basename: str) -> bool:
    """Tell RAW by its signature."""
    return head.startswith(_MAGIC)


@contextmanager
def _named(file: SourceFile, path: str) -> Iterator[None]:
    """Turn what the reader raises, panics of its Rust code among them, into an error of ours."""
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        found = str(error).replace(path, file.name)[:200]
        raise InputError("can't be read as Thermo RAW", file=file.name, found=found) from error


@contextmanager
def _on_disk(file: SourceFile) -> Iterator[str]:
    """Yield the path of the unfolded file."""
    if file.on_disk is not None and not file.gzipped:
        yield str(file.on_disk)
        return
    handle, path = tempfile.mkstemp(suffix=".raw", prefix="aavqc-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(file.read())
        yield path
    finally:
        os.unlink(path)


FORMAT = Format(
    name="thermo-raw",
    title="Orbitrap spectra (Thermo RAW)",
    vendor="Thermo Fisher Scientific",
    technique="cdms",
    extensions=(".raw",),
    reads="centroids of MS1 scans with S/N, noise, resolution, retention and injection time",
    unread="profiles, other MS levels; needs the extra 'thermo'",
    support="experimental",
    sniff=sniff,
    group=each_file_a_record("thermo-raw", "cdms"),
    read=read,
)
