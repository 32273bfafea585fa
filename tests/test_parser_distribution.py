"""Saved distributions: what is one, what is not, and what is refused."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from aavqc.errors import AavqcError, InputError
from aavqc.parsers import read_export, survey
from aavqc.records import Distribution
from format_samples import sedfit_distribution


def rows(s: np.ndarray, y: np.ndarray, between: str = "\t") -> bytes:
    return "".join(f"{a:.6g}{between}{b:.6g}\r\n" for a, b in zip(s, y, strict=True)).encode()


S = np.linspace(1, 150, 300)
Y = np.exp(-(((S - 65) / 3) ** 2))


def kind_of(data: bytes, name: str = "cofs.dat") -> str | None:
    exports = survey(BytesIO(data), name=name).exports
    return exports[0].format if exports else None


def read(data: bytes, name: str = "cofs.dat") -> Distribution:
    (export,) = survey(BytesIO(data), name=name).exports
    record = read_export(export)
    assert isinstance(record, Distribution)
    return record


def test_two_columns_are_read_as_saved() -> None:
    record = read(rows(S, Y))
    assert (record.technique, record.kind, record.unit) == ("auc", "c(s)", "S")
    assert (record.name, record.sample_id) == ("cofs.dat", "cofs")
    np.testing.assert_allclose(record.x, S, rtol=1e-5)
    np.testing.assert_allclose(record.y, Y, rtol=1e-5, atol=1e-30)
    assert record.describe()["maximum_at"] == pytest.approx(65, abs=0.5)
    assert "told by its content" in record.remarks[0]


def test_one_line_of_names_is_taken() -> None:
    record = read(b"s20,w\tls-g*(s)\r\n" + rows(S, Y), "x.txt")
    assert record.kind == "ls-g*(s)"
    assert record.remarks == (
        "the file gives s20,w: density and viscosity of the buffer would correct it again",
    )


@pytest.mark.parametrize(
    ("header", "between", "kind"),
    [
        ("s20w,c(s)", ",", "c(s)"),
        ('"s20,w","c(s)"', ",", "c(s)"),
        ("s(20,w),ls-g*(s)", ",", "ls-g*(s)"),
        ("s (S);c(s) (OD/S)", ";", "c(s)"),
        ("s (S)\tc(s) (OD/S)", "\t", "c(s)"),
        ("# s c(s)", "  ", "c(s)"),
        ("s (S)  c(s) (fringes/S)", " ", "c(s)"),
        ("Sedimentation coefficient [S]\tc(s)", "\t", "c(s)"),
        ("s,g(s*)", ",", "g(s*)"),
    ],
)
@pytest.mark.parametrize("name", ["cofs.csv", "cofs.txt"])
def test_names_tell_a_distribution_whatever_its_delimiter(
    header: str, between: str, kind: str, name: str
) -> None:
    """A named list may begin at any s and bear any suffix."""
    record = read(header.encode() + b"\r\n" + rows(S + 100, Y, between), name)
    assert record.kind == kind
    np.testing.assert_allclose(record.x, S + 100, rtol=1e-5)
    assert not any("told by its content" in text for text in record.remarks)


def test_columns_beside_s_and_its_distribution_are_named_and_left() -> None:
    lines = "".join(f"{a:.4f},{1e5 * a:.0f},{b:.6f}\n" for a, b in zip(S, Y, strict=True))
    record = read(b"s,M,c(s)\n" + lines.encode(), "cofs.csv")
    np.testing.assert_allclose(record.y, Y, atol=1e-6)
    assert record.remarks == ("column 'M' is not used",)


@pytest.mark.parametrize("between", [" ", "   ", " \t "])
def test_blanks_part_columns_too(between: str) -> None:
    lines = "".join(f"  {a:10.6f}{between}{b:12.6E}\n" for a, b in zip(S, Y, strict=True))
    np.testing.assert_allclose(read(lines.encode()).x, S, rtol=1e-5)


def test_a_window_of_capsids_may_begin_where_they_do() -> None:
    assert read(rows(np.linspace(55, 155, 200), np.ones(200))).x[0] == 55


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (rows(S, Y), "cofs.csv"),
        (rows(S, Y, ","), "cofs.txt"),
        (rows(S, Y - 0.5), "cofs.txt"),
        (rows(S + 110, Y), "cofs.txt"),
        (rows(np.arange(220.0, 350.0), np.ones(130), " "), "spectrum.dat"),
        (rows(S, Y, " "), "cofs.prn"),
        (b"s,c(s),c(s)\n" + b"".join(b"%d,1,2\n" % i for i in range(50)), "twice.csv"),
        (b"s,M,f/f0,D,R,c\n" + b"".join(b"%d,1,2,3,4,5\n" % i for i in range(50)), "table.csv"),
        (b"time,signal\n" + rows(S, Y, ","), "x.csv"),
        (b"".join(b"%d 1 2\n" % i for i in range(50)), "cofs.txt"),
        (rows(S[::-1], Y), "cofs.txt"),
        (rows(S, 0 * Y), "cofs.txt"),
        (rows(np.arange(0, 30, 0.001), np.ones(30000)), "chromatogram.txt"),
        (rows(np.arange(0, 3e4, 100), np.ones(300)), "spectrum.txt"),
        (rows(S[:5], Y[:5]), "cofs.txt"),
        (b"time\tOD\n" + rows(S, Y), "cofs.txt"),
        (b"".join(b"%d\t1\t2\n" % i for i in range(50)), "cofs.txt"),
    ],
)
def test_other_numbers_are_not_claimed(data: bytes, name: str) -> None:
    assert kind_of(data, name) != "sedfit-distribution"


def test_lists_of_ions_stay_what_they_are() -> None:
    rng = np.random.default_rng(1)
    mz, z = np.sort(rng.uniform(20000, 30000, 300)), rng.uniform(100, 200, 300)
    assert kind_of(rows(mz, z), "ions.txt") == "ion-list"


def test_no_real_file_is_claimed(reference_data: Path) -> None:
    known = {e.format for e in survey(reference_data).exports}
    assert "sedfit-distribution" not in known
    assert {"beckman-xl", "ion-list", "quantasoft", "ultrascan-auc", "scan-table"} <= known


@pytest.mark.parametrize(
    ("bad", "line", "message"),
    [
        (b"148.0\t0.1", 2001, "implausible distribution"),
        (b"1001,5\t0.1", 2001, "no point of a distribution"),
        (b"201.1\t-0.1", 2001, "implausible distribution"),
        (b"1e999\t0.1", 2001, "implausible distribution"),
        (b"201.1", 2001, "no point of a distribution"),
    ],
)
def test_damage_further_down_is_told_with_its_line(bad: bytes, line: int, message: str) -> None:
    s = np.linspace(1, 200.95, 2000)
    with pytest.raises(InputError) as caught:
        read(rows(s, np.ones(2000)) + bad + b"\r\n")
    assert (caught.value.line, caught.value.message) == (line, message)


@pytest.mark.parametrize(("header", "between", "name"), [(b"", "\t", "x.dat"), (b"s,c(s)\r\n", ",", "x.csv")])
def test_mutated_files_raise_our_errors_only(header: bytes, between: str, name: str) -> None:
    rng = np.random.default_rng(3)
    assert kind_of(sedfit_distribution()) == "sedfit-distribution"
    good = header + rows(np.linspace(1, 200, 1500), np.ones(1500), between)
    outcomes = set()
    for _ in range(300):
        data = bytearray(good)
        for at in rng.integers(0, len(data), 2):
            data[at] = rng.choice(list(b"0123456789.eE-+\t\r\n ,#\xff\0"))
        for export in survey(BytesIO(bytes(data)), name=name).exports:
            try:
                outcomes.add((type(read_export(export)), None))
            except AavqcError as error:
                outcomes.add((type(error), error.file))
    assert outcomes == {(Distribution, None), (InputError, name)}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_derivatives_of_noise_may_be_below_zero_and_spreadsheets_mark_their_text(mark: bytes) -> None:
    s = np.arange(60, 120, 0.5)
    y = np.exp(-0.5 * ((s - 100) / 3) ** 2) - 0.01
    text = b"s*,ls-g*(s)\n" + "".join(f"{a:g},{b:.5f}\n" for a, b in zip(s, y, strict=True)).encode()
    assert kind_of(mark + text, "g.csv") == "sedfit-distribution"
    assert read(mark + text, "g.csv").y.min() < 0
    with pytest.raises(InputError, match="not negative"):
        read(mark + text.replace(b"ls-g*(s)", b"c(s)"), "g.csv")
