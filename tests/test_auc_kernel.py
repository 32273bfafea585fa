"""The Lamm kernel against solutions that it has no part in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import solve_banded

from aavqc.auc.models import diffusion_from_frictional_ratio
from aavqc.kernels import as_input
from aavqc.kernels.lamm import lamm_basis
from aavqc.simulate.sedimentation import ramp_omega2_t, sediment


def kernel_scans(
    s: float,
    d: float,
    rpm: float,
    times: np.ndarray,
    radii: np.ndarray,
    bottom: float,
    ramp_s: float = 0.0,
    per_width: float = 3.0,
) -> np.ndarray:
    omega2 = (rpm * 2 * np.pi / 60) ** 2
    w = omega2 * times
    out = np.empty((1, times.size, radii.size))
    lamm_basis(
        as_input([s]),
        as_input([d]),
        6.0,
        bottom,
        omega2,
        ramp_s,
        as_input(w),
        as_input(radii),
        per_width,
        out,
    )
    return out[0]


def plain_scans(
    s: float, d: float, rpm: float, times: np.ndarray, radii: np.ndarray, bottom: float
) -> np.ndarray:
    """The Lamm equation in plain NumPy: uniform cells, trapezoidal rule after four Euler steps."""
    n = 3000
    edges = np.linspace(6.0, bottom, n + 1)
    centres = 0.5 * (edges[1:] + edges[:-1])
    volumes = centres * np.diff(edges)
    omega2 = (rpm * 2 * np.pi / 60) ** 2
    inner = edges[1:-1]
    diffusive = inner * d / np.diff(centres)
    convective = 0.5 * s * omega2 * inner**2
    bands = np.zeros((3, n))
    bands[1, :-1] += (diffusive + convective) / volumes[:-1]
    bands[0, 1:] -= (diffusive - convective) / volumes[:-1]
    bands[1, 1:] += (diffusive - convective) / volumes[1:]
    bands[2, :-1] -= (diffusive + convective) / volumes[1:]

    c, scans, dt = np.ones(n), [], times[0] / 2000
    for k in range(1, round(times[-1] / dt) + 1):
        implicit = 1.0 if k <= 4 else 0.5
        explicit = (1 - implicit) * dt
        right = c - explicit * bands[1] * c
        right[:-1] -= explicit * bands[0, 1:] * c[1:]
        right[1:] -= explicit * bands[2, :-1] * c[:-1]
        system = implicit * dt * bands
        system[1] += 1
        c = solve_banded((1, 1), system, right)
        if np.isclose(times, k * dt, rtol=0, atol=1e-6).any():
            scans.append(np.interp(radii, centres, c))
    return np.array(scans)


@pytest.mark.parametrize(
    ("s", "d", "rpm"),
    [
        (65e-13, 1.57e-7, 15000.0),
        (5e-13, 6e-7, 50000.0),
        (1.5e-13, 1.1e-6, 50000.0),
        (160e-13, 1.3e-7, 10000.0),
    ],
)
def test_lamm_kernel_against_a_plain_scheme(s: float, d: float, rpm: float) -> None:
    radii = np.linspace(6.05, 7.05, 300)
    first = 0.1 * np.log(7.2 / 6.0) / (s * (rpm * 2 * np.pi / 60) ** 2)
    times = first * np.array([1.0, 2.0, 4.0])
    plain = plain_scans(s, d, rpm, times, radii, 7.2)
    error = kernel_scans(s, d, rpm, times, radii, 7.2) - plain
    assert np.sqrt((error**2).mean()) < 2e-4
    assert np.abs(error).max() < 2e-3


def test_lamm_kernel_against_ultrascan_reference(reference_data: Path) -> None:
    """Case A of two other solvers; their rotor is half a second of full speed ahead."""
    path = reference_data / "auc" / "ultrascan3" / "A_empty65S_ff12_N3200_grid1.csv"
    rows = [line.split(",") for line in path.read_text().splitlines() if not line.startswith("#")]
    w = np.array(rows[1][1:], float)
    table = np.array(rows[2:], float)
    radii, wanted = table[:, 0].copy(), table[:, 1:].T
    omega2 = (20000 * 2 * np.pi / 60) ** 2
    out = np.empty((1, w.size, radii.size))
    lamm_basis(
        as_input([65e-13]),
        as_input([1.836752e-7]),
        6.0,
        7.2,
        omega2,
        50.0,
        as_input(w + 0.5 * omega2),
        as_input(radii),
        3.0,
        out,
    )
    error = (out[0] - wanted)[:, radii < 7.15]
    assert np.sqrt((error**2).mean()) <= 1e-4
    assert np.abs(error).max() <= 2e-3


def random_cases(count: int) -> list[tuple[float, float, float, float, float]]:
    """Half 4–6 S at 50,000 rpm, half 30–250 S at 8,000–25,000 rpm: s, D, rpm, meniscus, bottom."""
    rng = np.random.default_rng(20261122)
    cases = []
    for i in range(count):
        if i % 2:
            rpm, s = rng.uniform(8000, 25000), 10 ** rng.uniform(np.log10(30), np.log10(250))
        else:
            rpm, s = 50000.0, rng.uniform(4, 6)
        ratio = rng.uniform(1.15, 1.7)
        d = diffusion_from_frictional_ratio(np.array([s * 1e-13]), ratio, 0.73, 1.0, 1.002, 20.0)
        cases.append((s * 1e-13, float(d[0]), rpm, rng.uniform(5.9, 6.3), rng.uniform(7.1, 7.22)))
    return cases


def kernel_error(case: tuple[float, float, float, float, float], per_width: float) -> np.ndarray:
    """Error of 40 scans of one case against finite elements in time and space (Radau IIA)."""
    s, d, rpm, meniscus, bottom = case
    omega2 = (rpm * np.pi / 30) ** 2
    full, ramp = np.log(bottom / meniscus) / (s * omega2), rpm / 400
    times = np.linspace(0.08 * full + ramp, 0.9 * full + ramp, 40)
    radii = np.linspace(meniscus + 0.01, bottom - 0.05, 300)
    wanted = sediment(
        s,
        d,
        meniscus=meniscus,
        bottom=bottom,
        times_s=list(times),
        omega2_t=lambda t: ramp_omega2_t(t, rpm, 400.0),
        radius_cm=radii,
    )
    w = as_input([ramp_omega2_t(t, rpm, 400.0) for t in times])
    out = np.empty((1, times.size, radii.size))
    lamm_basis(as_input([s]), as_input([d]), meniscus, bottom, omega2, ramp, w, radii, per_width, out)
    return np.asarray(out[0] - wanted)


def test_lamm_kernel_on_50_random_cases() -> None:
    errors = [kernel_error(case, 3.0) for case in random_cases(50)]
    rms = np.array([np.sqrt((e**2).mean()) for e in errors])
    worst = np.array([np.abs(e).max() for e in errors])
    assert rms.max() <= 1e-4
    assert worst.max() <= 2e-3


def test_lamm_kernel_converges() -> None:
    """At least second order in the cell width, down to the floor of the reference."""
    case = (100e-13, 1.5e-7, 12000.0, 6.1, 7.18)
    rms = [float(np.sqrt((kernel_error(case, p) ** 2).mean())) for p in (0.75, 1.5, 3.0)]
    assert rms[1] < rms[0] / 4
    assert rms[2] < rms[1]


def test_lamm_kernel_keeps_what_is_loaded() -> None:
    """Of a slow species, which never leaves the column, the amount is what was loaded."""
    radii = np.linspace(6.0, 7.2, 4001)
    out = np.empty((1, 1, radii.size))
    omega2 = (40000 * np.pi / 30) ** 2
    w = as_input([omega2 * 20000.0])
    lamm_basis(as_input([1.5e-13]), as_input([1e-6]), 6.0, 7.2, omega2, 0.0, w, as_input(radii), 6.0, out)
    amount = np.trapezoid(out[0, 0] * radii, radii)
    assert amount == pytest.approx(0.5 * (7.2**2 - 6.0**2), rel=2e-3)
