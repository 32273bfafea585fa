"""What a reviewer must know of a fit: flags with a rule, warnings in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aavqc.attributes import Attribute
from aavqc.auc.composition import NUCLEOTIDE_REL_SD, coefficients_of
from aavqc.auc.composition_flags import composition_flags
from aavqc.auc.fit import Fit, SampleFit
from aavqc.auc.misfit import misfit_flags
from aavqc.auc.particle import dna_of
from aavqc.auc.settings import TechniqueSettings
from aavqc.documents import Flag
from aavqc.records import VelocityScans

EDGE_CM = 1e-4
"""A fitted meniscus this near to where it may be has not been found."""

SIGNAL_TO_RMSD = 3.0
"""Loading signal over rmsd below which there is no boundary."""

CLOCK = 0.005
"""Relative difference of the clock from ∫ω²dt; s-values err by as much where time is used."""

CLOCK_S = 3.0
"""Header times are whole seconds: a difference below this is rounding."""

ENOUGH_SCANS = 12
"""Scans in which a boundary moves; with fewer, what is constant in time is told from it badly."""


def sample_flags(fit: SampleFit, attributes: Sequence[Attribute], settings: TechniqueSettings) -> list[Flag]:
    """Return the flags of a sample: of its channels the most severe of each kind, and of its composition."""
    flags: dict[str, Flag] = {}
    for one in fit.fits:
        where = "" if len(fit.fits) == 1 else f"{_wavelength(one)}, {one.channel.record.name}: "
        seen = flags_of(one, settings)
        if one.channel.scatter_only and len(fit.fits) > 1:
            # where capsids absorb nothing there may be nothing to see
            seen = [flag for flag in seen if flag.id != "no_boundary"]
        for flag in seen:
            known = flags.get(flag.id)
            if known is None or (flag.severity == "invalid" and known.severity != "invalid"):
                flags[flag.id] = flag.model_copy(update={"message": where + flag.message})
    return [*flags.values(), *composition_flags(fit, attributes, settings)]


def flags_of(fit: Fit, settings: TechniqueSettings) -> list[Flag]:
    """Return the flags of one channel; one of severity ``invalid`` takes the sample out."""
    missing = _no_boundary(fit)
    found = (
        _meniscus_at_edge(fit),
        missing,
        _saturation(fit, settings),
        _time_stamps(fit.channel.record),
        _few_scans(fit),
    )
    # without a boundary the residuals are those of a fit to noise
    return [
        *fit.column.flags,
        *(flag for flag in found if flag is not None),
        *(misfit_flags(fit) if missing is None else []),
    ]


def warnings_of(records: Sequence[VelocityScans], fit: SampleFit, settings: TechniqueSettings) -> list[str]:
    """Return what was assumed or left out."""
    said = [remark for record in records for remark in record.remarks]
    if settings.density is None or settings.viscosity is None:
        said.append(
            "density and viscosity are not given: s is as measured, no s20,w; shape parameters refer to water"
        )
    if settings.design_length is None:
        said.append("no design_length: no composition is computed")
    elif fit.windows is None:
        said.append("no capsid peak near its expected s: no composition is computed")
    else:
        known = [coefficients_of(settings, f.grid) for f in fit.fits]
        fringes = fit.fits[0].grid.unit == "fringes"
        constants = "refractive increments" if fringes else "extinction coefficients"
        if fit.fits[0].grid.unit == "FU":
            said.append(
                "fluorescence counts labels, which no coefficient turns into particles: percentages are of "
                "signal, and there are no optical titers"
            )
        elif not any(known):
            at = "" if fringes else f" at {_wavelength(fit.fits[0])}"
            said.append(f"no {constants}{at}: percentages are of signal, not of particles")
        elif fringes and settings.increment.dna is None:
            dna = dna_of(settings).increment
            said.append(f"increment.dna is not given: {dna:g} mL/g is taken, of DNA as {settings.dna_salt}")
        if any(known) and settings.extinction.rel_sd is None:
            allowed = f"{100 * NUCLEOTIDE_REL_SD:g} % for the ratio of the {constants}"
            said.append(f"extinction.rel_sd is not stated: intervals allow {allowed}")
        if any(known) and settings.dilution_factor is None:
            said.append("no dilution_factor: optical titers are of the solution in the cell")
        if fit.windows.anchor == "full peak":
            said.append(
                "no empty peak calibrates the lengths: the full peak is taken to hold the design length"
            )
    used = {f.grid.wavelength_nm for f in fit.fits}
    measured = {w for record in records for w in record.wavelengths}
    if len(measured) > len(used):
        said.append(f"{len(used)} of {len(measured)} wavelengths are used: {_wavelength(fit.fits[0])} …")
    return said


def _wavelength(fit: Fit) -> str:
    nm = fit.grid.wavelength_nm
    return "a wavelength that is not stated" if nm is None else f"{nm:g} nm"


def _meniscus_at_edge(fit: Fit) -> Flag | None:
    column, best = fit.column, fit.meniscus
    if column.meniscus_low >= column.meniscus_high or (
        best - column.meniscus_low >= EDGE_CM and column.meniscus_high - best >= EDGE_CM
    ):
        return None
    return Flag(
        id="meniscus_at_edge",
        severity="warning",
        message=f"the fitted meniscus {best:.4f} cm lies at the edge of where it may be",
        value=best,
    )


def _no_boundary(fit: Fit) -> Flag | None:
    total, limit = float(fit.distribution.signal.sum()), SIGNAL_TO_RMSD * fit.distribution.rmsd
    if fit.peaks and total >= limit:
        return None
    return Flag(
        id="no_boundary",
        severity="invalid",
        message="no boundary stands out of the noise",
        value=total,
        limit=limit,
    )


def _saturation(fit: Fit, settings: TechniqueSettings) -> Flag | None:
    if fit.grid.unit != "OD":
        return None
    # a single spike of noise is no saturation
    highest, limit = float(np.quantile(fit.grid.signal, 0.999)), settings.linear_limit
    if highest <= limit:
        return None
    return Flag(
        id="saturation",
        severity="warning",
        message=f"absorbance up to {highest:.2f} OD: above {limit:g} OD it is not linear",
        value=highest,
        limit=limit,
    )


def _time_stamps(record: VelocityScans) -> Flag | None:
    """Compare the header's clock with its ∫ω²dt: at constant speed both run alike.

    A clock that is wrong in both alike, as known of some firmware, takes a wall clock to see.
    """
    rpm = float(np.median([s.rpm for s in record.scans]))
    scans = [s for s in record.scans if abs(s.rpm - rpm) <= 0.01 * rpm]
    time, w = np.array([s.time_s for s in scans]), np.array([s.omega2_t for s in scans])
    span = float(np.ptp(time))
    if len(scans) < 3 or span <= 0.0 or rpm <= 0.0:
        return None
    passed = w / (rpm * 2 * np.pi / 60) ** 2
    centred = time - time.mean()
    off = float(centred @ passed / (centred @ centred)) - 1.0
    if abs(off) <= CLOCK or abs(off) * span <= CLOCK_S:
        return None
    return Flag(
        id="time_stamps",
        severity="warning",
        message=(
            f"from scan to scan ∫ω²dt grows {100 * abs(off):.1f} % {'faster' if off > 0 else 'slower'} than "
            "time and speed of the headers make it: one of the three is wrong"
        ),
        value=abs(off),
        limit=CLOCK,
    )


def _few_scans(fit: Fit) -> Flag | None:
    """Count the scans in which the middle 80 % of the signal has a boundary within the fit range."""
    d = fit.distribution
    share = np.cumsum(d.amounts) / max(float(d.amounts.sum()), 1e-300)
    slow, fast = (float(d.s[min(int(np.searchsorted(share, q)), d.s.size - 1)]) for q in (0.1, 0.9))
    first, last = (fit.meniscus * np.exp(s * 1e-13 * fit.grid.w) for s in (slow, fast))
    moving = int(np.count_nonzero((last > fit.grid.radii[0]) & (first < fit.grid.radii[-1])))
    if moving >= ENOUGH_SCANS:
        return None
    return Flag(
        id="few_scans",
        severity="warning",
        message=f"a boundary moves in {moving} scans only; {ENOUGH_SCANS} or more are wanted",
        value=float(moving),
        limit=float(ENOUGH_SCANS),
    )
