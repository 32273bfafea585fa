"""Many small exports of the three techniques, each with bytes of its own, for tests of batches."""

from __future__ import annotations

from pathlib import Path


def write_exports(folder: Path, lot: Path, number: int) -> None:
    """Write plates, ion lists and saved distributions made from the example lot, by turns."""
    folder.mkdir()
    for method in lot.glob("method*.toml"):
        (folder / method.name).write_bytes(method.read_bytes())
    plate = (lot / "ddpcr" / "EX24-001.csv").read_bytes()
    ions = (lot / "cdms" / "run1.csv").read_bytes().splitlines(keepends=True)
    for i in range(number):
        below = folder / f"day{i % 7}"
        below.mkdir(exist_ok=True)
        if i % 3 == 0:
            (below / f"plate{i}.csv").write_bytes(plate.replace(b"EX24-001", b"S%d" % i))
        elif i % 3 == 1:
            start = 1 + 7 * i % (len(ions) // 2)
            (below / f"ions{i}.csv").write_bytes(b"".join([ions[0], *ions[start : start + 600]]))
        else:
            rows = [f"{s / 10:.1f}\t{distribution(s / 10, i):.6f}" for s in range(10, 2000, 5)]
            (below / f"cs{i}.dat").write_text("\n".join(rows) + "\n")


def distribution(s: float, i: int) -> float:
    """Empty capsids at 64 S, full ones near 105 S."""
    return 0.2 * 2.0 ** (-(((s - 64) / 3) ** 2)) + 0.8 * 2.0 ** (-(((s - 105 - i % 5) / 3) ** 2))
