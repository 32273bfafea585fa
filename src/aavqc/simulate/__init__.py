"""Virtual instruments: exports with a known truth, in the vendors' formats.

The schemes here are not those of the fits: a simulator that shared them would test nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aavqc.errors import InputError, UsageError
from aavqc.settings import build

KINDS = ("auc", "cdms", "ddpcr", "lot")


def run(kind: str, out: Path, seed: int = 0, settings: Mapping[str, Any] | None = None) -> None:
    """Write simulated exports into a folder, with their ``truth.json``.

    Parameters
    ----------
    kind : {'auc', 'cdms', 'ddpcr', 'lot'}
    out : Path
        Made where it does not exist.
    seed : int
        Same seed, same settings: same bytes.
    settings : mapping, optional
        Of the simulated instrument; a lot takes none.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"can't be made ({error.strerror})", file=str(out)) from error
    if kind == "lot":
        from aavqc.simulate.example_lot import simulate_lot

        if settings:
            raise UsageError("simulate lot takes no settings", found=", ".join(settings))
        simulate_lot(out, seed)
        return
    cls, simulate = _instrument(kind)
    simulate(out, build(cls, {"seed": seed}, settings or {}))


def _instrument(kind: str) -> tuple[type[Any], Callable[[Path, Any], Any]]:
    if kind == "auc":
        from aavqc.simulate import auc

        return auc.AucSimulation, auc.simulate
    if kind == "cdms":
        from aavqc.simulate import cdms

        return cdms.CdmsSimulation, cdms.simulate
    from aavqc.simulate import ddpcr

    return ddpcr.DdpcrSimulation, ddpcr.simulate
