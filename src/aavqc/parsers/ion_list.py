"""Stub, being written."""

from aavqc.parsers.formats import Format, each_file_a_record

FORMAT = Format(
    name="ion_list",
    title="ion_list",
    vendor="",
    technique="cdms",
    extensions=(),
    reads="",
    sniff=lambda head, name: False,
    read=None,
    group=each_file_a_record("ion_list", "cdms"),
)
