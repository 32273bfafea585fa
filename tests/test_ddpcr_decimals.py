"""Droplets from bytes: the numbers that Python reads, whatever the lines' ends, or a closer look."""

from __future__ import annotations

import io

import numpy as np
import pytest

from aavqc.errors import InputError
from aavqc.kernels.decimals import read_droplets
from aavqc.parsers.amplitudes import read_amplitudes
from aavqc.parsers.sources import from_stream

HEADER = "Ch1 Amplitude,Ch2 Amplitude,Cluster"


def kernel(text: str, calls: int = 1, highest: int = 4) -> tuple[int, list[list[float]], list[list[int]]]:
    lines = text.count("\n") + text.count("\r") + 1
    amplitude, found = np.empty((lines, 2)), np.empty((lines, calls), np.int8)
    read = read_droplets(np.frombuffer(text.encode(), np.uint8), 0, highest, amplitude, found)
    return read, amplitude[: max(read, 0)].tolist(), found[: max(read, 0)].tolist()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", ",\n", ",\r\n", ",\r"])
def test_numbers_are_those_that_python_reads(end: str) -> None:
    random = np.random.default_rng(2)
    values = [
        f"{sign}{whole}.{part}" if part else f"{sign}{whole}"
        for sign, whole, part in zip(
            random.choice(["", "-"], 4000),
            random.integers(0, 30000, 4000),
            [str(n)[: 1 + n % 11] if n % 7 else "" for n in random.integers(0, 10**11, 4000).tolist()],
            strict=True,
        )
    ]
    pairs = list(zip(values[::2], values[1::2], strict=True))
    read, amplitude, calls = kernel("".join(f"{a},{b},{i % 5}{end}" for i, (a, b) in enumerate(pairs)))
    assert read == len(pairs)
    assert amplitude == [[float(a), float(b)] for a, b in pairs]
    assert calls == [[i % 5] for i in range(len(pairs))]


@pytest.mark.parametrize(
    "text",
    [
        *("1.0,2.0,5\n", "1.0,2.0,\n", "1.0,2.0\n", "1.0,,1\n", "1.0,2.0,1,1\n", "1.0,2.0,1\n\n3.0,4.0,1\n"),
        *(
            "1e3,2.0,1\n",
            "1.2.3,2.0,1\n",
            "+1,2.0,1\n",
            " 1,2.0,1\n",
            "nan,2.0,1\n",
            "-,2.0,1\n",
            ".,2.0,1\n",
        ),
        *("90071992547409930,2.0,1\n", "0.00000000000000000000001,2.0,1\n", "1.0,2.0,u\n", "1.0,2.0,11\n"),
    ],
)
def test_anything_else_is_left_to_a_closer_look(text: str) -> None:
    assert kernel(text)[0] == -1


def test_calls_by_target_may_be_unclassified() -> None:
    assert kernel("1,2,u,1\n3,4,0,u", 2, 1)[2] == [[-1, 1], [0, -1]]
    assert kernel("1,2,2,1\n", 2, 1)[0] == -1


def test_no_droplets_and_blank_lines_at_the_end() -> None:
    assert kernel("") == (0, [], [])
    assert kernel("\r\n\r\n") == (0, [], [])
    assert kernel("1,2,1\n\n\n") == (1, [[1.0, 2.0]], [[1]])


def test_a_closer_look_reads_what_is_a_number_and_names_the_line_of_what_is_none() -> None:
    body = "1.5e3,2.00000000000000000001,1\n-7,3,4\n"
    file = from_stream(io.BytesIO(f"{HEADER}\n{body}".encode()), "p_A01_Amplitude.csv")
    droplets, _ = read_amplitudes(file, {})
    assert droplets.amplitude.tolist() == [[1500.0, 2.0], [-7.0, 3.0]]
    assert not droplets.amplitude.flags.writeable
    bad = from_stream(io.BytesIO(f"{HEADER}\n{body}1,2,7\n".encode()), "p_A01_Amplitude.csv")
    with pytest.raises(InputError, match="cluster 0 to 4") as error:
        read_amplitudes(bad, {})
    assert error.value.line == 4
