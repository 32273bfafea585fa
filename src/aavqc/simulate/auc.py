"""A virtual sedimentation velocity run: scans in the vendor's format, of known truth."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from aavqc.errors import UsageError
from aavqc.records import FloatArray
from aavqc.simulate.auc_scans import KIND, columns, header, noise_levels, ti_noise
from aavqc.simulate.auc_settings import AucSimulation
from aavqc.simulate.mixture import (
    SVEDBERG,
    Species,
    lengths_and_shares,
    longest,
    mean_brightness,
    mixture,
    nm,
)
from aavqc.simulate.sedimentation import ramp_omega2_t, sediment

__all__ = ["AucSimulation", "simulate"]

AVOGADRO = 6.02214076e23

EARLY = 0.2
"""Convection fades within this share of the scans."""


def simulate(out: Path, settings: AucSimulation) -> dict[str, Any]:
    """Write a run as the instrument would, and ``truth.json`` beside it.

    Parameters
    ----------
    out : Path
        Folder for ``00001.RA1`` … (``.IP1``, ``.RI1``, ``.FI1``). Wavelengths are interleaved in the
        numbering and told apart by the header alone, or have a sub-folder each; so have speeds
        where there are several. Several cells share a folder.
    settings : AucSimulation

    Returns
    -------
    dict
        The truth: species with s and s20,w in S, D in cm²/s and loading signal by wavelength,
        meniscus and bottom in cm, noise.

    Raises
    ------
    UsageError
        No extinction is known at a wavelength, or the folder can't be written.

    Notes
    -----
    Packaged DNA adds buoyant mass to a shell of the same friction, so
    s = s_E [1 + L·308.95 (1 − v_D ρ) / (M_c (1 − v_c ρ))], and D = s R T / (M (1 − v ρ)).
    All radii of a scan are seen at the second in its header. Absorbance is written as the mean
    and SD of five replicates; ``noise`` is the SD of that mean. A buffer gradient stands from the
    start, and lets s and D fall linearly with radius.
    """
    species = mixture(settings)
    rng = np.random.default_rng(settings.seed)
    truth = _truth(settings, species)
    try:
        for rpm in settings.speeds or [settings.rpm]:
            folder = out / f"{rpm:.0f}rpm" if settings.speeds else out
            _write_run(folder, settings.model_copy(update={"rpm": rpm}), species, rng)
        text = json.dumps(truth, sort_keys=True, indent=1, allow_nan=False) + "\n"
        (out / "truth.json").write_bytes(text.encode("ascii"))
    except OSError as error:
        raise UsageError(f"the folder can't be written ({error.strerror})", file=str(out)) from error
    return truth


def _write_run(out: Path, settings: AucSimulation, species: list[Species], rng: np.random.Generator) -> None:
    slowest = min(p.s for p in [p for p in species if p.kind == "capsid"] or species)
    times = _scan_times(settings, slowest)
    radius = np.round(np.arange(settings.meniscus - 0.15, settings.bottom + 0.03, settings.radial_step), 4)
    shapes = [
        sediment(
            p.s * SVEDBERG,
            p.D,
            meniscus=settings.meniscus,
            bottom=settings.bottom,
            times_s=times,
            omega2_t=lambda t: ramp_omega2_t(t, settings.rpm, settings.acceleration),
            radius_cm=radius,
            slowing=settings.gradient,
        )
        for p in species
    ]
    loadings = settings.loadings or [settings.od]
    cells = list(enumerate(loadings, start=settings.cell))
    fixed = {
        (cell, nm(w)): ti_noise(rng, settings, radius) for cell, _ in cells for w in settings.wavelengths
    }
    outlying = {int(n): float(x) for n, _, x in (t.partition(":") for t in settings.outlier_scans)}
    turns = len(settings.wavelengths)
    for i, time_s in enumerate(times):
        wavelength = settings.wavelengths[i % turns]
        key = nm(wavelength)
        pure = sum(p.signal[key] * shape[i] for p, shape in zip(species, shapes, strict=True))
        pure = _mixed(pure, i / len(times), radius, settings)
        if i + 1 in outlying:
            pure = outlying[i + 1] * pure
        folder, number = (out / key, i // turns) if settings.layout == "folders" else (out, i)
        folder.mkdir(parents=True, exist_ok=True)
        for cell, loading in cells:
            clean = pure if loading == loadings[0] else pure * (loading / loadings[0])
            clean = clean + fixed[cell, key] + rng.normal(0.0, noise_levels(settings)[1])
            lines = [header(settings, cell, time_s, wavelength), *columns(rng, settings, radius, clean)]
            text = "\r\n".join(["simulated", *lines, ""])
            (folder / f"{number + 1:05d}.{KIND[settings.optics]}{cell}").write_bytes(text.encode("ascii"))


def _mixed(clean: Any, place: float, radius: FloatArray, settings: AucSimulation) -> FloatArray:
    """Mix neighbouring layers of the column above the pile-up, in the first scans only."""
    width = settings.convection_cm * (1.0 - place / EARLY)
    signal: FloatArray = clean
    if width <= 0.0:
        return signal
    inside = (radius >= settings.meniscus) & (radius <= settings.bottom - 0.05)
    r = radius[inside]
    # weights by r conserve what a sector-shaped cell holds
    weights = np.exp(-0.5 * ((r[:, None] - r[None, :]) / width) ** 2) * r[None, :]
    mixed = signal.copy()
    mixed[inside] = weights @ signal[inside] / weights.sum(axis=1)
    return mixed


def _scan_times(settings: AucSimulation, slowest: float) -> list[float]:
    """Return whole seconds, as the header has them; wavelengths take turns."""
    turns = len(settings.wavelengths)
    omega = settings.rpm * math.pi / 30.0
    ramp = settings.rpm / settings.acceleration
    start = math.ceil(ramp) + 60
    pelleted = ramp + 1.05 * math.log(settings.bottom / settings.meniscus) / (slowest * SVEDBERG * omega**2)
    interval = settings.interval_s or max((pelleted - start) / (settings.scans - 1), 1.0)
    step = max(math.ceil(interval / turns), 1)
    return [float(start + i * step) for i in range(settings.scans * turns)]


def _truth(settings: AucSimulation, species: list[Species]) -> dict[str, Any]:
    keys = [nm(w) for w in settings.wavelengths]
    totals = {key: sum(p.signal[key] for p in species) for key in keys}
    capsids = [p for p in species if p.kind == "capsid"]
    truth: dict[str, Any] = {
        "schema": "aavqc.truth/1",
        "technique": "auc",
        "cell": settings.cell,
        "cells": [
            {"cell": settings.cell + i, "loading": loading / (settings.loadings or [settings.od])[0]}
            for i, loading in enumerate(settings.loadings or [settings.od])
        ],
        "optics": settings.optics,
        "meniscus": settings.meniscus,
        "bottom": settings.bottom,
        "noise": settings.noise,
        "signal": totals,
        "species": [_entry(p, totals) for p in capsids],
        "others": [_entry(p, totals) | {"kind": p.kind} for p in species if p.kind != "capsid"],
        "settings": settings.model_dump(
            mode="json", exclude=None if settings.outlier_scans else {"outlier_scans"}
        ),
    }
    if capsids and settings.optics in ("absorbance", "intensity"):
        first = keys[0]
        pairs = lengths_and_shares(settings)
        total = sum(share for _, share in pairs)
        mean = mean_brightness(settings, [(length, share / total) for length, share in pairs])
        molar = sum(p.signal[first] for p in capsids) / settings.path_length_cm / mean
        truth["capsids_per_ml"] = molar * AVOGADRO / 1000.0
        truth["genomes_per_ml"] = truth["capsids_per_ml"] * sum(
            p.particle_fraction for p in capsids if p.packaged_nt > 0
        )
        design = settings.design_length or longest(settings)
        nucleotides = sum(p.particle_fraction * p.packaged_nt for p in capsids)
        truth["genome_equivalents_per_ml"] = (
            truth["capsids_per_ml"] * nucleotides / design if design > 0 else 0.0
        )
    return truth


def _entry(p: Species, totals: dict[str, float]) -> dict[str, Any]:
    return {
        "packaged_nt": p.packaged_nt,
        "particle_fraction": p.particle_fraction,
        "signal_fraction": {key: p.signal[key] / totals[key] for key in totals},
        "signal": p.signal,
        "s": p.s,
        "s20w": p.s20w,
        "D": p.D,
        "mass_da": p.mass_da,
    }
