"""A virtual charge-detection mass spectrometer: files in every format that is read, with known truth.

Each ion is drawn as nature does it: a capsid of 60 subunits (VP1:VP2:VP3 1:1:10 by chance),
its DNA, adducts; a whole number of charges; then the instrument's noise on m/z and charge.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aavqc.errors import UsageError
from aavqc.records import FloatArray
from aavqc.simulate import cdms_lists
from aavqc.simulate.cdms_dmt import dmt
from aavqc.simulate.cdms_ions import CdmsSimulation, Ions, draw_ions, with_split_peaks
from aavqc.simulate.cdms_spectra import mzml
from aavqc.textfiles import write_bytes

__all__ = ["CdmsSimulation", "simulate"]

_OWN_DRAWS = ("dmt", "stori", "photometry")
"""Formats that draw from a generator of their own, whatever else is written."""


def simulate(out: Path, settings: CdmsSimulation) -> dict[str, Any]:
    """Write a run's files and its truth into a folder.

    Parameters
    ----------
    out : Path
        Gets a file (STORIboard: a folder) for each of ``formats``, and ``truth.json``.
    settings : CdmsSimulation

    Returns
    -------
    dict
        The truth: ``species`` [{``nt``, ``fraction`` as asked, ``ions`` as drawn, ``mass_da`` mean}],
        and the settings.

    Raises
    ------
    UsageError
        A species that can't be read.
    """
    rng = np.random.default_rng(settings.seed)
    species = _species(settings.species)
    ions = draw_ions(settings, species, rng)
    files = _files(with_split_peaks(ions, settings, rng), settings, rng)
    truth = {
        "technique": "cdms",
        "files": sorted(files),
        "settings": settings.model_dump(mode="json"),
        "species": [
            {
                "nt": nt,
                "fraction": fraction,
                "ions": int(np.count_nonzero(ions.nucleotides == nt)),
                "mass_da": _mean(ions.mass[ions.nucleotides == nt]),
            }
            for nt, fraction in species
        ],
    }
    files["truth.json"] = (json.dumps(truth, indent=1, sort_keys=True) + "\n").encode()
    for name, data in files.items():
        write_bytes(Path(out) / name, data)
    return truth


def _files(ions: Ions, settings: CdmsSimulation, rng: np.random.Generator) -> dict[str, bytes]:
    """Return the bytes of each file by its name."""
    name, wanted = settings.name, set(settings.formats)
    own = {kind: np.random.default_rng([settings.seed, i]) for i, kind in enumerate(_OWN_DRAWS)}
    files: dict[str, bytes] = {}
    if "csv" in wanted:
        files[f"{name}.csv"] = cdms_lists.ion_list(ions, settings, rng)
    if "mzml" in wanted:
        files[f"{name}.mzML"] = mzml(ions, settings, rng)
    if "dmt" in wanted:
        files[f"{name}.dmt"] = dmt(ions, settings, own["dmt"])
    if "stori" in wanted:
        files |= cdms_lists.stori(ions, settings, own["stori"])
    if "npz" in wanted:
        files[f"{name}.npz"] = cdms_lists.npz(ions, settings)
    if "parquet" in wanted:
        files[f"{name}.parquet"] = cdms_lists.parquet(ions, settings)
    if "mass_list" in wanted:
        files[f"{name}_masses.csv"] = cdms_lists.mass_list(ions)
    if "photometry" in wanted:
        files[f"{name}_photometry.csv"] = cdms_lists.photometry(ions, settings, own["photometry"])
    return files


def _species(texts: Sequence[str]) -> list[tuple[float, float]]:
    found: dict[float, float] = {}
    for text in texts:
        try:
            nt, fraction = (float(part) for part in text.split(":"))
        except ValueError as error:
            raise UsageError("setting species", expected="nt:fraction", found=repr(text)) from error
        if not (0 <= nt < 1e5 and 0 < fraction < 1e9) or nt in found:
            raise UsageError("setting species", expected="lengths once, fractions above 0", found=repr(text))
        found[nt] = fraction
    total = sum(found.values())
    return [(nt, fraction / total) for nt, fraction in sorted(found.items())]


def _mean(values: FloatArray) -> float | None:
    return round(float(values.mean()), 1) if values.size else None
