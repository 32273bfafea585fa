"""Speed of the Lamm kernel and of one c(s) evaluation, as ratios measured in one run.

Floors. Kernel: 60 scans × 400 points are 24,000 doubles written (192 kB, about 20 µs of memory
bandwidth) and as many cubic interpolations (some 10 flops each, 0.1 ms); the march itself is
about 300 steps of about 100 cells. c(s): the Gram product of the basis is 2·N·k² flops, and the
basis has to be written once (8·N·k bytes).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import aavqc
from aavqc.auc.cs import basis, fit_columns, project
from aavqc.auc.grid import SignalGrid
from aavqc.auc.models import diffusion_from_frictional_ratio
from aavqc.kernels import as_input
from aavqc.kernels.lamm import lamm_basis
from aavqc.simulate.auc import AucSimulation, simulate
from aavqc.simulate.sedimentation import ramp_omega2_t

SCANS, RADII, S_VALUES = 100, 1000, 150


def median_time(function: Callable[[], object], repeats: int) -> float:
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def grid() -> tuple[SignalGrid, np.ndarray, np.ndarray]:
    """An AAV run at 15,000 rpm, 20–180 S."""
    omega2 = (15000 * np.pi / 30) ** 2
    w = omega2 * np.linspace(300.0, 9000.0, SCANS)
    radii = np.linspace(6.07, 7.12, RADII)
    s = np.linspace(20.0, 180.0, S_VALUES)
    d = np.full(S_VALUES, 1.57e-7)
    rng = np.random.default_rng(3)
    signal = 0.6 * (radii[None, :] > 6.05 * np.exp(95e-13 * w)[:, None]) + 0.004 * rng.normal(
        size=(SCANS, RADII)
    )
    run = SignalGrid(
        w=w,
        radii=radii,
        signal=signal,
        omega2=omega2,
        ramp_s=0.0,
        temperature_c=20.0,
        wavelength_nm=260.0,
        unit="OD",
    )
    return run, s, d


def random_case(rng: np.random.Generator) -> tuple[float, ...]:
    """One of the velocity runs that laboratories do: proteins at high speed, capsids at low."""
    if rng.random() < 0.5:
        rpm, s = rng.uniform(8000, 25000), 10 ** rng.uniform(np.log10(30), np.log10(250))
    else:
        rpm, s = float(rng.choice([40000, 50000, 55000])), rng.uniform(1, 12)
    d = diffusion_from_frictional_ratio(np.array([s * 1e-13]), rng.uniform(1.15, 1.7), 0.73, 1.0, 1.002, 20.0)
    return s * 1e-13, float(d[0]), rpm, rng.uniform(5.9, 6.3), rng.uniform(7.1, 7.22)


def one_simulation(case: tuple[float, ...]) -> Callable[[], object]:
    s, d, rpm, meniscus, bottom = case
    omega2 = (rpm * np.pi / 30) ** 2
    full, ramp = np.log(bottom / meniscus) / (s * omega2), rpm / 400
    times = np.linspace(0.08 * full + ramp, 0.9 * full + ramp, 60)
    w = as_input([ramp_omega2_t(t, rpm, 400.0) for t in times])
    radii = np.linspace(meniscus + 0.01, bottom - 0.05, 400)
    out = np.empty((1, 60, 400))
    arguments = (as_input([s]), as_input([d]), meniscus, bottom, omega2, ramp, w, radii, 3.0, out)
    return lambda: lamm_basis(*arguments)


@pytest.mark.benchmark(group="auc")
def test_auc_kernel_60_scans_400_points(benchmark: Callable[..., object]) -> None:
    """Median over 40 random cases; ratio to the Gram product of c(s) in the same run."""
    rng = np.random.default_rng(11)
    times = [median_time(one_simulation(random_case(rng)), 3) for _ in range(40)]
    run, s, _ = grid()
    matrix = np.random.default_rng(1).normal(size=(s.size, run.w.size * run.radii.size))
    gram = median_time(lambda: matrix @ matrix.T, 3)
    benchmark.extra_info |= {  # type: ignore[attr-defined]
        "median_ms": 1e3 * float(np.median(times)),
        "worst_ms": 1e3 * max(times),
        "gram_ms": 1e3 * gram,
        "ratio_to_gram": float(np.median(times)) / gram,
    }
    benchmark(one_simulation(random_case(rng)))


@pytest.mark.benchmark(group="auc")
def test_auc_one_distribution(benchmark: Callable[..., object]) -> None:
    """One c(s) evaluation (basis, noise projection, NNLS) against the bare Gram product."""
    run, s, d = grid()
    matrix = np.random.default_rng(1).normal(size=(s.size, run.w.size * run.radii.size))

    def evaluate() -> object:
        columns = project(basis(run, s, d, 6.05, 7.2), ["ti", "ri"])
        return fit_columns(run, s, columns, ["ti", "ri"])

    gram_all = median_time(lambda: matrix @ matrix.T, 3)
    with threadpool_limits(limits=1, user_api="blas"):
        gram_one = median_time(lambda: matrix @ matrix.T, 3)
        took = median_time(evaluate, 3)
        benchmark.pedantic(evaluate, rounds=2)  # type: ignore[attr-defined]
    benchmark.extra_info |= {  # type: ignore[attr-defined]
        "seconds": took,
        "ratio_to_gram_all_threads": took / gram_all,
        "ratio_to_gram_one_thread": took / gram_one,
    }


@pytest.mark.benchmark(group="auc")
def test_auc_noise_of_a_ragged_rectangle(benchmark: Callable[..., object]) -> None:
    """TI+RI taken out of 150 columns of 100 × 1000 points, a sixth of them not seen.

    Floor: the columns read and written once, here by a product in place.
    """
    values = np.random.default_rng(1).normal(size=(150, 100, 1000))
    seen = np.ones((100, 1000), dtype=bool)
    seen[:50, 667:] = False
    project(values, ["ti", "ri"], seen)
    full = median_time(lambda: project(values, ["ti", "ri"]), 5)
    floor = median_time(lambda: np.multiply(values, 1.0, out=values), 5)
    took = median_time(lambda: project(values, ["ti", "ri"], seen), 5)
    benchmark.extra_info |= {  # type: ignore[attr-defined]
        "seconds": took,
        "ratio_to_full_rectangle": took / full,
        "ratio_to_floor": took / floor,
    }
    benchmark.pedantic(lambda: project(values, ["ti", "ri"], seen), rounds=2)  # type: ignore[attr-defined]


@pytest.mark.benchmark(group="auc")
@pytest.mark.parametrize("wavelengths", [[260.0], [230.0, 260.0, 280.0]])
def test_auc_capsids_of_a_cell(
    benchmark: Callable[..., object], tmp_path: Path, wavelengths: list[float]
) -> None:
    """A whole AAV fit, meniscus and radius fitted, intervals included: 60 scans a wavelength.

    Floor: one basis of 100 × 1000 points a wavelength; the search solves some twenty thinned ones.
    """
    known = {
        f"extinction.{name}.{nm:g}": value
        for nm in wavelengths
        for name, value in (("capsid", 6.61e6), ("nucleotide", 4700.0 if nm != 260 else 8750.0))
    }
    coefficients = {
        name: {f"{nm:g}": known[f"extinction.{name}.{nm:g}"] for nm in wavelengths}
        for name in ("capsid", "nucleotide")
    }
    simulate(tmp_path, AucSimulation(seed=7, wavelengths=wavelengths, extinction=coefficients))
    record = aavqc.read(tmp_path)

    def fit() -> object:
        return aavqc.analyze(record, design_length=4700, **known)

    took = median_time(fit, 3)
    run, s, d = grid()
    with threadpool_limits(limits=1, user_api="blas"):
        floor = len(wavelengths) * median_time(lambda: basis(run, s, d, 6.05, 7.2), 3)
    benchmark.extra_info |= {"seconds": took, "ratio_to_one_basis": took / floor}  # type: ignore[attr-defined]
    benchmark.pedantic(fit, rounds=1)  # type: ignore[attr-defined]
