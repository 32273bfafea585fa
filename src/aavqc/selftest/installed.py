"""The files of the installation against the hashes that its wheel carries."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib.metadata import PackagePath, files

from aavqc.selftest.check import Check

SOURCE = "RECORD of the installed wheel"


def installed_files() -> Iterator[Check]:
    """Compare each file of the package that RECORD has a hash of."""
    recorded = [f for f in files("aavqc") or [] if f.hash is not None and f.parts[0] == "aavqc"]
    if not recorded:
        found = "no record of files: an editable install"
        yield Check(name="installed files", source=SOURCE, expected="", found=found, status="skipped")
        return
    changed = [str(f) for f in recorded if not _intact(f)]
    yield Check(
        name="installed files",
        source=SOURCE,
        expected=f"{len(recorded)} files as recorded",
        found=f"{len(recorded) - len(changed)} as recorded" + "".join(f"; changed: {f}" for f in changed[:3]),
        status="failed" if changed else "passed",
    )


def _intact(file: PackagePath) -> bool:
    try:
        data = file.read_binary()
    except OSError:
        return False
    stated = file.hash
    return stated is None or stated.value == _encoded(hashlib.new(stated.mode, data).digest())


def _encoded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
