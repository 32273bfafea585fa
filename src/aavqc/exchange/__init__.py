"""What leaves the library for other systems, made from the files of OUT and from nothing else.

The same OUT gives the same bytes. Nothing is computed here, and nothing in OUT is changed.
"""

from __future__ import annotations

from pathlib import Path

from aavqc.errors import UsageError, nearest
from aavqc.exchange.asm import write_asm
from aavqc.exchange.crate import write_crate
from aavqc.exchange.source import Finished
from aavqc.exchange.table import write_csv, write_parquet

__all__ = ["export"]

WRITERS = {"csv": write_csv, "parquet": write_parquet, "asm": write_asm, "ro-crate": write_crate}


def export(out: str | Path, to: str, path: str | Path) -> list[Path]:
    """Write what a batch has found in a form that other systems read.

    Parameters
    ----------
    out : path
        Output folder of a batch.
    to : {'csv', 'parquet', 'asm', 'ro-crate'}
        One long table (a file); a JSON document of each result (a folder); the whole OUT with a
        description in JSON-LD (a folder, or a file that ends with ``.zip``).
    path : path
        Outside OUT. A folder must be new or empty.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UsageError
        An unknown form, a place that can't be written to, a package that is not installed.
    InputError
        No output folder of a batch, or a file of it that can't be read.
    """
    if to not in WRITERS:
        raise UsageError(f"no form {to!r}", hint=nearest(to, list(WRITERS)))
    source, target = Finished.load(Path(out)), Path(path)
    if target.resolve().is_relative_to(source.out.resolve()):
        raise UsageError("the place lies inside OUT", file=str(path), hint="OUT is what its trail says it is")
    return WRITERS[to](source, target)
