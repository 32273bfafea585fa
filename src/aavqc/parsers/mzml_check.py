"""What must hold of an mzML file before the C++ reader sees it, which trusts what it reads.

One pass of a streaming XML parser: well-formed from end to end, no document type (entity
bombs), elements where they belong, and no more numbers than the file says.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import zlib
from dataclasses import dataclass, field
from xml.parsers import expat

from aavqc.errors import InputError
from aavqc.parsers.sources import SourceFile

BLOCK = 1 << 20
MAX_FOLD = 1000
"""Largest ratio by which a gzip may unfold."""

MAX_PEAKS = 1 << 22
"""Peaks that a file of any size may declare; beyond it, at most 20 a byte of the file."""

SUSPICIOUS_TEXT = 1 << 16
"""Length of an encoded array from which on it is tried whether it unfolds beyond what it declares."""

_PARENTS = {
    "spectrum": ("spectrumList",),
    "chromatogram": ("chromatogramList",),
    "scanList": ("spectrum",),
    "scan": ("scanList",),
    "scanWindowList": ("scan",),
    "scanWindow": ("scanWindowList",),
    "precursorList": ("spectrum",),
    "precursor": ("precursorList", "chromatogram"),
    "isolationWindow": ("precursor", "product"),
    "selectedIonList": ("precursor",),
    "selectedIon": ("selectedIonList",),
    "activation": ("precursor",),
    "productList": ("spectrum",),
    "product": ("productList", "chromatogram"),
    "binaryDataArrayList": ("spectrum", "chromatogram"),
    "binaryDataArray": ("binaryDataArrayList",),
    "binary": ("binaryDataArray",),
    "processingMethod": ("dataProcessing",),
    "source": ("componentList",),
    "analyzer": ("componentList",),
    "detector": ("componentList",),
}
"""Element → what it may stand in; the C++ reader crashes on some that stand elsewhere."""

_BINARY = b"<binary>"

_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([^\"']*)[\"']")


def check_structure(file: SourceFile, copy_to: int = -1) -> list[tuple[int, int]]:
    """Refuse what is no well-formed mzML, or unfolds beyond what it declares.

    Parameters
    ----------
    file : SourceFile
    copy_to : int
        File descriptor that the unfolded content is written to; -1: none.

    Returns
    -------
    list of (line, length)
        Of each spectrum, as declared: the C++ reader takes what is there.
    """
    encoding = _ENCODING.search(file.head[:200])
    if encoding and encoding[1].decode("ascii", "replace").lower() not in ("utf-8", "iso-8859-1", "us-ascii"):
        raise InputError(
            "wrong encoding", file=file.name, line=1, expected="UTF-8", found=repr(encoding[1])[1:]
        )
    structure = _Structure(file.name)
    size = 0
    try:
        with file.open() as stream:
            while block := stream.read(BLOCK):
                size += len(block)
                if size > max(MAX_FOLD * file.size, BLOCK):
                    raise InputError("unfolds suspiciously large", file=file.name, found=f"{file.size} bytes")
                structure.feed(block)
                if copy_to >= 0:
                    os.write(copy_to, block)
        structure.close()
    except expat.ExpatError as error:
        said = expat.ErrorString(error.code)
        raise InputError(
            "no well-formed XML",
            file=file.name,
            line=error.lineno,
            column=error.offset + 1,
            found="the end of the file" if said in ("no element found", "unclosed token") else said,
        ) from error
    except (LookupError, ValueError) as error:  # the parser asks for an encoding that there is not
        raise InputError(
            "wrong encoding", file=file.name, line=1, expected="UTF-8", found=str(error)[:80]
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise InputError("can't be unfolded or read", file=file.name, found=str(error)) from error
    peaks, most = sum(length for _, length in structure.declared), max(MAX_PEAKS, 20 * size)
    if peaks > most:
        raise InputError(
            "more peaks declared than the file can hold",
            file=file.name,
            expected=f"at most {most}",
            found=str(peaks),
        )
    return structure.declared


@dataclass
class _Structure:
    """Consumer of XML events: where each element stands, how long each spectrum is."""

    name: str
    declared: list[tuple[int, int]] = field(default_factory=list)
    inside: list[str] = field(default_factory=lambda: [""])
    encoded: list[str] = field(default_factory=list)
    held: bytes = b""
    passing: bool = False
    reading: bool = False

    def __post_init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.buffer_size = SUSPICIOUS_TEXT
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    def feed(self, block: bytes) -> None:
        """Parse a block; encoded numbers, all but a few of a file's bytes, pass by the parser.

        They end at the next tag, which the parser sees; their line ends it gets, to count lines.
        """
        data, at = self.held + block, 0
        self.held = b""
        while at < len(data):
            if self.passing:
                end = data.find(b"<", at)
                stop = len(data) if end < 0 else end
                self.passed(data, at, stop)
                self.passing, at = end < 0, stop
                continue
            found = data.find(_BINARY, at)
            if found < 0:
                stop = max(len(data) - len(_BINARY) + 1, at)
                self.parser.Parse(data[at:stop], False)
                self.held = data[stop:]
                return
            self.parser.Parse(data[at : found + len(_BINARY)], False)
            self.passing, at = True, found + len(_BINARY)

    def passed(self, data: bytes, start: int, stop: int) -> None:
        """Keep encoded numbers only where they are long enough to be tried."""
        if lines := data.count(b"\n", start, stop):
            self.parser.Parse(b"\n" * lines, False)
        goes_on = stop == len(data)
        if self.reading and (stop - start > SUSPICIOUS_TEXT or goes_on or self.encoded):
            self.encoded.append(data[start:stop].decode("ascii", "replace"))

    def close(self) -> None:
        """Parse what is left."""
        self.parser.Parse(self.held, True)

    def doctype(self, *_: object) -> None:
        raise self.error("a document type declaration is refused", "mzML, which has none", None)

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        inside = self.inside
        parent, allowed = inside[-1], _PARENTS.get(tag)
        if parent == "binary" or (allowed is not None and parent not in allowed):
            raise self.error(
                f"misplaced element {tag[:40]}",
                f"it inside {' or '.join(allowed or ('another',))}",
                f"inside {parent[:40] or 'nothing'}",
            )
        inside.append(tag)
        if tag == "spectrum":
            length = attributes.get("defaultArrayLength", "")
            if not (length.isascii() and length.isdigit()):
                raise self.error(
                    "no length of a spectrum", "a whole number in defaultArrayLength", repr(length[:40])
                )
            self.declared.append((self.parser.CurrentLineNumber, int(length[:18])))
        elif tag == "binary" and "spectrum" in inside:
            self.reading = True
            self.parser.CharacterDataHandler = self.encoded.append

    def end(self, _: str) -> None:
        self.inside.pop()
        if not self.reading:
            return
        self.reading = False
        self.parser.CharacterDataHandler = None
        text = "".join(self.encoded) if sum(map(len, self.encoded)) > SUSPICIOUS_TEXT else ""
        self.encoded.clear()
        line, length = self.declared[-1]
        if text and _unfolds_beyond(text, length):
            raise self.error(
                "array unfolds beyond the spectrum's length", f"{length} peaks as in line {line}", "more"
            )

    def error(self, message: str, expected: str, found: str | None) -> InputError:
        return InputError(
            message, file=self.name, line=self.parser.CurrentLineNumber, expected=expected, found=found
        )


def _unfolds_beyond(text: str, length: int) -> bool:
    """Tell whether zlib-compressed numbers are more than ``length`` of eight bytes."""
    unfolding = zlib.decompressobj()
    try:
        unfolding.decompress(base64.b64decode(text), 8 * length + 64)
    except (binascii.Error, ValueError, zlib.error):  # not compressed, or broken: the reader will say
        return False
    return bool(unfolding.unconsumed_tail)
