"""The fit of a sample: from the scans of its channels to distributions, with everything found on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from aavqc.auc.capsids import Capsids, capsids_of, windows_of_species
from aavqc.auc.channels import Channel, channels_of, too_few
from aavqc.auc.column import Column
from aavqc.auc.composition import ClassWindows, class_windows
from aavqc.auc.cs import Fitted, basis, fit_columns, project
from aavqc.auc.f_statistic import f_statistic_limits
from aavqc.auc.ff0 import fit_ff0
from aavqc.auc.grid import SignalGrid, range_remarks
from aavqc.auc.models import Shape, model_of, shape_of
from aavqc.auc.peaks import Peak, find_peaks, resolution
from aavqc.auc.resolve import Resolved, one_more, resolve, smeared_in
from aavqc.auc.search import (
    COARSE_GAIN,
    Found,
    Free,
    Parameters,
    Problem,
    fastest_seen,
    first_look,
    refine,
    search,
    slowest_seen,
)
from aavqc.auc.settings import TechniqueSettings
from aavqc.auc.species import Species, fit_species, starting_species
from aavqc.errors import UsageError
from aavqc.records import FloatArray, VelocityScans

EXPECTED_CAPSIDS = (40.0, 160.0)
"""With a ``design_length`` the distribution covers at least this range, in S."""

FINE_S, MOST_S = 1.1, 400
"""Species are resolved from a distribution with no wider steps in S, whatever ``resolution``, and from
no more values: in steps of 3 S species 10 % apart are one. The default is as fine."""

TRIED = 6
"""Values of s below the grid, and above it, at which one more species is tried."""

ASKED = 4.0
"""Standard deviations of its amount from which on the grid is widened for it: of twelve places in each
channel noise alone reaches this once in some thousand samples."""

GROWTH: Free = ("growth", 0)
GROWTH_SD, GROWTH_LIMITS = 0.08, (-0.25, 0.4)
"""Prior of the radius' growth by the time that s has doubled: full capsids (1.65 times the s of
empty ones) are taken to be some 0 to 10 % larger, unverified."""


@dataclass(frozen=True)
class Fit:
    """What the fit found in one channel: its cell, its distribution and peaks."""

    channel: Channel
    meniscus: float
    bottom: float
    distribution: Fitted
    peaks: list[Peak]

    @property
    def column(self) -> Column:
        """The solution column as found before the fit."""
        return self.channel.column

    @property
    def grid(self) -> SignalGrid:
        """The scans that were fitted."""
        return self.channel.grid

    @property
    def noise(self) -> list[str]:
        """Kinds of systematic noise that were taken out."""
        return self.channel.noise


@dataclass(frozen=True)
class SampleFit:
    """Everything that the fit of one sample found: its channels share species and shape.

    ``shape_kind`` says what ``found.best.shape`` is: ``frictional_ratio`` or ``radius`` (nm);
    None where the model has no shape of its own and one only helped to find the cell.
    ``capsids`` is what the resolved species are; None without species or classes.
    ``details`` are the model's own diagnostics, ``remarks`` what else a reader should know.
    """

    fits: tuple[Fit, ...]
    problem: Problem
    found: Found
    model: str
    shape_kind: str | None
    resolved: Resolved | None
    windows: ClassWindows | None
    capsids: Capsids | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def diffusion(self, s: FloatArray) -> FloatArray:
        """Return D in cm²/s at each s in S; ls-g*(s) has none."""
        best = self.found.best
        return np.zeros(s.size) if self.model == "lsg" else self.problem.to_d(s, best.shape, best.growth)


def fit_sample(records: Sequence[VelocityScans], settings: TechniqueSettings) -> SampleFit:
    """Fit the scans of a sample: one cell, or several cells and speeds of it together.

    Raises
    ------
    AssayError
        No boundary, an equilibrium experiment, too few scans.
    """
    channels = channels_of(tuple(records), settings)
    model = model_of(settings)
    shape = shape_of(model, settings, channels[0].grid.temperature_c)
    problem, start, free = _problem(channels, shape, settings)
    # one channel a cell is enough to find it
    first = {c.cell: c for c in reversed(channels)}
    thinned = _thinned(problem, [first[i] for i in sorted(first)])
    low, high, start = _range_of_s(thinned, start, free, settings)
    found = _find_cell(thinned, low, high, start, free)
    if model == "lsg":
        # a step that has not come out of the meniscus is not seen
        low = min(max(low, slowest_seen(channels[0].grid, found.best.meniscus[0])), 0.5 * high)
    fits, details, resolved = _fitted(problem, low, high, found, shape, settings)
    if resolved is not None and settings.s_range is None:
        wider = _wider(problem, resolved, low, high)
        if wider != (low, high):
            # what the first look took for baseline may show the bottom, which nothing else did
            found = _find_cell(thinned, *wider, found.best, free)
            fits, details, resolved = _fitted(problem, *wider, found, shape, settings)
    windows, capsids = class_windows(fits[0].distribution.s, fits[0].distribution.signal, settings), None
    if resolved is not None:
        found = resolved.found
        windows = windows_of_species(resolved, settings) or windows
        capsids = None if windows is None else capsids_of(resolved, channels, windows, settings)
    if settings.profile:
        at = fits[0].distribution.s if resolved is None else resolved.s
        details["profiles"] = f_statistic_limits(
            _thinned(problem, channels), found, at, settings.profile, settings.coverage
        )
    remarks = [r for c in channels for r in range_remarks(c.scans, c.grid)]
    if settings.wavelength is None:
        remarks += [
            f"{n} scan(s) at {w:g} nm are not used: fewer than can be fitted"
            for record in records
            for w, n in too_few(record).items()
        ]
    return SampleFit(
        fits=tuple(fits),
        problem=problem,
        found=found,
        model=model,
        shape_kind=shape.kind if model in ("cs", "cs_invariant_d") else None,
        resolved=resolved,
        windows=windows,
        capsids=capsids,
        details=details,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _fitted(
    problem: Problem, low: float, high: float, found: Found, shape: Shape, settings: TechniqueSettings
) -> tuple[list[Fit], dict[str, object], Resolved | None]:
    """Fit the distribution of every channel and, where capsids are wanted, resolve species from them."""
    model, s = model_of(settings), np.linspace(low, high, settings.resolution)
    fits, details = [], dict[str, object]()
    for channel in problem.channels:
        fit, more = _fit_channel(channel, s, found.best, model, shape, settings)
        fits.append(fit)
        details = details or more
    resolved = None
    if settings.design_length is not None and model in ("cs", "cs_invariant_d"):
        resolved = _resolved(problem, fits, found, shape, settings)
    return fits, details, resolved


def _wider(problem: Problem, resolved: Resolved, low: float, high: float) -> tuple[float, float]:
    """Return a range of s that holds the material that the scans ask for and the first look missed."""
    meniscus = resolved.found.best.meniscus
    slowest = min(slowest_seen(c.grid, meniscus[c.cell]) for c in problem.channels)
    fastest = max(fastest_seen(c.grid, meniscus[c.cell]) for c in problem.channels)
    slow = np.geomspace(slowest, low, TRIED + 1)[:-1]
    fast = np.geomspace(high, fastest, TRIED + 1)[1:]
    amounts, sds = one_more(problem, resolved, np.concatenate([slow, fast]))
    seen = np.max(amounts / sds, axis=0)
    if slowest < low and seen[:TRIED].max() > ASKED:
        low = slowest
    if fastest > high and seen[TRIED:].max() > ASKED:  # where it is seen best, and on to the next place
        high = float(fast[min(int(np.argmax(seen[TRIED:])) + 1, TRIED - 1)])
    return low, high


def _resolved(
    problem: Problem, fits: Sequence[Fit], found: Found, shape: Shape, settings: TechniqueSettings
) -> Resolved | None:
    """Resolve species from the distributions; the radius may grow with s where it was fitted."""
    growing = [GROWTH] if shape.kind == "radius" and ("shape", 0) in found.sd else []
    distributions = [f.distribution for f in fits]
    s = distributions[0].s
    fine = np.linspace(s[0], s[-1], min(int((s[-1] - s[0]) / FINE_S) + 2, MOST_S))
    if fine.size > s.size:
        bare = settings.model_copy(update={"regularisation": "none"})
        model = model_of(settings)
        distributions = [
            _fit_channel(f.channel, fine, found.best, model, shape, bare)[0].distribution for f in fits
        ]
    resolved = resolve(problem, distributions, found.best, [*found.sd, *growing])
    if resolved is None:
        return None
    best, first = resolved.found.best, fits[0]
    d = shape.to_d(resolved.s, best.shape, best.growth)
    width = resolution(resolved.s, d, first.meniscus, first.bottom, first.grid.omega2)
    return replace(resolved, smeared=smeared_in(resolved.s, width))


def _problem(
    channels: list[Channel], shape: Shape, settings: TechniqueSettings
) -> tuple[Problem, Parameters, list[Free]]:
    columns = {c.cell: c.column for c in channels}
    cells = [columns[i] for i in sorted(columns)]

    def limits(meniscus: str, bottom: str, shape_at: float, growth: float) -> Parameters:
        return Parameters(
            tuple(getattr(c, meniscus) for c in cells),
            tuple(getattr(c, bottom) for c in cells),
            shape_at,
            growth,
        )

    problem = Problem(
        tuple(channels),
        shape.to_d,
        limits("meniscus_low", "bottom_low", shape.low, GROWTH_LIMITS[0]),
        limits("meniscus_high", "bottom_high", shape.high, GROWTH_LIMITS[1]),
        {GROWTH: (0.0, GROWTH_SD)},
    )
    return problem, limits("meniscus", "bottom", shape.start, 0.0), _free(settings, shape, len(cells))


def _fit_channel(
    channel: Channel,
    s: FloatArray,
    best: Parameters,
    model: str,
    shape: Shape,
    settings: TechniqueSettings,
) -> tuple[Fit, dict[str, object]]:
    """Fit the distribution of one channel, the cell and the shape held."""
    grid, noise = channel.grid, channel.noise
    meniscus, bottom = best.meniscus[channel.cell], best.bottom[channel.cell]
    details: dict[str, object] = {}
    peaks: list[Peak] | None = None
    if model == "cs_ff0":
        grid, distribution, details["ff0"] = fit_ff0(grid, s, meniscus, bottom, noise, settings)
        channel = replace(channel, grid=grid)
        s = distribution.s
    else:
        d = np.zeros(s.size) if model == "lsg" else shape.to_d(s, best.shape, best.growth)
        distribution = fit_columns(
            grid,
            s,
            project(basis(grid, s, d, meniscus, bottom), noise, grid.seen),
            noise,
            regularisation=settings.regularisation,
            confidence=settings.confidence,
        )
    width = resolution(s, shape.to_d(s, best.shape, best.growth), meniscus, bottom, grid.omega2)
    if model == "species":
        seen = find_peaks(s, distribution.signal, width)
        start = starting_species(seen, lambda x: shape.to_d(x, best.shape, best.growth), settings)
        distribution, species = fit_species(grid, *start, meniscus, bottom, noise, s)
        details["species"] = [asdict(one) for one in species]
        peaks = _as_peaks(species)
    if peaks is None:
        peaks = find_peaks(s, distribution.signal, width)
    return Fit(channel, meniscus, bottom, distribution, peaks), details


def _range_of_s(
    problem: Problem, start: Parameters, free: list[Free], settings: TechniqueSettings
) -> tuple[float, float, Parameters]:
    """Find the range of s, with a c(s) whatever the model, and parameters to go on from."""
    if settings.s_range is not None:
        low, high = settings.s_range
        if not 0 < low < high < np.inf:
            raise UsageError(
                "setting s_range", expected="two ascending values above 0, in S", found=f"{low:g},{high:g}"
            )
        return low, high, start
    low, high, start = first_look(problem, start, free)
    if settings.design_length is not None:
        low, high = min(low, EXPECTED_CAPSIDS[0]), max(high, EXPECTED_CAPSIDS[1])
    return low, high, start


def _find_cell(problem: Problem, low: float, high: float, start: Parameters, free: list[Free]) -> Found:
    """Find meniscus, bottom and shape, with a c(s) whatever the model."""
    s = np.linspace(low, high, 60)
    found = search(problem, s, start, free, COARSE_GAIN)
    return search(problem, refine(s, found.amounts.sum(axis=0)), found.best, free)


def _thinned(problem: Problem, channels: Sequence[Channel]) -> Problem:
    """Return the problem with every n-th scan and radius of some of its channels."""
    return replace(problem, channels=tuple(replace(c, grid=c.grid.thinned()) for c in channels))


def _free(settings: TechniqueSettings, shape: Shape, cells: int) -> list[Free]:
    """Return the fitted parameters."""
    wanted = settings.fit
    if wanted is None:
        wanted = ["meniscus", "radius"] if shape.kind == "radius" else ["meniscus", "frictional_ratio"]
    free: list[Free] = []
    for cell in range(cells):
        # the bottom is found rather than fitted: unlike the meniscus it hardly touches any result
        free += [("bottom", cell)] if settings.bottom is None else []
        free += [("meniscus", cell)] if "meniscus" in wanted and settings.meniscus is None else []
    return free + ([("shape", 0)] if {"frictional_ratio", "radius"} & set(wanted) else [])


def _as_peaks(species: list[Species]) -> list[Peak]:
    total = sum(one.signal for one in species)
    return [Peak(one.s, one.signal, one.signal / total, one.s, one.s) for one in species]
