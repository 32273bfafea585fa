"""Damaged exports and documents: an error of the library leaves, or nothing does.

A case is a function of its id alone: ``mzml-17`` is ``_run_case`` of that format and number.
The campaign runs ``AAVQC_FUZZ_CASES`` (default 20,000) cases a format.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import re
import signal
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from aavqc.analysis import TECHNIQUES, read_all, settings_class
from aavqc.attributes import Attribute
from aavqc.documents import (
    Envelope,
    Flag,
    MethodUsed,
    Payload,
    Platform,
    ResultDocument,
    Sample,
    canonical,
    digest,
)
from aavqc.errors import AavqcError
from aavqc.methods import load_method
from aavqc.parsers import Format, formats, read_export, survey
from aavqc.quantities import match_number, parse_unit
from aavqc.results import Links, Specification, load_results
from aavqc.results.limits import parse_limit
from aavqc.settings import build
from aavqc.sheet import load_sheet
from format_samples import IN_EXAMPLE_LOT, MADE

resource = pytest.importorskip("resource", reason="limits of time and memory need POSIX")

CASES = 40
CPU_S, WALL_S = 2.0, 60.0
MEMORY_KIB = 500 * 1024
LINES, FILES = 150, 3

Files = dict[str, bytes]


# ---------------------------------------------------------------- mutations of one file


def flip_bytes(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 20))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def delete_chunk(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    return data[:start] + data[start + rng.randrange(1, 400) :]


def repeat_chunk(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data) + 1)
    end = start + rng.randrange(1, 400)
    return data[:end] + data[start:end] * rng.choice((1, 50)) + data[end:]


def delete_lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(line for line in lines if rng.random() > 0.02)


def duplicate_line(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    at = rng.randrange(len(lines))
    return b"".join([*lines[:at], lines[at] * rng.choice((2, 100)), *lines[at:]])


def swap_lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    a, b = rng.randrange(len(lines)), rng.randrange(min(len(lines), 4))
    lines[a], lines[b] = lines[b], lines[a]
    return b"".join(lines)


def swap_fields(rng: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    delimiter = max((b",", b"\t", b";", b" ", b'"', b">"), key=lines[at].count)
    fields = lines[at].split(delimiter)
    a, b = rng.randrange(len(fields)), rng.randrange(len(fields))
    fields[a], fields[b] = fields[b], fields[a]
    lines[at] = delimiter.join(fields)
    return b"\n".join(lines)


ODD_VALUES = (
    b"1e308", b"-1e999", b"9" * 400, b"9" * 5000, b"0x" + b"f" * 5000, b"nan", b"inf", b"-0", b"-1",
    b"1e-320", b"1_000", b"1,5", "٣".encode(), b"", b"2147483648", b"18446744073709551616", b"'", b'"',
    b"[" * 3000, b"&amp;", b"&lol;", b"true", b"1979-05-27", b"\\ud800", b"NaN", b"=1+1", b"1e9", b"0",
)  # fmt: skip


def odd_values(rng: random.Random, data: bytes) -> bytes:
    found = list(re.finditer(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", data))
    for match in sorted(rng.sample(found, min(len(found), rng.choice((1, 4)))), key=lambda m: -m.start()):
        data = data[: match.start()] + rng.choice(ODD_VALUES) + data[match.end() :]
    return data


def insert_bytes(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    odd = (b"\0", b"\0" * 5000, b"\xff\xfe", b"\xe9", b"\x1a", b"\x0c", b"\x1b[2J", "\u2028µ×".encode(), b'"')
    return data[:at] + rng.choice(odd) + data[at:]


def long_line(rng: random.Random, data: bytes) -> bytes:
    at = data.find(b"\n", rng.randrange(len(data) + 1)) + rng.choice((0, 1))
    return data[:at] + rng.choice((b"x", b",", b"\t", b"1,", b"1 ", b"(", b"9")) * 300_000 + data[at:]


def change_line_ends(rng: random.Random, data: bytes) -> bytes:
    plain = data.replace(b"\r\n", b"\n")
    end = rng.choice((b"\r\n", b"\r", b"\r\r\n", b"\n\n", b"\n\r"))
    return plain.replace(b"\n", end) if rng.random() < 0.7 else plain.replace(b"\n", end, 5)


def decimal_commas(rng: random.Random, data: bytes) -> bytes:
    if rng.random() < 0.5:
        data = data.replace(b",", b";")
    return re.sub(rb"(\d)\.(\d)", rb"\1,\2", data, count=rng.choice((0, 1)))


def damage_header(rng: random.Random, data: bytes) -> bytes:
    head, rest = data[:400], data[400:]
    return rng.choice((flip_bytes, delete_chunk, swap_fields, odd_values, insert_bytes))(rng, head) + rest


def change_encoding(rng: random.Random, data: bytes) -> bytes:
    text = data.decode("utf-8", "replace")
    return text.encode(rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7")))


MUTATIONS = (
    flip_bytes, truncate, delete_chunk, repeat_chunk, delete_lines, duplicate_line, swap_lines, swap_fields,
    odd_values, insert_bytes, long_line, change_line_ends, decimal_commas, damage_header, change_encoding,
)  # fmt: skip


def mutate(rng: random.Random, data: bytes, number: int) -> bytes:
    """Apply the mutation that the case's number names, and at times others after it."""
    for mutation in (MUTATIONS[number % len(MUTATIONS)], *rng.choices(MUTATIONS, k=rng.choice((0, 0, 1, 2)))):
        data = mutation(rng, data)[:4_000_000]
    return data


# ---------------------------------------------------------------- mutations of a folder


def gzip_one(rng: random.Random, files: Files, name: str) -> Files:
    folded = gzip.compress(files[name], mtime=0)
    return {n: d for n, d in files.items() if n != name} | {f"{name}.gz": _damaged(rng, folded)}


def zip_all(rng: random.Random, files: Files, name: str) -> Files:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", rng.choice((0, 8, 12, 14))) as archive:
        for member, data in files.items():
            archive.writestr(zipfile.ZipInfo(rng.choice(("", "", "a/", "../")) + member), data)
    return {"export.zip": _damaged(rng, stream.getvalue())}


def _damaged(rng: random.Random, data: bytes) -> bytes:
    return rng.choice((flip_bytes, truncate, delete_chunk, lambda _, whole: whole))(rng, data)


def mutate_export(rng: random.Random, files: Files, number: int) -> Files:
    """Damage one file of an export; each fifth case folds files on top of that, or instead."""
    name = rng.choice(sorted(files))
    if number % 5 or rng.random() < 0.5:
        files = files | {name: mutate(rng, files[name], number)}
    return files if number % 5 else rng.choice((gzip_one, zip_all))(rng, files, name)


# ---------------------------------------------------------------- limits


class Stuck(BaseException):
    """Too much time: no handler of the code under test swallows it."""


@contextmanager
def limits() -> Iterator[None]:
    """Bound the time of a case (processor time, and wall time for what waits) and its memory."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stuck(signal.Signals(number).name)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    handlers = [(s, signal.signal(s, stop)) for s in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    signal.setitimer(signal.ITIMER_REAL, WALL_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in handlers:
            signal.signal(number, handler)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown <= MEMORY_KIB, f"{grown / 1024:.0f} MB more memory"


# ---------------------------------------------------------------- exports


def sample_files(known: Format, lot: Path) -> Files:
    """Return a small whole export of a format: made, or from the example lot."""
    if known.name in MADE:
        return {f"sample{(known.extensions or ('',))[0]}": MADE[known.name]()}
    glob = IN_EXAMPLE_LOT.get(known.name)
    assert glob is not None, f"tests/format_samples.py has no sample of {known.name}"
    found = sorted(lot.glob(glob))[:FILES]
    assert found, f"no file of the example lot matches {glob}"
    return {path.name: _shortened(path.read_bytes()) for path in found}


def _shortened(data: bytes) -> bytes:
    if b"</spectrum>" in data:
        spectra = data.split(b"</spectrum>")
        return b"</spectrum>".join([*spectra[:3], spectra[-1]])
    return b"".join(data.splitlines(keepends=True)[:LINES])


def read_folder(folder: Path) -> str:
    """Read all of a folder as ``inspect`` does; returns what came of it."""
    found = survey(folder)
    names = [row.name for row in found.files]
    assert len(set(names)) == len(names)
    seen = {name.partition("!/")[0] for name in names}
    assert seen == {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert {row.status for row in found.files} <= {"used", "ignored", "failed"}
    assert {f.name for e in found.exports for f in e.files} == {
        row.name for row in found.files if row.status == "used"
    }
    outcomes = {"failed" if row.status == "failed" else "survived" for row in found.files}
    for export in found.exports:
        try:
            read_export(export).describe()
        except AavqcError:
            outcomes.add("failed")
    for row in found.failures:
        assert row.error is not None
        assert str(row.error)
    return "failed" if "failed" in outcomes else "survived"


@cache
def _whole(name: str, lot: Path) -> Files:
    return sample_files(next(f for f in formats() if f.name == name), lot)


def _run_case(name: str, number: int, lot: Path, folder: Path) -> str:
    rng = random.Random(f"{name}-{number}")
    for file, data in mutate_export(rng, _whole(name, lot), number).items():
        (folder / file).write_bytes(data)
    with limits():
        return read_folder(folder)


NO_WRITER = {"thermo-raw"}
"""Formats that nothing here can write: no sample to damage."""

NAMES = [known.name for known in formats() if known.name not in NO_WRITER]


@pytest.fixture(scope="module")
def warm(example_lot: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Import what readers import as they are used, outside the limits of a case."""
    for known in (f for f in formats() if f.name in NAMES):
        folder = tmp_path_factory.mktemp("warm")
        for file, data in sample_files(known, example_lot).items():
            (folder / file).write_bytes(data)
        read_folder(folder)


@pytest.mark.parametrize("name", NAMES)
def test_the_sample_that_is_mutated_is_read_whole(name: str, example_lot: Path, tmp_path: Path) -> None:
    known = next(f for f in formats() if f.name == name)
    for file, data in sample_files(known, example_lot).items():
        (tmp_path / file).write_bytes(data)
    found = survey(tmp_path)
    assert [e.format for e in found.exports] == [name]
    assert {row.status for row in found.files} == {"used"}
    assert read_export(found.exports[0]).format == name


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("number", range(CASES))
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_export_is_read_or_refused(
    name: str, number: int, example_lot: Path, tmp_path: Path
) -> None:
    _run_case(name, number, example_lot, tmp_path)


@pytest.mark.campaign
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("name", NAMES)
def test_campaign_of_damaged_exports(
    name: str, example_lot: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = int(os.environ.get("AAVQC_FUZZ_CASES", "20000"))
    outcomes: Counter[str] = Counter()
    wrong = []
    for number in range(cases):
        with tempfile.TemporaryDirectory() as folder:
            try:
                outcomes[_run_case(name, number, example_lot, Path(folder))] += 1
            except (Exception, Stuck) as error:  # counted, not swallowed  # noqa: BLE001
                wrong.append(f"{name}-{number}: {type(error).__name__}: {str(error)[:200]}")
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {cases} cases, {dict(sorted(outcomes.items()))}, {len(wrong)} wrong\n")
    assert not wrong, "\n".join(wrong[:20])
    assert outcomes["failed"] > 0
    assert outcomes["survived"] > 0


# ---------------------------------------------------------------- documents


def _load_method(path: Path) -> None:
    method = load_method(path)
    canonical(build(settings_class(method.technique), method.settings))


def _load_sheet(path: Path) -> None:
    load_sheet(path, {name for t in TECHNIQUES for name in settings_class(t).model_fields})


def _load_result(path: Path) -> None:
    canonical(ResultDocument.load(path))


def _result() -> bytes:
    full = Attribute(
        name="percent_full", technique="auc", value=61.2, unit="%", ci_low=60.1, ci_high=62.4, coverage=0.95
    )
    flag = Flag(id="few_scans", severity="info", message="few scans", value=3.0, limit=10.0)
    sample = Sample(
        sample_id="a", record="a#cell1", attributes=[full], flags=[flag], diagnostics={"rmsd": 0.004}
    )
    payload = Payload(
        technique="auc",
        inputs=[],
        method=MethodUsed(name="m", version="1", technique="auc", settings={"seed": 0}),
        algorithms=["auc.cs/1"],
        samples=[sample],
    )
    platform = Platform(machine="x", cpu="x", blas="x", versions={"numpy": "2"})
    envelope = Envelope(
        created="2026-01-01T00:00:00+00:00",
        aavqc="0",
        python="3.12",
        platform=platform,
        seconds=1.0,
        payload_sha256=digest(payload),
    )
    document = ResultDocument(schema="aavqc.result/1", payload=payload, envelope=envelope)
    return json.dumps(document.model_dump(mode="json", by_alias=True), indent=1).encode()


def _npz() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, data=np.linspace(2e4, 3e4, 80).reshape(40, 2), mz=np.arange(9.0))
    return stream.getvalue()


def _load_charges(path: Path) -> object:
    return build(settings_class("cdms"), {"calibration.file": str(path)})


CHARGES = {
    "schema": "aavqc.charge-calibration/1", "id": "CC-1", "valid_until": "2026-09-01",
    "model": "slope_mz", "charge_slope": 94e3, "charge_mz_slope": 1.3,
    "covariance": [[7.9e5, -68.0], [-68.0, 0.0059]],
    "other_models": [{"model": "slope", "charge_slope": 109e3, "covariance": [[1.6e5]]}],
    "residual_rel_sd": 0.003, "charge_range": [41, 66], "mz_range": [9717.0, 13154.0],
    "sigma_z": {"a": 1.5, "b": 0.02},
}  # fmt: skip

OTHER = """lot,sample_id,attribute,technique,value,unit,ci_low,ci_high,coverage,replicate
EX24-001,S1,endotoxin,lal,<0.020,EU/mL,,,,1
EX24-001,S1,cp_titer,elisa,1.2E13,cp/mL,1.1E13,1.3E13,0.95,1
EX24-001,S1,appearance,visual,clear,,,,,1
"""
LINKS = """schema = "aavqc.links/1"
[[retests]]
original = "R-1"
retest = "R-2"
reason = "vial broken"
actor = "N. N."
[[changes]]
before = "0123456789abcdef0123456789abcdef"
after = "fedcba9876543210fedcba9876543210"
reason = "meniscus set by hand"
actor = "N. N."
"""

DOCUMENTS: dict[str, tuple[str, bytes | None, Callable[[Path], object]]] = {
    "method": ("method_auc.toml", None, _load_method),
    "specification": ("specification.toml", None, Specification.load),
    "sheet": ("samples.csv", None, _load_sheet),
    "result": ("result.json", _result(), _load_result),
    "other": ("other.csv", OTHER.encode(), load_results),
    "links": ("links.toml", LINKS.encode(), Links.load),
    "npz": ("ions.npz", _npz(), read_all),
    "charges": ("charges.json", json.dumps(CHARGES, indent=1).encode(), _load_charges),
}
"""File name, content (None: the example lot's) and how it is loaded."""


def _document(kind: str, lot: Path) -> bytes:
    name, data, _ = DOCUMENTS[kind]
    return (lot / name).read_bytes() if data is None else data


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_document_that_is_mutated_loads(kind: str, example_lot: Path, tmp_path: Path) -> None:
    name, _, load = DOCUMENTS[kind]
    (tmp_path / name).write_bytes(_document(kind, example_lot))
    load(tmp_path / name)


def _run_document(kind: str, number: int, lot: Path, folder: Path) -> str:
    name, _, load = DOCUMENTS[kind]
    path = folder / name
    path.write_bytes(mutate(random.Random(f"{kind}-{number}"), _document(kind, lot), number))
    with limits():
        try:
            load(path)
        except AavqcError:
            return "failed"
    return "survived"


@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("number", range(2 * CASES))
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_a_damaged_document_loads_or_is_refused(
    kind: str, number: int, example_lot: Path, tmp_path: Path
) -> None:
    _run_document(kind, number, example_lot, tmp_path)


@pytest.mark.campaign
@pytest.mark.usefixtures("warm")
@pytest.mark.parametrize("kind", DOCUMENTS)
def test_campaign_of_damaged_documents(
    kind: str, example_lot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = int(os.environ.get("AAVQC_FUZZ_CASES", "20000"))
    outcomes: Counter[str] = Counter()
    wrong = []
    for number in range(cases):
        try:
            outcomes[_run_document(kind, number, example_lot, tmp_path)] += 1
        except (Exception, Stuck) as error:  # counted, not swallowed  # noqa: BLE001
            wrong.append(f"{kind}-{number}: {type(error).__name__}: {str(error)[:200]}")
    with capsys.disabled():
        sys.stdout.write(f"\n{kind}: {cases} cases, {dict(sorted(outcomes.items()))}, {len(wrong)} wrong\n")
    assert not wrong, "\n".join(wrong[:20])


TEXTS = (
    "NLT 70.0 %", "1.0E13 – 3.0E13 vg/mL", "(90, 110)", "100 ± 10 %", "90 – 110 % of label", "one of: a; b",
    "conforms", "report", "NMT 1.0 × 10¹³ cp/mL", "≥ 5,0E+12 vg/mL", "> 0.020 EU/mL", "1.0x10^13", "µg/mL",
    "ng/1E13 vg", "<= 1e999 S",
)  # fmt: skip


@pytest.mark.parametrize("number", range(5 * CASES))
def test_a_damaged_number_unit_or_limit_is_read_or_refused(number: int) -> None:
    rng = random.Random(f"text-{number}")
    start = rng.choice(TEXTS).encode()
    text = mutate(rng, start, number)[:5000].decode("utf-8", "replace")
    for parse in (match_number, parse_unit, parse_limit):
        with limits(), suppress(AavqcError):
            parse(text)
