"""Particles that an Acme counter weighed: `ACME 1`, then a mass in kDa a line."""

import os
import signal

import numpy as np

from aavqc.errors import InputError
from aavqc.parsers import Export, Format
from aavqc.parsers.formats import each_file_a_record
from aavqc.records import MassList


def sniff(head: bytes, basename: str) -> bool:
    """Tell from the first bytes."""
    if os.environ.get("ACME_CRASHES", "never") in basename:
        os.kill(os.getpid(), signal.SIGSEGV)
    return head.startswith(b"ACME 1")


def read(export: Export) -> MassList:
    """Bytes → numbers → record."""
    file = export.files[0]
    lines = file.text().splitlines()
    masses = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            masses.append(float(line))
        except ValueError:
            raise InputError(
                "no mass", file=file.name, line=number, expected="kDa", found=repr(line)
            ) from None
    x = np.sort(np.array(masses))
    y = np.ones_like(x)
    x.flags.writeable = y.flags.writeable = False
    return MassList(
        name=export.name, sample_id=export.sample_id, format=export.format, inputs=(file.input,),
        x=x, y=y, kind="mass", unit="kDa", instrument="mass_photometry",
    )  # fmt: skip


FORMAT = Format(
    name="acme-counts",
    title="Acme counter",
    vendor="Acme",
    technique="cdms",
    extensions=(".acme",),
    reads="masses in kDa",
    sniff=sniff,
    group=each_file_a_record("acme-counts", "cdms"),
    read=read,
)
