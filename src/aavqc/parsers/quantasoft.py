"""Stub, being written."""

from aavqc.parsers.formats import Format, each_file_a_record

FORMAT = Format(
    name="quantasoft",
    title="quantasoft",
    vendor="",
    technique="ddpcr",
    extensions=(),
    reads="",
    sniff=lambda head, name: False,
    read=None,
    group=each_file_a_record("quantasoft", "ddpcr"),
)
