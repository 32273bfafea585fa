"""Stub, being written."""

from aavqc.parsers.formats import Format, each_file_a_record

FORMAT = Format(
    name="mzml",
    title="mzml",
    vendor="",
    technique="cdms",
    extensions=(),
    reads="",
    sniff=lambda head, name: False,
    read=None,
    group=each_file_a_record("mzml", "cdms"),
)
