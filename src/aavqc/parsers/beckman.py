"""Stub, being written."""

from aavqc.parsers.formats import Format, each_file_a_record

FORMAT = Format(
    name="beckman",
    title="beckman",
    vendor="",
    technique="auc",
    extensions=(),
    reads="",
    sniff=lambda head, name: False,
    read=None,
    group=each_file_a_record("beckman", "auc"),
)
